// polder-recsys compare: models and optimizers from the same seeds, side by side.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

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

struct CompareArguments : CourseArguments {
    std::vector<std::string> data_names;  // empty: the default
    std::string models = "lightgcn";
    std::string methods = "none,sam,fsam,bsam,bsam+";
    int n_seeds = 3;
    std::string metrics = "recall@20,ndcg@20";
    std::string columns{default_columns};
    std::vector<std::string> model_list, method_list,
        metric_list;  // three of the lists taken apart
    std::string runs, json, csv, markdown;
    int jobs = 1;
    PauseRequest pause;
    bool keeps_checkpoints = false;

    // A source for each data set.
    std::vector<DataSource> sources() const {
        if (data_names.empty()) return {data};
        std::vector<DataSource> result;
        for (auto const& name : data_names) {
            result.push_back(data);
            result.back().name = name;
        }
        return result;
    }
};

// One data set of the comparison.
struct OnData {
    DataSource source;
    Dataset data;
    std::unique_ptr<RunFolder> folder;
    std::vector<ComparisonRow> rows;
    std::vector<PlannedRun> planned;
};

void require_distinct(std::vector<std::string> const& names, std::string_view what) {
    for (auto const& name : names)
        if (std::count(names.begin(), names.end(), name) > 1)
            throw std::invalid_argument(fmt::format("{} '{}' is listed twice", what, name));
}

// Improvements are over the base of the optimizer, with the same model; with one optimizer over the first model.
std::vector<ComparisonRow> empty_rows(CompareArguments const& a,
                                      std::vector<OptimizerOptions> const& optimizers) {
    auto const bases = bases_of(optimizers);
    auto const n = optimizers.size();
    std::vector<ComparisonRow> rows;
    for (auto const& model : a.model_list)
        for (std::size_t k = 0; k < n; ++k)
            rows.push_back({model, a.method_list[k], n == 1 ? 0 : rows.size() - k + bases[k], {}});
    return rows;
}

// What the improvements are over.
std::string text_of_base(CompareArguments const& a, std::vector<ComparisonRow> const& rows,
                         std::vector<OptimizerOptions> const& optimizers) {
    if (optimizers.size() == 1) return rows.front().model;
    std::string text;
    auto const bases = bases_of(optimizers);
    for (std::size_t k = 0; k < bases.size(); ++k) {
        if (bases[k] != k) continue;
        auto const& each = optimizers[k];
        text += (text.empty() ? "" : " or ") + a.method_list[k] +
                (each.method == "none" ? " (" + each.base + " alone)" : "");
    }
    bool const is_one = std::count(bases.begin(), bases.end(), bases.front()) ==
                        static_cast<std::ptrdiff_t>(bases.size());
    return text + (is_one ? "" : ", whichever has the same base optimizer") +
           (a.model_list.size() == 1 ? "" : " with the same model");
}

// One sentence that says how to read the tables.
std::string how_to_read(CompareArguments const& a, std::vector<ComparisonRow> const& rows,
                        std::vector<OptimizerOptions> const& optimizers) {
    bool const is_one = a.n_seeds == 1;
    return fmt::format(
        "How to read it: each row trains from the same {} and says how many of the items that were "
        "hidden from training come back near the top of each user's list{}; higher is better. "
        "vs base is over {}; p users is the paired t-test over users, p seeds Welch's over "
        "seeds{}, "
        "and * marks rows where both are below .01. gradients: of the loss of a batch, in the "
        "whole "
        "run; memory: the most that the process had; gap: the loss on fixed pairs of validation "
        "minus that on fixed pairs of training.\n",
        is_one ? std::string("seed") : fmt::format("{} seeds", a.n_seeds),
        is_one ? "" : ", mean ± standard deviation over the seeds",
        text_of_base(a, rows, optimizers), is_one ? " (which takes more than one)" : "");
}

