/// Features of items as parameters, with their projection to the size of embeddings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/parameter_list.hpp"

namespace polder::recsys {

/// One modality m of the items, and the names of the parameters that models make of it:
///
///     F_m (n_items, D_m)           "image_embedding" or "text_embedding", the features to start from
///     W_m (d, D_m), b_m (1, d)     "image_trs.weight", "image_trs.bias" or "text_trs. ...":
///                                  T_m = F_m W_m^T + b_m
///
/// Further modalities have their own names in the place of image and text.
template <class T>
struct Modality {
    Modality(std::string const& of, FeatureMatrix const& from)
        : name(of), table(of + "_embedding"), weight(of + "_trs.weight"), bias(of + "_trs.bias"),
          target_dropout("target_dropout_" + of), features(from) {}

    /// F_m starts from the features; the initial values of W_m are the model's.
    template <class Initial>
    void parameters(ParameterList<T>& list, int d, Initial const& of_weight) const {
        list.add(table, features.view().rows, features.columns(),
                 [this](MatrixView<T> x, Random) { features.copy_to(x); });
        list.add(weight, d, features.columns(), of_weight);
        list.add(bias, 1, d, LinearUniform(features.columns()));
    }

    std::string name, table, weight, bias;
    std::string target_dropout;  // what the noise in T_m as a target is called
    Features<T> features;
    bool is_visual = false, is_further = false;
};

/// The modalities that `data` has, visual before textual before further ones. Throws what require_features throws.
template <class T>
std::vector<Modality<T>> modalities(Dataset const& data, std::string_view model) {
    require_features(data, model, Takes::any_number);
    std::vector<Modality<T>> result;
    if (!data.visual.empty()) result.emplace_back("image", data.visual).is_visual = true;
    if (!data.textual.empty()) result.emplace_back("text", data.textual);
    for (auto const& each : data.further)
        result.emplace_back(each.name, each.features).is_further = true;
    return result;
}

}  // namespace polder::recsys
