/// An optimizer of polder where ensmallen and mlpack take one of theirs. Needs no header of theirs.
///
/// Not in polder.hpp.
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include <polder/closure/pass.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/message.hpp>
#include <polder/optimizer.hpp>

namespace polder {

namespace detail::ensmallen {

// A sum of functions that is evaluated in batches: what ensmallen calls a differentiable separable function.
template <class F, class X>
concept evaluates_with_gradient = requires(F& f, X& x, X& gradient, std::size_t n) {
    { f.EvaluateWithGradient(x, n, gradient, n) } -> std::convertible_to<double>;
};
template <class F, class X>
concept evaluates_and_gradient = requires(F& f, X& x, X& gradient, std::size_t n) {
    { f.Evaluate(x, n, n) } -> std::convertible_to<double>;
    f.Gradient(x, n, gradient, n);
};
template <class F>
concept counts_and_shuffles = requires(F& f) {
    { f.NumFunctions() } -> std::convertible_to<std::size_t>;
    f.Shuffle();
};

// The sum of `count` functions from `begin` on, and its gradient.
template <class F, class X>
double evaluate(F& f, X& x, std::size_t begin, X& gradient, std::size_t count) {
    if constexpr (evaluates_with_gradient<F, X>) {
        return static_cast<double>(f.EvaluateWithGradient(x, begin, gradient, count));
    } else {
        f.Gradient(x, begin, gradient, count);
        return static_cast<double>(f.Evaluate(x, begin, count));
    }
}

// The members that a callback may have.
inline constexpr auto begin_optimization =
    [](auto& callback, auto&... of) -> decltype(callback.BeginOptimization(of...)) {
    return callback.BeginOptimization(of...);
};
inline constexpr auto end_optimization =
    [](auto& callback, auto&... of) -> decltype(callback.EndOptimization(of...)) {
    return callback.EndOptimization(of...);
};
inline constexpr auto begin_epoch = [](auto& callback,
                                       auto&... of) -> decltype(callback.BeginEpoch(of...)) {
    return callback.BeginEpoch(of...);
};
inline constexpr auto end_epoch = [](auto& callback,
                                     auto&... of) -> decltype(callback.EndEpoch(of...)) {
    return callback.EndEpoch(of...);
};
inline constexpr auto evaluated = [](auto& callback,
                                     auto&... of) -> decltype(callback.Evaluate(of...)) {
    return callback.Evaluate(of...);
};
inline constexpr auto gradient_computed = [](auto& callback,
                                             auto&... of) -> decltype(callback.Gradient(of...)) {
    return callback.Gradient(of...);
};
inline constexpr auto step_taken = [](auto& callback,
                                      auto&... of) -> decltype(callback.StepTaken(of...)) {
    return callback.StepTaken(of...);
};

// Calls the member of a callback, if it has it. Returns whether it asks to stop.
template <class Member, class Callback, class... Of>
bool call_one(Member const& member, Callback& callback, Of&... of) {
    if constexpr (std::invocable<Member const&, Callback&, Of&...>) {
        if constexpr (std::is_void_v<std::invoke_result_t<Member const&, Callback&, Of&...>>) {
            member(callback, of...);
        } else {
            return static_cast<bool>(member(callback, of...));
        }
    }
    return false;
}

}  // namespace detail::ensmallen

/// An optimizer of polder with the interface of ensmallen's, so that it goes where ens::Adam goes:
///
///     ens::Adam optimizer(32 * 0.01, 32);
///     polder::Ensmallen optimizer{polder::SAM{polder::Adam{.learning_rate = 0.01}, {.rho = 0.05}}, 32, 10};
///
///     network.Train(x, y, optimizer, ens::PrintLoss());     // mlpack
///     optimizer.Optimize(function, coordinates, callbacks...);
///
/// One epoch visits all functions of the sum, in batches; a step minimises the mean over a batch, as ensmallen's do. The
/// second batch of a method with two is the next one. Coordinates are written before each evaluation (step_in_place). So
/// it is also right for a function that computes at its own coordinates, such as mlpack's FFN. Sharpness-aware steps need twice the evaluations of ens::Adam for the same epochs.
///
/// The learning rate is that of a step whatever the batch size is. (ensmallen 3 divides the step size by the batch size:
/// ens::Adam(32 * 0.01, 32) has the rate 0.01.)
///
/// Method: an optimizer of polder, as SAM<Adam>, or AnyOptimizer<arma::mat>.
template <class Method>
class Ensmallen {
public:
    /// batch_size >= 1: functions in a batch. epochs >= 1: how often all functions are visited at most. tolerance: stops where
    /// the sum over an epoch differs by less from that of the epoch before; a negative one never stops. shuffle: whether the
    /// functions' order is drawn anew before each epoch but the first. The defaults of batch_size, tolerance and shuffle are
    /// those of ens::Adam. Throws std::invalid_argument for what is out of range.
    explicit Ensmallen(Method method, std::size_t batch_size = 32, std::size_t epochs = 10,
                       double tolerance = 1e-5, bool shuffle = true)
        : method_(std::move(method)), batch_size_(batch_size), epochs_(epochs),
          tolerance_(tolerance), shuffle_(shuffle) {
        validate();
    }

