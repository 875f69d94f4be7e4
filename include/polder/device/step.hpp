/// A step as a device sees it: its numbers, the sites of its passes, and its end.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <polder/closure/evaluation.hpp>
#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/groups/group.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

// The numbers of a step on the device, and those of the last step that has ended.
struct DeviceStep {
    Fault fault = Fault::none;  // of the step under way: the first
    double losses[evaluations] = {Report::none, Report::none, Report::none,
                                  Report::none, Report::none, Report::none};
    double noted[notes] = {};  // of the last step
    double last_losses[evaluations] = {};
    Fault last_fault = Fault::none;
    Fault raised = Fault::none;  // not yet reported
    std::uint64_t raised_step = 0;

    // (Callers with nothing to check do not call it.)
    POLDER_HOST_DEVICE void require(bool finite, Fault otherwise) {
        if (!finite && fault == Fault::none) fault = otherwise;
    }
};

// Whether a pass runs: not after a fault of the step, and not if it has a flag that is 0.
struct Guard {
    DeviceStep const* step;
    double const* flag;
    POLDER_HOST_DEVICE bool open() const {
        return (step == nullptr || step->fault == Fault::none) && (flag == nullptr || *flag != 0);
    }
};

// The numbers from which sites are made.
struct SiteSource {
    double const* values;
    GroupSettings const* settings;
    std::uint64_t const* base_steps;
    std::uint64_t const* counts;  // of steps, skipped ones, and the method's
    std::uint32_t const* group;   // of each block
    std::size_t const* sizes;

    template <class T>
    POLDER_HOST_DEVICE Site<T> at(std::size_t block, bool* by_block) const {
        std::uint32_t const g = group[block];
        return {values,
                settings + g,
                base_steps[g],
                counts[2],
                counts[0],
                block,
                static_cast<double>(sizes[block]),
                by_block};
    }
    template <class T>
    POLDER_HOST_DEVICE Site<T> whole(double size, bool* by_block) const {
        return {values, settings, base_steps[0], counts[2], counts[0], 0, size, by_block};
    }
};

struct NoEnd {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&) const {}
};

// The end of a step: counts it, makes the next values of successions the current ones, and stores its numbers for the report.
struct EndOfStep {
    DeviceStep* step;
    GroupSettings const* settings;
    std::uint64_t* base_steps;  // of each group
    std::size_t groups;
    std::uint64_t* counts;  // of steps, skipped ones, and the method's
    double const* values;
    std::array<ValueId, notes> noted;
    unsigned descents;
    bool active;
    bool is_step;  // false: it changes nothing that lasts
    bool raises;   // a fault is an error, and no step changes anything before it is reported
    std::array<unsigned*, Ending::most> turns;
    std::size_t turn_count;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] { end(); });
    }

private:
    POLDER_HOST_DEVICE void end() const {
        DeviceStep& s = *step;
        if (s.fault == Fault::none && is_step) {
            ++counts[0];
            if (active) ++counts[2];
            for (std::size_t group = 0; group < groups; ++group) {
                if (!settings[group].frozen) base_steps[group] += descents;
            }
            for (std::size_t k = 0; k < turn_count; ++k) *turns[k] ^= 1;
        } else if (is_step) {
            ++counts[1];
        }
        if (s.fault != Fault::none && raises && s.raised == Fault::none) {
            s.raised = s.fault;
            s.raised_step = counts[0] + 1;
        }
        for (std::size_t k = 0; k < notes; ++k) {
            s.noted[k] = noted[k].exists() ? values[noted[k].slot] : Report::none;
        }
        s.last_fault = s.fault;
        if (!raises) s.fault = Fault::none;
        for (int k = 0; k < evaluations; ++k) {
            s.last_losses[k] = s.losses[k];
            s.losses[k] = Report::none;
        }
    }
};
// Forgets a step that an exception has ended.
struct ForgetStep {
    DeviceStep* step;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] {
            step->fault = step->raised;
            for (double& loss : step->losses) loss = Report::none;
        });
    }
};

struct StoreLoss {
    DeviceStep* step;
    void const* at;
    bool is_float;
    int which;
    Fault otherwise;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] {
            double const loss = is_float ? static_cast<double>(*static_cast<float const*>(at))
                                         : *static_cast<double const*>(at);
            step->losses[which] = loss;
            if (otherwise != Fault::none) step->require(std::isfinite(loss), otherwise);
        });
    }
};

struct NoBody {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&, std::size_t, std::size_t, std::size_t) const {}
};

}  // namespace polder::detail
