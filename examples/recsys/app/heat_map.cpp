#include "recsys/app/heat_map.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

using Points = std::vector<SearchPoint>;

std::optional<double> as_number(std::string const& text) {
    double value = 0;
    auto const end = text.data() + text.size();
    auto const [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || rest != end) return {};
    return value;
}

// "sam:rho=0.1" without these options is "sam".
std::string without(std::string const& text, std::set<std::string> const& options) {
    std::string result;
    for (std::size_t begin = 0; begin <= text.size();) {
        auto const end = std::min(text.find(':', begin), text.size());
        auto const part = text.substr(begin, end - begin);
        if (!options.contains(part.substr(0, part.find('='))))
            result += (result.empty() ? "" : ":") + part;
        begin = end + 1;
    }
    return result;
}

// Options that have several numbers where model and method are the same.
std::set<std::string> varied(Points const& points) {
    std::map<std::pair<std::string, std::string>, std::set<double>> values;
    for (auto const& point : points) {
        auto const of = point.model.substr(0, point.model.find(':')) + " " +
                        point.optimizer.substr(0, point.optimizer.find(':'));
        for (auto const& [name, text] : point.settings)
            if (auto const number = as_number(text)) values[{of, name}].insert(*number);
    }
    std::set<std::string> result;
    for (auto const& [key, all] : values)
        if (all.size() > 1) result.insert(key.second);
    return result;
}

// What a point has on an axis; empty: nothing.
std::string on_axis(SearchPoint const& point, std::string const& axis,
                    std::set<std::string> const& numbers) {
    if (axis == "optimizer") return without(point.optimizer, numbers);
    if (axis == "model") return without(point.model, numbers);
    auto const found = point.settings.find(axis);
    auto const number = found == point.settings.end() ? std::nullopt : as_number(found->second);
    return number ? fmt::format("{:g}", *number) : std::string();
}

std::vector<std::string> axes(Points const& points, std::set<std::string> const& numbers) {
    std::vector<std::string> result(numbers.begin(), numbers.end());
    for (auto const* name : {"optimizer", "model"}) {
        std::set<std::string> values;
        for (auto const& point : points) values.insert(on_axis(point, name, numbers));
        if (values.size() > 1) result.emplace_back(name);
    }
    return result;
}

bool is_name(std::string const& axis) { return axis == "optimizer" || axis == "model"; }

}  // namespace

std::optional<std::pair<std::string, std::string>> axes_of(Points const& points) {
    auto const numbers = varied(points);
    auto const all = axes(points, numbers);
    std::optional<std::pair<std::string, std::string>> best;
    for (bool const with_names : {false, true}) {
        std::size_t most = 0;
        for (auto const& x : all)
            for (auto const& y : all) {
                if (x == y || is_name(x) || is_name(y) != with_names) continue;
                std::set<std::string> on_x, on_y;
                std::set<std::pair<std::string, std::string>> cells;
                for (auto const& point : points) {
                    auto const a = on_axis(point, x, numbers), b = on_axis(point, y, numbers);
                    if (a.empty() || b.empty()) continue;
                    on_x.insert(a);
                    on_y.insert(b);
                    cells.emplace(a, b);
                }
                if (on_x.size() < 2 || on_y.size() < 2 || cells.size() < most) continue;
                if (2 * cells.size() < on_x.size() * on_y.size()) continue;
                // Of the two orders the one that is wide.
                if (cells.size() == most && (with_names || on_y.size() >= on_x.size())) continue;
                most = cells.size();
                best = {x, y};
            }
        if (best) break;
    }
    return best;
}

HeatMap heat_map(Points const& points, std::string const& x, std::string const& y,
                 std::string const& value_label) {
    auto const numbers = varied(points);
    for (auto const& axis : {x, y}) require_known("axis", axis, axes(points, numbers));
    HeatMap map{x, y, value_label, {}, {}, {}};
    std::map<std::pair<std::string, std::string>, double> best;
    std::map<std::string, double> best_of_x, best_of_y;
    auto const take = [](auto& to, auto const& key, double value) {
        auto const [place, is_new] = to.emplace(key, value);
        if (!is_new) place->second = std::max(place->second, value);
    };
    for (auto const& point : points) {
        auto const a = on_axis(point, x, numbers), b = on_axis(point, y, numbers);
        if (a.empty() || b.empty()) continue;
        take(best, std::pair(a, b), point.value);
        take(best_of_x, a, point.value);
        take(best_of_y, b, point.value);
    }
    auto const names = [](std::map<std::string, double> const& of, bool is_of_names) {
        std::vector<std::string> result;
        for (auto const& [name, value] : of) result.push_back(name);
        std::stable_sort(result.begin(), result.end(), [&](auto const& a, auto const& b) {
            return is_of_names ? of.at(a) > of.at(b) : *as_number(a) < *as_number(b);
        });
        return result;
    };
    map.x = names(best_of_x, is_name(x));
    map.y = names(best_of_y, is_name(y));
    for (auto const& b : map.y) {
        auto& row = map.values.emplace_back();
        for (auto const& a : map.x) {
            auto const found = best.find({a, b});
            row.push_back(found == best.end() ? std::numeric_limits<double>::quiet_NaN()
                                              : found->second);
        }
    }
    return map;
}

}  // namespace polder::recsys::app
