/// Features of items: matrices beside the interactions, one file for each modality.
#pragma once

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/npy.hpp"

namespace polder::recsys {

/// A file "NAME_feat.npy" of the modality NAME.
struct FeatureFile {
    std::string modality;
    std::filesystem::path file;
};

/// All of them in a folder, by name. Throws std::runtime_error where it cannot be listed.
inline std::vector<FeatureFile> find_feature_files(std::filesystem::path const& folder) {
    constexpr std::string_view ending = "_feat.npy";
    std::vector<FeatureFile> result;
    std::error_code error;
    for (auto const& entry : std::filesystem::directory_iterator(folder, error)) {
        auto const name = entry.path().filename().string();
        if (name.ends_with(ending) && name.size() > ending.size())
            result.push_back({name.substr(0, name.size() - ending.size()), entry.path()});
    }
    if (error) throw std::runtime_error(folder.string() + ": cannot be listed: " + error.message());
    std::sort(result.begin(), result.end(),
              [](auto const& a, auto const& b) { return a.modality < b.modality; });
    return result;
}

/// The file that plays a role: `chosen` is a modality of the folder, or else a file in it or anywhere. Without
/// it the file of the modality `by_default`, or none. Throws std::runtime_error that lists the modalities.
inline std::optional<std::filesystem::path> feature_file(std::filesystem::path const& folder,
                                                         std::optional<std::string> const& chosen,
                                                         std::string_view by_default) {
    auto const files = find_feature_files(folder);
    std::string known;
    for (auto const& each : files) {
        if (each.modality == chosen.value_or(std::string(by_default))) return each.file;
        known.append(known.empty() ? "" : ", ").append(each.modality);
    }
    if (!chosen) return std::nullopt;
    std::error_code error;
    for (auto const& file : {folder / *chosen, std::filesystem::path(*chosen)})
        if (std::filesystem::is_regular_file(file, error)) return file;
    throw std::runtime_error(*chosen + ": no such file of features, and no modality of " +
                             folder.string() + ": " + (known.empty() ? "it has none" : known));
}

}  // namespace polder::recsys
