// What every model of the registry does, whichever it is.
#include "recsys/models/registry.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/negatives.hpp"
#include "recsys/random.hpp"
#include "recsys/random_data.hpp"
#include "recsys/training/optimizer.hpp"
#include "support/catch.hpp"
#include "support/count_allocations.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;
using polder::ParameterArena;
using polder::Pass;

// Settings under which the gradient of a model is that of its loss, where its defaults are none or not
// all there is to check. Where a gradient stops on purpose the loss has more slopes than it: such terms
// have weight 0 here, and the golden files show them; or only the parameters `only` are checked.
struct Differentiable {
    std::string_view model;
    Settings settings;
    std::vector<std::string> only = {};
};
std::vector<Differentiable> differentiable() {
    return {
        {"amr", {{"adv_type", "rand"}, {"epsilon", "0.5"}, {"regs", "[0.1,0.2,0.3]"}}},
        {"amr", {{"adv_type", "rand"}, {"epsilon", "0.5"}, {"mode", "mmrec"}}},
        {"dragon", {{"knn_k", "3"}, {"n_mm_layers", "2"}}},
        {"bm3", {{"stop_gradient", "false"}}},
        {"bm3", {{"stop_gradient", "false"}, {"n_layers", "2"}, {"dropout", "0"}}},
        {"dualgnn", {}},
        {"dualgnn",
         {{"user_modalities", "visual_and_textual"},
          {"aggr_mode", "mean"},
          {"user_aggr_mode", "mean"},
          {"user_graph_k", "3"}}},
        {"ngcf",
         {{"hidden_size_list", "[5,3]"}, {"message_dropout", "0.3"}, {"reg_weight", "0.1"}}},
        {"ngcf", {{"hidden_size_list", "[4,4,4]"}, {"node_dropout", "0.25"}}},
        {"grcn", {}},
        {"grcn", {{"route_to_users", "true"}, {"edge_dropout", "0.3"}, {"reg_weight", "0.1"}}},
        {"selfcf", {{"stop_gradient", "false"}}},
        {"selfcf", {{"stop_gradient", "false"}, {"edge_dropout", "false"}, {"dropout", "0"}}},
        {"mentor", {{"knn_k", "3"}, {"mask_weight_f", "0"}, {"mask_weight_g", "0.2"}}},
        {"mentor", {{"mask_weight_f", "0"}, {"mask_weight_g", "0.2"}, {"shared_encoders", "true"}}},
        {"mentor", {{"mask_weight_f", "0"}, {"mask_weight_g", "0"}}},
        {"mmgcn", {{"dim_latent", "5"}}},
        {"mmgcn", {{"dim_latent", "5"}, {"train_embeddings", "true"}, {"concatenate", "false"}}},
        {"mentor", {{"mask_gradient", "true"}}, {"mlp.weight", "mlp.bias"}},
        {"lattice", {{"reg_weight", "0.1"}, {"train_batch_size", "9"}}},
        {"lattice", {{"cf_model", "ngcf"}, {"weight_size", "4,4"}, {"n_layers", "2"}}},
        {"lgmrec", {{"cl_weight", "0.01"}, {"n_hyper_layer", "2"}, {"reg_weight", "0.1"}}},
        {"slmrec", {{"recdim", "4"}, {"ssl_alpha", "1"}}},
        {"slmrec", {{"recdim", "4"}, {"adj_type", "mean"}}},
    };
}

// The settings to check gradients under, in small sizes.
std::vector<Differentiable> small(ModelEntry const& entry) {
    std::vector<Differentiable> result;
    for (auto const& row : differentiable())
        if (row.model == entry.name) result.push_back(row);
    if (result.empty()) result.push_back({entry.name, {}});
    for (auto& row : result)
        for (auto const& known : entry.hyper_parameters())
            if (known.name == "embedding_size")
                row.settings.insert(row.settings.begin(), {known.name, "4"});
    return result;
}

