/// The ranking metrics of the reference evaluator, against those of the suite.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "golden/problem.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/evaluation/metrics.hpp"

namespace golden {

/// Ranks the scores of a document of schema golden-metrics-1 and compares lists, metrics and rounded
/// metrics of both splits. Throws SchemaError, or std::runtime_error for the first difference.
inline void check_metrics(nlohmann::json const& document) {
    using namespace polder::recsys;
    auto const n_users = document.at("n_users").get<std::int32_t>();
    auto const n_items = document.at("n_items").get<std::int32_t>();
    auto const users = static_cast<std::size_t>(n_users), items = static_cast<std::size_t>(n_items);
    const std::vector<double> scores = numbers(document.at("scores").at("data"), "scores");
    if (n_users < 1 || n_items < 1 || scores.size() != users * items) {
        throw SchemaError("'scores' must have n_users x n_items values");
    }

    Dataset data;
    data.n_users = n_users;
    data.n_items = n_items;
    auto const read_split = [&](char const* key, std::vector<Interaction>& rows) {
        auto const& lists = document.at(key);
        if (!lists.is_array() || lists.size() != users) {
            throw SchemaError(fmt::format("'{}' must have a list of items for each user", key));
        }
        for (std::int32_t user = 0; user < n_users; ++user) {
            for (auto const& item : lists[static_cast<std::size_t>(user)]) {
                auto const number = item.get<std::int32_t>();
                if (number < 0 || number >= n_items) {
                    throw SchemaError(fmt::format("'{}' of user {} has item {}, expected 0..{}",
                                                  key, user, number, n_items - 1));
                }
                rows.push_back({user, number});
            }
        }
    };
    read_split("train", data.train);
    read_split("valid", data.valid);
    read_split("test", data.test);

    // With the identity as item vectors, the scores are the user vectors.
    std::vector<double> identity(items * items);
    for (std::size_t i = 0; i < items; ++i) identity[i * items + i] = 1;
    const Representations<double> representations{{scores.data(), users, items},
                                                  {identity.data(), items, items}};
    const FullSort full_sort(data);
    std::vector<std::vector<std::int32_t>> lists(users);
    full_sort.for_each_list(representations, 1, [&](std::size_t k, auto const& list) {
        lists[static_cast<std::size_t>(full_sort.users()[k])].assign(list.begin(), list.end());
    });

    for (char const* split : {"valid", "test"}) {
        auto const& expected = document.at("results").at(split);
        auto const evaluated = expected.at("users").get<std::vector<std::size_t>>();
        auto const& relevant = document.at(split);
        for (auto const& [name, value] : expected.at("metrics").items()) {
            const std::size_t at = name.find('@');
            const std::size_t cutoff =
                at == std::string::npos ? 0 : std::stoul(name.substr(at + 1));
            if (cutoff < 1 || cutoff > list_length) {
                throw SchemaError(
                    fmt::format("metric '{}': expected a cutoff of 1..{}", name, list_length));
            }
            double total = 0;
            for (std::size_t user : evaluated) {
                if (user >= users) throw SchemaError(fmt::format("'users' has {}", user));
                auto const wanted = relevant[user].get<std::vector<std::int32_t>>();
                bool hits[list_length] = {};
                for (std::size_t rank = 0; rank < lists[user].size(); ++rank) {
                    hits[rank] =
                        std::find(wanted.begin(), wanted.end(), lists[user][rank]) != wanted.end();
                }
                const MetricsAtK m = metrics_at(hits, wanted.size(), cutoff);
                const std::string measure = name.substr(0, at);
                if (measure != "recall" && measure != "precision" && measure != "ndcg" &&
                    measure != "map") {
                    throw SchemaError(fmt::format("unknown metric '{}'", name));
                }
                total += measure == "recall"      ? m.recall
                         : measure == "precision" ? m.precision
                         : measure == "ndcg"      ? m.ndcg
                                                  : m.map;
            }
            const double found = total / static_cast<double>(evaluated.size());
            const double reference = value.get<double>();
            const double rounded = expected.at("metrics_rounded").at(name).get<double>();
            if (!(std::abs(found - reference) <= 1e-12) || round_to_4_decimals(found) != rounded) {
                throw std::runtime_error(fmt::format("{} {} is {:.17g}, expected {:.17g}", split,
                                                     name, found, reference));
            }
        }
        auto const& tops = expected.at("top20");
        for (std::size_t k = 0; k < evaluated.size(); ++k) {
            auto const top = tops.at(k).get<std::vector<std::int32_t>>();
            auto const& list = lists[evaluated[k]];
            if (list.size() < top.size() || !std::equal(top.begin(), top.end(), list.begin())) {
                throw std::runtime_error(
                    fmt::format("{} list of user {} differs", split, evaluated[k]));
            }
        }
    }
}

}  // namespace golden
