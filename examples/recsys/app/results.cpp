#include "recsys/app/results.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/run.hpp"
#include "recsys/evaluation/significance.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

std::string content_of(fs::path const& file) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) throw std::runtime_error(file.string() + ": cannot be read");
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// A run's report as JSON. `model` and `method`: what they are called, where the file says it.
KnownRun run_of_report(Json report, std::string model, std::string method,
                       std::string const& file) {
    KnownRun run;
    run.file = file;
    run.data = text_of(report.at("data").at("name"));
    run.model = std::move(model);
    run.method = std::move(method);
    run.seed = report.at("seed").get<std::uint64_t>();
    for (auto const& [name, value] : report.at("hyper_parameters").items())
        if (!value.is_null()) run.settings[name] = text_of(value);
    run.ending = text_of(report.at("ending"));
    run.device = report.value("device", std::string("cpu"));
    if (!report.contains("test_users"))
        report["test_users"] = {
            {"user", Json::array()}, {"rows", Json::array()}, {"ranks", Json::array()}};
    run.cell = cell_of_json(report);
    run.epochs = report.at("epochs");
    for (auto const& epoch : run.epochs)
        run.seconds +=
            epoch.at("train_seconds").get<double>() + epoch.at("evaluation_seconds").get<double>();
    return run;
}

// The lines of CSV after RFC 4180.
std::vector<std::vector<std::string>> csv_lines(std::string const& text) {
    std::vector<std::vector<std::string>> lines;
    std::vector<std::string> line(1);
    bool is_quoted = false, is_begun = false;
    auto const end_line = [&] {
        if (is_begun) lines.push_back(line);
        line.assign(1, "");
        is_begun = false;
    };
    for (std::size_t k = 0; k < text.size(); ++k) {
        char const c = text[k];
        if (is_quoted) {
            if (c != '"')
                line.back() += c;
            else if (k + 1 < text.size() && text[k + 1] == '"')
                line.back() += text[++k];
            else
                is_quoted = false;
        } else if (c == '"') {
            is_quoted = is_begun = true;
        } else if (c == ',') {
            line.emplace_back();
            is_begun = true;
        } else if (c == '\n') {
            end_line();
        } else if (c != '\r') {
            line.back() += c;
            is_begun = true;
        }
    }
    end_line();
    return lines;
}

constexpr std::string_view rows_begin = "data,model,optimizer,base,seed,ending,epochs,";

// The rows of `runs --csv`. Columns are known by their names; rows of before have fewer.
std::vector<KnownRun> runs_of_rows(std::string const& text, std::string const& file) {
    auto const lines = csv_lines(text);
    std::map<std::string, std::size_t> columns;
    for (std::size_t k = 0; k < lines.front().size(); ++k) columns[lines.front()[k]] = k;
    std::vector<KnownRun> runs;
    for (std::size_t l = 1; l < lines.size(); ++l) {
        auto const& line = lines[l];
        auto const fail = [&](std::string const& what) {
            throw std::runtime_error(fmt::format("{}: row {}: {}", file, l, what));
        };
        if (line.size() != lines.front().size())
            fail(fmt::format("has {} cells, expected {}", line.size(), lines.front().size()));
        auto const cell = [&](std::string const& name) {
            auto const found = columns.find(name);
            return found == columns.end() ? std::string() : line[found->second];
        };
        auto const number = [&](std::string const& name) {
            auto const value = cell(name);
            if (value.empty()) return unmeasured;
            double result = 0;
            auto const end = value.data() + value.size();
            auto const [rest, error] = std::from_chars(value.data(), end, result);
            if (error != std::errc{} || rest != end)
                fail(fmt::format("{} = '{}', expected a number", name, value));
            return result;
        };
        KnownRun run;
        run.file = file;
        run.data = cell("data");
        run.model = cell("model");
        run.method = cell("optimizer");
        auto const seed = number("seed");
        if (!(seed >= 0)) fail("has no seed");
        run.seed = static_cast<std::uint64_t>(seed);
        run.ending = cell("ending");
        run.seconds = number("seconds");
        // "a=1:b=2:..."; a value may have colons of its own, but no name does.
        std::stringstream parts(cell("settings"));
        std::string last;
        for (std::string part; std::getline(parts, part, ':');)
            if (auto const equals = part.find('='); equals != std::string::npos)
                run.settings[last = part.substr(0, equals)] = part.substr(equals + 1);
            else if (!last.empty())
                run.settings[last] += ":" + part;
        run.settings["base"] = cell("base");
        auto& of = run.cell;
        of.best_epoch = number("best_epoch");
        of.has_best = std::isfinite(of.best_epoch);
        of.n_epochs = number("epochs");
        of.seconds_per_epoch = number("train_seconds") / of.n_epochs;
        of.sharpness = number("sharpness");
        of.cosine = number("cosine");
        of.distance = number("distance");
        of.gradients = number("gradients");
        of.memory_bytes = number("memory_bytes");
        of.gap = number("gap");
        auto const read = [&](Metrics& metrics, std::string const& split) {
            Metrics::visit(metrics, [&](std::string const& name, double& value) {
                value = number(split + name);
            });
        };
        read(of.valid, "valid_");
        read(of.test, "test_");
        runs.push_back(std::move(run));
    }
    return runs;
}

