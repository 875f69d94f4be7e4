// One step of each method next to a loop that only moves the bytes the step has to move.
//
// Both run in turn in one process. `ratio` is the time of the step over that of the loop (the median of the
// repetitions), `extra_us` their difference, `bytes` what the loop moves per coordinate. The closure costs
// nothing: it leaves the gradient as it is. Where steps differ, all steps of a period are timed together.
//
//   step --benchmark_filter='^BSAM' prints single methods.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <vector>

#include <benchmark/benchmark.h>

#include <polder/engine/parallel.hpp>
#include <polder/polder.hpp>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// A pass over memory: it reads `reads` arrays, writes the last `updates` of them, and `fresh` more, unread.
struct Pass {
    int reads;
    int updates = 0;
    int fresh = 0;

    constexpr int arrays() const { return reads + fresh; }
    constexpr int bytes() const {
        return (reads + updates + fresh) * static_cast<int>(sizeof(float));
    }
};

// Passes that read and write as many arrays as those of a method; the arithmetic is one maximum per array.
class Traffic {
public:
    Traffic(std::size_t size, int arrays, int threads)
        : arrays_(static_cast<std::size_t>(arrays), std::vector<float>(size, 1.0f)),
          largest_((size + piece_size - 1) / piece_size), threads_(threads) {}

    template <Pass pass>
    void move() {
        const std::size_t size = arrays_[0].size();
        const std::size_t pieces = largest_.size();
        polder::parallel_for(pieces, pieces < 4 ? 1 : threads_, [&](std::size_t piece) {
            const std::size_t begin = piece * piece_size;
            const std::size_t end = std::min(begin + piece_size, size);
            float* array[pass.arrays()];
            for (std::size_t k = 0; k < std::size(array); ++k) array[k] = arrays_[k].data();
            if constexpr (pass.updates + pass.fresh == 0) {
                largest_[piece] = read_piece<pass>(array, begin, end);
            } else {
                move_piece<pass>(array, begin, end);
            }
        });
        benchmark::ClobberMemory();
    }

private:
    static constexpr std::size_t piece_size = 16384;

    template <Pass pass>
    static float largest_at(float* const (&array)[pass.arrays()], std::size_t i) {
        float largest = array[0][i];
        for (int k = 1; k < pass.reads; ++k) largest = std::max(largest, array[k][i]);
        return largest;
    }

    template <Pass pass>
    static float read_piece(float* const (&array)[pass.arrays()], std::size_t begin,
                            std::size_t end) {
        float lanes[16] = {};
        for (std::size_t i = begin; i + 16 <= end; i += 16) {
            for (std::size_t l = 0; l < 16; ++l) {
                lanes[l] = std::max(lanes[l], largest_at<pass>(array, i + l));
            }
        }
        return *std::max_element(lanes, lanes + 16);
    }

    template <Pass pass>
    static void move_piece(float* const (&array)[pass.arrays()], std::size_t begin,
                           std::size_t end) {
#pragma GCC ivdep
        for (std::size_t i = begin; i < end; ++i) {
            const float largest = largest_at<pass>(array, i);
            for (int k = pass.reads - pass.updates; k < pass.arrays(); ++k) array[k][i] = largest;
        }
    }

    std::vector<std::vector<float>> arrays_;
    std::vector<float> largest_;  // of each piece
    int threads_;
};

std::vector<float> vector_of(std::size_t size) { return std::vector<float>(size, 1.0f); }

// As matrices have it that rows are taken from.
polder::ParameterArena<float> matrix_of(std::size_t size) {
    polder::ParameterArena<float> arena;
    arena.add("weights", size / 100, 100);
    return arena;
}

template <Pass... passes, class Optimizer, class Parameters>
void run(benchmark::State& state, Optimizer optimizer, int period,
         Parameters (*parameters)(std::size_t)) {
    auto const size = static_cast<std::size_t>(state.range(0));
    auto const threads = static_cast<int>(state.range(1));
    Parameters x = parameters(size);
    Traffic traffic(size, std::max({passes.arrays()...}), threads);
    optimizer.set_threads(threads);
    auto const closure = [](Parameters const&, Parameters&, polder::Pass) { return 1.0; };
    auto const step_through_period = [&] {
        for (int k = 0; k < period; ++k) optimizer.step(x, closure);
    };
    std::vector<double> steps, bounds;
    for (int warm = 0; warm < 2; ++warm) {
        step_through_period();
        (traffic.move<passes>(), ...);
    }
    for (auto _ : state) {
        auto const start = Clock::now();
        (traffic.move<passes>(), ...);
        bounds.push_back(seconds_since(start));
        auto const middle = Clock::now();
        step_through_period();
        steps.push_back(seconds_since(middle));
        state.SetIterationTime(steps.back());
    }
    auto const median = [](std::vector<double>& v) {
        std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
        return v[v.size() / 2];
    };
    const double step = median(steps);
    const double least = median(bounds);
    state.counters["ratio"] = step / least;
    state.counters["extra_us"] = (step - least) * 1e6;
    state.counters["bound_us"] = least * 1e6;
    state.counters["bytes"] = (passes.bytes() + ...);
}

