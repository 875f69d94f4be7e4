// polder-recsys tune: a search for hyper-parameters, judged by validation.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "recsys/app/arguments.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/comparison.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/heat_map.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/pictures.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/run_folder.hpp"
#include "recsys/app/search.hpp"
#include "recsys/app/table.hpp"
#include "recsys/app/train_arguments.hpp"
#include "recsys/data/source.hpp"
#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

struct TuneArguments : CourseArguments {
    std::string models = "lightgcn", optimizers = "sam";
    std::vector<std::string> grids;
    std::size_t random = 0;
    int halving = 0, top = 1, n_seeds = 1;
    std::string metrics = "recall@20,ndcg@20";
    std::string runs, csv, markdown, best, heat_map, axes;
    int jobs = 1;
    PauseRequest pause;
};

// One point of the search, and how far it came.
struct Point {
    Candidate candidate;
    Json report;
    double value = -1;      // of validation so far; -1: none
    int dropped_after = 0;  // epochs; 0: trained to its end
};

PlannedRun planned_run(TuneArguments const& a, Candidate const& candidate, int seed = 0) {
    RunOptions options{candidate.model, candidate.optimizer, a.training, a.device};
    options.training.seed += static_cast<std::uint64_t>(seed);
    return {std::move(options), candidate.model_text, candidate.optimizer_text};
}

// The value of validation that a point is judged by, of the first `until` epochs: the best one, or the last where the last
// epoch is selected; -1 before any evaluation.
double judged_value(TuneArguments const& a, Json const& report, int until) {
    double value = -1;
    for (auto const& epoch : report.at("epochs"))
        if (epoch.at("epoch").get<int>() < until && !epoch.at("valid").is_null()) {
            auto const now = epoch.at("valid").at(a.training.valid_metric).get<double>();
            value = a.training.select == "last" ? now : std::max(value, now);
        }
    return value;
}

// Trains those of `points` that are not dropped, to their end or until they are judged. False where interrupted.
bool train(TuneArguments const& a, RunFolder& folder, std::vector<Point>& points,
           std::optional<int> until) {
    std::vector<PlannedRun> planned;
    std::vector<Point*> alive;
    for (auto& point : points)
        if (point.dropped_after == 0) {
            alive.push_back(&point);
            planned.push_back(planned_run(a, point.candidate));
        }
    auto reports = folder.make(planned, until);
    for (std::size_t k = 0; k < alive.size(); ++k) {
        if (!reports[k]) return false;
        alive[k]->report = std::move(*reports[k]);
        alive[k]->value =
            judged_value(a, alive[k]->report, until.value_or(std::numeric_limits<int>::max()));
    }
    return true;
}

// The worse half goes, but for the best `top`; those with equal values go from the end.
void halve(TuneArguments const& a, RunFolder const& folder, std::vector<Point>& points, int until) {
    std::vector<Point*> alive;
    for (auto& point : points)
        if (point.dropped_after == 0) alive.push_back(&point);
    std::stable_sort(alive.begin(), alive.end(),
                     [](auto const* x, auto const* y) { return x->value > y->value; });
    auto const kept = std::max((alive.size() + 1) / 2, static_cast<std::size_t>(a.top));
    for (std::size_t k = kept; k < alive.size(); ++k) {
        alive[k]->dropped_after = until;
        folder.drop(planned_run(a, alive[k]->candidate), alive[k]->report);
    }
}

std::size_t n_alive(std::vector<Point> const& points) {
    return static_cast<std::size_t>(std::count_if(
        points.begin(), points.end(), [](auto const& each) { return each.dropped_after == 0; }));
}

// All points, the best first: those that were dropped after those that were not, the last dropped before others.
void sort_by_value(std::vector<Point>& points) {
    auto const length = [](Point const& point) {
        return point.dropped_after == 0 ? std::numeric_limits<int>::max() : point.dropped_after;
    };
    std::stable_sort(points.begin(), points.end(), [&](auto const& x, auto const& y) {
        return std::pair(length(x), x.value) > std::pair(length(y), y.value);
    });
}

// `cell` writes a number.
template <class Cell>
Table table_of(TuneArguments const& a, std::vector<Point> const& points, Cell const& cell) {
    Table table{{"model", "optimizer", "valid " + a.training.valid_metric, "best epoch", "epochs",
                 "dropped after"},
                {},
                2};
    for (auto const& point : points) {
        bool const is_judged = point.value >= 0;
        table.rows.push_back(
            {point.candidate.model_text, point.candidate.optimizer_text,
             cell(is_judged ? Json(point.value) : Json()), cell(point.report.at("best_epoch")),
             std::to_string(point.report.at("epochs").size()),
             point.dropped_after == 0 ? std::string() : std::to_string(point.dropped_after)});
    }
    return table;
}

