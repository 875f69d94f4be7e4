/// Where parameters lie, and so what holds them and what a loss is.
#pragma once

#include <type_traits>

#include <polder/blocks/arena.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/report.hpp>
#include <polder/device/memory.hpp>

namespace polder::recsys {

/// System: HostMemory, or that of a device (polder/device/memory.hpp).
template <class System>
inline constexpr bool is_host = std::is_same_v<System, HostMemory>;

/// Parameters and gradients there.
template <class T, class System>
using ArenaOf =
    ParameterArena<T, typename Access<std::conditional_t<is_host<System>, HostMemory,
                                                         MemoryOn<System>>>::template Storage<T>>;

/// A loss that was computed there: on a device it stays until somebody asks.
template <class System>
using LossOf = std::conditional_t<is_host<System>, double, DeviceLoss>;

/// What a step there reports.
template <class System>
using ReportOf = std::conditional_t<is_host<System>, Report, DeviceReport>;

}  // namespace polder::recsys
