// Disturbed embeddings, features and information, against plain loops.
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "recsys/data/synthetic.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/random.hpp"
#include "recsys/random_data.hpp"
#include "recsys/robustness/adjustment.hpp"
#include "recsys/robustness/feature_changes.hpp"
#include "recsys/robustness/item_tables.hpp"
#include "recsys/robustness/substitute.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;
using Draw = std::vector<std::vector<double>>;

Dataset small() { return generate_synthetic(synthetic_options("small")); }

Draw rows_of(float const* data, std::size_t rows, std::size_t cols) {
    Draw result(rows);
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < cols; ++j)
            result[i].push_back(static_cast<double>(data[i * cols + j]));
    return result;
}
Draw rows_of(FeatureMatrix const& f) { return rows_of(f.values.data(), f.rows, f.columns); }
Draw rows_of(polder::MatrixView<float const> x) { return rows_of(x.data, x.rows, x.cols); }

double dot(std::vector<double> const& a, std::vector<double> const& b) {
    double sum = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] * b[k];
    return sum;
}
double norm(std::vector<double> const& a) { return std::sqrt(dot(a, a)); }

// Recall@10 and NDCG@10 of test by definition: all scores, all sorted.
std::pair<double, double> plain_metrics(Dataset const& data, Draw const& users, Draw const& items) {
    double recalls = 0, gains = 0, n = 0;
    for (std::int32_t user = 0; user < data.n_users; ++user) {
        std::set<std::int32_t> train;
        std::multiset<std::int32_t> test;
        for (auto const& row : data.train)
            if (row.user == user) train.insert(row.item);
        for (auto const& row : data.test)
            if (row.user == user) test.insert(row.item);
        if (test.empty()) continue;
        std::vector<std::pair<double, std::int32_t>> scores;
        for (std::int32_t item = 0; item < data.n_items; ++item)
            if (!train.contains(item))
                scores.emplace_back(-dot(users[static_cast<std::size_t>(user)],
                                         items[static_cast<std::size_t>(item)]),
                                    item);
        std::sort(scores.begin(), scores.end());
        double hits = 0, gain = 0, ideal = 0;
        for (std::size_t rank = 1; rank <= 10; ++rank) {
            if (test.contains(scores[rank - 1].second)) {
                hits += 1;
                gain += 1 / std::log2(static_cast<double>(rank) + 1);
            }
            if (rank <= test.size()) ideal += 1 / std::log2(static_cast<double>(rank) + 1);
        }
        recalls += hits / static_cast<double>(test.size());
        gains += gain / ideal;
        n += 1;
    }
    return {recalls / n, gains / n};
}

// (1 / (L + 1)) sum_l of the layers of LightGCN, in plain loops.
std::pair<Draw, Draw> plain_smoothing(Dataset const& data, Draw p, Draw q, int layers) {
    std::set<std::pair<std::int32_t, std::int32_t>> edges;
    for (auto const& row : data.train) edges.emplace(row.user, row.item);
    std::vector<double> of_user(p.size(), 1e-7), of_item(q.size(), 1e-7);
    for (auto const& [user, item] : edges) {
        of_user[static_cast<std::size_t>(user)] += 1;
        of_item[static_cast<std::size_t>(item)] += 1;
    }
    auto sum_p = p, sum_q = q;
    for (int l = 0; l < layers; ++l) {
        Draw next_p(p.size(), std::vector<double>(p[0].size())),
            next_q(q.size(), std::vector<double>(q[0].size()));
        for (auto const& [user, item] : edges) {
            auto const u = static_cast<std::size_t>(user), i = static_cast<std::size_t>(item);
            double const weight = 1 / std::sqrt(of_user[u] * of_item[i]);
            for (std::size_t k = 0; k < p[0].size(); ++k) {
                next_p[u][k] += weight * q[i][k];
                next_q[i][k] += weight * p[u][k];
            }
        }
        p = next_p;
        q = next_q;
        for (std::size_t u = 0; u < p.size(); ++u)
            for (std::size_t k = 0; k < p[u].size(); ++k) sum_p[u][k] += p[u][k];
        for (std::size_t i = 0; i < q.size(); ++i)
            for (std::size_t k = 0; k < q[i].size(); ++k) sum_q[i][k] += q[i][k];
    }
    for (auto* sums : {&sum_p, &sum_q})
        for (auto& row : *sums)
            for (auto& value : row) value /= layers + 1;
    return {sum_p, sum_q};
}

