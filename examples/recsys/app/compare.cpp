// polder-recsys compare: models and optimizers from the same seeds, side by side.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/comparison.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/run_folder.hpp"
#include "recsys/data/source.hpp"
#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

struct Arguments : CourseArguments {
    std::string models = "lightgcn";
    std::string methods = "none,sam,fsam,bsam,bsam+";
    int n_seeds = 3;
    std::string metrics = "recall@20,ndcg@20";
    std::string columns;
    std::vector<std::string> model_list, method_list,
        metric_list;  // three of the lists taken apart
    std::string runs, json, csv, markdown;
    int jobs = 1;
};

void require_distinct(std::vector<std::string> const& names, std::string_view what) {
    for (auto const& name : names)
        if (std::count(names.begin(), names.end(), name) > 1)
            throw std::invalid_argument(fmt::format("{} '{}' is listed twice", what, name));
}

// Improvements are over none, or the first optimizer, with the same model; with one optimizer over the
// first model.
std::vector<ComparisonRow> empty_rows(Arguments const& a,
                                      std::vector<OptimizerOptions> const& optimizers) {
    auto const none = std::find_if(optimizers.begin(), optimizers.end(),
                                   [](auto const& each) { return each.method == "none"; });
    auto const base =
        none == optimizers.end() ? 0 : static_cast<std::size_t>(none - optimizers.begin());
    std::vector<ComparisonRow> rows;
    for (auto const& model : a.model_list)
        for (auto const& method : a.method_list)
            rows.push_back({model,
                            method,
                            a.method_list.size() == 1
                                ? 0
                                : rows.size() - rows.size() % a.method_list.size() + base,
                            {}});
    return rows;
}

// One sentence that says how to read the tables.
std::string how_to_read(Arguments const& a, std::vector<ComparisonRow> const& rows) {
    bool const is_one = a.n_seeds == 1;
    auto const& base = rows[rows.front().base];
    return fmt::format(
        "How to read it: each row trains from the same {} and says how many of the items that were "
        "hidden from training come back near the top of each user's list{}; higher is better. "
        "vs base is over {}; p users is the paired t-test over users, p seeds Welch's over "
        "seeds{}, "
        "and * marks rows where both are below .01.\n",
        is_one ? std::string("seed") : fmt::format("{} seeds", a.n_seeds),
        is_one ? "" : ", mean ± standard deviation over the seeds",
        a.method_list.size() == 1
            ? base.model
            : base.optimizer +
                  (base.optimizer == "none" ? " (" + a.optimizer.base + " alone)" : "") +
                  (a.model_list.size() == 1 ? "" : " with the same model"),
        is_one ? " (which takes more than one)" : "");
}