// The settings of a candidate as a file for train --config.
std::string config_of(CLI::App const& tune, Candidate const& best) {
    CLI::App train("", "train");
    train.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    TrainArguments ignored;
    add_course_options(train, ignored);
    std::vector<std::string> arguments;
    for (auto const& text : given_arguments(tune)) {
        auto const* const option = train.get_option_no_throw(text.substr(0, text.find('=')));
        bool const is_replaced = text.starts_with("--model") || text.starts_with("--optimizer") ||
                                 text.starts_with("--set=");
        // What holds for all optimizers is said by the candidate, which has what it takes of it.
        if (option != nullptr && !is_replaced &&
            (option->get_group() != "Optimizer" || text.starts_with("--base=") ||
             text.starts_with("--rates=")))
            arguments.push_back(text);
    }
    auto model = best.model.name, optimizer = best.optimizer.method;
    for (auto const& [name, value] : best.model.settings) model += ":" + name + "=" + value;
    for (auto const& [name, value] : best.optimizer.values) optimizer += ":" + name + "=" + value;
    arguments.push_back("--model=" + model);
    arguments.push_back("--base=" + best.optimizer.base);
    arguments.push_back("--optimizer=" + optimizer);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    train.parse(std::move(arguments));
    return config_text(train);
}

// none and the best candidates over several seeds.
struct Seeds {
    std::vector<ComparisonRow> rows;
    std::vector<PlannedRun> planned;
};
Seeds seeds_of(TuneArguments const& a, std::vector<Point> const& points) {
    std::vector<Candidate> chosen;
    for (auto const& point : points) {
        if (chosen.size() == static_cast<std::size_t>(a.top)) break;
        if (point.dropped_after == 0) chosen.push_back(point.candidate);
    }
    Seeds result;
    // A base for each model that is among them: the same model with the base optimizer alone.
    auto const add = [&](Candidate const& candidate) {
        for (std::size_t k = 0; k < result.rows.size(); ++k)
            if (result.rows[k].model == candidate.model_text &&
                result.rows[k].optimizer == candidate.optimizer_text)
                return k;
        result.rows.push_back({candidate.model_text, candidate.optimizer_text, 0, {}});
        return result.rows.size() - 1;
    };
    std::vector<Candidate> all;
    for (auto const& each : chosen) {
        Candidate plain{each.model,
                        {"none", each.optimizer.base, {}, each.optimizer.rates},
                        each.model_text,
                        "none"};
        for (auto const& value : optimizer_values(plain.optimizer))
            for (auto const& given : a.optimizer.values)
                if (given.first == value.name) plain.optimizer.values.push_back(given);
        if (each.optimizer.base != a.optimizer.base)
            plain.optimizer_text += ":base=" + each.optimizer.base;
        auto const base = add(plain);
        if (all.size() < result.rows.size()) all.push_back(plain);
        auto const row = add(each);
        if (all.size() < result.rows.size()) all.push_back(each);
        result.rows[base].base = base;
        result.rows[row].base = base;
    }
    for (int seed = 0; seed < a.n_seeds; ++seed)
        for (auto const& each : all) result.planned.push_back(planned_run(a, each, seed));
    return result;
}

constexpr std::string_view heat_map_begin =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- polder-recsys tune -->\n";

// The map of two options. `axes`: these two, or none, for those that fill it best. Throws std::invalid_argument where
// there are no such.
HeatMap heat_map_of(TuneArguments const& a, std::vector<Point> const& points,
                    std::vector<std::string> const& axes) {
    std::vector<SearchPoint> all;
    for (auto const& point : points) {
        auto const& candidate = point.candidate;
        SearchPoint each{candidate.model_text, candidate.optimizer_text, {}, point.value};
        auto const settings = hyper_parameters(planned_run(a, candidate).options);
        for (auto const& [name, value] : settings.items())
            if (!value.is_null())
                each.settings[name] = value.is_string() ? value.get<std::string>() : value.dump();
        all.push_back(std::move(each));
    }
    auto chosen = axes_of(all);
    if (axes.empty() && !chosen)
        throw std::invalid_argument(
            "--heat-map: expected a search over two options, or over one for several optimizers");
    if (!axes.empty()) chosen = {axes[0], axes[1]};
    return heat_map(all, chosen->first, chosen->second, a.training.valid_metric + " in validation");
}

