#include "recsys/app/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::string number_or_dash(double value, std::string_view format) {
    return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "-";
}

std::string full_number(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : std::string();
}

std::string p_text(double p) {
    if (std::isnan(p)) return "-";
    return p < 0.001 ? "<.001" : fmt::format("{:.3f}", p).substr(p < 1 ? 1 : 0);
}

// What columns besides a metric may show.
struct Column {
    std::string name;
    double CellResult::*member;
    std::string_view format;
};
Column const columns[] = {{"cosine", &CellResult::cosine, "{:.3f}"},
                          {"distance", &CellResult::distance, "{:.3g}"},
                          {"sharpness", &CellResult::sharpness, "{:.2e}"}};

double valid_mean(ComparisonRow const& row, std::string_view metric) {
    std::vector<double> values;
    for (auto const& cell : row.cells) values.push_back(cell.valid[metric]);
    return spread(values).mean;
}

Spread over_cells(ComparisonRow const& row, double CellResult::*member) {
    std::vector<double> values;
    for (auto const& cell : row.cells) values.push_back(cell.*member);
    return spread(values);
}

// Each user's value, the mean over seeds; users are the same in all cells of a data set.
std::map<std::int32_t, double> user_values(ComparisonRow const& row, std::string_view metric) {
    std::map<std::int32_t, double> result;
    for (auto const& cell : row.cells)
        for (auto const& user : cell.users)
            result[user.user] +=
                metrics_of_hits(user)[metric] / static_cast<double>(row.cells.size());
    return result;
}

}  // namespace

CellResult cell_of_json(Json const& report) {
    CellResult cell;
    cell.has_best = !report.at("best_epoch").is_null();
    if (!cell.has_best) return cell;
    auto const read = [&](Metrics& metrics, Json const& values) {
        Metrics::visit(metrics, [&](std::string const& name, double& value) {
            value = values.at(name).get<double>();
        });
    };
    read(cell.valid, report.at("valid"));
    read(cell.test, report.at("test"));
    cell.best_epoch = report.at("best_epoch").get<double>();
    auto const& epochs = report.at("epochs");
    cell.n_epochs = static_cast<double>(epochs.size());
    double seconds = 0;
    for (auto const& epoch : epochs) {
        seconds += epoch.at("train_seconds").get<double>();
        if (epoch.at("epoch") != report.at("best_epoch")) continue;
        cell.sharpness = number_of_json(epoch.at("sharpness"));
        cell.cosine = number_of_json(epoch.value("cosine", Json()));
        cell.distance = number_of_json(epoch.value("distance", Json()));
    }
    cell.seconds_per_epoch = seconds / cell.n_epochs;
    auto const& users = report.at("test_users");
    auto const& ids = users.at("user");
    for (std::size_t k = 0; k < ids.size(); ++k)
        cell.users.push_back({ids.at(k).get<std::int32_t>(),
                              users.at("rows").at(k).get<std::size_t>(),
                              users.at("ranks").at(k).get<std::vector<int>>()});
    return cell;
}

Json json_of_hits(std::vector<UserHits> const& users) {
    Json ids = Json::array(), rows = Json::array(), ranks = Json::array();
    for (auto const& user : users) {
        ids.push_back(user.user);
        rows.push_back(user.n_rows);
        ranks.push_back(user.ranks);
    }
    return {{"user", std::move(ids)}, {"rows", std::move(rows)}, {"ranks", std::move(ranks)}};
}

std::vector<double> ComparisonRow::values(std::string_view metric) const {
    std::vector<double> result;
    for (auto const& cell : cells) result.push_back(cell.test[metric]);
    return result;
}

Improvement improvement(std::vector<ComparisonRow> const& rows, std::size_t row,
                        std::string_view metric) {
    auto const& own = rows[row];
    auto const values = own.values(metric);
    Improvement result{spread(values), nan, nan, nan, own.base == row};
    if (result.is_base) return result;
    auto const& base = rows[own.base];
    auto const over = base.values(metric);
    double const mean = spread(over).mean;
    result.percent = result.spread.mean == mean ? 0 : 100 * (result.spread.mean - mean) / mean;
    result.p_seeds = welch_t_test(values, over).p;

    auto const mine = user_values(own, metric), theirs = user_values(base, metric);
    std::vector<double> a, b;
    for (auto const& [user, value] : mine)
        if (auto const found = theirs.find(user); found != theirs.end()) {
            a.push_back(value);
            b.push_back(found->second);
        }
    result.p_users = paired_t_test(a, b).p;
    return result;
}

std::vector<std::string> const& further_columns() {
    static std::vector<std::string> const names = [] {
        std::vector<std::string> result;
        for (auto const& column : columns) result.push_back(column.name);
        return result;
    }();
    return names;
}