// The items by cosine with item i, best first, without i itself.
std::vector<std::size_t> plain_ranking(Draw const& x, std::size_t i) {
    std::vector<std::pair<double, std::size_t>> all;
    for (std::size_t j = 0; j < x.size(); ++j)
        if (j != i) all.emplace_back(-dot(x[i], x[j]) / (norm(x[i]) * norm(x[j])), j);
    std::sort(all.begin(), all.end());
    std::vector<std::size_t> result;
    for (auto const& each : all) result.push_back(each.second);
    return result;
}

std::vector<std::string> names(std::vector<ItemTable> const& tables) {
    std::vector<std::string> result;
    for (auto const& table : tables) result.push_back(table.name);
    return result;
}

std::vector<double> vectors(AnyModel<float>& model, ParameterArena<float> const& x) {
    auto const [users, items] = model.representations(x);
    std::vector<double> all(users.data, users.data + users.size());
    all.insert(all.end(), items.data, items.data + items.size());
    return all;
}

}  // namespace

TEST_CASE("learnable tables of items are those that scores depend on", "[robustness]") {
    auto const data = test::random_dataset(30, 25, 200);
    auto const tables = [&](std::string const& name, Settings settings = {}) {
        settings.insert(settings.begin(), {name == "slmrec" ? "recdim" : "embedding_size", "8"});
        auto const model = make_model<float>(name, data, settings, 1);
        auto const x = test::somewhere(*model, 3);
        return names(item_tables(*model, x, data));
    };
    using Names = std::vector<std::string>;
    for (auto const* name : {"bpr", "lightgcn", "vbpr", "freedom", "bm3", "lgmrec", "layergcn",
                             "selfcf", "slmrec", "lattice"}) {
        INFO(name);
        CHECK(tables(name) == Names{"item_embedding"});
    }
    CHECK(tables("grcn") == Names{"id_embedding", "confidence"});
    CHECK(tables("dragon").empty());
    CHECK(tables("mentor").empty());
    CHECK(tables("dualgnn").empty());
    CHECK(tables("mmgcn").empty());
    CHECK(tables("mmgcn", {{"train_embeddings", "true"}}) == Names{"id_embedding"});
    for (auto const* name : {"dragon", "mentor"})
        CHECK(tables(name, {{"item_embedding", "true"}}) ==
              Names{"v_gcn.item_embedding", "t_gcn.item_embedding"});
}

TEST_CASE("noise in embeddings gives the metrics of plain loops", "[robustness]") {
    auto const data = small();
    auto const model = make_model<float>("lightgcn", data, {{"embedding_size", "8"}}, 1);
    auto x = test::initial(*model, 5);
    for (auto& value : x) value *= 10;
    auto const table = item_tables(*model, x, data).at(0);
    double const sigma = 0.5 * root_mean_square(std::span<float const>(table.of(std::as_const(x))));

    auto disturbed = x;
    add_noise(disturbed, table, sigma, 7, 2);
    auto const measured = FullSort(data)(model->representations(disturbed), 1).test;

    auto const p = rows_of(std::as_const(x)["user_embedding"]);
    auto q = rows_of(std::as_const(x)["item_embedding"]);
    Random z(7, "noise in embeddings", "item_embedding", 2);
    double squares = 0, n = 0;
    for (auto& row : q)
        for (auto& value : row) {
            squares += value * value;
            n += 1;
            value += sigma * z.normal();
        }
    CHECK(sigma == Approx(0.5 * std::sqrt(squares / n)).epsilon(1e-9));
    auto const [users, items] = plain_smoothing(data, p, q, 3);
    auto const [recall, ndcg] = plain_metrics(data, users, items);
    CHECK(measured["recall@10"] == Approx(recall).margin(2e-4));
    CHECK(measured["ndcg@10"] == Approx(ndcg).margin(2e-4));
    auto const original = FullSort(data)(model->representations(x), 1).test;
    CHECK(std::abs(original["recall@10"] - recall) > 1e-3);
}

