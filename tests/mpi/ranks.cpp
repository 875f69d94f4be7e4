// Several ranks that make the steps of one model: every case runs on all of them at once.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/any_optimizer.hpp>
#include <polder/mpi.hpp>
#include <polder/state/state.hpp>

#include "support/count_allocations.hpp"
#include "support/lines.hpp"
#include "support/temporary_directory.hpp"
#include "support/valley.hpp"

using namespace polder;
using test::flat;
using test::same_bits;
using Vector = std::vector<double>;
using Blocks = std::vector<Vector>;

namespace {

// A method by name, on blocks.
class Any : public AnyOptimizer<test::AnyContainer<double>> {
    using Container = test::AnyContainer<double>;
    using Base = AnyOptimizer<Container>;

public:
    Any(Base optimizer) : Base(std::move(optimizer)) {}

    void bind(Blocks& x) {
        auto at = Container::of(x);
        Base::bind(at);
    }
    template <class F>
    Report step(Blocks& x, F&& closure) {
        auto at = Container::of(x);
        return Base::step(at, on_blocks(closure));
    }
    template <class F>
    Report step_in_place(Blocks& x, Blocks& gradient, F&& closure) {
        auto at = Container::of(x), into = Container::of(gradient);
        return Base::step_in_place(at, into, closure);
    }
    template <class F>
    Report perturbation(Blocks& x, F&& closure, Blocks& eps) {
        auto at = Container::of(x), into = Container::of(eps);
        return Base::perturbation(at, on_blocks(closure), into);
    }

private:
    template <class F>
    static auto on_blocks(F& closure) {
        return [&closure](Container const& at, Container& gradient, Pass pass) {
            return closure(at.as<Blocks>(), gradient.as<Blocks>(), pass);
        };
    }
};

int rank_of(MPI_Comm communicator = MPI_COMM_WORLD) {
    int rank = 0;
    MPI_Comm_rank(communicator, &rank);
    return rank;
}
int rank_count() {
    int size = 1;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return size;
}

// Whether something holds on all ranks.
bool everywhere(bool here) {
    int all = here ? 1 : 0;
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    return all == 1;
}
std::string of_rank_0(std::string text) {
    auto size = static_cast<int>(text.size());
    MPI_Bcast(&size, 1, MPI_INT, 0, MPI_COMM_WORLD);
    text.resize(static_cast<std::size_t>(size));
    MPI_Bcast(text.data(), size, MPI_CHAR, 0, MPI_COMM_WORLD);
    return text;
}
bool same_everywhere(std::string const& bytes) { return everywhere(of_rank_0(bytes) == bytes); }
template <class C>
bool same_parameters(C const& x) {
    auto const values = flat(x);
    return same_everywhere(std::string(reinterpret_cast<char const*>(values.data()),
                                       values.size() * sizeof values[0]));
}
bool same_state(Any& optimizer) { return same_everywhere(test::state_bytes(optimizer)); }

// Of `size` ranks, rank number `rank`: its share of 24 samples, which are dealt to the ranks in turn.
struct Share {
    int rank = 0, size = 1;
    int step = 0;

    // The mean over the samples of the sum over i of 1 - cos(a_i x_i - b), b being another in every step and batch.
    template <class C>
    double operator()(C const& at, C& gradient, Pass pass) const {
        using T = scalar_t<C>;
        auto const x = flat(at);
        std::vector<double> sum(x.size());
        double loss = 0;
        int samples = 0;
        for (int sample = rank; sample < 24; sample += size) {
            if (pass.sample >= 0 && sample != rank + size * pass.sample) continue;
            ++samples;
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double a = 1 + static_cast<double>(i % 7) / 7;
                const double b = std::sin(3.1 * sample + 0.7 * step + 0.3 * static_cast<double>(i) +
                                          (pass.batch == Batch::first ? 0 : 2));
                loss += 1 - std::cos(a * static_cast<double>(x[i]) - b);
                sum[i] += a * std::sin(a * static_cast<double>(x[i]) - b);
            }
        }
        std::size_t i = 0;
        for_each_block(gradient, [&](T* data, std::size_t count) {
            for (std::size_t k = 0; k < count; ++k) data[k] = static_cast<T>(sum[i++] / samples);
        });
        return loss / samples;
    }
};
Share own_share(int step = 0) { return {rank_of(), rank_count(), step}; }
Share whole(int step = 0) { return {0, 1, step}; }

