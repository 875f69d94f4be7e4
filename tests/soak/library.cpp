// Runs of optimizers that are drawn at random, each with a mishap: polder_soak SECONDS SEED, or polder_soak --one SEED.
//
// A run is drawn from its seed: method, base optimizer and options by the registry, parameters, groups, schedules, an interval,
// clipping. It is made once without a mishap and once with one, which is put right as a user would; after the mishap everything
// must be as before it, and the two runs end with the same bits. Prints a line for each finding, with the seed that repeats it,
// and at the end a line of JSON that says how often each mishap hit. Exit code: 0 without a finding, 1 with one, 2 for wrong
// arguments.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/polder.hpp>
#include <polder/state/state.hpp>

#include "recsys/training/optimizer.hpp"
#include "support/count_allocations.hpp"
#include "support/random.hpp"
#include "support/temporary_directory.hpp"
#include "support/valley.hpp"

namespace {

using polder::test::Random;
using Parameters = polder::ParameterArena<float>;
using Optimizer = polder::recsys::AnyOptimizer;

enum class Mishap { not_finite, exception, no_memory, cut_file, flipped_bit, resumed, copied };
constexpr std::string_view mishap_names[] = {"a gradient or loss that is not finite",
                                             "an exception in the closure",
                                             "an allocation that fails",
                                             "a checkpoint cut short",
                                             "a checkpoint with a bit flipped",
                                             "saved and resumed",
                                             "copied, moved and assigned"};

struct Finding : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Leak : Finding {
    Leak() : Finding("memory has leaked") {}
};
struct InClosure : std::exception {};

// What the closure does in the step of a mishap.
struct Spoil {
    enum Kind { nothing, loss, gradient, exception } kind = nothing;
    int call = 0;  // at which evaluation, from 1
    float value = 0;
    bool hit = false;
};

// The mean of 1 - cos(a_i x_i - b), other ones in each step, batch and sample.
double loss_at(Parameters const& x, Parameters& gradient, polder::Pass pass, std::uint64_t step) {
    double const b = 0.1 * static_cast<double>(step % 7) +
                     (pass.batch == polder::Batch::second ? 0.35 : 0) + 0.2 * (pass.sample + 1);
    auto const n = static_cast<float>(x.size());
    double total = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        float const a = 1 + static_cast<float>((i + step) % 5) / 5;
        float const angle = a * x.data()[i] - static_cast<float>(b);
        total += 1 - static_cast<double>(std::cos(angle));
        gradient.data()[i] = a * std::sin(angle) / n;
    }
    return total / static_cast<double>(x.size());
}

// One drawn run. All is drawn when it is made, so that every run of a seed is the same.
class Run {
public:
    explicit Run(std::uint64_t seed) : random_(seed, 0) {
        draw_optimizer();
        draw_parameters();
        draw_settings();
        steps_ = random_.integer(2, 14);
        at_ = random_.integer(0, steps_ - 1);
        epoch_ = random_.integer(2, 6);
        change_groups_at_ = random_.coin() ? random_.integer(0, steps_ - 1) : steps_;
        mishap_ = static_cast<Mishap>(random_.integer(0, std::size(mishap_names) - 1));
    }

    std::string describe() const {
        std::string text = options_.method + " on " + options_.base;
        for (auto const& [name, value] : options_.values) text += " " + name + "=" + value;
        return text + ", " + std::to_string(start_.size()) + " parameters, mishap in step " +
               std::to_string(at_) + " of " + std::to_string(steps_) + ": " +
               std::string(mishap_names[static_cast<int>(mishap_)]);
    }
    Mishap mishap() const { return mishap_; }

    // Returns whether the mishap hit. Throws Finding.
    bool check() {
        folder();
        std::size_t const in_use = allocations_in_use();
        bool hit = false;
        {
            Parameters undisturbed = start_, disturbed = start_;
            auto calm = make(), hurt = make();
            try {
                for (std::uint64_t t = 0; t < steps_; ++t) step(*calm, undisturbed, t);
            } catch (polder::NonFiniteError const&) {
                return false;  // under the drawn options it diverges
            }
            for (std::uint64_t t = 0; t < steps_; ++t) {
                before_step(*hurt, t);
                if (t == at_) hit = disturb(hurt, disturbed, t);
                step_alone(*hurt, disturbed, t);
            }
            require(same_bits(undisturbed, disturbed),
                    "the parameters are not those of the run without a mishap");
            require(state(*calm) == state(*hurt),
                    "the state is not that of the run without a mishap");
        }
        if (allocations_in_use() != in_use) throw Leak();
        return hit;
    }

private:
    static void require(bool holds, char const* what) {
        if (!holds) throw Finding(what);
    }
    template <class T>
    T const& one_of(std::vector<T> const& list) {
        return list[random_.integer(0, list.size() - 1)];
    }