class RunsReader {
public:
    void read(fs::path const& place) {
        std::error_code error;
        if (fs::is_directory(place, error)) {
            std::vector<fs::path> files;
            for (auto const& entry : fs::recursive_directory_iterator(place, error))
                if (entry.is_regular_file(error)) files.push_back(entry.path());
            if (error) throw std::runtime_error(place.string() + ": " + error.message());
            std::sort(files.begin(), files.end());
            for (auto const& file : files) read_file(file);
        } else if (fs::is_regular_file(place, error)) {
            read_file(place);
        } else {
            throw std::runtime_error(place.string() + ": there is no such file or folder");
        }
    }

    Results finish() {
        // Of a run that is there twice the first in this order counts: it says more.
        std::set<Key> known;
        for (auto* const runs : {&kept_, &reports_, &rows_})
            for (auto& run : *runs)
                if (known.insert(key_of(run)).second) results_.runs.push_back(std::move(run));
        return std::move(results_);
    }

private:
    using Key = std::tuple<std::string, std::string, std::string,
                           std::map<std::string, std::string>, std::uint64_t>;
    static Key key_of(KnownRun const& run) {
        return {run.data, name_of(run.model), name_of(run.method), run.settings, run.seed};
    }

    void read_file(fs::path const& file) {
        auto const name = file.filename().string();
        if (name.ends_with(".dropped.json"))
            ++results_.n_dropped;
        else if (name.ends_with(".json"))
            read_json(file);
        else if (name.ends_with(".csv"))
            read_csv(file);
        else if (name.ends_with(".toml"))
            read_toml(file);
    }

    void read_json(fs::path const& file) {
        auto const text = content_of(file);
        auto json = Json::parse(text, nullptr, false);
        if (json.is_discarded())
            throw std::runtime_error(file.string() + ": is damaged: it is not JSON");
        auto const is_report = [](Json const& each) {
            return each.is_object() && each.contains("hyper_parameters") &&
                   each.contains("epochs") && each.contains("best_epoch");
        };
        auto const add = [&](Json& report, std::vector<KnownRun>& to, Json const& texts) {
            // An interrupted run is not a result.
            if (report.at("ending") == "interrupted" || report.at("best_epoch").is_null()) return;
            auto const called = [&](char const* key, char const* in_report) {
                return texts.contains(key) ? text_of(texts[key]) : text_of(report.at(in_report));
            };
            auto model = called("model", "model"), method = called("method", "optimizer");
            to.push_back(run_of_report(std::move(report), std::move(model), std::move(method),
                                       file.string()));
        };
        try {
            if (!json.is_object()) {
                results_.others.push_back(file.string());
            } else if (json.contains("identity") && json.contains("run")) {
                auto report = std::move(json["run"]);
                auto const data = json["identity"].value("data", std::string());
                add(report, kept_, json);
                if (!kept_.empty() && kept_.back().file == file.string()) {
                    auto& run = kept_.back();
                    run.is_of_search = fs::exists(file.parent_path() / "tune.toml");
                    // Other data of the same name is other data.
                    auto const first = contents_.emplace(run.data, data).first->second;
                    if (first != data)
                        run.data += fmt::format(" ({})", data.substr(data.rfind(' ') + 1));
                }
            } else if (is_report(json)) {
                add(json, reports_, Json::object());
            } else if (json.contains("rows") && json.contains("runs") && json["runs"].is_array()) {
                for (auto& run : json["runs"])
                    if (is_report(run)) add(run, reports_, Json::object());
            } else if (json.value("command", Json()) == "robustness" && json.contains("results")) {
                results_.robustness.push_back({file.string(), std::move(json)});
            } else if (json.value("command", Json()) == "landscape" && json.contains("results")) {
                results_.landscapes.push_back({file.string(), std::move(json)});
            } else {
                results_.others.push_back(file.string());
            }
        } catch (nlohmann::json::exception const& error) {
            throw std::runtime_error(file.string() + ": is damaged: " + error.what());
        }
    }

