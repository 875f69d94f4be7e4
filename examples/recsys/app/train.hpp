/// polder-recsys train: one model, one optimizer, one seed.
#pragma once

#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/progress.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/source.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

/// What `train` was asked for.
struct TrainArguments {
    DataSource data;
    ModelArguments model;
    std::string method = "none";
    OptimizerArguments optimizer;
    TrainingOptions training;
    std::string json, curve, checkpoint, resume;
    int checkpoint_every = 10;
    bool is_quiet = false;
};

/// Declares the command and returns it. Options that decide the course of the run are those of the
/// groups Data, Model, Optimizer and Training.
inline CLI::App* add_train(CLI::App& app, TrainArguments& a) {
    auto* const command = app.add_subcommand("train", "Train a model with an optimizer");
    add_data_options(*command, a.data);
    add_model_options(*command, a.model);
    command
        ->add_option("--optimizer", a.method,
                     fmt::format("Method on top of the base optimizer: {}. none is the base "
                                 "optimizer alone; + has a mixed loss with a second batch, which "
                                 "comes from a second permutation of the same epoch",
                                 fmt::join(optimizer_methods, ", ")))
        ->capture_default_str()
        ->type_name("NAME")
        ->group("Optimizer");
    add_optimizer_options(*command, a.optimizer);
    add_training_options(*command, a.training);
    auto const group = "Files";
    command->add_option("--json", a.json, "Write settings, epochs and results here")
        ->type_name("FILE")
        ->group(group);
    command->add_option("--curve", a.curve, "Write one row per epoch here, as CSV")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option(
            "--checkpoint", a.checkpoint,
            "Write a checkpoint here (safetensors): parameters, those of the best epoch as "
            "best.NAME, optimizer state, and all that is needed to go on")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option("--checkpoint-every", a.checkpoint_every,
                     "Epochs from one checkpoint to the next; there is always one at the end")
        ->check(whole_number(1))
        ->capture_default_str()
        ->group(group);
    command
        ->add_option(
            "--resume", a.resume,
            "Go on from this checkpoint, with its settings: only --epochs, --stopping-step, "
            "--threads and --data (where the same data lies) can be given anew. The run goes on in "
            "the same file unless --checkpoint names another")
        ->type_name("FILE")
        ->group(group);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return command;
}

/// The options of `command` that were given and decide the course of the run, as arguments.
inline std::vector<std::string> course_arguments(CLI::App const& command) {
    std::vector<std::string> result;
    for (auto const* option : command.get_options()) {
        auto const& group = option->get_group();
        if (group != "Data" && group != "Model" && group != "Optimizer" && group != "Training")
            continue;
        for (auto const& value : option->results())
            result.push_back(option->get_name() + "=" + value);
    }
    return result;
}

/// The arguments that a checkpoint was made with, without those that `command` was given anew.
inline std::vector<std::string> resumed_arguments(CLI::App const& command,
                                                  std::filesystem::path const& file) {
    SafetensorsFile const checkpoint(file);
    auto const saved = nlohmann::json::parse(checkpoint.metadata("arguments"), nullptr, false);
    std::vector<std::string> result;
    if (!saved.is_array())
        throw std::runtime_error(file.string() +
                                 ": 'arguments' in the metadata is not a JSON array");
    for (auto const& each : saved) {
        if (!each.is_string())
            throw std::runtime_error(file.string() + ": 'arguments' in the metadata is not text");
        auto const text = each.get<std::string>();
        auto const* const option = command.get_option_no_throw(text.substr(0, text.find('=')));
        if (option == nullptr || option->count() == 0) result.push_back(text);
    }
    return result;
}

namespace detail {

/// Progress, checkpoints every few epochs, and Ctrl-C.
struct TrainObserver {
    Progress& progress;
    std::function<void()> save;
    int checkpoint_every;