TEST_CASE("noise goes to the rows of items, and is the same for every model and level",
          "[robustness]") {
    ParameterArena<float> x;
    x.add("id_embedding", 7, 2);
    ItemTable const table{"id_embedding", 4, 3};
    auto once = x, twice = x, again = x, other = x;
    add_noise(once, table, 0.5, 1, 0);
    add_noise(twice, table, 1, 1, 0);
    add_noise(again, table, 0.5, 1, 0);
    add_noise(other, table, 0.5, 1, 1);
    for (std::size_t k = 0; k < 14; ++k) {
        INFO(k);
        CHECK((once.data()[k] != 0) == (k >= 8));
        CHECK(twice.data()[k] == Approx(2 * once.data()[k]));
        CHECK(again.data()[k] == once.data()[k]);
        if (k >= 8) CHECK(other.data()[k] != once.data()[k]);
    }
}

TEST_CASE(
    "a substitute is the model with embeddings of 0, and noise there is noise after the layers",
    "[robustness]") {
    auto const data = test::random_dataset(30, 25, 200);
    auto const name = std::string(GENERATE("dragon", "mentor"));
    Settings const settings{{"embedding_size", "8"}, {"knn_k", "5"}};
    auto const model = make_model<float>(name, data, settings, 1);
    auto const x = test::somewhere(*model, 3);
    auto const substitute = substitute_for(*model, x, data);
    REQUIRE(substitute);
    CHECK(names(substitute->tables) ==
          std::vector<std::string>{"v_gcn.item_embedding", "t_gcn.item_embedding"});
    auto with = settings;
    with.insert(with.end(), substitute->settings.begin(), substitute->settings.end());
    auto const other = make_model<float>(name, data, with, 1);
    auto y = extended(x, *other);
    CHECK(vectors(*other, y) == vectors(*model, x));

    // The same vector in all rows is the same as in the bias of the last layer.
    auto moved = x;
    for (std::size_t j = 0; j < 8; ++j) {
        auto const change = 0.1F * static_cast<float>(j + 1);
        moved["v_gcn.MLP_1.bias"](0, j) += change;
        for (std::size_t i = 0; i < 25; ++i) y["v_gcn.item_embedding"](i, j) = change;
    }
    auto const expected = vectors(*model, moved), found = vectors(*other, y);
    for (std::size_t k = 0; k < expected.size(); ++k)
        REQUIRE(found[k] == Approx(expected[k]).margin(1e-5));

    auto const f = rows_of(data.visual);
    auto const w1 = rows_of(x["v_gcn.MLP.weight"]), b1 = rows_of(x["v_gcn.MLP.bias"]),
               w2 = rows_of(x["v_gcn.MLP_1.weight"]), b2 = rows_of(x["v_gcn.MLP_1.bias"]);
    double squares = 0;
    for (auto const& row : f)
        for (std::size_t j = 0; j < 8; ++j) {
            double z = b2[0][j];
            for (std::size_t h = 0; h < w1.size(); ++h) {
                double const hidden = dot(row, w1[h]) + b1[0][h];
                z += w2[j][h] * (hidden > 0 ? hidden : 0.01 * hidden);
            }
            squares += z * z;
        }
    CHECK(substitute->sizes[0] == Approx(std::sqrt(squares / (25 * 8))).epsilon(1e-5));
}

