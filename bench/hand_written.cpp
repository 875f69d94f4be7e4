// The composed step next to loops written by hand for one method: SAM over SGD, and BSAM over Adam.
//
// Both run in turn in one process, on arrays of their own. `ratio` is the time of the composed step over
// that of the loops (the median of the ratios of all pairs). The closures cost nothing: they leave the
// gradient as it is. The loops do not look for values that are not finite, and so neither does the step.
//
// BSAM_Adam_in_place has loops that save an array, and the fetching of its cache lines, but not what the
// step promises: the average is overwritten early, so that a closure that throws later has changed it.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <vector>

#include <benchmark/benchmark.h>

#include <polder/blocks/cache_line_allocator.hpp>
#include <polder/polder.hpp>

namespace {

// All arrays of both sides start at a cache line: where they do not, wide loads and stores straddle two,
// and a pass takes up to half as long again.
using Vector = std::vector<float, polder::CacheLineAllocator<float>>;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr float learning_rate = 1e-3f;
constexpr double rho = 0.05;
constexpr float decay = 0.6f;  // of the average
constexpr float gradient = 1e-9f;

// What an engineer writes who needs this one method: a loop for each pass.
struct HandSAM {
    HandSAM(std::size_t size, int n_threads)
        : x(size, 1.0f), g(size, gradient), point(size), threads(n_threads) {}

    template <class Loss>
    void step(Loss const& loss) {
        const std::size_t size = x.size();
        float* const px = x.data();
        float* const pp = point.data();
        float const* const pg = g.data();

        loss(x, g);
        double gg = 0;
#pragma omp parallel for simd num_threads(threads) reduction(+ : gg)
        for (std::size_t i = 0; i < size; ++i) gg += static_cast<double>(pg[i]) * pg[i];
        auto const c = static_cast<float>(rho / (std::sqrt(gg) + 1e-12));

#pragma omp parallel for simd num_threads(threads)
        for (std::size_t i = 0; i < size; ++i) pp[i] = px[i] + c * pg[i];

        loss(point, g);
#pragma omp parallel for simd num_threads(threads)
        for (std::size_t i = 0; i < size; ++i) px[i] -= learning_rate * pg[i];
    }

    Vector x, g, point;
    int threads;
};

template <bool in_place>
struct HandBSAM {
    HandBSAM(std::size_t size, int n_threads)
        : x(size, 1.0f), g(size, gradient), point(size), e(size), next(in_place ? 0 : size),
          m(size), v(size), threads(n_threads) {}

    template <class Loss>
    void step(Loss const& loss) {
        const std::size_t size = x.size();
        float* const px = x.data();
        float* const pp = point.data();
        float* const pe = e.data();
        float* const pn = in_place ? pe : next.data();
        float* const pm = m.data();
        float* const pv = v.data();
        float const* const pg = g.data();

        loss(x, g);
        double gg = 0, ge = 0, ee = 0, d = 0;
#pragma omp parallel for simd num_threads(threads) reduction(+ : gg, ge, ee, d)
        for (std::size_t i = 0; i < size; ++i) {
            const float average = decay * pe[i] + (1 - decay) * pg[i];
            pn[i] = average;
            const double a = pg[i], b = average;
            gg += a * a;
            ge += a * b;
            ee += b * b;
            d += std::abs(a - b);
        }
        auto const c = static_cast<float>(rho / (std::sqrt(gg - 2 * d * ge + d * d * ee) + 1e-12));
        auto const share = static_cast<float>(d);

#pragma omp parallel for simd num_threads(threads)
        for (std::size_t i = 0; i < size; ++i) pp[i] = px[i] + c * (pg[i] - share * pn[i]);

        loss(point, g);
        ++steps;
        auto const rate = static_cast<float>(learning_rate / (1 - std::pow(0.9, steps)));
        auto const root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(0.999, steps)));
#pragma omp parallel for simd num_threads(threads)
        for (std::size_t i = 0; i < size; ++i) {
            const float first = 0.9f * pm[i] + 0.1f * pg[i];
            const float second = 0.999f * pv[i] + 0.001f * (pg[i] * pg[i]);
            pm[i] = first;
            pv[i] = second;
            px[i] -= rate * first / (std::sqrt(second) * root_scale + 1e-8f);
        }
        if (!in_place) e.swap(next);
    }

    Vector x, g, point, e, next, m, v;
    int threads;
    int steps = 0;
};

template <class Hand, class Optimizer>
void compare(benchmark::State& state, Optimizer optimizer) {
    auto const size = static_cast<std::size_t>(state.range(0));
    auto const threads = static_cast<int>(state.range(1));
    Hand hand(size, threads);
    Vector x(size, 1.0f);
    optimizer.set_threads(threads);
    optimizer.set_non_finite(polder::NonFinite::propagate);

    bool preset = false;
    auto const loss = [&](Vector const&, Vector& g) {
        if (!preset) std::fill(g.begin(), g.end(), gradient);
        preset = true;
        return 1.0;
    };
    auto const nothing = [](Vector const&, Vector&) { benchmark::ClobberMemory(); };
    for (int warm = 0; warm < 2; ++warm) {
        optimizer.step(x, loss);
        hand.step(nothing);
    }
    if (std::abs(x[size / 2] - hand.x[size / 2]) > 1e-6f) {
        state.SkipWithError("the loops and the step differ");
        return;
    }

    std::vector<double> ratios, loops;
    for (auto _ : state) {
        auto const start = Clock::now();
        hand.step(nothing);
        loops.push_back(seconds_since(start));
        auto const middle = Clock::now();
        optimizer.step(x, loss);
        const double composed = seconds_since(middle);
        ratios.push_back(composed / loops.back());
        state.SetIterationTime(composed);
    }
    auto const median = [](std::vector<double>& values) {
        auto const middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
        std::nth_element(values.begin(), middle, values.end());
        return *middle;
    };
    state.counters["ratio"] = median(ratios);
    state.counters["by_hand_ms"] = median(loops) * 1e3;
}

void SAM_SGD(benchmark::State& state) {
    compare<HandSAM>(state, polder::SAM{polder::SGD{.learning_rate = learning_rate}, {.rho = rho}});
}

const polder::BSAM bsam{polder::Adam{.learning_rate = learning_rate},
                        {.rho = rho, .lambda = decay},
                        polder::Manhattan{}};
void BSAM_Adam(benchmark::State& state) { compare<HandBSAM<false>>(state, bsam); }
void BSAM_Adam_in_place(benchmark::State& state) { compare<HandBSAM<true>>(state, bsam); }

void sizes(benchmark::internal::Benchmark* b) {
    b->ArgNames({"floats", "threads"})
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond)
        ->Iterations(20)
        ->Repetitions(5)  // with new arrays: where their pages lie in memory makes a few percent
        ->ReportAggregatesOnly();
    for (int threads : {1, 2}) b->Args({30'000'000, threads});
}

BENCHMARK(SAM_SGD)->Apply(sizes);
BENCHMARK(BSAM_Adam)->Apply(sizes);
BENCHMARK(BSAM_Adam_in_place)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