Blocks start() {
    Blocks x{Vector(7), Vector(11)};
    test::set_start(x);
    return x;
}

test::Lines const& lines() {
    static auto const all = test::all_lines();
    return all;
}
Any make(std::string const& method, std::string const& base = "adam") {
    registry::OptionReader options(registry::Options{{"learning_rate", "0.05"},
                                                     {"momentum", "0.9"},
                                                     {"rho", "0.1"},
                                                     {"refresh_epochs", "1"},
                                                     {"samples", "5"}});
    Any optimizer = registry::make_optimizer(lines(), method, base, options);
    auto interval = optimizer.settings().interval();
    if (interval.every > 1) interval.every = 2;
    optimizer.settings().set_interval(interval);
    return optimizer;
}
// Masks and Lion jump where a gradient changes by its rounding.
bool is_continuous(std::string const& method, std::string const& base = "adam") {
    return method.find("ssam") == std::string::npos && base != "lion";
}

constexpr MpiOptions every_pass{};
constexpr MpiOptions descent{.averaged = Averaged::descent};
constexpr MpiOptions descent_own{.averaged = Averaged::descent, .kept = Kept::own};

// Steps from, from + 1, ..., to - 1, with an epoch every three steps.
Report train(Any& optimizer, Blocks& x, Share share, int from, int to) {
    Report report;
    for (share.step = from; share.step < to; ++share.step) {
        if (share.step % 3 == 0) optimizer.begin_epoch();
        report = optimizer.step(x, share);
    }
    return report;
}

bool close(Vector const& a, Vector const& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](double x, double y) { return std::abs(x - y) <= 1e-12; });
}
bool close_or_not_measured(double a, double b) {
    return std::isnan(a) ? std::isnan(b) : std::abs(a - b) <= 1e-12;
}

void check_equal_to_one_process(std::string const& method, std::string const& base) {
    CAPTURE(method, base, rank_of());
    auto alone = make(method, base);
    auto expected = start();
    auto const report_alone = train(alone, expected, whole(), 0, 7);

    auto optimizer = make(method, base);
    optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, every_pass));
    auto x = start();
    auto const report = train(optimizer, x, own_share(), 0, 7);
    CHECK(same_parameters(x));
    CHECK(same_state(optimizer));
    if (!is_continuous(method, base)) return;
    CHECK(close(flat(x), flat(expected)));
    CHECK(close_or_not_measured(report.loss, report_alone.loss));
    CHECK(close_or_not_measured(report.perturbed_loss, report_alone.perturbed_loss));
    CHECK(close_or_not_measured(report.second_loss, report_alone.second_loss));
    CHECK(close_or_not_measured(report.perturbation_norm, report_alone.perturbation_norm));
}

struct Interrupted : std::runtime_error {
    using std::runtime_error::runtime_error;
};
using Spoil = std::function<void(double&, Blocks&)>;

// The closure, which at its n-th call on the last rank spoils what it returns.
struct SpoiledAt {
    Share share;
    int call;
    Spoil spoil;
    double operator()(Blocks const& at, Blocks& gradient, Pass pass) {
        double loss = share(at, gradient, pass);
        if (share.rank == share.size - 1 && --call == 0) spoil(loss, gradient);
        return loss;
    }
};

// What a step ends with: nothing, or the message of what it throws.
template <class Step>
std::string message_of(Step const& step) {
    try {
        step();
    } catch (std::exception const& error) {
        return error.what();
    }
    return "";
}

