/// What an optimizer has to know of a method before it runs it.
#pragma once

#include <array>

#include <polder/closure/report.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/run/handles.hpp>

namespace polder {

namespace detail {

// What steps return. Where there is no engine for the parameters it is a Report too, and an error says what is missing.
template <class Space, class T>
struct ReportFor {
    using type = Report;
};
template <class Space, class T>
requires requires { typename EngineOf<Space, T>::type; }
struct ReportFor<Space, T> {
    using type = typename EngineOf<Space, T>::type::StepReport;
};

template <class Method>
inline constexpr int batches_asked = [] {
    if constexpr (requires { Method::batches; }) {
        return Method::batches;
    } else {
        return 1;
    }
}();
template <class Method>
inline constexpr bool has_mask = requires(Method const& method, Plan& plan) {
    method.mask(method.init(plan));
};
template <class Method>
inline constexpr bool samples_asked = requires {
    requires Method::samples;
};

// What ranks compare of a method and its base optimizer, besides their types: the learning rate, the radius of a ball, and the
// kind of a base that is chosen at run time; 0 where there is none.
template <class Method, class Base>
std::array<double, 3> compared(Method const& method, Base const& base) {
    std::array<double, 3> found{};
    if constexpr (requires { base.learning_rate; }) found[0] = base.learning_rate;
    if constexpr (requires { method.perturb.rho; }) found[1] = method.perturb.rho;
    if constexpr (requires { base.kind.index(); })
        found[2] = static_cast<double>(base.kind.index());
    return found;
}

template <class Method, class R>
inline constexpr bool starts = requires(Method const& method, Plan& plan, R& run) {
    method.start(run, method.init(plan));
};

}  // namespace detail

}  // namespace polder
