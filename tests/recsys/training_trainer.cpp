#include "recsys/training/trainer.hpp"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/synthetic.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/checkpoint.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;
using polder::Pass;

Dataset tiny() { return generate_synthetic(synthetic_options("tiny")); }

TrainingOptions options(int epochs) {
    TrainingOptions result;
    result.epochs = epochs;
    result.batch_size = 256;
    return result;
}

// A run of LightGCN.
struct Lightgcn {
    HostLearner learner;
    Trainer trainer;

    Lightgcn(Dataset const& data, std::string const& method, TrainingOptions const& o)
        : learner(make_model<float>("lightgcn", data, {{"embedding_size", "16"}}, o.threads),
                  parse_optimizer(method)),
          trainer(data, learner, o) {}
};

std::vector<float> values_of(ParameterArena<float> const& arena) {
    return {arena.begin(), arena.end()};
}

// Everything that training produces, without the time it took.
std::string outcome(Trainer& trainer) {
    auto const& state = trainer.state();
    std::ostringstream text;
    text << state.epoch << " " << state.batch << " " << state.best_epoch;
    for (auto const& record : state.epochs) {
        for (double const value : {record.loss, record.sharpness, record.cosine, record.distance})
            text << " " << json_number(value);
        if (record.metrics)
            text << json_of_metrics(record.metrics->valid) << json_of_metrics(record.metrics->test);
    }
    polder::SafetensorsWriter writer;
    trainer.learner().add_state(writer, trainer.parameters());
    writer.write(text);
    return text.str();
}

class StopAfter final : public TrainingObserver {
public:
    explicit StopAfter(std::size_t n_batches) : n_batches_(n_batches) {}
    void after_batch(Trainer const&, polder::Report const&) override { --n_batches_; }
    bool should_stop() override { return n_batches_ == 0; }

private:
    std::size_t n_batches_;
};

// A model whose valid metrics follow a script: one user, one item to find, one number per epoch that
// says whether it is found at rank 1 (1), rank 6 (0.5) or not (0).
class Scripted final : public AnyModel<float> {
public:
    std::vector<double> script;
    double loss_value = 1;
    int n_epochs = 0, n_evaluations = 0;

    std::string_view name() const override { return "scripted"; }
    std::vector<HyperParameterValue> hyper_parameters() const override { return {}; }
    void declare(ParameterArena<float>& parameters) const override { parameters.add("x", 1, 1); }
    void initialise(ParameterArena<float>& parameters, std::uint64_t) const override {
        parameters.data()[0] = 0;
    }
    void prepare_epoch(int) override { ++n_epochs; }
    double loss(ParameterArena<float> const&, Triples const&, Pass,
                ParameterArena<float>& gradient) override {
        gradient.data()[0] = 1;
        return loss_value;
    }
    std::vector<LossTerm> terms() const override { return {}; }
    Representations<float> representations(ParameterArena<float> const&) override {
        double const value = script.at(static_cast<std::size_t>(n_evaluations++));
        for (std::size_t item = 0; item < items_.size(); ++item)
            items_[item] = -static_cast<float>(item);
        items_[1] = value == 1 ? 1.0F : value == 0.5 ? -6.5F : -100.0F;
        return {{users_.data(), users_.size(), 1}, {items_.data(), items_.size(), 1}};
    }

    static Dataset data() {
        Dataset data;
        data.name = "script";
        data.n_users = 2;
        data.n_items = 60;
        data.train = {{0, 0}, {1, 2}};
        data.valid = {{0, 1}};
        data.test = {{0, 1}};
        return data;
    }

private:
    std::vector<float> users_{1, 1}, items_ = std::vector<float>(60);
};

// Training of it.
struct ScriptedLearner {
    std::unique_ptr<Scripted> owned = std::make_unique<Scripted>();
    Scripted& model = *owned;
    HostLearner learner;

    ScriptedLearner(std::vector<double> script, OptimizerOptions const& optimizer)
        : learner(std::move(owned), optimizer) {
        model.script = std::move(script);
    }
};

}  // namespace

