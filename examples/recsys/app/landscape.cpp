// polder-recsys landscape: the training loss around trained parameters, and its curvature there.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/engine/parallel.hpp>
#include <polder/state/file.hpp>

#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/gnuplot.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/results_file.hpp"
#include "recsys/app/steps.hpp"
#include "recsys/app/table.hpp"
#include "recsys/app/trained_model.hpp"
#include "recsys/models/negatives.hpp"
#include "recsys/robustness/landscape.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

struct LandscapeArguments {
    std::vector<std::string> checkpoints;
    DataOverride data;
    std::string grids = "default";
    int points = 20;
    std::size_t n_batches = 0;
    std::uint64_t seed = 0;
    int iterations = 100, samples = 10;
    int threads = default_threads();
    std::string output = "landscape";
    Files files;
    bool is_quiet = false;
};

// What is known of a checkpoint's loss.
struct Landscape {
    TrainedModel trained;
    std::string data;
    double at_p = std::numeric_limits<double>::quiet_NaN();
    std::vector<std::vector<double>> losses;  // of each grid; L at (m_i, n_j), i the slower index
    bool has_curvature = false;
    Curvature curvature;
};

// The loss of a checkpoint in numbers of type T, and what it is made of.
template <class T>
struct LossOf {
    LossOf(TrainedModel const& trained, Dataset const& data, LandscapeArguments const& a)
        : batches(data, static_cast<std::size_t>(trained.options.training.batch_size), a.seed,
                  a.n_batches, draws_negatives(trained.options.model.name)),
          model(make_trained<T>(
              trained, data, a.threads,
              without_dropout(find_model(trained.options.model.name).hyper_parameters(),
                              trained.options.model.settings))),
          loss(*model, batches, trained.options.training.seed, std::max(trained.epoch, 0)),
          parameters(read_trained_parameters(trained, *model)),
          active(active_parameters(*model, loss, parameters)) {}

    FixedBatches batches;
    std::unique_ptr<AnyModel<T>> model;
    MeanLoss<T> loss;
    ParameterArena<T> parameters;
    std::vector<std::string> active;
};

class LandscapeStudy {
public:
    explicit LandscapeStudy(LandscapeArguments const& a) : a_(a), axis_(landscape_axis(a.points)) {
        for (auto const& name : split_list(a.grids)) {
            auto const* const grid = &find_grid(name);
            if (std::find(grids_.begin(), grids_.end(), grid) != grids_.end())
                throw std::invalid_argument(fmt::format("grid '{}' is listed twice", name));
            grids_.push_back(grid);
        }
        for (auto const& file : a.checkpoints) {
            Landscape each;
            each.trained = read_trained_model(file, a.data);
            each.losses.resize(grids_.size());
            all_.push_back(std::move(each));
        }
        for (auto& each : all_) each.data = each.trained.trained_on;
    }

    Json settings() const {
        Json checkpoints = Json::array();
        for (auto const& each : all_)
            checkpoints.push_back({{"file", each.trained.checkpoint},
                                   {"label", each.trained.label()},
                                   {"model", each.trained.options.model.name},
                                   {"optimizer", each.trained.options.optimizer.method},
                                   {"seed", each.trained.options.training.seed},
                                   {"epoch", json_of_epoch(each.trained.epoch)},
                                   {"data", each.data},
                                   {"content", each.trained.content}});
        return {{"grids", a_.grids},
                {"points", a_.points},
                {"batches", a_.n_batches},
                {"seed", a_.seed},
                {"iterations", a_.iterations},
                {"samples", a_.samples},
                {"checkpoints", std::move(checkpoints)}};
    }

    // Before anything is written: the data is there, and is that of training.
    void check() const {
        for (auto const& each : all_) static_cast<void>(data_of(each));
    }

