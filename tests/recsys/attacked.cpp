// NAME+a: a model whose features are moved where that hurts most.
#include "recsys/models/attacked.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/models/negatives.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/random.hpp"
#include "recsys/random_data.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;
using polder::ParameterArena;
using polder::Pass;

Pass perturbed() { return {polder::Batch::first, true}; }

// Loss and gradient, without representations.
std::vector<double> loss_of(AnyModel<double>& model, ParameterArena<double> const& x,
                            Triples const& batch, Pass pass = {}) {
    auto gradient = x;
    std::vector<double> all{model.loss(x, batch, pass, gradient)};
    all.insert(all.end(), gradient.begin(), gradient.end());
    return all;
}

double difference(std::vector<double> const& a, std::vector<double> const& b) {
    REQUIRE(a.size() == b.size());
    double most = 0;
    for (std::size_t k = 0; k < a.size(); ++k) most = std::max(most, std::abs(a[k] - b[k]));
    return most;
}

}  // namespace

TEST_CASE("vbpr under attack is AMR on MMRec's VBPR", "[recsys][attacked]") {
    auto const data = random_dataset(12, 14, 45);
    auto const batch = random_batch(data, 9, 2);
    auto const of_amr = make_model<double>("amr", data,
                                           {{"mode", "mmrec"},
                                            {"embedding_size", "4"},
                                            {"reg_weight", "0"},
                                            {"epsilon", "0.5"},
                                            {"lmd", "0.7"}},
                                           1);
    auto const of_vbpr = make_model<double>(
        "vbpr+a", data,
        {{"embedding_size", "4"}, {"reg_weight", "0"}, {"eps", "0.5"}, {"lambda_adv", "0.7"}}, 1);
    auto const x = somewhere(*of_amr, 1);
    auto const amr = loss_of(*of_amr, x, batch), vbpr = loss_of(*of_vbpr, x, batch);
    CHECK(difference(amr, vbpr) < 1e-8);
    auto const plain =
        make_model<double>("vbpr", data, {{"embedding_size", "4"}, {"reg_weight", "0"}}, 1);
    CHECK(difference(loss_of(*plain, x, batch), vbpr) > 1e-3);
    CHECK(of_vbpr->name() == "vbpr+a");
    CHECK(draws_negatives("vbpr+a"));
    CHECK(!draws_negatives("bm3+a"));
}

TEST_CASE("every model with features can be attacked", "[recsys][attacked]") {
    auto const data = random_dataset(12, 14, 45);
    auto batch = random_batch(data, 9, 2);
    for (auto const& entry : models()) {
        INFO(entry.name);
        auto const name = entry.name + "+a";
        if (!needs_features(entry)) {
            CHECK_THROWS_WITH(make_model<double>(name, data, {}, 1),
                              ContainsSubstring("has no features to move"));
            continue;
        }
        batch.number = entry.name == "lattice" ? 0 : 2;
        auto const without = make_model<double>(entry.name, data, {}, 1);
        auto const zero = make_model<double>(name, data, {{"lambda_adv", "0"}}, 1),
                   still = make_model<double>(name, data, {{"eps", "0"}}, 1),
                   attacked = make_model<double>(name, data, {{"eps", "0.5"}}, 1);
        auto const x = somewhere(*without, 1);
        auto const clean = loss_of(*without, x, batch);
        auto twice = clean;
        for (double& each : twice) each *= 2;
        CHECK(difference(loss_of(*zero, x, batch), clean) < 1e-12);
        CHECK(difference(loss_of(*still, x, batch), twice) < 1e-9);
        // The features are moved uphill, by no more than a half.
        auto const moved = loss_of(*attacked, x, batch);
        CHECK(moved[0] > twice[0]);
        CHECK(attacked->terms().back().name == "adv_loss");
        CHECK(attacked->terms().back().value == Approx(moved[0] - clean[0]));
        // Scores are those of the features as they are.
        auto const scores = [&](AnyModel<double>& model) {
            auto const [users, items] = model.representations(x);
            std::vector<double> all(users.data, users.data + users.size());
            all.insert(all.end(), items.data, items.data + items.size());
            return all;
        };
        CHECK(scores(*attacked) == scores(*without));
    }
}

TEST_CASE("features stay where the first evaluation of a batch has moved them",
          "[recsys][attacked]") {
    auto const data = random_dataset(12, 14, 45);
    auto batch = random_batch(data, 9, 2);
    for (std::string const name : {"vbpr+a", "freedom+a", "mmgcn+a", "grcn+a"}) {
        INFO(name);
        auto const fixed = make_model<double>(name, data, {{"delta", "fixed"}, {"eps", "0.5"}}, 1),
                   anew = make_model<double>(name, data, {{"eps", "0.5"}}, 1);
        auto const x = somewhere(*fixed, 1);
        auto y = somewhere(*fixed, 2);
        CHECK(loss_of(*fixed, x, batch) == loss_of(*anew, x, batch));
        auto const at_y = loss_of(*fixed, y, batch, perturbed());
        CHECK(at_y != loss_of(*anew, y, batch, perturbed()));
        // With features that stay, the gradient is that of the loss.
        Random random(3, "direction");
        std::vector<double> direction;
        double slope = 0;
        for (std::size_t k = 0; k < y.size(); ++k) direction.push_back(random.normal());
        auto const frozen = fixed->frozen();  // their gradient is not computed
        for (auto const& entry : y.entries())
            if (std::find(frozen.begin(), frozen.end(), entry.name) != frozen.end())
                std::fill_n(direction.begin() + (y[entry.name].data - y.data()),
                            entry.rows * entry.cols, 0.0);
        for (std::size_t k = 0; k < y.size(); ++k) slope += direction[k] * at_y[1 + k];
        auto const shifted = [&](double by) {
            auto z = y;
            for (std::size_t k = 0; k < y.size(); ++k) z.data()[k] += by * direction[k];
            return loss_of(*fixed, z, batch, perturbed())[0];
        };
        const double h = 1e-6;  // short, since MMGCN has kinks
        CHECK((shifted(h) - shifted(-h)) / (2 * h) == Approx(slope).epsilon(1e-4).margin(1e-6));
        // Another batch has its own.
        batch.number += 1;
        CHECK(loss_of(*fixed, y, batch, perturbed()) == loss_of(*anew, y, batch, perturbed()));
        batch.number -= 1;
    }
}