// Spoils every evaluation of the last rank in turn, in one step. All ranks end it as message(rank) says, nothing has changed,
// and all go on as if nothing had been. Returns how many evaluations there are.
int spoil_each_evaluation(std::string const& method, MpiOptions const& form, Spoil const& spoil,
                          std::string const& on_last, std::string const& on_others) {
    CAPTURE(method, rank_of());
    auto before = make(method);
    before.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
    auto x = start();
    train(before, x, own_share(), 0, 4);
    auto undisturbed = before;
    auto expected = x;
    undisturbed.step(expected, own_share(4));
    for (int call = 1;; ++call) {
        CAPTURE(call);
        auto spoiled = before;
        auto y = x;
        auto const message = message_of([&] {
            spoiled.step(y, SpoiledAt{own_share(4), call, spoil});
        });
        if (everywhere(message.empty())) return call - 1;
        CHECK_THAT(message, ContainsSubstring(rank_of() == rank_count() - 1 ? on_last : on_others));
        CHECK(same_bits(flat(y), flat(x)));
        const bool same_state = test::state_bytes(spoiled) == test::state_bytes(before);
        CHECK(same_state);
        spoiled.step(y, own_share(4));
        CHECK(same_bits(flat(y), flat(expected)));
    }
}

std::string last_rank() { return "rank " + std::to_string(rank_count() - 1); }

// Lets the first, second, ... allocation of the last rank in step(optimizer, x) fail, until none does. All ranks end it, and
// then make it as if nothing had been. Returns how many could fail.
template <class O, class Step>
std::size_t fail_each_allocation(O const& fresh, Step const& step) {
    auto undisturbed = fresh;
    auto expected = start();
    step(undisturbed, expected);
    const bool is_last = rank_of() == rank_count() - 1;
    auto const has_thrown = last_rank() + " has thrown an exception";
    for (std::size_t n = 1;; ++n) {
        CAPTURE(n, rank_of());
        auto optimizer = fresh;
        auto x = start();
        fail_allocation(is_last ? n : 0);
        auto const message = message_of([&] { step(optimizer, x); });
        fail_allocation(0);
        if (everywhere(message.empty())) return n - 1;
        CHECK_THAT(message, ContainsSubstring(is_last ? "bad_alloc" : has_thrown));
        CHECK(same_bits(flat(x), flat(start())));
        step(optimizer, x);
        CHECK(same_bits(flat(x), flat(expected)));
    }
}

// x after steps of SAM over SGD, by plain loops: u is the mean of the ranks' own grad(x + eps).
Vector m_sharpness(Vector x, double rate, double rho, int steps) {
    for (int step = 0; step < steps; ++step) {
        Vector u(x.size());
        for (int rank = 0; rank < rank_count(); ++rank) {
            const Share share{rank, rank_count(), step};
            Vector g(x.size()), y = x;
            share(x, g, {});
            double norm = 0;
            for (double value : g) norm += value * value;
            for (std::size_t i = 0; i < y.size(); ++i) y[i] += rho * g[i] / std::sqrt(norm);
            share(y, g, {});
            for (std::size_t i = 0; i < y.size(); ++i) u[i] += g[i] / rank_count();
        }
        for (std::size_t i = 0; i < x.size(); ++i) x[i] -= rate * u[i];
    }
    return x;
}

}  // namespace

TEST_CASE("ranks that average every pass make the steps of one process", "[mpi]") {
    for (auto const& method : registry::method_names(lines()))
        check_equal_to_one_process(method, "adam");
    for (auto const& base : registry::base_names()) check_equal_to_one_process("bsam+", base);
}

TEST_CASE("ranks that average the descent stay replicas", "[mpi]") {
    for (auto const& method : registry::method_names(lines())) {
        CAPTURE(method, rank_of());
        for (bool own : {false, true}) {
            auto optimizer = make(method);
            optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, own ? descent_own : descent));
            auto x = start();
            train(optimizer, x, own_share(), 0, 7);
            CHECK(same_parameters(x));
            if (!own) CHECK(same_state(optimizer));
        }
    }
}

TEST_CASE("one rank is one process, bit for bit", "[mpi]") {
    for (auto const& method : registry::method_names(lines())) {
        CAPTURE(method);
        auto alone = make(method);
        auto expected = start();
        train(alone, expected, whole(), 0, 5);
        for (auto const& form : {every_pass, descent, descent_own}) {
            auto optimizer = make(method);
            optimizer.settings().set_ranks(Mpi(MPI_COMM_SELF, form));
            auto x = start();
            train(optimizer, x, whole(), 0, 5);
            CHECK(same_bits(flat(x), flat(expected)));
        }
    }
}

