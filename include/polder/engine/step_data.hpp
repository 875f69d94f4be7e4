/// What an engine needs to know of a step, besides the passes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/groups/group.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

// The counts of steps so far and the settings of the groups, which passes read. A cohort is the blocks of one group in which
// the base optimizer has made equally many steps.
struct StepData {
    std::vector<GroupSettings>
        settings;                      // of each cohort; 0: of the blocks in no group of the user's
    std::vector<std::uint32_t> group;  // the cohort of each block
    std::vector<std::uint64_t> base_steps;  // of the base optimizer, in each cohort
    std::uint64_t steps = 0;                // that changed the parameters
    std::uint64_t skipped = 0;              // that did not
    std::uint64_t method_steps = 0;         // that were not the base optimizer's alone
};

// The numbers of a report that passes find.
enum class Note { gradient_norm, perturbation_norm, update_norm, distance, cosine };
inline constexpr std::size_t notes = 5;

// What the end of a step does, if nothing was wrong in it.
struct Ending {
    static constexpr std::size_t most = 12;

    std::array<Succession, most> arrays{};  // whose next values take the place of those now
    std::array<MaskSuccession, 2> masks{};
    std::array<ValueId, notes> noted{};  // for the report
    std::size_t array_count = 0, mask_count = 0;
    unsigned descents = 0;  // steps of the base optimizer
    bool counts = true;     // false: it is no step, and changes nothing that lasts
    bool active = false;    // it is a step of the method
};

}  // namespace polder::detail
