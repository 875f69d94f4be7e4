// Loss surfaces and curvature, against plain loops.
#include "recsys/robustness/landscape.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>

#include "recsys/data/synthetic.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/random_data.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;
using polder::Pass;

Dataset small() { return generate_synthetic(synthetic_options("small")); }

// BPR's loss of a batch, by definition.
double plain_bpr(ParameterArena<double> const& x, Triples const& batch, double weight) {
    auto const p = x["user_embedding"], q = x["item_embedding"];
    double sum = 0, users = 0, positives = 0, negatives = 0;
    for (std::size_t b = 0; b < batch.users.size(); ++b) {
        auto const u = static_cast<std::size_t>(batch.users[b]),
                   i = static_cast<std::size_t>(batch.positives[b]),
                   j = static_cast<std::size_t>(batch.negatives[b]);
        double difference = 0;
        for (std::size_t k = 0; k < p.cols; ++k) {
            difference += p(u, k) * (q(i, k) - q(j, k));
            users += p(u, k) * p(u, k);
            positives += q(i, k) * q(i, k);
            negatives += q(j, k) * q(j, k);
        }
        sum -= std::log(1e-10 + 1 / (1 + std::exp(-difference)));
    }
    return (sum + weight * (std::sqrt(users) + std::sqrt(positives) + std::sqrt(negatives))) /
           static_cast<double>(batch.users.size());
}

// 0.5 x^T A x + b^T x with a diagonal A; "unused" is no part of it, and "still" is frozen.
class Quadratic final : public AnyModel<double> {
public:
    explicit Quadratic(std::vector<double> diagonal) : diagonal_(std::move(diagonal)) {}

    std::string_view name() const override { return "quadratic"; }
    std::vector<HyperParameterValue> hyper_parameters() const override { return {}; }
    void declare(ParameterArena<double>& parameters) const override {
        parameters.add("still", 1, 2);
        parameters.add("x", 1, diagonal_.size());
        parameters.add("unused", 2, 2);
    }
    void initialise(ParameterArena<double>&, std::uint64_t) const override {}
    std::vector<std::string> frozen() const override { return {"still"}; }
    double loss(ParameterArena<double> const& parameters, Triples const&, Pass,
                ParameterArena<double>& gradient) override {
        std::fill(gradient.begin(), gradient.end(), 0.0);
        auto const x = parameters["x"];
        auto const g = gradient["x"];
        double sum = 0;
        for (std::size_t k = 0; k < diagonal_.size(); ++k) {
            sum += 0.5 * diagonal_[k] * x.data[k] * x.data[k] + x.data[k];
            g.data[k] = diagonal_[k] * x.data[k] + 1;
        }
        gradient["still"].data[0] = 1000 * parameters["still"].data[0];
        return sum;
    }
    std::vector<LossTerm> terms() const override { return {}; }
    Representations<double> representations(ParameterArena<double> const&) override { return {}; }

private:
    std::vector<double> diagonal_;
};

Curvature curvature_of(std::vector<double> diagonal, CurvatureOptions const& options) {
    Quadratic model(std::move(diagonal));
    ParameterArena<double> p;
    model.declare(p);
    std::fill(p.begin(), p.end(), 0.5);
    auto const data = test::random_dataset(10, 8, 20);
    FixedBatches const batches(data, 100, 0);
    MeanLoss<double> loss(model, batches, 0, 0);
    auto const active = active_parameters(model, loss, p);
    CHECK(active == std::vector<std::string>{"x"});
    return measure_curvature(loss, p, active, options, [] { return true; });
}

}  // namespace