TEST_CASE("training with any optimizer lowers the loss and learns the data", "[trainer][numbers]") {
    auto const data = tiny();
    auto const method =
        std::string(GENERATE("none", "sam", "asam+", "fsam", "bsam+", "gsam", "mg"));
    CAPTURE(method);
    Lightgcn run(data, method, options(30));
    CHECK(run.trainer.run() == Ending::all_epochs);
    auto const& epochs = run.trainer.state().epochs;
    REQUIRE(epochs.size() == 30);
    CHECK(epochs.back().loss < 0.95 * epochs.front().loss);
    CHECK(std::isnan(epochs.back().sharpness) == (method == "none" || method == "mg"));
    // Popularity alone: one user vector, an item's number of train rows.
    std::vector<float> const users(static_cast<std::size_t>(data.n_users), 1.0F);
    std::vector<float> items(static_cast<std::size_t>(data.n_items));
    for (auto const& row : data.train) items[static_cast<std::size_t>(row.item)] += 1;
    Representations<float> const popularity{{users.data(), users.size(), 1},
                                            {items.data(), items.size(), 1}};
    auto const by_popularity = FullSort(data)(popularity, 1).test["recall@20"];
    CHECK(run.trainer.state().best.test["recall@20"] > 1.5 * by_popularity);
}

TEST_CASE("an epoch says how its ascents went", "[trainer]") {
    auto const data = tiny();
    auto const epoch_of = [&](std::string const& method) {
        Lightgcn run(data, method, options(1));
        run.trainer.run();
        return std::pair{run.trainer.state().epochs.front(), run.trainer.state().n_downhill};
    };
    auto const [plain, plain_downhill] = epoch_of("none");
    CHECK(std::isnan(plain.cosine));
    CHECK(std::isnan(plain.distance));
    CHECK(plain_downhill == 0);
    auto const [sam, sam_downhill] = epoch_of("sam");
    CHECK(sam.cosine == 1);
    CHECK(std::isnan(sam.distance));
    CHECK(sam_downhill == 0);
    auto const [cosine, cosine_downhill] = epoch_of("bsam:distance=cosine");
    CHECK(cosine.cosine > 0.5);
    CHECK(cosine.cosine < 1);
    CHECK(cosine.distance > 0);
    CHECK(cosine.distance < 2);
    CHECK(cosine_downhill == 0);
    // A distance of 5 turns v = g - d e round in the first step, where e = 0.4 g.
    auto const [far, far_downhill] = epoch_of("fsam_after:sigma=5:lambda=0.6");
    CHECK(far.cosine < 0);
    CHECK(far.distance == 5);
    CHECK(far_downhill == static_cast<int>((data.train.size() + 255) / 256));
}

TEST_CASE("training does not depend on the number of threads", "[trainer][threads]") {
    auto const data = tiny();
    auto one = options(2), three = options(2);
    three.threads = 3;
    Lightgcn a(data, "bsam+", one), b(data, "bsam+", three);
    a.trainer.run();
    b.trainer.run();
    CHECK(values_of(a.trainer.parameters()) == values_of(b.trainer.parameters()));
    CHECK(outcome(a.trainer) == outcome(b.trainer));
}

TEST_CASE("training depends on the seed", "[trainer]") {
    auto const data = tiny();
    auto other = options(1);
    other.seed = 1000;
    Lightgcn a(data, "none", options(1)), b(data, "none", other), c(data, "none", options(1));
    CHECK(values_of(a.trainer.parameters()) != values_of(b.trainer.parameters()));
    a.trainer.run();
    c.trainer.run();
    CHECK(outcome(a.trainer) == outcome(c.trainer));
}

