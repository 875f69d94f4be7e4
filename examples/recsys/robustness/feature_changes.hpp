/// Changed features of items, and what follows from them in trained parameters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/random.hpp"
#include "recsys/robustness/item_tables.hpp"

namespace polder::recsys {

/// F + sigma z, z ~ N(0, 1). The z depend on seed, repeat and `modality` alone.
inline FeatureMatrix with_noise(FeatureMatrix const& features, std::string_view modality,
                                double sigma, std::uint64_t seed, int repeat) {
    auto result = features;
    result.exact.clear();
    Random z(seed, "noise in features", modality, repeat);
    for (auto& value : result.values)
        value = static_cast<float>(static_cast<double>(value) + sigma * z.normal());
    return result;
}

/// Noise in both modalities: of the same sigma, or of sigma times the root mean square of each modality's features.
inline Dataset with_noise(Dataset const& data, double sigma, bool is_relative, std::uint64_t seed,
                          int repeat) {
    auto const scale = [&](FeatureMatrix const& features) {
        return is_relative ? sigma * root_mean_square(std::span<float const>(features.values))
                           : sigma;
    };
    auto result = data;
    result.cache_folder.clear();
    result.visual = with_noise(data.visual, "visual", scale(data.visual), seed, repeat);
    result.textual = with_noise(data.textual, "textual", scale(data.textual), seed, repeat);
    return result;
}

/// A model may have trained its own copies of the features ("image_embedding", "text_embedding"). They change by as much
/// as the features do.
inline void follow_features(ParameterArena<float>& parameters, Dataset const& before,
                            Dataset const& after) {
    for (auto const& [name, from, to] :
         {std::tuple{"image_embedding", &before.visual, &after.visual},
          std::tuple{"text_embedding", &before.textual, &after.textual}}) {
        if (from->empty() || !parameters.contains(name)) continue;
        auto const table = parameters[name];
        if (table.size() != from->values.size()) continue;
        for (std::size_t k = 0; k < table.size(); ++k)
            table.data[k] += to->values[k] - from->values[k];
    }
}

}  // namespace polder::recsys
