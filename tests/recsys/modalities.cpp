#include "recsys/models/modalities.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "random_data.hpp"
#include "recsys/data/npy.hpp"
#include "recsys/data/source.hpp"
#include "recsys/models/item_graph.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/checkpoint.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;
using polder::ParameterArena;

// With settings under which the gradient is that of the loss.
struct Taker {
    std::string_view model;
    Settings settings;
};
std::vector<Taker> takers() {
    return {{"vbpr", {}},
            {"amr", {{"adv_type", "rand"}, {"epsilon", "0.5"}}},
            {"bm3", {{"stop_gradient", "false"}}},
            {"freedom", {}},
            {"mmgcn", {{"dim_latent", "5"}}},
            {"grcn", {}}};
}

// Visual features of 6 columns, textual ones of 5, audio of 4 and tags of 3.
Dataset with_four_modalities() {
    auto data = test::random_dataset(12, 14, 45);
    data.further.push_back({"audio", random_features(14, 4, "audio")});
    data.further.push_back({"tags", random_features(14, 3, "tags")});
    return data;
}

ParameterArena<double> random_values(AnyModel<double> const& model) {
    ParameterArena<double> result;
    model.declare(result);
    model.initialise(result, 3);
    Random random(4, "values");
    for (double& value : result) value += 0.1 * random.normal();
    return result;
}

FeatureMatrix beside(FeatureMatrix const& left, FeatureMatrix const& right) {
    FeatureMatrix result{left.rows, left.columns + right.columns, {}};
    for (std::size_t row = 0; row < left.rows; ++row)
        for (auto const* part : {&left, &right})
            result.values.insert(result.values.end(), part->row(row).begin(), part->row(row).end());
    return result;
}

}  // namespace

TEST_CASE("a model takes further modalities, or says that it does not", "[recsys][models]") {
    auto const data = with_four_modalities();
    auto const batch = random_batch(data, 9, 2);
    for (auto const& entry : models()) {
        if (!needs_features(entry)) continue;
        INFO(entry.name);
        auto const all = takers();
        auto const taker = std::find_if(all.begin(), all.end(),
                                        [&](auto const& each) { return each.model == entry.name; });
        if (taker == all.end()) {
            CHECK_THROWS_WITH(
                make_model<double>(entry.name, data, {}, 1),
                ContainsSubstring(entry.name +
                                  ": takes visual and textual features alone, and not 'audio'"));
            continue;
        }
        auto const model = make_model<double>(entry.name, data, taker->settings, 1);
        auto const frozen = model->frozen();
        auto x = random_values(*model);
        // Both modalities have parameters of their own, and the gradient is that of the loss.
        auto gradient = x, unused = x;
        REQUIRE(std::isfinite(model->loss(x, batch, {}, gradient)));
        double largest = 1;
        for (double const value : gradient) largest = std::max(largest, std::abs(value));
        int n_of_further = 0;
        for (auto const& parameter : x.entries()) {
            n_of_further += parameter.name.starts_with("audio_") ? 1 : 0;
            n_of_further += parameter.name.starts_with("tags_") ? 1 : 0;
            bool const is_of_all = parameter.cols == 18 || parameter.rows == 18;
            n_of_further += is_of_all ? 2 : 0;
            if (std::find(frozen.begin(), frozen.end(), parameter.name) != frozen.end()) continue;
            auto const matrix = x.view(parameter);
            auto const found = gradient.view(parameter);
            Random random(5, parameter.name);
            for (int sample = 0; sample < 6; ++sample) {
                auto const k = random.uniform_index(matrix.size());
                double const at = matrix.data[k], step = 1e-5;
                matrix.data[k] = at + step;
                double const above = model->loss(x, batch, {}, unused);
                matrix.data[k] = at - step;
                double const below = model->loss(x, batch, {}, unused);
                matrix.data[k] = at;
                INFO(parameter.name << "[" << k << "]");
                CHECK(found.data[k] == Approx((above - below) / (2 * step)).margin(1e-7 * largest));
            }
        }
        CHECK(n_of_further >= 2);
        CHECK_THROWS_WITH(make_model<float>(entry.name + "+a", data, {}, 1),
                          ContainsSubstring("moves visual and textual features alone"));

        // They may be all that there are.
        auto alone = data;
        alone.visual = alone.textual = {};
        CHECK_NOTHROW(make_model<double>(entry.name, alone, {}, 1));
        alone.further.back().features.rows = 13;
        CHECK_THROWS_WITH(make_model<double>(entry.name, alone, {}, 1),
                          ContainsSubstring("features of 13 items, expected 14"));
    }
}

