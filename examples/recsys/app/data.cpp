// polder-recsys data: what a data set is like.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/describe.hpp"
#include "recsys/data/source.hpp"

namespace polder::recsys::app {

namespace {

struct Arguments {
    DataSource data;
    bool describes = false;
    std::string json;
};

// 1234567 as "1,234,567".
std::string grouped(std::size_t n) {
    auto text = std::to_string(n);
    for (auto k = static_cast<std::ptrdiff_t>(text.size()) - 3; k > 0; k -= 3)
        text.insert(static_cast<std::size_t>(k), ",");
    return text;
}

std::string share(std::size_t part, std::size_t whole) {
    return fmt::format("{} ({:.1f} %)", grouped(part),
                       100 * static_cast<double>(part) / static_cast<double>(whole));
}

Table facts(Dataset const& data, DatasetSummary const& s) {
    auto const n_rows = s.n_train + s.n_valid + s.n_test;
    auto const features = [](FeatureMatrix const& f) {
        return f.empty() ? std::string("none") : fmt::format("{} x {}", grouped(f.rows), f.columns);
    };
    return {{data.name, ""},
            {{"users", grouped(s.n_users)},
             {"items", grouped(s.n_items)},
             {"rows", grouped(n_rows)},
             {"rows in train", share(s.n_train, n_rows)},
             {"rows in valid", share(s.n_valid, n_rows)},
             {"rows in test", share(s.n_test, n_rows)},
             {"distinct pairs", grouped(s.n_distinct_pairs)},
             {"duplicate rows", grouped(s.n_duplicate_rows)},
             {"density", fmt::format("{:.4f} %", 100 * s.density)},
             {"users in train", grouped(s.n_users_in_train)},
             {"users in valid", grouped(s.n_users_in_valid)},
             {"users in test", grouped(s.n_users_in_test)},
             {"items in train", grouped(s.n_items_in_train)},
             {"dropped valid rows of cold users", grouped(s.dropped_valid)},
             {"dropped test rows of cold users", grouped(s.dropped_test)},
             {"visual features", features(data.visual)},
             {"textual features", features(data.textual)}}};
}

Table degrees(DatasetSummary const& s) {
    Table table{{"rows per", "mean"}, {}};
    for (auto const& [name, q] : degree_quantiles) table.header.emplace_back(name);
    auto const add = [&](std::string const& name, DegreeSummary const& summary) {
        std::vector<std::string> row{name, fmt::format("{:.2f}", summary.mean)};
        for (auto const value : summary.quantiles) row.push_back(grouped(value));
        table.rows.push_back(std::move(row));
    };
    add("user", s.rows_per_user);
    add("item", s.rows_per_item);
    return table;
}

nlohmann::ordered_json json_of_summary(Dataset const& data, DatasetSummary const& s) {
    auto const degrees = [](DegreeSummary const& summary) {
        nlohmann::ordered_json json{{"mean", summary.mean}};
        for (std::size_t k = 0; k < degree_quantiles.size(); ++k)
            json[std::string(degree_quantiles[k].first)] = summary.quantiles[k];
        return json;
    };
    auto const columns = [](FeatureMatrix const& features) { return features.columns; };
    return {{"name", data.name},
            {"users", s.n_users},
            {"items", s.n_items},
            {"train", s.n_train},
            {"valid", s.n_valid},
            {"test", s.n_test},
            {"distinct_pairs", s.n_distinct_pairs},
            {"duplicate_rows", s.n_duplicate_rows},
            {"density", s.density},
            {"users_in_train", s.n_users_in_train},
            {"users_in_valid", s.n_users_in_valid},
            {"users_in_test", s.n_users_in_test},
            {"items_in_train", s.n_items_in_train},
            {"dropped_valid", s.dropped_valid},
            {"dropped_test", s.dropped_test},
            {"rows_per_user", degrees(s.rows_per_user)},
            {"rows_per_item", degrees(s.rows_per_item)},
            {"visual_columns", columns(data.visual)},
            {"textual_columns", columns(data.textual)}};
}

int describe_data(Arguments const& a) {
    if (!a.json.empty()) require_writable(a.json);
    auto const data = load_data(a.data, true);
    auto const summary = describe(data);
    fmt::print("{}\n{}", aligned(facts(data, summary)), aligned(degrees(summary)));
    if (!a.json.empty()) {
        write_text_file(a.json, json_of_summary(data, summary).dump(2) + "\n");
        spdlog::info("wrote {}", a.json);
    }
    return success;
}

}  // namespace

Command add_data(CLI::App& program) {
    auto const arguments = std::make_shared<Arguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("data", "Read or generate a data set and describe it");
    command->add_flag(
        "--describe", a.describes,
        "Print sizes, density, numbers of rows per user and item, features (also what "
        "happens without this flag)");
    add_data_options(*command, a.data);
    command->add_option("--json", a.json, "Write the description here")
        ->type_name("FILE")
        ->group("Files");
    return {command, [arguments] { return describe_data(*arguments); }};
}

}  // namespace polder::recsys::app