    // Measures what is not there yet and keeps it in `file` while it comes. False: interrupted.
    bool run(ResultsFile const& file) {
        take(file.results());
        auto const n_points = axis_.size() * axis_.size();
        auto const n_products = static_cast<std::size_t>(a_.iterations + a_.samples);
        std::size_t missing = 0;
        for (auto const& each : all_) {
            for (auto const& losses : each.losses) missing += n_points - losses.size();
            missing += each.has_curvature ? 0 : n_products;
        }
        Steps steps(missing, a_.is_quiet);
        for (auto& each : all_) {
            bool const has_surfaces =
                std::all_of(each.losses.begin(), each.losses.end(),
                            [&](auto const& losses) { return losses.size() == n_points; }) &&
                std::isfinite(each.at_p);
            if (has_surfaces && each.has_curvature) continue;
            auto const data = data_of(each);
            if (!has_surfaces && !surfaces(each, data, steps, file)) return false;
            if (!each.has_curvature && !curvature(each, data, steps, file)) return false;
        }
        steps.clear();
        return true;
    }

    // What was measured so far.
    Json results() const {
        Json json = Json::array();
        for (auto const& each : all_) {
            Json grids = Json::object();
            for (std::size_t g = 0; g < grids_.size(); ++g) {
                Json losses = Json::array();
                for (double const loss : each.losses[g]) losses.push_back(json_number(loss));
                auto const s = summary_of(each, each.losses[g]);
                grids[std::string(grids_[g]->name)] = {{"scale", grids_[g]->scale},
                                                       {"ring_rise", json_number(s.ring_rise)},
                                                       {"share_below", json_number(s.share_below)},
                                                       {"losses", std::move(losses)}};
            }
            auto const& c = each.curvature;
            json.push_back({{"checkpoint", each.trained.checkpoint},
                            {"label", each.trained.label()},
                            {"loss", json_number(each.at_p)},
                            {"axis", axis_},
                            {"grids", std::move(grids)},
                            {"curvature", each.has_curvature
                                              ? Json{{"largest_eigenvalue", json_number(c.largest)},
                                                     {"residual", json_number(c.residual)},
                                                     {"iterations", c.iterations},
                                                     {"trace", json_number(c.trace)},
                                                     {"trace_error", json_number(c.trace_error)},
                                                     {"samples", c.samples}}
                                              : Json(nullptr)}});
        }
        return json;
    }

    Table summary() const {
        Table table{{"", "L(p)"}, {}};
        for (auto const* grid : grids_) {
            table.header.push_back(fmt::format("{}: ring", grid->name));
            table.header.push_back("below");
        }
        if (a_.iterations > 0) table.header.emplace_back("largest eigenvalue");
        if (a_.samples > 0) table.header.emplace_back("trace");
        auto const number = [](double value) { return table_cell(value, "{:.4g}"); };
        for (auto const& each : all_) {
            std::vector<std::string> row{each.trained.label(), number(each.at_p)};
            for (auto const& losses : each.losses) {
                auto const s = summary_of(each, losses);
                row.push_back(number(s.ring_rise));
                row.push_back(table_cell(100 * s.share_below, "{:.1f} %"));
            }
            auto const& c = each.curvature;
            if (a_.iterations > 0) row.push_back(number(c.largest));
            if (a_.samples > 0)
                row.push_back(
                    std::isfinite(c.trace)
                        ? fmt::format("{:.4g} ± {}", c.trace, table_cell(c.trace_error, "{:.2g}"))
                        : table_cell(c.trace));
            table.rows.push_back(std::move(row));
        }
        return table;
    }