int compare(CLI::App const& command, CompareArguments a) {
    if (a.pause) return carry_out(a.pause, a.runs, a.files);
    a.model_list = split_list(a.models);
    a.method_list = split_list(a.methods);
    a.metric_list = split_list(a.metrics);
    a.files.expect("--json", a.json, Mark::json("compare"));
    a.files.expect("--csv", a.csv,
                   Mark::csv(a.data_names.size() > 1
                                 ? "data,model,optimizer,base_model,base_optimizer,runs,"
                                 : "model,optimizer,base_model,base_optimizer,runs,"));
    a.files.expect("--markdown", a.markdown, Mark::markdown());
    a.files.expect("--write-config", a.config, Mark::toml());
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
    if (a.keeps_checkpoints && a.runs.empty())
        throw std::invalid_argument("--checkpoints: expected --runs DIR, where they are kept");
    for (auto const& column : columns) require_known("column", column, further_columns());
    a.training.threads = threads_of_job(command, a.training.threads, a.jobs, a.runs);

    Processes const processes(a.jobs);
    bool with_features = false;
    for (auto const& model : models)
        with_features = with_features || needs_features(find_model(model.name));
    // All data is read, and everything is checked, before anything is trained.
    std::vector<std::unique_ptr<OnData>> all;
    std::vector<std::string> names;
    for (auto const& source : a.sources()) {
        auto of = std::make_unique<OnData>();
        of->source = source;
        of->data = load_data(source, with_features);
        names.push_back(of->data.name);
        all.push_back(std::move(of));
    }
    require_distinct(names, "data set");
    catch_interrupts();
    for (auto const& of : all) {
        std::filesystem::path runs(a.runs);
        if (all.size() > 1 && !runs.empty()) runs /= folder_name(of->data.name);
        of->folder = std::make_unique<RunFolder>(runs, of->data, a.jobs, a.is_quiet, a.files,
                                                 a.keeps_checkpoints ? std::optional(of->source)
                                                                     : std::nullopt);
        of->rows = empty_rows(a, optimizers);
        // Seeds in the outer loop: interrupted, the table still compares what has the same seeds.
        for (int seed = 0; seed < a.n_seeds; ++seed)
            for (std::size_t k = 0; k < of->rows.size(); ++k) {
                RunOptions options{models[k / optimizers.size()], optimizers[k % optimizers.size()],
                                   a.training, a.device};
                options.training.seed += static_cast<std::uint64_t>(seed);
                of->planned.push_back(
                    {std::move(options), of->rows[k].model, of->rows[k].optimizer});
            }
        of->folder->check(of->planned);
    }
    if (processes.is_copy()) {
        for (auto const& of : all) static_cast<void>(of->folder->make(of->planned));
        return success;
    }
    for (auto const& of : all) {
        warn_of_data(of->data);
        of->folder->open();
    }
    write_config(command, a.files, a.config,
                 {a.runs.empty() ? "" : a.runs + "/compare", a.json, a.csv, a.markdown},
                 a.data_names.empty() ? FurtherValues{{"data", {a.data.name}}} : FurtherValues{});
    Json runs = Json::array();
    for (auto const& of : all) {
        if (all.size() > 1 && !a.is_quiet) spdlog::info("data set {}", of->data.name);
        auto reports = of->folder->make(of->planned);
        for (std::size_t k = 0; k < reports.size(); ++k) {
            if (!reports[k]) continue;
            if (auto cell = cell_of_json(*reports[k]); cell.has_best)
                of->rows[k % of->rows.size()].cells.push_back(std::move(cell));
            reports[k]->erase("test_users");
            runs.push_back(std::move(*reports[k]));
        }
    }

    auto sentence = how_to_read(a, all.front()->rows, optimizers);
    std::vector<ComparedData> compared;
    std::string text, markdown_text;
    Json json_rows = Json::array();
    Table details;
    for (auto const& of : all) {
        text += fmt::format(
            "{} ({} users, {} items), base optimizer {}; test metrics at the {}\n\n", of->data.name,
            of->data.n_users, of->data.n_items, a.optimizer.base,
            a.training.select == "last" ? "last epoch" : "epoch that is best in validation");
        if (all.size() > 1) markdown_text += "## " + of->data.name + "\n\n";
        for (auto const& metric : a.metric_list) {
            auto const table = comparison_table(of->rows, metric, columns);
            text += aligned(table) + "\n";
            markdown_text += markdown(table) + "\n";
        }
        auto own = comparison_details(of->rows);
        auto json = comparison_json(of->rows);
        if (all.size() > 1) {
            own.header.insert(own.header.begin(), "data");
            for (auto& row : own.rows) row.insert(row.begin(), of->data.name);
            for (auto& row : json) {
                Json with_data{{"data", of->data.name}};
                with_data.update(row);
                row = std::move(with_data);
            }
        }
        details.header = std::move(own.header);
        details.rows.insert(details.rows.end(), own.rows.begin(), own.rows.end());
        json_rows.insert(json_rows.end(), json.begin(), json.end());
        compared.push_back({of->data.name, std::move(of->rows)});
    }
    Json result{{"command", "compare"}, {"rows", std::move(json_rows)}};
    if (all.size() > 1) {
        text += fmt::format("Over {} data sets\n\n", all.size());
        markdown_text += fmt::format("## Over {} data sets\n\n", all.size());
        for (auto const& metric : a.metric_list) {
            auto const table = over_data_table(compared, metric);
            text += aligned(table) + "\n";
            markdown_text += markdown(table) + "\n";
        }
        sentence +=
            "Over data sets: vs base is the mean of the improvements in per cent, each data "
            "set counting alike; better in, the data sets in which the mean is above the "
            "base's; mean rank, the mean place among the rows, 1 for the best.\n";
        result["over_data"] = over_data_json(compared, a.metric_list);
    }
    result["runs"] = std::move(runs);
    a.files.write_text(a.markdown, "<!-- polder-recsys compare -->\n\n" + markdown_text + sentence);
    a.files.write_text(a.csv, csv(details));
    a.files.write_json(a.json, result);
    fmt::print("{}{}", text, sentence);
    if (interrupt_signal() == 0) return a.files.exit_code(success);
    spdlog::warn("interrupted: the table has the runs that were finished{}",
                 a.runs.empty() ? "" : "; the same command goes on from here");
    return a.files.exit_code(signal_base + interrupt_signal());
}

}  // namespace

