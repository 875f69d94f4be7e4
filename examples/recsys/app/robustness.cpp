// polder-recsys robustness: how much worse trained models rank when embeddings, features or information are disturbed.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/engine/parallel.hpp>

#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/results_file.hpp"
#include "recsys/app/steps.hpp"
#include "recsys/app/table.hpp"
#include "recsys/app/trained_model.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/evaluation/significance.hpp"
#include "recsys/names.hpp"
#include "recsys/robustness/adjustment.hpp"
#include "recsys/robustness/feature_changes.hpp"
#include "recsys/robustness/item_tables.hpp"
#include "recsys/robustness/substitute.hpp"

namespace polder::recsys::app {

namespace {

struct RobustnessArguments {
    std::vector<std::string> checkpoints;
    DataOverride data;
    std::string split = "test", metric = "recall@10";
    std::string tests = "embeddings,features,swap,predict,insert,random";
    std::string sigmas = "1e-6,1e-5,1e-4,1e-3,3.1623e-3,1e-2,3.1623e-2";
    std::string feature_sigmas = "1e-3,3.1623e-3,1e-2";
    std::string relative = "0.05,0.1,0.2,0.5,1,2,5";
    std::string shares = "0.01,0.03,0.05";
    std::string tables = "own";
    bool retrains = false;
    int repeats = 5;
    std::uint64_t seed = 0;
    int threads = default_threads();
    std::string json, csv;
    Files files;
    bool is_quiet = false;
};

// "0.1,1e-3" as numbers; "none" as no number.
std::vector<double> numbers(std::string const& option, std::string const& text, double highest) {
    std::vector<double> result;
    if (text == "none") return result;
    for (auto const& each : split_list(text)) {
        double value = 0;
        auto const end = each.data() + each.size();
        auto const [rest, error] = std::from_chars(each.data(), end, value);
        if (error != std::errc{} || rest != end || !(value >= 0 && value <= highest))
            throw std::invalid_argument(
                fmt::format("{}: '{}', expected numbers from 0 to {} with commas between, or none",
                            option, each, highest));
        result.push_back(value);
    }
    return result;
}

// One disturbance of a test.
struct Level {
    double size = 0;
    bool is_relative = false;

    std::string text(bool is_share) const {
        if (is_share) return fmt::format("{:g} %", 100 * size);
        return is_relative ? fmt::format("{:g} rms", size) : fmt::format("{:g}", size);
    }
};

struct Test {
    std::string name;  // "embeddings", "features", or an adjustment
    std::vector<Level> levels;

    bool is_adjustment() const { return name != "embeddings" && name != "features"; }
};

// What a test made of a checkpoint.
struct Series {
    std::size_t checkpoint = 0;
    std::string test, substitute, not_applicable;
    std::vector<std::string> tables;            // that are disturbed
    std::vector<std::vector<Metrics>> metrics;  // by level and repeat; empty: not measured yet
};

struct Checkpoint {
    TrainedModel trained;
    std::shared_ptr<Dataset const> data;
    std::size_t group = 0;  // those of one group have the same model on the same data
    Metrics original;
};

class Robustness {
public:
    explicit Robustness(RobustnessArguments const& a) : a_(a) {
        static_cast<void>(Metrics{}[a.metric]);
        auto const largest = std::numeric_limits<double>::max();
        auto const levels = [&](std::string const& absolute, std::string const& option) {
            std::vector<Level> result;
            for (double const size : numbers(option, absolute, largest)) result.push_back({size});
            for (double const size : numbers("--relative", a.relative, largest))
                result.push_back({size, true});
            return result;
        };
        for (auto const& name : split_list(a.tests)) {
            Test test{name, {}};
            if (name == "embeddings") {
                test.levels = levels(a.sigmas, "--sigma");
            } else if (name == "features") {
                test.levels = levels(a.feature_sigmas, "--feature-sigma");
            } else {
                std::vector<std::string> known{"embeddings", "features"};
                known.insert(known.end(), adjustment_names.begin(), adjustment_names.end());
                if (std::find(known.begin(), known.end(), name) == known.end())
                    refuse_name("test", name, known);
                for (double const share : numbers("--share", a.shares, 1))
                    test.levels.push_back({share});
            }
            for (auto const& other : tests_)
                if (other.name == name)
                    throw std::invalid_argument(fmt::format("test '{}' is listed twice", name));
            tests_.push_back(std::move(test));
        }
        read_checkpoints();
    }

