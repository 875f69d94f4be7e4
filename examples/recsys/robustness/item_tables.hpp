/// The learnable tables of items that scores depend on, and noise in them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/model.hpp"
#include "recsys/random.hpp"

namespace polder::recsys {

/// The square root of the mean of the squares of `values`, 0 for none.
template <class T>
double root_mean_square(std::span<T const> values) {
    double sum = 0;
    for (auto const value : values) sum += static_cast<double>(value) * static_cast<double>(value);
    return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

/// Rows of a parameter, one for each item: the whole table of items, or the last rows of a table of all nodes.
struct ItemTable {
    std::string name;
    std::size_t first_row = 0, rows = 0;

    /// The values of these rows.
    template <class T>
    std::span<T> of(ParameterArena<T>& parameters) const {
        auto const view = parameters[name];
        return {view.data + first_row * view.cols, rows * view.cols};
    }
    template <class T>
    std::span<T const> of(ParameterArena<T> const& parameters) const {
        auto const view = parameters[name];
        return {view.data + first_row * view.cols, rows * view.cols};
    }
};

/// The parameters with a row for each item that scores depend on, without those that the model holds frozen and without
/// trained copies of features ("image_embedding", "text_embedding"), which belong to the noise in features, unless
/// `with_copies`.
///
/// Whether scores depend on a table is tried: its rows are changed, and users' and items' vectors are compared.
inline std::vector<ItemTable> item_tables(AnyModel<float>& model,
                                          ParameterArena<float> const& parameters,
                                          Dataset const& data, bool with_copies = false) {
    auto const n_items = static_cast<std::size_t>(data.n_items);
    auto const n_users = static_cast<std::size_t>(data.n_users);
    auto const frozen = model.frozen();
    auto const vectors = [&model](ParameterArena<float> const& x) {
        auto const [users, items] = model.representations(x);
        std::vector<float> all(users.data, users.data + users.size());
        all.insert(all.end(), items.data, items.data + items.size());
        return all;
    };
    auto const before = vectors(parameters);
    std::vector<ItemTable> result;
    for (auto const& entry : parameters.entries()) {
        std::string_view const name = entry.name;
        bool const is_of_items = entry.rows == n_items,
                   is_of_nodes = entry.rows == n_users + n_items;
        // A weight may have as many rows by chance.
        bool const is_weight = name.ends_with(".weight") || name.ends_with(".bias") ||
                               entry.rows == data.visual.columns ||
                               entry.rows == data.textual.columns ||
                               entry.rows == data.visual.columns + data.textual.columns;
        bool const is_table = name.ends_with("embedding") || !is_weight;
        bool const is_copy = name == "image_embedding" || name == "text_embedding";
        if ((!is_of_items && !is_of_nodes) || !is_table || (is_copy && !with_copies) ||
            std::find(frozen.begin(), frozen.end(), name) != frozen.end())
            continue;
        ItemTable const table{entry.name, entry.rows - n_items, n_items};
        auto changed = parameters;
        for (auto& value : table.of(changed)) value += 1 + std::abs(value);
        if (vectors(changed) != before) result.push_back(table);
    }
    return result;
}

/// Adds sigma z to every entry of a table, z ~ N(0, 1). The z depend on seed, repeat and the name of the table alone, so
/// that all models with a table of that name and width meet the same, for every sigma.
inline void add_noise(ParameterArena<float>& parameters, ItemTable const& table, double sigma,
                      std::uint64_t seed, int repeat) {
    Random z(seed, "noise in embeddings", table.name, repeat);
    for (auto& value : table.of(parameters))
        value = static_cast<float>(static_cast<double>(value) + sigma * z.normal());
}

}  // namespace polder::recsys
