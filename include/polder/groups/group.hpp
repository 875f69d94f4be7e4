/// Parameter groups: blocks with hyper-parameters of their own.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/message.hpp>

namespace polder {

/// Hyper-parameters of some blocks. What is not set here is the same as for all other blocks. Norms and distances still
/// run over all blocks together, except frozen ones.
struct Group {
    std::string name{};  ///< how Settings::group finds it
    std::vector<std::string>
        blocks{};  ///< names of blocks, or patterns: * any text, ? any character

    std::optional<double> learning_rate{};  ///< the base optimizer's, >= 0
    std::optional<double> weight_decay{};   ///< the base optimizer's, >= 0
    std::optional<double> rho{};            ///< radius of the perturbation, >= 0
    bool adaptive = true;  ///< false: these blocks are not scaled by an adaptive ball
    bool frozen = false;   ///< true: never read, perturbed or changed, and not part of any norm

    /// Throws std::invalid_argument that names the group and what is out of range.
    void validate() const {
        auto const wrong = [](std::optional<double> const& value) {
            return value && !(std::isfinite(*value) && *value >= 0);
        };
        if (wrong(learning_rate)) refuse("learning_rate", *learning_rate);
        if (wrong(weight_decay)) refuse("weight_decay", *weight_decay);
        if (wrong(rho)) refuse("rho", *rho);
    }

private:
    [[noreturn]] POLDER_COLD void refuse(char const* what, double value) const {
        detail::refuse("group '" + name + "': " + what, value, "a finite number >= 0");
    }
};

namespace detail {

// The values of a cohort in the next step: those of its group.
struct GroupSettings {
    std::optional<double> learning_rate, weight_decay, rho;
    bool adaptive = true;
    bool frozen = false;
    double rate_factor = 1, rho_factor = 1;  // of the schedules

    friend bool operator==(GroupSettings const&, GroupSettings const&) = default;
};

// Whether text fits a pattern with * and ?.
inline bool matches(std::string_view pattern, std::string_view text) {
    std::size_t p = 0, t = 0, star = std::string_view::npos, after = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            after = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++after;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

template <class Names>
std::string listed(Names const& names) {
    std::string text;
    for (auto const& name : names) text.append(text.empty() ? "'" : ", '").append(name).append("'");
    return text;
}

POLDER_APART inline void validate_groups(std::vector<Group> const& groups) {
    for (std::size_t k = 0; k < groups.size(); ++k) {
        if (groups[k].name.empty()) wrong_argument({"a group needs a name"});
        groups[k].validate();
        for (std::size_t other = 0; other < k; ++other) {
            if (groups[other].name == groups[k].name)
                wrong_argument({"two groups are named '", groups[k].name, "'"});
        }
    }
}

// The group of each block: 1, 2, ... in the order of `groups`, or 0.
POLDER_COLD inline std::vector<std::uint32_t> assign_groups(std::vector<Group> const& groups,
                                                            std::vector<std::string> const& names) {
    std::vector<std::uint32_t> assigned(names.size(), 0);
    for (std::size_t k = 0; k < groups.size(); ++k) {
        for (std::string const& pattern : groups[k].blocks) {
            bool found = false;
            for (std::size_t block = 0; block < names.size(); ++block) {
                if (!matches(pattern, names[block])) continue;
                found = true;
                std::uint32_t const before = assigned[block];
                if (before != 0 && before != k + 1) {
                    wrong_argument({"block '", names[block], "' is in the groups '",
                                    groups[before - 1].name, "' and '", groups[k].name, "'"});
                }
                assigned[block] = static_cast<std::uint32_t>(k + 1);
            }
            if (!found) {
                wrong_argument({"group '", groups[k].name, "': no block is named '", pattern,
                                "'; known: ", listed(names)});
            }
        }
    }
    return assigned;
}

// A base optimizer with the hyper-parameters of a group.
template <class Base>
POLDER_HOST_DEVICE Base for_group(Base base, GroupSettings const& settings) {
    if constexpr (requires { base.learning_rate; }) {
        base.learning_rate =
            settings.learning_rate.value_or(base.learning_rate) * settings.rate_factor;
    }
    if constexpr (requires { base.weight_decay; }) {
        base.weight_decay = settings.weight_decay.value_or(base.weight_decay);
    }
    return base;
}

// A ball with the radius of a group.
template <class Ball>
POLDER_HOST_DEVICE Ball ball_for_group(Ball ball, GroupSettings const& settings) {
    if constexpr (requires { ball.rho; }) {
        ball.rho = settings.rho.value_or(ball.rho) * settings.rho_factor;
    }
    return ball;
}

}  // namespace detail

}  // namespace polder
