// One step of each method next to a loop that only moves the bytes the step has to move.
//
// Both run in turn in one process. `ratio` is the time of the step over that of the loop (the median of the
// repetitions), `extra_us` their difference, `GB/s` the pace of the loop. The closure costs nothing: it
// leaves the gradient as it is. Bytes per coordinate: docs/architecture.md.
//
//   step --benchmark_filter='BSAM.*' prints single methods.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <polder/engine/parallel.hpp>
#include <polder/polder.hpp>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// Passes that read and write as many arrays as those of a method; the arithmetic is one maximum per array.
class Traffic {
public:
    Traffic(std::size_t size, int arrays, int threads)
        : arrays_(static_cast<std::size_t>(arrays), std::vector<float>(size, 1.0f)),
          threads_(threads) {}

    // read a
    void read_1() {
        sums_.assign(pieces(), 0.0f);
        for_each([this](std::size_t piece, std::size_t begin, std::size_t end) {
            float const* a = arrays_[0].data();
            float lanes[16] = {};
            for (std::size_t i = begin; i + 16 <= end; i += 16) {
                for (std::size_t l = 0; l < 16; ++l) lanes[l] = std::max(lanes[l], a[i + l]);
            }
            sums_[piece] = *std::max_element(lanes, lanes + 16);
        });
        benchmark::DoNotOptimize(sums_.data());
    }

    // read `reads` arrays, write the last `updates` of them and, with `fresh`, one that is not read
    template <int reads, int updates, bool fresh>
    void move() {
        for_each([this](std::size_t, std::size_t begin, std::size_t end) {
            float* array[reads + 1];
            for (int k = 0; k <= reads; ++k) array[k] = arrays_[static_cast<std::size_t>(k)].data();
            move_piece<reads, updates, fresh>(array, begin, end);
        });
        benchmark::ClobberMemory();
    }

private:
    static constexpr std::size_t piece_size = 16384;

    std::size_t pieces() const { return (arrays_[0].size() + piece_size - 1) / piece_size; }

    template <class F>
    void for_each(F const& f) {
        polder::parallel_for(pieces(), pieces() < 4 ? 1 : threads_, [&](std::size_t piece) {
            const std::size_t begin = piece * piece_size;
            f(piece, begin, std::min(begin + piece_size, arrays_[0].size()));
        });
    }

    template <int reads, int updates, bool fresh>
    static void move_piece(float* const (&array)[reads + 1], std::size_t begin, std::size_t end) {
#pragma GCC ivdep
        for (std::size_t i = begin; i < end; ++i) {
            float largest = array[0][i];
            for (int k = 1; k < reads; ++k) largest = std::max(largest, array[k][i]);
            for (int k = reads - updates; k < reads; ++k) array[k][i] = largest;
            if (fresh) array[reads][i] = largest;
        }
    }

    std::vector<std::vector<float>> arrays_;
    std::vector<float> sums_;
    int threads_;
};

// The bound of each method: the passes of its step, as arrays read and written.
void bound_plain_sgd(Traffic& t) { t.move<2, 1, false>(); }   // g, x -> x
void bound_plain_adam(Traffic& t) { t.move<4, 3, false>(); }  // g, x, m, v -> x, m, v

void bound_sam_adam(Traffic& t) {
    t.read_1();            // g
    t.move<2, 0, true>();  // x, g -> x + eps
    bound_plain_adam(t);   // s, x, m, v -> x, m, v
}

void bound_average_adam(Traffic& t) {
    t.move<2, 1, false>();  // g, e -> e, with the sums
    t.move<3, 0, true>();   // x, g, e -> x + eps
    bound_plain_adam(t);
}

void bound_average_two_batches_adam(Traffic& t) {
    t.move<2, 1, false>();
    t.move<3, 0, true>();
    t.move<5, 3, false>();  // s, g2, x, m, v -> x, m, v
}

template <class Optimizer>
void run(benchmark::State& state, Optimizer optimizer, int arrays, void (*bound)(Traffic&)) {
    const auto size = static_cast<std::size_t>(state.range(0));
    const auto threads = static_cast<int>(state.range(1));
    std::vector<float> x(size, 1.0f);
    Traffic traffic(size, arrays + 1, threads);
    optimizer.set_threads(threads);
    const auto closure = [](std::vector<float> const&, std::vector<float>&, polder::Pass) {
        return 1.0;
    };
    std::vector<double> steps, bounds;
    for (int warm = 0; warm < 2; ++warm) {
        optimizer.step(x, closure);
        bound(traffic);
    }
    for (auto _ : state) {
        const auto start = Clock::now();
        bound(traffic);
        bounds.push_back(seconds_since(start));
        const auto middle = Clock::now();
        optimizer.step(x, closure);
        steps.push_back(seconds_since(middle));
        state.SetIterationTime(steps.back());
    }
    const auto median = [](std::vector<double>& v) {
        std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
        return v[v.size() / 2];
    };
    const double step = median(steps);
    const double least = median(bounds);
    state.counters["ratio"] = step / least;
    state.counters["extra_us"] = (step - least) * 1e6;
    state.counters["bound_us"] = least * 1e6;
}

void sizes_and_threads(benchmark::internal::Benchmark* b) {
    b->ArgNames({"floats", "threads"})
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond)
        ->MinTime(0.2);
    for (int size : {10'000, 1'000'000, 30'000'000}) {
        for (int threads : {1, 2}) b->Args({size, threads});
    }
}

const polder::SGD sgd{.learning_rate = 1e-3};
const polder::Adam adam{.learning_rate = 1e-3};

template <class Optimizer>
Optimizer let_through(Optimizer optimizer) {
    optimizer.set_non_finite(polder::NonFinite::propagate);
    return optimizer;
}

void SGD(benchmark::State& s) { run(s, polder::Plain{sgd}, 2, bound_plain_sgd); }
void SGD_propagate(benchmark::State& s) {
    run(s, let_through(polder::Plain{sgd}), 2, bound_plain_sgd);
}
void Adam(benchmark::State& s) { run(s, polder::Plain{adam}, 4, bound_plain_adam); }
void SAM_Adam(benchmark::State& s) { run(s, polder::SAM{adam}, 4, bound_sam_adam); }
// The gradient is the same in every step, so that with sigma = 1 v would cancel, and be added up again.
void FSAM_Adam(benchmark::State& s) {
    run(s, polder::FSAM{adam, {.sigma = 0.5}}, 4, bound_average_adam);
}
void BSAM_Adam(benchmark::State& s) { run(s, polder::BSAM{adam}, 4, bound_average_adam); }
void BSAMPlus_Adam(benchmark::State& s) {
    run(s, polder::BSAMPlus{adam}, 5, bound_average_two_batches_adam);
}

BENCHMARK(SGD)->Apply(sizes_and_threads);
BENCHMARK(SGD_propagate)->Apply(sizes_and_threads);
BENCHMARK(Adam)->Apply(sizes_and_threads);
BENCHMARK(SAM_Adam)->Apply(sizes_and_threads);
BENCHMARK(FSAM_Adam)->Apply(sizes_and_threads);
BENCHMARK(BSAM_Adam)->Apply(sizes_and_threads);
BENCHMARK(BSAMPlus_Adam)->Apply(sizes_and_threads);

}  // namespace

BENCHMARK_MAIN();
