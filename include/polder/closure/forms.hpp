/// The two ways in which a step evaluates a closure: on containers of its own, or inside a model.
#pragma once

#include <algorithm>

#include <polder/closure/pass.hpp>
#include <polder/concepts.hpp>
#include <polder/engine/memory.hpp>

namespace polder::detail {

// Which gradient the base pass reads next to s, the one at the perturbed point.
enum class Other {
    none,
    second,  // of the second batch
    clean    // of the first batch at x
};

// The closure is called on x and on a twin that holds x + eps, and writes to twins: x is not
// touched.
template <class C, class Closure, Other kind>
class OutOfPlace {
public:
    using T = scalar_t<C>;

    OutOfPlace(C& x, Closure& closure, Twins::Of<C>& twins, Memory<T>& memory)
        : x_(x), closure_(closure), twins_(twins), memory_(memory) {}

    double first() { return evaluate(x_, {Batch::first, false}); }
    void prepare_point() { collect(twins_.point->get(), layout(), memory_.point, "point"); }
    double perturbed() {
        C const& point = twins_.point->get();
        if constexpr (kind == Other::clean) {
            return evaluate_beside(point, {Batch::first, true}, "the gradient");
        } else {
            return evaluate(point, {Batch::first, true});
        }
    }
    double second() {
        return evaluate_beside(x_, {Batch::second, false}, "the gradient of the second batch");
    }

    Blocked<T> from() const { return {memory_.x.data()}; }
    Blocked<T> point() const { return {memory_.point.data()}; }
    Blocked<T> gradient() const { return {memory_.gradient.data()}; }
    Blocked<T> perturbed_gradient() const { return kind == Other::clean ? beside() : gradient(); }
    Blocked<T> other_gradient() const { return kind == Other::clean ? gradient() : beside(); }

private:
    Blocked<T> beside() const { return {memory_.second.data()}; }

    double evaluate_beside(C const& at, Pass pass, char const* what) {
        const double loss = call(at, twins_.second->get(), pass);
        collect(twins_.second->get(), layout(), memory_.second, what);
        return loss;
    }

    Layout const& layout() const { return memory_.engine.layout(); }

    double evaluate(C const& at, Pass pass) {
        const double loss = call(at, twins_.gradient->get(), pass);
        collect(twins_.gradient->get(), layout(), memory_.gradient, "the gradient");
        return loss;
    }

    double call(C const& at, C& gradient, Pass pass) {
        if constexpr (pass_closure<Closure, C>) {
            return static_cast<double>(closure_(at, gradient, pass));
        } else {
            return static_cast<double>(closure_(at, gradient));
        }
    }

    C& x_;
    Closure& closure_;
    Twins::Of<C>& twins_;
    Memory<T>& memory_;
};

// The model owns x and its gradient: x + eps is written into the model, and x put back, also when
// the closure throws.
template <class C, class Closure, Other kind>
class InPlace {
public:
    using T = scalar_t<C>;

    InPlace(C& x, C& gradient, Closure& closure, Memory<T>& memory)
        : x_(x), gradient_(gradient), closure_(closure), memory_(memory) {}

    double first() { return evaluate({Batch::first, false}); }

    void prepare_point() {
        memory_.engine.map([](T& saved, T x) { saved = x; }, saved(), point());
    }

    double perturbed() {
        struct Restore {
            InPlace& form;
            ~Restore() {
                form.memory_.engine.map([](T saved, T& x) { x = saved; }, form.saved(),
                                        form.point());
            }
        };
        if constexpr (kind == Other::clean) keep_gradient();
        Restore restore{*this};
        return evaluate({Batch::first, true});
    }

    double second() {
        keep_gradient();
        return evaluate({Batch::second, false});
    }

    Flat<T> from() const { return saved(); }
    Blocked<T> point() const { return {memory_.x.data()}; }
    Blocked<T> gradient() const { return {memory_.gradient.data()}; }
    auto perturbed_gradient() const {
        if constexpr (kind == Other::second) {
            return kept();
        } else {
            return gradient();
        }
    }
    auto other_gradient() const {
        if constexpr (kind == Other::clean) {
            return kept();
        } else {
            return gradient();
        }
    }

private:
    // The gradient that the next evaluation would overwrite.
    Flat<T> kept() const { return {memory_.kept_gradient.data()}; }
    void keep_gradient() {
        memory_.engine.map([](T& copy, T g) { copy = g; }, kept(), gradient());
    }

    Flat<T> saved() const { return {memory_.saved.data()}; }

    double evaluate(Pass pass) {
        const double loss = [&] {
            if constexpr (std::invocable<Closure&, Pass>) {
                return static_cast<double>(closure_(pass));
            } else {
                return static_cast<double>(closure_());
            }
        }();
        collect(x_, memory_.engine.layout(), memory_.x, "the parameters");
        collect(gradient_, memory_.engine.layout(), memory_.gradient, "the gradient");
        return loss;
    }

    C& x_;
    C& gradient_;
    Closure& closure_;
    Memory<T>& memory_;
};

}  // namespace polder::detail
