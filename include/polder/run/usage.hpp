/// What an optimizer has to know of a method before it runs it.
#pragma once

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

template <class Method, class R>
inline constexpr bool starts = requires(Method const& method, Plan& plan, R& run) {
    method.start(run, method.init(plan));
};

}  // namespace detail

}  // namespace polder