TEST_CASE("VBPR takes further modalities as columns of one matrix", "[recsys][models]") {
    auto const data = with_four_modalities();
    auto joined = data;
    joined.visual = beside(beside(data.visual, data.further[0].features), data.further[1].features);
    joined.further.clear();
    auto const batch = random_batch(data, 9, 2);
    auto const one = make_model<double>("vbpr", data, {}, 1),
               other = make_model<double>("vbpr", joined, {}, 1);
    auto const x = random_values(*one);
    auto gradient = x, expected = x;
    CHECK(one->loss(x, batch, {}, gradient) == other->loss(x, batch, {}, expected));
    CHECK(std::equal(gradient.begin(), gradient.end(), expected.begin()));
}

TEST_CASE("the frozen item graph is a weighted sum over modalities", "[recsys][models]") {
    auto const data = with_four_modalities();
    auto const dense = [](Csr<double> const& graph) {
        std::vector<double> result(graph.rows * graph.cols);
        for (std::size_t row = 0; row < graph.rows; ++row)
            for (std::size_t e = graph.offsets[row]; e < graph.offsets[row + 1]; ++e)
                result[row * graph.cols + static_cast<std::size_t>(graph.columns[e])] +=
                    graph.values[e];
        return result;
    };
    auto const of = [&](FeatureMatrix const& features) {
        Dataset one;
        one.visual = features;
        return dense(frozen_item_graph<double>(one, 4, 0.1, 1));
    };
    auto const visual = of(data.visual), textual = of(data.textual),
               audio = of(data.further[0].features), tags = of(data.further[1].features);
    auto const all = dense(frozen_item_graph<double>(data, 4, 0.1, 1));
    for (std::size_t k = 0; k < all.size(); ++k)
        CHECK(all[k] == Approx(0.1 * visual[k] + 0.3 * (textual[k] + audio[k] + tags[k])));
    auto without = data;
    without.visual = {};
    auto const rest = dense(frozen_item_graph<double>(without, 4, 0.1, 1));
    for (std::size_t k = 0; k < rest.size(); ++k)
        CHECK(rest[k] == Approx((textual[k] + audio[k] + tags[k]) / 3));
}

TEST_CASE("further modalities are read by name or from a file", "[recsys][data]") {
    TemporaryDirectory const folder;
    folder.write("d.inter", "userID\titemID\tx_label\n0\t0\t0\n0\t1\t1\n");
    auto const write = [&](std::string const& name, float value) {
        std::vector<float> const values(4, value);
        write_npy(folder / name, 2, 2, values);
        return (folder / name).string();
    };
    write("image_feat.npy", 1);
    write("audio_feat.npy", 2);
    auto const elsewhere = write("elsewhere.npy", 3);
    DataSource source;
    source.name = folder.path().string();
    auto const before = fingerprint(load_data(source));
    source.further = {"audio", "tags=" + elsewhere};
    auto const data = load_data(source);
    REQUIRE(data.further.size() == 2);
    CHECK(data.further[0].name == "audio");
    CHECK(data.further[0].features.values == std::vector<float>(4, 2));
    CHECK(data.further[1].name == "tags");
    CHECK(data.further[1].features.values == std::vector<float>(4, 3));
    CHECK(data.visual.values == std::vector<float>(4, 1));
    CHECK(fingerprint(data) != before);
    CHECK(load_data(source, false).further.empty());

    auto const refused = [&](std::vector<std::string> further, std::string const& message) {
        source.further = std::move(further);
        CHECK_THROWS_WITH(load_data(source), ContainsSubstring(message));
    };
    refused({"video"}, "video: no such file of features, and no modality of");
    refused({"image"}, "'image' has a role of its own");
    refused({"=x"}, "--features =x: expected NAME or NAME=FILE");
    refused({"audio", "audio=" + elsewhere}, "there are two of that name");
    source.name = "synthetic:tiny";
    refused({"audio"}, "files of features are for data of files");
}