Table comparison_table(std::vector<ComparisonRow> const& rows, std::string const& metric,
                       std::vector<std::string> const& further) {
    Table table{{"model", "optimizer", metric, "vs base", "p users", "p seeds", "", "valid",
                 "best epoch", "s/epoch"},
                {},
                2};
    std::vector<Column> chosen;
    for (auto const& name : further) {
        auto const* const found =
            std::find_if(std::begin(columns), std::end(columns),
                         [&](auto const& column) { return column.name == name; });
        if (found == std::end(columns)) refuse_name("column", name, further_columns());
        chosen.push_back(*found);
        table.header.push_back(name);
    }
    for (std::size_t k = 0; k < rows.size(); ++k) {
        auto const& row = rows[k];
        auto const i = improvement(rows, k, metric);
        auto value = number_or_dash(i.spread.mean, "{:.4f}");
        if (std::isfinite(i.spread.deviation))
            value += fmt::format(" ± {:.4f}", i.spread.deviation);
        std::vector<std::string> cells{
            row.model,
            row.optimizer,
            std::move(value),
            i.is_base ? "base" : number_or_dash(i.percent, "{:+.1f} %"),
            p_text(i.p_users),
            p_text(i.p_seeds),
            i.is_significant() ? "*" : "",
            number_or_dash(valid_mean(row, metric), "{:.4f}"),
            number_or_dash(over_cells(row, &CellResult::best_epoch).mean, "{:.0f}"),
            number_or_dash(over_cells(row, &CellResult::seconds_per_epoch).mean, "{:.3f}")};
        for (auto const& column : chosen)
            cells.push_back(number_or_dash(over_cells(row, column.member).mean, column.format));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

Table comparison_details(std::vector<ComparisonRow> const& rows) {
    Table table{{"model", "optimizer", "base_model", "base_optimizer", "runs"}, {}, 2};
    for (auto const& metric : Metrics::names())
        for (auto const* part :
             {"_mean", "_std", "_improvement_percent", "_p_users", "_p_seeds", "_significant"})
            table.header.push_back(metric + part);
    for (auto const& metric : Metrics::names()) table.header.push_back("valid_" + metric + "_mean");
    for (auto const* name : {"best_epoch_mean", "epochs_mean", "train_seconds_per_epoch_mean",
                             "sharpness_mean", "cosine_mean", "distance_mean"})
        table.header.emplace_back(name);
    for (std::size_t k = 0; k < rows.size(); ++k) {
        auto const& row = rows[k];
        std::vector<std::string> cells{row.model, row.optimizer, rows[row.base].model,
                                       rows[row.base].optimizer, std::to_string(row.cells.size())};
        for (auto const& metric : Metrics::names()) {
            auto const i = improvement(rows, k, metric);
            for (double const value :
                 {i.spread.mean, i.spread.deviation, i.percent, i.p_users, i.p_seeds})
                cells.push_back(full_number(value));
            cells.emplace_back(i.is_significant() ? "1" : "0");
        }
        for (auto const& metric : Metrics::names())
            cells.push_back(full_number(valid_mean(row, metric)));
        for (auto const member :
             {&CellResult::best_epoch, &CellResult::n_epochs, &CellResult::seconds_per_epoch,
              &CellResult::sharpness, &CellResult::cosine, &CellResult::distance})
            cells.push_back(full_number(over_cells(row, member).mean));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

Json comparison_json(std::vector<ComparisonRow> const& rows) {
    Json result = Json::array();
    for (std::size_t k = 0; k < rows.size(); ++k) {
        auto const& row = rows[k];
        Json metrics = Json::object();
        for (auto const& metric : Metrics::names()) {
            auto const i = improvement(rows, k, metric);
            metrics[metric] = {{"mean", json_number(i.spread.mean)},
                               {"std", json_number(i.spread.deviation)},
                               {"improvement_percent", json_number(i.percent)},
                               {"p_users", json_number(i.p_users)},
                               {"p_seeds", json_number(i.p_seeds)},
                               {"significant", i.is_significant()},
                               {"valid_mean", json_number(valid_mean(row, metric))}};
        }
        auto const mean = [&](double CellResult::*member) {
            return json_number(over_cells(row, member).mean);
        };
        result.push_back({{"model", row.model},
                          {"optimizer", row.optimizer},
                          {"base_model", rows[row.base].model},
                          {"base_optimizer", rows[row.base].optimizer},
                          {"runs", row.cells.size()},
                          {"metrics", std::move(metrics)},
                          {"best_epoch_mean", mean(&CellResult::best_epoch)},
                          {"epochs_mean", mean(&CellResult::n_epochs)},
                          {"train_seconds_per_epoch_mean", mean(&CellResult::seconds_per_epoch)},
                          {"sharpness_mean", mean(&CellResult::sharpness)},
                          {"cosine_mean", mean(&CellResult::cosine)},
                          {"distance_mean", mean(&CellResult::distance)}});
    }
    return result;
}

}  // namespace polder::recsys::app
