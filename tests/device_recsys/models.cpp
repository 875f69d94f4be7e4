// Models on a device compute what they do on the host, on data that make many tasks for many teams.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/models/device_models.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/random_data.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;

// Of models with choices, those whose operations the defaults do not have.
std::vector<Settings> settings_of(std::string_view model) {
    if (model == "amr") return {{}, {{"mode", "mmrec"}, {"adv_type", "rand"}}};
    if (model == "ngcf") return {{}, {{"node_dropout", "0.25"}}};
    if (model == "grcn") return {{}, {{"route_to_users", "true"}, {"edge_dropout", "0.3"}}};
    if (model == "lattice") return {{}, {{"cf_model", "ngcf"}}};
    if (model == "mentor") return {{{"mask_weight_g", "0.2"}}, {{"mask_gradient", "true"}}};
    if (model == "mmgcn") return {{{"train_embeddings", "true"}}, {{"concatenate", "false"}}};
    if (model == "lgmrec") return {{}, {{"n_hyper_layer", "2"}}};
    return {{}};
}

}  // namespace

TEST_CASE("models on a device compute what they do on the host", "[recsys][models]") {
    auto const data = random_dataset(450, 150, 5000);
    for (auto const& entry : models()) {
        for (auto const& settings : settings_of(entry.name)) {
            std::string text(entry.name);
            for (auto const& [name, value] : settings) text.append(" ").append(name) += "=" + value;
            INFO(text);
            auto const here = make_model<double>(entry.name, data, settings, 1);
            auto const there = make_model_on_thrust<double>(entry.name, data, settings);
            auto const x = somewhere(*here, 3);
            REQUIRE(here->frozen() == there->frozen());
            for (const int epoch : {0, 1}) {
                here->begin_epoch(5, epoch);
                there->begin_epoch(5, epoch);
                // The first two are one batch in two passes, the next has other rows in the same places.
                auto const numbers = epoch == 0 ? std::vector<std::uint64_t>{0, 0, 2, 4}
                                                : std::vector<std::uint64_t>{6};
                for (const std::uint64_t number : numbers) {
                    auto batch = random_batch(data, number == 4 ? 270 : 320, number);
                    batch.number = number;
                    auto const expected = results(*here, x, batch);
                    auto const found = results(*there, x, batch);
                    REQUIRE(found.size() == expected.size());
                    double largest = 0, worst = 0;
                    for (std::size_t k = 0; k < found.size(); ++k) {
                        largest = std::max(largest, std::abs(expected[k]));
                        const double error = std::abs(found[k] - expected[k]);
                        worst = error <= worst ? worst : error;  // not-a-number counts
                    }
                    INFO("epoch " << epoch << ", batch " << number);
                    CHECK(worst <= 1e-10 * largest);
                    auto const terms = here->terms(), terms_there = there->terms();
                    REQUIRE(terms.size() == terms_there.size());
                    for (std::size_t k = 0; k < terms.size(); ++k) {
                        CHECK(terms_there[k].name == terms[k].name);
                        CHECK(terms_there[k].value == Approx(terms[k].value).epsilon(1e-9));
                    }
                }
            }
        }
    }
}
