/// Data sets by what the command line calls them.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "recsys/data/dataset.hpp"
#include "recsys/data/inter_file.hpp"
#include "recsys/data/synthetic.hpp"

namespace polder::recsys {

/// Where data comes from.
struct DataSource {
    /// A directory with an `.inter` file or the file itself; or "synthetic:NAME", a size of
    /// `synthetic_sizes`; or "synthetic", with all three sizes below.
    std::string name = "synthetic:small";

    /// Sizes of synthetic data; they replace those of the name.
    std::optional<std::int32_t> n_users, n_items;
    std::optional<std::int64_t> n_interactions;
    std::uint64_t seed = 1;  ///< of synthetic data
};

/// Reads or generates the data. Throws std::runtime_error or std::invalid_argument.
inline Dataset load_data(DataSource const& source) {
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
        return read_inter(source.name);
    }
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
    return generate_synthetic(options);
}

}  // namespace polder::recsys
