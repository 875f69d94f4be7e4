/// The training step of every model, on synthetic data of the size of Amazon Baby (19,445 users, 7,050 items, 64
/// numbers each): a batch of 2048 rows, with Adam and with BSAM+ on Adam. Its counters are shares of the step in percent: products of dense matrices,
/// propagation over graphs, rows gathered and put back, ranking and contrastive losses, the optimizer, and
/// the rest (element by element, norms, noise).
///
/// The graphs that models build before they train: the 10 nearest of 7,050 items by 4,096 features, and the 200
/// users of the data who have most items in common with each.
///
/// LightGCN on the same data: the propagation alone and the representations of all users and items. `GB/s` counts, per entry of the sparse matrix, one row that is read, its index and its
/// value, and every row of the result once.
///
///     bench_recsys --benchmark_filter=freedom

#include <chrono>
#include <cstddef>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>

#include "recsys/data/synthetic.hpp"
#include "recsys/models/common_items.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/item_graph.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/random.hpp"
#include "recsys/tape/eigen_backend.hpp"
#include "recsys/tape/profile.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/sampler.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;

Dataset const& baby() {
    static const Dataset data = SyntheticGenerator(synthetic_options("baby"))();
    return data;
}

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

void training_step(benchmark::State& state, std::string_view name, std::string const& method) {
    const int threads = static_cast<int>(state.range(0));
    Dataset const& data = baby();
    auto const model = make_model<float>(name, data, {}, threads);
    auto const optimizer = make_optimizer(parse_optimizer(method));
    optimizer->set_threads(threads);
    Sampler sampler(data, 2048, 999);
    ParameterArena<float> parameters;
    model->declare(parameters);
    model->initialise(parameters, 999);
    model->begin_epoch(999, 0);
    group_parameters(*optimizer, model->frozen(), {});

    std::size_t batch = 0;
    double in_model = 0;
    const Closure closure = [&](ParameterArena<float> const& x, ParameterArena<float>& gradient,
                                polder::Pass pass) {
        const double start = now();
        const double loss = model->loss(x, sampler.batch(pass.batch, 0, batch), pass, gradient);
        in_model += now() - start;
        return loss;
    };
    optimizer->step(parameters, closure);  // allocates
    Profile profile;
    Profile::active = &profile;
    in_model = 0;
    const double start = now();
    for (auto _ : state) {
        batch = (batch + 1) % sampler.n_batches();
        benchmark::DoNotOptimize(optimizer->step(parameters, closure));
    }
    const double total = now() - start;
    Profile::active = nullptr;

    auto const share = [&](double seconds) { return 100 * seconds / total; };
    auto const part = [&](Part p) { return profile.seconds[static_cast<std::size_t>(p)]; };
    state.counters["products"] = share(part(Part::products));
    state.counters["propagation"] = share(part(Part::propagation));
    state.counters["gather"] = share(part(Part::gather));
    state.counters["loss"] = share(part(Part::loss));
    state.counters["optimizer"] = share(total - in_model);
    state.counters["rest"] =
        share(in_model - std::accumulate(profile.seconds.begin(), profile.seconds.end(), 0.0));
}

void representations(benchmark::State& state) {
    auto const model = make_model<float>("lightgcn", baby(), {}, static_cast<int>(state.range(0)));
    ParameterArena<float> parameters;
    model->declare(parameters);
    model->initialise(parameters, 999);
    for (auto _ : state) benchmark::DoNotOptimize(model->representations(parameters));
}

void propagation(benchmark::State& state) {
    EigenBackend<float> backend(static_cast<int>(state.range(0)));
    auto const to_users = normalised_interactions<float>(baby());
    auto const to_items = transpose(to_users);
    const std::size_t d = 64;
    std::vector<float> u(to_users.rows * d, 1), i(to_users.cols * d, 1);
    const polder::MatrixView<float> users{u.data(), to_users.rows, d},
        items{i.data(), to_users.cols, d};
    auto const read_only = [](polder::MatrixView<float> x) {
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

// The graphs that are built before training: k nearest items by features, and users by common items.
void item_graph(benchmark::State& state) {
    constexpr std::size_t n = 7'050, columns = 4'096;
    std::vector<float> features(n * columns);
    Random random(999, "features");
    for (float& value : features) value = static_cast<float>(random.normal());
    const polder::MatrixView<float const> x{features.data(), n, columns};
    for (auto _ : state)
        benchmark::DoNotOptimize(nearest_neighbours(x, 10, static_cast<int>(state.range(0))));
}

void user_graph(benchmark::State& state) {
    auto const history = UserItems::distinct(baby().train, baby().n_users);
    for (auto _ : state)
        benchmark::DoNotOptimize(
            common_items(history, baby().n_items, 200, static_cast<int>(state.range(0))));
}

void on_threads(benchmark::internal::Benchmark* run) {
    run->ArgName("threads")->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    for (auto const& entry : models())
        for (std::string const method : {"none", "bsam+"})
            on_threads(
                benchmark::RegisterBenchmark((std::string(entry.name) + "/" + method).c_str(),
                                             [&entry, method](benchmark::State& state) {
                                                 training_step(state, entry.name, method);
                                             }));
    on_threads(benchmark::RegisterBenchmark("propagation", propagation));
    on_threads(benchmark::RegisterBenchmark("representations", representations));
    on_threads(benchmark::RegisterBenchmark("item_graph", item_graph));
    on_threads(benchmark::RegisterBenchmark("user_graph", user_graph));
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
