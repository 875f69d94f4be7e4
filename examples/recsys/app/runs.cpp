// polder-recsys runs: a row for each run that a folder keeps.
#include <algorithm>
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
#include "recsys/app/run_folder.hpp"
#include "recsys/app/table.hpp"
#include "recsys/evaluation/metrics.hpp"

namespace polder::recsys::app {

namespace {

struct Arguments {
    std::string runs, csv, metric = "recall@20";
    int top = 0;
};

// A number of JSON in a cell; null is an empty one.
std::string cell(Json const& value) {
    if (value.is_null()) return {};
    return value.is_number_float() ? fmt::format("{:.6g}", value.get<double>()) : value.dump();
}

std::string text_of(Json const& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

// "learning_rate=0.001:rho=0.1:..."
std::string settings_of(Json const& report) {
    std::string text;
    for (auto const& [name, value] : report.at("hyper_parameters").items())
        if (!value.is_null())
            text += fmt::format("{}{}={}", text.empty() ? "" : ":", name, text_of(value));
    return text;
}

double seconds_of(Json const& report) {
    double seconds = 0;
    for (auto const& epoch : report.at("epochs"))
        seconds +=
            epoch.at("train_seconds").get<double>() + epoch.at("evaluation_seconds").get<double>();
    return seconds;
}

// What the best epoch measured; null without one.
Json of_best_epoch(Json const& report, char const* name) {
    for (auto const& epoch : report.at("epochs"))
        if (epoch.at("epoch") == report.at("best_epoch")) return epoch.value(name, Json());
    return {};
}

Json metric_of(Json const& report, char const* split, std::string const& metric) {
    return report.at(split).is_null() ? Json() : report.at(split).at(metric);
}

// Settings, seed, epochs, seconds, all metrics of valid and test, what the best epoch measured.
Table rows_of(std::vector<KeptRun> const& runs) {
    Table table{
        {"data", "model", "optimizer", "base", "seed", "ending", "epochs", "best_epoch", "seconds"},
        {}};
    for (auto const* split : {"valid_", "test_"})
        for (auto const& name : Metrics::names()) table.header.push_back(split + name);
    for (auto const* name : {"sharpness", "cosine", "distance", "settings"})
        table.header.emplace_back(name);
    for (auto const& run : runs) {
        auto const& r = run.report;
        std::vector<std::string> row{text_of(r.at("data").at("name")),
                                     run.model,
                                     run.method,
                                     text_of(r.at("hyper_parameters").at("base")),
                                     cell(r.at("seed")),
                                     text_of(r.at("ending")),
                                     std::to_string(r.at("epochs").size()),
                                     cell(r.at("best_epoch")),
                                     fmt::format("{:.1f}", seconds_of(r))};
        for (auto const* split : {"valid", "test"})
            for (auto const& name : Metrics::names())
                row.push_back(cell(metric_of(r, split, name)));
        for (auto const* name : {"sharpness", "cosine", "distance"})
            row.push_back(cell(of_best_epoch(r, name)));
        row.push_back(settings_of(r));
        table.rows.push_back(std::move(row));
    }
    return table;
}

int list_runs(Arguments const& a) {
    if (!a.csv.empty()) require_writable(a.csv);
    static_cast<void>(Metrics{}[a.metric]);
    auto runs = kept_runs(a.runs);
    if (!a.csv.empty()) {
        write_text_file(a.csv, csv(rows_of(runs)));
        spdlog::info("wrote {}", a.csv);
    }
    auto const valid = [&](KeptRun const& run) {
        auto const value = metric_of(run.report, "valid", a.metric);
        return value.is_null() ? -1 : value.get<double>();
    };
    std::stable_sort(runs.begin(), runs.end(),
                     [&](auto const& x, auto const& y) { return valid(x) > valid(y); });
    if (a.top > 0 && static_cast<std::size_t>(a.top) < runs.size())
        runs.resize(static_cast<std::size_t>(a.top));
    Table table{{"model", "optimizer", "seed", "valid " + a.metric, "test " + a.metric,
                 "best epoch", "epochs", "seconds", "cosine"},
                {},
                2};
    for (auto const& run : runs) {
        auto const& r = run.report;
        auto const number = [&](Json const& value) {
            return value.is_null() ? std::string("-") : fmt::format("{:.4f}", value.get<double>());
        };
        table.rows.push_back(
            {run.model, run.method, cell(r.at("seed")), number(metric_of(r, "valid", a.metric)),
             number(metric_of(r, "test", a.metric)), cell(r.at("best_epoch")),
             std::to_string(r.at("epochs").size()), fmt::format("{:.0f}", seconds_of(r)),
             number(of_best_epoch(r, "cosine"))});
    }
    fmt::print("{}", aligned(table));
    return success;
}

}  // namespace

Command add_runs(CLI::App& program) {
    auto const arguments = std::make_shared<Arguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("runs", "List the runs in a folder, the best in validation first");
    command->add_option("--runs", a.runs, "Folder that compare or tune has kept its runs in")
        ->required()
        ->type_name("DIR");
    command->add_option("--metric", a.metric, "Metric that is shown, and sorted by")
        ->capture_default_str()
        ->type_name("NAME");
    command->add_option("--top", a.top, "Show that many only; 0 is all")
        ->check(whole_number(0))
        ->capture_default_str();
    command
        ->add_option("--csv", a.csv,
                     "Write every run here, as CSV: all settings, seed, epochs, seconds, metrics "
                     "of valid and test, and what the best epoch measured")
        ->type_name("FILE");
    return {command, [arguments] { return list_runs(*arguments); }};
}

}  // namespace polder::recsys::app