bool is_among(std::vector<std::string> const& names, std::string const& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

template <class T>
bool all_finite(T const& values) {
    return std::all_of(values.begin(), values.end(),
                       [](auto value) { return std::isfinite(value); });
}

}  // namespace

TEST_CASE("published settings are settings of their model", "[recsys]") {
    auto const data = random_dataset(30, 20, 90);
    for (auto const& entry : models())
        for (auto const& published : entry.published) {
            INFO(entry.name << " on " << published.data_set);
            auto options = parse_optimizer("none:" + std::string(published.settings));
            auto const is_rate = [](auto const& each) { return each.first == "learning_rate"; };
            std::erase_if(options.values, is_rate);
            CHECK_NOTHROW(make_model<float>(entry.name, data, options.values, 1));
        }
}

TEST_CASE("the gradient of a model is that of its loss", "[recsys][models][numbers]") {
    auto const data = random_dataset(12, 14, 45);
    auto batch = random_batch(data, 9, 2);
    for (auto const& entry : models()) {
        // LATTICE learns its item graph in the first batch of an epoch only.
        batch.number = entry.name == "lattice" ? 0 : 2;
        for (auto const& [model_name, settings, only] : small(entry)) {
            std::string text(entry.name);
            for (auto const& [name, value] : settings) text.append(" ").append(name) += "=" + value;
            INFO(text);
            auto const model = make_model<double>(entry.name, data, settings, 1);
            model->begin_epoch(5, 1);
            auto x = somewhere(*model, 3);
            auto gradient = x, unused = x;
            std::fill(gradient.begin(), gradient.end(), std::numeric_limits<double>::quiet_NaN());
            REQUIRE(std::isfinite(model->loss(x, batch, {}, gradient)));
            REQUIRE(all_finite(gradient));
            for (auto const& term : model->terms()) {
                CHECK(!term.name.empty());
                CHECK(std::isfinite(term.value));
            }

            double largest = 1;
            for (const double value : gradient) largest = std::max(largest, std::abs(value));
            auto const frozen = model->frozen();
            const double step = 1e-5;
            for (auto const& parameter : x.entries()) {
                if (is_among(frozen, parameter.name) ||
                    (!only.empty() && !is_among(only, parameter.name)))
                    continue;
                auto const matrix = x.view(parameter);
                auto const found = gradient.view(parameter);
                Random random(4, parameter.name);
                const std::size_t n = std::min<std::size_t>(matrix.size(), 40);
                for (std::size_t sample = 0; sample < n; ++sample) {
                    const std::size_t k =
                        n < matrix.size() ? random.uniform_index(matrix.size()) : sample;
                    const double at = matrix.data[k];
                    matrix.data[k] = at + step;
                    const double above = model->loss(x, batch, {}, unused);
                    matrix.data[k] = at - step;
                    const double below = model->loss(x, batch, {}, unused);
                    matrix.data[k] = at;
                    INFO(parameter.name << "[" << k << "]");
                    REQUIRE(
                        found.data[k] ==
                        Approx((above - below) / (2 * step)).epsilon(1e-6).margin(1e-8 * largest));
                }
            }
        }
    }
}

TEST_CASE("a model looks at negatives unless it is said to need none", "[recsys][models]") {
    auto const data = random_dataset(12, 14, 45);
    auto const batch = random_batch(data, 9, 2);
    auto other = batch;
    for (auto& item : other.negatives) item = (item + 1) % data.n_items;
    for (auto const& entry : models()) {
        CAPTURE(entry.name);
        auto const model = make_model<double>(entry.name, data, small(entry).front().settings, 1);
        auto const x = somewhere(*model, 3);
        auto gradient = x;
        const bool is_same =
            model->loss(x, batch, {}, gradient) == model->loss(x, other, {}, gradient);
        CHECK(is_same != draws_negatives(entry.name));
    }
}

