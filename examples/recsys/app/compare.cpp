// polder-recsys compare: models and optimizers from the same seeds, side by side.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
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

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/comparison.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/progress.hpp"
#include "recsys/app/run.hpp"
#include "recsys/data/source.hpp"
#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

struct Arguments : CourseArguments {
    std::string models = "lightgcn";
    std::string methods = "none,sam,fsam,bsam,bsam+";
    int n_seeds = 3;
    std::string metrics = "recall@20,ndcg@20";
    std::vector<std::string> model_list, method_list, metric_list;  // the three lists taken apart
    std::string runs, json, csv, markdown;
};

// Progress while batches go by, and Ctrl-C.
class Observer final : public TrainingObserver {
public:
    explicit Observer(Progress& progress) : progress_(progress) {}

    void after_batch(Trainer const& trainer, Report const& report) override {
        progress_.after_batch(trainer, report);
    }
    bool should_stop() override { return interrupt_signal() != 0; }

private:
    Progress& progress_;
};

void require_distinct(std::vector<std::string> const& names, std::string_view what) {
    for (auto const& name : names)
        if (std::count(names.begin(), names.end(), name) > 1)
            throw std::invalid_argument(fmt::format("{} '{}' is listed twice", what, name));
}

// Whether a value of that name is among them.
template <class Values>
bool has(Values const& values, std::string_view name) {
    return std::any_of(values.begin(), values.end(), [&](auto const& each) {
        if constexpr (requires { each.name; })
            return each.name == name;
        else
            return each.first == name;
    });
}