    Table summary_details() const {
        Table table{{"checkpoint", "model", "optimizer", "seed", "epoch", "grid", "loss",
                     "ring_rise", "share_below", "largest_eigenvalue", "residual", "iterations",
                     "trace", "trace_error", "samples"},
                    {}};
        for (auto const& each : all_)
            for (std::size_t g = 0; g < grids_.size(); ++g) {
                auto const s = summary_of(each, each.losses[g]);
                auto const& c = each.curvature;
                auto row = head(each);
                row.insert(row.end(),
                           {std::string(grids_[g]->name), text(each.at_p), text(s.ring_rise),
                            text(s.share_below), text(c.largest), text(c.residual),
                            each.has_curvature ? std::to_string(c.iterations) : "", text(c.trace),
                            text(c.trace_error),
                            each.has_curvature ? std::to_string(c.samples) : ""});
                table.rows.push_back(std::move(row));
            }
        return table;
    }

    Table points() const {
        Table table{{"checkpoint", "model", "optimizer", "seed", "epoch", "grid", "m", "n", "a",
                     "b", "loss"},
                    {}};
        for (auto const& each : all_)
            for (std::size_t g = 0; g < grids_.size(); ++g)
                for (std::size_t k = 0; k < each.losses[g].size(); ++k) {
                    double const m = axis_[k / axis_.size()], n = axis_[k % axis_.size()];
                    double const scale = grids_[g]->scale;
                    auto row = head(each);
                    row.insert(row.end(),
                               {std::string(grids_[g]->name), text(m), text(n), text(scale * m),
                                text(scale * n), text(each.losses[g][k])});
                    table.rows.push_back(std::move(row));
                }
        return table;
    }

    // Draws contours and a surface of each grid, all checkpoints on one scale.
    std::string script() const {
        std::string text =
            "# polder-recsys landscape: gnuplot landscape.gp draws the pictures again\n";
        auto const n = all_.size(), columns = std::min<std::size_t>(n, 3),
                   rows = (n + columns - 1) / columns;
        for (std::size_t g = 0; g < grids_.size(); ++g) {
            Range all;
            for (auto const& each : all_) all.take(each.losses[g]);
            auto const [lowest, highest] = all;
            if (!(lowest < highest)) continue;  // nothing to be seen
            double const step = (highest - lowest) / 12;
            auto const level_of = [&, low = lowest](double loss) {
                return std::floor((loss - low) / step);
            };
            auto const& grid = *grids_[g];
            text += "\nreset\nset palette defined (0 '#440154', 1 '#414487', 2 '#2a788e', 3 "
                    "'#22a884', 4 '#7ad151', 5 '#fde725')\n";
            std::string panels[2];
            for (std::size_t c = 0; c < n; ++c) {
                auto const block = fmt::format("${}_{}", grid.name, c), lines = block + "_lines";
                text += block + " << EOD\n";
                for (std::size_t k = 0; k < all_[c].losses[g].size(); ++k) {
                    double const loss = all_[c].losses[g][k];
                    text += fmt::format("{} {} {}\n", grid.scale * axis_[k / axis_.size()],
                                        grid.scale * axis_[k % axis_.size()],
                                        std::isfinite(loss) ? fmt::format("{}", loss) : "NaN");
                    if (k % axis_.size() == axis_.size() - 1) text += "\n";
                }
                text += fmt::format("EOD\nset contour base\nunset surface\nset cntrparam levels "
                                    "incremental {0}, {1}, {2}\nset table {3}\nsplot {4}\nunset "
                                    "table\nunset contour\nset surface\n",
                                    lowest, step, highest, lines, block);
                Range range;
                range.take(all_[c].losses[g]);
                auto const title =
                    fmt::format("set title \"{}\\nL(p) = {:.4g}\" noenhanced font ',9'\n",
                                quoted(all_[c].trained.label()), all_[c].at_p);
                panels[0] += title + fmt::format("plot {} with image notitle", block);
                // A surface between two levels has no contour, which gnuplot complains of.
                if (level_of(range.lowest) < level_of(range.highest))
                    panels[0] += fmt::format(", {} with lines lc rgb 'white' notitle", lines);
                panels[0] += "\n";
                panels[1] += title + fmt::format("splot {} with pm3d notitle\n", block);
            }
            for (auto const& [kind, ending] : {std::pair{0, "contours"}, std::pair{1, "surface"}})
                for (auto const& [format, terminal] :
                     {std::pair{"svg", "svg size"}, std::pair{"png", "pngcairo size"}})
                    text += fmt::format(
                        "\nset terminal {} {}, {}\nset output '{}_{}.{}'\nset xlabel 'a'\nset "
                        "ylabel 'b'\nset zrange [{}:{}]\nset cbrange [{}:{}]\n{}set multiplot "
                        "layout "
                        "{}, {}\n{}unset multiplot\nunset output\n",
                        terminal, 460 * columns, 400 * rows, grid.name, ending, format, lowest,
                        highest, lowest, highest,
                        kind == 0
                            ? fmt::format("set colorbox\nset label 1 '' at 0, 0 front point pt 7 "
                                          "lc rgb 'white'\n"
                                          "set size ratio 1\nset xrange [{0}:{1}]\nset yrange "
                                          "[{0}:{1}]\n",
                                          -100 * grid.scale, 100 * grid.scale)
                            : "unset label 1\nunset colorbox\nset size noratio\nset view 60, "
                              "30\nset ticslevel 0\n",
                        rows, columns, panels[kind]);
        }
        return text;
    }

private:
    // Of the losses that are finite.
    struct Range {
        double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;