    // Measures what is not there yet. `save` is called whenever something is new. False: interrupted.
    bool run(ResultsFile const& file) {
        for (std::size_t k = 0; k < checkpoints_.size(); ++k) plan(k);
        take(file.results());
        Steps steps(n_missing(), a_.is_quiet);
        steps_ = &steps;
        auto const save = [&] { file.save(results()); };
        save();
        for (std::size_t group = 0; group < n_groups_; ++group) {
            for (std::size_t k = 0; k < checkpoints_.size(); ++k)
                if (checkpoints_[k].group == group && !embeddings(k, save)) return false;
            for (auto const& test : tests_)
                if (test.name != "embeddings" && !features(group, test, save)) return false;
        }
        steps.clear();
        return true;
    }

    // What was measured so far.
    Json results() const {
        Json json = Json::array();
        for (auto const& series : series_) {
            auto const& checkpoint = checkpoints_[series.checkpoint];
            auto const& test = test_of(series);
            Json levels = Json::array();
            for (std::size_t l = 0; l < series.metrics.size(); ++l) {
                auto const& level = test.levels[l];
                if (series.metrics[l].empty()) continue;
                Json repeats = Json::array(), means = Json::object(), decreases = Json::object();
                for (auto const& each : series.metrics[l]) repeats.push_back(json_of_metrics(each));
                for (auto const& name : Metrics::names()) {
                    double const mean = spread(values_of(series.metrics[l], name)).mean;
                    means[name] = json_number(mean);
                    decreases[name] = json_number(decrease(checkpoint.original[name], mean));
                }
                levels.push_back({{"level", level.text(test.is_adjustment())},
                                  {"size", level.size},
                                  {"relative", level.is_relative},
                                  {"mean", std::move(means)},
                                  {"decrease", std::move(decreases)},
                                  {"repeats", std::move(repeats)}});
            }
            auto const or_null = [](std::string const& text) {
                return text.empty() ? Json(nullptr) : Json(text);
            };
            json.push_back({{"checkpoint", checkpoint.trained.checkpoint},
                            {"test", series.test},
                            {"mode", mode_of(test)},
                            {"not_applicable", or_null(series.not_applicable)},
                            {"substitute", or_null(series.substitute)},
                            {"tables", series.tables},
                            {"original", json_of_metrics(checkpoint.original)},
                            {"levels", std::move(levels)}});
        }
        return json;
    }

    Json settings() const {
        Json checkpoints = Json::array();
        for (auto const& each : checkpoints_)
            checkpoints.push_back({{"file", each.trained.checkpoint},
                                   {"label", each.trained.label()},
                                   {"model", each.trained.options.model.name},
                                   {"optimizer", each.trained.options.optimizer.method},
                                   {"seed", each.trained.options.training.seed},
                                   {"epoch", json_of_epoch(each.trained.epoch)},
                                   {"data", description_of(*each.data)},
                                   {"content", each.trained.content}});
        return {{"split", a_.split},
                {"tests", a_.tests},
                {"sigma", a_.sigmas},
                {"feature_sigma", a_.feature_sigmas},
                {"relative", a_.relative},
                {"share", a_.shares},
                {"repeats", a_.repeats},
                {"seed", a_.seed},
                {"tables", a_.tables},
                {"retrain", a_.retrains},
                {"checkpoints", std::move(checkpoints)}};
    }

    void print() const {
        for (auto const& test : tests_)
            for (bool const is_relative : {false, true}) print(test, is_relative);
        fmt::print("Decrease in %: 100 (original - disturbed) / original, the mean over {} draws, "
                   "which are the same for every row.\n",
                   a_.repeats);
    }