int compare(CLI::App const& command, Arguments a) {
    a.model_list = split_list(a.models);
    a.method_list = split_list(a.methods);
    a.metric_list = split_list(a.metrics);
    for (auto const& file : {a.json, a.csv, a.markdown, a.config})
        if (!file.empty()) require_writable(file);
    a.training.validate();
    require_device(a.device);
    for (auto const& metric : a.metric_list) static_cast<void>(Metrics{}[metric]);
    require_distinct(a.model_list, "model");
    require_distinct(a.method_list, "optimizer");
    auto const optimizers = parse_optimizers(a.method_list, a.optimizer);
    std::vector<ModelChoice> models;
    for (auto const& each : a.model_list) models.push_back(parse_model(each));
    use_published(models, a.published);
    assign(models, a.assignments);

    auto const columns = a.columns.empty() ? std::vector<std::string>() : split_list(a.columns);
    for (auto const& column : columns) require_known("column", column, further_columns());
    a.training.threads = threads_of_job(command, a.training.threads, a.jobs, a.runs);

    Processes const processes(a.jobs);
    bool with_features = false;
    for (auto const& model : models)
        with_features = with_features || needs_features(find_model(model.name));
    auto const data = load_data(a.data, with_features);
    catch_interrupts();
    RunFolder folder(a.runs, data, a.jobs, a.is_quiet);
    auto rows = empty_rows(a, optimizers);
    std::vector<PlannedRun> planned;
    // Seeds in the outer loop: interrupted, the table still compares what has the same seeds.
    for (int seed = 0; seed < a.n_seeds; ++seed)
        for (std::size_t k = 0; k < rows.size(); ++k) {
            RunOptions options{models[k / optimizers.size()], optimizers[k % optimizers.size()],
                               a.training, a.device};
            options.training.seed += static_cast<std::uint64_t>(seed);
            planned.push_back({std::move(options), rows[k].model, rows[k].optimizer});
        }
    if (processes.is_copy()) {
        static_cast<void>(folder.make(planned));
        return success;
    }
    warn_of_dropped_rows(data);
    if (auto const file =
            write_config(command, a.config,
                         {a.runs.empty() ? "" : a.runs + "/compare", a.json, a.csv, a.markdown});
        !file.empty())
        spdlog::info("wrote {}, which repeats this comparison", file);
    Json runs = Json::array();
    auto reports = folder.make(planned);
    for (std::size_t k = 0; k < reports.size(); ++k) {
        if (!reports[k]) continue;
        if (auto cell = cell_of_json(*reports[k]); cell.has_best)
            rows[k % rows.size()].cells.push_back(std::move(cell));
        reports[k]->erase("test_users");
        runs.push_back(std::move(*reports[k]));
    }

    auto const sentence = how_to_read(a, rows);
    std::string text, markdown_text;
    for (auto const& metric : a.metric_list) {
        auto const table = comparison_table(rows, metric, columns);
        text += aligned(table) + "\n";
        markdown_text += markdown(table) + "\n";
    }
    fmt::print(
        "{} ({} users, {} items), base optimizer {}; test metrics at the epoch that is best in "
        "validation\n\n{}{}",
        data.name, data.n_users, data.n_items, a.optimizer.base, text, sentence);
    auto const write = [](std::string const& file, std::string const& content) {
        if (file.empty()) return;
        write_text_file(file, content);
        spdlog::info("wrote {}", file);
    };
    write(a.markdown, markdown_text + sentence);
    write(a.csv, csv(comparison_details(rows)));
    write(a.json, Json{{"rows", comparison_json(rows)}, {"runs", std::move(runs)}}.dump(2) + "\n");
    if (interrupt_signal() == 0) return success;
    spdlog::warn("interrupted: the table has the runs that were finished{}",
                 a.runs.empty() ? "" : "; the same command goes on from here");
    return signal_base + interrupt_signal();
}

}  // namespace

Command add_compare(CLI::App& program) {
    auto const arguments = std::make_shared<Arguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "compare", "Train with several models, optimizers and seeds, and tabulate");
    add_data_options(*command, a.data);
    command
        ->add_option("--models,--model", a.models,
                     "Models, separated by commas, also with hyper-parameters: "
                     "lightgcn,lightgcn:n_layers=2")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Model");
    add_published_option(*command, a.published);
    add_set_option(*command, a.assignments);
    command
        ->add_option(
            "--optimizers", a.methods,
            "Methods, separated by commas, also with options: none,bsam:rho=0.05,bsam:rho=0.1. "
            "Improvements are over none, or over the first where none is not among them, or "
            "over the first model where there is but one")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Optimizer");
    add_optimizer_options(*command, a.optimizer);
    add_training_options(*command, a);
    command->add_option("--seeds", a.n_seeds, "Number of seeds: --seed and those that follow it")
        ->check(whole_number(1))
        ->capture_default_str()
        ->group("Training");
    command->add_option("--metrics", a.metrics, "Test metrics of the tables, separated by commas")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Table");
    command
        ->add_option("--columns", a.columns,
                     "Further columns of the tables, separated by commas, of the best epoch: "
                     "cosine (between the direction of the ascent and the gradient), distance "
                     "(of bsam and fsam), sharpness")
        ->type_name("NAME,...")
        ->group("Table");
    auto const group = "Files";
    add_config_options(*command, a.config);
    add_runs_options(*command, a.runs, a.jobs);
    command->add_option("--csv", a.csv, "Write all metrics here, as CSV")
        ->type_name("FILE")
        ->group(group);
    command->add_option("--markdown", a.markdown, "Write the tables here, as Markdown")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option("--json", a.json,
                     "Write the rows of the tables and every run, as train --json does, here")
        ->type_name("FILE")
        ->group(group);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return {command, [command, arguments] { return compare(*command, *arguments); }};
}

}  // namespace polder::recsys::app
