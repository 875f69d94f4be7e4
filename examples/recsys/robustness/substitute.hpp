/// What is disturbed in place of learnable tables of items, in models that have none on the path to scores.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <Eigen/Core>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/robustness/item_tables.hpp"

namespace polder::recsys {

/// Rows of items that are not learnable tables, or were none in training.
struct Substitute {
    std::string meaning;  ///< for tables of results
    Settings settings{};  ///< further settings of the model that has these tables
    std::vector<ItemTable> tables{};
    std::vector<double> sizes{};  ///< root mean square of what is disturbed, for each table
};

/// The root mean square of the rows of items of a branch after its layers: Z of models/feature_gcn.hpp.
inline double size_of_projection(ParameterArena<float> const& parameters, std::string const& branch,
                                 FeatureMatrix const& features) {
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    auto const map = [](float const* data, std::size_t rows, std::size_t cols) {
        return Eigen::Map<Matrix const>(data, static_cast<Eigen::Index>(rows),
                                        static_cast<Eigen::Index>(cols));
    };
    auto const of = [&](std::string const& name) {
        auto const view = parameters[branch + name];
        return map(view.data, view.rows, view.cols);
    };
    Matrix hidden = map(features.values.data(), features.rows, features.columns) *
                    of(".MLP.weight").transpose();
    hidden.rowwise() += of(".MLP.bias").row(0);
    hidden = hidden.unaryExpr([](float x) { return x > 0 ? x : 0.01F * x; });
    Matrix z = hidden * of(".MLP_1.weight").transpose();
    z.rowwise() += of(".MLP_1.bias").row(0);
    return std::sqrt(z.cast<double>().squaredNorm() / static_cast<double>(z.size()));
}

/// The substitute for a model without learnable tables of items on the path to scores:
///
/// - DRAGON and MENTOR (hyper-parameter item_embedding = false): the rows of items after the projection of the features,
///   before they are divided by their norms. The model with item_embedding = true and embeddings of 0 is the same; the
///   noise is added to these embeddings.
/// - MMGCN (train_embeddings = false): the random identities of the items, which were not trained.
///
/// None for other models.
inline std::optional<Substitute> substitute_for(AnyModel<float> const& model,
                                                ParameterArena<float> const& parameters,
                                                Dataset const& data) {
    auto const is_off = [&](std::string_view name) {
        auto const all = model.hyper_parameters();
        auto const found = std::find_if(all.begin(), all.end(),
                                        [&](auto const& each) { return each.name == name; });
        return found != all.end() && found->value == AnyValue(false);
    };
    auto const n_items = static_cast<std::size_t>(data.n_items);
    if (is_off("item_embedding")) {
        Substitute result{.meaning = "rows of items after the projection of features",
                          .settings = {{"item_embedding", "true"}}};
        auto const add = [&](std::string const& branch, FeatureMatrix const& features) {
            if (features.empty()) return;
            result.tables.push_back({branch + ".item_embedding", 0, n_items});
            result.sizes.push_back(size_of_projection(parameters, branch, features));
        };
        add("v_gcn", data.visual);
        add("t_gcn", data.textual);
        return result;
    }
    if (is_off("train_embeddings")) {
        auto const n_users = static_cast<std::size_t>(data.n_users);
        Substitute result{.meaning = "identities of items, which are not trained"};
        result.tables.push_back({"id_embedding", n_users, n_items});
        result.sizes.push_back(root_mean_square(result.tables.front().of(parameters)));
        return result;
    }
    return std::nullopt;
}

/// `parameters` in the layout of `model`; what they do not have is 0.
inline ParameterArena<float> extended(ParameterArena<float> const& parameters,
                                      AnyModel<float> const& model) {
    ParameterArena<float> result;
    model.declare(result);
    for (auto const& entry : result.entries()) {
        auto const to = result.view(entry);
        if (parameters.contains(entry.name))
            std::copy_n(parameters[entry.name].data, to.size(), to.data);
        else
            std::fill_n(to.data, to.size(), 0.0F);
    }
    return result;
}

}  // namespace polder::recsys