    void read_csv(fs::path const& file) {
        auto const text = content_of(file);
        if (!text.starts_with(rows_begin)) return;  // tables that other commands wrote
        for (auto& run : runs_of_rows(text, file.string()))
            if (run.cell.has_best) rows_.push_back(std::move(run));
    }

    void read_toml(fs::path const& file) {
        auto const text = content_of(file);
        for (auto const* command : {"[compare]\n", "[tune]\n", "[train]\n"})
            if (text.starts_with(command)) results_.configurations.push_back({file.string(), text});
    }

    Results results_;
    std::vector<KnownRun> kept_, reports_, rows_;
    std::map<std::string, std::string> contents_;  // of data sets, by name
};

double mean_valid(ComparisonRow const& row, std::string const& metric) {
    double sum = 0;
    for (auto const& cell : row.cells) sum += cell.valid[metric];
    return sum / static_cast<double>(row.cells.size());
}

std::string base_of(KnownRun const& run) {
    auto const found = run.settings.find("base");
    return found == run.settings.end() ? std::string() : found->second;
}

// How many settings that both have are different.
std::size_t n_different(std::map<std::string, std::string> const& a,
                        std::map<std::string, std::string> const& b) {
    return static_cast<std::size_t>(std::count_if(a.begin(), a.end(), [&](auto const& each) {
        auto const found = b.find(each.first);
        return found != b.end() && found->second != each.second;
    }));
}

// One row to be: the runs with the same settings.
using Runs = std::vector<KnownRun const*>;
using RowKey = std::tuple<std::string, std::string, std::map<std::string, std::string>>;
struct RowRuns {
    RowKey key;
    Runs runs;
};

// Which of the rows the improvements are over.
std::size_t base_row(std::vector<RowRuns> const& rows) {
    std::size_t best = 0;
    auto best_value = std::tuple(true, std::size_t{0}, std::size_t{0}, std::string());
    for (std::size_t k = 0; k < rows.size(); ++k) {
        auto const& run = *rows[k].runs.front();
        std::size_t different = 0;
        for (auto const& other : rows)
            different += n_different(run.settings, other.runs.front()->settings);
        auto value =
            std::tuple(name_of(run.method) != "none", different,
                       std::numeric_limits<std::size_t>::max() - rows[k].runs.size(), run.method);
        // Without none the first by name.
        if (std::get<0>(value)) value = {true, 0, 0, run.method};
        if (k == 0 || value < best_value) {
            best = k;
            best_value = value;
        }
    }
    return best;
}

// "none" and, where another row has the same name, the settings that differ: "none batch_size=4096".
void distinguish(std::vector<ComparisonRow>& rows, std::vector<Runs> const& runs) {
    for (std::size_t k = 1; k < rows.size(); ++k) {
        std::string more;
        for (std::size_t other = 0; other < rows.size(); ++other) {
            if (other == k || rows[other].model != rows[k].model ||
                runs[other].front()->method != runs[k].front()->method || !more.empty())
                continue;
            auto const& theirs = runs[other].front()->settings;
            for (auto const& [name, value] : runs[k].front()->settings)
                if (auto const found = theirs.find(name);
                    found != theirs.end() && found->second != value)
                    more += fmt::format(" {}={}", name, value);
        }
        rows[k].optimizer += more;
    }
}

}  // namespace

Results read_results(std::vector<std::string> const& places) {
    RunsReader reader;
    for (auto const& place : places) reader.read(place);
    return reader.finish();
}

