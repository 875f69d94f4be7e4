// polder-recsys train: one model, one optimizer, one seed.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/ascent_watch.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/progress.hpp"
#include "recsys/app/ranks.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/table.hpp"
#include "recsys/app/train_arguments.hpp"
#include "recsys/data/source.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

namespace {

// Progress, checkpoints every few epochs, and Ctrl-C.
class TrainObserver final : public TrainingObserver {
public:
    TrainObserver(Progress& progress, OptimizerOptions const& optimizer, Files& files,
                  std::function<void()> remember, std::function<void()> save, int checkpoint_every)
        : progress_(progress), watch_(optimizer), files_(files), remember_(std::move(remember)),
          save_(std::move(save)), checkpoint_every_(checkpoint_every) {}

    void after_batch(Trainer const& trainer, Report const& report) override {
        progress_.after_batch(trainer, report);
        watch_.after_batch(trainer, report);
    }
    void after_epoch(Trainer const& trainer) override {
        progress_.after_epoch(trainer);
        if (remember_) remember_();
        if (!save_ || trainer.state().epoch % checkpoint_every_ != 0) return;
        progress_.clear();
        files_.save(save_);
    }
    bool should_stop() override { return interrupt_signal() != 0; }

private:
    Progress& progress_;
    AscentWatch watch_;
    Files& files_;
    std::function<void()> remember_, save_;
    int checkpoint_every_;
};

// Valid and test metrics of the best epoch, a row each, a column per cutoff.
Table metrics_table(FullSort::Result const& best) {
    Table table{{""}, {}};
    for (auto const K : cutoffs) table.header.push_back("@" + std::to_string(K));
    auto const add = [&](std::string const& split, Metrics const& metrics) {
        auto const row = [&](std::string const& measure, auto const& values) {
            std::vector<std::string> cells{split + " " + measure};
            for (double const value : values) cells.push_back(table_cell(value));
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

// What may be another when a run that diverged is continued.
constexpr std::string_view changeable[] = {"learning_rate", "rho",          "clip_norm",
                                           "clip_value",    "decay_factor", "decay_epochs"};

// Makes of `what`, the run as it is asked for, the one in the checkpoint, and says in what it changes from here on:
// [{"epoch", "batch", "name", "from", "to"}, ...], those of before first.
Json take_changes(SafetensorsFile const& file, Json& what) {
    auto const saved = saved_run(file);
    auto changes = saved.value("changes", Json::array());
    for (auto const& name : changeable) {
        auto const key = std::string(name);
        if (!what.contains(key) || !saved.contains(key) || what[key] == saved[key]) continue;
        changes.push_back({{"name", key}, {"from", saved[key]}, {"to", what[key]}});
        what[key] = saved[key];
    }
    return changes;
}

// An option that is given by itself and in the text of the method, with two values.
void require_one_value(TrainArguments const& a) {
    auto const own = parse_optimizer(a.method, {"none", a.optimizer.base, {}});
    for (auto const& [name, value] : own.values)
        for (auto const& [given, other] : a.optimizer.values)
            if (given == name && other != value)
                throw std::invalid_argument(
                    fmt::format("{} is given twice: {} and, in --optimizer {}, {}", name, other,
                                a.method, value));
}

// What was not given, so that the file of settings has everything: hyper-parameters of the model and options of the
// optimizer.
FurtherValues defaults_of(TrainArguments const& a, RunOptions const& options) {
    FurtherValues result;
    std::vector<std::string> settings;
    for (auto const& each : find_model(options.model.name).hyper_parameters()) {
        auto value = each.default_value;
        for (auto const& [name, text] : options.model.settings)
            if (name == each.name) value = text;
        bool const is_given =
            std::any_of(a.assignments.begin(), a.assignments.end(),
                        [&](std::string const& text) { return text.starts_with(each.name + "="); });
        if (!is_given) settings.push_back(each.name + "=" + value);
    }
    result.emplace_back("set", std::move(settings));
    auto const own = parse_optimizer(a.method, {"none", a.optimizer.base, {}});
    for (auto const& each : optimizer_values_of(options)) {
        auto const text = to_text(each.value);
        bool const is_in_method = std::any_of(own.values.begin(), own.values.end(),
                                              [&](auto const& v) { return v.first == each.name; });
        if (is_in_method || text.empty() || text == "inf" || text == "none" || text == "false")
            continue;
        auto name = each.name;
        std::replace(name.begin(), name.end(), '_', '-');
        result.emplace_back(std::move(name), std::vector<std::string>{text});
    }
    return result;
}

// "visual 4096 columns", "no textual", "audio 128 columns".
std::vector<std::string> modality_texts(Dataset const& data) {
    std::vector<std::string> result;
    auto const add = [&](std::string const& name, FeatureMatrix const& features) {
        result.push_back(features.empty() ? "no " + name
                                          : fmt::format("{} {} columns", name, features.columns));
    };
    add("visual", data.visual);
    add("textual", data.textual);
    for (auto const& each : data.further) add(each.name, each.features);
    return result;
}

// The absolute name of a file or folder; what is none stays.
std::string path_of(std::string const& name) {
    std::error_code error;
    if (!std::filesystem::exists(name, error)) return name;
    auto const full = std::filesystem::absolute(name, error).lexically_normal();
    return error ? name : full.string();
}

// A checkpoint of another model, or of other data, is not replaced by accident.
void require_same_model(TrainArguments const& a, Json const& what) {
    std::error_code error;
    if (a.checkpoint.empty() || a.files.overwrites() ||
        !std::filesystem::is_regular_file(a.checkpoint, error) ||
        std::filesystem::file_size(a.checkpoint, error) == 0)
        return;
    Json const there = saved_run(SafetensorsFile(a.checkpoint));
    for (auto const* key : {"model", "data"})
        if (there.contains(key) && there[key] != what[key])
            throw FileError(a.checkpoint,
                            fmt::format("is the checkpoint of a run with {} = {}, this run has {}; "
                                        "expected a new name, or --overwrite",
                                        key, text_of(there[key]), text_of(what[key])));
}

// Ranks that train different runs would wait for each other for ever.
void require_one_run(RunOptions const& options, Json const& what) {
    auto const text = what.dump() + hyper_parameters(options).dump();
    auto const own = static_cast<double>(std::hash<std::string>()(text) >> 12U);
    double of_first = writes() ? own : 0;
    sum(ranks(), {&of_first, 1});
    if (of_first != own)
        throw std::runtime_error("was given other arguments or other data than rank 0; expected "
                                 "the same on all ranks");
}

int train(CLI::App const& command, TrainArguments a) {
    if (a.checkpoint.empty()) a.checkpoint = a.resume;
    a.training.ranks = ranks();
    if (!writes()) {
        a.is_quiet = true;
        for (auto* const file : {&a.json, &a.curve, &a.checkpoint, &a.config}) file->clear();
    }
    auto& files = a.files;
    files.expect("--json", a.json, Mark::json("train"));
    files.expect("--curve", a.curve, Mark::csv("epoch,loss,sharpness,cosine,distance,"));
    files.expect("--checkpoint", a.checkpoint, Mark::safetensors(checkpoint_format));
    files.expect("--write-config", a.config, Mark::toml());
    a.training.validate();
    require_one_value(a);
    auto const options = run_options(a);
    require_ways_of_batches({options});
    if (!a.data.further.empty() && !needs_features(find_model(options.model.name)))
        throw std::invalid_argument(fmt::format("--features {}: {} takes no features",
                                                a.data.further.front(), options.model.name));
    auto const data = load_data(a.data, needs_features(find_model(options.model.name)));
    warn_of_data(data);
    auto what = identity(options, data);
    require_one_run(options, what);
    if (a.resume.empty()) require_same_model(a, what);
    if (a.checkpoint.empty() && !a.is_quiet)
        spdlog::info("the trained model is not kept; --checkpoint FILE keeps it");
    if (needs_features(find_model(options.model.name)) && !a.is_quiet)
        spdlog::info("features: {}", fmt::join(modality_texts(data), ", "));
    Run run(data, options, a.is_quiet ? "" : options.model.name);
    auto& trainer = run.trainer();
    if (!a.resume.empty()) {
        SafetensorsFile file(a.resume);
        auto const wanted = what;
        auto changes = take_changes(file, what);
        load_run(file, trainer, what);
        what = wanted;
        auto const& state = trainer.state();
        for (auto& change : changes) {
            if (change.contains("epoch")) continue;
            change["epoch"] = state.epoch;
            change["batch"] = state.batch;
            spdlog::info("from here on {} = {}, before it was {}",
                         change["name"].get<std::string>(), change["to"].dump(),
                         change["from"].dump());
        }
        if (!changes.empty()) what["changes"] = changes;
        run.set_changes(std::move(changes));
        spdlog::info("going on from {}: epoch {}, batch {}", a.resume, state.epoch, state.batch);
    } else {
        run.warm_start();
    }
    write_config(command, files, a.config, {a.json, a.checkpoint, a.curve},
                 defaults_of(a, options));

    Settings const notes{{"arguments", nlohmann::json(given_arguments(command)).dump()}};
    // A run that diverges leaves the checkpoint of before the epoch in which it did: parameters that are already too
    // large would not be worth going on from.
    std::string before_epoch;
    int epoch_before = 0;
    std::function<void()> save, remember;
    if (!a.checkpoint.empty()) {
        save = [&] { save_run(a.checkpoint, trainer, what, notes); };
        remember = [&] {
            before_epoch = checkpoint_text(trainer, what, notes);
            epoch_before = trainer.state().epoch;
        };
        remember();
    }
    // What cannot be replaced, a pipe, gets the last checkpoint alone.
    bool const saves_often = save && is_replaced(a.checkpoint);
    Progress progress({}, a.is_quiet);
    catch_interrupts();
    TrainObserver observer(progress, options.optimizer, files, remember,
                           saves_often ? save : std::function<void()>(), a.checkpoint_every);
    auto const ending = trainer.run(observer);
    progress.clear();

    auto const& state = trainer.state();
    if (ending == Ending::interrupted)
        spdlog::warn("interrupted after batch {} of {} of epoch {}", state.batch,
                     trainer.n_batches(), state.epoch);
    if (ending == Ending::not_finite)
        spdlog::error("epoch {}, batch {}: {}; {}", state.epoch, state.batch, trainer.message(),
                      run.advice());

    if (!a.json.empty()) {
        Json json{{"command", "train"}};
        json.update(run.report(ending));
        json["data"]["path"] = path_of(a.data.name);
        if (ending != Ending::interrupted && state.best_epoch >= 0)
            json["pair_loss"] = run.pair_loss();
        files.write_json(a.json, json);
    }
    files.write_text(a.curve, csv(run.curve()));
    if (ending == Ending::not_finite && !a.checkpoint.empty()) {
        files.write_text(a.checkpoint, before_epoch);
        spdlog::info("{} is the run before epoch {}, in which it diverged", a.checkpoint,
                     epoch_before);
    } else {
        files.write(a.checkpoint, save);
    }

    auto const title = fmt::format("{} with {} on {}, seed {}", options.model.name,
                                   options.optimizer.method, data.name, a.training.seed);
    if (state.best_epoch >= 0) {
        fmt::print("{}: {} epoch {} of {} ({})\n\n{}", title, a.training.select, state.best_epoch,
                   state.epochs.size(), to_string(ending), aligned(metrics_table(state.best)));
    } else {
        fmt::print("{}: no epoch was evaluated ({})\n", title, to_string(ending));
    }
    sum(ranks(), {});  // the others wait until the first has written
    // Of several ranks perhaps another one got the signal.
    int const signal = interrupt_signal() != 0 ? interrupt_signal() : SIGTERM;
    if (ending == Ending::interrupted) return files.exit_code(signal_base + signal);
    return files.exit_code(ending == Ending::not_finite ? not_finite : success);
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
        ->check(whole_number<int>(1))
        ->capture_default_str()
        ->group(group);
    command
        ->add_option(
            "--resume", a.resume,
            "Go on from this checkpoint, with its settings: only --epochs, --stopping-step, "
            "--threads, --data (where the same data lies) and, for a run that diverged, "
            "--learning-rate, --rho, --clip-norm, --clip-value, --decay-factor and "
            "--decay-epochs can be given anew. The run goes on in the same file unless "
            "--checkpoint names another")
        ->type_name("FILE")
        ->group(group);
    a.files.add_option(*command);
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