TEST_CASE("a run continued from a checkpoint is the run without interruption", "[trainer]") {
    auto const data = tiny();
    // With masks, an average, a mirror, a kept gradient and a schedule.
    auto const method = std::string(GENERATE("none", "bsam+", "ssam_f:refresh_epochs=1:samples=2",
                                             "ssam_d:refresh_epochs=1", "mg:base=sgd:momentum=0.9",
                                             "looksam:every=3:rho_schedule=inverse"));
    // 13 batches per epoch: between epochs, within one, and before the evaluation of one.
    auto const n_batches = GENERATE(1U, 13U, 20U, 26U, 27U);
    CAPTURE(method, n_batches);
    Json const run = {{"method", method}};
    TemporaryDirectory const folder;

    Lightgcn whole(data, method, options(4));
    CHECK(whole.trainer.n_batches() == 13);
    whole.trainer.run();

    Lightgcn begun(data, method, options(4));
    StopAfter stop(n_batches);
    CHECK(begun.trainer.run(stop) == Ending::interrupted);
    save_run(folder / "run", begun.trainer, run);
    auto const at_save = outcome(begun.trainer);

    Lightgcn continued(data, method, options(4));
    polder::SafetensorsFile file(folder / "run");
    load_run(file, continued.trainer, run);
    CHECK(outcome(continued.trainer) == at_save);
    CHECK(continued.trainer.run() == Ending::all_epochs);
    CHECK(outcome(continued.trainer) == outcome(whole.trainer));
    CHECK(values_of(continued.trainer.parameters()) == values_of(whole.trainer.parameters()));
    CHECK(values_of(continued.trainer.best_parameters()) ==
          values_of(whole.trainer.best_parameters()));

    // Saving changed nothing.
    begun.trainer.run();
    CHECK(outcome(begun.trainer) == outcome(whole.trainer));
}

TEST_CASE("a finished run can be made longer", "[trainer]") {
    auto const data = tiny();
    TemporaryDirectory const folder;
    Lightgcn whole(data, "bsam", options(5)), shorter(data, "bsam", options(3)),
        longer(data, "bsam", options(5));
    whole.trainer.run();
    shorter.trainer.run();
    save_run(folder / "run", shorter.trainer, Json::object());
    polder::SafetensorsFile file(folder / "run");
    load_run(file, longer.trainer, Json::object());
    longer.trainer.run();
    CHECK(outcome(longer.trainer) == outcome(whole.trainer));
}

TEST_CASE("a checkpoint of another run is refused with the difference", "[trainer][checkpoint]") {
    auto const data = tiny();
    TemporaryDirectory const folder;
    Lightgcn run(data, "sam", options(1));
    save_run(folder / "run", run.trainer, {{"seed", 999}, {"rho", 0.1}});
    auto const fails = [&](Trainer& trainer, Json const& identity, std::string const& message) {
        polder::SafetensorsFile file(folder / "run");
        CHECK_THROWS_WITH(load_run(file, trainer, identity), ContainsSubstring(message));
    };
    fails(run.trainer, {{"seed", 1000}, {"rho", 0.1}},
          "was made with seed = 999, this run has 1000");
    fails(run.trainer, {{"seed", 999}, {"kappa", 0.1}}, "was made with kappa = nothing");
    fails(run.trainer, {{"seed", 999}}, "was made with rho = 0.1, this run has nothing");
    Lightgcn other(data, "bsam", options(1));
    auto const before = outcome(other.trainer);
    auto const parameters = values_of(other.trainer.parameters());
    fails(other.trainer, {{"seed", 999}, {"rho", 0.1}}, "holds the state of");
    CHECK(outcome(other.trainer) == before);
    CHECK(values_of(other.trainer.parameters()) == parameters);

    polder::SafetensorsWriter writer;
    writer.write(folder / "run");
    fails(run.trainer, Json::object(), "the metadata has no 'format'");
    writer.add_metadata("format", "other");
    writer.write(folder / "run");
    fails(run.trainer, Json::object(),
          "is not a checkpoint of this version, expected polder-recsys");
    writer.add_metadata("version", std::string(checkpoint_version));
    writer.add_metadata("format", std::string(checkpoint_format));
    writer.add_metadata("run", "{}");
    writer.add_metadata("state", R"({"epoch": "three"})");
    writer.write(folder / "run");
    fails(run.trainer, Json::object(), "'state' in the metadata is damaged");
}