// A row of the table below: a method, and the passes of `period` steps.
template <Pass... passes, class Optimizer, class Parameters = std::vector<float>>
void method(char const* name, Optimizer const& optimizer, int period = 1,
            Parameters (*parameters)(std::size_t) = vector_of) {
    auto* row = benchmark::RegisterBenchmark(name, [=](benchmark::State& state) {
        run<passes...>(state, optimizer, period, parameters);
    });
    row->ArgNames({"floats", "threads"})
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond)
        ->MinTime(0.2);
    for (int size : {10'000, 1'000'000, 30'000'000}) {
        for (int threads : {1, 2}) row->Args({size, threads});
    }
}

template <class Optimizer>
Optimizer let_through(Optimizer optimizer) {
    optimizer.set_non_finite(polder::NonFinite::propagate);
    return optimizer;
}

// The passes, by what they read -> and write. Masks, a byte per coordinate, count as nothing.
constexpr Pass sum_g{1};                    // g ->
constexpr Pass sum_g_x{2};                  // g, x ->
constexpr Pass sum_g_s{2};                  // g, s ->
constexpr Pass sum_g_e{2};                  // g, e ->
constexpr Pass sum_g_f{2};                  // g, f ->
constexpr Pass sum_move{2};                 // x, x + eps ->
constexpr Pass average{2, 1};               // g, e -> e, with the sums
constexpr Pass square{1, 0, 1};             // g -> f
constexpr Pass point{2, 0, 1};              // x, g -> x + eps
constexpr Pass point_average{3, 0, 1};      // x, g, e or f -> x + eps
constexpr Pass point_and_average{3, 1, 1};  // x, g, e -> e, x + eps
constexpr Pass point_again{2, 1};           // g, x + eps -> x + eps
constexpr Pass take_off_means{1, 1};        // eps -> eps
constexpr Pass add_x{2, 1};                 // x, eps -> x + eps
constexpr Pass update_0{2, 1};              // u, x -> x
constexpr Pass update_1{3, 2};              // u, x, one state -> x, state
constexpr Pass update_2{4, 3};              // u, x, two states -> x, states
constexpr Pass update_3{5, 4};              // u, x, three states -> x, states
constexpr Pass mix_update_2{5, 3};          // s, another gradient, x, two states -> x, states
constexpr Pass mix_3_update_2{6, 3};        // s, two other gradients, x, two states -> x, states
constexpr Pass keep_update_2{5, 3, 1};      // s, g, x, two states -> x, states, what LookSAM keeps
constexpr Pass mirror_down_2{4, 0, 3};      // u, x, two states -> their successors
constexpr Pass mirror_up_2{4, 2, 1};        // u, the successors of x and two states -> x, states
constexpr Pass moments_2{4, 0, 2};          // u, x, two states -> their successors, with the sums
constexpr Pass move_2{3, 1};                // x, two states -> x

void add_base_optimizers() {
    using namespace polder;
    const SGD sgd{.learning_rate = 1e-3};

    method<update_0>("SGD", Plain{sgd});
    method<update_0>("SGD_propagate", let_through(Plain{sgd}));
    method<update_1>("SGD_momentum", Plain{SGD{.learning_rate = 1e-3, .momentum = 0.9}});
    method<update_2>("Adam", Plain{Adam{}});
    method<update_3>("Adam_amsgrad", Plain{Adam{.amsgrad = true}});
    method<update_2>("AdamW", Plain{AdamW{}});
    method<update_1>("RMSprop", Plain{RMSprop{}});
    method<update_3>("RMSprop_centered_momentum",
                     Plain{RMSprop{.momentum = 0.9, .centered = true}});
    method<update_1>("Adagrad", Plain{Adagrad{}});
    method<update_1>("Lion", Plain{Lion{}});
    method<moments_2, move_2>("LAMB", Plain{LAMB{}});
    method<sum_g, point, update_0>("SAM_SGD", SAM{sgd});
}

