/// What a second batch costs: seconds of an epoch of BSAM on one thread, and of BSAM+ on two, with one batch after the other and
/// with both at once (polder-recsys train --parallel-batches). All with Adam, in batches of 2048 rows.
///
///     bench_parallel_batches lightgcn DIR               a data set in files, as polder-recsys --data takes it
///     bench_parallel_batches freedom synthetic:baby 5   on 5 batches each time, instead of 10
///
/// The three take turns, nine times, on the first batches of an epoch, and what is printed are medians: seconds of a batch
/// times the batches of an epoch, without evaluation.

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>

#include "recsys/data/source.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/models/two_models.hpp"
#include "recsys/training/learner.hpp"
#include "recsys/training/sampler.hpp"

namespace {

using namespace polder::recsys;

constexpr std::size_t batch_size = 2048;
constexpr std::uint64_t seed = 999;
constexpr std::size_t rounds = 9;

// One way to train.
class Contender {
public:
    std::string name;
    std::vector<double> seconds{};  // of an epoch

    Contender(std::string what, Dataset const& data, std::unique_ptr<AnyModel<float>> model,
              std::string const& method, int threads)
        : name(std::move(what)), sampler_(data, batch_size, seed),
          learner_(std::move(model), parse_optimizer(method)) {
        learner_.model().declare(parameters_);
        learner_.model().initialise(parameters_, seed);
        learner_.model().begin_epoch(seed, 0);
        learner_.bind(parameters_, threads);
        learner_.begin_epoch();
        step();  // allocates
    }

    void measure(std::size_t batches) {
        auto const start = std::chrono::steady_clock::now();
        for (std::size_t k = 0; k < batches; ++k) step();
        std::chrono::duration<double> const passed = std::chrono::steady_clock::now() - start;
        seconds.push_back(passed.count() * static_cast<double>(sampler_.n_batches()) /
                          static_cast<double>(batches));
    }

    double median() const {
        auto sorted = seconds;
        std::sort(sorted.begin(), sorted.end());
        return sorted[sorted.size() / 2];
    }

private:
    void step() {
        learner_.step(parameters_,
                      [this](polder::Pass pass) { return sampler_.batch(pass.batch, 0, batch_); });
        batch_ = (batch_ + 1) % sampler_.n_batches();
    }

    Sampler sampler_;
    HostLearner learner_;
    polder::ParameterArena<float> parameters_;
    std::size_t batch_ = 0;
};

int compare(std::string const& model, std::string const& source, std::size_t batches) {
    auto const data = load_data({.name = source});
    std::fprintf(stderr, "%s on %s: %d users, %d items; making the models\n", model.c_str(),
                 data.name.c_str(), data.n_users, data.n_items);
    auto const make = [&](int threads) { return make_model<float>(model, data, {}, threads); };
    std::array contenders{
        std::make_unique<Contender>("bsam, 1 thread", data, make(1), "bsam", 1),
        std::make_unique<Contender>("bsam+, 2 threads", data, make(2), "bsam+", 2),
        std::make_unique<Contender>("bsam+, 2 threads, --parallel-batches", data,
                                    std::make_unique<TwoModels<float>>(make(2), make(2), 2),
                                    "bsam+", 2)};
    for (std::size_t round = 0; round < rounds; ++round) {
        std::fprintf(stderr, "round %zu of %zu:", round + 1, rounds);
        for (auto& each : contenders) {
            each->measure(batches);
            std::fprintf(stderr, " %.3f s", each->seconds.back());
        }
        std::fprintf(stderr, "\n");
    }
    double const bsam = contenders.front()->median();
    std::printf("%s on %s, seconds of an epoch, median of %zu\n", model.c_str(), data.name.c_str(),
                rounds);
    for (auto const& each : contenders)
        std::printf("%-38s %8.3f   %.2f of bsam\n", each->name.c_str(), each->median(),
                    each->median() / bsam);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> const arguments(argv + 1, argv + argc);
    std::size_t batches = 10;
    bool is_number = true;
    if (arguments.size() == 3) {
        auto const& text = arguments[2];
        auto const end = text.data() + text.size();
        auto const result = std::from_chars(text.data(), end, batches);
        is_number = result.ec == std::errc{} && result.ptr == end && batches > 0;
    }
    if (arguments.size() < 2 || arguments.size() > 3 || !is_number) {
        std::fprintf(stderr, "usage: bench_parallel_batches MODEL DATA [BATCHES]\n"
                             "BATCHES: at least 1, how many are measured at a time\n");
        return 2;
    }
    try {
        return compare(arguments[0], arguments[1], batches);
    } catch (std::exception const& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}