TEST_CASE("fixed batches are the train rows in order, with one negative each", "[landscape]") {
    auto const data = small();
    FixedBatches const batches(data, 1000, 4), again(data, 1000, 4), other(data, 1000, 5);
    auto const n = data.train.size();
    REQUIRE(batches.size() == (n + 999) / 1000);
    std::set<std::pair<std::int32_t, std::int32_t>> train;
    std::set<std::int32_t> items;
    for (auto const& row : data.train) {
        train.emplace(row.user, row.item);
        items.insert(row.item);
    }
    std::size_t at = 0;
    bool differs = false;
    for (std::size_t k = 0; k < batches.size(); ++k) {
        auto const batch = batches[k];
        CHECK(batch.number == 2 * k);
        for (std::size_t b = 0; b < batch.users.size(); ++b, ++at) {
            REQUIRE(batch.users[b] == data.train[at].user);
            REQUIRE(batch.positives[b] == data.train[at].item);
            REQUIRE(items.contains(batch.negatives[b]));
            REQUIRE_FALSE(train.contains({batch.users[b], batch.negatives[b]}));
            REQUIRE(again[k].negatives[b] == batch.negatives[b]);
            differs = differs || other[k].negatives[b] != batch.negatives[b];
        }
    }
    CHECK(at == n);
    CHECK(differs);

    FixedBatches const some(data, 1000, 4, 3);
    REQUIRE(some.size() == 3);
    auto const second = batches.size() / 3;
    CHECK(std::equal(some[1].negatives.begin(), some[1].negatives.end(),
                     batches[second].negatives.begin()));
    CHECK_THROWS_WITH(FixedBatches(data, 0, 4), ContainsSubstring("batch size = 0"));
}

TEST_CASE("a surface is the loss of plain loops", "[landscape]") {
    auto const data = small();
    auto const model =
        make_model<double>("bpr", data, {{"embedding_size", "6"}, {"reg_weight", "0.1"}}, 1);
    auto const p = test::somewhere(*model, 3);
    FixedBatches const batches(data, 2048, 1);
    MeanLoss<double> loss(*model, batches, 9, 0);
    auto const active = active_parameters(*model, loss, p);
    CHECK(active == std::vector<std::string>{"user_embedding", "item_embedding"});
    for (auto const& grid : landscape_grids) {
        INFO(grid.name);
        auto const n1 = random_direction(p, active, grid.is_normalised, 5, 1);
        auto const n2 = random_direction(p, active, grid.is_normalised, 5, 2);
        auto moved = p;
        for (auto const& [m, n] : {std::pair{0.0, 0.0}, {-100.0, 52.6}, {5.3, -5.3}}) {
            move_to(moved, p, grid.scale * m, n1, grid.scale * n, n2);
            double expected = 0;
            for (std::size_t k = 0; k < batches.size(); ++k)
                expected += plain_bpr(moved, batches[k], 0.1) / static_cast<double>(batches.size());
            CHECK(loss(moved) == Approx(expected).epsilon(1e-10));
            for (std::size_t k = 0; k < p.size(); ++k)
                REQUIRE(moved.data()[k] == Approx(p.data()[k] + grid.scale * m * n1.data()[k] +
                                                  grid.scale * n * n2.data()[k])
                                               .margin(1e-12));
        }
        CHECK(loss(p) != loss(moved));
    }
}

TEST_CASE("the gradient of the mean loss is the mean of the batches' gradients", "[landscape]") {
    auto const data = small();
    auto const model = make_model<double>("lightgcn", data, {{"embedding_size", "4"}}, 1);
    auto const p = test::somewhere(*model, 3);
    FixedBatches const batches(data, 5000, 1);
    MeanLoss<double> loss(*model, batches, 9, 0);
    auto gradient = p;
    CHECK(loss(p, gradient) == Approx(loss(p)).epsilon(1e-14));
    for (std::size_t const k : {std::size_t{3}, p.size() / 2, p.size() - 5}) {
        auto up = p, down = p;
        up.data()[k] += 1e-4;
        down.data()[k] -= 1e-4;
        CHECK(gradient.data()[k] ==
              Approx((loss(up) - loss(down)) / 2e-4).epsilon(1e-4).margin(1e-9));
    }
}

