// The runs that those on other containers are compared with: compiled once.
#include "containers/every_method.hpp"

namespace polder::test {

namespace {

template <class T>
std::map<std::string, Trace<T>> run(std::size_t size) {
    std::map<std::string, Trace<T>> traces;
    std::vector<T> x(size);
    for_each_method_with_adam<T>([&](char const* name, auto const& optimizer) {
        CAPTURE(name);
        CHECK(traces.emplace(name, trace(x, optimizer)).second);
    });
    return traces;
}

template <class T>
std::map<std::string, Trace<T>> const& cached(std::size_t size) {
    static std::map<std::size_t, std::map<std::string, Trace<T>>> known;
    const auto found = known.find(size);
    return found != known.end() ? found->second : known.emplace(size, run<T>(size)).first->second;
}

}  // namespace

template <>
std::map<std::string, Trace<float>> const& vector_traces<float>(std::size_t size) {
    return cached<float>(size);
}

template <>
std::map<std::string, Trace<double>> const& vector_traces<double>(std::size_t size) {
    return cached<double>(size);
}

}  // namespace polder::test

TEST_CASE("every method moves every parameter", "[containers]") {
    // Otherwise equal bits on all containers would say little.
    std::vector<double> start(60);
    polder::test::set_start(start);
    for (auto const& [name, trace] : polder::test::vector_traces<double>(start.size())) {
        CAPTURE(name);
        bool moved = true;
        for (std::size_t i = 0; i < start.size(); ++i) {
            moved = moved && trace.parameters.at(i) != start[i];
        }
        CHECK(moved);
    }
}
