/// Data sets by what the command line calls them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/features.hpp"
#include "recsys/data/inter_file.hpp"
#include "recsys/data/synthetic.hpp"

namespace polder::recsys {

/// Where data comes from.
struct DataSource {
    /// A directory with an `.inter` file or the file itself; or "synthetic:NAME", a size of
    /// `synthetic_sizes`; or "synthetic", with all three sizes below.
    std::string name = "synthetic:small";

    /// Sizes of synthetic data; they replace those of the name.
    std::optional<std::int32_t> n_users{}, n_items{};
    std::optional<std::int64_t> n_interactions{};
    std::uint64_t seed = 1;  ///< of synthetic data

    /// Which modality or file plays the role; without it image and text do.
    std::optional<std::string> visual{}, textual{};

    /// Further modalities: NAME, a modality of the data, or NAME=FILE.
    std::vector<std::string> further{};
};

/// The folder where the features of a data set of files lie.
inline std::filesystem::path feature_folder(DataSource const& source) {
    std::filesystem::path const path(source.name);
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return path;
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

/// The folder where the ids of a data set of files lie, or none for synthetic data.
inline std::filesystem::path id_folder(DataSource const& source) {
    if (source.name == "synthetic" || source.name.starts_with("synthetic:")) return {};
    return feature_folder(source);
}

namespace detail {

/// How many ids a table of ids has (prepare/id_files.hpp); 0 where there is none.
inline std::int32_t count_ids(std::filesystem::path const& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) return 0;
    auto const text = read_text_file(file);
    if (!text.starts_with("number\tid")) return 0;
    auto const lines = std::count(text.begin(), text.end(), '\n') + (text.ends_with('\n') ? 0 : 1);
    return static_cast<std::int32_t>(lines) - 1;
}

}  // namespace detail

namespace detail {

/// A further modality of `--features`. Throws std::invalid_argument for a name that has another role, std::runtime_error for
/// a file that is not there.
inline FurtherModality read_further(std::filesystem::path const& folder, std::string const& text,
                                    std::size_t rows) {
    auto const equals = text.find('=');
    auto const name = text.substr(0, equals);
    for (auto const* taken : {"image", "text", "user", "item", "id", "v", "t"})
        if (name == taken)
            throw std::invalid_argument("--features " + text + ": '" + name +
                                        "' has a role of its own; --visual and --textual say what "
                                        "plays these roles, expected another name");
    if (name.empty())
        throw std::invalid_argument("--features " + text + ": expected NAME or NAME=FILE");
    auto const file = equals == std::string::npos ? name : text.substr(equals + 1);
    return {name, read_npy(*feature_file(folder, file, {}), rows)};
}

}  // namespace detail

/// Reads or generates the data. Features of files are read only where asked for: they are large, and not all
/// models look at them. Throws std::runtime_error or std::invalid_argument.
inline Dataset load_data(DataSource const& source, bool with_features = true) {
    constexpr std::string_view synthetic = "synthetic";
    auto const name = std::string_view(source.name);
    bool const is_named = name.starts_with("synthetic:");
    bool const has_sizes = source.n_users || source.n_items || source.n_interactions;
    if (!is_named && name != synthetic) {
        if (has_sizes)
            throw std::invalid_argument(
                "numbers of users, items and interactions are for synthetic "
                "data, not for '" +
                source.name + "'");
        auto data = read_inter(source.name);
        auto const folder = feature_folder(source);
        // Users and items that have ids, but no rows any more, keep their numbers.
        auto const keep = [&](char const* file, std::int32_t& n, std::int32_t& first) {
            auto const n_ids = detail::count_ids(folder / file);
            n = std::max(n, n_ids);
            if (n_ids > 0) first = 0;
        };
        keep("users.tsv", data.n_users, data.first_user);
        keep("items.tsv", data.n_items, data.first_item);
        auto const visual = feature_file(folder, source.visual, "image");
        auto const textual = feature_file(folder, source.textual, "text");
        auto const rows = static_cast<std::size_t>(data.n_items);
        if (with_features && visual) data.visual = read_npy(*visual, rows);
        if (with_features && textual) data.textual = read_npy(*textual, rows);
        for (auto const& text : source.further) {
            if (!with_features) break;
            data.further.push_back(detail::read_further(folder, text, rows));
            for (std::size_t k = 0; k + 1 < data.further.size(); ++k)
                if (data.further[k].name == data.further.back().name)
                    throw std::invalid_argument("--features " + text +
                                                ": there are two of that name");
        }
        return data;
    }
    if (source.visual || source.textual || !source.further.empty())
        throw std::invalid_argument("files of features are for data of files, not for '" +
                                    source.name + "'");
    if (!is_named && !(source.n_users && source.n_items && source.n_interactions))
        throw std::invalid_argument(
            "'synthetic' needs the numbers of users, items and interactions; "
            "or name a size, for example synthetic:small");
    auto options =
        is_named ? synthetic_options(name.substr(synthetic.size() + 1)) : SyntheticOptions{};
    options.n_users = source.n_users.value_or(options.n_users);
    options.n_items = source.n_items.value_or(options.n_items);
    options.n_interactions = source.n_interactions.value_or(options.n_interactions);
    options.seed = source.seed;
    if (source.seed != DataSource{}.seed)
        options.name += " (data seed " + std::to_string(source.seed) + ")";
    return generate_synthetic(options);
}

}  // namespace polder::recsys