TEST_CASE("a model gives the same bits on 1 and 3 threads", "[recsys][models][threads]") {
    auto const data = random_dataset(600, 300, 15000);  // enough work to be spread
    auto const batch = random_batch(data, 700, 2);
    for (auto const& entry : models()) {
        INFO(entry.name);
        auto const run = [&](int threads) {
            auto const model = make_model<float>(entry.name, data, {}, threads);
            model->begin_epoch(5, 1);
            return results(*model, initial(*model, 3), batch);
        };
        const bool same = run(1) == run(3);  // not printed: these are many numbers
        CHECK(same);
    }
}

TEST_CASE("the results of a model depend on its arguments alone, not on the calls before",
          "[recsys][models]") {
    auto const data = random_dataset(60, 40, 300);
    auto const batch = random_batch(data, 30, 2), other = random_batch(data, 17, 3);
    for (auto const& entry : models()) {
        INFO(entry.name);
        auto const model = make_model<float>(entry.name, data, {}, 1);
        auto const parameters = initial(*model, 4), elsewhere = somewhere(*model, 5);
        model->begin_epoch(5, 1);
        auto const first = results(*model, parameters, batch);
        REQUIRE(all_finite(first));
        CHECK(results(*model, elsewhere, other, {polder::Batch::second, false}) != first);
        CHECK(results(*model, parameters, batch, {polder::Batch::first, true}) == first);

        model->begin_epoch(5, 2);
        results(*model, elsewhere, other);
        model->begin_epoch(5, 1);
        CHECK(results(*model, parameters, batch) == first);

        auto const again = make_model<float>(entry.name, data, {}, 1);
        again->begin_epoch(5, 1);
        CHECK(results(*again, parameters, batch) == first);

        auto const [users, items] = again->representations(parameters);
        CHECK(users.rows == 60);
        CHECK(items.rows == 40);
        CHECK(users.cols == items.cols);
    }
}

TEST_CASE("a model without a call of begin_epoch is in epoch 0 of seed 0", "[recsys][models]") {
    auto const data = random_dataset(20, 15, 80);
    auto const batch = random_batch(data, 10, 2);
    for (auto const& entry : models()) {
        INFO(entry.name);
        auto const begun = make_model<float>(entry.name, data, {}, 1);
        begun->begin_epoch(0, 0);
        auto const model = make_model<float>(entry.name, data, {}, 1);
        auto const parameters = initial(*model, 4);
        auto const users = model->representations(parameters).users;
        const std::vector<float> before(users.data, users.data + users.size());
        CHECK(results(*model, parameters, batch) == results(*begun, parameters, batch));
        auto const after = model->representations(parameters).users;
        CHECK(std::vector<float>(after.data, after.data + after.size()) == before);
    }
}

TEST_CASE("a model allocates in its first step only", "[recsys][models]") {
    auto const data = random_dataset(60, 40, 300);
    auto const batch = random_batch(data, 30, 2), shorter = random_batch(data, 17, 3);
    for (auto const& entry : models()) {
        INFO(entry.name);
        auto const model = make_model<float>(entry.name, data, {}, 1);
        auto const parameters = initial(*model, 4);
        auto gradient = parameters;
        model->begin_epoch(5, 0);
        model->loss(parameters, batch, {}, gradient);
        const std::size_t before = allocations();
        model->loss(parameters, shorter, {}, gradient);
        model->loss(parameters, batch, {}, gradient);
        CHECK(allocations() == before);
    }
}

TEST_CASE("initial values of a model follow from the seed alone", "[recsys][models]") {
    auto const data = random_dataset(60, 40, 300);
    for (auto const& entry : models()) {
        INFO(entry.name);
        auto const values = [&](std::uint64_t seed, int threads) {
            auto const parameters =
                initial(*make_model<float>(entry.name, data, {}, threads), seed);
            return std::vector<float>(parameters.begin(), parameters.end());
        };
        CHECK(all_finite(values(7, 1)));
        CHECK(values(7, 1) == values(7, 3));
        CHECK(values(7, 1) != values(8, 1));
    }
}

