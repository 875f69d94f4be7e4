// Checks the mixtures that it is linked with: check SEED.
//
// Each is drawn hyper-parameters, groups, clipping, epochs and an interval from the seed, and takes some steps beside the
// reference in plain loops. Prints a line for each mixture that disagrees and ends with how many there were. Exit code: 0
// where all agree, 1 otherwise.

#include "composable/check.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace polder::test {

// What a ball asks for, a mask around it asks for, too.
static_assert(Masked<FisherBall<SampleFisher>, DynamicMask>::samples);
static_assert(!Masked<FisherBall<BatchFisher>, DynamicMask>::samples);

namespace {

constexpr std::size_t parameters = 12 + 15 + 5;
constexpr std::size_t batch_size = 4;
constexpr std::size_t steps = 6;
// Of the largest parameter. Both sides compute the same numbers in another order.
constexpr double tolerance = 1e-9;

std::vector<double> flat(Parameters const& x) {
    std::vector<double> values;
    const_cast<Parameters&>(x).visit_blocks(
        [&](std::string const&, double const* data, std::size_t size, BlockShape) {
            values.insert(values.end(), data, data + size);
        });
    return values;
}
void set(Parameters& x, std::vector<double> const& values) {
    auto from = values.begin();
    x.visit_blocks([&](std::string const&, double* data, std::size_t size, BlockShape) {
        std::copy_n(from, size, data);
        from += static_cast<std::ptrdiff_t>(size);
    });
}

}  // namespace

SmallProblem::SmallProblem() {
    Random random(7, 0);
    for (int k = 0; k < 23; ++k) {
        auto& w = w_.emplace_back();
        for (std::size_t i = 0; i < parameters; ++i) w.push_back(random.uniform(-1, 1));
        c_.push_back(random.uniform(-2, 2));
    }
}

double SmallProblem::loss(std::vector<double> const& x, std::vector<double>& gradient, int batch,
                          int sample) {
    ++calls;
    std::fill(gradient.begin(), gradient.end(), 0);
    double total = 0;
    bool const whole = sample < 0;
    double const share = whole ? 1.0 / batch_size : 1;
    for (std::size_t j = 0; j < batch_size; ++j) {
        if (!whole && j != static_cast<std::size_t>(sample)) continue;
        std::size_t const k =
            (batch_size * (2 * step + static_cast<std::size_t>(batch)) + j) % w_.size();
        double at = -c_[k];
        for (std::size_t i = 0; i < parameters; ++i) at += w_[k][i] * x[i];
        total += share * std::log(std::cosh(at));
        for (std::size_t i = 0; i < parameters; ++i) {
            gradient[i] += share * std::tanh(at) * w_[k][i];
        }
    }
    return total;
}

double Closure::operator()(Parameters const& x, Parameters& gradient, Pass pass) const {
    if (pass.batch != Batch::first && !second_batch)
        throw std::logic_error("a batch is asked for that was not announced");
    if (pass.sample >= 0 && !samples)
        throw std::logic_error("a sample is asked for that was not announced");
    std::vector<double> g(parameters);
    double const loss = problem->loss(flat(x), g, pass.batch == Batch::first ? 0 : 1, pass.sample);
    set(gradient, g);
    return loss;
}

std::vector<Pair>& all_pairs() {
    static std::vector<Pair> pairs;
    return pairs;
}
std::vector<Single>& all_singles() {
    static std::vector<Single> singles;
    return singles;
}

std::string name_of(BaseElsewhere const& base) {
    return std::visit([]<class B>(B const&) { return policy_name<B>(); }, base.base.kind);
}
AnyBase make_any_base(std::size_t base, Random& random, plain::Base& plain) {
    using Maker = AnyBase (*)(Random&, plain::Base&);
    static auto const makers = []<std::size_t... b>(std::index_sequence<b...>) {
        return std::array<Maker, sizeof...(b)>{
            [](Random& r, plain::Base& of) { return AnyBase(table::make_base<b>(r, of)); }...};
    }
    (std::make_index_sequence<table::base_count>{});
    return makers.at(base)(random, plain);
}