void write_heat_map(Files& files, std::string const& file, HeatMap const& map) {
    auto const drawn = draw_svgs({heat_map_picture(map)});
    if (drawn.outcome == Drawing::no_gnuplot) {
        spdlog::warn("{}: not written: gnuplot is not found", file);
        return;
    }
    if (drawn.outcome == Drawing::failed)
        return files.note_error(file + ": not written: gnuplot failed");
    auto const& svg = drawn.svgs.front();
    files.write_text(file, std::string(heat_map_begin) + svg.substr(svg.find("<svg")));
}

int interrupted(TuneArguments const& a) {
    spdlog::warn("interrupted{}", a.runs.empty() ? "" : "; the same command goes on from here");
    return a.files.exit_code(signal_base + interrupt_signal());
}

int tune(CLI::App const& command, TuneArguments a) {
    if (a.pause) return carry_out(a.pause, a.runs, a.files);
    a.files.expect("--csv", a.csv, Mark::csv("model,optimizer,valid "));
    a.files.expect("--markdown", a.markdown, Mark::markdown());
    a.files.expect("--best", a.best, Mark::toml());
    a.files.expect("--write-config", a.config, Mark::toml());
    a.files.expect("--heat-map", a.heat_map, {std::string(heat_map_begin), {}});
    auto const axes = a.axes.empty() ? std::vector<std::string>() : split_list(a.axes);
    if (!axes.empty() && axes.size() != 2)
        throw std::invalid_argument(fmt::format(
            "--axes {}: expected two options with a comma between: rho,n_layers", a.axes));
    a.training.validate();
    require_device(a.device);
    if (a.halving > 0 && a.runs.empty())
        throw std::invalid_argument(fmt::format(
            "--halving {}: expected --runs DIR, where what was trained so far is kept", a.halving));
    auto const metrics = split_list(a.metrics);
    for (auto const& metric : metrics) static_cast<void>(Metrics{}[metric]);
    std::vector<Grid> grids;
    for (auto const& text : a.grids) grids.push_back(parse_grid(text));
    auto const model_texts = split_list(a.models), optimizer_texts = split_list(a.optimizers);
    std::vector<ModelChoice> models;
    for (auto const& text : model_texts) models.push_back(parse_model(text));
    use_published(models, a.published);
    assign(models, a.assignments);
    auto const optimizers = parse_optimizers(optimizer_texts, a.optimizer);
    std::vector<Candidate> begin;
    for (std::size_t m = 0; m < models.size(); ++m)
        for (std::size_t o = 0; o < optimizers.size(); ++o)
            begin.push_back({models[m], optimizers[o], model_texts[m], optimizer_texts[o]});
    auto chosen = candidates(begin, grids);
    if (a.random > 0) chosen = drawn(std::move(chosen), a.random, a.training.seed);
    a.training.threads = threads_of_job(command, a.training.threads, a.jobs, a.runs);
    std::vector<Point> points;
    for (auto& each : chosen) points.push_back({std::move(each), {}});
    // What it cannot mean is said before the training.
    if (!a.heat_map.empty()) static_cast<void>(heat_map_of(a, points, axes));

    Processes const processes(a.jobs);
    bool with_features = false;
    for (auto const& model : models)
        with_features = with_features || needs_features(find_model(model.name));
    auto const data = load_data(a.data, with_features);
    if (data.valid.empty())
        throw std::runtime_error(fmt::format(
            "data set '{}' has no validation rows (x_label 1), by which settings are judged",
            data.name));
    if (points.size() < 2)
        throw std::invalid_argument(fmt::format(
            "tune: nothing to choose from: {} with {} is one setting; expected --grid "
            "OPTION=A,B,... or several --models or --optimizers",
            points.front().candidate.model_text, points.front().candidate.optimizer_text));
    catch_interrupts();
    RunFolder folder(a.runs, data, a.jobs, a.is_quiet || processes.is_copy(), a.files);
    std::vector<PlannedRun> planned;
    for (auto const& point : points) planned.push_back(planned_run(a, point.candidate));
    folder.check(planned);
    if (!processes.is_copy()) {
        warn_of_data(data);
        folder.open();
        write_config(command, a.files, a.config,
                     {a.runs.empty() ? "" : a.runs + "/tune", a.csv, a.markdown});
    }

    if (a.halving > 0)
        for (int until = a.halving;
             until < a.training.epochs && n_alive(points) > static_cast<std::size_t>(a.top);
             until *= 2) {
            if (!train(a, folder, points, until)) return interrupted(a);
            halve(a, folder, points, until);
        }
    if (!train(a, folder, points, {})) return interrupted(a);
    sort_by_value(points);
    std::optional<Seeds> seeds;
    std::vector<std::optional<Json>> reports;
    if (a.n_seeds > 1) {
        seeds = seeds_of(a, points);
        reports = folder.make(seeds->planned);
    }
    if (processes.is_copy()) return success;

    auto const table = table_of(a, points, [](Json const& value) { return table_cell(value); });
    auto text = aligned(table), markdown_text = markdown(table);
    if (seeds) {
        auto& rows = seeds->rows;
        for (std::size_t k = 0; k < reports.size(); ++k)
            if (reports[k])
                if (auto cell = cell_of_json(*reports[k]); cell.has_best)
                    rows[k % rows.size()].cells.push_back(std::move(cell));
        for (auto const& metric : metrics) {
            auto const compared =
                comparison_table(rows, metric, split_list(std::string(default_columns)));
            text += "\n" + aligned(compared);
            markdown_text += "\n" + markdown(compared);
        }
    }
    a.files.write_text(a.csv, csv(table_of(a, points, [](Json const& value) {
                           return csv_cell(value, "{:.4f}");
                       })));
    a.files.write_text(a.markdown, "<!-- polder-recsys tune -->\n\n" + markdown_text);
    if (!a.best.empty()) a.files.write_text(a.best, config_of(command, points.front().candidate));
    fmt::print(
        "{} ({} users, {} items), base optimizer {}: {} settings, judged by {} in validation{}"
        "\n\n{}",
        data.name, data.n_users, data.n_items, a.optimizer.base, points.size(),
        a.training.valid_metric,
        seeds ? fmt::format("; then test metrics of the best {} over {} seeds", a.top, a.n_seeds)
              : std::string(),
        text);
    if (!a.heat_map.empty()) write_heat_map(a.files, a.heat_map, heat_map_of(a, points, axes));
    return interrupt_signal() == 0 ? a.files.exit_code(success) : interrupted(a);
}

}  // namespace