TEST_CASE("with Averaged::descent each rank ascends by its own gradient", "[mpi]") {
    Vector x(9);
    test::set_start(x);
    auto const expected = m_sharpness(x, 0.1, 0.2, 5);
    SAM optimizer{SGD{.learning_rate = 0.1}, {.rho = 0.2, .norm_guard = 0}};
    const Mpi ranks(MPI_COMM_WORLD, descent);
    optimizer.set_ranks(ranks);
    for (int step = 0; step < 5; ++step) optimizer.step(x, own_share(step));
    CHECK(close(x, expected));
    CHECK(same_parameters(x));
    // The gradient and a message of 48 bytes in each step; at the start two such messages, with checksums.
    CHECK(ranks.bytes() == 5 * (9 * 8 + 48) + 2 * 48);
}

TEST_CASE("what a method keeps is averaged, or the rank's own", "[mpi]") {
    Vector g(9), mean(9), own(9), x(9);
    test::set_start(x);
    for (int rank = 0; rank < rank_count(); ++rank) {
        Share{rank, rank_count(), 0}(x, g, {});
        for (std::size_t i = 0; i < x.size(); ++i) mean[i] += 0.25 * g[i] / rank_count();
    }
    own_share()(x, g, {});
    for (std::size_t i = 0; i < x.size(); ++i) own[i] = 0.25 * g[i];
    for (bool keep_own : {false, true}) {
        CAPTURE(keep_own);
        BSAM optimizer{SGD{.learning_rate = 0.1}, {.rho = 0.2, .lambda = 0.75}};
        optimizer.set_ranks(Mpi(MPI_COMM_WORLD, keep_own ? descent_own : descent));
        auto y = x;
        optimizer.step(y, own_share());
        bool found = false;
        optimizer.visit_state([&](std::string_view name, auto&& value) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::span<double>>) {
                if (name != "reference") return;
                found = true;
                CHECK(close(Vector(value.begin(), value.end()), keep_own ? own : mean));
            }
        });
        CHECK(found);
    }
}

TEST_CASE("a rank whose closure throws ends the step of all ranks", "[mpi]") {
    auto const interrupt = [](double&, Blocks&) { throw Interrupted("no more memory"); };
    int evaluations = 0;
    for (auto const& form : {every_pass, descent, descent_own}) {
        for (auto const& method : registry::method_names(lines())) {
            evaluations += spoil_each_evaluation(method, form, interrupt, "no more memory",
                                                 last_rank() + " has thrown an exception");
        }
    }
    if (rank_of() == rank_count() - 1)
        CHECK(evaluations > 3 * static_cast<int>(registry::method_names(lines()).size()));
}

TEST_CASE("a rank whose loss or gradient is not finite ends the step of all ranks", "[mpi]") {
    auto const bad_loss = [](double& loss, Blocks&) {
        loss = std::numeric_limits<double>::quiet_NaN();
    };
    auto const bad_gradient = [](double&, Blocks& gradient) {
        gradient[1][3] = std::numeric_limits<double>::infinity();
    };
    auto const where = "is not finite on " + last_rank();
    for (auto const& form : {every_pass, descent}) {
        for (auto const& method : registry::method_names(lines())) {
            spoil_each_evaluation(method, form, bad_loss, where, where);
            spoil_each_evaluation(method, form, bad_gradient, where, where);
        }
    }
}

TEST_CASE("ranks skip the same steps", "[mpi]") {
    for (auto const& form : {every_pass, descent}) {
        auto optimizer = make("bsam+");
        optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        optimizer.settings().set_non_finite(NonFinite::skip);
        auto x = start();
        train(optimizer, x, own_share(), 0, 2);
        auto const before = x;
        auto const bad = [](double& loss, Blocks&) { loss = HUGE_VAL; };
        CHECK(optimizer.step(x, SpoiledAt{own_share(2), 2, bad}).skipped);
        CHECK(same_bits(flat(x), flat(before)));
        CHECK(optimizer.skipped_steps() == 1);
        train(optimizer, x, own_share(), 2, 4);
        CHECK(same_parameters(x));
        CHECK(optimizer.steps() == 4);
    }
}