    void draw_optimizer() {
        static auto const methods = polder::recsys::method_names();
        static auto const bases = polder::recsys::base_names();
        for (;;) {
            options_ = {};
            options_.method = one_of(methods);
            options_.base = one_of(bases);
            try {
                auto const defaults = polder::recsys::optimizer_values(options_);
                for (auto const& option : defaults) {
                    if (random_.coin()) continue;
                    if (auto const* number = std::get_if<double>(&option.value)) {
                        bool const whole = *number == std::floor(*number) && *number >= 1;
                        double const other = whole ? std::floor(*number * random_.uniform(1, 3))
                                                   : *number * random_.uniform(0.3, 3);
                        options_.values.emplace_back(option.name, in_text(other, whole));
                    } else if (auto const* flag = std::get_if<bool>(&option.value)) {
                        options_.values.emplace_back(option.name, *flag ? "false" : "true");
                    }
                }
                polder::recsys::make_optimizer(options_);
                return;
            } catch (std::invalid_argument const&) {
                // Out of range, or together impossible: drawn again.
            }
        }
    }
    static std::string in_text(double value, bool whole) {
        char text[40];
        std::snprintf(text, sizeof text, whole ? "%.0f" : "%.9g", value);
        return text;
    }

    void draw_parameters() {
        std::size_t const blocks = random_.integer(1, 6);
        bool const large = random_.integer(0, 15) == 0;  // in threads
        for (std::size_t b = 0; b < blocks; ++b) {
            std::size_t const rows = random_.integer(1, large ? 400 : 30);
            start_.add("block " + std::to_string(b), rows, random_.integer(1, large ? 60 : 12));
        }
        for (std::size_t i = 0; i < start_.size(); ++i)
            start_.data()[i] = static_cast<float>(random_.uniform(-1, 1));
    }

    std::vector<polder::Group> draw_groups() {
        std::vector<polder::Group> groups;
        for (std::size_t g = random_.integer(0, 2); g > 0; --g) {
            polder::Group group{.name = "group " + std::to_string(g)};
            group.blocks = {"block " + std::to_string(g - 1)};
            if (g > start_.entries().size()) continue;
            if (random_.coin()) group.learning_rate = random_.uniform(0.001, 0.1);
            if (random_.coin()) group.weight_decay = random_.uniform(0, 0.1);
            group.adaptive = random_.coin();
            group.frozen = random_.integer(0, 3) == 0;
            groups.push_back(std::move(group));
        }
        return groups;
    }
    void draw_settings() {
        groups_ = draw_groups();
        other_groups_ = draw_groups();
        rate_schedule_ = random_.integer(0, 3);
        rho_schedule_ = random_.integer(0, 3);
        if (random_.integer(0, 3) == 0) clipping_.norm = random_.uniform(0.01, 1);
        if (random_.integer(0, 7) == 0) clipping_.value = random_.uniform(0.001, 0.1);
        has_interval_ = random_.integer(0, 3) == 0;
        interval_ = {.every = random_.integer(1, 3),
                     .phase = random_.coin() ? polder::Phase::first : polder::Phase::last,
                     .warm_up = random_.integer(0, 2),
                     .restart_each_epoch = random_.coin()};
        threads_ = static_cast<int>(random_.integer(1, 3));
        skips_ = random_.coin();
        in_place_ = random_.integer(0, 3) == 0;
    }

    std::unique_ptr<Optimizer> make() const {
        auto made = polder::recsys::make_optimizer(options_);
        auto& settings = made->settings();
        if (!groups_.empty()) settings.set_groups(groups_);
        auto const set = [](std::size_t which, auto const& give) {
            if (which == 1) give(polder::schedules::Cosine{.steps = 9, .last = 0.1});
            if (which == 2) give(polder::schedules::WarmUp{.steps = 5});
            if (which == 3) give(polder::schedules::Step{.every = 3, .factor = 0.5});
        };
        set(rate_schedule_, [&](auto s) { settings.set_learning_rate_schedule(s); });
        set(rho_schedule_, [&](auto s) { settings.set_rho_schedule(s); });
        settings.set_clipping(clipping_);
        if (has_interval_) settings.set_interval(interval_);
        settings.set_threads(threads_);
        settings.set_non_finite(skips_ ? polder::NonFinite::skip : polder::NonFinite::raise);
        return made;
    }