Command add_compare(CLI::App& program) {
    auto const arguments = std::make_shared<CompareArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "compare", "Train with several models, optimizers and seeds, and tabulate");
    add_data_options(*command, a.data, &a.data_names);
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
            "Improvements are over none with the same base optimizer (none,sam,none:base=sgd,"
            "sam:base=sgd), or over the first of that base where none is not among them, or "
            "over the first model where there is but one")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Optimizer");
    add_optimizer_options(*command, a.optimizer);
    add_training_options(*command, a);
    command->add_option("--seeds", a.n_seeds, "Number of seeds: --seed and those that follow it")
        ->check(whole_number<int>(1))
        ->capture_default_str()
        ->group("Training");
    command->add_option("--metrics", a.metrics, "Test metrics of the tables, separated by commas")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Table");
    command
        ->add_option(
            "--columns", a.columns,
            "Further columns of the tables, separated by commas: gradients (of the loss of "
            "a batch, in the run), memory (the most that the process had), gap (loss on "
            "fixed pairs of validation minus that on those of training), and, of the best "
            "epoch, cosine (between the direction of the ascent and the gradient), "
            "distance (of bsam and fsam), sharpness; wilcoxon (p over users without assumptions "
            "about their distribution) and holm (p users, corrected for the number of rows)")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Table");
    auto const group = "Files";
    add_config_options(*command, a.config);
    add_runs_options(*command, a.runs, a.jobs, a.pause);
    command
        ->add_flag("--checkpoints", a.keeps_checkpoints,
                   "Keep the checkpoint of every run beside its file, as "
                   "NAME.trained.safetensors, for evaluate, robustness, landscape and recommend. "
                   "With --runs; runs that are there without one are made again")
        ->group(group);
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
    a.files.add_option(*command);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return {command, [command, arguments] { return compare(*command, *arguments); }};
}

}  // namespace polder::recsys::app
