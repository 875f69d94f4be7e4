// What tests of all methods run over when tools/mutate compiles them: one method of each way through memory, so that they
// compile in seconds.
#include "support/any_method.ipp"

namespace polder::test {

template <class T>
std::vector<AnyMethod<T>> few_methods(Settings const& with, bool plain) {
    std::vector<AnyMethod<T>> list;
    auto const add = [&](char const* name, auto const& optimizer) {
        list.push_back(erased<T>(name, optimizer));
    };
    if (plain) add("plain", Plain{with.base});
    add("SAM", SAM{with.base, {.rho = with.rho}});
    add("MG", MirrorGradient{with.base, {.beta = with.every}});
    add("LookSAM", LookSAM{with.base, {.rho = with.rho, .every = with.every}});
    add("SAMPa", SAMPa{with.base, {.rho = with.rho}});
    add("BSAM+", BSAMPlus{with.base, {.rho = with.rho, .kappa = with.kappa}});
    return list;
}
template <>
std::vector<AnyMethod<double>> all_methods(Settings const& with, bool plain) {
    return few_methods<double>(with, plain);
}
template <>
std::vector<AnyMethod<float>> all_methods(Settings const& with, bool plain) {
    return few_methods<float>(with, plain);
}

}  // namespace polder::test