// The table of docs/methods.md, all over Adam.
void add_methods() {
    using namespace polder;
    const Adam adam{};

    method<sum_g, point, update_2>("SAM", SAM{adam});
    method<sum_g, point, update_2>("SAM_infinity",
                                   Sharpness{InfinityBall{}, NoDistance{}, NoMix{}, adam});
    method<sum_g, sum_g, point, update_2>("SAM_Manhattan",
                                          Sharpness{ManhattanBall{}, NoDistance{}, NoMix{}, adam});
    method<sum_g, point, update_2>("SAM_p3",
                                   Sharpness{PNormBall{.p = 3}, NoDistance{}, NoMix{}, adam});
    method<sum_g, point, take_off_means, add_x, update_2>(
        "SAM_centralised", Sharpness{Centralised<EuclideanBall>{}, NoDistance{}, NoMix{}, adam}, 1,
        matrix_of);
    method<sum_g, point, sum_g, point_again, sum_move, update_2>(
        "SAM_two_ascents",
        Sharpness{SeveralAscents<EuclideanBall>{{}, 2}, NoDistance{}, NoMix{}, adam});
    method<sum_g_x, point, update_2>(
        "SAM_relative", Sharpness{Relative<EuclideanBall>{}, NoDistance{}, NoMix{}, adam});
    method<sum_g, point, update_2>("ESAM", ESAM{adam});
    method<average, point, update_2>("VaSSO", VaSSO{adam});
    method<sum_g, point, update_2>("Momentum-SAM", MomentumSAM{adam});
    method<sum_g, point, mirror_down_2, keep_update_2>("SAMPa", SAMPa{adam});
    method<sum_g_x, point, update_2>("ASAM", ASAM{adam});
    method<sum_g, point, update_2>("FisherSAM", FisherSAM{adam});
    method<average, sum_g_f, point_average, update_2>("FisherSAM_running",
                                                      FisherSAM{adam, {}, RunningFisher{}});
    method<square, sum_g_f, point_average, update_2>("FisherSAM_sample",
                                                     FisherSAM{adam, {}, SampleFisher{}});
    method<sum_g, point, update_2>("FisherSAM_per_block",
                                   FisherSAM<Adam, BatchFisher, MetricNormPerBlock>{adam});
    method<sum_g, point, update_2>("FisherSAM_Euclidean",
                                   FisherSAM<Adam, BatchFisher, EuclideanNorm>{adam});
    method<sum_g, point, update_2>("SSAM-F", SSAM{adam, {}, FisherMask{}});
    method<sum_g, point, update_2>("SSAM-D", SSAM{adam, {}, DynamicMask{}});
    // The gradient is the same in every step, so that with sigma = 1 v would cancel, and be added up again.
    const FSAMOptions fsam{.sigma = 0.5};
    method<average, point_average, update_2>("FSAM", FSAM{adam, fsam});
    method<average, point_average, update_2>("FSAM_after_update",
                                             FSAM<Adam, MovingAverage>{adam, fsam});
    method<sum_g_e, point_and_average, update_2>("FSAM_reduced",
                                                 FSAM<Adam, LaggedReducedAverage>{adam, fsam});
    method<average, point_average, update_2>("BSAM", BSAM{adam, {}, Manhattan{}});
    method<average, point_average, update_2>("BSAM_mean", BSAM{adam, {}, ManhattanMean{}});
    method<average, point_average, update_2>("BSAM_Euclidean", BSAM{adam, {}, Euclidean{}});
    method<average, point_average, update_2>("BSAM_Chebyshev", BSAM{adam, {}, Chebyshev{}});
    method<average, point_average, update_2>("BSAM_cosine", BSAM{adam, {}, Cosine{}});
    method<average, point_average, update_2>("BSAM_projection", BSAM{adam, {}, Projection{}});
    method<average, point_average, update_2>("BSAM_similarity", BSAM{adam, {}, Similarity{}});
    method<sum_g, point, mix_update_2>("GNP", GNP{adam});
    method<sum_g, point, sum_g_s, mix_update_2>("GSAM", GSAM{adam});
    method<sum_g, point, mix_update_2>("WSAM", WSAM{adam});
    method<sum_g, point, mix_update_2>("WSAM_coupled", WSAM<Adam, WeightedSharpness>{adam});
    method<sum_g, point, sum_g_s, keep_update_2, sum_g_s, mix_update_2>(
        "LookSAM", LookSAM{adam, {.every = 2}}, 2);
    method<sum_g, point, sum_g, sum_g_s, keep_update_2, sum_g_s, mix_update_2>(
        "LookSAM_per_block", LookSAM<Adam, ReusedAscentPerBlock>{adam, {.every = 2}}, 2);
    method<mirror_down_2, mirror_up_2, update_2>("MG", MirrorGradient{adam, {.beta = 2}}, 2);
    method<sum_g, point, mirror_down_2, mirror_up_2, update_2>("SGBD", SGBD{adam, {.beta = 2}}, 2);
    method<sum_g, point, mix_update_2>("SAM+", SAMPlus{adam});
    method<sum_g_x, point, mix_update_2>("ASAM+", ASAMPlus{adam});
    method<sum_g, point, mix_update_2>("FisherSAM+", FisherSAMPlus{adam});
    method<average, point_average, mix_update_2>("FSAM+", FSAMPlus{adam, {.sigma = 0.5}});
    method<sum_g, point, sum_g_s, mix_3_update_2>("GSAM+", GSAMPlus{adam});
    method<average, point_average, mix_update_2>("BSAM+", BSAMPlus{adam, {}, Manhattan{}});
}

// What may be around a method, around SAM over Adam.
void add_surroundings() {
    using namespace polder;

    SAM every_second{Adam{}};
    every_second.set_interval({.every = 2});
    method<sum_g, point, update_2, update_2>("SAM_every_second", every_second, 2);
    SAM clipped{Adam{}};
    clipped.set_clipping({.norm = 1});
    method<sum_g, point, sum_g, update_2>("SAM_clipped", clipped);
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    add_base_optimizers();
    add_methods();
    add_surroundings();
    benchmark::RunSpecifiedBenchmarks();
}
