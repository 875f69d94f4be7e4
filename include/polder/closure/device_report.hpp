/// What a closure may return, and what a step returns, where the parameters lie on a device.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <polder/closure/report.hpp>

namespace polder {

/// A loss that stays on the device: a closure that returns it makes the host wait for nothing. What it points to is
/// read, in the order of the stream, before the closure is called again; so one variable may serve all calls.
/// A loss that is not finite is dealt with as a gradient that is not.
///
///     optimizer.step(x, [&](auto const& at, auto& gradient) {
///         launch_gradient<<<..., stream>>>(at, gradient, loss);
///         return polder::DeviceLoss(loss);
///     });
class DeviceLoss {
public:
    /// None: the report has not-a-number.
    DeviceLoss() = default;
    /// A number that the host has: the closure has waited for it.
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

/// The report of a step on a device. To read it is to wait for the step; nobody has to. It is that of the last
/// step that the optimizer has taken when it is read, and so, where the step was captured in a graph, of the last
/// time that the graph ran.
class DeviceReport {
public:
    /// Waits for the step. Throws NonFiniteError where a step since the last report was not finite and NonFinite is
    /// `raise`; the steps after that one have changed nothing, and those after the error do again.
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

namespace detail {

// Which of the losses of a step.
enum class LossOf { clean, perturbed, mirrored, second, sample };
inline constexpr int losses_of_step = 5;

}  // namespace detail

}  // namespace polder
