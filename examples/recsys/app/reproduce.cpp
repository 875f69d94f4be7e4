// polder-recsys reproduce: tables and figures of the papers, measured beside published.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/pause.hpp"
#include "recsys/app/reproduced.hpp"
#include "recsys/app/reproduction.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/features.hpp"
#include "recsys/data/source.hpp"
#include "recsys/evaluation/significance.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;
using Kind = ReproductionColumn::Kind;

constexpr std::uint64_t first_seed = 999;
// Two numbers agree where they differ by no more than this share of the published one; a table is reproduced where
// at least this share of its numbers agree and this share of its claims hold.
constexpr double agreement = 0.05, most = 0.9;

struct ReproduceArguments {
    std::vector<std::string> names, data, only, results;
    bool lists = false, is_synthetic = false, is_quick = false, prints = false, is_quiet = false;
    std::string size;
    int seeds = 0, epochs = 0, jobs = 1, threads = 0;
    std::string runs, csv, markdown;
    PauseRequest pause;
    Files files;
};

constexpr char const* default_runs = "reproduced";

std::string const markdown_mark = "<!-- polder-recsys reproduce -->\n\n";

// A command of polder-recsys, and the file that gets what it prints.
struct Call {
    std::vector<std::string> arguments;
    fs::path output;
};

std::string command_line(std::vector<std::string> const& arguments) {
    std::string text = "polder-recsys";
    for (auto const& each : arguments)
        text += each.find_first_of(" *?$'\"&;|<>(){}[]") == std::string::npos ? " " + each
                                                                              : " '" + each + "'";
    return text;
}