// The options of each method: its own, and of those that were given for all the ones that it has. Throws
// std::invalid_argument for a value that none of them has.
std::vector<OptimizerOptions> options_of_methods(Arguments const& a) {
    std::vector<OptimizerOptions> result;
    Settings unused = a.optimizer.values;
    for (auto const& method : a.method_list) {
        auto options = parse_optimizer(method, {"none", a.optimizer.base, {}});
        auto const own = options.values;
        // An option may bring others with it, as a schedule does its length.
        for (std::size_t before = options.values.size() + 1; before != options.values.size();) {
            before = options.values.size();
            auto const known = optimizer_values(options);
            for (auto const& each : a.optimizer.values)
                if (has(known, each.first)) {
                    std::erase_if(unused, [&](auto const& u) { return u.first == each.first; });
                    if (!has(options.values, each.first)) options.values.push_back(each);
                }
        }
        result.push_back(std::move(options));
    }
    if (!unused.empty())
        throw std::invalid_argument(
            fmt::format("{} = {}: none of the optimizers {} on {} has this option", unused[0].first,
                        unused[0].second, fmt::join(a.method_list, ", "), a.optimizer.base));
    return result;
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

// The runs of a comparison, where asked for one file each, so that it can go on where it was.
class Cells {
public:
    Cells(Arguments const& a, Dataset const& data) : a_(a), data_(data) {
        if (a.runs.empty()) return;
        std::error_code error;
        std::filesystem::create_directories(a.runs, error);
        if (error)
            throw std::runtime_error(
                fmt::format("{}: cannot be made: {}", a.runs, error.message()));
        require_writable(std::filesystem::path(a.runs) / "cell.json");
    }

    // The report of a run, out of its file or trained; nothing where it was interrupted.
    std::optional<Json> operator()(RunOptions const& options, std::string const& model,
                                   std::string const& method) {
        auto const name = fmt::format("{} {} seed {}", model, method, options.training.seed);
        auto what = identity(options, data_);
        what["epochs"] = options.training.epochs;
        what["stopping_step"] = options.training.stopping_step;
        auto const file = a_.runs.empty() ? std::filesystem::path() : file_of(name);
        if (!file.empty() && std::filesystem::exists(file)) return read(file, what);

        Run run(data_, options);
        auto& trainer = run.trainer();
        auto checkpoint = file;
        checkpoint.replace_extension(".safetensors");
        if (!file.empty() && std::filesystem::exists(checkpoint)) {
            SafetensorsFile opened(checkpoint);
            load_run(opened, trainer, what);
            spdlog::info("going on from {}", checkpoint.string());
        }
        Progress progress(name + ": ", a_.is_quiet);
        Observer observer(progress);
        auto const ending = trainer.run(observer);
        progress.clear();
        auto const& state = trainer.state();
        if (ending == Ending::interrupted) {
            if (!file.empty()) save_run(checkpoint, trainer, what);
            return std::nullopt;
        }
        if (ending == Ending::not_finite)
            spdlog::warn("{}: epoch {}, batch {}: {}", name, state.epoch, state.batch,
                         trainer.message());
        if (!a_.is_quiet)
            fmt::print(stderr, "{}: {} epochs, best {}, valid {} {:.4f} ({})\n", name,
                       state.epochs.size(), state.best_epoch, a_.training.valid_metric,
                       state.best_value, to_string(ending));
        auto report = run.report(ending);
        if (state.best_epoch >= 0) report["test_users"] = json_of_hits(trainer.best_test_hits());
        if (!file.empty()) {
            write_text_file(file, Json{{"identity", what}, {"run", report}}.dump() + "\n");
            std::error_code ignored;
            std::filesystem::remove(checkpoint, ignored);
        }
        return report;
    }

private:
    std::filesystem::path file_of(std::string name) const {
        for (char& c : name)
            if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '.' || c == '=' ||
                  c == '-'))
                c = '_';
        return std::filesystem::path(a_.runs) / (name + ".json");
    }

    Json read(std::filesystem::path const& file, Json const& what) const {
        std::ifstream stream(file, std::ios::binary);
        auto const json = Json::parse(stream, nullptr, false);
        if (!json.is_object() || !json.contains("identity") || !json.contains("run"))
            throw std::runtime_error(file.string() + ": is not a run of a comparison");
        for (auto const& [key, value] : what.items())
            if (auto const& saved = json["identity"]; !saved.contains(key) || saved[key] != value)
                throw std::runtime_error(fmt::format(
                    "{}: was made with {} = {}, this comparison has {}; choose another folder for "
                    "--runs",
                    file.string(), key, saved.contains(key) ? saved[key].dump() : "nothing",
                    value.dump()));
        try {
            static_cast<void>(cell_of_json(json["run"]));
        } catch (nlohmann::json::exception const& error) {
            throw std::runtime_error(file.string() + ": is damaged: " + error.what());
        }
        return json["run"];
    }

    Arguments const& a_;
    Dataset const& data_;
};

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
    auto const optimizers = options_of_methods(a);
    std::vector<ModelChoice> models;
    for (auto const& each : a.model_list) models.push_back(parse_model(each));
    use_published(models, a.published);
    assign(models, a.assignments);

    bool with_features = false;
    for (auto const& model : models)
        with_features = with_features || needs_features(find_model(model.name));
    auto const data = load_data(a.data, with_features);
    warn_of_dropped_rows(data);
    Cells cells(a, data);
    if (auto const file =
            write_config(command, a.config,
                         {a.runs.empty() ? "" : a.runs + "/compare", a.json, a.csv, a.markdown});
        !file.empty())
        spdlog::info("wrote {}, which repeats this comparison", file);
    catch_interrupts();
    auto rows = empty_rows(a, optimizers);
    Json runs = Json::array();
    // Seeds in the outer loop: interrupted, the table still compares what has the same seeds.
    for (int seed = 0; seed < a.n_seeds; ++seed)
        for (std::size_t k = 0; k < rows.size() && interrupt_signal() == 0; ++k) {
            RunOptions options{models[k / optimizers.size()], optimizers[k % optimizers.size()],
                               a.training, a.device};
            options.training.seed += static_cast<std::uint64_t>(seed);
            auto report = cells(options, rows[k].model, rows[k].optimizer);
            if (!report) break;
            if (auto cell = cell_of_json(*report); cell.has_best)
                rows[k].cells.push_back(std::move(cell));
            report->erase("test_users");
            runs.push_back(std::move(*report));
        }

    auto const sentence = how_to_read(a, rows);
    std::string text, markdown_text;
    for (auto const& metric : a.metric_list) {
        auto const table = comparison_table(rows, metric);
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
    auto const group = "Files";
    add_config_options(*command, a.config);
    command
        ->add_option(
            "--runs", a.runs,
            "Keep every run in a file in this folder; what is there already is not trained "
            "again, so that an interrupted comparison goes on where it was")
        ->type_name("DIR")
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
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return {command, [command, arguments] { return compare(*command, *arguments); }};
}

}  // namespace polder::recsys::app
