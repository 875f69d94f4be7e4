/// LightGCN on synthetic data of the size of Amazon Baby (19,445 users, 7,050 items, 64 numbers each): the
/// training step with its parts, and the propagation alone.
///
/// A training step is a batch of 2048, loss and gradient at 3 layers. `s/epoch` is the time of all
/// batches of an epoch; `GB/s` counts, per entry of the sparse matrix, one row that is read, its
/// index and its value, and every row of the result once.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include <polder/polder.hpp>

#include "recsys/data/synthetic.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/tape/eigen_backend.hpp"
#include "recsys/training/sampler.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;

Dataset const& baby() {
    static const Dataset data = SyntheticGenerator(synthetic_options("baby"))();
    return data;
}

// A model, its parameters and its batches.
struct Training {
    explicit Training(int threads)
        : model(make_model<float>("lightgcn", baby(), {}, threads)), sampler(baby(), 2048, 999) {
        model->declare(parameters);
        model->initialise(parameters, 999);
        gradient = parameters;
    }

    double loss(ParameterArena<float> const& x, ParameterArena<float>& into, polder::Pass pass) {
        return model->loss(x, sampler.batch(pass.batch, 0, batch), pass, into);
    }

    void next_batch() { batch = (batch + 1) % sampler.n_batches(); }

    void report(benchmark::State& state) const {
        state.counters["s/epoch"] = benchmark::Counter(
            static_cast<double>(state.iterations()) / static_cast<double>(sampler.n_batches()),
            benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
    }

    std::unique_ptr<AnyModel<float>> model;
    Sampler sampler;
    ParameterArena<float> parameters, gradient;
    std::size_t batch = 0;
};

void loss_and_gradient(benchmark::State& state) {
    Training training(static_cast<int>(state.range(0)));
    for (auto _ : state) {
        benchmark::DoNotOptimize(training.loss(training.parameters, training.gradient, {}));
        training.next_batch();
    }
    training.report(state);
}

template <class Optimizer>
void training_step(benchmark::State& state, Optimizer optimizer) {
    const int threads = static_cast<int>(state.range(0));
    Training training(threads);
    optimizer.set_threads(threads);
    const auto closure = [&](ParameterArena<float> const& x, ParameterArena<float>& gradient,
                             polder::Pass pass) { return training.loss(x, gradient, pass); };
    for (auto _ : state) {
        benchmark::DoNotOptimize(optimizer.step(training.parameters, closure));
        training.next_batch();
    }
    training.report(state);
}

void representations(benchmark::State& state) {
    Training training(static_cast<int>(state.range(0)));
    for (auto _ : state)
        benchmark::DoNotOptimize(training.model->representations(training.parameters));
}

void propagation(benchmark::State& state) {
    EigenBackend<float> backend(static_cast<int>(state.range(0)));
    const auto to_users = normalised_interactions<float>(baby());
    const auto to_items = transpose(to_users);
    const std::size_t d = 64;
    std::vector<float> u(to_users.rows * d, 1), i(to_users.cols * d, 1);
    const polder::MatrixView<float> users{u.data(), to_users.rows, d},
        items{i.data(), to_users.cols, d};
    const auto read_only = [](polder::MatrixView<float> x) {
        return polder::MatrixView<float const>{x.data, x.rows, x.cols};
    };
    for (auto _ : state) {
        backend.multiply(to_users, read_only(items), Rows::all(), users, Rows::all(), Rows::none());
        backend.multiply(to_items, read_only(users), Rows::all(), items, Rows::all(), Rows::none());
        benchmark::ClobberMemory();
    }
    const double entries = 2 * static_cast<double>(to_users.values.size());
    const double bytes = entries * static_cast<double>(d * sizeof(float) + 8) +
                         static_cast<double>((u.size() + i.size()) * sizeof(float));
    state.counters["GB/s"] = benchmark::Counter(
        bytes * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void on_threads(benchmark::internal::Benchmark* run) {
    run->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
}

BENCHMARK(propagation)->Apply(on_threads);
BENCHMARK(representations)->Apply(on_threads);
BENCHMARK(loss_and_gradient)->Apply(on_threads);
BENCHMARK_CAPTURE(training_step, adam, polder::Plain{polder::Adam{}})->Apply(on_threads);
BENCHMARK_CAPTURE(training_step, sam_adam, polder::SAM{polder::Adam{}, {}})->Apply(on_threads);
BENCHMARK_CAPTURE(training_step, bsam_plus_adam, polder::BSAMPlus{polder::Adam{}, {}})
    ->Apply(on_threads);

}  // namespace

BENCHMARK_MAIN();
