// Batches in parts: every model is the same as with the whole batch, or says why it cannot be.
#include "recsys/models/micro_batches.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/models/registry.hpp"
#include "recsys/part_settings.hpp"
#include "recsys/random_data.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;
using polder::Batch;
using polder::ParameterArena;
using polder::Pass;

std::unique_ptr<AnyModel<double>> cut(std::string_view name, Dataset const& data,
                                      Settings const& settings, int count, bool is_sum) {
    return std::make_unique<MicroBatchedModel<double>>(make_model<double>(name, data, settings, 1),
                                                       count, is_sum);
}

// Loss, gradient and terms.
std::vector<double> loss_and_gradient(AnyModel<double>& model, ParameterArena<double> const& x,
                                      Triples const& batch, Pass pass = {},
                                      bool with_terms = true) {
    auto gradient = x;
    std::fill(gradient.begin(), gradient.end(), std::nan(""));
    std::vector<double> all{model.loss(x, batch, pass, gradient)};
    all.insert(all.end(), gradient.begin(), gradient.end());
    if (with_terms)
        for (auto const& term : model.terms()) all.push_back(term.value);
    return all;
}

// The largest difference, of values beyond 1 as a share of them.
double largest_difference(std::vector<double> const& a, std::vector<double> const& b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        double const d = std::abs(a[k] - b[k]) / std::max(1.0, std::abs(a[k]));
        if (!(d <= largest)) largest = std::isnan(d) ? INFINITY : d;
    }
    return largest;
}

// Of the first batch of an epoch, its second one and a later one, each at two points.
double difference_if_cut(std::string_view name, Dataset const& data, Settings const& settings,
                         int count, bool is_sum, bool with_terms) {
    auto const whole = make_model<double>(name, data, settings, 1);
    auto const parts = cut(name, data, settings, count, is_sum);
    auto const x = somewhere(*whole, 3), y = somewhere(*whole, 4);
    whole->begin_epoch(7, 1);
    parts->begin_epoch(7, 1);
    double largest = 0;
    for (std::uint64_t const number : {0u, 1u, 4u}) {
        auto batch = random_batch(data, 11, number + 1);
        batch.number = number;
        for (auto const* at : {&x, &y}) {
            Pass const pass{number % 2 == 0 ? Batch::first : Batch::second, at == &y};
            largest = std::max(
                largest,
                largest_difference(loss_and_gradient(*whole, *at, batch, pass, with_terms),
                                   loss_and_gradient(*parts, *at, batch, pass, with_terms)));
        }
    }
    return largest;
}

}  // namespace

TEST_CASE("every model is the same in micro-batches, or is refused", "[recsys]") {
    auto const data = random_dataset(14, 12, 60);
    std::vector<std::string_view> refused;
    for (auto const& entry : models()) {
        for (auto const& way : ways_to_cut()) {
            auto const settings = small_settings(entry, way);
            auto const in_parts = entry.in_parts(settings);
            INFO(entry.name << ": " << in_parts.obstacle);
            bool const with_terms = way.empty();  // others have terms of weight 0
            auto const cut_in = [&](int count) {
                return difference_if_cut(entry.name, data, settings, count, in_parts.is_sum,
                                         with_terms);
            };
            if (in_parts.obstacle.empty()) {
                CHECK(cut_in(2) < 1e-10);
                CHECK(cut_in(3) < 1e-10);
            } else {
                refused.push_back(entry.name);
                CHECK(cut_in(2) > 1e-10);  // or it would be refused for nothing
            }
        }
    }
    CHECK(refused.empty());
}

TEST_CASE("a batch may have fewer rows than parts", "[recsys]") {
    auto const data = random_dataset(14, 12, 60);
    for (std::string_view const name : {"freedom", "slmrec", "selfcf", "lgmrec"}) {
        INFO(name);
        auto const settings = small_settings(find_model(name), {});
        auto const whole = make_model<double>(name, data, settings, 1);
        auto const parts = cut(name, data, settings, 4, false);
        auto const x = somewhere(*whole, 3);
        for (std::size_t const rows : {1u, 3u, 4u, 5u}) {
            auto const batch = random_batch(data, rows, 5);
            CHECK(largest_difference(loss_and_gradient(*whole, x, batch),
                                     loss_and_gradient(*parts, x, batch)) < 1e-12);
        }
        auto gradient = x;
        CHECK_THROWS_WITH(parts->loss(x, OwnBatch{}, {}, gradient), ContainsSubstring("0 users"));
    }
}

TEST_CASE("both passes over a micro-batch have the same masks", "[recsys]") {
    auto const data = random_dataset(14, 12, 60);
    for (std::string_view const name : {"bm3", "grcn", "ngcf", "selfcf", "mentor"}) {
        INFO(name);
        auto const settings = small_settings(find_model(name), {{"reg_weight", "0"}});
        auto const model = cut(name, data, settings, 2, false);
        auto const x = somewhere(*model, 3);
        auto batch = random_batch(data, 10, 1);
        batch.number = 2;
        auto const clean = loss_and_gradient(*model, x, batch, {Batch::first, false});
        CHECK(loss_and_gradient(*model, x, batch, {Batch::first, true}) == clean);
        batch.number = 4;  // and another batch has others
        CHECK(loss_and_gradient(*model, x, batch, {Batch::first, false}) != clean);
    }
}