TEST_CASE("ranks that begin with other parameters or state are refused, or made equal", "[mpi]") {
    if (rank_count() == 1) return;
    const bool is_last = rank_of() == rank_count() - 1;
    auto optimizer = make("bsam");
    optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, every_pass));
    auto x = start();
    if (is_last) x[1][4] += 1e-15;
    auto const before = x;
    auto const step = [&] { optimizer.step(x, own_share()); };
    CHECK_THAT(message_of(step),
               ContainsSubstring("the parameters or the state of the optimizer on " + last_rank() +
                                 " differ from those on rank 0"));
    CHECK(same_bits(flat(x), flat(before)));

    x = start();
    auto advanced = make("bsam");
    if (is_last) {
        auto elsewhere = start();
        train(advanced, elsewhere, whole(), 0, 1);
    }
    advanced.settings().set_ranks(Mpi(MPI_COMM_WORLD, every_pass));
    CHECK_THAT(message_of([&] { advanced.step(x, own_share()); }),
               ContainsSubstring("the state of the optimizer on " + last_rank() + " differ"));

    auto broadcast = every_pass;
    broadcast.broadcast = true;
    advanced.settings().set_ranks(Mpi(MPI_COMM_WORLD, broadcast));
    x = start();
    if (is_last) x[0][0] = 7;
    train(advanced, x, own_share(), 0, 4);
    CHECK(same_parameters(x));
    CHECK(same_state(advanced));
    auto alone = make("bsam");
    auto expected = start();
    train(alone, expected, whole(), 0, 4);
    CHECK(close(flat(x), flat(expected)));
}

TEST_CASE("ranks that make other steps are told so", "[mpi]") {
    if (rank_count() == 1) return;
    const bool is_last = rank_of() == rank_count() - 1;
    auto const differ = ContainsSubstring(last_rank() + " differs from rank 0 in its ");
    for (auto const& form : {every_pass, descent}) {
        // Another method, which makes another number of evaluations. It is seen before the first.
        auto optimizer = make(is_last ? "none" : "sam", "sgd");
        optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        auto x = start();
        for (int step = 0; step < 2; ++step)
            CHECK_THAT(message_of([&] { optimizer.step(x, own_share(step)); }), differ);
        CHECK(x == start());
        // Other options.
        auto other = form;
        other.kept = is_last ? Kept::own : Kept::averaged;
        auto fsam = make("fsam");
        fsam.settings().set_ranks(Mpi(MPI_COMM_WORLD, other));
        CHECK_THAT(message_of([&] { fsam.step(x, own_share()); }),
                   differ && ContainsSubstring("method, settings or shapes"));
        // Other blocks.
        Blocks y{Vector(is_last ? 6 : 7)};
        auto bsam = make("bsam");
        bsam.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        CHECK_THAT(message_of([&] { bsam.step(y, own_share()); }), differ);
        // As many coordinates, of which others are frozen.
        Blocks w{Vector(4), Vector(4)};
        auto frozen = make("sam");
        frozen.settings().set_groups(
            {{.name = "one", .blocks = {is_last ? "0" : "1"}, .frozen = true}});
        frozen.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        CHECK_THAT(message_of([&] { frozen.step(w, own_share()); }),
                   differ && ContainsSubstring("frozen blocks"));
        // As many coordinates, in blocks that are cut elsewhere: what a broadcast cannot make the same.
        Blocks z{Vector(is_last ? 3 : 5), Vector(is_last ? 5 : 3)};
        auto sam = make("sam");
        auto broadcast = form;
        broadcast.broadcast = true;
        sam.settings().set_ranks(Mpi(MPI_COMM_WORLD, broadcast));
        CHECK_THAT(message_of([&] { sam.step(z, own_share()); }), differ);
    }
}