TEST_CASE("normalised directions have the norms of rows, or of columns where these are filters",
          "[landscape]") {
    ParameterArena<double> p;
    p.add("item_embedding", 4, 3);
    p.add("layer.bias", 1, 3);
    p.add("v_hyper", 5, 2);
    p.add("not_active", 2, 2);
    Random random(1, "p");
    for (auto& value : p) value = random.normal();
    std::vector<std::string> const active{"item_embedding", "layer.bias", "v_hyper"};
    auto const n = random_direction(p, active, true, 7, 1);
    for (std::size_t row = 0; row < 4; ++row) {
        double of_p = 0, of_n = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            of_p += std::pow(p["item_embedding"](row, k), 2);
            of_n += std::pow(n["item_embedding"](row, k), 2);
        }
        CHECK(of_n == Approx(of_p));
    }
    for (std::size_t column = 0; column < 2; ++column) {
        double of_p = 0, of_n = 0;
        for (std::size_t k = 0; k < 5; ++k) {
            of_p += std::pow(p["v_hyper"](k, column), 2);
            of_n += std::pow(n["v_hyper"](k, column), 2);
        }
        CHECK(of_n == Approx(of_p));
    }
    for (std::size_t k = 0; k < 3; ++k) CHECK(n["layer.bias"].data[k] == 0);
    for (std::size_t k = 0; k < 4; ++k) CHECK(n["not_active"].data[k] == 0);

    auto const plain = random_direction(p, active, false, 7, 1);
    Random z(7, "landscape direction", 1, "layer.bias");
    for (std::size_t k = 0; k < 3; ++k) CHECK(plain["layer.bias"].data[k] == Approx(z.normal()));
    for (std::size_t k = 0; k < 4; ++k) CHECK(plain["not_active"].data[k] == 0);
    // The same direction whatever the parameters are.
    auto other = p;
    for (auto& value : other) value *= 3;
    auto const same = random_direction(other, active, true, 7, 1);
    CHECK(same.data()[1] == Approx(3 * n.data()[1]));
    CHECK(random_direction(p, active, true, 7, 2).data()[1] != n.data()[1]);
}

TEST_CASE("the summary counts the ring and the points below", "[landscape]") {
    auto const axis = landscape_axis(20);
    CHECK(axis.front() == -100);
    CHECK(axis.back() == 100);
    CHECK(axis[10] == Approx(5.263).epsilon(1e-3));
    CHECK(landscape_axis(21)[10] == 0);
    std::vector<double> losses;
    double ring = 0, n_ring = 0, n_below = 0;
    for (double const m : axis)
        for (double const n : axis) {
            losses.push_back(2 + 1e-4 * (m * m + 2 * n * n));
            double const radius = std::sqrt(m * m + n * n) / 100;
            if (0.4 <= radius && radius <= 0.6) {
                ring += losses.back() - 1.5;
                n_ring += 1;
            }
            n_below += losses.back() <= 2.2 + 0.1 ? 1 : 0;
        }
    CHECK(summarise(axis, losses, 1.5).ring_rise == Approx(ring / n_ring));
    CHECK(summarise(axis, losses, 2.2).share_below == Approx(n_below / 400));
    losses[10 * 20 + 5] = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isinf(summarise(axis, losses, 1.5).ring_rise));
}

TEST_CASE("the curvature of a quadratic is that of its matrix", "[landscape]") {
    CurvatureOptions const options{.iterations = 400, .tolerance = 1e-4, .samples = 3, .seed = 2};
    auto const c = curvature_of({0.5, 3, -1, 2, 0.1}, options);
    CHECK(c.largest == Approx(3).epsilon(1e-4));
    CHECK(c.trace == Approx(4.6).epsilon(1e-6));
    CHECK(c.trace_error == Approx(0).margin(1e-5));  // of a diagonal every sample is exact
    CHECK(c.residual <= 3e-4 * 1.01);
    // The largest is not the one of the largest magnitude.
    CHECK(curvature_of({-7, 2, 0.3, 1}, options).largest == Approx(2).epsilon(1e-4));
    CHECK(curvature_of({-7, -2, -3}, options).largest == Approx(-2).epsilon(1e-4));

    auto const none = curvature_of({1, 2}, {.iterations = 0, .samples = 0});
    CHECK(std::isnan(none.largest));
    CHECK(std::isnan(none.trace));
}