    void after_batch(Trainer const& trainer, Report const& report) {
        progress.after_batch(trainer, report);
    }
    void after_epoch(Trainer const& trainer) {
        progress.after_epoch(trainer);
        if (save && trainer.state().epoch % checkpoint_every == 0) save();
    }
    bool should_stop() const { return interrupt_signal() != 0; }
};

/// Valid and test metrics of the best epoch, a row each, a column per cutoff.
inline Table metrics_table(FullSort::Result const& best) {
    Table table{{""}, {}};
    for (auto const K : cutoffs) table.header.push_back("@" + std::to_string(K));
    auto const add = [&](std::string const& split, Metrics const& metrics) {
        auto const row = [&](std::string const& measure, auto const& values) {
            std::vector<std::string> cells{split + " " + measure};
            for (double const value : values) cells.push_back(fmt::format("{:.4f}", value));
            table.rows.push_back(std::move(cells));
        };
        row("recall", metrics.recall);
        row("precision", metrics.precision);
        row("ndcg", metrics.ndcg);
        row("map", metrics.map);
    };
    add("valid", best.valid);
    add("test", best.test);
    return table;
}

}  // namespace detail

/// The values of `optimizer` as settings of `method`, of which it must have each.
inline OptimizerOptions optimizer_options(std::string const& method, OptimizerArguments const& a) {
    if (a.distance && !method.starts_with("bsam"))
        throw std::invalid_argument(
            fmt::format("optimizer '{}' has no distance; bsam and bsam+ have", method));
    OptimizerOptions options{method, a.base, a.distance.value_or("manhattan"), a.values};
    static_cast<void>(hyper_parameters(options));
    return options;
}

/// Runs the command and returns the exit code. `arguments`: what a checkpoint should remember.
inline int train(TrainArguments a, std::vector<std::string> const& arguments) {
    if (a.checkpoint.empty()) a.checkpoint = a.resume;
    for (auto const& file : {a.json, a.curve, a.checkpoint})
        if (!file.empty()) require_writable(file);
    a.training.validate();
    RunOptions const options{a.model.name, a.model.settings(),
                             optimizer_options(a.method, a.optimizer), a.training};
    static_cast<void>(find_model(options.model));

    auto const data = load_data(a.data);
    warn_of_dropped_rows(data);
    Run run(data, options);
    auto& trainer = run.trainer();
    if (!a.resume.empty()) {
        SafetensorsFile file(a.resume);
        load_run(file, trainer, run.identity());
        spdlog::info("going on from {}: epoch {}, batch {}", a.resume, trainer.state().epoch,
                     trainer.state().batch);
    }

    Settings const notes{{"arguments", nlohmann::json(arguments).dump()}};
    std::function<void()> save;
    if (!a.checkpoint.empty())
        save = [&] { save_run(a.checkpoint, trainer, run.identity(), notes); };
    Progress progress({}, a.is_quiet);
    catch_interrupts();
    auto const ending = trainer.run(detail::TrainObserver{progress, save, a.checkpoint_every});
    progress.clear();

    auto const& state = trainer.state();
    if (ending == Ending::interrupted)
        spdlog::warn("interrupted after batch {} of {} of epoch {}", state.batch,
                     trainer.n_batches(), state.epoch);
    if (ending == Ending::not_finite)
        spdlog::error("epoch {}, batch {}: {}; try a lower learning rate or radius", state.epoch,
                      state.batch, trainer.message());

    std::exception_ptr problem;
    auto const write = [&](std::string const& file, auto const& content) {
        if (file.empty()) return;
        try {
            content();
            spdlog::info("wrote {}", file);
        } catch (std::exception const& error) {
            spdlog::error("{}", error.what());
            problem = std::current_exception();
        }
    };
    write(a.json, [&] { write_text_file(a.json, run.report(ending).dump(2) + "\n"); });
    write(a.curve, [&] { write_text_file(a.curve, csv(run.curve())); });
    write(a.checkpoint, save);

    if (state.best_epoch >= 0) {
        fmt::print("{} with {} on {}, seed {}: best epoch {} of {} ({})\n\n{}", options.model,
                   a.method, data.name, a.training.seed, state.best_epoch, state.epochs.size(),
                   to_string(ending), aligned(detail::metrics_table(state.best)));
    } else {
        fmt::print("{} with {} on {}, seed {}: no epoch was evaluated ({})\n", options.model,
                   a.method, data.name, a.training.seed, to_string(ending));
    }
    if (problem) return failure;
    if (ending == Ending::interrupted) return signal_base + interrupt_signal();
    return ending == Ending::not_finite ? not_finite : success;
}

}  // namespace polder::recsys::app
