// The descents of all base optimizers, for what every mixture hands to them.

#include "composable/check.hpp"

namespace polder::test {

template <class R, class Descent>
void BaseElsewhere::step(R& run, State const& state, Descent const& descent) const {
    base.step(run, state, descent);
}

using Engine = EngineOf<HostMemory, double>::type;
using TheRun = Run<Engine, detail::Asks<2, true>>;
template <std::size_t n, std::size_t m>
using Last = DescentOf<Stage::last, n, m, Keep<NoExtra>>;

// u of one, two or three gradients; with two more that go past the moments.
template void BaseElsewhere::step(TheRun&, State const&, Last<1, 0> const&) const;
template void BaseElsewhere::step(TheRun&, State const&, Last<2, 0> const&) const;
template void BaseElsewhere::step(TheRun&, State const&, Last<3, 0> const&) const;
template void BaseElsewhere::step(TheRun&, State const&, Last<1, 2> const&) const;
template void BaseElsewhere::step(TheRun&, State const&, Last<2, 2> const&) const;

}  // namespace polder::test