    Table details() const {
        Table table{{"checkpoint", "model", "optimizer", "seed", "epoch", "data", "split", "test",
                     "substitute", "level", "size", "relative", "repeats", "metric", "original",
                     "mean", "std", "decrease"},
                    {}};
        for (auto const& series : series_) {
            auto const& [trained, data, group, original] = checkpoints_[series.checkpoint];
            std::vector<std::string> const head{trained.checkpoint,
                                                trained.options.model.name,
                                                trained.options.optimizer.method,
                                                std::to_string(trained.options.training.seed),
                                                csv_cell(json_of_epoch(trained.epoch)),
                                                data->name,
                                                a_.split,
                                                series.test,
                                                series.substitute};
            auto const& test = test_of(series);
            for (std::size_t l = 0; l < test.levels.size(); ++l) {
                auto const& level = test.levels[l];
                auto row = head;
                row.insert(row.end(),
                           {level.text(test.is_adjustment()), fmt::format("{}", level.size),
                            level.is_relative ? "yes" : "no"});
                if (!series.not_applicable.empty()) {
                    row.insert(row.end(), {"0", "n/a", "", "", "", ""});
                    table.rows.push_back(row);
                    continue;
                }
                if (series.metrics[l].empty()) continue;
                for (auto const& name : Metrics::names()) {
                    auto const values = values_of(series.metrics[l], name);
                    auto full = row;
                    auto const [mean, deviation, n] = spread(values);
                    full.insert(full.end(),
                                {std::to_string(n), name, csv_cell(original[name]), csv_cell(mean),
                                 csv_cell(deviation), csv_cell(decrease(original[name], mean))});
                    table.rows.push_back(full);
                }
            }
        }
        return table;
    }

private:
    static double decrease(double original, double disturbed) {
        return 100 * (original - disturbed) / original;
    }

    static std::vector<double> values_of(std::vector<Metrics> const& all, std::string const& name) {
        std::vector<double> result;
        for (auto const& each : all) result.push_back(each[name]);
        return result;
    }

    Test const& test_of(Series const& series) const {
        return *std::find_if(tests_.begin(), tests_.end(),
                             [&](auto const& test) { return test.name == series.test; });
    }

    Metrics const& of_split(FullSort::Result const& both) const {
        return a_.split == "test" ? both.test : both.valid;
    }

    // Metrics of parameters in a model that is at the checkpoint's epoch.
    Metrics measure(AnyModel<float>& model, ParameterArena<float> const& parameters,
                    Checkpoint const& of) const {
        model.begin_epoch(of.trained.options.training.seed, std::max(of.trained.epoch, 0));
        return of_split(
            (*full_sorts_.at(of.data.get()))(model.representations(parameters), a_.threads));
    }

    void read_checkpoints() {
        std::map<std::string, std::shared_ptr<Dataset const>> known;
        std::map<std::string, std::size_t> groups;
        for (auto const& file : a_.checkpoints) {
            Checkpoint each{read_trained_model(file, a_.data), nullptr, 0, {}};
            auto const& source = each.trained.source;
            auto const& model = each.trained.options.model;
            auto const key =
                fmt::format("{} {} {} {} {} {} {} {} {}", source.name, source.n_users.value_or(0),
                            source.n_items.value_or(0), source.n_interactions.value_or(0),
                            source.seed, source.visual.value_or(""), source.textual.value_or(""),
                            fmt::join(source.further, " "), needs_features(find_model(model.name)));
            auto& data = known[key];
            if (!data) {
                data = std::make_shared<Dataset const>(load_data_of(each.trained));
                warn_of_data(*data);
                if ((a_.split == "test" ? data->test : data->valid).empty())
                    throw std::runtime_error(
                        fmt::format("{}: has no rows of {}", data->name, a_.split));
                full_sorts_[data.get()] = std::make_unique<FullSort>(*data);
            }
            each.data = data;
            if (description_of(*data) != each.trained.trained_on)
                throw std::runtime_error(fmt::format(
                    "{}: was trained on {}, the data here is {}; evaluate measures on other data",
                    file, each.trained.trained_on, description_of(*data)));
            auto group = key + " " + model.name;
            for (auto const& [name, value] : model.settings) group += " " + name + "=" + value;
            each.group = groups.emplace(group, groups.size()).first->second;
            checkpoints_.push_back(std::move(each));
        }
        n_groups_ = groups.size();
    }

