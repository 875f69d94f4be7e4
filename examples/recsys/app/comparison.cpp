#include "recsys/app/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/app/cells.hpp"
#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

std::string p_text(double p) {
    if (std::isnan(p)) return "-";
    return p < 0.001 ? "<.001" : fmt::format("{:.3f}", p).substr(p < 1 ? 1 : 0);
}

// What columns besides a metric may show.
struct Column {
    std::string name;
    double CellResult::*member;
    std::string_view format;
    double unit = 1;
    double Improvement::*p_value = nullptr;  // in place of a member of the cells
};
Column const columns[] = {{"gradients", &CellResult::gradients, "{:.0f}"},
                          {"memory", &CellResult::memory_bytes, "{:.0f} MB", 1e6},
                          {"gap", &CellResult::gap, "{:.4f}"},
                          {"cosine", &CellResult::cosine, "{:.3f}"},
                          {"distance", &CellResult::distance, "{:.3g}"},
                          {"sharpness", &CellResult::sharpness, "{:.2e}"},
                          {"wilcoxon", nullptr, "", 1, &Improvement::p_wilcoxon},
                          {"holm", nullptr, "", 1, &Improvement::p_holm}};

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
    cell.valid = metrics_of_json(report.at("valid"));
    cell.test = metrics_of_json(report.at("test"));
    cell.best_epoch = report.at("best_epoch").get<double>();
    auto const& epochs = report.at("epochs");
    cell.n_epochs = static_cast<double>(epochs.size());
    double seconds = 0;
    for (auto const& epoch : epochs) {
        seconds += epoch.at("train_seconds").get<double>();
        cell.gradients += number_of_json(epoch.value("gradients", Json()));
        if (epoch.at("epoch") != report.at("best_epoch")) continue;
        cell.sharpness = number_of_json(epoch.at("sharpness"));
        cell.cosine = number_of_json(epoch.value("cosine", Json()));
        cell.distance = number_of_json(epoch.value("distance", Json()));
    }
    cell.seconds_per_epoch = seconds / cell.n_epochs;
    cell.memory_bytes = number_of_json(report.value("peak_memory_bytes", Json()));
    cell.gap = number_of_json(report.value("pair_loss", Json::object()).value("gap", Json()));
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
    Improvement result{spread(values), unmeasured, unmeasured,     unmeasured,
                       unmeasured,     unmeasured, own.base == row};
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
    result.p_wilcoxon = wilcoxon_p(a, b);
    return result;
}