std::string name_of(std::string const& text) { return text.substr(0, text.find(':')); }

std::string data_family(std::string const& data) {
    return data.substr(0, data.find(" (data seed "));
}

std::vector<ResultGroup> compared(std::vector<KnownRun> const& runs, std::string const& metric) {
    // By data, model and base optimizer; then by settings.
    std::map<std::tuple<std::string, std::string, std::string>, std::map<RowKey, Runs>> all;
    for (auto const& run : runs)
        all[{run.data, run.model, base_of(run)}]
           [{name_of(run.model), name_of(run.method), run.settings}]
               .push_back(&run);
    for (auto& [key, rows] : all) {
        bool const has_seeds = std::any_of(rows.begin(), rows.end(),
                                           [](auto const& row) { return row.second.size() > 1; });
        std::erase_if(rows, [&](auto const& row) {
            return row.second.size() == 1 && (has_seeds || row.second.front()->is_of_search);
        });
    }
    std::erase_if(all, [](auto const& each) { return each.second.empty(); });

    // Models that all have one and the same optimizer are compared with each other.
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<RowRuns>> groups;
    for (auto& [key, rows] : all) {
        auto const& [data, model, base] = key;
        auto const is_like = [&, &d = data, &b = base](auto const& other) {
            return std::get<0>(other.first) == d && std::get<2>(other.first) == b;
        };
        std::set<std::string> methods;
        std::size_t n_models = 0;
        for (auto const& other : all)
            if (is_like(other)) {
                ++n_models;
                for (auto const& row : other.second) methods.insert(row.second.front()->method);
            }
        bool const is_of_models = n_models > 1 && methods.size() == 1;
        auto& group = groups[{data, is_of_models ? std::string() : model, base}];
        for (auto& [row_key, row] : rows) {
            std::sort(row.begin(), row.end(),
                      [](auto const* a, auto const* b) { return a->seed < b->seed; });
            group.push_back({row_key, row});  // a copy: the next key looks at this one's rows, too
        }
    }

    std::vector<ResultGroup> result;
    for (auto& [key, rows] : groups) {
        ResultGroup group{std::get<0>(key), std::get<1>(key), std::get<2>(key), {}, {}};
        std::swap(rows.front(), rows[base_row(rows)]);
        std::vector<std::pair<ComparisonRow, Runs>> made;
        for (auto& row : rows) {
            ComparisonRow compared{row.runs.front()->model, row.runs.front()->method, 0, {}};
            for (auto const* run : row.runs) compared.cells.push_back(run->cell);
            made.emplace_back(std::move(compared), std::move(row.runs));
        }
        std::stable_sort(made.begin() + 1, made.end(), [&](auto const& a, auto const& b) {
            return mean_valid(a.first, metric) > mean_valid(b.first, metric);
        });
        for (auto& [row, of] : made) {
            group.rows.push_back(std::move(row));
            group.runs.push_back(std::move(of));
        }
        distinguish(group.rows, group.runs);
        result.push_back(std::move(group));
    }
    return result;
}

std::vector<Search> searches(std::vector<KnownRun> const& runs, std::string const& metric) {
    std::map<std::tuple<std::string, std::string, std::string>, std::map<RowKey, Runs>> all;
    for (auto const& run : runs)
        all[{run.data, name_of(run.model), base_of(run)}]
           [{name_of(run.model), name_of(run.method), run.settings}]
               .push_back(&run);
    std::vector<Search> result;
    for (auto const& [key, rows] : all) {
        auto const is_single = [](auto const& row) { return row.second.size() == 1; };
        bool const has_search = std::any_of(rows.begin(), rows.end(), [](auto const& row) {
            return std::any_of(row.second.begin(), row.second.end(),
                               [](auto const* run) { return run->is_of_search; });
        });
        bool const is_mixed = std::any_of(rows.begin(), rows.end(), is_single) &&
                              !std::all_of(rows.begin(), rows.end(), is_single);
        if (!has_search && !is_mixed) continue;
        // The search's seed is that of most runs.
        std::map<std::uint64_t, std::size_t> seeds;
        for (auto const& row : rows)
            for (auto const* run : row.second)
                if (run->is_of_search || !has_search) ++seeds[run->seed];
        auto const seed =
            std::max_element(seeds.begin(), seeds.end(), [](auto const& a, auto const& b) {
                return a.second < b.second;
            })->first;
        Search search{std::get<0>(key), std::get<1>(key), std::get<2>(key), {}};
        for (auto const& row : rows)
            for (auto const* run : row.second)
                if (run->seed == seed && (run->is_of_search || !has_search))
                    search.runs.push_back(run);
        std::stable_sort(search.runs.begin(), search.runs.end(), [&](auto const* a, auto const* b) {
            return a->cell.valid[metric] > b->cell.valid[metric];
        });
        if (search.runs.size() > 1) result.push_back(std::move(search));
    }
    return result;
}