TEST_CASE("early stopping tolerates stopping_step evaluations without a gain", "[trainer]") {
    auto const data = Scripted::data();
    ScriptedLearner scripted({0, 0.5, 0.5, 0, 1, 1, 1, 1, 1, 1}, {"none", "sgd", {}});
    auto& model = scripted.model;
    auto o = options(100);
    o.stopping_step = 2;
    o.valid_metric = "ndcg@20";
    Trainer trainer(data, scripted.learner, o);
    CHECK(trainer.run() == Ending::early_stopping);
    // The gain of epoch 4 is the last; epochs 5 and 6 are tolerated, 7 ends the run.
    CHECK(trainer.state().best_epoch == 4);
    CHECK(trainer.state().epochs.size() == 8);
    CHECK(model.n_epochs == 8);
    CHECK(trainer.state().best.test["recall@5"] == 1);
    // One step of 1e-3 per epoch: the best parameters are those of epoch 4, after 5 steps.
    CHECK(trainer.best_parameters().data()[0] == Approx(-5e-3));
    CHECK(trainer.parameters().data()[0] == Approx(-8e-3));
    CHECK(trainer.run() == Ending::early_stopping);
    CHECK(trainer.state().epochs.size() == 8);
}

TEST_CASE("evaluation happens every eval_step epochs", "[trainer]") {
    auto const data = Scripted::data();
    ScriptedLearner scripted({1, 1}, {"none", "sgd", {}});
    auto& model = scripted.model;
    auto o = options(5);
    o.eval_step = 2;
    Trainer trainer(data, scripted.learner, o);
    CHECK(trainer.run() == Ending::all_epochs);
    CHECK(model.n_evaluations == 2);
    CHECK(trainer.state().best_epoch == 1);
    CHECK_FALSE(trainer.state().epochs[0].metrics.has_value());
    CHECK(trainer.state().epochs[3].metrics.has_value());
}

TEST_CASE("an epoch's loss is the mean over its batches, also where a method computes none at x",
          "[trainer]") {
    auto const data = Scripted::data();
    auto const method = std::string(GENERATE("none", "sam", "sampa", "momentum_sam", "mg"));
    CAPTURE(method);
    ScriptedLearner scripted({1, 1, 1}, {method, "adam", {}});
    auto o = options(3);
    o.batch_size = 1;  // two batches in an epoch
    Trainer trainer(data, scripted.learner, o);
    trainer.run();
    for (auto const& epoch : trainer.state().epochs) CHECK(epoch.loss == 1);
}

TEST_CASE("with eval_users evaluations rank some users, and the result is over all of them",
          "[trainer]") {
    auto const data = tiny();
    auto few = options(4);
    few.eval_users = 20;
    Lightgcn run(data, "none", few), all(data, "none", options(4));
    run.trainer.run();
    all.trainer.run();
    for (auto const& epoch : run.trainer.state().epochs) {
        CHECK(epoch.metrics->test.n_users <= 20);
        CHECK(epoch.metrics->test.n_users > 0);
        CHECK(epoch.loss == all.trainer.state().epochs[static_cast<std::size_t>(epoch.epoch)].loss);
    }
    auto const& best = run.trainer.state().best;
    CHECK(best == FullSort(data)(run.trainer.best_representations(), 1));
    CHECK(best.test.n_users == all.trainer.state().best.test.n_users);
    FullSort const one(data, {.users = 20, .seed = 1}), again(data, {.users = 20, .seed = 1}),
        other(data, {.users = 20, .seed = 2});
    CHECK(std::equal(one.users().begin(), one.users().end(), again.users().begin()));
    CHECK_FALSE(std::equal(one.users().begin(), one.users().end(), other.users().begin()));
    CHECK(std::is_sorted(one.users().begin(), one.users().end()));
}