        void take(std::vector<double> const& losses) {
            for (double const loss : losses)
                if (std::isfinite(loss)) {
                    lowest = std::min(lowest, loss);
                    highest = std::max(highest, loss);
                }
        }
    };

    static std::string text(double value) { return csv_cell(value); }

    // A text between double quotes of gnuplot.
    static std::string quoted(std::string const& from) {
        std::string result;
        for (char const c : from) {
            if (c == '"' || c == '\\') result += '\\';
            result += c;
        }
        return result;
    }

    static Dataset data_of(Landscape const& of) {
        auto data = load_data_of(of.trained);
        if (description_of(data) != of.trained.trained_on)
            throw std::runtime_error(fmt::format("{}: was trained on {}, the data here is {}",
                                                 of.trained.checkpoint, of.trained.trained_on,
                                                 description_of(data)));
        return data;
    }

    static std::vector<std::string> head(Landscape const& of) {
        auto const& options = of.trained.options;
        return {of.trained.checkpoint, options.model.name, options.optimizer.method,
                std::to_string(options.training.seed), csv_cell(json_of_epoch(of.trained.epoch))};
    }

    LandscapeSummary summary_of(Landscape const& of, std::vector<double> const& losses) const {
        if (losses.size() != axis_.size() * axis_.size()) return {};
        return summarise(axis_, losses, of.at_p);
    }

    // All grids of one checkpoint, in float as it was trained.
    bool surfaces(Landscape& of, Dataset const& data, Steps& steps, ResultsFile const& file) {
        LossOf<float> own(of.trained, data, a_);
        auto const& p = own.parameters;
        of.at_p = own.loss(p);
        auto moved = p;
        for (std::size_t g = 0; g < grids_.size(); ++g) {
            auto const& grid = *grids_[g];
            auto& losses = of.losses[g];
            auto const n1 = random_direction(p, own.active, grid.is_normalised, a_.seed, 1);
            auto const n2 = random_direction(p, own.active, grid.is_normalised, a_.seed, 2);
            for (std::size_t k = losses.size(); k < axis_.size() * axis_.size(); ++k) {
                move_to(moved, p, grid.scale * axis_[k / axis_.size()], n1,
                        grid.scale * axis_[k % axis_.size()], n2);
                losses.push_back(own.loss(moved));
                steps.done(fmt::format("{}: {} grid", of.trained.label(), grid.name));
                bool const stops = interrupt_signal() != 0;
                if (stops || losses.size() % axis_.size() == 0) file.save(results());
                if (stops) return false;
            }
        }
        return true;
    }