    void before_step(Optimizer& optimizer, std::uint64_t t) const {
        if (t % epoch_ == 0) optimizer.begin_epoch();
        if (t == change_groups_at_) optimizer.settings().set_groups(other_groups_);
    }
    polder::Report step_alone(Optimizer& optimizer, Parameters& x, std::uint64_t t,
                              Spoil* spoil = nullptr) const {
        int calls = 0;
        auto const evaluate = [&](Parameters const& at, Parameters& gradient, polder::Pass pass) {
            double const loss = loss_at(at, gradient, pass, t);
            if (spoil == nullptr || spoil->kind == Spoil::nothing || ++calls != spoil->call)
                return loss;
            spoil->hit = true;
            if (spoil->kind == Spoil::exception) throw InClosure();
            if (spoil->kind == Spoil::loss) return static_cast<double>(spoil->value);
            gradient.data()[t % gradient.size()] = spoil->value;
            return loss;
        };
        if (!in_place_) return optimizer.step(x, evaluate);
        Parameters gradient = x;
        return optimizer.step_in_place(
            x, gradient, [&](polder::Pass pass) { return evaluate(x, gradient, pass); });
    }
    void step(Optimizer& optimizer, Parameters& x, std::uint64_t t) const {
        before_step(optimizer, t);
        step_alone(optimizer, x, t);
    }

    // Whether the mishap hit. The optimizer may be another one afterwards.
    bool disturb(std::unique_ptr<Optimizer>& optimizer, Parameters& x, std::uint64_t t) {
        switch (mishap_) {
        case Mishap::not_finite:
        case Mishap::exception:
            return spoil_step(*optimizer, x, t);
        case Mishap::no_memory:
            return starve_step(*optimizer, x, t);
        case Mishap::cut_file:
        case Mishap::flipped_bit:
        case Mishap::resumed:
            return save(optimizer, x);
        case Mishap::copied: {
            if (random_.coin()) {
                optimizer = std::make_unique<Optimizer>(*optimizer);
            } else {
                Optimizer moved = std::move(*optimizer);
                *optimizer = moved;
            }
            return true;
        }
        }
        return false;
    }

    bool spoil_step(Optimizer& optimizer, Parameters& x, std::uint64_t t) {
        Spoil spoil;
        spoil.call = static_cast<int>(random_.integer(1, 3));
        constexpr float values[] = {std::numeric_limits<float>::quiet_NaN(),
                                    std::numeric_limits<float>::infinity(),
                                    -std::numeric_limits<float>::infinity()};
        spoil.value = values[random_.integer(0, 2)];
        spoil.kind = mishap_ == Mishap::exception ? Spoil::exception
                     : random_.coin()             ? Spoil::loss
                                                  : Spoil::gradient;
        Parameters const before = x;
        optimizer.bind(x);
        std::string const state_before = state(optimizer);
        auto undisturbed = optimizer;
        bool refused = false;
        // A coordinate of a frozen block is read by nobody, so it may be anything.
        auto const frozen = optimizer.settings().groups();
        bool const may_pass = std::any_of(frozen.begin(), frozen.end(),
                                          [](polder::Group const& g) { return g.frozen; });
        try {
            auto const report = step_alone(optimizer, x, t, &spoil);
            refused = report.skipped;
        } catch (polder::NonFiniteError const&) {
            refused = true;
            require(!skips_, "NonFinite::skip threw");
        } catch (InClosure const&) {
            refused = true;
        }
        if (!spoil.hit || !refused) {
            require(!spoil.hit || (may_pass && spoil.kind == Spoil::gradient),
                    spoil.kind == Spoil::loss       ? "a loss that is not finite was taken"
                    : spoil.kind == Spoil::gradient ? "a gradient that is not finite was taken"
                                                    : "an exception of the closure was lost");
            // The step was made: go back to before it.
            optimizer = undisturbed;
            std::copy_n(before.data(), before.size(), x.data());
            return false;
        }
        require(same_bits(x, before), "a step that was refused has changed parameters");
        require(state(optimizer) == state_before, "a step that was refused has changed state");
        return true;
    }

    bool starve_step(Optimizer& optimizer, Parameters& x, std::uint64_t t) {
        Parameters const before = x;
        auto undisturbed = optimizer;
        bool const bound = t > 0;
        std::string const state_before = bound ? state(optimizer) : "";
        std::size_t const n = random_.integer(1, bound ? 3 : 60);
        bool failed = false;
        fail_allocation(n);
        try {
            if (random_.coin()) optimizer.settings().set_groups(optimizer.settings().groups());
            step_alone(optimizer, x, t);
        } catch (std::bad_alloc const&) {
            failed = true;
        } catch (...) {
            fail_allocation(0);
            throw;
        }
        fail_allocation(0);
        if (!failed) {
            optimizer = undisturbed;
            std::copy_n(before.data(), before.size(), x.data());
            return false;
        }
        require(same_bits(x, before), "a step without memory has changed parameters");
        if (bound)
            require(state(optimizer) == state_before, "a step without memory has changed state");
        return true;
    }