TEST_CASE("the curvature of BPR is that of its whole Hessian", "[landscape]") {
    auto const data = test::random_dataset(9, 8, 30);
    auto const model =
        make_model<double>("bpr", data, {{"embedding_size", "3"}, {"reg_weight", "0.1"}}, 1);
    auto p = test::somewhere(*model, 3);
    FixedBatches const batches(data, 16, 1);
    MeanLoss<double> loss(*model, batches, 9, 0);
    auto const active = active_parameters(*model, loss, p);

    // By second differences of the loss in plain loops.
    auto const plain = [&](ParameterArena<double> const& x) {
        double sum = 0;
        for (std::size_t k = 0; k < batches.size(); ++k) sum += plain_bpr(x, batches[k], 0.1);
        return sum / static_cast<double>(batches.size());
    };
    auto const n = static_cast<Eigen::Index>(p.size());
    Eigen::MatrixXd hessian(n, n);
    double const h = 1e-3;
    auto x = p;
    auto const at = [&](Eigen::Index i, double di, Eigen::Index j, double dj) {
        auto &xi = x.data()[i], &xj = x.data()[j];
        xi += di;
        xj += dj;
        double const value = plain(x);
        xi = p.data()[i];
        xj = p.data()[j];
        return value;
    };
    for (Eigen::Index i = 0; i < n; ++i)
        for (Eigen::Index j = 0; j <= i; ++j)
            hessian(i, j) = hessian(j, i) =
                (at(i, h, j, h) - at(i, h, j, -h) - at(i, -h, j, h) + at(i, -h, j, -h)) /
                (4 * h * h);
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> const solver(hessian);

    auto const c = measure_curvature(
        loss, p, active, {.iterations = 2000, .tolerance = 1e-4, .samples = 400, .seed = 2},
        [] { return true; });
    CHECK(c.largest == Approx(solver.eigenvalues().maxCoeff()).epsilon(1e-3));
    CHECK(c.trace_error > 0);
    CHECK(std::abs(c.trace - hessian.trace()) < 4 * c.trace_error);
}

TEST_CASE("an interrupted measurement leaves what it does not know open", "[landscape]") {
    auto const data = test::random_dataset(9, 8, 30);
    auto const model = make_model<double>("bpr", data, {{"embedding_size", "3"}}, 1);
    auto const p = test::somewhere(*model, 3);
    FixedBatches const batches(data, 16, 1);
    MeanLoss<double> loss(*model, batches, 9, 0);
    auto const active = active_parameters(*model, loss, p);
    int n = 0;
    auto const c = measure_curvature(loss, p, active, {}, [&] { return ++n < 2; });
    CHECK(n == 2);
    CHECK(std::isnan(c.largest));
    CHECK(std::isnan(c.trace));
}

TEST_CASE("nothing is dropped at random in a surface", "[landscape]") {
    auto const data = test::random_dataset(30, 25, 200);
    for (auto const& entry : models()) {
        INFO(entry.name);
        auto const settings = without_dropout(entry.hyper_parameters(), {});
        auto const model = entry.make_double(data, settings, 1);
        // The loss is the same at every call, and finite.
        auto const p = test::initial(*model, 3);
        FixedBatches const batches(data, 64, 1);
        MeanLoss<double> loss(*model, batches, 9, 2);
        double const first = loss(p);
        CHECK(std::isfinite(first));
        CHECK(loss(p) == first);
        for (auto const& value : model->hyper_parameters()) {
            if (value.name == "dropout") CHECK(std::get<double>(value.value) == 0);
            if (value.name == "keep_rate") CHECK(std::get<double>(value.value) == 1);
        }
    }
    auto const of_lattice = without_dropout(find_model("lattice").hyper_parameters(),
                                            {{"mess_dropout", "[0.1,0.2,0.3]"}});
    CHECK(of_lattice == Settings{{"mess_dropout", "[0,0,0]"}});
    // A switch is no rate.
    for (auto const& setting : without_dropout(find_model("grcn").hyper_parameters(), {}))
        CHECK(setting.first != "edge_dropout_at_inference");
    CHECK_THROWS_WITH(find_grid("smal"), ContainsSubstring("nearest: small"));
}

TEST_CASE("a graph that follows from parameters is built at every point", "[landscape]") {
    auto const data = test::random_dataset(30, 25, 200);
    auto const model =
        make_model<double>("lattice", data, {{"embedding_size", "4"}, {"knn_k", "3"}}, 1);
    auto const p = test::somewhere(*model, 3);
    auto elsewhere = p;
    for (auto& value : elsewhere) value *= -1.5;
    FixedBatches const batches(data, 64, 1);
    MeanLoss<double> loss(*model, batches, 9, 2);
    double const here = loss(p);
    loss(elsewhere);
    CHECK(loss(p) == here);
}