TEST_CASE("ranks with other methods, settings or epochs are told so before anything changes",
          "[mpi]") {
    if (rank_count() == 1) return;
    const bool is_last = rank_of() == rank_count() - 1;
    auto const differ = ContainsSubstring(last_rank() + " differs from rank 0");
    for (auto const& form : {every_pass, descent}) {
        auto const refuses = [&](Any optimizer) {
            optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
            auto x = start();
            CHECK_THAT(message_of([&] { optimizer.step(x, own_share()); }), differ);
            CHECK(x == start());
        };
        refuses(make(is_last ? "asam" : "sam"));
        refuses(make(is_last ? "gnp" : "sam+"));
        refuses(make(is_last ? "bsam+" : "looksam"));
        refuses(make("sam", is_last ? "sgd" : "adam"));
        refuses(make("sam", is_last ? "adamw" : "adam"));
        auto optimizer = make("sam");
        if (is_last) optimizer.set_learning_rate(0.1);
        refuses(optimizer);
        optimizer = make("sam");
        if (is_last) optimizer.settings().set_non_finite(NonFinite::propagate);
        refuses(optimizer);
        optimizer = make("sam");
        if (is_last) optimizer.settings().set_interval({.every = 2});
        refuses(optimizer);

        // A mask is chosen in another epoch, and so more is sent.
        auto masked = make("ssam_d");
        masked.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        auto x = start();
        masked.step(x, own_share());
        auto const before = x;
        if (!is_last) masked.begin_epoch(), masked.begin_epoch();
        CHECK_THAT(message_of([&] { masked.step(x, own_share(1)); }), differ);
        CHECK(x == before);
    }
}

TEST_CASE("a closure may step another optimizer of the same ranks", "[mpi]") {
    for (auto const& form : {every_pass, descent}) {
        Mpi const ranks(MPI_COMM_WORLD, form);
        auto outer = make("sam"), inner = make("sam"), alone = make("sam");
        for (auto* optimizer : {&outer, &inner, &alone}) optimizer->settings().set_ranks(ranks);
        inner.settings().set_non_finite(NonFinite::skip);
        const bool is_last = rank_of() == rank_count() - 1;
        auto x = start(), y = start(), expected = start();
        for (int step = 0; step < 3; ++step) {
            outer.step(x, [&](auto const& at, auto& gradient, Pass pass) {
                inner.step(y, [&](auto const& there, auto& slope, Pass of) {
                    double const loss = own_share(step)(there, slope, of);
                    return is_last && step == 1 ? std::numeric_limits<double>::quiet_NaN() : loss;
                });
                return own_share(step)(at, gradient, pass);
            });
            alone.step(expected, own_share(step));
        }
        CHECK(x == expected);
        CHECK(inner.skipped_steps() == 2);

        if (form.averaged == Averaged::descent) continue;  // The exception has to be let through.
        // What all ranks have heard of the inner step does not stand for the outer one.
        auto const message = message_of([&] {
            outer.step(x, [&](auto const& at, auto& gradient, Pass pass) -> double {
                message_of([&] {
                    inner.step(y, [&](auto const& there, auto& slope, Pass of) {
                        if (is_last) throw std::runtime_error("inner");
                        return own_share(3)(there, slope, of);
                    });
                });
                if (is_last) throw std::runtime_error("outer");
                return own_share(3)(at, gradient, pass);
            });
        });
        CHECK_THAT(message, is_last ? ContainsSubstring("outer")
                                    : ContainsSubstring("has thrown an exception"));
        CHECK(x == expected);
    }
}

TEST_CASE("calls at once that both step an optimizer of the same ranks are refused", "[mpi]") {
    Mpi const ranks(MPI_COMM_WORLD, every_pass);
    auto outer = make("sam+"), inner = make("sam");
    for (auto* optimizer : {&outer, &inner}) optimizer->settings().set_ranks(ranks);
    auto x = start(), y = start();
    auto const nested = [&](Blocks const& at, Blocks& gradient, Pass pass) {
        if (pass.batch == Batch::second) inner.step(y, own_share());
        return own_share()(at, gradient, pass);
    };
    SAMPlus optimizer{Adam{}};
    optimizer.set_ranks(ranks);
    CHECK_THAT(message_of([&] { optimizer.step(x, concurrent(nested)); }),
               ContainsSubstring("two threads step optimizers of the same ranks"));
    CHECK(x == start());
    CHECK(y == start());
    outer.step(x, own_share());  // and all go on
    CHECK(same_parameters(x));
}

