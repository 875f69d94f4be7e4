// What a user holds can be default-constructed where all its parts can, copied, assigned, moved, swapped, and kept in
// containers and as a member.

#include "support/catch.hpp"

#include <concepts>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <polder/any_optimizer.hpp>
#include <polder/polder.hpp>
#include <polder/state/state.hpp>

#include "support/temporary_directory.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::same_bits;
using polder::test::state_bytes;
using polder::test::Valley;

namespace {

using Vector = std::vector<double>;

template <class... T>
constexpr bool all_regular = (std::semiregular<T> && ...);
static_assert(all_regular<SGD, Adam, AdamW, RMSprop, Adagrad, Lion, LAMB>);
static_assert(
    all_regular<Plain<Adam>, SAM<Adam>, SAMPlus<SGD>, ASAM<Adam>, ASAMPlus<Adam>, FisherSAM<Adam>,
                FisherSAMPlus<Adam>, SSAM<Adam>, SSAM<Adam, DynamicMask>, FSAM<Adam>,
                FSAMPlus<Adam>, BSAM<Adam>, BSAMPlus<Adam>, BSAM<Adam, NoDistance>, GNP<Adam>,
                GSAM<Adam>, GSAMPlus<Adam>, WSAM<Adam>, LookSAM<Adam>, MirrorGradient<Adam>,
                SGBD<Adam>, ESAM<Adam>, VaSSO<Adam>, SAMPa<Adam>, SAM<LAMB>>);
static_assert(all_regular<Sharpness<EuclideanBall, NoDistance, NoMix, Adam>,
                          Optimizer<ParallelAscent, Adam>, WeightAverage<SAM<Adam>>, SAM<AnyBase>>);
static_assert(all_regular<Group, Interval, Clipping, Report, polder::Settings, CheckOptions,
                          ParameterArena<float>, SAMOptions, WeightAverageOptions, schedules::Step,
                          schedules::Cosine>);
// These have no default.
static_assert(std::copyable<MomentumSAM<Adam>> && std::copyable<AnyOptimizer<Vector>> &&
              std::copyable<ClosureReport>);

struct Trainer {
    SAM<Adam> optimizer;
    WeightAverage<BSAM<Adam>> average;
    std::vector<SAM<Adam>> saved{};
};

template <class T>
void is_regular(T a) {
    Vector x(7), y, z;
    test::set_start(x);
    auto const steps = [](T& optimizer, Vector at) {
        for (int t = 0; t < 3; ++t) optimizer.step(at, Valley{});
        return at;
    };
    a.step(x, Valley{});
    T b = a, c = a;
    auto const expected = steps(b, x);
    b = a;  // over one that has gone on
    CHECK(same_bits(steps(b, x), expected));
    b = a;
    T const& itself = b;
    b = itself;
    CHECK(same_bits(steps(b, x), expected));
    std::vector<T> saved{a, c}, current{b};
    current = saved;
    CHECK(same_bits(steps(current[1], x), expected));
    std::swap(a, saved[0]);
    CHECK(same_bits(steps(a, x), expected));
    T moved = std::move(c);
    CHECK(same_bits(steps(moved, x), expected));
    CHECK_THROWS_WITH(steps(c, x),  // NOLINT: that it has been moved from is the mistake
                      "polder: this optimizer has been moved from; assign one to it first");
    T other = c;  // a copy of it is no better
    CHECK_THROWS_WITH(other.bind(x), ContainsSubstring("has been moved from"));
    c = saved[1];
    CHECK(same_bits(steps(c, x), expected));
}

}  // namespace

TEST_CASE("optimizers are regular", "[methods]") {
    is_regular(SAM{Adam{}});
    is_regular(WeightAverage{BSAM{SGD{.momentum = 0.9}}});
    is_regular(AnyOptimizer<Vector>{SAM{Adam{}}});
    Trainer trainer, other;
    Vector x{1, 2};
    trainer.optimizer.step(x, Valley{});
    trainer.average.step(x, Valley{});
    trainer.saved.push_back(trainer.optimizer);
    other = trainer;
    CHECK(other.saved[0].steps() == 1);
    CHECK(state_bytes(other.average) == state_bytes(trainer.average));
}

TEST_CASE("a const optimizer can be saved", "[methods][state]") {
    const TemporaryDirectory folder;
    Vector x(5);
    test::set_start(x);
    SAM optimizer{Adam{}};
    optimizer.step(x, Valley{});
    auto const& same = optimizer;
    save_checkpoint(folder / "const", same, x);
    save_state(folder / "state", same, x);
    SAM<Adam> loaded, of_state;
    Vector y(5);
    load_checkpoint(folder / "const", loaded, y);
    load_state(folder / "state", of_state, y);
    CHECK(same_bits(x, y));
    CHECK(state_bytes(loaded) == state_bytes(optimizer));
    CHECK(state_bytes(of_state) == state_bytes(optimizer));
}
