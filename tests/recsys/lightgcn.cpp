#include "recsys/models/lightgcn.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/models/tape_model.hpp"
#include "recsys/random.hpp"
#include "recsys/random_data.hpp"
#include "recsys/tape/eigen_backend.hpp"
#include "support/catch.hpp"
#include "support/count_allocations.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;
using polder::ParameterArena;

using Ids = std::vector<std::int32_t>;

// Two users and three items, of which the last is in no train row.
Dataset toy() {
    Dataset data;
    data.n_users = 2;
    data.n_items = 3;
    data.train = {{0, 0}, {0, 1}, {1, 1}};
    return data;
}

Dataset random_dataset(int n_users, int n_items, int n_rows, std::uint64_t seed) {
    Dataset data;
    data.n_users = n_users;
    data.n_items = n_items;
    Random random(seed, "data");
    for (int row = 0; row < n_rows; ++row) {
        const double popular = random.uniform();
        data.train.push_back(
            {static_cast<std::int32_t>(random.uniform_index(static_cast<std::uint64_t>(n_users))),
             static_cast<std::int32_t>(popular * popular * n_items)});
    }
    return data;
}

template <class T>
std::vector<T> values(ParameterArena<T> const& arena) {
    return {arena.begin(), arena.end()};
}

template <class F>
std::string message_of(F const& f) {
    try {
        f();
    } catch (std::exception const& error) {
        return error.what();
    }
    return "nothing was thrown";
}

}  // namespace

TEST_CASE("LightGCN of two users and three items, as computed by hand", "[recsys][lightgcn]") {
    auto const model = make_model<double>(
        "lightgcn", toy(), {{"embedding_size", "2"}, {"n_layers", "2"}, {"reg_weight", "0.01"}}, 1);
    ParameterArena<double> parameters;
    model->declare(parameters);
    const std::vector<double> start = {1, 0, 0, 1, /* items */ 1, 1, 2, 0, 0, 3};
    std::copy(start.begin(), start.end(), parameters.begin());

    auto const [users, items] = model->representations(parameters);
    const std::vector<double> expected = {1.152369, 0.353553, 0.589256, 0.5, /* items */
                                          0.971404, 0.5,      1.451184, 0.353553, 0, 1};
    for (std::size_t k = 0; k < 4; ++k) CHECK(users.data[k] == Approx(expected[k]).margin(1e-6));
    for (std::size_t k = 0; k < 6; ++k)
        CHECK(items.data[k] == Approx(expected[4 + k]).margin(1e-6));

    auto gradient = parameters;
    const OwnBatch batch{{0, 1}, {0, 1}, {2, 0}};
    CHECK(model->loss(parameters, batch, {}, gradient) == Approx(0.497348).margin(1e-6));
    REQUIRE(model->terms().size() == 2);
    CHECK(model->terms()[0].name == "mf_loss");
    CHECK(model->terms()[0].value == Approx(0.461446).margin(1e-6));
    CHECK(model->terms()[1].name == "reg_loss");
    CHECK(model->terms()[1].value == Approx(3.590164).margin(1e-6));
}

TEST_CASE("the gradient of LightGCN is that of its loss", "[recsys][lightgcn]") {
    auto const data = random_dataset(9, 7, 25, 1);
    auto const batch = random_batch(data, 6, 2);
    for (const std::string n_layers : {"0", "1", "2", "4"}) {
        auto const model = make_model<double>(
            "lightgcn", data,
            {{"embedding_size", "3"}, {"n_layers", n_layers}, {"reg_weight", "0.3"}}, 1);
        auto x = initial(*model, 3);
        auto gradient = x, unused = x;
        std::fill(gradient.begin(), gradient.end(), std::numeric_limits<double>::quiet_NaN());
        const double loss = model->loss(x, batch, {}, gradient);
        CHECK(loss == Approx(model->terms()[0].value + 0.3 * model->terms()[1].value));

        const double step = 1e-5;
        for (std::size_t k = 0; k < x.size(); ++k) {
            const double at = x.data()[k];
            x.data()[k] = at + step;
            const double above = model->loss(x, batch, {}, unused);
            x.data()[k] = at - step;
            const double below = model->loss(x, batch, {}, unused);
            x.data()[k] = at;
            INFO(n_layers << " layers, coordinate " << k);
            REQUIRE(gradient.data()[k] == Approx((above - below) / (2 * step)).margin(1e-9));
        }
    }
}