TEST_CASE("MMGCN's substitute are the identities of items", "[robustness]") {
    auto const data = test::random_dataset(30, 25, 200);
    auto const model = make_model<float>("mmgcn", data, {{"embedding_size", "8"}}, 1);
    auto const x = test::somewhere(*model, 3);
    auto const substitute = substitute_for(*model, x, data);
    REQUIRE(substitute);
    REQUIRE(substitute->tables.size() == 1);
    CHECK(substitute->tables[0].first_row == 30);
    CHECK(substitute->tables[0].rows == 25);
    auto y = extended(x, *model);
    add_noise(y, substitute->tables[0], 1, 0, 0);
    CHECK(vectors(*model, y) != vectors(*model, x));
    CHECK_FALSE(substitute_for(*make_model<float>("bpr", data, {}, 1), x, data));
}

TEST_CASE("noise in features of FREEDOM acts through the graph, as in plain loops",
          "[robustness]") {
    auto const data = generate_synthetic(synthetic_options("tiny"));
    Settings const settings{{"embedding_size", "8"}, {"knn_k", "5"}, {"mm_image_weight", "0.3"}};
    auto const model = make_model<float>("freedom", data, settings, 1);
    auto const x = test::somewhere(*model, 5);
    auto const noisy = with_noise(data, 0.5, true, 3, 1);
    auto changed = x;
    follow_features(changed, data, noisy);
    auto const measured =
        FullSort(noisy)(make_model<float>("freedom", noisy, settings, 1)->representations(changed),
                        1)
            .test;

    auto const q = rows_of(x["item_embedding"]);
    auto [users, items] = plain_smoothing(data, rows_of(x["user_embedding"]), q, 2);
    for (auto const& [features, name, weight] :
         {std::tuple{&data.visual, "visual", 0.3}, std::tuple{&data.textual, "textual", 0.7}}) {
        auto f = rows_of(*features);
        double squares = 0;
        for (auto const& row : f) squares += dot(row, row);
        double const rms = std::sqrt(squares / static_cast<double>(f.size() * f[0].size()));
        Random z(3, "noise in features", std::string_view(name), 1);
        for (auto& row : f)
            for (auto& value : row) value += 0.5 * rms * z.normal();
        for (std::size_t i = 0; i < f.size(); ++i) {
            auto neighbours = plain_ranking(f, i);
            neighbours.resize(4);
            neighbours.push_back(i);
            for (auto const j : neighbours)
                for (std::size_t k = 0; k < 8; ++k) items[i][k] += weight / 5 * q[j][k];
        }
    }
    auto const [recall, ndcg] = plain_metrics(data, users, items);
    CHECK(measured["recall@10"] == Approx(recall).margin(2e-4));
    CHECK(measured["ndcg@10"] == Approx(ndcg).margin(2e-4));
    auto const original = FullSort(data)(model->representations(x), 1).test;
    CHECK(original["recall@10"] != measured["recall@10"]);
}

TEST_CASE("trained copies of features change as the features do", "[robustness]") {
    auto const data = test::random_dataset(30, 25, 200);
    auto const model = make_model<float>("lattice", data, {{"embedding_size", "8"}}, 1);
    auto const x = test::somewhere(*model, 3);
    auto const noisy = with_noise(data, 0.1, false, 3, 0);
    auto changed = x;
    follow_features(changed, data, noisy);
    for (std::size_t k = 0; k < data.visual.values.size(); ++k)
        REQUIRE(changed["image_embedding"].data[k] - x["image_embedding"].data[k] ==
                Approx(noisy.visual.values[k] - data.visual.values[k]).margin(1e-6));
    CHECK(rows_of(std::as_const(changed)["item_embedding"]) == rows_of(x["item_embedding"]));
}