    bool curvature(Landscape& of, Dataset const& data, Steps& steps, ResultsFile const& file) {
        auto const planned = static_cast<std::size_t>(a_.iterations + a_.samples);
        std::size_t n_done = 0;
        if (planned > 0) {
            LossOf<double> own(of.trained, data, a_);
            of.curvature = measure_curvature(
                own.loss, own.parameters, own.active,
                {.iterations = a_.iterations, .samples = a_.samples, .seed = a_.seed}, [&] {
                    if (n_done++ < planned) steps.done(of.trained.label() + ": curvature");
                    return interrupt_signal() == 0;
                });
            if (interrupt_signal() != 0) return false;
            auto const& c = of.curvature;
            if (a_.iterations > 0 && !(c.residual <= 1.001e-3 * std::abs(c.largest)))
                spdlog::warn("{}: after {} iterations the largest eigenvalue is {:.4g} with a "
                             "residual of {:.2g}; --iterations takes more",
                             of.trained.label(), c.iterations, c.largest, c.residual);
        }
        steps.skip(planned - std::min(planned, n_done));
        of.has_curvature = true;
        file.save(results());
        return true;
    }

    // Takes results of the same command, which was interrupted.
    void take(Json const& results) {
        for (std::size_t k = 0; k < results.size() && k < all_.size(); ++k) {
            auto& each = all_[k];
            each.at_p = number_of_json(results[k].at("loss"));
            for (std::size_t g = 0; g < grids_.size(); ++g)
                for (auto const& loss :
                     results[k].at("grids").at(std::string(grids_[g]->name)).at("losses"))
                    each.losses[g].push_back(number_of_json(loss));
            auto const& c = results[k].at("curvature");
            if (c.is_null()) continue;
            each.has_curvature = true;
            each.curvature = {number_of_json(c.at("largest_eigenvalue")),
                              number_of_json(c.at("residual")),
                              c.at("iterations").get<int>(),
                              number_of_json(c.at("trace")),
                              number_of_json(c.at("trace_error")),
                              c.at("samples").get<int>()};
        }
    }

    LandscapeArguments const& a_;
    std::vector<double> axis_;
    std::vector<LandscapeGrid const*> grids_;
    std::vector<Landscape> all_;
};

// The folder is new, empty, or has what this command wrote.
void require_own_folder(Files& files, fs::path const& folder) {
    Files::expect_folder(folder);
    std::error_code error;
    if (!fs::exists(folder, error)) return;
    if (!fs::is_empty(folder, error) && !fs::exists(folder / "landscape.json", error))
        throw FileError(folder, "has files that landscape did not write, and is left as it is; "
                                "expected a new or empty folder");
    files.expect("--output", folder / "landscape.json", Mark::json("landscape"));
    files.expect("--output", folder / "landscape.csv", Mark::csv("checkpoint,model,optimizer,"));
    files.expect("--output", folder / "summary.csv", Mark::csv("checkpoint,model,optimizer,"));
    files.expect("--output", folder / "landscape.gp", Mark::gnuplot());
}