    // The model on the data as it is, made once for all checkpoints of a group.
    AnyModel<float>& model_of(Checkpoint const& checkpoint) {
        auto& model = models_[checkpoint.group];
        if (!model) model = make_trained<float>(checkpoint.trained, *checkpoint.data, a_.threads);
        return *model;
    }

    bool needs(Checkpoint const& checkpoint) const {
        return needs_features(find_model(checkpoint.trained.options.model.name));
    }

    // Measures the original, and lists what will be measured.
    void plan(std::size_t k) {
        auto& checkpoint = checkpoints_[k];
        auto const& data = *checkpoint.data;
        auto& model = model_of(checkpoint);
        auto const parameters = read_trained_parameters(checkpoint.trained, model);
        checkpoint.original = measure(model, parameters, checkpoint);
        for (auto const& test : tests_) {
            auto const add = [&](Series series) {
                series.checkpoint = k;
                series.test = test.name;
                if (series.not_applicable.empty()) series.metrics.resize(test.levels.size());
                series_.push_back(std::move(series));
            };
            Series series;
            if (test.name == "embeddings") {
                for (auto const& table : item_tables(model, parameters, data, a_.tables == "all"))
                    series.tables.push_back(table.name);
                auto const substitute = substitute_for(model, parameters, data);
                bool const has_tables = !series.tables.empty();
                if (!has_tables)
                    series.not_applicable = "no learnable table of items acts on its scores";
                add(std::move(series));
                if (has_tables || !substitute) continue;
                Series other;
                other.substitute = substitute->meaning;
                for (auto const& table : substitute->tables) other.tables.push_back(table.name);
                add(std::move(other));
                continue;
            }
            if (!needs(checkpoint))
                series.not_applicable = "the model has no features";
            else if (test.is_adjustment())
                series.not_applicable =
                    FeatureAdjuster(data).missing_for(find_adjustment(test.name));
            add(std::move(series));
        }
    }

    std::size_t n_missing() const {
        std::size_t n = 0;
        for (auto const& series : series_)
            for (auto const& level : series.metrics) n += level.empty() ? 1 : 0;
        return n * static_cast<std::size_t>(a_.repeats);
    }

    // Whether it goes on.
    bool step(std::string const& what) {
        steps_->done(what);
        return interrupt_signal() == 0;
    }

    // Noise in the tables of one checkpoint.
    bool embeddings(std::size_t k, std::function<void()> const& save) {
        auto const& checkpoint = checkpoints_[k];
        auto const& data = *checkpoint.data;
        for (auto& series : series_) {
            if (series.checkpoint != k || series.test != "embeddings" || series.metrics.empty())
                continue;
            auto* model = &model_of(checkpoint);
            auto parameters = read_trained_parameters(checkpoint.trained, *model);
            std::unique_ptr<AnyModel<float>> other;
            Substitute of;
            if (series.substitute.empty()) {
                of.tables = item_tables(*model, parameters, data, a_.tables == "all");
                for (auto const& table : of.tables)
                    of.sizes.push_back(root_mean_square(
                        std::span<float const>(table.of(std::as_const(parameters)))));
            } else {
                of = *substitute_for(*model, parameters, data);
                if (!of.settings.empty()) {
                    other = make_trained<float>(checkpoint.trained, data, a_.threads, of.settings);
                    model = other.get();
                }
                parameters = extended(parameters, *model);
            }
            auto const& levels = test_of(series).levels;
            for (std::size_t l = 0; l < levels.size(); ++l) {
                if (!series.metrics[l].empty()) continue;
                std::vector<Metrics> all;
                for (int repeat = 0; repeat < a_.repeats; ++repeat) {
                    auto disturbed = parameters;
                    for (std::size_t t = 0; t < of.tables.size(); ++t)
                        add_noise(disturbed, of.tables[t],
                                  levels[l].size * (levels[l].is_relative ? of.sizes[t] : 1),
                                  a_.seed, repeat);
                    all.push_back(measure(*model, disturbed, checkpoint));
                    if (!step(checkpoint.trained.label() + ": embeddings")) return false;
                }
                series.metrics[l] = std::move(all);
            }
            save();
        }
        return true;
    }

