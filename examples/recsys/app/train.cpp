// polder-recsys train: one model, one optimizer, one seed.
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/ascent_watch.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/progress.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/table.hpp"
#include "recsys/app/train_arguments.hpp"
#include "recsys/data/source.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

namespace {

// Progress, checkpoints every few epochs, and Ctrl-C.
class Observer final : public TrainingObserver {
public:
    Observer(Progress& progress, OptimizerOptions const& optimizer,
             std::function<void()> const& save, int checkpoint_every)
        : progress_(progress), watch_(optimizer), save_(save), checkpoint_every_(checkpoint_every) {
    }

    void after_batch(Trainer const& trainer, Report const& report) override {
        progress_.after_batch(trainer, report);
        watch_.after_batch(trainer, report);
    }
    void after_epoch(Trainer const& trainer) override {
        progress_.after_epoch(trainer);
        if (save_ && trainer.state().epoch % checkpoint_every_ == 0) save_();
    }
    bool should_stop() override { return interrupt_signal() != 0; }

private:
    Progress& progress_;
    AscentWatch watch_;
    std::function<void()> const& save_;
    int checkpoint_every_;
};

// Valid and test metrics of the best epoch, a row each, a column per cutoff.
Table metrics_table(FullSort::Result const& best) {
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

int train(CLI::App const& command, TrainArguments a) {
    if (a.checkpoint.empty()) a.checkpoint = a.resume;
    for (auto const& file : {a.json, a.curve, a.checkpoint, a.config})
        if (!file.empty()) require_writable(file);
    a.training.validate();
    auto const options = run_options(a);
    auto const data = load_data(a.data, needs_features(find_model(options.model.name)));
    warn_of_dropped_rows(data);
    auto const what = identity(options, data);
    Run run(data, options);
    auto& trainer = run.trainer();
    if (!a.resume.empty()) {
        SafetensorsFile file(a.resume);
        load_run(file, trainer, what);
        spdlog::info("going on from {}: epoch {}, batch {}", a.resume, trainer.state().epoch,
                     trainer.state().batch);
    }
    if (auto const file = write_config(command, a.config, {a.json, a.checkpoint, a.curve});
        !file.empty())
        spdlog::info("wrote {}, which repeats this run", file);

    Settings const notes{{"arguments", nlohmann::json(given_arguments(command)).dump()}};
    std::function<void()> save;
    if (!a.checkpoint.empty()) save = [&] { save_run(a.checkpoint, trainer, what, notes); };
    Progress progress({}, a.is_quiet);
    catch_interrupts();
    Observer observer(progress, options.optimizer, save, a.checkpoint_every);
    auto const ending = trainer.run(observer);
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

    auto const title = fmt::format("{} with {} on {}, seed {}", options.model.name,
                                   options.optimizer.method, data.name, a.training.seed);
    if (state.best_epoch >= 0) {
        fmt::print("{}: best epoch {} of {} ({})\n\n{}", title, state.best_epoch,
                   state.epochs.size(), to_string(ending), aligned(metrics_table(state.best)));
    } else {
        fmt::print("{}: no epoch was evaluated ({})\n", title, to_string(ending));
    }
    if (problem) return failure;
    if (ending == Ending::interrupted) return signal_base + interrupt_signal();
    return ending == Ending::not_finite ? not_finite : success;
}

}  // namespace

Command add_train(CLI::App& program) {
    auto const arguments = std::make_shared<TrainArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand("train", "Train a model with an optimizer");
    add_course_options(*command, a);
    auto const group = "Files";
    add_config_options(*command, a.config);
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
    return {command, [command, arguments] { return train(*command, *arguments); }};
}

std::vector<std::string> resumed_arguments(CLI::App const& train) {
    auto const* const resume = train.get_option_no_throw("--resume");
    if (resume == nullptr || resume->count() == 0) return {};
    std::vector<std::string> result;
    for (auto const& text : saved_arguments(SafetensorsFile(resume->as<std::string>()))) {
        auto const* const option = train.get_option_no_throw(text.substr(0, text.find('=')));
        if (option == nullptr || option->count() == 0) result.push_back(text);
    }
    return result;
}

}  // namespace polder::recsys::app