TEST_CASE("what is wrong on one rank before its closure is called the others learn", "[mpi]") {
    if (rank_count() == 1) return;
    const bool is_last = rank_of() == rank_count() - 1;
    for (auto const& form : {every_pass, descent}) {
        auto optimizer = make("sam");
        optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        auto x = start();
        train(optimizer, x, own_share(), 0, 2);
        Blocks other{Vector(7), Vector(is_last ? 12 : 11)};
        auto const message = message_of([&] { optimizer.step(other, own_share(2)); });
        CHECK_THAT(message, ContainsSubstring(is_last ? "block 1 has 12 coordinates, expected 11"
                                                      : last_rank() + " has thrown"));
        train(optimizer, x, own_share(), 2, 4);
        CHECK(same_parameters(x));
    }
}

TEST_CASE("where closures of all ranks throw, each rank throws its own", "[mpi]") {
    for (auto const& form : {every_pass, descent}) {
        auto optimizer = make("bsam");
        optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        auto x = start();
        auto const own = "rank " + std::to_string(rank_of());
        auto const failing = [&](Blocks const&, Blocks&, Pass) -> double {
            throw Interrupted(own);
        };
        CHECK(message_of([&] { optimizer.step(x, failing); }) == own);
        optimizer.step(x, own_share());
        CHECK(same_parameters(x));
    }
}

TEST_CASE("a communicator without this process is refused", "[mpi]") {
    CHECK_THROWS_WITH(Mpi(MPI_COMM_NULL), "polder: the communicator is MPI_COMM_NULL");
}

TEST_CASE("a checkpoint of several ranks is resumed by any number", "[mpi]") {
    const TemporaryDirectory directory;
    for (std::string const method : {"bsam+", "looksam", "sampa"}) {
        for (auto const& form : {every_pass, descent}) {
            CAPTURE(method, rank_of());
            auto const file = of_rank_0((directory / "run.safetensors").string());
            auto const made = [&] {
                auto one = make(method);
                one.settings().set_learning_rate_schedule(schedules::Cosine{.steps = 8});
                return one;
            };
            auto optimizer = made();
            optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
            auto x = start();
            train(optimizer, x, own_share(), 0, 3);
            if (rank_of() == 0) save_checkpoint(file, optimizer, x);
            MPI_Barrier(MPI_COMM_WORLD);
            train(optimizer, x, own_share(), 3, 6);

            auto resumed = made();
            resumed.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
            auto y = start();
            load_checkpoint(file, resumed, y);
            train(resumed, y, own_share(), 3, 6);
            CHECK(same_bits(flat(y), flat(x)));

            // Rank 0 alone has the file.
            auto broadcast = form;
            broadcast.broadcast = true;
            auto sent = made();
            sent.settings().set_ranks(Mpi(MPI_COMM_WORLD, broadcast));
            y = start();
            if (rank_of() == 0) load_checkpoint(file, sent, y);
            train(sent, y, own_share(), 3, 6);
            CHECK(same_bits(flat(y), flat(x)));

            auto alone = made();
            auto z = start();
            load_checkpoint(file, alone, z);
            train(alone, z, whole(), 3, 6);
            if (form.averaged == Averaged::every_pass) CHECK(close(flat(z), flat(x)));
            CHECK(everywhere(alone.steps() == 6));
        }
    }
}

TEST_CASE("a model that owns its parameters steps on several ranks, too", "[mpi]") {
    for (auto const& form : {every_pass, descent}) {
        for (auto const& method : registry::method_names(lines())) {
            CAPTURE(method, rank_of());
            auto optimizer = make(method), in_place = make(method);
            optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
            in_place.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
            auto x = start(), model = start(), gradient = start();
            for (int step = 0; step < 4; ++step) {
                optimizer.step(x, own_share(step));
                in_place.step_in_place(model, gradient, [&](Pass pass) {
                    return own_share(step)(model, gradient, pass);
                });
            }
            CHECK(same_bits(flat(x), flat(model)));
        }
    }
}

