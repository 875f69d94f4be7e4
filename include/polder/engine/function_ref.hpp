/// A function by reference, without its type: so that what calls it is compiled once for all of them.
#pragma once

#include <type_traits>

#include <polder/config.hpp>

namespace polder::detail {

template <class Signature>
class FunctionRef;

// Refers to f, which has to live as long as it. Costs an indirect call, and no memory.
template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
public:
    template <class F>
    requires(!std::is_same_v<F, FunctionRef>)
        FunctionRef(F const& f)  // NOLINT: converts, as std::function does
        : of_(&f), call_(&call<F>) {}
    POLDER_HOST_DEVICE Result operator()(Args... args) const { return call_(of_, args...); }

private:
    template <class F>
    static Result call(void const* of, Args... args) {
        return (*static_cast<F const*>(of))(args...);
    }

    void const* of_;
    Result (*call_)(void const*, Args...);
};

}  // namespace polder::detail
