// Thrust's system that the environment names, so that one program tests both: POLDER_TEST_THRUST=cpp (default) or omp.
#pragma once

#include <cstdlib>
#include <cstring>

#include <polder/thrust.hpp>

namespace polder::test {

struct ThrustOfEnvironment : ThrustCpp {
    static bool uses_openmp() {
        char const* const name = std::getenv("POLDER_TEST_THRUST");
        return name != nullptr && std::strcmp(name, "omp") == 0;
    }

    template <class Body, class Tail>
    void run(std::size_t tasks, Body const& body, Tail const& tail, unsigned* ticket) {
#if defined(_OPENMP)
        static bool const openmp = uses_openmp();
        if (openmp) return ThrustOmp().run(tasks, body, tail, ticket);
#endif
        ThrustCpp::run(tasks, body, tail, ticket);
    }
};

}  // namespace polder::test