TEST_CASE("large and frozen blocks, sums and calls at once are as good on several ranks", "[mpi]") {
    using Floats = std::vector<std::vector<float>>;
    Floats x{std::vector<float>(70000), std::vector<float>(5), std::vector<float>(3)};
    test::set_start(x);
    auto const frozen = x[1];
    auto y = x, z = x;
    auto const train_floats = [](Floats& of, MpiOptions const& form, auto const& closure_of) {
        BSAMPlus optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
        optimizer.set_groups({{.name = "fixed", .blocks = {"1"}, .frozen = true}});
        optimizer.set_ranks(Mpi(MPI_COMM_WORLD, form));
        for (int step = 0; step < 2; ++step) optimizer.step(of, closure_of(step));
    };
    for (auto const& form : {every_pass, descent}) {
        y = x;
        z = x;
        train_floats(y, form, own_share);
        CHECK(same_parameters(y));
        CHECK(same_bits(y[1], frozen));
        CHECK_FALSE(same_bits(y[0], x[0]));
        CHECK_FALSE(same_bits(y[2], x[2]));
        train_floats(z, form, [](int step) { return concurrent(own_share(step)); });
        CHECK(same_bits(flat(z), flat(y)));
    }
    // A loss that is a sum: each rank adds its part.
    auto sum = every_pass;
    sum.reduction = Reduction::sum;
    z = x;
    train_floats(y = x, every_pass, own_share);
    train_floats(z, sum, [](int step) {
        return [share = own_share(step)](Floats const& at, Floats& gradient, Pass pass) {
            const double loss = share(at, gradient, pass) / share.size;
            for (auto& block : gradient) {
                for (float& g : block) g /= static_cast<float>(share.size);
            }
            return loss;
        };
    });
    auto const a = flat(y), b = flat(z);
    CHECK(same_parameters(z));
    for (std::size_t i = 0; i < a.size(); i += 999) CHECK(a[i] == Approx(b[i]).margin(1e-3));
}

TEST_CASE("a perturbation is that of all ranks, or the rank's own", "[mpi]") {
    for (auto const& form : {every_pass, descent}) {
        auto optimizer = make("sam");
        optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        auto x = start(), eps = start(), expected = start();
        optimizer.perturbation(x, own_share(), eps);
        auto alone = make("sam");
        const bool all = form.averaged == Averaged::every_pass;
        alone.perturbation(x, all ? whole() : own_share(), expected);
        CHECK(close(flat(eps), flat(expected)));
        optimizer.step(x, own_share());
        CHECK(same_parameters(x));
    }
}

TEST_CASE("a rank without memory ends the step of all ranks", "[mpi]") {
    if (rank_count() == 1) return;
    for (auto const& form : {every_pass, descent}) {
        const Mpi ranks(MPI_COMM_WORLD, form);
        auto const share = own_share();
        Blocks gradient = start();
        // Twins, state, buffers and messages are made in the first step.
        auto const check_each = [&](auto optimizer) {
            optimizer.set_ranks(ranks);
            auto const count =
                fail_each_allocation(optimizer, [&](auto& of, Blocks& x) { of.step(x, share); });
            auto const count_in_place = fail_each_allocation(optimizer, [&](auto& of, Blocks& x) {
                of.step_in_place(x, gradient, [&](Pass pass) { return share(x, gradient, pass); });
            });
            if (rank_of() == rank_count() - 1) CHECK(std::min(count, count_in_place) > 20);
        };
        check_each(SAM{SGD{.learning_rate = 0.1, .momentum = 0.9}, {.rho = 0.1}});
        check_each(BSAMPlus{Adam{.learning_rate = 0.1}, {.rho = 0.1}});
    }
}

TEST_CASE("an eps of another shape on one rank ends the call of all that wait for it", "[mpi]") {
    if (rank_count() == 1) return;
    const bool is_last = rank_of() == rank_count() - 1;
    for (auto const& form : {every_pass, descent}) {
        auto optimizer = make("sam");
        optimizer.settings().set_ranks(Mpi(MPI_COMM_WORLD, form));
        auto x = start(), eps = start();
        Blocks other{Vector(7), Vector(is_last ? 12 : 11)};
        for (int step = 0; step < 2; ++step) {
            auto const message =
                message_of([&] { optimizer.perturbation(x, own_share(step), other); });
            // With the descent alone averaged, eps is the rank's own.
            if (is_last)
                CHECK_THAT(message, ContainsSubstring("eps: block 1 has 12 coordinates"));
            else if (form.averaged == Averaged::every_pass)
                CHECK_THAT(message, ContainsSubstring(last_rank() + " has thrown"));
            else
                CHECK(message.empty());
            optimizer.perturbation(x, own_share(step), eps);
            optimizer.step(x, own_share(step));
            CHECK(same_parameters(x));
        }
    }
}
