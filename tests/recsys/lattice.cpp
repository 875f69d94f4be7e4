// Which batches learn the item graph of LATTICE, and which take it as it is.
#include "recsys/models/lattice.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "recsys/models/tape_model.hpp"
#include "recsys/random.hpp"
#include "recsys/tape/eigen_backend.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;

template <class T>
using OnCpu = TapeModel<LATTICE, EigenBackend<T>>;

Dataset random_dataset() {
    Dataset data;
    data.n_users = 12;
    data.n_items = 14;
    Random random(1, "data");
    for (int row = 0; row < 45; ++row)
        data.train.push_back({static_cast<std::int32_t>(random.uniform_index(12)),
                              static_cast<std::int32_t>(random.uniform_index(14))});
    for (auto* const features : {&data.visual, &data.textual}) {
        *features = {14, 5, {}};
        for (int k = 0; k < 14 * 5; ++k)
            features->values.push_back(static_cast<float>(random.normal()));
    }
    return data;
}

struct Training {
    OnCpu<double> model;
    ParameterArena<double> parameters, elsewhere, gradient;

    explicit Training(Dataset const& data) : model(data, small(), 1) {
        model.declare(parameters);
        model.initialise(parameters, 1);
        elsewhere = gradient = parameters;
        Random random(2, "elsewhere");
        for (double& value : elsewhere) value += 0.1 * random.normal();
    }

    static LATTICEHyperParameters small() {
        LATTICEHyperParameters values;
        values.embedding_size = values.feat_embed_dim = 4;
        values.knn_k = 3;
        return values;
    }

    double loss(ParameterArena<double> const& at, std::uint64_t batch, bool perturbed = false) {
        static constexpr std::int32_t users[] = {0, 3, 5}, positives[] = {1, 7, 7},
                                      negatives[] = {9, 0, 13};
        return model.loss(at, {users, positives, negatives, batch},
                          {polder::Batch::first, perturbed}, gradient);
    }

    // How many of the parameters that the item graph is made of the last loss moves.
    int n_moved() const {
        int n = 0;
        for (const std::string name : {"modal_weight", "image_embedding", "image_trs.weight",
                                       "image_trs.bias", "text_embedding", "text_trs.weight"}) {
            auto const view = gradient[name];
            n += std::any_of(view.data, view.data + view.size(),
                             [](double value) { return value != 0; });
        }
        return n;
    }

    std::vector<double> kept_graph() const {
        for (auto const& graph : model.graphs())
            if (graph.name == "item_adj_used") return graph.graph->values;
        return {};
    }
};

}  // namespace

TEST_CASE("LATTICE learns its item graph in every pass of the first batch and keeps the first one",
          "[recsys][lattice]") {
    Training training(random_dataset());
    training.model.begin_epoch(1, 0);
    const double first = training.loss(training.parameters, 0);
    CHECK(training.n_moved() == 6);
    auto const kept = training.kept_graph();
    REQUIRE(!kept.empty());

    const double perturbed = training.loss(training.elsewhere, 0, true);
    CHECK(training.n_moved() == 6);
    training.loss(training.elsewhere, 1);  // the second batch of a "+" method
    CHECK(training.n_moved() == 6);
    CHECK(training.kept_graph() == kept);

    // The kept graph is that of the first parameters: elsewhere, another one is due.
    CHECK(training.loss(training.parameters, 2) == Approx(first).epsilon(1e-12));
    CHECK(training.n_moved() == 0);
    CHECK(training.loss(training.elsewhere, 2) != Approx(perturbed).epsilon(1e-6));

    CHECK(training.model.representations(training.elsewhere).users.rows == 12);
    CHECK(training.kept_graph() == kept);
    training.model.begin_epoch(1, 1);
    CHECK(training.loss(training.elsewhere, 0) == Approx(perturbed).epsilon(1e-12));
    CHECK(training.kept_graph() != kept);
}

TEST_CASE("LATTICE scores with the item graph of the parameters it is given", "[recsys][lattice]") {
    Training training(random_dataset());
    training.model.begin_epoch(1, 0);
    auto const items_of = [&](ParameterArena<double> const& at) {
        auto const items = training.model.representations(at).items;
        return std::vector<double>(items.data, items.data + items.size());
    };
    auto const expected = items_of(training.parameters);
    training.loss(training.elsewhere, 0);
    CHECK(items_of(training.parameters) == expected);

    auto other_features = training.parameters;
    auto const image = other_features["image_embedding"];
    std::reverse(image.data, image.data + image.size());
    CHECK(items_of(other_features) != expected);
}

TEST_CASE("LATTICE with ngcf refuses layers that do not fit", "[recsys][lattice]") {
    auto values = Training::small();
    values.cf_model = "ngcf";
    CHECK_THROWS_WITH(OnCpu<float>(random_dataset(), values, 1),
                      ContainsSubstring("weight_size") && ContainsSubstring("(4)"));
    values.weight_size = {4, 4, 4};
    CHECK_THROWS_WITH(OnCpu<float>(random_dataset(), values, 1), ContainsSubstring("mess_dropout"));
    values.mess_dropout = {0, 0, 0};
    CHECK_NOTHROW(OnCpu<float>(random_dataset(), values, 1));
}
