/// What a closure may return, and what a step returns, where the parameters lie on a device.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <polder/closure/report.hpp>

namespace polder {

/// A loss that stays on the device, so that the host need not wait for it. A closure returns it. A pass on the stream reads
/// what it points to before the closure is called again. So one variable may serve all calls. A loss that is not finite is
/// treated as a gradient that is not (NonFinite).
///
///     optimizer.step(x, [&](auto const& at, auto& gradient) {
///         launch_gradient<<<..., stream>>>(at, gradient, loss);
///         return polder::DeviceLoss(loss);
///     });
class DeviceLoss {
public:
    /// No loss: the report has not-a-number.
    DeviceLoss() = default;
    /// A number that the host has, because the closure has waited for the device.
    DeviceLoss(double number) : number_(number), is_number_(true) {}
    explicit DeviceLoss(float const* at) : at_(at), is_float_(true) {}
    explicit DeviceLoss(double const* at) : at_(at), is_float_(false) {}

    void const* at() const noexcept { return at_; }
    bool is_float() const noexcept { return is_float_; }
    bool is_number() const noexcept { return is_number_; }
    double number() const noexcept { return number_; }

private:
    void const* at_ = nullptr;
    double number_ = 0;
    bool is_float_ = false, is_number_ = false;
};

/// The report of a step on a device. read() waits for the step. It returns the report of the last step that the optimizer
/// has taken at that time. If the step was captured in a graph, that is the last time that the graph ran.
class DeviceReport {
public:
    /// Waits for the step. Throws NonFiniteError if NonFinite is `raise` and something was not finite in a step since the
    /// last report. The steps between that one and this error have changed nothing; those after the error work again.
    Report read() const { return source_ ? source_->read(on_host_) : on_host_; }
    operator Report() const { return read(); }

    /// Where the numbers lie.
    struct Source {
        virtual ~Source() = default;
        virtual Report read(Report on_host) = 0;
    };
    DeviceReport() = default;
    DeviceReport(Report const& on_host, std::shared_ptr<Source> source)
        : on_host_(on_host), source_(std::move(source)) {}

private:
    Report on_host_;
    std::shared_ptr<Source> source_;
};

}  // namespace polder