namespace {

// What is around a mixture, of both sides.
struct Surroundings {
    std::vector<Group> groups;
    std::vector<plain::Group> plain_groups;
    std::vector<std::size_t> group_of = {0, 0, 0};  // of each block
    bool begins_with_epoch = false;
    std::size_t epoch_length = steps;

    // Writes an interval and the limits of the gradient to the reference, the rest it keeps.
    Surroundings(Random& r, plain::Method& method, bool has_interval) {
        if (r.coin()) {
            plain::Group own{.learning_rate = r.uniform(0.001, 0.1),
                             .weight_decay = r.uniform(0, 0.1),
                             .adaptive = r.coin()};
            if (r.coin()) own.rho = r.uniform(0.01, 0.2);
            add(own, "1");
        }
        if (r.integer(0, 3) == 0) add({.frozen = true}, "0");
        if (r.integer(0, 3) == 0) method.clipping.norm = r.uniform(0.1, 2);
        if (r.integer(0, 7) == 0) method.clipping.value = r.uniform(0.01, 1);
        begins_with_epoch = r.coin();
        epoch_length = r.integer(2, 4);
        if (has_interval && r.integer(0, 3) == 0) {
            method.interval = {.every = 2, .last = r.coin(), .restart_each_epoch = r.coin()};
        }
    }
    void put_around(Settings& settings, plain::Method const& method) const {
        settings.set_groups(groups);
        settings.set_clipping({.norm = method.clipping.norm, .value = method.clipping.value});
        plain::Interval const& interval = method.interval;
        settings.set_interval({.every = interval.every,
                               .phase = interval.last ? Phase::last : Phase::first,
                               .restart_each_epoch = interval.restart_each_epoch});
    }

private:
    void add(plain::Group const& group, std::string const& block) {
        plain_groups.push_back(group);
        groups.push_back({"of " + block,
                          {block},
                          group.learning_rate,
                          group.weight_decay,
                          group.rho,
                          group.adaptive,
                          group.frozen});
        group_of[block == "0" ? 0 : 1] = plain_groups.size();
    }
};

void require_equal(char const* what, std::size_t step, double found, double expected,
                   double bound) {
    if (std::abs(found - expected) <= bound) return;  // and so neither is not-a-number
    if (std::isnan(found) && std::isnan(expected)) return;
    char text[200];
    std::snprintf(text, sizeof text, "step %zu: %s is %.17g, expected %.17g", step, what, found,
                  expected);
    throw std::runtime_error(text);
}

void require_equal(char const* what, std::size_t step, std::vector<double> const& found,
                   std::vector<double> const& expected) {
    double largest = 0;
    for (double value : expected) largest = std::max(largest, std::abs(value));
    for (std::size_t i = 0; i < parameters; ++i) {
        std::string const which = std::string(what) + "[" + std::to_string(i) + "]";
        require_equal(which.c_str(), step, found[i], expected[i], tolerance * largest);
    }
}

// Throws where the two sides disagree.
void compare(Pair::Make make, std::size_t perturbation, std::size_t mix, std::size_t base,
             Random random, std::string& name) {
    plain::Method method;
    auto const mixture = make(mix, base, random, method);
    name = mixture->name();
    bool const moves = perturbation != 0;
    // A reference without a perturbation has no steps between.
    Surroundings const around(random, method, moves);
    around.put_around(mixture->settings(), method);

    plain::Optimizer reference(
        method,
        {{.size = 12, .rows = 4, .cols = 3, .group = around.group_of[0]},
         {.size = 15, .rows = 3, .cols = 5, .row_major = false, .group = around.group_of[1]},
         {.size = 5, .rows = 5, .group = around.group_of[2]}},
        around.plain_groups);
    SmallProblem problem;
    Closure closure{&problem};
    mixture->announce(closure);
    auto container = Parameters::of({{4, 3}, {3, 5, false}, {5}});
    auto eps = container;
    std::vector<double> x(parameters);
    for (double& value : x) value = random.uniform(-1, 1);
    set(container, x);
    auto const& layers = method.perturb.around;
    if (std::count(layers.begin(), layers.end(), plain::Around::mask) > 0 &&
        method.perturb.mask.kind == plain::MaskKind::fixed) {
        for (auto& each : reference.mask) each = random.coin() ? 1 : 0;
        mixture->set_mask(container, reference.mask);
    }

    for (std::size_t t = 0; t < steps; ++t) {
        if (t % around.epoch_length == 0 && (t > 0 || around.begins_with_epoch)) {
            mixture->settings().begin_epoch();
            reference.begin_epoch();
        }
        problem.step = t;
        auto const f = [&](plain::Vector const& at, plain::Vector& g, int batch, bool, int sample) {
            return problem.loss(at, g, batch, sample);
        };
        if (mixture->perturbation(container, closure, eps)) {
            auto const expected = reference.perturbation(x, f);
            require_equal("eps", t, flat(eps), expected);
        }
        problem.calls = 0;
        Report const report = mixture->step(container, closure);
        int const calls = std::exchange(problem.calls, 0);
        double const loss = reference.step(x, f);
        require_equal("x", t, flat(container), x);
        require_equal("the number of evaluations", t, calls, problem.calls, 0);
        require_equal("the loss", t, report.loss, loss, tolerance * std::max(1.0, loss));
        if (!std::isnan(reference.distance)) {
            require_equal("the distance", t, report.distance, reference.distance,
                          tolerance * std::max(1.0, std::abs(reference.distance)));
        }
        if (!reference.eps.empty() && !std::isnan(report.perturbation_norm)) {
            double square = 0;
            for (double e : reference.eps) square += e * e;
            require_equal("the norm of eps", t, report.perturbation_norm, std::sqrt(square),
                          tolerance * std::max(1.0, std::sqrt(square)));
        }
    }
}

struct Tally {
    std::size_t agree = 0, disagree = 0, refused = 0;

