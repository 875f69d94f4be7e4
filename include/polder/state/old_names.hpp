/// Names in files of state of earlier versions that have changed since.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace polder::detail {

// Names of methods (in polder.method) in version 1 of the layout, and their names now.
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 5> old_names{{
    {"Sharpness<EuclideanBall, NoDistance, ReusedAscent, ",
     "Optimizer<LookingAscent<EuclideanBall, ReusedAscent>, "},
    {"Sharpness<EuclideanBall, NoDistance, ReusedAscentPerBlock, ",
     "Optimizer<LookingAscent<EuclideanBall, ReusedAscentPerBlock>, "},
    {"Sharpness<Mirror<NoPerturbation>, NoDistance, NoMix, ", "Optimizer<Mirror<NoPerturbation>, "},
    {"Sharpness<Mirror<EuclideanBall>, NoDistance, NoMix, ", "Optimizer<Mirror<EuclideanBall>, "},
    {"TwoBatchesOf<", "Plus<"},
}};
// A counter that all methods had then, and that only methods with a mask have now.
inline constexpr std::string_view old_counter = "optimizer.mask_due";

// In versions 1 and 2 the base optimizer's steps are counters: this one of the blocks in no group, and one named
// base_steps.<group> for each group.
inline std::string const base_steps = "optimizer.base_steps";
inline constexpr std::string_view version_of_groups = "2";

inline std::string with_new_names(std::string method) {
    for (auto const& [was, is] : old_names) {
        for (auto at = method.find(was); at != std::string::npos; at = method.find(was, at)) {
            method.replace(at, was.size(), is);
            at += is.size();
        }
    }
    return method;
}

}  // namespace polder::detail