TEST_CASE("the loss of LightGCN is that of the representations it scores with",
          "[recsys][lightgcn]") {
    auto const data = random_dataset(20, 15, 60, 1);
    auto const model =
        make_model<double>("lightgcn", data, {{"embedding_size", "5"}, {"reg_weight", "0"}}, 1);
    auto const parameters = initial(*model, 2);
    auto const batch = random_batch(data, 12, 3);
    auto const of = model->representations(parameters);
    auto const score = [&](std::int32_t user, std::int32_t item) {
        double sum = 0;
        for (std::size_t j = 0; j < of.users.cols; ++j)
            sum += of.users(static_cast<std::size_t>(user), j) *
                   of.items(static_cast<std::size_t>(item), j);
        return sum;
    };
    double expected = 0;
    for (std::size_t b = 0; b < batch.users.size(); ++b) {
        const double x =
            score(batch.users[b], batch.positives[b]) - score(batch.users[b], batch.negatives[b]);
        expected -= std::log(1e-10 + 1 / (1 + std::exp(-x))) / 12;
    }
    auto gradient = parameters;
    CHECK(model->loss(parameters, batch, {}, gradient) == Approx(expected).epsilon(1e-13));
}

TEST_CASE("LightGCN gives the same bits on 1, 2 and 7 threads", "[recsys][lightgcn][threads]") {
    auto const data = random_dataset(600, 300, 15000, 1);  // enough work to be spread
    auto const batch = random_batch(data, 700, 2);
    auto const run = [&](int threads) {
        auto const model = make_model<float>("lightgcn", data, {}, threads);
        auto const parameters = initial(*model, 3);
        auto gradient = parameters;
        auto result =
            std::vector<float>{static_cast<float>(model->loss(parameters, batch, {}, gradient))};
        result.insert(result.end(), gradient.begin(), gradient.end());
        auto const [users, items] = model->representations(parameters);
        result.insert(result.end(), users.data, users.data + users.size());
        result.insert(result.end(), items.data, items.data + items.size());
        return result;
    };
    auto const expected = run(1);
    CHECK(run(2) == expected);
    CHECK(run(7) == expected);
}

TEST_CASE("a loss depends on its arguments alone, not on the calls before", "[recsys][lightgcn]") {
    auto const data = random_dataset(60, 40, 300, 1);
    auto const batch = random_batch(data, 30, 2), other = random_batch(data, 17, 3);
    auto const model = make_model<float>("lightgcn", data, {}, 1);
    auto const parameters = initial(*model, 4), elsewhere = initial(*model, 5);
    auto first = parameters, again = parameters, unused = parameters;
    const double loss = model->loss(parameters, batch, {}, first);

    model->loss(elsewhere, other, {polder::Batch::second, false}, unused);
    CHECK(model->representations(elsewhere).users.rows == 60);
    CHECK(model->loss(parameters, batch, {polder::Batch::first, true}, again) == loss);
    CHECK(values(again) == values(first));
}

TEST_CASE("LightGCN allocates in its first step only", "[recsys][lightgcn]") {
    auto const data = random_dataset(60, 40, 300, 1);
    auto const batch = random_batch(data, 30, 2), shorter = random_batch(data, 17, 3);
    auto const model = make_model<float>("lightgcn", data, {}, 1);
    auto const parameters = initial(*model, 4);
    auto gradient = parameters;
    model->loss(parameters, batch, {}, gradient);
    const std::size_t before = allocations();
    model->loss(parameters, shorter, {}, gradient);
    model->loss(parameters, batch, {}, gradient);
    CHECK(allocations() == before);
}

TEST_CASE("initial values are Xavier uniform and follow from the seed alone",
          "[recsys][lightgcn]") {
    auto const data = random_dataset(300, 100, 900, 1);
    auto const model = make_model<float>("lightgcn", data, {}, 1);
    auto const parameters = initial(*model, 7);
    CHECK(parameters.entries()[0].name == "user_embedding");
    CHECK(parameters.entries()[1].name == "item_embedding");
    CHECK(values(initial(*model, 7)) == values(parameters));
    CHECK(values(initial(*model, 8)) != values(parameters));
    CHECK(values(initial(*make_model<float>("lightgcn", data, {}, 7), 7)) == values(parameters));

    for (auto const& entry : parameters.entries()) {
        auto const matrix = parameters.view(entry);
        const double bound = std::sqrt(6.0 / static_cast<double>(entry.rows + 64));
        double sum = 0, squares = 0, largest = 0;
        for (std::size_t k = 0; k < matrix.size(); ++k) {
            const double value = static_cast<double>(matrix.data[k]);
            sum += value;
            squares += value * value;
            largest = std::max(largest, std::abs(value));
        }
        auto const n = static_cast<double>(matrix.size());
        CHECK(largest <= bound);
        CHECK(largest > 0.99 * bound);
        CHECK(std::abs(sum / n) < 5 * bound / std::sqrt(3 * n));
        CHECK(squares / n == Approx(bound * bound / 3).epsilon(0.05));
    }
    CHECK(parameters["user_embedding"](0, 0) * std::sqrt(364.0f) !=
          Approx(parameters["item_embedding"](0, 0) * std::sqrt(164.0f)));
}