    bool save(std::unique_ptr<Optimizer>& optimizer, Parameters& x) {
        auto const file = folder() / "run.safetensors";
        polder::save_checkpoint(file, *optimizer, x);
        auto fresh = make();
        fresh->settings().set_groups(optimizer->settings().groups());
        Parameters other = x;
        std::fill_n(other.data(), other.size(), 7.0f);
        if (mishap_ == Mishap::resumed) {
            polder::load_checkpoint(file, *fresh, other);
            require(same_bits(other, x), "loaded parameters are others");
            require(state(*fresh) == state(*optimizer), "loaded state is another");
            optimizer = std::move(fresh);
            std::copy_n(other.data(), other.size(), x.data());
            return true;
        }
        std::ifstream in(file, std::ios::binary);
        std::string text{std::istreambuf_iterator<char>(in), {}};
        if (mishap_ == Mishap::cut_file) {
            text.resize(random_.integer(0, text.size() - 1));
        } else {
            auto& byte = text[random_.integer(0, text.size() - 1)];
            byte = static_cast<char>(byte ^ (1 << random_.integer(0, 7)));
        }
        auto const damaged = folder() / "damaged.safetensors";
        std::ofstream(damaged, std::ios::binary) << text;
        Parameters const untouched = other;
        try {
            polder::load_checkpoint(damaged, *fresh, other);
        } catch (polder::FileError const&) {
            require(same_bits(other, untouched),
                    "a damaged file was refused after it changed parameters");
            require(fresh->steps() == 0, "a damaged file was refused after it changed state");
            return true;
        }
        // In the spaces of the header, or in what nobody reads.
        require(same_bits(other, x), "a damaged file was taken for parameters");
        require(state(*fresh) == state(*optimizer), "a damaged file was taken for state");
        return true;
    }

    static std::filesystem::path folder() {
        static TemporaryDirectory const one;
        return one.path();
    }
    static bool same_bits(Parameters const& a, Parameters const& b) {
        return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    }
    // All state as bytes. Steps that were left out are counted by themselves.
    static std::string state(Optimizer& optimizer) {
        return polder::test::state_bytes(optimizer, "skipped_steps");
    }

    Random random_;
    polder::recsys::OptimizerOptions options_;
    Parameters start_;
    std::vector<polder::Group> groups_, other_groups_;
    std::size_t rate_schedule_ = 0, rho_schedule_ = 0;
    polder::Clipping clipping_;
    polder::Interval interval_;
    bool has_interval_ = false, skips_ = false, in_place_ = false;
    int threads_ = 1;
    std::uint64_t steps_ = 0, at_ = 0, epoch_ = 1, change_groups_at_ = 0;
    Mishap mishap_ = Mishap::copied;
};

// Returns whether there is a finding, which it prints. `hits`: how often each mishap hit.
bool try_one(std::uint64_t seed, std::map<Mishap, int>& hits) {
    std::string what;
    std::string run = "a run that could not be drawn";
    try {
        Run drawn(seed);
        run = drawn.describe();
        bool hit = false;
        try {
            hit = drawn.check();
        } catch (Leak const&) {  // or something that is made once and stays
            hit = Run(seed).check();
        }
        if (hit) ++hits[drawn.mishap()];
        return false;
    } catch (std::exception const& error) {
        what = error.what();
    }
    std::printf("FINDING: %s (%s)\n  repeat it with: polder_soak --one %llu\n", what.c_str(),
                run.c_str(), static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    return true;
}

std::uint64_t number(char const* text) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text, text + std::strlen(text), value);
    if (error != std::errc() || *end != '\0' || end == text)
        throw std::invalid_argument(std::string("'") + text + "' is no whole number");
    return value;
}

}  // namespace

int main(int argc, char** argv) {
    std::map<Mishap, int> hits;
    int findings = 0, runs = 0;
    try {
        if (argc != 3) throw std::invalid_argument("usage: polder_soak SECONDS SEED | --one SEED");
        bool const one = std::strcmp(argv[1], "--one") == 0;
        std::uint64_t const seconds = one ? 0 : number(argv[1]);
        auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
        std::uint64_t seed = number(argv[2]);
        do {
            findings += try_one(seed++, hits);
            ++runs;
        } while (!one && findings < 20 && std::chrono::steady_clock::now() < end);
    } catch (std::exception const& error) {
        std::fprintf(stderr, "polder_soak: %s\n", error.what());
        return 2;
    }
    std::printf("{\"runs\": %d, \"findings\": %d, \"hits\": {", runs, findings);
    for (std::size_t m = 0; m < std::size(mishap_names); ++m)
        std::printf("%s\"%s\": %d", m == 0 ? "" : ", ", mishap_names[m].data(), hits[Mishap(m)]);
    std::printf("}}\n");
    return findings > 0 ? 1 : 0;
}
