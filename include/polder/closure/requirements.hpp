/// What the parameters and the closure must be like. What is not is refused at compile time, with a sentence.
#pragma once

#include <concepts>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

#include <polder/blocks/container.hpp>
#include <polder/closure/device_report.hpp>
#include <polder/closure/forms.hpp>
#include <polder/closure/pass.hpp>

namespace polder::detail {

// Whether an Eigen type has scalars that are neither float nor double.
template <class C>
constexpr bool has_other_scalars() {
    if constexpr (eigen_like<C>) {
        return !std::is_same_v<typename C::Scalar, float> &&
               !std::is_same_v<typename C::Scalar, double>;
    } else {
        return false;
    }
}

// What a type is that is no container, for a sentence that says what to do.

template <class C>
struct IsArrayPointer : std::is_pointer<C> {};
template <class T, class Delete>
struct IsArrayPointer<std::unique_ptr<T[], Delete>> : std::true_type {};

template <class C>
concept optional_like = requires(C& c) {
    c.has_value();
    *c;
};
template <class C>
concept hash_map_like = requires {
    typename C::hasher;
};
template <class C>
concept numbers_apart = std::ranges::range<C> && !has_data<C> && !std::ranges::view<C> && requires {
    requires lone_scalar<std::remove_cvref_t<std::ranges::range_reference_t<C>>>;
};

// The scalar of a range or of an array, void of what is neither.
template <class C>
struct ElementOf : std::type_identity<void> {};
template <std::ranges::contiguous_range C>
struct ElementOf<C> : std::type_identity<std::ranges::range_value_t<C>> {};
template <class T>
concept number_like = !std::is_void_v<T> && !lone_scalar<T> && requires(T a) {
    a* a + a;
};

enum class Refusal { none, scalar, pointer, optional, hash_map, numbers_apart, unknown };
template <class C>
constexpr Refusal refusal_of() {
    if constexpr (parameter_container<C> || eigen_like<C>) {
        return Refusal::none;  // or for a reason of its own
    } else if constexpr (number_like<typename ElementOf<C>::type>) {
        return Refusal::scalar;
    } else if constexpr (IsArrayPointer<C>::value) {
        return Refusal::pointer;
    } else if constexpr (optional_like<C>) {
        return Refusal::optional;
    } else if constexpr (hash_map_like<C>) {
        return Refusal::hash_map;
    } else if constexpr (numbers_apart<C>) {
        return Refusal::numbers_apart;
    } else {
        return Refusal::unknown;
    }
}

// The type of the second parameter of a function, if it is not a template.
template <class Result, class At, class Gradient, class... More>
std::type_identity<Gradient> second_parameter(Result (*)(At, Gradient, More...));
template <class F, class Result, class At, class Gradient, class... More>
std::type_identity<Gradient> second_parameter(Result (F::*)(At, Gradient, More...));
template <class F, class Result, class At, class Gradient, class... More>
std::type_identity<Gradient> second_parameter(Result (F::*)(At, Gradient, More...) const);

// Whether a closure takes a copy of the gradient and writes to that.
template <class C, class F>
constexpr bool copies_gradient() {
    using Function = std::remove_cvref_t<F>;
    if constexpr (view<C>) {
        return false;  // a copy of a view writes to the same memory
    } else if constexpr (requires { typename Function::OtherInnerClosure; }) {
        return copies_gradient<C, typename Function::InnerClosure>() ||
               copies_gradient<C, typename Function::OtherInnerClosure>();
    } else if constexpr (requires { typename Function::InnerClosure; }) {
        return copies_gradient<C, typename Function::InnerClosure>();
    } else if constexpr (requires { second_parameter(&Function::operator()); }) {
        return std::is_same_v<typename decltype(second_parameter(&Function::operator()))::type, C>;
    } else if constexpr (requires(std::decay_t<F> f) { second_parameter(f); }) {
        return std::is_same_v<
            typename decltype(second_parameter(std::declval<std::decay_t<F>>()))::type, C>;
    } else {
        return false;
    }
}

template <class C, class... Closures>
constexpr void check_gradients() {
    static_assert(
        !(copies_gradient<C, Closures>() || ...),
        "polder: the closure takes a copy of the gradient and writes to that; let it take "
        "the gradient by reference");
}

// Argument: the type that the container was passed as.
template <class C, class Argument>
constexpr bool check_container() {
    static_assert(!std::is_const_v<C>,
                  "polder: the parameters are const; pass a container that can be written to");
    if constexpr (!std::is_const_v<C>) {
        static_assert(!std::is_same_v<scalar_t<C>, Mixed>,
                      "polder: the blocks of the parameters mix float and double; use one of them");
        static_assert(!std::is_same_v<memory_space_t<C>, Mixed>,
                      "polder: the blocks of the parameters lie on different devices; keep all "
                      "of them on one");
        // For memory out of reach this is the only message.
        constexpr bool in_reach = std::is_void_v<scalar_t<C>> || accessible<memory_space_t<C>>;
        static_assert(in_reach || std::is_same_v<memory_space_t<C>, Mixed>,
                      "polder: the parameters lie on a device; include polder/cuda.hpp (or "
                      "polder/thrust.hpp) before they are stepped");
        static_assert(
            !has_other_scalars<C>(),
            "polder: the scalars of this Eigen type are neither float nor double; use one of them");
        static_assert(!eigen_like<C> || has_other_scalars<C>() || parameter_container<C>,
                      "polder: this Eigen type is not contiguous; pass a matrix, a vector or a Map "
                      "without strides");
        constexpr Refusal refusal =
            !in_reach || std::is_same_v<scalar_t<C>, Mixed> ? Refusal::none : refusal_of<C>();
        static_assert(refusal != Refusal::scalar,
                      "polder: the scalars of the parameters are neither float nor double; use "
                      "one of them");
        static_assert(
            refusal != Refusal::pointer,
            "polder: a pointer does not say how many values there are; pass std::span{p, n}");
        static_assert(refusal != Refusal::optional,
                      "polder: the parameters are an optional; pass what is in it: *x");
        static_assert(refusal != Refusal::hash_map,
                      "polder: the order of a hash map may change from one copy to the next; use "
                      "std::map");
        static_assert(refusal != Refusal::numbers_apart,
                      "polder: the values of the parameters are not contiguous; use std::vector");
        static_assert(
            refusal != Refusal::unknown,
            "polder: not a parameter container; pass contiguous float or double (std::vector, "
            "std::span, Eigen, ParameterArena), a nest of these, or specialise "
            "polder::Members");
        static_assert(!parameter_container<C> || std::is_lvalue_reference_v<Argument> || view<C>,
                      "polder: the parameters are a temporary; pass a variable, or a view of one");
    }
    return parameter_container<C>;
}

// A number, or a number that lies on a device.
template <class Loss, class C>
inline constexpr bool is_loss = std::is_convertible_v<Loss, double> ||
                                (std::is_same_v<Loss, DeviceLoss> &&
                                 !std::is_same_v<memory_space_t<C>, HostMemory>);

// several: the method asks for several batches; samples: for single samples.
template <class C, class Argument, class Closure, bool several, bool samples>
constexpr bool check_arguments() {
    if constexpr (check_container<C, Argument>()) {
        using Call = std::remove_reference_t<Closure>;
        constexpr bool with_pass = pass_closure<Call, C>;
        constexpr bool without = plain_closure<Call, C>;
        constexpr bool is_around = requires { typename Call::InnerClosure; };
        static_assert(
            with_pass || !is_around,
            "polder: concurrent() and micro_batches() take a closure with a polder::Pass: "
            "scalar(parameters const&, gradient&, polder::Pass); what micro_batches() returns is "
            "not const");
        static_assert(
            with_pass || without || is_around,
            "polder: the closure is called as scalar(parameters const&, gradient&) or "
            "scalar(parameters const&, gradient&, polder::Pass), the gradient being of the "
            "type of the parameters");
        check_gradients<C, Call>();
        static_assert(
            !several || with_pass || !without,
            "polder: this method uses two batches; let the closure take a polder::Pass, or "
            "pass two closures, one for each batch");
        static_assert(
            !samples || with_pass || !without,
            "polder: this method asks for single samples; let the closure take a polder::Pass");
        if constexpr (with_pass) {
            using Loss = std::invoke_result_t<Call&, C const&, C&, Pass>;
            static_assert(is_loss<Loss, C>,
                          "polder: the closure must return the loss as a number; add a return");
            return is_loss<Loss, C>;
        } else if constexpr (without && !several && !samples) {
            using Loss = std::invoke_result_t<Call&, C const&, C&>;
            static_assert(is_loss<Loss, C>,
                          "polder: the closure must return the loss as a number; add a return");
            return is_loss<Loss, C>;
        }
    }
    return false;
}

// The closures of both batches.
template <class C, class First, class Second, int batches>
constexpr void check_two_closures() {
    static_assert(batches == 2, "polder: this method uses one batch; give one closure");
    static_assert(
        std::invocable<First&, C const&, C&> && std::invocable<Second&, C const&, C&>,
        "polder: step(x, first, second) calls each closure as scalar(at, gradient); closures "
        "that take a polder::Pass go into polder::concurrent(first, second)");
    check_gradients<C, First, Second>();
}

// The same for the closure of a model that owns its parameters.
template <class Call, bool several, bool samples>
constexpr void check_closure_in_place() {
    constexpr bool with_pass = std::invocable<Call&, Pass>;
    static_assert(
        std::invocable<Call&> || with_pass,
        "polder: the closure of step_in_place is called as scalar() or scalar(polder::Pass)");
    static_assert(!several || with_pass,
                  "polder: this method uses two batches; let the closure take a polder::Pass");
    static_assert(
        !samples || with_pass,
        "polder: this method asks for single samples; let the closure take a polder::Pass");
}

}  // namespace polder::detail
