// Both batches of a step at once: a model for each, and the same bits as with one model.
#include "recsys/models/two_models.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/synthetic.hpp"
#include "recsys/models/micro_batches.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/checkpoint.hpp"
#include "recsys/training/learner.hpp"
#include "recsys/training/trainer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using polder::Batch;
using polder::ParameterArena;
using polder::Pass;
using ModelOfFloat = std::unique_ptr<AnyModel<float>>;

Dataset data_for_two() {
    return SyntheticGenerator({.name = "two",
                               .n_users = 60,
                               .n_items = 40,
                               .n_interactions = 500,
                               .visual_columns = 8,
                               .textual_columns = 6})();
}

ModelOfFloat one_of(std::string_view name, Dataset const& data) {
    return make_model<float>(name, data, {{"embedding_size", "8"}}, 1);
}
ModelOfFloat two_of(std::string_view name, Dataset const& data) {
    return std::make_unique<TwoModels<float>>(one_of(name, data), one_of(name, data), 2);
}

// A run that stops after some batches; never, if negative.
struct RunOfTwo final : TrainingObserver {
    HostLearner learner;
    Trainer trainer;
    int batches = -1;

    RunOfTwo(Dataset const& data, ModelOfFloat model, std::string const& method)
        : learner(std::move(model), parse_optimizer(method + ":learning_rate=0.01")),
          trainer(data, learner, options()) {}

    static TrainingOptions options() {
        TrainingOptions result;
        result.epochs = 2;
        result.batch_size = 64;
        return result;
    }
    void after_batch(Trainer const&, polder::Report const&) override { --batches; }
    bool should_stop() override { return batches == 0; }

    std::vector<float> parameters() const {
        return {trainer.parameters().begin(), trainer.parameters().end()};
    }
    std::vector<double> losses() const {
        std::vector<double> result;
        for (auto const& epoch : trainer.state().epochs) {
            result.push_back(epoch.loss);
            result.push_back(static_cast<double>(epoch.gradients));
        }
        return result;
    }
};

// A model inside of which a call for one batch may wait for one for the other.
class Meeting {
public:
    void come() {
        std::unique_lock lock(mutex_);
        most = std::max(most, ++inside_);
        changed_.notify_all();
        changed_.wait_for(lock, std::chrono::seconds(5), [&] { return most > 1; });
    }
    void go() {
        std::lock_guard const lock(mutex_);
        --inside_;
    }
    int most = 0;

private:
    int inside_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
};
class MeetingModel final : public ForwardingModel<float> {
public:
    MeetingModel(ModelOfFloat model, Meeting& meeting)
        : ForwardingModel<float>(std::move(model)), meeting_(meeting) {}
    bool fails = false;

    double loss(ParameterArena<float> const& x, Triples const& batch, Pass pass,
                ParameterArena<float>& gradient) override {
        bool const has_company = pass.perturbed || pass.batch == Batch::second;
        if (has_company) meeting_.come();
        double const result = model_->loss(x, batch, pass, gradient);
        if (has_company) meeting_.go();
        if (fails) throw std::runtime_error("the second batch fails");
        return result;
    }
    std::vector<LossTerm> terms() const override { return model_->terms(); }
    Representations<float> representations(ParameterArena<float> const& x) override {
        return model_->representations(x);
    }

private:
    Meeting& meeting_;
};

}  // namespace

TEST_CASE("two models train as one does, bit for bit", "[recsys][threads]") {
    auto const data = data_for_two();
    // LATTICE keeps a graph from the first batch of an epoch for all others.
    for (std::string_view const name : {"lightgcn", "freedom", "bm3", "lattice"})
        for (std::string const method : {"bsam+", "sampa", "bsam"}) {
            INFO(name << " with " << method);
            RunOfTwo one(data, one_of(name, data), method), two(data, two_of(name, data), method);
            REQUIRE(one.trainer.run(one) == Ending::all_epochs);
            REQUIRE(two.trainer.run(two) == Ending::all_epochs);
            CHECK(two.parameters() == one.parameters());
            CHECK(two.losses() == one.losses());
            CHECK(two.trainer.state().best == one.trainer.state().best);
        }
}

TEST_CASE("two models go on within an epoch", "[recsys][threads]") {
    auto const data = data_for_two();
    TemporaryDirectory const folder;
    RunOfTwo whole(data, one_of("lattice", data), "bsam+");
    REQUIRE(whole.trainer.run(whole) == Ending::all_epochs);
    RunOfTwo begun(data, one_of("lattice", data), "bsam+");
    begun.batches = static_cast<int>(begun.trainer.n_batches()) + 2;
    REQUIRE(begun.trainer.run(begun) == Ending::interrupted);
    save_run(folder / "run", begun.trainer, Json::object());
    polder::SafetensorsFile file(folder / "run");
    RunOfTwo continued(data, two_of("lattice", data), "bsam+");
    load_run(file, continued.trainer, Json::object());
    REQUIRE(continued.trainer.run(continued) == Ending::all_epochs);
    CHECK(continued.parameters() == whole.parameters());
}

TEST_CASE("two models that are cut train as one that is cut", "[recsys][threads]") {
    auto const data = data_for_two();
    auto const cut = [&] {
        return std::make_unique<MicroBatchedModel<float>>(one_of("freedom", data), 3, false);
    };
    RunOfTwo one(data, cut(), "bsam+");
    RunOfTwo two(data, std::make_unique<TwoModels<float>>(cut(), cut(), 2), "bsam+");
    REQUIRE(one.trainer.run(one) == Ending::all_epochs);
    REQUIRE(two.trainer.run(two) == Ending::all_epochs);
    CHECK(two.parameters() == one.parameters());
}

TEST_CASE("both batches are under way at once, and a failure reaches the caller",
          "[recsys][threads]") {
    auto const data = data_for_two();
    Meeting meeting;
    auto const model = [&] {
        return std::make_unique<MeetingModel>(one_of("lightgcn", data), meeting);
    };
    auto second = model();
    auto& may_fail = *second;
    RunOfTwo run(data, std::make_unique<TwoModels<float>>(model(), std::move(second), 2), "bsam+");
    run.batches = 2;
    REQUIRE(run.trainer.run(run) == Ending::interrupted);
    CHECK(meeting.most == 2);
    auto const before = run.parameters();
    may_fail.fails = true;
    CHECK_THROWS_WITH(run.trainer.run(run), "the second batch fails");
    CHECK(run.parameters() == before);
}