    // Metrics of the best epoch of the same training on other features; nothing where it was interrupted. Throws
    // std::runtime_error where training fails.
    std::optional<Metrics> retrained(TrainedModel const& trained, Dataset const& changed) const {
        class Interruptible final : public TrainingObserver {
            bool should_stop() override { return interrupt_signal() != 0; }
        } observer;
        auto options = trained.options;
        options.training.threads = a_.threads;
        Run run(changed, options);
        run.warm_start();
        auto const ending = run.trainer().run(observer);
        if (ending == Ending::interrupted) return std::nullopt;
        auto const& state = run.trainer().state();
        if (ending == Ending::not_finite || state.best_epoch < 0)
            throw std::runtime_error(fmt::format(
                "{}, trained anew: {}", trained.checkpoint,
                ending == Ending::not_finite ? run.trainer().message() : "no epoch was evaluated"));
        return of_split(state.best);
    }

    // Noise in features, or adjusted features, for all checkpoints of a group: the model is made once for them all.
    bool features(std::size_t group, Test const& test, std::function<void()> const& save) {
        std::vector<Series*> of_group;
        for (auto& series : series_)
            if (checkpoints_[series.checkpoint].group == group && series.test == test.name &&
                !series.metrics.empty())
                of_group.push_back(&series);
        if (of_group.empty()) return true;
        auto const& data = *checkpoints_[of_group.front()->checkpoint].data;
        FeatureAdjuster adjuster(data);
        for (std::size_t l = 0; l < test.levels.size(); ++l) {
            std::vector<Series*> missing;
            for (auto* series : of_group)
                if (series->metrics[l].empty()) missing.push_back(series);
            if (missing.empty()) continue;
            std::vector<std::vector<Metrics>> all(missing.size());
            for (int repeat = 0; repeat < a_.repeats; ++repeat) {
                auto const& level = test.levels[l];
                auto const changed =
                    test.is_adjustment()
                        ? adjuster.adjust(find_adjustment(test.name), level.size, a_.seed, repeat)
                        : with_noise(data, level.size, level.is_relative, a_.seed, repeat);
                auto const& first = checkpoints_[missing.front()->checkpoint];
                std::unique_ptr<AnyModel<float>> model;
                if (!a_.retrains) model = make_trained<float>(first.trained, changed, a_.threads);
                for (std::size_t k = 0; k < missing.size(); ++k) {
                    auto const& checkpoint = checkpoints_[missing[k]->checkpoint];
                    if (a_.retrains) {
                        auto const metrics = retrained(checkpoint.trained, changed);
                        if (!metrics) return false;
                        all[k].push_back(*metrics);
                        if (!step(checkpoint.trained.label() + ": " + test.name)) return false;
                        continue;
                    }
                    auto parameters = read_trained_parameters(checkpoint.trained, *model);
                    follow_features(parameters, data, changed);
                    all[k].push_back(measure(*model, parameters, checkpoint));
                    if (!step(checkpoint.trained.label() + ": " + test.name)) return false;
                }
            }
            for (std::size_t k = 0; k < missing.size(); ++k)
                missing[k]->metrics[l] = std::move(all[k]);
            save();
        }
        return true;
    }

    // What happens to a model in the test.
    std::string mode_of(Test const& test) const {
        return std::string(a_.retrains && test.name != "embeddings" ? "retrain" : "inference") +
               (test.is_adjustment() ? ", simulated" : "");
    }

