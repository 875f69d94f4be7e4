// Training on a device takes the course that it takes on the host.
#include "recsys/training/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/synthetic.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/checkpoint.hpp"
#include "recsys/training/learner.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;

Dataset small_data() {
    return generate_synthetic({.n_users = 120, .n_items = 80, .n_interactions = 2500});
}

TrainingOptions short_training() {
    TrainingOptions options;
    options.epochs = 3;
    options.batch_size = 256;
    return options;
}

struct OnDevice {
    std::unique_ptr<Learner> learner;
    Trainer trainer;

    OnDevice(Dataset const& data, std::string_view model, OptimizerOptions const& optimizer)
        : learner(make_learner_on_thrust(data, model, {{"embedding_size", "16"}}, optimizer)),
          trainer(data, *learner, short_training()) {}
};

struct StopAfter final : TrainingObserver {
    int batches;
    explicit StopAfter(int n) : batches(n) {}
    bool should_stop() override { return --batches == 0; }
};

std::vector<float> values(Trainer const& trainer) {
    auto const& x = trainer.parameters();
    return {x.begin(), x.end()};
}

}  // namespace

TEST_CASE("training on a device takes the course of training on the host", "[recsys][training]") {
    auto const data = small_data();
    for (const std::string_view method : {"none", "bsam+", "ssam_f", "mg", "looksam"}) {
        for (const std::string_view model : {"lightgcn", "freedom"}) {
            INFO(method << " on " << model);
            const OptimizerOptions options{std::string(method), "adam", {}};
            HostLearner on_host(make_model<float>(model, data, {{"embedding_size", "16"}}, 1),
                                options);
            Trainer here(data, on_host, short_training());
            REQUIRE(here.run() == Ending::all_epochs);
            OnDevice there(data, model, options);
            REQUIRE(there.trainer.run() == Ending::all_epochs);

            auto const &expected = here.state().epochs, &found = there.trainer.state().epochs;
            REQUIRE(found.size() == expected.size());
            for (std::size_t k = 0; k < found.size(); ++k) {
                CHECK(found[k].loss == Approx(expected[k].loss).epsilon(1e-4));
                if (std::isnan(expected[k].sharpness))
                    CHECK(std::isnan(found[k].sharpness));
                else
                    CHECK(found[k].sharpness ==
                          Approx(expected[k].sharpness).epsilon(1e-2).margin(1e-5));
                REQUIRE(found[k].metrics);
                CHECK(found[k].metrics->test["recall@20"] ==
                      Approx(expected[k].metrics->test["recall@20"]).margin(0.02));
            }
        }
    }
}

TEST_CASE("training on a device goes on from a checkpoint", "[recsys][training]") {
    auto const data = small_data();
    const OptimizerOptions options{"bsam", "adam", {}};
    OnDevice whole(data, "bm3", options);
    REQUIRE(whole.trainer.run() == Ending::all_epochs);

    const TemporaryDirectory directory;
    auto const file = directory / "run.safetensors";
    const Json identity = {{"run", "this"}};
    {
        OnDevice begun(data, "bm3", options);
        StopAfter observer(static_cast<int>(begun.trainer.n_batches()) + 2);
        REQUIRE(begun.trainer.run(observer) == Ending::interrupted);
        save_run(file, begun.trainer, identity, {});
    }
    OnDevice continued(data, "bm3", options);
    polder::SafetensorsFile from(file);
    load_run(from, continued.trainer, identity);
    REQUIRE(continued.trainer.run() == Ending::all_epochs);
    CHECK(values(continued.trainer) == values(whole.trainer));
    CHECK(continued.trainer.state().best == whole.trainer.state().best);
    CHECK(continued.trainer.state().epochs.back().loss ==
          Approx(whole.trainer.state().epochs.back().loss));
}
