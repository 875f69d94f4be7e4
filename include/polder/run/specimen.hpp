/// A run to ask with, before there is one.
#pragma once

#include <polder/closure/forms.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/run/run.hpp>

namespace polder::detail {

// It has several batches and single samples. Whether a method says that it uses them is asked of the run of a step.
struct SpecimenForm : NoClosure {
    static constexpr int batches = 3;
    static constexpr bool samples = true;
};
using SpecimenRun = Run<CpuEngine<double>, SpecimenForm>;

}  // namespace polder::detail