    // Takes results of the same command, which was interrupted.
    void take(Json const& results) {
        for (std::size_t k = 0; k < results.size() && k < series_.size(); ++k)
            for (auto const& each : results[k].at("levels")) {
                auto& series = series_[k];
                auto const& levels = test_of(series).levels;
                for (std::size_t l = 0; l < levels.size(); ++l) {
                    if (levels[l].size != each.at("size").get<double>() ||
                        levels[l].is_relative != each.at("relative").get<bool>())
                        continue;
                    series.metrics[l].clear();
                    for (auto const& repeat : each.at("repeats"))
                        series.metrics[l].push_back(metrics_of_json(repeat));
                }
            }
    }

    void print(Test const& test, bool is_relative) const {
        Table table{{"", a_.metric}, {}};
        std::vector<std::size_t> shown;
        for (std::size_t l = 0; l < test.levels.size(); ++l)
            if (test.levels[l].is_relative == is_relative) shown.push_back(l);
        if (shown.empty()) return;
        for (auto const l : shown)
            table.header.push_back(test.levels[l].text(test.is_adjustment()));
        std::string notes;
        for (auto const& series : series_) {
            if (series.test != test.name) continue;
            auto const& checkpoint = checkpoints_[series.checkpoint];
            auto const label = checkpoint.trained.label() +
                               (series.substitute.empty() ? "" : " (" + series.substitute + ")");
            std::vector<std::string> row{label, table_cell(checkpoint.original[a_.metric])};
            for (auto const l : shown) {
                if (!series.not_applicable.empty() || series.metrics[l].empty()) {
                    row.push_back(series.not_applicable.empty() ? "-" : "n/a");
                    continue;
                }
                double const value = decrease(checkpoint.original[a_.metric],
                                              spread(values_of(series.metrics[l], a_.metric)).mean);
                row.push_back(table_cell(value, "{:.2f}"));
            }
            if (!series.not_applicable.empty())
                notes += fmt::format("n/a: {}: {}\n", label, series.not_applicable);
            table.rows.push_back(std::move(row));
        }
        std::string const unit =
            test.is_adjustment() ? "share of items"
            : is_relative ? "standard deviation over the root mean square of what is disturbed"
                          : "standard deviation";
        std::string const title =
            test.name == "embeddings" ? "Noise in embeddings of items"
            : test.name == "features"
                ? std::string("Noise in features, ") +
                      (a_.retrains ? "models trained anew"
                                   : "parameters as they are, graphs of features built anew")
                : fmt::format("Adjusted information, simulated{}: {}",
                              a_.retrains ? ", models trained anew" : "", test.name);
        fmt::print("{}, by {}\n\n{}{}\n", title, unit, aligned(table), notes);
    }

