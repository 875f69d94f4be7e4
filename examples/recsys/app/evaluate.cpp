// polder-recsys evaluate: how well a trained model ranks, on the data of its training or on changed data.
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/engine/parallel.hpp>

#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/list_report.hpp"
#include "recsys/app/table.hpp"
#include "recsys/app/trained_model.hpp"
#include "recsys/evaluation/full_sort.hpp"

namespace polder::recsys::app {

namespace {

struct EvaluateArguments {
    std::string checkpoint;
    DataOverride data;
    RankingArguments lists;
    int threads = default_threads();
    std::string json, csv;
    Files files;
};

// One row per measure, one column per cutoff.
Table table_of(Metrics const& metrics) {
    Table table{{""}, {}};
    for (auto const cutoff : cutoffs) table.header.push_back(fmt::format("@{}", cutoff));
    Metrics::visit(metrics, [&](std::string const& name, double value) {
        auto const at = name.find('@');
        if (name.substr(at + 1) == std::to_string(cutoffs.front()))
            table.rows.push_back({name.substr(0, at)});
        table.rows.back().push_back(table_cell(value));
    });
    return table;
}

int evaluate(EvaluateArguments& a) {
    if (a.checkpoint.empty())
        throw std::invalid_argument("--checkpoint is missing: a file of train --checkpoint");
    a.files.expect("--json", a.json, Mark::json("evaluate"));
    a.files.expect("--csv", a.csv,
                   Mark::csv("checkpoint,model,optimizer,seed,epoch,data,split,users,"));
    a.files.expect("--per-user", a.lists.per_user, Mark::csv("user,training_rows,rows,"));
    auto const trained = read_trained_model(a.checkpoint, a.data);
    auto const data = load_data_of(trained);
    warn_of_data(data);
    bool const is_test = a.lists.split == "test";
    ListReport lists(data, a.lists, id_folder(trained.source));
    if (trained.epoch < 0)
        spdlog::warn("{}: no epoch was evaluated yet; these are the parameters of the last batch",
                     a.checkpoint);
    auto const model = make_trained<float>(trained, data, a.threads);
    auto const parameters = read_trained_parameters(trained, *model);
    auto const representations = model->representations(parameters);
    warn_of_non_finite(representations, a.checkpoint);
    auto const both =
        FullSort(data, {.mask_valid = a.lists.masks_valid})(representations, a.threads);
    if (!a.lists.is_empty()) lists.rank(representations, a.threads);
    auto const& metrics = is_test ? both.test : both.valid;
    bool const is_same = description_of(data) == trained.trained_on;

    auto const& options = trained.options;
    if (!a.json.empty()) {
        auto const recorded = [&] {
            return json_of_metrics(is_test ? trained.recorded->test : trained.recorded->valid);
        };
        Json json{{"command", "evaluate"},
                  {"checkpoint", a.checkpoint},
                  {"model", options.model.name},
                  {"optimizer", options.optimizer.method},
                  {"seed", options.training.seed},
                  {"epoch", json_of_epoch(trained.epoch)},
                  {"data", data.name},
                  {"data_is_that_of_training", is_same},
                  {"split", a.lists.split},
                  {"mask_valid", a.lists.masks_valid},
                  {"users", metrics.n_users},
                  {"metrics", json_of_metrics(metrics)},
                  {"in_training", trained.recorded ? recorded() : Json(nullptr)}};
        if (!a.lists.is_empty()) json["lists"] = lists.json();
        a.files.write_json(a.json, json);
    }
    if (!a.csv.empty()) {
        Table table{{"checkpoint", "model", "optimizer", "seed", "epoch", "data", "split", "users"},
                    {{a.checkpoint, options.model.name, options.optimizer.method,
                      std::to_string(options.training.seed), csv_cell(json_of_epoch(trained.epoch)),
                      data.name, a.lists.split, std::to_string(metrics.n_users)}}};
        Metrics::visit(metrics, [&](std::string const& name, double value) {
            table.header.push_back(name);
            table.rows.front().push_back(csv_cell(value));
        });
        a.files.write_text(a.csv, csv(table));
    }
    fmt::print("{}, epoch {}: {} of {}, {} users{}\n\n{}", trained.label(),
               table_cell(json_of_epoch(trained.epoch)), a.lists.split, data.name, metrics.n_users,
               a.lists.masking(), a.lists.is_empty() ? aligned(table_of(metrics)) : lists.text());
    lists.write_per_user(a.files);
    if (!is_same && trained.recorded)
        fmt::print("\nThe data is not that of training, where {} was\n\n{}", a.lists.split,
                   aligned(table_of(is_test ? trained.recorded->test : trained.recorded->valid)));
    return a.files.exit_code(success);
}

}  // namespace

Command add_evaluate(CLI::App& program) {
    auto const arguments = std::make_shared<EvaluateArguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("evaluate", "Measure a trained model, also on changed data");
    command->footer(
        "The parameters are those of the best epoch. Everything that the model builds of data is "
        "built of the data given here: graphs of users and items of its training rows, graphs of "
        "similar items of its features. So features may be others than in training, as long as "
        "their numbers of rows and columns are the same; the numbers of users and items must be "
        "those of training. Where the data is not that of training, the metrics of training are "
        "printed beside the new ones.\n\nExamples:\n"
        "  polder-recsys evaluate --checkpoint run.safetensors --split valid\n"
        "  polder-recsys evaluate --checkpoint run.safetensors --visual noisy_image_feat.npy");
    command
        ->add_option("--checkpoint", a.checkpoint,
                     "A checkpoint of train; the model is that of its best epoch")
        ->type_name("FILE");
    command->add_option("--data", a.data.data, "Other data, or where the same data lies now")
        ->type_name("DIR|FILE");
    command
        ->add_option("--visual", a.data.visual,
                     "Other visual features: a modality of the data, or a file")
        ->type_name("NAME|FILE");
    command->add_option("--textual", a.data.textual, "Other textual features, likewise")
        ->type_name("NAME|FILE");
    add_ranking_options(*command, a.lists);
    command->add_option("--threads", a.threads, "Threads; results do not depend on them")
        ->check(whole_number<int>(1, most_threads))
        ->capture_default_str();
    auto const group = "Files";
    command
        ->add_option("--json", a.json,
                     "Write metrics in full precision here. A file that evaluate did not write is "
                     "never replaced")
        ->type_name("FILE")
        ->group(group);
    command->add_option("--csv", a.csv, "Write them here as one row of CSV, likewise")
        ->type_name("FILE")
        ->group(group);
    a.files.add_option(*command);
    return {command, [arguments] { return evaluate(*arguments); }};
}

}  // namespace polder::recsys::app
