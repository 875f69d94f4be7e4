/// How errors are reported, also in programs that are compiled without exceptions (-fno-exceptions).
///
/// POLDER_THROW e;          throws e. Without exceptions: hands e.what() to the error handler, and ends the program.
/// POLDER_TRY, POLDER_CATCH(Type, name), POLDER_CATCH_ALL, POLDER_RETHROW: try, catch and throw. Without exceptions: the
/// block of POLDER_TRY alone.
#pragma once

#include <cstdio>
#include <cstdlib>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define POLDER_THROW throw
#define POLDER_TRY try
#define POLDER_CATCH(Type, name) catch (Type const& name)
#define POLDER_CATCH_ALL catch (...)
#define POLDER_RETHROW throw
#else
#define POLDER_THROW ::polder::detail::Failure{} =
#define POLDER_TRY if (true)
#define POLDER_CATCH(Type, name) else if (Type const name{}; false)
#define POLDER_CATCH_ALL else
#define POLDER_RETHROW static_cast<void>(0)
#endif

namespace polder {

/// Called with the message of an error in programs that are compiled without exceptions.
using ErrorHandler = void (*)(char const* message);

/// The error handler, to be set before the first step. The first one prints the message to stderr. When it returns, the program
/// ends by std::abort. Programs with exceptions do not use it.
inline ErrorHandler& error_handler() noexcept {
    static ErrorHandler handler = [](char const* message) {
        std::fprintf(stderr, "%s\n", message);
    };
    return handler;
}

namespace detail {

struct Failure {
    template <class Error>
    [[noreturn]] void operator=(Error const& error) const {
        error_handler()(error.what());
        std::abort();
    }
};

}  // namespace detail

}  // namespace polder