int landscape(LandscapeArguments& a) {
    if (a.checkpoints.empty())
        throw std::invalid_argument("--checkpoint is missing: files of train --checkpoint");
    LandscapeStudy study(a);
    auto& files = a.files;
    fs::path const folder(a.output);
    require_own_folder(files, folder);
    ResultsFile const file(files, (folder / "landscape.json").string(), "landscape",
                           study.settings());
    study.check();
    Files::make_folder(folder);
    catch_interrupts();
    bool const is_complete = study.run(file);

    file.finish(study.results());
    files.write_text(folder / "landscape.csv", csv(study.points()));
    files.write_text(folder / "summary.csv", csv(study.summary_details()));
    if (is_complete && files.write_text(folder / "landscape.gp", study.script())) {
        switch (draw(folder, "landscape.gp")) {
        case Drawing::done:
            spdlog::info("drew the pictures in {}, .svg and .png", a.output);
            break;
        case Drawing::no_gnuplot:
            spdlog::warn("gnuplot is not found, so there are no pictures; with it, gnuplot "
                         "landscape.gp in {} draws them",
                         a.output);
            break;
        case Drawing::failed:
            files.note_error(
                fmt::format("gnuplot failed on {}", (folder / "landscape.gp").string()));
            break;
        }
    }
    fmt::print(
        "{}\nL(p): mean training loss over fixed batches, without dropout. Ring: mean of L - "
        "L(p) where 40 <= sqrt(m^2 + n^2) <= 60. Below: points with L <= L(p) + 0.1.\n",
        aligned(study.summary()));
    if (is_complete) return files.exit_code(success);
    spdlog::warn("interrupted: the same command goes on from here");
    return files.exit_code(signal_base + interrupt_signal());
}

}  // namespace

Command add_landscape(CLI::App& program) {
    auto const arguments = std::make_shared<LandscapeArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "landscape", "Draw the training loss around trained parameters, and measure its curvature");
    command->footer(
        "The loss L is the mean over fixed batches of training: all rows in the order of the file, "
        "one fixed negative each, without dropout and pruning, with the random numbers of the best "
        "epoch. Surfaces are L(p + a n1 + b n2) at the best epoch's parameters p, with m and n "
        "from -100 to 100:\n"
        "  default  directions with the norms of p's rows, 0 for biases; a = m / 100, b = n / 100\n"
        "  literal  standard normal directions, a = m, b = n, as the papers print it; expect "
        "saturation\n"
        "  small    standard normal directions, a = m / 10000, b = n / 10000\n"
        "An even number of points does not meet p itself; L(p) is in the table. The largest "
        "eigenvalue of the Hessian is found by power iteration on differences of gradients in "
        "double precision, its trace estimated after Hutchinson.\n"
        "Files in the folder --output: landscape.json (all; interrupted, the same command goes on "
        "from it), landscape.csv (one row per point), summary.csv, landscape.gp (for gnuplot), "
        "and, where gnuplot is found, GRID_contours and GRID_surface as .svg and .png, all "
        "checkpoints on one scale. A folder with other files is refused.\n\nExample:\n"
        "  polder-recsys landscape --checkpoint none.safetensors bsam.safetensors --output "
        "landscape");
    command->add_option("--checkpoint", a.checkpoints, "Checkpoints of train")
        ->type_name("FILES")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--data", a.data.data, "Where the data lies now, if not where it was")
        ->type_name("DIR|FILE");
    auto const add = [&](std::string const& name, auto& value, std::string const& text) {
        return command->add_option(name, value, text)->capture_default_str()->group("Landscape");
    };
    add("--grids", a.grids, "Which grids, with commas between: default, literal, small");
    add("--points", a.points, "Points of each axis")->check(whole_number<int>(2, 10'000));
    add("--batches", a.n_batches, "Batches that the loss is over, at equal distances; 0: all")
        ->check(whole_number<std::size_t>(0));
    add("--seed", a.seed, "Seed of negatives, directions and first vectors")
        ->check(whole_number<std::uint64_t>(0));
    add("--iterations", a.iterations,
        "Power iterations at most, two gradients each; 0: no eigenvalue")
        ->check(whole_number<int>(0));
    add("--samples", a.samples, "Random vectors for the trace, two gradients each; 0: no trace")
        ->check(whole_number<int>(0));
    add("--threads", a.threads, "Threads; results do not depend on them")
        ->check(whole_number<int>(1, most_threads));
    command->add_option("--output", a.output, "The folder to write to")
        ->type_name("DIR")
        ->capture_default_str()
        ->group("Files");
    a.files.add_option(*command);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return {command, [arguments] { return landscape(*arguments); }};
}

}  // namespace polder::recsys::app
