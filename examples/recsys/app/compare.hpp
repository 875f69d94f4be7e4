/// polder-recsys compare: several optimizers from the same seeds, side by side.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/progress.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/source.hpp"
#include "recsys/evaluation/metrics.hpp"

namespace polder::recsys::app {

/// What `compare` was asked for.
struct CompareArguments {
    DataSource data;
    ModelArguments model;
    std::vector<std::string> methods{"none", "sam", "fsam", "bsam", "bsam+"};
    OptimizerArguments optimizer;
    TrainingOptions training;
    int n_seeds = 3;
    std::vector<std::string> metrics{"recall@20", "ndcg@20"};
    std::string json, csv, markdown;
    bool is_quiet = false;
};

/// Declares the command and returns it.
inline CLI::App* add_compare(CLI::App& app, CompareArguments& a) {
    auto* const command =
        app.add_subcommand("compare", "Train with several optimizers and seeds, and tabulate");
    add_data_options(*command, a.data);
    add_model_options(*command, a.model);
    command
        ->add_option("--optimizers", a.methods,
                     fmt::format("Methods, separated by commas: {}. Improvements are over none, or "
                                 "over the first where none is not among them",
                                 fmt::join(optimizer_methods, ", ")))
        ->delimiter(',')
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Optimizer");
    add_optimizer_options(*command, a.optimizer);
    add_training_options(*command, a.training);
    command->add_option("--seeds", a.n_seeds, "Number of seeds: --seed and those that follow it")
        ->check(whole_number(1))
        ->capture_default_str()
        ->group("Training");
    auto const group = "Files";
    command->add_option("--metrics", a.metrics, "Test metrics of the table, separated by commas")
        ->delimiter(',')
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Table");
    command->add_option("--csv", a.csv, "Write all metrics here, as CSV")
        ->type_name("FILE")
        ->group(group);
    command->add_option("--markdown", a.markdown, "Write the table here, as Markdown")
        ->type_name("FILE")
        ->group(group);
    command->add_option("--json", a.json, "Write every run here, as train --json does, in a list")
        ->type_name("FILE")
        ->group(group);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return command;
}

/// Mean and sample standard deviation (NaN for fewer than two values).
struct Spread {
    double mean = std::numeric_limits<double>::quiet_NaN();
    double deviation = std::numeric_limits<double>::quiet_NaN();
};

inline Spread spread(std::vector<double> const& values) {
    auto const n = static_cast<double>(values.size());
    if (values.empty()) return {};
    double sum = 0, squares = 0;
    for (double const value : values) sum += value;
    for (double const value : values) squares += (value - sum / n) * (value - sum / n);
    return {sum / n, values.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                                       : std::sqrt(squares / (n - 1))};
}

/// What is kept of the runs of one method, a value per seed.
struct MethodResults {
    std::string method;
    std::vector<Metrics> test;  ///< at the best epoch of validation
    std::vector<double> best_epoch, n_epochs;
    std::vector<double> seconds_per_epoch;  ///< of training, without evaluation
    std::vector<double> sharpness;          ///< at the best epoch; NaN for none

    /// The spread of a metric over seeds.
    Spread operator[](std::string_view metric) const {
        std::vector<double> values;
        for (auto const& each : test) values.push_back(each[metric]);
        return spread(values);
    }