TEST_CASE("items are chosen at random, more of them for a larger share", "[robustness]") {
    auto const data = small();
    FeatureAdjuster const adjuster(data);
    auto const few = adjuster.choose(Adjustment::swap, 0.05, 0, 0);
    auto const more = adjuster.choose(Adjustment::swap, 0.2, 0, 0);
    auto const other = adjuster.choose(Adjustment::swap, 0.05, 0, 1);
    auto const count = [](std::vector<bool> const& which) {
        return std::count(which.begin(), which.end(), true);
    };
    CHECK(count(few.texts) == Approx(50).margin(30));
    CHECK(count(more.images) == Approx(200).margin(60));
    CHECK(few.texts != few.images);
    CHECK(few.texts != other.texts);
    for (std::size_t i = 0; i < few.texts.size(); ++i) {
        CHECK((!few.texts[i] || more.texts[i]));
        CHECK((!few.images[i] || more.images[i]));
    }
    auto const insert = adjuster.choose(Adjustment::insert, 0.05, 0, 0);
    CHECK(insert.texts == few.texts);
    CHECK(count(insert.images) == 0);
}

TEST_CASE("swap takes features of one of the ten nearest in the other modality", "[robustness]") {
    auto data = small();
    // Two items with one image: neither is the other's donor.
    std::copy_n(data.visual.row(3).begin(), data.visual.columns,
                data.visual.values.begin() + static_cast<std::ptrdiff_t>(7 * data.visual.columns));
    FeatureAdjuster adjuster(data);
    auto const chosen = adjuster.choose(Adjustment::swap, 0.1, 0, 0);
    auto const adjusted = adjuster.adjust(Adjustment::swap, 0.1, 0, 0);
    for (bool const is_image : {false, true}) {
        auto const from = rows_of(is_image ? data.visual : data.textual);
        auto const by = rows_of(is_image ? data.textual : data.visual);
        auto const to = rows_of(is_image ? adjusted.visual : adjusted.textual);
        auto const& which = is_image ? chosen.images : chosen.texts;
        std::set<std::size_t> places;
        for (std::size_t i = 0; i < from.size(); ++i) {
            if (!which[i]) {
                REQUIRE(to[i] == from[i]);
                continue;
            }
            auto ranking = plain_ranking(by, i);
            std::erase_if(ranking, [&](std::size_t j) { return by[j] == by[i]; });
            ranking.resize(10);
            auto const donor = std::find_if(ranking.begin(), ranking.end(),
                                            [&](std::size_t j) { return from[j] == to[i]; });
            REQUIRE(donor != ranking.end());
            places.insert(static_cast<std::size_t>(donor - ranking.begin()));
        }
        CHECK(places.size() >= 8);
    }
    auto const& nearest = adjuster.nearest(true, 3);
    CHECK(std::find(nearest.begin(), nearest.end(), 7) == nearest.end());
}

TEST_CASE("random takes features of any other item", "[robustness]") {
    auto const data = small();
    FeatureAdjuster adjuster(data);
    auto const chosen = adjuster.choose(Adjustment::random, 0.1, 4, 0);
    auto const adjusted = adjuster.adjust(Adjustment::random, 0.1, 4, 0);
    auto const from = rows_of(data.textual), to = rows_of(adjusted.textual);
    std::set<std::vector<double>> const all(from.begin(), from.end());
    for (std::size_t i = 0; i < from.size(); ++i) {
        CHECK((to[i] == from[i]) == !chosen.texts[i]);
        CHECK(all.contains(to[i]));
    }
}