    /// Minimises the sum of functions f from x on, and returns the sum over the last epoch, each batch at the coordinates
    /// before its step.
    ///
    /// f has NumFunctions(), Shuffle(), and EvaluateWithGradient(x, begin, gradient, batch) or Evaluate(x, begin, batch) and
    /// Gradient(x, begin, gradient, batch), which sum over the batch. callbacks: those members of ensmallen's callbacks that
    /// each has: BeginOptimization, BeginEpoch, Evaluate, Gradient, StepTaken, EndEpoch, EndOptimization. One that returns true
    /// stops before the next step. Evaluate is called for the evaluations at x and not for those at x + eps, so that
    /// ens::StoreBestCoordinates stores coordinates that were reached. Gradient is called for every gradient and may change it.
    ///
    /// Throws what f, the callbacks and the optimizer's steps throw: NonFiniteError where a loss or gradient is not finite.
    template <class Function, class X, class... Callbacks>
    typename X::elem_type Optimize(Function& f, X& x, Callbacks&&... callbacks) {
        namespace call = detail::ensmallen;
        static_assert(
            call::counts_and_shuffles<Function> && (call::evaluates_with_gradient<Function, X> ||
                                                    call::evaluates_and_gradient<Function, X>),
            "polder: Ensmallen minimises a sum of functions, which has NumFunctions(), Shuffle() "
            "and "
            "EvaluateWithGradient(x, begin, gradient, batch) or Evaluate(x, begin, batch) and "
            "Gradient(x, begin, gradient, batch)");
        auto const all = [&](auto const& member, auto&... of) {
            bool stop = false;
            ((stop = call::call_one(member, callbacks, *this, f, of...) || stop), ...);
            return stop;
        };
        validate();
        Fresh const fresh(*this);
        std::size_t const count = f.NumFunctions();
        functions_ = count;
        if (count == 0) detail::wrong_argument({"Ensmallen: the function has no functions to sum"});

        X gradient = x;
        std::size_t const most = MaxIterations();
        double sum = 0, last = std::numeric_limits<double>::max();
        all(call::begin_optimization, x);
        bool stop = false;
        for (std::size_t epoch = 1, visited = 0; visited < most && !stop; ++epoch) {
            if (epoch > 1 && shuffle_) f.Shuffle();
            stop = all(call::begin_epoch, x, std::as_const(epoch), std::as_const(sum));
            method_.begin_epoch();
            sum = 0;
            std::size_t at = 0;
            while (at < count && visited < most && !stop) {
                std::size_t const size = std::min({batch_size_, count - at, most - visited});
                std::size_t const next = (at + size) % count;
                auto const loss_of = [&](Pass pass) {
                    bool const first = pass.batch == Batch::first;
                    std::size_t begin = first ? at : next;
                    std::size_t length = first ? size : std::min(batch_size_, count - next);
                    if (pass.sample >= 0) {
                        begin += static_cast<std::size_t>(pass.sample) % length;
                        length = 1;
                    }
                    double const loss = call::evaluate(f, x, begin, gradient, length);
                    if (first && !pass.perturbed && pass.sample < 0) {
                        sum += loss;
                        stop = all(call::evaluated, std::as_const(x), loss) || stop;
                    }
                    stop = all(call::gradient_computed, std::as_const(x), gradient) || stop;
                    gradient /= static_cast<typename X::elem_type>(length);
                    return loss / static_cast<double>(length);
                };
                method_.step_in_place(x, gradient, loss_of);
                stop = all(call::step_taken, x) || stop;
                at += size;
                visited += size;
            }
            if (at < count) break;
            double const mean = sum / static_cast<double>(count);
            stop = all(call::end_epoch, x, std::as_const(epoch), mean) || stop;
            if (std::abs(last - sum) < tolerance_) break;
            last = sum;
        }
        all(call::end_optimization, x);
        return static_cast<typename X::elem_type>(sum);
    }