    void add(TrainingState const& state) {
        if (state.best_epoch < 0) return;
        auto const best = std::find_if(state.epochs.begin(), state.epochs.end(),
                                       [&](auto const& r) { return r.epoch == state.best_epoch; });
        double seconds = 0;
        for (auto const& record : state.epochs) seconds += record.train_seconds;
        test.push_back(state.best.test);
        best_epoch.push_back(state.best_epoch);
        n_epochs.push_back(static_cast<double>(state.epochs.size()));
        seconds_per_epoch.push_back(seconds / n_epochs.back());
        sharpness.push_back(best->sharpness);
    }
};

namespace detail {

inline std::string number_or_dash(double value, std::string_view format) {
    return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "-";
}

/// Per cent by which `value` is over `base`.
inline double improvement(double value, double base) {
    return value == base ? 0 : 100 * (value - base) / base;
}

/// The method that improvements are over.
inline std::string base_method(std::vector<std::string> const& methods) {
    auto const is_there = std::find(methods.begin(), methods.end(), "none") != methods.end();
    return is_there ? "none" : methods.front();
}

inline MethodResults const& find(std::vector<MethodResults> const& results,
                                 std::string_view method) {
    return *std::find_if(results.begin(), results.end(),
                         [&](auto const& each) { return each.method == method; });
}

/// Whether a value of that name is among them.
inline bool has(std::vector<HyperParameterValue> const& values, std::string_view name) {
    return std::any_of(values.begin(), values.end(),
                       [&](auto const& each) { return each.name == name; });
}

/// Whether a method has a distance.
inline bool has_distance(std::string_view method) { return method.starts_with("bsam"); }

/// The options of each method: of the values that were given, those that it has. Throws
/// std::invalid_argument for a value that none of them has.
inline std::vector<OptimizerOptions> options_of_methods(CompareArguments const& a) {
    std::vector<OptimizerOptions> result;
    Settings unused = a.optimizer.values;
    bool distance_is_used = !a.optimizer.distance;
    for (auto const& method : a.methods) {
        OptimizerOptions options{method, a.optimizer.base, "manhattan", {}};
        if (has_distance(method) && a.optimizer.distance) {
            options.distance = *a.optimizer.distance;
            distance_is_used = true;
        }
        auto const known = hyper_parameters(options);
        for (auto const& each : a.optimizer.values)
            if (has(known, each.first)) options.values.push_back(each);
        std::erase_if(unused, [&](auto const& each) { return has(known, each.first); });
        static_cast<void>(hyper_parameters(options));  // are the values in range?
        result.push_back(std::move(options));
    }
    if (!unused.empty())
        throw std::invalid_argument(fmt::format(
            "{} = {}: none of the optimizers {} on {} has this hyper-parameter", unused[0].first,
            unused[0].second, fmt::join(a.methods, ", "), a.optimizer.base));
    if (!distance_is_used)
        throw std::invalid_argument(
            fmt::format("distance = {}: none of the optimizers {} has one; bsam and bsam+ have",
                        *a.optimizer.distance, fmt::join(a.methods, ", ")));
    return result;
}

/// Progress while batches go by, and Ctrl-C.
struct CompareObserver {
    Progress& progress;