TEST_CASE("the graph has one entry per distinct pair, normalised by distinct neighbours",
          "[recsys][graph]") {
    auto data = toy();
    data.train.push_back({0, 1});  // a second time
    auto const r = normalised_interactions<double>(data);
    CHECK(r.rows == 2);
    CHECK(r.cols == 3);
    CHECK(r.offsets == std::vector<std::size_t>{0, 2, 3});
    CHECK(r.columns == Ids{0, 1, 1});
    const double one = 1 + 1e-7, two = 2 + 1e-7;
    CHECK(r.values[0] == Approx(1 / std::sqrt(two * one)).epsilon(1e-15));
    CHECK(r.values[1] == Approx(1 / two).epsilon(1e-15));
    CHECK(r.values[2] == Approx(1 / std::sqrt(one * two)).epsilon(1e-15));

    auto const a = bipartite_adjacency(r);
    CHECK(a.rows == 5);
    CHECK(a.cols == 5);
    CHECK(a.offsets == std::vector<std::size_t>{0, 2, 3, 4, 6, 6});
    CHECK(a.columns == Ids{2, 3, 3, 0, 0, 1});
    CHECK(a.values == std::vector<double>{r.values[0], r.values[1], r.values[2], r.values[0],
                                          r.values[1], r.values[2]});
}

TEST_CASE("hyper-parameters are set by name and refused with name, value and range",
          "[recsys][hyper_parameters]") {
    auto const made = [](Settings const& settings) {
        return message_of([&] { make_model<float>("lightgcn", toy(), settings, 1); });
    };
    CHECK(made({{"n_layers", "2"}, {"reg_weight", "1e-3"}}) == "nothing was thrown");
    CHECK(made({{"layers", "2"}}) == "unknown hyper-parameter of lightgcn 'layers'; nearest: "
                                     "n_layers; known: embedding_size, n_layers, reg_weight");
    CHECK(made({{"n_layers", "2.5"}}) ==
          "lightgcn: n_layers = '2.5', expected an integer in [0, 64]");
    CHECK(made({{"n_layers", ""}}) == "lightgcn: n_layers = '', expected an integer in [0, 64]");
    CHECK(made({{"n_layers", "-1"}}) == "lightgcn: n_layers = -1, expected an integer in [0, 64]");
    CHECK(made({{"reg_weight", "-1e-4"}}) ==
          "lightgcn: reg_weight = -1e-04, expected a number >= 0");
    CHECK(made({{"reg_weight", "nan"}}) == "lightgcn: reg_weight = nan, expected a number >= 0");
    CHECK(made({{"reg_weight", "inf"}}) == "lightgcn: reg_weight = inf, expected a number >= 0");
    CHECK(made({{"embedding_size", "0"}}) ==
          "lightgcn: embedding_size = 0, expected an integer in [1, 65536]");
    CHECK(made({{"embedding_size", "99999999999"}}) ==
          "lightgcn: embedding_size = '99999999999', expected an integer in [1, 65536]");

    LightGCNHyperParameters values;
    values.n_layers = 65;
    CHECK(message_of([&] { TapeModel<LightGCN, EigenBackend<float>>(toy(), values, 1); }) ==
          "lightgcn: n_layers = 65, expected an integer in [0, 64]");

    auto const model = make_model<float>("lightgcn", toy(), {{"reg_weight", "0.5"}}, 1);
    auto const list = model->hyper_parameters();
    REQUIRE(list.size() == 3);
    CHECK(list[1].name == "n_layers");
    CHECK(std::get<int>(list[1].value) == 3);
    CHECK(std::get<double>(list[2].value) == 0.5);
}

TEST_CASE("an unknown model is an error that lists the known ones", "[recsys][models]") {
    auto const message = message_of([] { make_model<float>("lightgnc", toy(), {}, 1); });
    CHECK(message.starts_with("unknown model 'lightgnc'; nearest: lightgcn; known: "));
    CHECK_THAT(message, ContainsSubstring("lightgcn"));
    CHECK(find_model("lightgcn").name == "lightgcn");
    CHECK(find_model("lightgcn").hyper_parameters().size() == 3);
}

TEST_CASE("batches that do not fit the data are refused", "[recsys][models]") {
    auto const model = make_model<float>("lightgcn", toy(), {}, 1);
    auto const parameters = initial(*model, 1);
    auto gradient = parameters;
    auto const loss = [&](OwnBatch const& batch) {
        return message_of([&] { model->loss(parameters, batch, {}, gradient); });
    };
    CHECK(loss({{0}, {0}, {2}}) == "nothing was thrown");
    CHECK(loss({{2}, {0}, {2}}) == "batch: user 2, expected 0 to 1");
    CHECK(loss({{0}, {-1}, {2}}) == "batch: positive item -1, expected 0 to 2");
    CHECK(loss({{0}, {0}, {3}}) == "batch: negative item 3, expected 0 to 2");
    CHECK(loss({{0}, {0, 1}, {2}}) ==
          "batch: 1 users, 2 positives, 1 negatives, expected equal numbers, at least 1");
    CHECK(loss({{}, {}, {}}) ==
          "batch: 0 users, 0 positives, 0 negatives, expected equal numbers, at least 1");
}
