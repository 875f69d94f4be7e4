/// The two ways in which a step evaluates a closure: on containers of its own, or inside a model.
#pragma once

#include <algorithm>
#include <type_traits>

#include <polder/closure/device_report.hpp>
#include <polder/closure/pass.hpp>
#include <polder/concepts.hpp>
#include <polder/engine/memory.hpp>

namespace polder::detail {

// Which gradients of a step must outlive the evaluation that follows them.
struct Kept {
    bool clean = false;      // g, while s is computed
    bool perturbed = false;  // s, while g2 is computed
};

// The loss that a closure has returned, as the host knows it: one that stays on the device is left to the engine, and
// finite as far as the host can tell.
template <class Loss, class Memory>
double loss_of(Loss const& loss, [[maybe_unused]] Memory& memory, [[maybe_unused]] LossOf which,
               [[maybe_unused]] Fault otherwise) {
    if constexpr (std::is_same_v<Loss, DeviceLoss>) {
        memory.engine.keep_loss(memory.numbers.step(), loss, which, otherwise);
        return 0;
    } else {
        return static_cast<double>(loss);
    }
}

// What a closure returns.
template <class Closure, class... Arguments>
constexpr auto loss_type() {
    if constexpr (std::invocable<Closure&, Arguments..., Pass>) {
        return std::type_identity<std::invoke_result_t<Closure&, Arguments..., Pass>>{};
    } else {
        return std::type_identity<std::invoke_result_t<Closure&, Arguments...>>{};
    }
}
template <class Closure, class... Arguments>
inline constexpr bool loss_is_here =
    !std::is_same_v<typename decltype(loss_type<Closure, Arguments...>())::type, DeviceLoss>;

// The closure is called on x and on a twin that holds x + eps, and writes to twins: x is not
// touched.
template <class C, class Closure, Kept kept>
class OutOfPlace {
public:
    using T = scalar_t<C>;
    using Memory = MemoryOf<C>;
    static constexpr bool loss_is_here = detail::loss_is_here<Closure, C const&, C&>;

    OutOfPlace(C& x, Closure& closure, Twins::Of<C>& twins, Memory& memory)
        : x_(x), closure_(closure), twins_(twins), memory_(memory) {}

    double sample(int k, Fault otherwise) {
        return evaluate(x_, {Batch::first, false, k}, twins_.gradient, memory_.gradient,
                        LossOf::sample, otherwise);
    }
    double first(Fault otherwise) {
        return evaluate(x_, {Batch::first, false}, twins_.gradient, memory_.gradient, LossOf::clean,
                        otherwise);
    }
    double perturbed(LossOf which, Fault otherwise) {
        constexpr Pass pass{Batch::first, true};
        C const& point = twins_.point->get();
        if constexpr (kept.clean) {
            return evaluate(point, pass, twins_.perturbed, memory_.perturbed, which, otherwise);
        } else {
            return evaluate(point, pass, twins_.gradient, memory_.gradient, which, otherwise);
        }
    }
    double second(Fault otherwise) {
        return evaluate(x_, {Batch::second, false}, twins_.second, memory_.second, LossOf::second,
                        otherwise);
    }

    // The point is about to be written to.
    void leave() {
        memory_.collect(twins_.point->get(), memory_.point, "point");
        memory_.engine.carry(from(), point());
    }
    // The closure is called at x again.
    void put_back() {}
    // x', which the second step of a mirror starts from.
    Blocked<T> mirrored() const { return point(); }

    Blocked<T> from() const { return {memory_.x.at()}; }
    Blocked<T> point() const { return {memory_.point.at()}; }
    // The gradient that has just been computed: before and after the point was left.
    Blocked<T> gradient() const { return {memory_.gradient.at()}; }
    Blocked<T> latest() const { return perturbed_gradient(); }
    // The gradients of the step, once all are there.
    Blocked<T> clean() const { return gradient(); }
    Blocked<T> perturbed_gradient() const {
        return {kept.clean ? memory_.perturbed.at() : memory_.gradient.at()};
    }
    Blocked<T> second_gradient() const { return {memory_.second.at()}; }

private:
    template <class Gradient>
    double evaluate(C const& at, Pass pass, Gradient& into,
                    typename Memory::template Table<T*>& blocks, LossOf which, Fault otherwise) {
        const auto loss = call(at, into->get(), pass);
        memory_.collect(into->get(), blocks, "the gradient");
        return loss_of(loss, memory_, which, otherwise);
    }