TEST_CASE("a model works with the modalities there are, or says which it needs",
          "[recsys][models]") {
    for (auto const& entry : models()) {
        for (const std::string missing : {"visual", "textual", "both"}) {
            INFO(entry.name << " without " << missing);
            auto data = random_dataset(20, 15, 80);
            if (missing != "textual") data.visual = {};
            if (missing != "visual") data.textual = {};
            std::unique_ptr<AnyModel<float>> model;
            try {
                model = make_model<float>(entry.name, data, {}, 1);
            } catch (std::invalid_argument const& error) {
                const std::string message = error.what();
                CHECK(message.starts_with(entry.name));
                CHECK_THAT(message, ContainsSubstring("features"));
                continue;
            }
            CHECK(all_finite(results(*model, initial(*model, 1), random_batch(data, 10, 2))));
        }
    }
}

TEST_CASE("a model takes its hyper-parameters by name and refuses others", "[recsys][models]") {
    auto const data = random_dataset(20, 15, 80);
    for (auto const& entry : models()) {
        INFO(entry.name);
        Settings defaults;
        for (auto const& known : entry.hyper_parameters())
            defaults.emplace_back(known.name, known.default_value);
        auto const model = make_model<float>(entry.name, data, defaults, 1);
        CHECK(model->name() == entry.name);
        CHECK(model->hyper_parameters().size() == defaults.size());
        CHECK_THROWS_AS(make_model<float>(entry.name, data, {{"no such name", "1"}}, 1),
                        std::invalid_argument);
    }
}

TEST_CASE("every model that gradients have settings for exists", "[recsys][models]") {
    for (auto const& row : differentiable()) CHECK_NOTHROW(find_model(row.model));
}

TEST_CASE("AMR on MMRec's VBPR, as computed by hand", "[recsys][models]") {
    Dataset data;
    data.n_users = 2;
    data.n_items = 3;
    data.visual = {3, 1, {1, 2, 0}};
    auto const model = make_model<double>(
        "amr", data, {{"mode", "mmrec"}, {"embedding_size", "1"}, {"reg_weight", "0.1"}}, 1);
    ParameterArena<double> parameters;
    model->declare(parameters);
    const std::vector<double> start = {1,    0.5, 0.2,          -1, /* items */ 0.3,
                                       -0.4, 1,   /* W, b */ 2, 0.5};
    std::copy(start.begin(), start.end(), parameters.begin());
    auto gradient = parameters;
    const OwnBatch batch{{0, 1}, {0, 1}, {2, 0}};
    CHECK(model->loss(parameters, batch, {}, gradient) == Approx(3.504964).margin(1e-6));
    REQUIRE(model->terms().size() == 3);
    CHECK(model->terms()[0].value == Approx(1.402794).margin(1e-6));
    CHECK(model->terms()[1].value == Approx(3.260308 / 2).margin(1e-6));
    CHECK(model->terms()[2].value == Approx(4.720155).margin(1e-6));
}

TEST_CASE("AMR moves features where the loss grows", "[recsys][models]") {
    auto const data = random_dataset(12, 14, 45);
    auto const batch = random_batch(data, 9, 2);
    for (const std::string mode : {"official", "mmrec"}) {
        auto const adversarial_loss = [&](std::string const& type) {
            auto const model = make_model<double>(
                "amr", data, {{"mode", mode}, {"adv_type", type}, {"epsilon", "0.01"}}, 1);
            auto parameters = somewhere(*model, 3), gradient = parameters;
            model->loss(parameters, batch, {}, gradient);
            CHECK((type == "rand" || model->terms()[1].value > model->terms()[0].value));
            return model->terms()[1].value;
        };
        CHECK(adversarial_loss("grad") > adversarial_loss("rand"));
    }
}