std::vector<Improvement> improvements(std::vector<ComparisonRow> const& rows,
                                      std::string_view metric) {
    std::vector<Improvement> result;
    std::vector<double> p;
    for (std::size_t k = 0; k < rows.size(); ++k) {
        result.push_back(improvement(rows, k, metric));
        p.push_back(result.back().p_users);
    }
    auto const corrected = holm(p);
    for (std::size_t k = 0; k < rows.size(); ++k) result[k].p_holm = corrected[k];
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

std::vector<std::size_t> bases_of(std::vector<OptimizerOptions> const& optimizers) {
    auto const first = [&](std::string const& base, bool is_none) {
        return std::find_if(optimizers.begin(), optimizers.end(), [&](auto const& each) {
            return each.base == base && (!is_none || each.method == "none");
        });
    };
    std::vector<std::size_t> result;
    for (auto const& each : optimizers) {
        auto found = first(each.base, true);
        if (found == optimizers.end()) found = first(each.base, false);
        result.push_back(static_cast<std::size_t>(found - optimizers.begin()));
    }
    return result;
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
    auto const all = improvements(rows, metric);
    for (std::size_t k = 0; k < rows.size(); ++k) {
        auto const& row = rows[k];
        auto const& i = all[k];
        auto value = table_cell(i.spread.mean, "{:.4f}");
        if (std::isfinite(i.spread.deviation))
            value += fmt::format(" ± {:.4f}", i.spread.deviation);
        std::vector<std::string> cells{
            row.model,
            row.optimizer,
            std::move(value),
            i.is_base ? "base" : table_cell(i.percent, "{:+.1f} %"),
            p_text(i.p_users),
            p_text(i.p_seeds),
            i.is_significant() ? "*" : "",
            table_cell(valid_mean(row, metric), "{:.4f}"),
            table_cell(over_cells(row, &CellResult::best_epoch).mean, "{:.0f}"),
            table_cell(over_cells(row, &CellResult::seconds_per_epoch).mean, "{:.3f}")};
        for (auto const& column : chosen)
            cells.push_back(
                column.p_value != nullptr
                    ? p_text(i.*column.p_value)
                    : table_cell(over_cells(row, column.member).mean / column.unit, column.format));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

namespace {

std::map<std::string, std::vector<Improvement>>
improvements_by_metric(std::vector<ComparisonRow> const& rows) {
    std::map<std::string, std::vector<Improvement>> result;
    for (auto const& metric : Metrics::names()) result[metric] = improvements(rows, metric);
    return result;
}

}  // namespace

Table comparison_details(std::vector<ComparisonRow> const& rows) {
    Table table{{"model", "optimizer", "base_model", "base_optimizer", "runs"}, {}, 2};
    for (auto const& metric : Metrics::names())
        for (auto const* part : {"_mean", "_std", "_improvement_percent", "_p_users", "_p_seeds",
                                 "_p_wilcoxon", "_p_holm", "_significant"})
            table.header.push_back(metric + part);
    for (auto const& metric : Metrics::names()) table.header.push_back("valid_" + metric + "_mean");
    for (auto const* name :
         {"best_epoch_mean", "epochs_mean", "train_seconds_per_epoch_mean", "sharpness_mean",
          "cosine_mean", "distance_mean", "gradients_mean", "memory_bytes_mean", "gap_mean"})
        table.header.emplace_back(name);
    auto const all = improvements_by_metric(rows);
    for (std::size_t k = 0; k < rows.size(); ++k) {
        auto const& row = rows[k];
        std::vector<std::string> cells{row.model, row.optimizer, rows[row.base].model,
                                       rows[row.base].optimizer, std::to_string(row.cells.size())};
        for (auto const& metric : Metrics::names()) {
            auto const& i = all.at(metric)[k];
            for (double const value : {i.spread.mean, i.spread.deviation, i.percent, i.p_users,
                                       i.p_seeds, i.p_wilcoxon, i.p_holm})
                cells.push_back(csv_cell(value));
            cells.emplace_back(!i.is_tested() ? "" : i.is_significant() ? "1" : "0");
        }
        for (auto const& metric : Metrics::names())
            cells.push_back(csv_cell(valid_mean(row, metric)));
        for (auto const member :
             {&CellResult::best_epoch, &CellResult::n_epochs, &CellResult::seconds_per_epoch,
              &CellResult::sharpness, &CellResult::cosine, &CellResult::distance,
              &CellResult::gradients, &CellResult::memory_bytes, &CellResult::gap})
            cells.push_back(csv_cell(over_cells(row, member).mean));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

Json comparison_json(std::vector<ComparisonRow> const& rows) {
    Json result = Json::array();
    auto const all = improvements_by_metric(rows);
    for (std::size_t k = 0; k < rows.size(); ++k) {
        auto const& row = rows[k];
        Json metrics = Json::object();
        for (auto const& metric : Metrics::names()) {
            auto const& i = all.at(metric)[k];
            metrics[metric] = {
                {"mean", json_number(i.spread.mean)},
                {"std", json_number(i.spread.deviation)},
                {"improvement_percent", json_number(i.percent)},
                {"p_users", json_number(i.p_users)},
                {"p_seeds", json_number(i.p_seeds)},
                {"p_wilcoxon", json_number(i.p_wilcoxon)},
                {"p_holm", json_number(i.p_holm)},
                {"significant", i.is_tested() ? Json(i.is_significant()) : Json(nullptr)},
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
                          {"distance_mean", mean(&CellResult::distance)},
                          {"gradients_mean", mean(&CellResult::gradients)},
                          {"memory_bytes_mean", mean(&CellResult::memory_bytes)},
                          {"gap_mean", mean(&CellResult::gap)}});
    }
    return result;
}

std::vector<OverData> over_data(std::vector<ComparedData> const& all, std::string_view metric) {
    auto const n = all.front().rows.size();
    std::vector<OverData> result(n);
    for (auto const& data : all) {
        std::vector<double> means;
        for (auto const& row : data.rows) means.push_back(spread(row.values(metric)).mean);
        for (std::size_t k = 0; k < n; ++k) {
            auto const base = data.rows[k].base;
            auto& over = result[k];
            over.is_base = base == k;
            over.means.push_back(means[k]);
            over.percent +=
                means[k] == means[base] ? 0 : 100 * (means[k] - means[base]) / means[base];
            over.n_better += static_cast<std::size_t>(means[k] > means[base]);
            double rank = 0.5;  // one of the equal ones is the row itself
            for (double const other : means) {
                if (std::isnan(other)) rank = unmeasured;
                rank += other > means[k] ? 1 : other == means[k] ? 0.5 : 0;
            }
            over.rank += rank;
        }
    }
    for (auto& over : result) {
        over.percent = over.is_base ? unmeasured : over.percent / static_cast<double>(all.size());
        over.rank /= static_cast<double>(all.size());
    }
    return result;
}

Table over_data_table(std::vector<ComparedData> const& all, std::string const& metric) {
    Table table{{"model", "optimizer"}, {}, 2};
    for (auto const& data : all) table.header.push_back(metric + " " + data.name);
    for (auto const* name : {"vs base", "better in", "mean rank"}) table.header.emplace_back(name);
    auto const over = over_data(all, metric);
    for (std::size_t k = 0; k < over.size(); ++k) {
        std::vector<std::string> cells{all.front().rows[k].model, all.front().rows[k].optimizer};
        for (double const mean : over[k].means) cells.push_back(table_cell(mean));
        cells.push_back(over[k].is_base ? "base" : table_cell(over[k].percent, "{:+.1f} %"));
        cells.push_back(over[k].is_base ? ""
                                        : fmt::format("{} of {}", over[k].n_better, all.size()));
        cells.push_back(table_cell(over[k].rank, "{:.2f}"));
        table.rows.push_back(std::move(cells));
    }
    return table;
}

Json over_data_json(std::vector<ComparedData> const& all, std::vector<std::string> const& metrics) {
    Json result = Json::array();
    for (auto const& row : all.front().rows)
        result.push_back(
            {{"model", row.model}, {"optimizer", row.optimizer}, {"metrics", Json::object()}});
    for (auto const& metric : metrics) {
        auto const over = over_data(all, metric);
        for (std::size_t k = 0; k < over.size(); ++k) {
            Json means = Json::object();
            for (std::size_t d = 0; d < all.size(); ++d)
                means[all[d].name] = json_number(over[k].means[d]);
            result[k]["metrics"][metric] = {
                {"means", std::move(means)},
                {"improvement_percent", json_number(over[k].percent)},
                {"better_in", over[k].is_base ? Json(nullptr) : Json(over[k].n_better)},
                {"mean_rank", json_number(over[k].rank)}};
        }
    }
    return result;
}

}  // namespace polder::recsys::app
