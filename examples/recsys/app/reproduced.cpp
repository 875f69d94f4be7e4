#include "recsys/app/reproduced.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/app/train_arguments.hpp"
#include "recsys/models/registry.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

std::string file_name(std::string text) {
    for (char& c : text)
        if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '=' || c == '.' || c == '-'))
            c = '_';
    return text;
}

std::string const& written_as(std::vector<PrintedName> const& names, std::string const& printed) {
    return std::find_if(names.begin(), names.end(),
                        [&](auto const& each) { return each.printed == printed; })
        ->text;
}

// The cells of a line of CSV after RFC 4180; the files have no line feeds in cells.
std::vector<std::string> csv_cells(std::string const& line) {
    std::vector<std::string> cells(1);
    bool is_quoted = false;
    for (char const c : line) {
        if (c == '"')
            is_quoted = !is_quoted;
        else if (c == ',' && !is_quoted)
            cells.emplace_back();
        else if (c != '\r')
            cells.back() += c;
    }
    return cells;
}

std::string row_key(std::string const& data, std::uint64_t seed, std::string const& settings) {
    return fmt::format("{} {} {}", data, seed, settings);
}

// Whether a file of results speaks of this checkpoint.
bool is_of(Json const& result, fs::path const& checkpoint) {
    std::error_code error;
    auto const whole = [&](fs::path const& file) { return fs::weakly_canonical(file, error); };
    return whole(result.at("checkpoint").get<std::string>()) == whole(checkpoint);
}

bool is_near(double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(b); }

// The metric under a test; those of a model without tables of items are of what stands in their place.
double under_test(Json const& result, ReproductionColumn const& column) {
    if (!result.contains("test") || result.at("test") != column.of) return std::nan("");
    for (auto const& level : result.at("levels"))
        if (!level.at("relative").get<bool>() &&
            is_near(level.at("size").get<double>(), column.level))
            return level.at("mean").at(column.metric).get<double>();
    return std::nan("");
}

double of_landscape(Json const& result, ReproductionColumn const& column) {
    if (!result.contains("grids")) return std::nan("");
    if (column.of.empty()) {
        auto const& curvature = result.at("curvature");
        if (curvature.is_null()) return std::nan("");
        return number_of_json(
            curvature.at(column.metric == "trace" ? "trace" : "largest_eigenvalue"));
    }
    if (!result.at("grids").contains(column.of)) return std::nan("");
    return number_of_json(
        result.at("grids").at(column.of).at(column.metric == "ring" ? "ring_rise" : "share_below"));
}

}  // namespace

fs::path ReproductionFolder::runs(ComparisonSection const& section, std::string const& data,
                                  TableSource const& source) const {
    auto name = data;
    if (source.is_synthetic) name += "-on-" + source.argument;
    for (auto const& [key, value] : section.options) name += "-" + key + "=" + value;
    return root / "runs" / file_name(name);
}

fs::path ReproductionFolder::table(std::string const& name, TableSource const& source) const {
    return root / file_name(name + (source.is_synthetic ? "-on-" + source.argument : ""));
}

RunOptions run_of(Cell const& cell, std::uint64_t seed, int epochs) {
    std::vector<std::string> arguments{
        "--model=" + written_as(cell.section->models, cell.model),
        "--optimizer=" + written_as(cell.section->methods, cell.method),
        fmt::format("--seed={}", seed),
    };
    for (auto const& [key, value] : cell.section->options)
        arguments.push_back("--" + key + "=" + value);
    if (epochs > 0) arguments.push_back(fmt::format("--epochs={}", epochs));
    TrainArguments a;
    try {
        a = parse_course(std::move(arguments));
    } catch (CLI::Error const& error) {
        throw std::invalid_argument(
            fmt::format("[compare.{}]: {}", cell.section->name, error.what()));
    }
    auto model = parse_model(a.model);
    if (has_published(model.name, shape_of(cell.data))) a.published = shape_of(cell.data);
    return run_options(a);
}