// Runs the command in a process of its own, so that this one has no threads when the next begins. Returns its exit code.
int call(Call const& what, RunCommand const& run) {
    Files::make_folder(what.output.parent_path());
    require_writable(what.output);
    std::fflush(nullptr);
    auto const process = fork();
    if (process < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (process == 0) {
        int code = failure;
        if (std::freopen(what.output.c_str(), "w", stdout) != nullptr) code = run(what.arguments);
        std::fflush(nullptr);
        std::_Exit(code);
    }
    int status = 0;
    for (bool is_told = false; waitpid(process, &status, WNOHANG) != process;) {
        if (interrupt_signal() != 0 && !std::exchange(is_told, true)) kill(process, SIGTERM);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : failure;
}

// Where the data of the papers is.
class Sources {
public:
    explicit Sources(ReproduceArguments const& a) : is_synthetic_(a.is_synthetic), size_(a.size) {
        if (!size_.empty()) static_cast<void>(synthetic_options(size_));
        for (auto const& each : a.data) {
            auto [name, folder] = each.find('=') == std::string::npos
                                      ? std::pair(fs::path(each).filename().string(), each)
                                      : assignment(each, "--data");
            static_cast<void>(find_paper_data(name));
            std::error_code error;
            if (!fs::exists(folder, error)) throw std::runtime_error(folder + ": no such data");
            auto const features = feature_folder({.name = folder});
            bool const has_features = feature_file(features, {}, "image").has_value() &&
                                      feature_file(features, {}, "text").has_value();
            // What `augment` has made says nothing of the paper's data.
            known_[name] = {folder, fs::exists(features / "augment.json", error), has_features};
        }
    }

    // Empty where the data is not at hand.
    TableSource of(std::string const& data) const {
        if (is_synthetic_)
            return {"synthetic:" + (size_.empty() ? shape_of(data) : size_), true, true};
        auto const found = known_.find(data);
        return found == known_.end() ? TableSource{} : found->second;
    }

private:
    bool is_synthetic_;
    std::string size_;
    std::map<std::string, TableSource> known_;
};

template <class T>
std::vector<T> first(std::vector<T> items, std::size_t count) {
    if (items.size() > count) items.resize(count);
    return items;
}

// Sections with what is asked for alone: --only, and --quick, which takes the first data set and the first two sections,
// models and methods.
std::vector<ComparisonSection> chosen_sections(Reproduction const& of,
                                               ReproduceArguments const& a) {
    auto sections = of.sections;
    auto const restrict_to = [&](auto& items, auto const& name_of) {
        auto const is_named = [&](auto const& item) {
            return std::find(a.only.begin(), a.only.end(), name_of(item)) != a.only.end();
        };
        if (std::any_of(items.begin(), items.end(), is_named))
            std::erase_if(items, [&](auto const& item) { return !is_named(item); });
    };
    auto const printed = [](PrintedName const& each) { return each.printed; };
    // Among all sections: a name of one must not leave the others as they are.
    std::vector<std::string> data, models, methods;
    for (auto const& section : sections) {
        data.insert(data.end(), section.data.begin(), section.data.end());
        for (auto const& each : section.models) models.push_back(each.printed);
        for (auto const& each : section.methods) methods.push_back(each.printed);
    }
    restrict_to(data, [](auto const& each) { return each; });
    restrict_to(models, [](auto const& each) { return each; });
    restrict_to(methods, [](auto const& each) { return each; });
    auto const keep = [](auto& items, auto const& wanted, auto const& name_of) {
        std::erase_if(items, [&](auto const& item) {
            return std::find(wanted.begin(), wanted.end(), name_of(item)) == wanted.end();
        });
    };
    for (auto& section : sections) {
        keep(section.data, data, [](auto const& each) { return each; });
        keep(section.models, models, printed);
        keep(section.methods, methods, printed);
        if (!a.is_quick) continue;
        section.data = first(section.data, 1);
        section.models = first(section.models, 2);
        section.methods = first(section.methods, 2);
    }
    std::erase_if(sections, [](auto const& section) {
        return section.data.empty() || section.models.empty() || section.methods.empty();
    });
    return a.is_quick ? first(std::move(sections), 2) : sections;
}

// A table or figure with what was measured for it.
class ReproductionStudy {
public:
    ReproductionStudy(Reproduction const& of, ReproduceArguments const& a, Sources const& sources)
        : of_(of), a_(a), folder_{a.runs}, sections_(chosen_sections(of, a)),
          n_seeds_(a.seeds > 0  ? a.seeds
                   : a.is_quick ? 1
                                : of.seeds) {
        for (auto const& each : of.data()) sources_[each] = sources.of(each);
    }

    // Other data than what was given; returns that.
    std::map<std::string, TableSource> use(std::map<std::string, TableSource> sources) {
        return std::exchange(sources_, std::move(sources));
    }
    Reproduction const& reproduction() const { return of_; }

    // The commands that measure, in their order.
    std::vector<Call> calls() const {
        std::vector<Call> result;
        for (auto const& section : sections_)
            for (auto const& data : section.data)
                if (auto arguments = comparison(section, data); !arguments.empty()) {
                    auto const& source = sources_.at(data);
                    auto const name = folder_.runs(section, data, source).filename().string();
                    result.push_back({std::move(arguments), folder_.table(of_.name, source) /
                                                                ("compare-" + name + ".txt")});
                }
        for (auto const& section : sections_)
            for (auto const& data : section.data)
                for (auto const& model : runnable(section, data)) {
                    if (of_.robustness) result.push_back(robustness(section, data, model));
                    if (of_.landscape) result.push_back(landscape(section, data, model));
                }
        return result;
    }

    // Why parts of it are not run.
    std::vector<std::string> missing() const {
        std::vector<std::string> result;
        auto const add = [&](std::string text) {
            if (std::find(result.begin(), result.end(), text) == result.end())
                result.push_back(std::move(text));
        };
        for (auto const& section : sections_) {
            for (auto const& data : section.data) {
                auto const known = find_paper_data(data);
                auto const& source = sources_.at(data);
                if (source.argument.empty())
                    add(fmt::format("{} ({}) is not at hand; offered by {}; --data {}=DIR", data,
                                    known.title, known.offered, data));
                else if (!source.has_features)
                    for (auto const& model : section.models)
                        if (!model.text.empty() && needs(model.text))
                            add(fmt::format("{} on {} needs features, and {} has no image_feat.npy "
                                            "with text_feat.npy; offered by {}",
                                            model.printed, data, source.argument, known.offered));
            }
            for (auto const& method : section.methods)
                if (method.text.empty())
                    add(method.printed + " is nothing that polder-recsys has; see the notes");
        }
        return result;
    }

    bool can_run() const { return !calls().empty(); }

    void measure(Measurements& results) {
        runs_.clear();
        n_runs_ = 0;
        for (auto const& section : sections_)
            for (auto const& data : section.data)
                for (auto const& model : section.models)
                    for (auto const& method : section.methods) {
                        Cell const cell{&section, data, model.printed, method.printed};
                        auto& runs = runs_[key(section.name, data, model.printed, method.printed)];
                        for (auto const seed : seeds()) {
                            auto values =
                                results.values(of_, cell, sources_.at(data), seed, a_.epochs);
                            n_runs_ += values.empty() ? 0 : 1;
                            runs.push_back(std::move(values));
                        }
                    }
    }

    bool is_measured() const { return n_runs_ > 0; }
    bool is_synthetic() const {
        return std::any_of(sources_.begin(), sources_.end(),
                           [](auto const& each) { return each.second.is_synthetic; });
    }

    // How many of the numbers and claims there are, were measured, and agree.
    struct Tally {
        std::size_t numbers = 0, measured = 0, close = 0, claims = 0, checked = 0, held = 0;
    };

    Tally tally() const {
        Tally t;
        for (auto const& row : of_.rows)
            for (std::size_t k = 0; k < of_.columns.size(); ++k) {
                if (!std::isfinite(row.values[k]) || !is_real(of_.columns[k])) continue;
                ++t.numbers;
                double const value = measured(row, of_.columns[k]).mean;
                if (!std::isfinite(value)) continue;
                ++t.measured;
                t.close += std::abs(value - row.values[k]) <= agreement * row.values[k] ? 1 : 0;
            }
        for (auto const& claim : of_.claims) {
            auto const c = check(claim);
            t.claims += c.claims;
            t.checked += c.checked;
            t.held += c.held;
        }
        return t;
    }

    std::string state() const {
        auto const t = tally();
        if (is_synthetic()) return is_measured() ? "simulated" : "not run yet";
        if (!is_measured()) return can_run() ? "not run yet" : "data not at hand";
        if (is_simulated()) return "simulated";
        auto const enough = [](std::size_t part, std::size_t whole) {
            return static_cast<double>(part) >= most * static_cast<double>(whole);
        };
        return enough(t.close, t.measured) && enough(t.held, t.checked) ? "reproduced" : "differs";
    }

    // A table for each data set: published, measured and the difference in per cent, by column.
    std::vector<std::pair<std::string, Table>> tables() const {
        std::vector<std::pair<std::string, Table>> result;
        for (auto const& data : of_.data()) {
            auto const lines = lines_of(data);
            if (lines.empty()) continue;
            bool const has_sections = std::any_of(
                lines.begin(), lines.end(), [](auto const& line) { return !line.section.empty(); });
            bool const has_seeds = std::any_of(
                lines.begin(), lines.end(), [](auto const& line) { return line.seed.has_value(); });
            bool const has_published = !of_.rows.empty();
            bool const has_differences = has_published && !is_synthetic();
            Table table{{}, {}};
            if (has_sections) table.header.emplace_back("");
            table.header.insert(table.header.end(), {"model", "method"});
            if (has_seeds) table.header.emplace_back("seed");
            table.n_left = table.header.size();
            for (auto const& column : of_.columns) {
                table.header.push_back(column.name);
                if (has_published) table.header.emplace_back("measured");
                if (has_differences) table.header.emplace_back("%");
            }
            for (auto const& line : lines) {
                std::vector<std::string> cells;
                if (has_sections) cells.push_back(line.section);
                cells.insert(cells.end(), {line.model, line.method});
                if (has_seeds) cells.push_back(line.seed ? std::to_string(*line.seed) : "");
                for (std::size_t k = 0; k < of_.columns.size(); ++k) {
                    auto const& column = of_.columns[k];
                    auto const value = measured(line, column);
                    auto text = number(column, value.mean);
                    if (value.seeds > 1 && std::isfinite(value.deviation))
                        text += fmt::format(" ± {}", number(column, value.deviation));
                    if (!has_published) {
                        cells.push_back(std::move(text));
                        continue;
                    }
                    double const published = line.values[k];
                    double const difference = 100 * (value.mean - published) / published;
                    cells.push_back(number(column, published));
                    cells.push_back(std::move(text));
                    if (!has_differences) continue;
                    cells.push_back(std::isfinite(difference) ? fmt::format("{:+.1f}", difference)
                                                              : "-");
                }
                table.rows.push_back(std::move(cells));
            }
            auto const& source = sources_.at(data);
            result.emplace_back(
                find_paper_data(data).title +
                    (source.is_synthetic ? ", simulated by " + source.argument : ""),
                std::move(table));
        }
        return result;
    }

    Table claims_table() const {
        Table table{{"claim", "holds"}, {}};
        for (auto const& claim : of_.claims) {
            auto const c = check(claim);
            table.rows.push_back({claim.text, c.checked == 0
                                                  ? "not measured"
                                                  : fmt::format("{} of {}", c.held, c.checked)});
        }
        return table;
    }

    // One row for each number.
    void add_details(Table& table) const {
        for (auto const& data : of_.data())
            for (auto const& line : lines_of(data))
                for (std::size_t k = 0; k < of_.columns.size(); ++k) {
                    auto const value = measured(line, of_.columns[k]);
                    double const published = line.values[k];
                    auto const text = [](double x) {
                        return std::isfinite(x) ? fmt::format("{}", x) : std::string();
                    };
                    table.rows.push_back(
                        {of_.name, data, sources_.at(data).is_synthetic ? "yes" : "no",
                         line.section, line.model, line.method,
                         line.seed ? std::to_string(*line.seed) : "", of_.columns[k].name,
                         text(published), std::to_string(value.seeds), text(value.mean),
                         text(value.deviation),
                         text(is_synthetic() ? unmeasured
                                             : 100 * (value.mean - published) / published)});
                }
    }

    static Table details() {
        return {{"table", "data", "simulated", "section", "model", "method", "seed", "column",
                 "published", "runs", "measured", "std", "difference_percent"},
                {}};
    }

private:
    using Key = std::string;
    static Key key(std::string const& section, std::string const& data, std::string const& model,
                   std::string const& method) {
        return fmt::format("{}\n{}\n{}\n{}", section, data, model, method);
    }

    static Key key(PublishedRow const& row) {
        return key(row.section, row.data, row.model, row.method);
    }

    static bool needs(std::string const& model) {
        return needs_features(find_model(model.substr(0, model.find(':'))));
    }

    // All that is tested of trained models is simulated.
    bool is_simulated() const {
        auto const is_test = [](auto const& column) { return column.kind == Kind::test; };
        return std::any_of(of_.columns.begin(), of_.columns.end(), is_test) &&
               std::none_of(of_.columns.begin(), of_.columns.end(),
                            [&](auto const& column) { return is_test(column) && is_real(column); });
    }

    // Adjusted information is simulated in features: its numbers are not the paper's.
    static bool is_real(ReproductionColumn const& column) {
        return column.kind != Kind::test || column.of == "embeddings" || column.of == "features";
    }

    static std::string number(ReproductionColumn const& column, double value) {
        if (!std::isfinite(value)) return "-";
        switch (column.kind) {
        case Kind::best_epoch:
            return fmt::format("{:.0f}", value);
        case Kind::deviation:
            return fmt::format("{:.5f}", value);
        case Kind::loss:
        case Kind::landscape:
            return fmt::format("{:.4g}", value);
        default:
            return fmt::format("{:.4f}", value);
        }
    }

    std::vector<std::uint64_t> seeds() const {
        std::vector<std::uint64_t> result;
        for (int k = 0; k < n_seeds_; ++k)
            result.push_back(first_seed + static_cast<std::uint64_t>(k));
        return result;
    }

    // The models that can be run on the data.
    std::vector<PrintedName> runnable(ComparisonSection const& section,
                                      std::string const& data) const {
        auto const& source = sources_.at(data);
        std::vector<PrintedName> result;
        if (source.argument.empty()) return result;
        for (auto const& model : section.models)
            if (!model.text.empty() && (source.has_features || !needs(model.text)))
                result.push_back(model);
        return result;
    }

    std::vector<std::string> comparison(ComparisonSection const& section,
                                        std::string const& data) const {
        auto const models = runnable(section, data);
        std::vector<std::string> names, methods, metrics;
        bool is_published = false;
        for (auto const& each : models) {
            names.push_back(each.text);
            is_published = is_published ||
                           has_published(each.text.substr(0, each.text.find(':')), shape_of(data));
        }
        for (auto const& each : section.methods)
            if (!each.text.empty()) methods.push_back(each.text);
        if (names.empty() || methods.empty()) return {};
        auto const& source = sources_.at(data);
        std::vector<std::string> result{"compare",
                                        "--data",
                                        source.argument,
                                        "--models",
                                        fmt::format("{}", fmt::join(names, ",")),
                                        "--optimizers",
                                        fmt::format("{}", fmt::join(methods, ","))};
        auto const add = [&](std::string const& option, std::string const& value) {
            result.push_back("--" + option);
            result.push_back(value);
        };
        if (is_published) add("published", shape_of(data));
        for (auto const& [option, value] : section.options) add(option, value);
        add("seeds", std::to_string(n_seeds_));
        if (a_.epochs > 0) add("epochs", std::to_string(a_.epochs));
        for (auto const& column : of_.columns)
            if ((column.kind == Kind::metric || column.kind == Kind::deviation) &&
                std::find(metrics.begin(), metrics.end(), column.metric) == metrics.end())
                metrics.push_back(column.metric);
        if (!metrics.empty()) add("metrics", fmt::format("{}", fmt::join(metrics, ",")));
        add("runs", folder_.runs(section, data, source).string());
        if (a_.jobs > 1) add("jobs", std::to_string(a_.jobs));
        if (a_.threads > 0) add("threads", std::to_string(a_.threads));
        if (of_.robustness || of_.landscape) result.emplace_back("--checkpoints");
        if (a_.is_quiet) result.emplace_back("--quiet");
        return result;
    }

    // What robustness and landscape have in common.
    Call study_of(std::string const& command, Settings const& options,
                  ComparisonSection const& section, std::string const& data,
                  PrintedName const& model, std::vector<std::uint64_t> const& seeds,
                  fs::path const& output) const {
        std::vector<std::string> result{command, "--checkpoint"};
        auto const& source = sources_.at(data);
        auto const runs = folder_.runs(section, data, source);
        for (auto const seed : seeds)
            for (auto const& method : section.methods)
                if (!method.text.empty())
                    result.push_back((runs / (kept_name(model.text, method.text, seed) +
                                              std::string(trained_checkpoint_ending)))
                                         .string());
        for (auto const& [option, value] : options) {
            result.push_back("--" + option);
            result.push_back(value);
        }
        if (a_.is_quick)
            for (auto const* each : {"--repeats=2", "--points=3", "--iterations=2", "--samples=2"})
                if ((command == "robustness") == (std::string_view(each) == "--repeats=2"))
                    result.emplace_back(each);
        if (a_.threads > 0) result.insert(result.end(), {"--threads", std::to_string(a_.threads)});
        if (a_.is_quiet) result.emplace_back("--quiet");
        return {std::move(result), output};
    }

    fs::path file_of(std::string const& command, ComparisonSection const& section,
                     std::string const& data, PrintedName const& model) const {
        auto const& source = sources_.at(data);
        auto name = command + "-" + data + "-" + model.printed;
        if (!section.name.empty()) name += "-" + section.name;
        return folder_.table(of_.name, source) / name;
    }

    Call robustness(ComparisonSection const& section, std::string const& data,
                    PrintedName const& model) const {
        auto file = file_of("robustness", section, data, model);
        file += fmt::format("-{}", n_seeds_);
        auto result = study_of("robustness", *of_.robustness, section, data, model, seeds(),
                               fs::path(file) += ".txt");
        result.arguments.insert(result.arguments.end(),
                                {"--json", (fs::path(file) += ".json").string()});
        return result;
    }

    Call landscape(ComparisonSection const& section, std::string const& data,
                   PrintedName const& model) const {
        auto const folder = file_of("landscape", section, data, model);
        auto result = study_of("landscape", *of_.landscape, section, data, model, {first_seed},
                               fs::path(folder) += ".txt");
        result.arguments.insert(result.arguments.end(), {"--output", folder.string()});
        return result;
    }

    // What the paper prints, and what is run besides.
    std::vector<PublishedRow> lines_of(std::string const& data) const {
        std::vector<PublishedRow> result;
        auto const is_chosen = [&](PublishedRow const& row) {
            return runs_.contains(key(row)) || (a_.only.empty() && !a_.is_quick);
        };
        for (auto const& row : of_.rows)
            if (row.data == data && is_chosen(row)) result.push_back(row);
        for (auto const& section : sections_) {
            if (std::find(section.data.begin(), section.data.end(), data) == section.data.end())
                continue;
            for (auto const& model : section.models)
                for (auto const& method : section.methods) {
                    PublishedRow row{
                        data,          section.name,
                        model.printed, method.printed,
                        std::nullopt,  std::vector<double>(of_.columns.size(), unmeasured)};
                    auto const is_printed = [&](PublishedRow const& other) {
                        return key(other) == key(row);
                    };
                    if (std::none_of(result.begin(), result.end(), is_printed))
                        result.push_back(std::move(row));
                }
        }
        return result;
    }

    Measured measured(std::vector<double> const& values, ReproductionColumn const& column) const {
        if (values.empty()) return {0, unmeasured, unmeasured};
        auto const [mean, deviation, n] = spread(values);
        if (column.kind == Kind::deviation) return {n, deviation, unmeasured};
        return {n, mean, deviation};
    }

    Measured measured(PublishedRow const& row, ReproductionColumn const& column) const {
        auto const found = runs_.find(key(row));
        std::vector<double> values;
        if (found != runs_.end())
            for (std::size_t k = 0; k < found->second.size(); ++k)
                if (!row.seed || *row.seed == first_seed + k)
                    if (auto const value = found->second[k].find(column.name);
                        value != found->second[k].end())
                        values.push_back(value->second);
        return measured(values, column);
    }

    // The decrease under a test in per cent.
    double decrease(PublishedRow const& row, ReproductionColumn const& column) const {
        for (auto const& each : of_.columns)
            if (each.kind == Kind::metric && each.metric == column.metric) {
                double const original = measured(row, each).mean;
                return 100 * (original - measured(row, column).mean) / original;
            }
        return unmeasured;
    }

    Tally check(PaperClaim const& claim) const {
        Tally t;
        for (auto const& section : sections_)
            for (auto const& data : section.data)
                for (auto const& model : section.models)
                    for (auto const& column : of_.columns) {
                        bool const is_meant = claim.in.empty() ? column.kind == Kind::metric ||
                                                                     column.kind == Kind::test
                                              : claim.in == "decrease" ? column.kind == Kind::test
                                                                       : column.name == claim.in;
                        auto const has = [&](std::string const& method) {
                            return std::any_of(
                                section.methods.begin(), section.methods.end(),
                                [&](auto const& each) { return each.printed == method; });
                        };
                        if (!is_meant || !is_real(column) || !has(claim.than)) continue;
                        auto const value = [&](std::string const& method) {
                            PublishedRow const row{data,   section.name, model.printed,
                                                   method, {},           {}};
                            return claim.in == "decrease" ? decrease(row, column)
                                                          : measured(row, column).mean;
                        };
                        ++t.claims;
                        double const than = value(claim.than);
                        bool is_checked = false, holds = false;
                        for (auto const& method : claim.methods) {
                            double const own = has(method) ? value(method) : unmeasured;
                            if (!std::isfinite(own) || !std::isfinite(than)) continue;
                            is_checked = true;
                            holds = holds || (claim.is_above ? own > than : own < than);
                        }
                        t.checked += is_checked ? 1 : 0;
                        t.held += holds ? 1 : 0;
                    }
        return t;
    }

    Reproduction const& of_;
    ReproduceArguments const& a_;
    ReproductionFolder folder_;
    std::vector<ComparisonSection> sections_;
    int n_seeds_;
    std::map<std::string, TableSource> sources_;
    std::map<Key, std::vector<std::map<std::string, double>>>
        runs_;  // values of each seed, by column
    std::size_t n_runs_ = 0;
};

std::string count(std::size_t part, std::size_t whole) {
    return whole == 0 ? "" : fmt::format("{} of {}", part, whole);
}

std::string sentence(ReproductionStudy const& study) {
    auto const t = study.tally();
    auto text = fmt::format("State: {}. ", study.state());
    if (t.measured > 0 && !study.is_synthetic())
        text += fmt::format("{} of {} printed numbers were measured, {} of them within {:g} % of "
                            "the printed one. ",
                            t.measured, t.numbers, t.close, 100 * agreement);
    if (t.checked > 0)
        text += fmt::format("Of the claims {} of {} comparisons were measured, and {} hold. ",
                            t.checked, t.claims, t.held);
    if (study.is_synthetic())
        text += "The data is synthetic: its numbers say nothing of the paper's.";
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
}

// The result of a table or figure as text, or as Markdown.
std::string result_of(ReproductionStudy const& study, bool is_markdown) {
    auto const& of = study.reproduction();
    auto text = fmt::format("{}{}: {}\n\nThe paper: {}\n", is_markdown ? "## " : "", of.place(),
                            of.title, of.shows);
    auto const layout = [&](Table const& table) {
        return is_markdown ? markdown(table) : aligned(table);
    };
    if (!of.rows.empty())
        text += fmt::format("Below: what it prints, beside it what was measured{}.\n",
                            study.is_synthetic() ? "" : ", and the difference in per cent");
    for (auto const& [title, table] : study.tables())
        text += fmt::format("\n{}{}{}\n\n{}", is_markdown ? "**" : "", title,
                            is_markdown ? "**" : "", layout(table));
    if (auto const table = study.claims_table(); !table.rows.empty()) text += "\n" + layout(table);
    text += "\n" + sentence(study);
    for (auto const& note : of.notes) text += "- " + note + "\n";
    for (auto const& each : study.missing()) text += "- Not run: " + each + "\n";
    return text;
}

// The list of all tables and figures with their states.
Table list_table(std::vector<ReproductionStudy> const& studies, bool is_markdown) {
    Table table{
        {"name", "paper", "what", "state", "numbers", "within 5 %", "claims that hold"}, {}, 4};
    for (auto const& study : studies) {
        auto const t = study.is_synthetic() ? ReproductionStudy::Tally{} : study.tally();
        auto const& of = study.reproduction();
        table.rows.push_back({is_markdown ? "`" + of.name + "`" : of.name, of.place(), of.title,
                              study.state(), count(t.measured, t.numbers),
                              count(t.close, t.measured), count(t.held, t.checked)});
    }
    return table;
}

std::string list_page(std::vector<ReproductionStudy> const& studies) {
    std::string page =
        "# Reproduction of the papers\n\n"
        "Every table and figure with results of the papers BSAM, MG (Mirror Gradient) and SGBD is "
        "a "
        "file in\n`examples/recsys/reproduce`, and is measured by\n\n"
        "    polder-recsys reproduce NAME --data baby=DIR --data sports=DIR --runs DIR\n\n"
        "This page is written by\n\n"
        "    polder-recsys reproduce --list --results docs/results --markdown "
        "docs/reproduction.md\n\n"
        "| state | |\n|---|---|\n"
        "| reproduced | of the numbers that were measured at least nine in ten are within 5 % of "
        "the printed ones, and of the claims of the paper's text at least nine in ten hold |\n"
        "| differs | fewer of the measured numbers are that close, or fewer of the claims hold |\n"
        "| simulated | measured, but only on synthetic data, or with adjusted information that "
        "is simulated in features |\n"
        "| not run yet | the data is at hand |\n"
        "| data not at hand | no data set of it was given to the command, and no file of results "
        "has runs of it |\n\n"
        "`numbers` are those of the table that were measured, among all that it prints.\n\n";
    page += markdown(list_table(studies, true));
    page += "\n## Data\n\nWho offers the data of the papers; `synthetic:NAME` has the shape of "
            "each.\n\n";
    Table data{{"name", "what", "users", "items", "interactions", "offered by"}, {}, 2};
    for (auto const& each : paper_data()) {
        std::vector<std::string> row{"`" + each.name + "`", each.title, "", "", "", each.offered};
        for (auto const& size : synthetic_sizes)
            if (size.name == each.name) {
                row[2] = std::to_string(size.n_users);
                row[3] = std::to_string(size.n_items);
                row[4] = std::to_string(size.n_interactions);
            }
        data.rows.push_back(std::move(row));
    }
    page += markdown(data);
    page += "\n## What each means\n";
    for (auto const& study : studies) {
        auto const& of = study.reproduction();
        page += fmt::format("\n**`{}`** {}. {}\n\n", of.name, of.title, of.shows);
        for (auto const& note : of.notes) page += "- " + note + "\n";
    }
    return page;
}

// A study for which nothing was measured on real data may have results on synthetic data.
void measure_any(ReproductionStudy& study, ReproduceArguments const& a, Measurements& results) {
    study.measure(results);
    if (study.is_measured() || a.is_synthetic || a.runs.empty()) return;
    std::vector<std::string> sizes{""};
    for (auto const& size : synthetic_sizes) sizes.emplace_back(size.name);
    for (auto const& size : sizes) {
        std::map<std::string, TableSource> sources;
        bool has_runs = false;
        for (auto const& data : study.reproduction().data()) {
            TableSource const source{"synthetic:" + (size.empty() ? shape_of(data) : size), true,
                                     true};
            for (auto const& section : study.reproduction().sections)
                has_runs = has_runs || results.has_runs(section, data, source);
            sources[data] = source;
        }
        if (!has_runs) continue;
        auto given = study.use(std::move(sources));
        study.measure(results);
        if (study.is_measured()) return;
        study.use(std::move(given));
    }
}

int list(ReproduceArguments& a, std::vector<Reproduction> const& all) {
    a.files.expect("--markdown", a.markdown, Mark::markdown());
    Sources const sources(a);
    Measurements results({a.runs}, a.results);
    std::vector<ReproductionStudy> studies;
    for (auto const& each : all) {
        studies.emplace_back(each, a, sources);
        measure_any(studies.back(), a, results);
    }
    if (!a.markdown.empty()) {
        a.files.write_text(a.markdown, markdown_mark + list_page(studies));
    } else {
        fmt::print("{}", aligned(list_table(studies, false)));
    }
    return a.files.exit_code(success);
}

// Runs what is missing. Returns the exit code of the first command that does not end well.
int run_all(std::vector<Call> const& calls, ReproduceArguments const& a, RunCommand const& run) {
    Pause pause(a.runs);
    for (std::size_t k = 0; k < calls.size(); ++k) {
        pause.wait([] { return interrupt_signal() != 0; });
        if (!a.is_quiet)
            fmt::print(stderr, "command {} of {}: {}\n", k + 1, calls.size(),
                       command_line(calls[k].arguments));
        auto const code = call(calls[k], run);
        if (interrupt_signal() != 0) return signal_base + interrupt_signal();
        if (code == success) continue;
        spdlog::error("this command ended with {}: {}", code, command_line(calls[k].arguments));
        return code;
    }
    return success;
}

int reproduce(ReproduceArguments& a, RunCommand const& run) {
    if (a.pause) return carry_out(a.pause, a.runs.empty() ? default_runs : a.runs, a.files);
    if (!a.size.empty()) a.is_synthetic = true;
    if (a.is_synthetic && !a.data.empty())
        throw std::invalid_argument("--data and --synthetic: expected one of them");
    std::vector<Reproduction> chosen;
    for (auto const& name : a.names) {
        if (name == "all") {
            chosen.insert(chosen.end(), reproductions().begin(), reproductions().end());
            continue;
        }
        chosen.push_back(find_reproduction(name));
    }
    if (a.lists) return list(a, chosen.empty() ? reproductions() : chosen);
    if (chosen.empty())
        throw std::invalid_argument("expected the name of a table or figure, or --list");
    std::vector<std::string> known;
    for (auto const& each : chosen)
        for (auto const& section : each.sections) {
            known.insert(known.end(), section.data.begin(), section.data.end());
            for (auto const& name : section.models) known.push_back(name.printed);
            for (auto const& name : section.methods) known.push_back(name.printed);
        }
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    for (auto const& each : a.only) require_known("data set, model or method", each, known);
    if (a.runs.empty()) a.runs = default_runs;
    Sources const sources(a);
    a.files.expect("--csv", a.csv, Mark::csv("table,data,simulated,section,"));
    a.files.expect("--markdown", a.markdown, Mark::markdown());

    int code = success;
    std::string pages;
    auto details = ReproductionStudy::details();
    bool is_first = true;
    catch_interrupts();
    for (auto const& each : chosen) {
        ReproductionStudy study(each, a, sources);
        auto const calls = study.calls();
        if (a.prints) {
            for (auto const& call : calls) fmt::print("{}\n", command_line(call.arguments));
            if (calls.empty())
                for (auto const& why : study.missing()) spdlog::warn("{}: {}", each.name, why);
            continue;
        }
        code = run_all(calls, a, run);
        Measurements results({a.runs}, a.results);
        study.measure(results);
        fmt::print("{}{}", is_first ? "" : "\n", result_of(study, false));
        std::fflush(stdout);
        is_first = false;
        pages += (pages.empty() ? "" : "\n") + result_of(study, true);
        study.add_details(details);
        if (code != success) break;
    }
    if (a.prints) return success;
    a.files.write_text(a.csv, csv(details));
    a.files.write_text(a.markdown, markdown_mark + pages);
    if (interrupt_signal() != 0)
        spdlog::warn("interrupted: the tables have what was measured; the same command goes on "
                     "from here");
    return a.files.exit_code(code);
}

}  // namespace

Command add_reproduce(CLI::App& program, RunCommand run) {
    auto const arguments = std::make_shared<ReproduceArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "reproduce", "Measure tables and figures of the papers, beside what they print");
    a.files.add_option(*command);
    command->footer(
        "A table is what compare, robustness and landscape make of its models, methods and data; "
        "--commands prints the commands. Their runs are kept in the folder --runs, in which "
        "tables share them: interrupted, the same command goes on where it was.\n\n"
        "Reproduced means: of the numbers that were measured at least nine in ten are within 5 % "
        "of the printed ones, and of the claims in the text of the paper at least nine in ten "
        "hold.\n\nExamples:\n"
        "  polder-recsys reproduce --list\n"
        "  polder-recsys reproduce mg-table-9 --data baby=DIR --data clothing=DIR\n"
        "  polder-recsys reproduce bsam-table-2 --data baby=DIR --only LightGCN --only LayerGCN\n"
        "  polder-recsys reproduce bsam-figure-8 --size tiny --quick");
    command->add_option("names", a.names,
                        "Tables and figures, as --list names them; files of that kind, *.toml; or "
                        "all");
    command->add_flag("--list", a.lists,
                      "Print every table and figure with its state, from --runs and --results");
    auto group = "Data";
    auto const repeated = [](CLI::Option* option) {
        option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
        return option;
    };
    repeated(command->add_option("--data", a.data,
                                 "Where a data set lies, may be given several times; without a "
                                 "name that of the folder. Parts of a table whose data is not at "
                                 "hand are left out"))
        ->type_name("[NAME=]DIR")
        ->group(group);
    command
        ->add_flag("--synthetic", a.is_synthetic,
                   "Synthetic data of the shape of each data set in its place")
        ->group(group);
    std::vector<std::string_view> sizes;
    for (auto const& size : synthetic_sizes) sizes.push_back(size.name);
    command
        ->add_option("--size", a.size,
                     fmt::format("Synthetic data of this size in the place of all data sets: {}",
                                 fmt::join(sizes, ", ")))
        ->type_name("NAME")
        ->group(group);
    group = "Runs";
    repeated(command->add_option("--only", a.only,
                                 "Only this data set, model or method, as the table has it; may "
                                 "be given several times"))
        ->type_name("NAME")
        ->group(group);
    command
        ->add_flag("--quick", a.is_quick,
                   "Only a trial: the first data set, the first two sections, models and methods, "
                   "one seed, few draws and points")
        ->group(group);
    command
        ->add_option("--seeds", a.seeds,
                     "Number of seeds: 999 and those that follow it. Default: that of the table, "
                     "mostly 1")
        ->check(whole_number<int>(1))
        ->group(group);
    command
        ->add_option("--epochs", a.epochs,
                     "Epochs at most. Default: that of the table, mostly 1000")
        ->check(whole_number<int>(1))
        ->group(group);
    command
        ->add_option("--jobs", a.jobs,
                     "Processes that train; each has its share of the threads, unless --threads "
                     "says how many")
        ->check(whole_number<int>(1))
        ->capture_default_str()
        ->group(group);
    command->add_option("--threads", a.threads, "Threads; results do not depend on them")
        ->check(whole_number<int>(1))
        ->group(group);
    command->add_flag("--commands", a.prints, "Print the commands, and run nothing")->group(group);
    group = "Files";
    command
        ->add_option("--runs", a.runs,
                     "The folder for runs and for what the commands print. Default: reproduced; "
                     "with --list none")
        ->type_name("DIR")
        ->group(group);
    add_pause_options(*command, a.pause);
    repeated(command->add_option("--results", a.results,
                                 "Further results: files of polder-recsys runs --csv, or folders "
                                 "of them. Runs with the settings of a table are taken from there"))
        ->type_name("FILE|DIR")
        ->group(group);
    command
        ->add_option("--csv", a.csv,
                     "Write one row for each number here: published, measured, difference")
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option("--markdown", a.markdown,
                     "Write the tables here, as Markdown; with --list the page of all of them")
        ->type_name("FILE")
        ->group(group);
    command->add_flag("--quiet", a.is_quiet, "No progress");
    return {command, [arguments, run = std::move(run)] { return reproduce(*arguments, run); }};
}

}  // namespace polder::recsys::app
