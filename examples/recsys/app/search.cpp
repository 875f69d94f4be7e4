#include "recsys/app/search.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <polder/registry/names.hpp>

#include "recsys/models/registry.hpp"
#include "recsys/names.hpp"
#include "recsys/random.hpp"

namespace polder::recsys::app {

namespace {

constexpr std::string_view of_optimizer = "optimizer.";

bool is_given(Settings const& settings, std::string const& name) {
    return std::any_of(settings.begin(), settings.end(),
                       [&](auto const& each) { return each.first == name; });
}

// Whether the option is there and open.
bool model_has(Candidate const& candidate, std::string const& name) {
    auto const names = names_of(find_model(candidate.model.name).hyper_parameters());
    return std::find(names.begin(), names.end(), name) != names.end() &&
           !is_given(candidate.model.settings, name);
}

bool optimizer_has(Candidate const& candidate, std::string const& name) {
    auto const values = optimizer_values(candidate.optimizer);
    return !is_given(candidate.optimizer.values, name) &&
           std::any_of(values.begin(), values.end(),
                       [&](auto const& each) { return each.name == name; });
}

}  // namespace

Grid parse_grid(std::string const& text) {
    auto [name, values] = assignment(text, "--grid");
    Grid grid{std::move(name), split_list(values)};
    std::replace(grid.name.begin(), grid.name.end(), '-', '_');
    for (auto const& value : grid.values) {
        if (value.empty())
            throw std::invalid_argument(fmt::format("--grid {}: a value is empty", text));
        if (std::count(grid.values.begin(), grid.values.end(), value) > 1)
            throw std::invalid_argument(
                fmt::format("--grid {}: '{}' is listed twice", text, value));
    }
    return grid;
}

std::vector<Candidate> candidates(std::vector<Candidate> const& begin,
                                  std::vector<Grid> const& grids) {
    auto result = begin;
    for (auto const& grid : grids) {
        bool const is_optimizers = grid.name.starts_with(of_optimizer);
        auto const name = is_optimizers ? grid.name.substr(of_optimizer.size()) : grid.name;
        bool is_known = false;
        std::vector<Candidate> next;
        for (auto const& candidate : result) {
            bool const in_model = !is_optimizers && model_has(candidate, name);
            if (!in_model && !optimizer_has(candidate, name)) {
                next.push_back(candidate);
                continue;
            }
            is_known = true;
            for (auto const& value : grid.values) {
                auto point = candidate;
                (in_model ? point.model.settings : point.optimizer.values)
                    .emplace_back(name, value);
                (in_model ? point.model_text : point.optimizer_text) +=
                    fmt::format(":{}={}", name, value);
                static_cast<void>(optimizer_values(point.optimizer));  // is it in range?
                next.push_back(std::move(point));
            }
        }
        if (!is_known)
            throw std::invalid_argument(fmt::format(
                "--grid {}: none of the models and optimizers has this option, or it is given",
                grid.name));
        result = std::move(next);
    }
    return result;
}

std::vector<Candidate> drawn(std::vector<Candidate> all, std::size_t count, std::uint64_t seed) {
    if (count >= all.size()) return all;
    // The first places of a permutation, each drawn among those that are left.
    std::vector<std::size_t> order(all.size());
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = k;
    Random random(seed, "search");
    for (std::size_t k = 0; k < count; ++k)
        std::swap(order[k],
                  order[k + static_cast<std::size_t>(random.uniform_index(order.size() - k))]);
    order.resize(count);
    std::sort(order.begin(), order.end());
    std::vector<Candidate> result;
    for (auto const k : order) result.push_back(std::move(all[k]));
    return result;
}

}  // namespace polder::recsys::app