Command add_tune(CLI::App& program) {
    auto const arguments = std::make_shared<TuneArguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("tune", "Search for hyper-parameters, judged by validation");
    add_data_options(*command, a.data);
    command
        ->add_option(
            "--models,--model", a.models,
            "Models, separated by commas, also with hyper-parameters that are not searched")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Model");
    add_published_option(*command, a.published);
    add_set_option(*command, a.assignments);
    command
        ->add_option("--optimizers,--optimizer", a.optimizers,
                     "Methods, separated by commas, also with options that are not searched")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Optimizer");
    add_optimizer_options(*command, a.optimizer);
    add_training_options(*command, a);
    command
        ->add_option("--grid", a.grids,
                     "An option of the model, the method or the base optimizer with the values to "
                     "try: rho=0.05,0.1,0.5. May be given several times; every combination is "
                     "tried. An option that both model and optimizer have is the model's, and "
                     "optimizer.NAME the optimizer's")
        ->type_name("NAME=VALUE,...")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false)
        ->group("Training");
    command
        ->add_option("--random", a.random,
                     "Try that many combinations only, drawn from --seed; 0 is all")
        ->check(whole_number<std::size_t>(0))
        ->capture_default_str()
        ->group("Training");
    command
        ->add_option("--halving", a.halving,
                     "Successive halving: after that many epochs the worse half is given up, after "
                     "twice as many the worse half of the others, and so on; 0 is none")
        ->check(whole_number<int>(0))
        ->capture_default_str()
        ->group("Training");
    command->add_option("--top", a.top, "How many of the best --seeds is about, and halving leaves")
        ->check(whole_number<int>(1))
        ->capture_default_str()
        ->group("Training");
    command
        ->add_option("--seeds", a.n_seeds,
                     "Then train the best and none with that many seeds: --seed and those that "
                     "follow it")
        ->check(whole_number<int>(1))
        ->capture_default_str()
        ->group("Training");
    command
        ->add_option("--metrics", a.metrics,
                     "Test metrics of the tables over seeds, separated by commas")
        ->capture_default_str()
        ->type_name("NAME,...")
        ->group("Table");
    auto const group = "Files";
    add_config_options(*command, a.config);
    add_runs_options(*command, a.runs, a.jobs, a.pause);
    command->add_option("--csv", a.csv, "Write the table of the search here, as CSV")
        ->type_name("FILE")
        ->group(group);
    command->add_option("--markdown", a.markdown, "Write the tables here, as Markdown")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option("--best", a.best, "Write the best settings here, as TOML for train --config")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option(
            "--heat-map", a.heat_map,
            "Draw a map of two options here, as SVG, by gnuplot: the best of validation for "
            "each pair of their values")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option(
            "--axes", a.axes,
            "The two options of the map: names of --grid, optimizer, model. Default: those "
            "with the most pairs")
        ->type_name("NAME,NAME")
        ->group(group);
    a.files.add_option(*command);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return {command, [command, arguments] { return tune(*command, *arguments); }};
}

}  // namespace polder::recsys::app