namespace {

bool is_same(std::string const& a, std::string const& b) {
    auto const x = Json::parse(a, nullptr, false), y = Json::parse(b, nullptr, false);
    if (x.is_number() && y.is_number()) return x.get<double>() == y.get<double>();
    return a == b;
}

// A word for a shell.
std::string word(std::string const& text) {
    bool const is_plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view("-_=+:.,/@%").find(static_cast<char>(c)) != std::string_view::npos;
    });
    if (is_plain && !text.empty()) return text;
    std::string quoted = "'";
    for (char const c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

}  // namespace

std::string command_of(KnownRun const& run) {
    auto const family = data_family(run.data);
    auto text = "polder-recsys train --data " + word(family);
    if (family != run.data) {
        auto const begin = family.size() + std::string_view(" (data seed ").size();
        text += " --data-seed " + run.data.substr(begin, run.data.find(')', begin) - begin);
    }
    auto model = run.model, method = run.method;
    std::set<std::string> said{"base"};
    auto const add = [&](std::string& to, std::string const& name, std::string const& key,
                         std::string const& by_default) {
        auto const found = run.settings.find(key);
        if (found == run.settings.end()) return;
        said.insert(key);
        bool const is_there = to.find(":" + name + "=") != std::string::npos;
        if (!is_there && !is_same(found->second, by_default))
            to += ":" + name + "=" + found->second;
    };
    try {
        auto const descriptions = find_model(name_of(model)).hyper_parameters();
        for (auto const& each : descriptions) add(model, each.name, each.name, each.default_value);
        auto options = parse_optimizer(run.method, {"none", base_of(run), {}});
        for (auto const& each : optimizer_values(options)) {
            auto const own = "optimizer." + std::string(each.name);
            add(method, std::string(each.name),
                run.settings.contains(own) ? own : std::string(each.name), to_text(each.value));
        }
    } catch (std::invalid_argument const&) {
        // A model or an option that this program does not know: what was said on the command line stands alone.
    }
    text += " --model " + word(model) + " --optimizer " + word(method);
    if (auto const base = base_of(run); !base.empty()) text += " --base " + word(base);
    TrainingOptions const defaults;
    for (auto const& [key, option, by_default] :
         {std::tuple{"rates", "--rates", std::string()},
          std::tuple{"start", "--start", std::string()},
          std::tuple{"start_tables", "--start-tables", std::string()},
          std::tuple{"batch_size", "--batch-size", std::to_string(defaults.batch_size)},
          std::tuple{"max_epochs", "--epochs", std::to_string(defaults.epochs)},
          std::tuple{"eval_step", "--eval-step", std::to_string(defaults.eval_step)},
          std::tuple{"stopping_step", "--stopping-step", std::to_string(defaults.stopping_step)},
          std::tuple{"eval_users", "--eval-users", std::to_string(defaults.eval_users)},
          std::tuple{"valid_metric", "--valid-metric", defaults.valid_metric},
          std::tuple{"decay_factor", "--decay-factor", fmt::format("{}", defaults.decay_factor)},
          std::tuple{"decay_epochs", "--decay-epochs", fmt::format("{}", defaults.decay_epochs)}}) {
        auto const found = run.settings.find(key);
        if (found != run.settings.end() && !is_same(found->second, by_default))
            text += fmt::format(" {} {}", option, word(found->second));
    }
    if (!run.device.empty() && run.device != "cpu") text += " --device " + word(run.device);
    return text + fmt::format(" --seed {}", run.seed);
}

}  // namespace polder::recsys::app