TEST_CASE("predict and insert are the ridge regression, solved in plain loops", "[robustness]") {
    auto const data = test::random_dataset(20, 60, 200);
    FeatureAdjuster adjuster(data);
    auto const chosen = adjuster.choose(Adjustment::predict, 0.3, 0, 0);
    auto const v = rows_of(data.visual), t = rows_of(data.textual);
    std::size_t const n_items = 60, d = v[0].size();

    // Columns of v standardised over all items.
    auto x = v;
    for (std::size_t k = 0; k < d; ++k) {
        double mean = 0, variance = 0;
        for (auto const& row : v) mean += row[k] / n_items;
        for (auto const& row : v) variance += (row[k] - mean) * (row[k] - mean) / n_items;
        for (auto& row : x) row[k] = (row[k] - mean) / std::sqrt(variance);
    }
    auto const predictions = [&, standardised = x](FeatureAdjuster::Chosen const& which) {
        auto x = standardised;
        for (std::size_t k = 0; k < d; ++k) {
            double sum = 0, count = 0;
            for (std::size_t i = 0; i < n_items; ++i)
                if (!which.texts[i] && !which.images[i]) {
                    sum += x[i][k];
                    count += 1;
                }
            for (auto& row : x) row[k] -= sum / count;
        }
        Draw a(d, std::vector<double>(d)), b(d, std::vector<double>(t[0].size()));
        std::vector<double> mean(t[0].size());
        double n = 0;
        for (std::size_t i = 0; i < n_items; ++i)
            if (!which.texts[i] && !which.images[i]) {
                n += 1;
                for (std::size_t c = 0; c < mean.size(); ++c) mean[c] += t[i][c];
            }
        for (auto& value : mean) value /= n;
        for (std::size_t i = 0; i < n_items; ++i)
            if (!which.texts[i] && !which.images[i])
                for (std::size_t k = 0; k < d; ++k) {
                    for (std::size_t l = 0; l < d; ++l) a[k][l] += x[i][k] * x[i][l];
                    for (std::size_t c = 0; c < mean.size(); ++c)
                        b[k][c] += x[i][k] * (t[i][c] - mean[c]);
                }
        for (std::size_t k = 0; k < d; ++k) a[k][k] += n * 0.01;
        // Gauss and Jordan; a is positive definite.
        for (std::size_t k = 0; k < d; ++k) {
            double const pivot = a[k][k];
            for (auto& value : a[k]) value /= pivot;
            for (auto& value : b[k]) value /= pivot;
            for (std::size_t l = 0; l < d; ++l) {
                if (l == k) continue;
                double const factor = a[l][k];
                for (std::size_t c = 0; c < d; ++c) a[l][c] -= factor * a[k][c];
                for (std::size_t c = 0; c < mean.size(); ++c) b[l][c] -= factor * b[k][c];
            }
        }
        Draw result(n_items, mean);
        for (std::size_t i = 0; i < n_items; ++i) {
            for (std::size_t k = 0; k < d; ++k)
                for (std::size_t c = 0; c < mean.size(); ++c) result[i][c] += x[i][k] * b[k][c];
            double const factor = norm(t[i]) / norm(result[i]);
            for (auto& value : result[i]) value *= factor;
        }
        return result;
    };

    auto const predicted = predictions(chosen);
    auto const to = rows_of(adjuster.adjust(Adjustment::predict, 0.3, 0, 0).textual);
    auto const of_insert = adjuster.choose(Adjustment::insert, 0.3, 0, 0);
    auto const inserted = predictions(of_insert);
    auto const insert = adjuster.adjust(Adjustment::insert, 0.3, 0, 0);
    auto const mixed = rows_of(insert.textual);
    CHECK(insert.visual.values == data.visual.values);
    int n_changed = 0;
    for (std::size_t i = 0; i < n_items; ++i) {
        n_changed += chosen.texts[i] ? 1 : 0;
        double length = 0;
        std::vector<double> sum;
        for (std::size_t c = 0; c < t[i].size(); ++c) {
            sum.push_back(0.7 * t[i][c] / norm(t[i]) + 0.3 * inserted[i][c] / norm(inserted[i]));
            length += sum.back() * sum.back();
        }
        for (std::size_t c = 0; c < t[i].size(); ++c) {
            CHECK(to[i][c] == Approx(chosen.texts[i] ? predicted[i][c] : t[i][c]).margin(1e-5));
            CHECK(mixed[i][c] ==
                  Approx(of_insert.texts[i] ? norm(t[i]) * sum[c] / std::sqrt(length) : t[i][c])
                      .margin(1e-5));
        }
    }
    CHECK(n_changed > 5);

    // All items, with what is learned from all of them.
    std::vector<bool> const none(n_items);
    auto const of_all = predictions({none, none});
    auto const rewritten = adjuster.mixed(0.5, false), fused = adjuster.mixed(0.5, true);
    CHECK(rewritten.visual.values == data.visual.values);
    CHECK(fused.visual.values != data.visual.values);
    CHECK(fused.textual.values == rewritten.textual.values);
    auto const texts = rows_of(rewritten.textual);
    for (std::size_t i = 0; i < n_items; ++i) {
        std::vector<double> sum;
        for (std::size_t c = 0; c < t[i].size(); ++c)
            sum.push_back(t[i][c] / norm(t[i]) + of_all[i][c] / norm(of_all[i]));
        for (std::size_t c = 0; c < t[i].size(); ++c)
            CHECK(texts[i][c] == Approx(norm(t[i]) * sum[c] / norm(sum)).margin(1e-5));
    }
    CHECK_THROWS_WITH(adjuster.mixed(1.5, true), ContainsSubstring("weight = 1.5"));
}