TEST_CASE("with select = last the result is the last epoch, without validation rows, too",
          "[trainer]") {
    auto data = Scripted::data();
    ScriptedLearner scripted({1, 0, 0, 0.5}, {"none", "sgd", {}});
    auto o = options(7);
    o.eval_step = 2;
    o.stopping_step = 0;
    o.select = "last";
    Trainer trainer(data, scripted.learner, o);
    CHECK(trainer.run() == Ending::all_epochs);
    CHECK(trainer.state().best_epoch == 6);  // evaluated, though it is not an even one
    CHECK(scripted.model.n_evaluations == 4);
    CHECK(trainer.state().best.test["recall@10"] == 1);
    CHECK(values_of(trainer.best_parameters()) == values_of(trainer.parameters()));

    data.valid.clear();
    ScriptedLearner other({1}, {"none", "sgd", {}});
    o.epochs = 1;
    Trainer without(data, other.learner, o);
    CHECK(without.run() == Ending::all_epochs);
    CHECK(without.state().best.test["recall@5"] == 1);
    CHECK(std::isnan(without.state().best.valid["recall@5"]));
    TemporaryDirectory const folder;
    save_run(folder / "run", without, Json::object());
    Trainer again(data, other.learner, o);
    polder::SafetensorsFile file(folder / "run");
    load_run(file, again, Json::object());
    CHECK(again.state().best_epoch == 0);
    CHECK(std::isnan(again.state().best_value));
    CHECK(std::isnan(again.state().best.valid["recall@5"]));
    CHECK(again.state().best.test["recall@5"] == 1);

    o.select = "best";
    ScriptedLearner refused({1}, {"none", "sgd", {}});
    CHECK_THROWS_WITH(Trainer(data, refused.learner, o), ContainsSubstring("--select last"));
    o.select = "first";
    CHECK_THROWS_WITH(o.validate(), ContainsSubstring("unknown selection of an epoch 'first'"));
}

TEST_CASE("the learning rate follows its schedule per epoch", "[trainer]") {
    auto const data = Scripted::data();
    ScriptedLearner scripted({1, 1, 1}, {"none", "sgd", {{"learning_rate", "0.5"}}});
    auto o = options(3);
    o.decay_factor = 0.25;
    o.decay_epochs = 2;
    Trainer trainer(data, scripted.learner, o);
    trainer.run();
    // One batch per epoch and a gradient of 1: rates 0.5, 0.25, 0.125.
    CHECK(trainer.parameters().data()[0] == -0.875F);
}

TEST_CASE("a loss that is not finite ends training at the last finite point", "[trainer]") {
    auto const data = Scripted::data();
    ScriptedLearner scripted({1, 1}, {"sam", "sgd", {}});
    auto& model = scripted.model;
    Trainer trainer(data, scripted.learner, options(9));
    StopAfter stop(1);
    trainer.run(stop);
    auto const before = trainer.parameters().data()[0];
    model.loss_value = std::numeric_limits<double>::quiet_NaN();
    CHECK(trainer.run() == Ending::not_finite);
    CHECK(trainer.message() != "");
    CHECK(trainer.parameters().data()[0] == before);
    CHECK(trainer.state().epochs.size() == 1);
    CHECK(model.n_evaluations == 1);
}

TEST_CASE("training options out of range are refused with name and value", "[trainer]") {
    auto const fails = [](auto change, std::string const& message) {
        TrainingOptions o;
        change(o);
        CHECK_THROWS_WITH(o.validate(), ContainsSubstring(message));
    };
    fails([](auto& o) { o.epochs = 0; }, "epochs = 0, expected at least 1");
    fails([](auto& o) { o.batch_size = 0; }, "batch size = 0");
    fails([](auto& o) { o.eval_step = 0; }, "evaluation step = 0");
    fails([](auto& o) { o.stopping_step = -1; }, "stopping step = -1, expected at least 0");
    fails([](auto& o) { o.threads = 0; }, "threads = 0");
    fails([](auto& o) { o.decay_factor = -1; }, "learning rate decay = -1");
    fails([](auto& o) { o.valid_metric = "auc"; }, "unknown metric 'auc'");
    auto data = tiny();
    data.valid.clear();
    CHECK_THROWS_WITH(Lightgcn(data, "none", options(1)),
                      ContainsSubstring("'synthetic:tiny' has no validation rows"));
}