    void after_batch(Trainer const& trainer, Report const& report) {
        progress.after_batch(trainer, report);
    }
    bool should_stop() const { return interrupt_signal() != 0; }
};

}  // namespace detail

/// A row per method: mean ± standard deviation of each metric, and the improvement over `base`.
inline Table comparison_table(std::vector<MethodResults> const& results, std::string const& base,
                              std::vector<std::string> const& metrics) {
    Table table{{"optimizer"}, {}};
    for (auto const& metric : metrics) {
        table.header.push_back(metric);
        table.header.push_back("vs " + base);
    }
    for (auto const* name : {"best epoch", "s/epoch"}) table.header.emplace_back(name);
    for (auto const& each : results) {
        std::vector<std::string> row{each.method};
        for (auto const& metric : metrics) {
            auto const value = each[metric];
            auto text = detail::number_or_dash(value.mean, "{:.4f}");
            if (std::isfinite(value.deviation)) text += fmt::format(" ± {:.4f}", value.deviation);
            row.push_back(std::move(text));
            row.push_back(
                each.method == base
                    ? "-"
                    : detail::number_or_dash(
                          detail::improvement(value.mean, detail::find(results, base)[metric].mean),
                          "{:+.1f} %"));
        }
        row.push_back(detail::number_or_dash(spread(each.best_epoch).mean, "{:.0f}"));
        row.push_back(detail::number_or_dash(spread(each.seconds_per_epoch).mean, "{:.3f}"));
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// A row per method with every metric: mean, standard deviation, improvement in per cent.
inline Table comparison_details(std::vector<MethodResults> const& results,
                                std::string const& base) {
    Table table{{"optimizer", "runs"}, {}};
    for (auto const& metric : Metrics::names())
        for (auto const* part : {"_mean", "_std", "_improvement_percent"})
            table.header.push_back(metric + part);
    for (auto const* name :
         {"best_epoch_mean", "epochs_mean", "train_seconds_per_epoch_mean", "sharpness_mean"})
        table.header.emplace_back(name);
    auto const number = [](double value) {
        return std::isfinite(value) ? fmt::format("{}", value) : std::string();
    };
    for (auto const& each : results) {
        std::vector<std::string> row{each.method, std::to_string(each.test.size())};
        for (auto const& metric : Metrics::names()) {
            auto const value = each[metric];
            auto const over = detail::find(results, base)[metric].mean;
            row.push_back(number(value.mean));
            row.push_back(number(value.deviation));
            row.push_back(number(detail::improvement(value.mean, over)));
        }
        for (auto const* values :
             {&each.best_epoch, &each.n_epochs, &each.seconds_per_epoch, &each.sharpness})
            row.push_back(number(spread(*values).mean));
        table.rows.push_back(std::move(row));
    }
    return table;
}

/// One sentence that says how to read the table.
inline std::string how_to_read(CompareArguments const& a, std::string const& base) {
    bool const is_one = a.n_seeds == 1;
    return fmt::format(
        "How to read it: each row trains the same model from the same {} and differs only in the "
        "optimizer{}; {} say how many of the items that were hidden from training come back near "
        "the top of each user's list{}; higher is better, and a gain over {} means something where "
        "it is clearly larger than {}.\n",
        is_one ? std::string("seed") : fmt::format("{} seeds", a.n_seeds),
        base == "none" ? fmt::format(" (none is {} alone)", a.optimizer.base) : std::string(),
        fmt::join(a.metrics, " and "), is_one ? "" : " (mean over the seeds ± standard deviation)",
        base, is_one ? "the change from seed to seed, which more --seeds would show" : "the ±");
}

/// Runs the command and returns the exit code.
inline int compare(CompareArguments const& a) {
    for (auto const& file : {a.json, a.csv, a.markdown})
        if (!file.empty()) require_writable(file);
    a.training.validate();
    for (auto const& metric : a.metrics) static_cast<void>(Metrics{}[metric]);
    for (auto const& method : a.methods)
        if (std::count(a.methods.begin(), a.methods.end(), method) > 1)
            throw std::invalid_argument("optimizer '" + method + "' is listed twice");
    auto const optimizers = detail::options_of_methods(a);
    static_cast<void>(find_model(a.model.name));

    auto const data = load_data(a.data);
    warn_of_dropped_rows(data);
    catch_interrupts();
    std::vector<MethodResults> results;
    Json runs = Json::array();
    for (auto const& method : a.methods) results.push_back({method, {}, {}, {}, {}, {}});
    // Seeds in the outer loop: interrupted, the table still compares what has the same seeds.
    for (int k = 0; k < a.n_seeds && interrupt_signal() == 0; ++k)
        for (std::size_t m = 0; m < optimizers.size() && interrupt_signal() == 0; ++m) {
            RunOptions options{a.model.name, a.model.settings(), optimizers[m], a.training};
            options.training.seed += static_cast<std::uint64_t>(k);
            Run run(data, options);
            Progress progress(fmt::format("{} seed {}: ", a.methods[m], options.training.seed),
                              a.is_quiet);
            auto const ending = run.trainer().run(detail::CompareObserver{progress});
            progress.clear();
            if (ending == Ending::interrupted) break;
            auto const& state = run.trainer().state();
            if (ending == Ending::not_finite)
                spdlog::warn("{}, seed {}: epoch {}, batch {}: {}", a.methods[m],
                             options.training.seed, state.epoch, state.batch,
                             run.trainer().message());
            if (!a.is_quiet)
                fmt::print(stderr, "{} seed {}: {} epochs, best {}, valid {} {:.4f} ({})\n",
                           a.methods[m], options.training.seed, state.epochs.size(),
                           state.best_epoch, a.training.valid_metric, state.best_value,
                           to_string(ending));
            results[m].add(state);
            runs.push_back(run.report(ending));
        }

    auto const base = detail::base_method(a.methods);
    auto const table = comparison_table(results, base, a.metrics);
    auto const sentence = how_to_read(a, base);
    fmt::print(
        "{} on {} ({} users, {} items), base optimizer {}; test metrics at the epoch that is "
        "best in validation\n\n{}\n{}",
        a.model.name, data.name, data.n_users, data.n_items, a.optimizer.base, aligned(table),
        sentence);
    auto const write = [](std::string const& file, std::string const& text) {
        if (file.empty()) return;
        write_text_file(file, text);
        spdlog::info("wrote {}", file);
    };
    write(a.markdown, markdown(table) + "\n" + sentence);
    write(a.csv, csv(comparison_details(results, base)));
    write(a.json, runs.dump(2) + "\n");
    if (interrupt_signal() == 0) return success;
    spdlog::warn("interrupted: the table has the runs that were finished");
    return signal_base + interrupt_signal();
}

}  // namespace polder::recsys::app