    auto call(C const& at, C& gradient, Pass pass) {
        if constexpr (pass_closure<Closure, C>) {
            return closure_(at, gradient, pass);
        } else {
            return closure_(at, gradient);
        }
    }

    C& x_;
    Closure& closure_;
    Twins::Of<C>& twins_;
    Memory& memory_;
};

// The model owns x and its gradient: x + eps is written into the model, and x put back, also when
// the closure throws.
template <class C, class Closure, Kept kept>
class InPlace {
public:
    using T = scalar_t<C>;
    using Memory = MemoryOf<C>;
    static constexpr bool loss_is_here = detail::loss_is_here<Closure>;

    InPlace(C& x, C& gradient, Closure& closure, Memory& memory)
        : x_(x), gradient_(gradient), closure_(closure), memory_(memory) {}
    InPlace(InPlace const&) = delete;
    InPlace& operator=(InPlace const&) = delete;
    ~InPlace() { put_back(); }

    double sample(int k, Fault otherwise) {
        return evaluate({Batch::first, false, k}, LossOf::sample, otherwise);
    }
    double first(Fault otherwise) {
        return evaluate({Batch::first, false}, LossOf::clean, otherwise);
    }
    double perturbed(LossOf which, Fault otherwise) {
        if constexpr (kept.clean) {
            // Not again where several ascents ask on the way: g is kept by then.
            if (!clean_kept_) keep(memory_.kept_gradient);
            clean_kept_ = true;
        }
        return evaluate({Batch::first, true}, which, otherwise);
    }
    double second(Fault otherwise) {
        if constexpr (kept.perturbed) keep(memory_.kept_perturbed);
        return evaluate({Batch::second, false}, LossOf::second, otherwise);
    }

    void leave() {
        memory_.engine.copy(point(), from());
        away_ = true;
    }
    void put_back() {
        if (!away_) return;
        memory_.engine.copy(from(), point());
        away_ = false;
    }
    Flat<T> mirrored() {
        leave();  // x itself is not needed any more
        away_ = false;
        return from();
    }

    Flat<T> from() const { return {memory_.saved.data()}; }
    Blocked<T> point() const { return {memory_.x.at()}; }
    Blocked<T> gradient() const { return {memory_.gradient.at()}; }
    Blocked<T> latest() const { return gradient(); }
    auto clean() const {
        if constexpr (kept.clean) {
            return Flat<T>{memory_.kept_gradient.data()};
        } else {
            return gradient();
        }
    }
    auto perturbed_gradient() const {
        if constexpr (kept.perturbed) {
            return Flat<T>{memory_.kept_perturbed.data()};
        } else {
            return gradient();
        }
    }
    Blocked<T> second_gradient() const { return gradient(); }

private:
    template <class To>
    void keep(To& copy) {
        memory_.engine.copy(gradient(), Flat<T>{copy.data()});
    }

    double evaluate(Pass pass, LossOf which, Fault otherwise) {
        const auto loss = [&] {
            if constexpr (std::invocable<Closure&, Pass>) {
                return closure_(pass);
            } else {
                return closure_();
            }
        }();
        memory_.collect(x_, memory_.x, "the parameters");
        memory_.collect(gradient_, memory_.gradient, "the gradient");
        return loss_of(loss, memory_, which, otherwise);
    }

    C& x_;
    C& gradient_;
    Closure& closure_;
    Memory& memory_;
    bool away_ = false;
    bool clean_kept_ = false;
};

}  // namespace polder::detail