Measurements::Measurements(ReproductionFolder folder, std::vector<std::string> const& results)
    : folder_(std::move(folder)) {
    std::vector<fs::path> files;
    for (auto const& each : results) {
        if (!fs::is_directory(each)) {
            files.emplace_back(each);
            continue;
        }
        for (auto const& entry : fs::directory_iterator(each))
            if (entry.path().extension() == ".csv") files.push_back(entry.path());
    }
    for (auto const& file : files) {
        std::ifstream stream(file);
        std::string line;
        if (!std::getline(stream, line))
            throw std::runtime_error(file.string() + ": cannot be read");
        auto const header = csv_cells(line);
        for (auto const* name : {"data", "seed", "settings"})
            if (std::find(header.begin(), header.end(), name) == header.end())
                throw std::runtime_error(fmt::format(
                    "{}: has no column '{}'; expected a file of polder-recsys runs --csv",
                    file.string(), name));
        for (int number = 2; std::getline(stream, line); ++number) {
            auto const cells = csv_cells(line);
            if (cells.size() != header.size())
                throw std::runtime_error(fmt::format("{}:{}: has {} cells, expected {}",
                                                     file.string(), number, cells.size(),
                                                     header.size()));
            std::map<std::string, std::string> row;
            for (std::size_t k = 0; k < cells.size(); ++k) row[header[k]] = cells[k];
            auto const key = fmt::format("{} {} {}", row["data"], row["seed"], row["settings"]);
            rows_[key] = std::move(row);
        }
    }
}

std::vector<KeptRun> const& Measurements::runs_in(fs::path const& folder) {
    auto const found = runs_.find(folder);
    if (found != runs_.end()) return found->second;
    auto& runs = runs_[folder];
    std::error_code error;
    auto const has_one = [&] {
        for (auto const& entry : fs::directory_iterator(folder, error))
            if (entry.path().extension() == ".json" &&
                !entry.path().filename().string().ends_with(".dropped.json"))
                return true;
        return false;
    };
    if (!folder_.root.empty() && fs::is_directory(folder, error) && has_one())
        runs = kept_runs(folder);
    return runs;
}

Json const& Measurements::results_in(fs::path const& folder) {
    auto const found = results_.find(folder);
    if (found != results_.end()) return found->second;
    auto& results = results_[folder] = Json::array();
    std::error_code error;
    for (auto const& entry : fs::recursive_directory_iterator(folder, error)) {
        if (entry.path().extension() != ".json") continue;
        std::ifstream stream(entry.path());
        auto const json = Json::parse(stream, nullptr, false);
        if (!json.is_object() || !json.contains("results"))
            throw std::runtime_error(entry.path().string() +
                                     ": is damaged: expected results of robustness or landscape");
        for (auto const& each : json.at("results")) results.push_back(each);
    }
    return results;
}

bool Measurements::has_runs(ComparisonSection const& section, std::string const& data,
                            TableSource const& source) {
    return !runs_in(folder_.runs(section, data, source)).empty();
}

std::map<std::string, double> Measurements::values(Reproduction const& of, Cell const& cell,
                                                   TableSource const& source, std::uint64_t seed,
                                                   int epochs) {
    using Kind = ReproductionColumn::Kind;
    std::map<std::string, double> result;
    auto const& model = written_as(cell.section->models, cell.model);
    auto const& method = written_as(cell.section->methods, cell.method);
    if (model.empty() || method.empty()) return result;
    auto const folder = folder_.runs(*cell.section, cell.data, source);
    if (runs_in(folder).empty() && rows_.empty()) return result;
    auto const settings = settings_text(hyper_parameters(run_of(cell, seed, epochs)));
    auto const put = [&](ReproductionColumn const& column, double value) {
        if (std::isfinite(value)) result[column.name] = value;
    };
    for (auto const& run : runs_in(folder)) {
        auto const& report = run.report;
        if (run.model != model || run.method != method || report.at("seed") != seed ||
            settings_text(report.at("hyper_parameters")) != settings || report.at("test").is_null())
            continue;
        auto const checkpoint = folder / (kept_name(run.model, run.method, seed) +
                                          std::string(trained_checkpoint_ending));
        for (auto const& column : of.columns) {
            if (column.kind == Kind::metric || column.kind == Kind::deviation)
                put(column, report.at("test").at(column.metric).get<double>());
            if (column.kind == Kind::best_epoch) put(column, report.at("best_epoch").get<double>());
            if (column.kind == Kind::loss)
                put(column, number_of_json(report.at("epochs").back().at("loss")));
            if (column.kind != Kind::test && column.kind != Kind::landscape) continue;
            for (auto const& each : results_in(folder_.table(of.name, source)))
                if (is_of(each, checkpoint))
                    put(column, column.kind == Kind::test ? under_test(each, column)
                                                          : of_landscape(each, column));
        }
        return result;
    }
    auto const row = rows_.find(row_key(cell.data, seed, settings));
    if (source.is_synthetic || row == rows_.end()) return result;
    for (auto const& column : of.columns) {
        auto const name = column.kind == Kind::metric || column.kind == Kind::deviation
                              ? "test_" + column.metric
                          : column.kind == Kind::best_epoch ? column.name
                                                            : std::string();
        auto const found = row->second.find(name);
        if (found != row->second.end() && !found->second.empty())
            put(column, std::stod(found->second));
    }
    return result;
}

}  // namespace polder::recsys::app