    template <class F>
    void run(char const* kind, std::array<std::size_t, 4> const& of, F const& f) {
        std::string name;
        try {
            f(name);
            ++agree;
        } catch (std::exception const& error) {
            ++disagree;
            std::printf("FAIL  %s %zu %zu %zu %zu (%s): %s\n", kind, of[0], of[1], of[2], of[3],
                        name.c_str(), error.what());
        }
    }
};

Random random_of(std::uint64_t seed, std::array<std::size_t, 4> const& of) {
    std::uint64_t draw = 0;
    for (std::size_t each : of) draw = 10007 * draw + each;
    return Random(seed, draw);
}

void check(Pair const& pair, std::uint64_t seed, Tally& tally) {
    for (std::size_t mix = 0; mix < table::mix_count; ++mix) {
        bool const fits = table::fits(pair.perturbation, pair.distance, mix);
        for (std::size_t base = 0; base < table::base_count; ++base) {
            std::array const of{pair.perturbation, pair.distance, mix, base};
            bool const says = pair.composable[mix][base];
            if (says == fits && !fits) {
                ++tally.refused;
                continue;
            }
            tally.run("mixture", of, [&](std::string& name) {
                if (says != fits) {
                    throw std::runtime_error(says ? "composable says that it fits, expected that "
                                                    "it does not"
                                                  : "composable says that it does not fit, "
                                                    "expected that it does");
                }
                compare(pair.make, pair.perturbation, mix, base, random_of(seed, of), name);
            });
        }
    }
}

}  // namespace

}  // namespace polder::test

int main(int argc, char** argv) {
    using namespace polder::test;
    std::uint64_t seed = 0;
    char const* const text = argc == 2 ? argv[1] : "";
    auto const [end, error] = std::from_chars(text, text + std::strlen(text), seed);
    if (argc != 2 || error != std::errc() || *end != '\0') {
        std::fprintf(stderr, "usage: check SEED\n");
        return 2;
    }
    Tally tally;
    for (Pair const& pair : all_pairs()) check(pair, seed, tally);
    for (Single const& s : all_singles()) {
        std::array const of{s.perturbation, s.distance, s.mix, s.base};
        tally.run("of its own type", of, [&](std::string& name) {
            compare(s.make, s.perturbation, s.mix, s.base, random_of(seed, of), name);
        });
    }
    std::printf("%zu agree, %zu disagree, %zu are refused\n", tally.agree, tally.disagree,
                tally.refused);
    return tally.disagree == 0 ? 0 : 1;
}
