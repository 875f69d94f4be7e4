// polder-recsys runs: a row for each run that a folder keeps.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/pause.hpp"
#include "recsys/app/run_folder.hpp"
#include "recsys/app/table.hpp"
#include "recsys/evaluation/metrics.hpp"

namespace polder::recsys::app {

namespace {

struct RunsArguments {
    std::string runs, csv, metric = "recall@20";
    int top = 0;
    PauseRequest pause;
    Files files;
};

// Over all epochs. Not-a-number where there was no epoch, or one does not have it.
double sum_of(Json const& report, char const* name) {
    double sum = report.at("epochs").empty() ? std::numeric_limits<double>::quiet_NaN() : 0;
    for (auto const& epoch : report.at("epochs")) sum += number_of_json(epoch.value(name, Json()));
    return sum;
}

double seconds_of(Json const& report) {
    return sum_of(report, "train_seconds") + sum_of(report, "evaluation_seconds");
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
    for (auto const* name : {"sharpness", "cosine", "distance", "train_seconds", "gradients",
                             "memory_bytes", "gap", "settings"})
        table.header.emplace_back(name);
    for (auto const& run : runs) {
        auto const& r = run.report;
        std::vector<std::string> row{text_of(r.at("data").at("name")),
                                     run.model,
                                     run.method,
                                     text_of(r.at("hyper_parameters").at("base")),
                                     r.at("seed").dump(),
                                     text_of(r.at("ending")),
                                     std::to_string(r.at("epochs").size()),
                                     csv_cell(r.at("best_epoch")),
                                     csv_cell(seconds_of(r), "{:.1f}")};
        for (auto const* split : {"valid", "test"})
            for (auto const& name : Metrics::names())
                row.push_back(csv_cell(metric_of(r, split, name), "{:.6g}"));
        for (auto const* name : {"sharpness", "cosine", "distance"})
            row.push_back(csv_cell(of_best_epoch(r, name), "{:.6g}"));
        row.push_back(csv_cell(sum_of(r, "train_seconds"), "{:.1f}"));
        row.push_back(csv_cell(sum_of(r, "gradients"), "{:.0f}"));
        row.push_back(csv_cell(r.value("peak_memory_bytes", Json())));
        row.push_back(csv_cell(r.value("pair_loss", Json::object()).value("gap", Json())));
        row.push_back(settings_text(r.at("hyper_parameters")));
        table.rows.push_back(std::move(row));
    }
    return table;
}

int list_runs(RunsArguments& a) {
    if (a.pause) return carry_out(a.pause, a.runs, a.files);
    a.files.expect("--csv", a.csv, Mark::csv("data,model,optimizer,base,seed,ending,"));
    static_cast<void>(Metrics{}[a.metric]);
    auto runs = kept_runs(a.runs);
    a.files.write_text(a.csv, csv(rows_of(runs)));
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
        table.rows.push_back({run.model, run.method, r.at("seed").dump(),
                              table_cell(metric_of(r, "valid", a.metric)),
                              table_cell(metric_of(r, "test", a.metric)),
                              table_cell(r.at("best_epoch")), std::to_string(r.at("epochs").size()),
                              table_cell(seconds_of(r), "{:.0f}"),
                              table_cell(of_best_epoch(r, "cosine"))});
    }
    fmt::print("{}", aligned(table));
    return a.files.exit_code(success);
}

}  // namespace

Command add_runs(CLI::App& program) {
    auto const arguments = std::make_shared<RunsArguments>();
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
        ->check(whole_number<int>(0))
        ->capture_default_str();
    command
        ->add_option("--csv", a.csv,
                     "Write every run here, as CSV: all settings, seed, epochs, seconds, metrics "
                     "of valid and test, and what the best epoch measured")
        ->type_name("FILE");
    add_pause_options(*command, a.pause);
    a.files.add_option(*command);
    return {command, [arguments] { return list_runs(*arguments); }};
}

}  // namespace polder::recsys::app
