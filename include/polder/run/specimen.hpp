/// A run to ask with, before there is one.
#pragma once

#include <polder/engine/cpu.hpp>
#include <polder/run/run.hpp>

namespace polder::detail {

// It has several batches and single samples. Whether a method says that it uses them is asked of the run of a step.
using SpecimenRun = Run<EngineOf<HostMemory, double>::type, Asks<3, true, false>>;

}  // namespace polder::detail