TEST_CASE("overlaid images keep .7 of themselves and are not negative where no image is",
          "[robustness]") {
    auto data = test::random_dataset(20, 60, 200);
    for (auto& value : data.visual.values) value = std::abs(value);
    FeatureAdjuster adjuster(data);
    auto const adjusted = adjuster.adjust(Adjustment::predict, 0.5, 0, 0);
    auto const chosen = adjuster.choose(Adjustment::predict, 0.5, 0, 0);
    auto const from = rows_of(data.visual), to = rows_of(adjusted.visual);
    for (std::size_t i = 0; i < from.size(); ++i) {
        for (double const value : to[i]) CHECK(value >= 0);
        if (!chosen.images[i]) continue;
        std::vector<double> added;
        for (std::size_t c = 0; c < from[i].size(); ++c)
            added.push_back(to[i][c] - 0.7 * from[i][c]);
        CHECK(norm(added) == Approx(0.3 * norm(from[i])).epsilon(0.5));
    }
}

TEST_CASE("more columns than components are projected on the leading ones", "[robustness]") {
    // Images of rank 2 in 300 columns: two components predict the texts, which are linear in them.
    auto data = test::random_dataset(20, 400, 500);
    auto const hidden = test::random_features(400, 2, "hidden");
    auto const mix = test::random_features(2, 300, "mix");
    data.visual = {400, 300, std::vector<float>(400 * 300)};
    data.textual = {400, 2, hidden.values};
    for (std::size_t i = 0; i < 400; ++i)
        for (std::size_t j = 0; j < 300; ++j)
            for (std::size_t k = 0; k < 2; ++k)
                data.visual.values[i * 300 + j] +=
                    hidden.values[i * 2 + k] * mix.values[k * 300 + j];
    FeatureAdjuster adjuster(data);
    auto const adjusted = adjuster.adjust(Adjustment::predict, 0.2, 0, 0);
    for (std::size_t i = 0; i < 400; ++i)
        for (std::size_t c = 0; c < 2; ++c)
            CHECK(adjusted.textual.row(i)[c] == Approx(hidden.row(i)[c]).margin(0.02));
}

TEST_CASE("adjustments are refused where they mean nothing", "[robustness]") {
    auto data = test::random_dataset(20, 60, 200);
    CHECK_THROWS_WITH(find_adjustment("swop"), ContainsSubstring("nearest: swap"));
    {
        FeatureAdjuster adjuster(data);
        CHECK_THROWS_WITH(adjuster.adjust(Adjustment::swap, 1.5, 0, 0),
                          ContainsSubstring("share = 1.5"));
        CHECK_THROWS_WITH(adjuster.adjust(Adjustment::predict, 1, 0, 0),
                          ContainsSubstring("expected a smaller share"));
    }
    data.visual = {};
    FeatureAdjuster adjuster(data);
    CHECK(adjuster.missing_for(Adjustment::random).empty());
    CHECK_THROWS_WITH(adjuster.adjust(Adjustment::swap, 0.1, 0, 0),
                      ContainsSubstring("no visual features"));
}
