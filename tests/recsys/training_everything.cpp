// Every model trains with every optimizer: the loss falls, and the numbers are the same twice.
#include "support/catch.hpp"

#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <polder/blocks/arena.hpp>

#include "recsys/data/synthetic.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/checkpoint.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/sampler.hpp"
#include "recsys/training/trainer.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;

Dataset few_users() {
    return SyntheticGenerator({.name = "few",
                               .n_users = 60,
                               .n_items = 40,
                               .n_interactions = 500,
                               .visual_columns = 8,
                               .textual_columns = 6})();
}

// In small sizes, for what has a size.
Settings small(ModelEntry const& model) {
    Settings settings;
    for (auto const& known : model.hyper_parameters())
        for (auto const* name : {"embedding_size", "feat_embed_dim", "dim_latent", "recdim",
                                 "latent_embedding", "emb_K"})
            if (known.name == name) settings.emplace_back(name, "8");
    return settings;
}

TrainingOptions two_epochs() {
    TrainingOptions training;
    training.epochs = 2;
    training.batch_size = 64;
    training.eval_step = 2;
    return training;
}

// With a learning rate of 1e-2 unless they have one.
OptimizerOptions fast(OptimizerOptions options) {
    options.values.insert(options.values.begin(), {"learning_rate", "1e-2"});
    return options;
}

std::vector<float> values(ParameterArena<float> const& x) { return {x.begin(), x.end()}; }

struct Run {
    double start, end;  // the loss on the same batches, before and after
    std::vector<float> parameters;
};

// The mean over the batches of the first epoch, at given parameters.
double mean_loss(Dataset const& data, AnyModel<float>& model, TrainingOptions const& training,
                 ParameterArena<float> const& x) {
    Sampler sampler(data, static_cast<std::size_t>(training.batch_size), training.seed);
    auto gradient = x;
    model.begin_epoch(training.seed, 0);
    double sum = 0;
    for (std::size_t k = 0; k < sampler.n_batches(); ++k)
        sum += model.loss(x, sampler.batch(polder::Batch::first, 0, k), {}, gradient);
    return sum / static_cast<double>(sampler.n_batches());
}

Run train(Dataset const& data, ModelEntry const& entry, OptimizerOptions const& options) {
    HostLearner learner(make_model<float>(entry.name, data, small(entry), 1), fast(options));
    auto const training = two_epochs();
    Trainer trainer(data, learner, training);
    auto const& x = trainer.parameters();
    const double start = mean_loss(data, learner.model(), training, x);
    REQUIRE(trainer.run() == Ending::all_epochs);
    return {start, mean_loss(data, learner.model(), training, x), values(x)};
}

void check(Dataset const& data, ModelEntry const& model, OptimizerOptions const& options) {
    INFO(model.name << " with " << options.method << " on " << options.base);
    const Run run = train(data, model, options), again = train(data, model, options);
    CHECK(std::isfinite(run.end));
    CHECK(run.end < run.start);
    CHECK(run.end == again.end);
    CHECK(run.parameters == again.parameters);
}

// Instrumented models take minutes: there, every method and base on one of them, and one method on all.
#if defined(POLDER_SANITIZED)
constexpr bool is_instrumented = true;
#else
constexpr bool is_instrumented = false;
#endif

// A run that can be stopped after some batches.
struct Stoppable final : TrainingObserver {
    HostLearner learner;
    Trainer trainer;
    int batches = -1;  // that are left; never, if negative

    Stoppable(Dataset const& data, ModelEntry const& entry)
        : learner(make_model<float>(entry.name, data, small(entry), 1),
                  fast(parse_optimizer("bsam+"))),
          trainer(data, learner, two_epochs()) {}

    void after_batch(Trainer const&, polder::Report const&) override { --batches; }
    bool should_stop() override { return batches == 0; }
};

// Stops after some batches, each of which must have gone uphill.
struct Uphill final : TrainingObserver {
    int batches = 5;

    void after_batch(Trainer const&, polder::Report const& report) override {
        CHECK(report.sharpness() > 0);
        CHECK(report.cosine > 0);
        --batches;
    }
    bool should_stop() override { return batches == 0; }
};

}  // namespace

TEST_CASE("BSAM and BSAM+ ascend on every model with the default distance", "[recsys]") {
    auto const data = generate_synthetic(synthetic_options("small"));
    CHECK(models().size() == 17);
    for (auto const& model : models())
        for (std::string const method : {"bsam", "bsam+"}) {
            if (is_instrumented && model.name != "lightgcn") continue;
            INFO(model.name << " with " << method);
            HostLearner learner(make_model<float>(model.name, data, {}, 1),
                                parse_optimizer(method));
            Trainer trainer(data, learner, {});
            Uphill uphill;
            CHECK(trainer.run(uphill) == Ending::interrupted);
        }
}

TEST_CASE("every model goes on from a checkpoint as if it had not been interrupted", "[recsys]") {
    auto const data = few_users();
    TemporaryDirectory const folder;
    for (auto const& entry : models()) {
        INFO(entry.name);
        Stoppable whole(data, entry), begun(data, entry), continued(data, entry);
        REQUIRE(whole.trainer.run(whole) == Ending::all_epochs);
        // Within the second epoch, whose graphs and noise are not those of the first.
        begun.batches = static_cast<int>(begun.trainer.n_batches()) + 2;
        REQUIRE(begun.trainer.run(begun) == Ending::interrupted);
        save_run(folder / "run", begun.trainer, Json::object());
        polder::SafetensorsFile file(folder / "run");
        load_run(file, continued.trainer, Json::object());
        REQUIRE(continued.trainer.run(continued) == Ending::all_epochs);
        CHECK(values(continued.trainer.parameters()) == values(whole.trainer.parameters()));
        CHECK(continued.trainer.state().best == whole.trainer.state().best);
    }
}

TEST_CASE("every model trains with every method", "[recsys]") {
    auto const data = few_users();
    for (auto const& model : models())
        for (auto const& method : method_names()) {
            if (is_instrumented && model.name != "lightgcn" && method != "bsam+") continue;
            OptimizerOptions options{.method = method};
            // By default, .9, it steps along 9 s - 8 g, which may go up in the two epochs of so few rows.
            if (method.starts_with("wsam_coupled")) options.values = {{"gamma", "0.5"}};
            check(data, model, options);
        }
}

TEST_CASE("every model trains with every base optimizer", "[recsys]") {
    auto const data = few_users();
    for (auto const& model : models())
        for (auto const& base : base_names()) {
            if (is_instrumented && model.name != "lightgcn") continue;
            check(data, model, {.base = base});
        }
}