    /// The optimizer of polder, for groups, schedules, clipping, and an option of the method. While Optimize runs it has the
    /// state of that run. See ResetPolicy.
    Method& Optimizer() noexcept { return method_; }
    Method const& Optimizer() const noexcept { return method_; }

    /// The learning rate of the base optimizer.
    double StepSize() const { return method_.learning_rate(); }
    void StepSize(double rate) { method_.set_learning_rate(rate); }

    /// Functions in a batch.
    std::size_t BatchSize() const noexcept { return batch_size_; }
    std::size_t& BatchSize() noexcept { return batch_size_; }

    /// How often all functions are visited at most.
    std::size_t Epochs() const noexcept { return epochs_; }
    std::size_t& Epochs() noexcept { return epochs_; }

    /// How many functions are visited at most: the epochs times the functions of the latest call of Optimize, or the limit
    /// that was set, if it is smaller. A limit of 0 is none.
    std::size_t MaxIterations() const noexcept {
        std::size_t const all = epochs_ * functions_;
        return limit_ == 0 ? all : std::min(limit_, all);
    }
    void MaxIterations(std::size_t limit) noexcept { limit_ = limit; }

    double Tolerance() const noexcept { return tolerance_; }
    double& Tolerance() noexcept { return tolerance_; }
    bool Shuffle() const noexcept { return shuffle_; }
    bool& Shuffle() noexcept { return shuffle_; }

    /// Whether each call of Optimize starts with the state that the optimizer had when it was handed over, and with the
    /// present learning rate; default, as of ens::Adam: true. If false, a call goes on with the state of the one before.
    bool ResetPolicy() const noexcept { return reset_; }
    bool& ResetPolicy() noexcept { return reset_; }

private:
    // Puts the optimizer of before the run back at its end, with the learning rate of then.
    class Fresh {
    public:
        explicit Fresh(Ensmallen& of) : of_(of) {
            if (of.reset_) method_.emplace(of.method_);
        }
        Fresh(Fresh const&) = delete;
        Fresh& operator=(Fresh const&) = delete;
        ~Fresh() {
            if (!method_) return;
            method_->set_learning_rate(of_.StepSize());
            of_.method_ = *std::move(method_);
        }

    private:
        Ensmallen& of_;
        std::optional<Method> method_;
    };

    void validate() const {
        auto const at_least_one = [](char const* name, std::size_t value) {
            if (value == 0) detail::refuse(name, 0, "a number >= 1");
        };
        at_least_one("Ensmallen's batch_size", batch_size_);
        at_least_one("Ensmallen's epochs", epochs_);
        if (std::isnan(tolerance_)) detail::refuse("Ensmallen's tolerance", tolerance_, "a number");
    }

    Method method_;
    std::size_t batch_size_, epochs_;
    double tolerance_;
    bool shuffle_, reset_ = true;
    std::size_t limit_ = 0, functions_ = 0;
};

}  // namespace polder

#endif
