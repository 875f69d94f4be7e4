// polder-recsys data: what a data set is like.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/numbers.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/describe.hpp"
#include "recsys/data/source.hpp"
#include "recsys/prepare/id_files.hpp"

namespace polder::recsys::app {

namespace {

struct DataArguments {
    DataSource data;
    bool describes = false;
    std::string json;
    Files files;
};

std::string share(std::size_t part, std::size_t whole) {
    return fmt::format("{} ({:.1f} %)", grouped(part),
                       100 * static_cast<double>(part) / static_cast<double>(whole));
}

Table facts(Dataset const& data, DatasetSummary const& s) {
    auto const n_rows = s.n_train + s.n_valid + s.n_test;
    auto const features = [](FeatureMatrix const& f) {
        return f.empty() ? std::string("none") : fmt::format("{} x {}", grouped(f.rows), f.columns);
    };
    Table table{{data.name, ""},
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
    for (auto const& each : data.further)
        table.rows.push_back({each.name + " features", features(each.features)});
    return table;
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
    nlohmann::ordered_json further = nlohmann::ordered_json::object();
    for (auto const& each : data.further) further[each.name] = columns(each.features);
    return {{"command", "data"},
            {"name", data.name},
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
            {"textual_columns", columns(data.textual)},
            {"further_columns", std::move(further)}};
}

int describe_data(DataArguments& a) {
    a.files.expect("--json", a.json, Mark::json("data"));
    auto const data = load_data(a.data, true);
    warn_of_data(data);
    auto const folder = id_folder(a.data);
    Names const users(folder, "users.tsv", "user", data.n_users);
    Names const items(folder, "items.tsv", "item", data.n_items);
    auto const summary = describe(data);
    a.files.write_json(a.json, json_of_summary(data, summary));
    auto table = facts(data, summary);
    for (auto const* const names : {&users, &items})
        if (names->are_ids())
            table.rows.push_back({names == &users ? "ids of users" : "ids of items",
                                  (*names)(0) + ", ..., " + (*names)(names->size() - 1)});
    fmt::print("{}\n{}", aligned(table), aligned(degrees(summary)));
    return a.files.exit_code(success);
}

}  // namespace

Command add_data(CLI::App& program) {
    auto const arguments = std::make_shared<DataArguments>();
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
    a.files.add_option(*command);
    return {command, [arguments] { return describe_data(*arguments); }};
}

}  // namespace polder::recsys::app