    RobustnessArguments const& a_;
    std::vector<Test> tests_;
    std::vector<Checkpoint> checkpoints_;
    std::map<Dataset const*, std::unique_ptr<FullSort>> full_sorts_;
    std::size_t n_groups_ = 0;
    std::map<std::size_t, std::unique_ptr<AnyModel<float>>> models_;  // by group
    std::vector<Series> series_;
    Steps* steps_ = nullptr;
};

int robustness(RobustnessArguments& a) {
    if (a.checkpoints.empty())
        throw std::invalid_argument("--checkpoint is missing: files of train --checkpoint");
    a.files.expect("--json", a.json, Mark::json("robustness"));
    a.files.expect("--csv", a.csv,
                   Mark::csv("checkpoint,model,optimizer,seed,epoch,data,split,test,"));
    Robustness study(a);
    ResultsFile const file(a.files, a.json, "robustness", study.settings());
    catch_interrupts();
    bool const is_complete = study.run(file);
    file.finish(study.results());
    a.files.write_text(a.csv, csv(study.details()));
    study.print();
    if (is_complete) return a.files.exit_code(success);
    spdlog::warn("interrupted: the tables have what was measured{}",
                 a.json.empty() ? "" : "; the same command goes on from here");
    return a.files.exit_code(signal_base + interrupt_signal());
}

}  // namespace

Command add_robustness(CLI::App& program) {
    auto const arguments = std::make_shared<RobustnessArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "robustness", "Measure how much trained models lose when what they know is disturbed");
    command->footer(
        "Parameters are those of the best epoch, and no model is trained again, unless --retrain. "
        "Tests:\n"
        "  embeddings  sigma z, z ~ N(0, 1), is added to every entry of the learnable tables of "
        "items that scores\n"
        "              depend on. N(0, 1e-6), N(0, 1e-5), N(0, 1e-4) of BSAM and MG are variances: "
        "sigma 1e-3,\n"
        "              3.1623e-3, 1e-2. A model without such tables is n/a; for DRAGON, MENTOR and "
        "MMGCN a row\n"
        "              says what is disturbed in their place\n"
        "  features    the same in the features of both modalities; graphs and inputs are built of "
        "the noisy ones,\n"
        "              and trained copies of features change by the same noise\n"
        "  swap        a share of the items have their text replaced by that of one of the 10 "
        "items "
        "with the\n"
        "              nearest image, and their image by that of one of the 10 with the nearest "
        "text\n"
        "  predict     the text by what a ridge regression predicts from the image; the image is "
        "mixed, .7 to .3\n"
        "  insert      the text is mixed, .7 to .3, with that prediction (as MG's inserted "
        "captions)\n"
        "  random      text and image by those of any item: an upper bound\n"
        "The last four simulate in features what the papers do with language models.\n\n"
        "Draws depend on --seed and the number of the repeat alone: all checkpoints meet the same, "
        "and each level the same directions.\n"
        "Interrupted, the same command with --json goes on where it was.\n\nExample:\n"
        "  polder-recsys robustness --checkpoint none.safetensors bsam.safetensors --json "
        "robustness.json --csv robustness.csv");
    command
        ->add_option("--checkpoint", a.checkpoints, "Checkpoints of train, of any models and data")
        ->type_name("FILES")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--data", a.data.data, "Where the data lies now, if not where it was")
        ->type_name("DIR|FILE");
    auto const add = [&](std::string const& name, auto& value, std::string const& text) {
        return command->add_option(name, value, text)->capture_default_str()->group("Tests");
    };
    add("--tests", a.tests, "Which tests, with commas between");
    add("--sigma", a.sigmas, "Standard deviations of the noise in embeddings")
        ->type_name("NUMBERS");
    add("--feature-sigma", a.feature_sigmas, "Standard deviations of the noise in features")
        ->type_name("NUMBERS");
    add("--relative", a.relative,
        "Further standard deviations of both, over the root mean square of what is disturbed; or "
        "none")
        ->type_name("NUMBERS");
    add("--share", a.shares, "Shares of the items whose information is adjusted")
        ->type_name("NUMBERS");
    add("--tables", a.tables,
        "Which tables noise in embeddings disturbs: own, or all, also trained copies of features "
        "(LATTICE)")
        ->check(CLI::IsMember({"own", "all"}));
    command
        ->add_flag("--retrain", a.retrains,
                   "Train every model anew on the changed features, with its settings and seed, "
                   "in the place of measuring trained ones; for all tests but embeddings")
        ->group("Tests");
    add("--repeats", a.repeats, "Draws of each level")->check(whole_number<int>(1));
    add("--seed", a.seed, "Seed of the draws")->check(whole_number<std::uint64_t>(0));
    add("--split", a.split, "Which rows are to be found: valid or test")
        ->check(CLI::IsMember({"valid", "test"}));
    add("--metric", a.metric, "The metric of the tables; files have all");
    add("--threads", a.threads, "Threads; results do not depend on them")
        ->check(whole_number<int>(1, most_threads));
    auto const group = "Files";
    command
        ->add_option("--json", a.json,
                     "Write every draw's metrics here, while they come. A file that robustness did "
                     "not write, or wrote with other settings, is never replaced")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option("--csv", a.csv,
                     "Write means, standard deviations and decreases of all metrics here, one row "
                     "each")
        ->type_name("FILE")
        ->group(group);
    a.files.add_option(*command);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return {command, [arguments] { return robustness(*arguments); }};
}

}  // namespace polder::recsys::app
