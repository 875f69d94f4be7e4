// polder-recsys report: a page of what runs in folders show.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/document.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/heat_map.hpp"
#include "recsys/app/pictures.hpp"
#include "recsys/app/results.hpp"
#include "recsys/evaluation/significance.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

// Below it a difference is said to be beyond the spread.
constexpr double level = 0.05;

struct ReportArguments {
    std::vector<std::string> runs;
    std::string output = "report.html", tables, metrics = "recall@20,ndcg@20";
    int top = 20;
    Files files;
};

std::string full(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : std::string();
}

// "p = .012", "p < .001"
std::string p_words(double p) {
    if (std::isnan(p)) return "p not known";
    return p < 0.001 ? "p < .001"
                     : fmt::format("p = {}", fmt::format("{:.3f}", p).substr(p < 1 ? 1 : 0));
}

double mean_of(ComparisonRow const& row, double CellResult::*member) {
    std::vector<double> values;
    for (auto const& cell : row.cells) values.push_back(cell.*member);
    return spread(values).mean;
}

double valid_mean(ComparisonRow const& row, std::string const& metric) {
    std::vector<double> values;
    for (auto const& cell : row.cells) values.push_back(cell.valid[metric]);
    return spread(values).mean;
}

std::string title_of(std::string const& data, std::string const& model, std::string const& base) {
    return model.empty() ? fmt::format("Models on {}, {}", data, base)
                         : fmt::format("{} on {}, {}", model, data, base);
}
std::string title_of(ResultGroup const& group) {
    return title_of(group.data, group.model, group.base_optimizer);
}

// A part of a file's name.
std::string slug(std::string const& text) {
    std::string result;
    for (char const c : text) {
        bool const is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '@' || c == '.';
        if (is_plain)
            result += c;
        else if (!result.empty() && result.back() != '-')
            result += '-';
    }
    while (!result.empty() && result.back() == '-') result.pop_back();
    return result;
}

// What a row's improvement is, in words and for the count.
enum class Side { above, within, below, unknown };
Side side_of(double percent, double p) {
    if (std::isnan(p) || std::isnan(percent)) return Side::unknown;
    if (p >= level || percent == 0) return Side::within;
    return percent > 0 ? Side::above : Side::below;
}

// The row that validation would choose among those that are not the base; they are sorted by it.
constexpr std::size_t chosen_row = 1;

std::string plural(std::size_t n, std::string const& one, std::string const& many) {
    return fmt::format("{} {}", n, n == 1 ? one : many);
}

// "+3.1 %" in words.
std::string percent_words(double percent, std::string const& base) {
    if (std::isnan(percent)) return "not comparable with " + base;
    if (percent == 0) return "equal to " + base;
    return fmt::format("{:.1f} % {} {}", std::abs(percent), percent > 0 ? "above" : "below", base);
}

// What a group shows, in a few sentences.
std::string words_of(ResultGroup const& group, std::string const& metric) {
    auto const& rows = group.rows;
    auto const& base = rows.front();
    auto const base_name = group.model.empty() ? base.model : base.optimizer;
    auto const base_mean = spread(base.values(metric)).mean;
    auto text = fmt::format("{}: {} reaches {} {:.4f} in test ({}).", title_of(group), base_name,
                            metric, base_mean, plural(base.cells.size(), "seed", "seeds"));
    if (rows.size() == 1) return text + " Nothing is compared with it.";
    auto const name = [&](std::size_t k) {
        return group.model.empty() ? rows[k].model : rows[k].optimizer;
    };
    auto const i = improvement(rows, chosen_row, metric);
    text += fmt::format(" {}, the best of the others in validation, reaches {:.4f}, {}",
                        name(chosen_row), i.spread.mean, percent_words(i.percent, base_name));
    switch (side_of(i.percent, i.p_seeds)) {
    case Side::unknown:
        text += "; one seed says nothing of whether that is beyond the spread.";
        break;
    case Side::within:
        text += fmt::format(", which is within the spread over seeds ({}).", p_words(i.p_seeds));
        break;
    default:
        text += fmt::format(", beyond the spread over seeds ({}){}.", p_words(i.p_seeds),
                            std::isnan(i.p_users)
                                ? std::string()
                                : fmt::format(" and {} users ({})",
                                              i.p_users < level ? "over" : "not beyond that over",
                                              p_words(i.p_users)));
    }
    std::size_t above = 0, below = 0, within = 0;
    for (std::size_t k = 1; k < rows.size(); ++k) {
        auto const each = improvement(rows, k, metric);
        switch (side_of(each.percent, each.p_seeds)) {
        case Side::above:
            ++above;
            break;
        case Side::below:
            ++below;
            break;
        case Side::within:
            ++within;
            break;
        case Side::unknown:
            break;
        }
    }
    if (above + below + within > 1)
        text += fmt::format(
            " Of all {} that are compared with {}, {} {} above it beyond the spread, {} "
            "below it, and {} within the spread.",
            above + below + within, base_name, above, above == 1 ? "is" : "are", below, within);
    return text;
}

// The results of one model over several seeds of the data, each with its own base.
struct DataSeeds {
    std::string data, model, base_optimizer, base_name;
    std::vector<std::string> names;    // of the data sets
    std::vector<std::string> methods;  // that all of them have, the best in validation first
    std::vector<std::vector<double>>
        percents;  // by method and data set: improvement of means in test
    TTest test(std::size_t method) const {
        std::vector<double> const zero(percents[method].size());
        return paired_t_test(percents[method], zero);
    }
};

std::vector<DataSeeds> over_data_seeds(std::vector<ResultGroup> const& groups,
                                       std::string const& metric) {
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<ResultGroup const*>>
        all;
    for (auto const& group : groups)
        if (!group.model.empty())
            all[{data_family(group.data), group.model, group.base_optimizer}].push_back(&group);
    std::vector<DataSeeds> result;
    for (auto const& [key, of] : all) {
        if (of.size() < 2) continue;
        DataSeeds each{std::get<0>(key),
                       std::get<1>(key),
                       std::get<2>(key),
                       of.front()->rows.front().optimizer,
                       {},
                       {},
                       {}};
        std::map<std::string, std::vector<double>> percents, gains;
        for (auto const* group : of) {
            each.names.push_back(group->data);
            for (std::size_t k = 1; k < group->rows.size(); ++k) {
                auto const& row = group->rows[k];
                percents[row.optimizer].push_back(improvement(group->rows, k, metric).percent);
                double const base = valid_mean(group->rows.front(), metric);
                gains[row.optimizer].push_back(valid_mean(row, metric) / base);
            }
        }
        std::vector<std::pair<double, std::string>> order;
        for (auto const& [method, values] : percents)
            if (values.size() == of.size()) order.emplace_back(-spread(gains[method]).mean, method);
        std::sort(order.begin(), order.end());
        for (auto const& [gain, method] : order) {
            each.methods.push_back(method);
            each.percents.push_back(percents[method]);
        }
        if (!each.methods.empty()) result.push_back(std::move(each));
    }
    return result;
}

std::string words_of(DataSeeds const& of, std::string const& metric) {
    auto const s = spread(of.percents.front());
    auto const test = of.test(0);
    auto const side = side_of(s.mean, test.p);
    return fmt::format("{} over {} data seeds: {}, the best in validation, is {} ({} ± {:.1f} % in "
                       "{} of test), {} ({}).",
                       title_of(of.data, of.model, of.base_optimizer), of.names.size(),
                       of.methods.front(), percent_words(s.mean, of.base_name),
                       table_cell(s.mean, "{:+.1f}"), s.deviation, metric,
                       side == Side::within ? "within the spread over data seeds"
                                            : "beyond the spread over data seeds",
                       p_words(test.p));
}

// The last line of the summary: over everything.
std::string verdict(std::vector<ResultGroup> const& groups, std::vector<DataSeeds> const& seeds,
                    std::string const& metric) {
    std::vector<std::string> above, within, below;
    std::size_t n_unknown = 0;
    auto const count = [&](Side side, std::string const& name) {
        if (side == Side::above) above.push_back(name);
        if (side == Side::within) within.push_back(name);
        if (side == Side::below) below.push_back(name);
        if (side == Side::unknown) ++n_unknown;
    };
    if (!seeds.empty()) {
        for (auto const& each : seeds) {
            auto const s = spread(each.percents.front());
            count(side_of(s.mean, each.test(0).p),
                  fmt::format("{} ({:+.1f} %)", name_of(each.model), s.mean));
        }
    } else {
        for (auto const& group : groups) {
            if (group.rows.size() < 2) continue;
            auto const i = improvement(group.rows, chosen_row, metric);
            count(side_of(i.percent, i.p_seeds),
                  fmt::format("{} ({:+.1f} %)", title_of(group), i.percent));
        }
    }
    auto const n = above.size() + within.size() + below.size();
    if (n + n_unknown == 0) return {};
    if (n == 0)
        return fmt::format("In all: with one seed each, nothing can be said of whether the methods "
                           "bring more than chance.");
    std::vector<std::string> parts;
    auto const part = [&](std::vector<std::string> const& names, std::string const& what) {
        if (!names.empty()) parts.push_back(fmt::format("{} for {}", what, fmt::join(names, ", ")));
    };
    part(above, "better than the base beyond the spread");
    part(within, "within the spread");
    part(below, "worse beyond the spread");
    return fmt::format("In all: the method that validation chooses is, in {} of test over {}, {}.",
                       metric, seeds.empty() ? "seeds" : "data seeds", fmt::join(parts, "; "));
}

// The mean over runs of what each has reached at x: a step function, which keeps its last value.
Line line_of(std::string name, std::vector<std::vector<std::pair<double, double>>> const& runs) {
    Line line{std::move(name), {}};
    double first = 0, last = 0;
    std::size_t n_points = 1;
    for (auto const& run : runs) {
        if (run.empty()) return line;
        n_points = std::clamp(run.size(), n_points, std::max<std::size_t>(n_points, 60));
        first = std::max(first, run.front().first);
        last = std::max(last, run.back().first);
    }
    for (std::size_t k = 0; k < n_points; ++k) {
        double const x = n_points == 1 ? last
                                       : first + (last - first) * static_cast<double>(k) /
                                                     static_cast<double>(n_points - 1);
        double sum = 0;
        for (auto const& run : runs) {
            auto const next =
                std::upper_bound(run.begin(), run.end(), x + 1e-9 * last,
                                 [](double at, auto const& each) { return at < each.first; });
            sum += std::prev(next)->second;
        }
        line.points.emplace_back(x, sum / static_cast<double>(runs.size()));
    }
    return line;
}

// Best validation so far over epochs, gradients and seconds, of the base and the best rows.
std::vector<Panel> convergence(ResultGroup const& group, std::string const& metric) {
    std::vector<Panel> panels{{"epochs", {}}, {"gradients", {}}, {"seconds of training", {}}};
    for (std::size_t k = 0; k < group.rows.size() && panels[0].lines.size() < n_styles; ++k) {
        std::vector<std::vector<std::pair<double, double>>> over[3];
        bool is_known = true;
        for (auto const* run : group.runs[k]) {
            is_known = is_known && run->epochs.is_array();
            if (!is_known) break;
            double best = -1, x[3] = {0, 0, 0};
            for (auto& each : over) each.emplace_back();
            for (auto const& epoch : run->epochs) {
                x[0] = epoch.at("epoch").get<double>() + 1;
                x[1] += number_of_json(epoch.value("gradients", Json()));
                x[2] += epoch.at("train_seconds").get<double>();
                if (epoch.at("valid").is_null()) continue;
                best = std::max(best, epoch.at("valid").at(metric).get<double>());
                for (std::size_t p = 0; p < 3; ++p)
                    if (std::isfinite(x[p])) over[p].back().emplace_back(x[p], best);
            }
        }
        if (!is_known) continue;
        auto const name = group.model.empty() ? group.rows[k].model : group.rows[k].optimizer;
        for (std::size_t p = 0; p < 3; ++p) panels[p].lines.push_back(line_of(name, over[p]));
    }
    // An axis of which nothing is known is left out.
    std::erase_if(panels, [](auto const& panel) {
        return std::all_of(panel.lines.begin(), panel.lines.end(),
                           [](auto const& line) { return line.points.empty(); });
    });
    return panels;
}

MarkedTable results_table(ResultGroup const& group, std::string const& metric) {
    MarkedTable marked{fmt::format("results-{}-{}", metric, slug(title_of(group))),
                       fmt::format("{}: {} in test at the epoch that is best in validation",
                                   title_of(group), metric),
                       comparison_table(group.rows, metric),
                       {},
                       {},
                       {}};
    auto& table = marked.table;
    std::size_t best = 0;
    auto const value = [&](std::size_t k) { return spread(group.rows[k].values(metric)).mean; };
    for (std::size_t k = 0; k < group.rows.size(); ++k) {
        auto const i = improvement(group.rows, k, metric);
        if (value(k) > value(best)) best = k;
        if (i.is_significant()) marked.significant.insert(k);
        // The mark of rows without users, which rows of CSV are.
        if (std::isnan(i.p_users) && i.p_seeds < 0.01) table.rows[k][6] = "(*)";
        table.rows[k].insert(table.rows[k].begin() + 2, std::to_string(group.rows[k].cells.size()));
    }
    table.header.insert(table.header.begin() + 2, "seeds");
    if (group.rows.size() > 1) marked.best.insert({best, 3});
    marked.details = comparison_details(group.rows);
    return marked;
}

MarkedTable costs_table(ResultGroup const& group) {
    MarkedTable marked{"costs-" + slug(title_of(group)),
                       title_of(group) + ": what a run takes, mean over seeds",
                       {{"optimizer", "seeds", "epochs", "best epoch", "gradients", "s/epoch",
                         "seconds", "memory", "gap", "cosine", "distance", "sharpness"},
                        {},
                        1},
                       {},
                       {},
                       {{"model", "optimizer", "seeds", "epochs", "best_epoch", "gradients",
                         "train_seconds_per_epoch", "seconds", "memory_bytes", "gap", "cosine",
                         "distance", "sharpness"},
                        {}}};
    std::size_t smallest = 0;
    for (std::size_t k = 0; k < group.rows.size(); ++k) {
        auto const& row = group.rows[k];
        auto const mean = [&](double CellResult::*member) { return mean_of(row, member); };
        std::vector<double> seconds;
        for (auto const* run : group.runs[k]) seconds.push_back(run->seconds);
        double const total = spread(seconds).mean, gradients = mean(&CellResult::gradients),
                     epochs = mean(&CellResult::n_epochs);
        marked.table.rows.push_back(
            {group.model.empty() ? row.model : row.optimizer, std::to_string(row.cells.size()),
             table_cell(epochs, "{:.0f}"), table_cell(mean(&CellResult::best_epoch), "{:.0f}"),
             table_cell(gradients, "{:.0f}"),
             table_cell(mean(&CellResult::seconds_per_epoch), "{:.3f}"),
             table_cell(total, "{:.1f}"),
             table_cell(mean(&CellResult::memory_bytes) / 1e6, "{:.0f} MB"),
             table_cell(mean(&CellResult::gap)), table_cell(mean(&CellResult::cosine), "{:.3f}"),
             table_cell(mean(&CellResult::distance), "{:.3g}"),
             table_cell(mean(&CellResult::sharpness), "{:.2e}")});
        marked.details.rows.push_back(
            {row.model, row.optimizer, std::to_string(row.cells.size()), full(epochs),
             full(mean(&CellResult::best_epoch)), full(gradients),
             full(mean(&CellResult::seconds_per_epoch)), full(total),
             full(mean(&CellResult::memory_bytes)), full(mean(&CellResult::gap)),
             full(mean(&CellResult::cosine)), full(mean(&CellResult::distance)),
             full(mean(&CellResult::sharpness))});
        if (mean(&CellResult::gap) < mean_of(group.rows[smallest], &CellResult::gap)) smallest = k;
    }
    if (group.rows.size() > 1 && std::isfinite(mean_of(group.rows[smallest], &CellResult::gap)))
        marked.best.insert({smallest, 8});
    return marked;
}

MarkedTable spread_table(ResultGroup const& group, std::string const& metric) {
    MarkedTable marked{fmt::format("spread-{}-{}", metric, slug(title_of(group))),
                       fmt::format("{}: {} in test, every seed", title_of(group), metric),
                       {{"optimizer", "mean", "std", "lowest", "highest", "every seed"}, {}, 1},
                       {},
                       {},
                       {}};
    std::size_t steadiest = 0;
    std::vector<double> deviations;
    for (auto const& row : group.rows) {
        auto const values = row.values(metric);
        auto const s = spread(values);
        auto const [low, high] = std::minmax_element(values.begin(), values.end());
        std::vector<std::string> all;
        for (double const value : values) all.push_back(table_cell(value));
        marked.table.rows.push_back({group.model.empty() ? row.model : row.optimizer,
                                     table_cell(s.mean), table_cell(s.deviation), table_cell(*low),
                                     table_cell(*high), fmt::format("{}", fmt::join(all, ", "))});
        deviations.push_back(s.deviation);
        if (deviations.back() < deviations[steadiest]) steadiest = deviations.size() - 1;
    }
    if (group.rows.size() > 1 && std::isfinite(deviations[steadiest]))
        marked.best.insert({steadiest, 2});
    return marked;
}

// The document, and pictures that are drawn once all are known.
class Report {
public:
    explicit Report(ReportArguments const& a)
        : a_(a), metrics_(split_list(a.metrics)), results_(read_results(a.runs)) {
        for (auto const& metric : metrics_) static_cast<void>(Metrics{}[metric]);
        groups_ = compared(results_.runs, main_metric());
        seeds_ = over_data_seeds(groups_, main_metric());
        if (results_.runs.empty() && results_.robustness.empty() && results_.landscapes.empty())
            throw std::runtime_error(
                fmt::format("{}: there is no run, and nothing of robustness or landscape",
                            fmt::join(a.runs, ", ")));
    }

    Document make() {
        auto& d = document_;
        std::set<std::string> data;
        for (auto const& run : results_.runs) data.insert(run.data);
        d.title =
            data.size() == 1 ? "Recommender training on " + *data.begin() : "Recommender training";
        d.subtitle = fmt::format(
            "polder-recsys report: {}, {}{}, from {}.", plural(results_.runs.size(), "run", "runs"),
            plural(data.size(), "data set", "data sets"),
            results_.n_dropped == 0 ? ""
                                    : fmt::format(", {} given up by a search", results_.n_dropped),
            fmt::join(a_.runs, ", "));
        // The verdict, which ends what is printed, comes first on the page.
        auto lines = summary();
        std::rotate(lines.begin(), lines.end() - 1, lines.end());
        d.summary(std::move(lines));
        results();
        data_seeds();
        spreads();
        costs();
        search();
        robustness();
        landscapes();
        runs();
        how_to_read();
        draw_all();
        return std::move(document_);
    }

    std::vector<std::string> summary() const {
        std::vector<std::string> lines;
        for (auto const& group : groups_) lines.push_back(words_of(group, main_metric()));
        for (auto const& each : seeds_) lines.push_back(words_of(each, main_metric()));
        for (auto const& each : searches(results_.runs, main_metric())) {
            auto const& best = *each.runs.front();
            lines.push_back(fmt::format(
                "Of {} settings for {}, validation chooses {} {} ({} {:.4f}).", each.runs.size(),
                title_of(each.data, each.model, each.base_optimizer), best.model, best.method,
                main_metric(), best.cell.valid[main_metric()]));
        }
        if (lines.empty()) lines.emplace_back("There are no runs here that were compared.");
        if (auto last = verdict(groups_, seeds_, main_metric()); !last.empty())
            lines.push_back(std::move(last));
        return lines;
    }

    std::vector<std::string> const& others() const { return results_.others; }

private:
    std::string const& main_metric() const { return metrics_.front(); }

    void picture(std::string title, Picture picture) {
        places_.push_back(document_.blocks.size());
        document_.svg(std::move(title), {}, picture.width);
        pictures_.push_back(std::move(picture));
    }

    // Puts the pictures where they belong, or takes their places away.
    void draw_all() {
        auto const drawn = draw_svgs(pictures_);
        if (drawn.outcome == Drawing::done) {
            for (std::size_t k = 0; k < places_.size(); ++k)
                document_.blocks[places_[k]].text = drawn.svgs[k];
            return;
        }
        for (auto place = places_.rbegin(); place != places_.rend(); ++place)
            document_.blocks.erase(document_.blocks.begin() + static_cast<std::ptrdiff_t>(*place));
        auto const why = drawn.outcome == Drawing::no_gnuplot
                             ? "gnuplot is not found, so the tables stand alone; with it the same "
                               "command draws pictures of them."
                             : "gnuplot failed, so the tables stand alone.";
        spdlog::warn("{}", why);
        document_.blocks.insert(
            document_.blocks.begin() + 1,
            {Block::Kind::paragraph, {}, "There are no pictures: " + std::string(why)});
    }

    void results() {
        if (groups_.empty()) return;
        document_.section("Results");
        document_.paragraph(
            "Mean ± standard deviation over seeds in test, at the epoch that is best in "
            "validation. "
            "The best of a table is bold. Rows in green, with a star, differ from the base over "
            "seeds and over users (both p below .01); (*) says so of seeds alone, where users are "
            "not known. Apart from the base, rows are in the order of validation.");
        for (auto const& group : groups_) {
            document_.subsection(title_of(group));
            for (auto const& metric : metrics_) document_.table(results_table(group, metric));
            auto panels = convergence(group, main_metric());
            if (!panels.empty())
                picture(
                    fmt::format("{}: the best {} in validation so far, mean over seeds; a run that "
                                "has ended keeps its value.{}",
                                title_of(group), main_metric(),
                                group.rows.size() > n_styles
                                    ? fmt::format(" The base and the {} best in validation of {}.",
                                                  n_styles - 1, group.rows.size() - 1)
                                    : std::string()),
                    line_picture(panels, main_metric()));
        }
    }

    void data_seeds() {
        if (seeds_.empty()) return;
        document_.section("Over seeds of the data");
        document_.paragraph(
            "The same comparison on data drawn anew, each with its own base: improvement of the "
            "mean "
            "over seeds, in per cent. p is of the paired t-test over the data sets.");
        for (auto const& each : seeds_) {
            MarkedTable marked{"data-seeds-" +
                                   slug(each.model + " " + each.data + " " + each.base_optimizer),
                               fmt::format("{}: {} in test, % above {}",
                                           title_of(each.data, each.model, each.base_optimizer),
                                           main_metric(), each.base_name),
                               {{"optimizer"}, {}, 1},
                               {},
                               {},
                               {}};
            for (auto const& name : each.names) {
                auto const begin = name.find(" (data seed ");
                marked.table.header.push_back(
                    begin == std::string::npos ? "data seed 1"
                                               : name.substr(begin + 2, name.size() - begin - 3));
            }
            marked.table.header.insert(marked.table.header.end(), {"mean", "p", ""});
            std::size_t best = 0;
            for (std::size_t m = 0; m < each.methods.size(); ++m) {
                std::vector<std::string> row{each.methods[m]};
                for (double const value : each.percents[m])
                    row.push_back(table_cell(value, "{:+.1f}"));
                auto const s = spread(each.percents[m]);
                double const p = each.test(m).p;
                row.push_back(fmt::format("{:+.1f} ± {:.1f}", s.mean, s.deviation));
                row.push_back(std::isnan(p) ? "-"
                              : p < 0.001   ? "<.001"
                                            : fmt::format("{:.3f}", p).substr(p < 1 ? 1 : 0));
                row.push_back(p < level ? "*" : "");
                if (p < level) marked.significant.insert(m);
                if (s.mean > spread(each.percents[best]).mean) best = m;
                marked.table.rows.push_back(std::move(row));
            }
            if (each.methods.size() > 1) marked.best.insert({best, each.names.size() + 1});
            document_.table(std::move(marked));
        }
        document_.paragraph("Here a star is p below .05.");
    }

    void spreads() {
        bool has_section = false;
        for (auto const& group : groups_) {
            if (std::none_of(group.rows.begin(), group.rows.end(),
                             [](auto const& row) { return row.cells.size() > 1; }))
                continue;
            if (!has_section) {
                document_.section("Spread over seeds");
                document_.paragraph("Each circle is a run. A bar is one standard deviation to each "
                                    "side of the mean, "
                                    "and the dashed line the mean of the base.");
                has_section = true;
            }
            std::vector<SpreadRow> rows;
            for (auto const& row : group.rows)
                rows.push_back(
                    {group.model.empty() ? row.model : row.optimizer, row.values(main_metric())});
            picture(fmt::format("{}: {} in test.", title_of(group), main_metric()),
                    spread_picture(rows, 0, main_metric()));
            document_.table(spread_table(group, main_metric()));
        }
    }

    void costs() {
        if (groups_.empty()) return;
        document_.section("Costs, generalisation gap and ascent");
        document_.paragraph(
            "Gradients are those of the loss of a batch, in the whole run. Seconds per epoch are "
            "of "
            "training alone, seconds those of a run with its evaluations: times of runs that "
            "shared "
            "their machine with others say little. Memory is the most that the process had. The "
            "gap "
            "is the loss on fixed pairs of validation minus that on fixed pairs of training. "
            "Cosine "
            "(between the ascent and the gradient), distance and sharpness are of the best epoch.");
        for (auto const& group : groups_) document_.table(costs_table(group));
    }

    void search() {
        auto const all = searches(results_.runs, main_metric());
        if (all.empty()) return;
        document_.section("Search for hyper-parameters");
        document_.paragraph(
            "Settings are chosen by validation, with one seed; test metrics have no part in it.");
        for (auto const& each : all) {
            auto const title = title_of(each.data, each.model, each.base_optimizer);
            MarkedTable marked{
                "search-" + slug(title),
                fmt::format("{}: {} in validation, seed {}{}", title, main_metric(),
                            each.runs.front()->seed,
                            static_cast<std::size_t>(a_.top) < each.runs.size()
                                ? fmt::format(", the best {} of {}", a_.top, each.runs.size())
                                : std::string()),
                {{"model", "optimizer", "valid " + main_metric(), "best epoch", "epochs"}, {}, 2},
                {{0, 2}},
                {},
                {{"model", "optimizer", "seed", "valid_" + main_metric(), "best_epoch", "epochs"},
                 {}}};
            std::vector<SearchPoint> points;
            for (auto const* run : each.runs) {
                auto const& cell = run->cell;
                if (marked.table.rows.size() < static_cast<std::size_t>(a_.top))
                    marked.table.rows.push_back({run->model, run->method,
                                                 table_cell(cell.valid[main_metric()]),
                                                 table_cell(cell.best_epoch, "{:.0f}"),
                                                 table_cell(cell.n_epochs, "{:.0f}")});
                marked.details.rows.push_back({run->model, run->method, std::to_string(run->seed),
                                               full(cell.valid[main_metric()]),
                                               full(cell.best_epoch), full(cell.n_epochs)});
                points.push_back(
                    {run->model, run->method, run->settings, cell.valid[main_metric()]});
            }
            document_.table(std::move(marked));
            if (auto const axes = axes_of(points))
                picture(fmt::format(
                            "{}: the best {} in validation for each pair of {} and {}; the best "
                            "of all has a frame.",
                            title, main_metric(), axes->first, axes->second),
                        heat_map_picture(heat_map(points, axes->first, axes->second,
                                                  main_metric() + " in validation")));
        }
    }

    // "lightgcn sam:rho=1 seed 999" without its seed.
    static std::string without_seed(std::string const& label) {
        return label.substr(0, label.rfind(" seed "));
    }

    void robustness() {
        if (results_.robustness.empty()) return;
        document_.section("Robustness");
        auto const metric = main_metric();
        document_.paragraph(
            fmt::format("Decrease of {} in per cent when a trained model is disturbed, mean ± "
                        "standard deviation "
                        "over checkpoints with other seeds: less is better, and - stands where a "
                        "model has no such "
                        "input. What is done to information is simulated in features.",
                        metric));
        int n = 0;
        for (auto const& file : results_.robustness) {
            try {
                robustness(file.json, metric, ++n);
            } catch (nlohmann::json::exception const& error) {
                throw std::runtime_error(file.file + ": is damaged: " + error.what());
            }
        }
    }

    void robustness(Json const& json, std::string const& metric, int file_number) {
        std::map<std::string, std::string> labels;
        for (auto const& each : json.at("settings").at("checkpoints"))
            labels[each.at("file").get<std::string>()] = each.at("label").get<std::string>();
        struct Level {
            std::string text;
            double size;
            bool is_relative;
        };
        struct Of {
            std::vector<Level> levels;
            std::vector<std::string> rows;
            std::map<std::pair<std::string, std::size_t>, std::vector<double>> values;
        };
        std::vector<std::string> tests;
        std::map<std::string, Of> all;
        for (auto const& series : json.at("results")) {
            auto const test = series.at("test").get<std::string>();
            if (!all.contains(test)) tests.push_back(test);
            auto& of = all[test];
            auto row = without_seed(labels[series.at("checkpoint").get<std::string>()]);
            if (!series.at("substitute").is_null())
                row += " (" + series["substitute"].get<std::string>() + ")";
            if (std::find(of.rows.begin(), of.rows.end(), row) == of.rows.end())
                of.rows.push_back(row);
            for (auto const& each : series.at("levels")) {
                auto const text = each.at("level").get<std::string>();
                auto found = std::find_if(of.levels.begin(), of.levels.end(),
                                          [&](auto const& known) { return known.text == text; });
                if (found == of.levels.end())
                    found = of.levels.insert(of.levels.end(), {text, each.at("size").get<double>(),
                                                               each.at("relative").get<bool>()});
                of.values[{row, static_cast<std::size_t>(found - of.levels.begin())}].push_back(
                    number_of_json(each.at("decrease").at(metric)));
            }
        }
        for (auto const& test : tests) {
            auto const& of = all[test];
            std::vector<Line> lines;
            for (bool const is_relative : {false, true}) {
                std::vector<std::size_t> levels;
                for (std::size_t l = 0; l < of.levels.size(); ++l)
                    if (of.levels[l].is_relative == is_relative) levels.push_back(l);
                if (levels.empty()) continue;
                auto const what = test == "embeddings" ? "noise in embeddings of items"
                                  : test == "features" ? "noise in features"
                                                       : test + " (simulated)";
                auto const by = test != "embeddings" && test != "features" ? "share of items"
                                : is_relative ? "standard deviation over the root mean square"
                                              : "standard deviation";
                MarkedTable marked{fmt::format("robustness-{}-{}{}", file_number, slug(test),
                                               is_relative ? "-relative" : ""),
                                   fmt::format("{}, by {}: decrease of {} in %", what, by, metric),
                                   {{""}, {}, 1},
                                   {},
                                   {},
                                   {}};
                for (auto const l : levels) marked.table.header.push_back(of.levels[l].text);
                std::vector<std::vector<double>> means(levels.size());
                for (auto const& name : of.rows) {
                    std::vector<std::string> cells{name};
                    Line line{name, {}};
                    for (std::size_t k = 0; k < levels.size(); ++k) {
                        auto const found = of.values.find({name, levels[k]});
                        auto const s = found == of.values.end() ? Spread{} : spread(found->second);
                        means[k].push_back(s.mean);
                        cells.push_back(std::isfinite(s.deviation) && std::isfinite(s.mean)
                                            ? fmt::format("{:.2f} ± {:.2f}", s.mean, s.deviation)
                                            : table_cell(s.mean, "{:.2f}"));
                        if (double const size = of.levels[levels[k]].size;
                            is_relative && size > 0 && std::isfinite(s.mean))
                            line.points.emplace_back(size, s.mean);
                    }
                    marked.table.rows.push_back(std::move(cells));
                    if (line.points.size() > 1 && lines.size() < n_styles)
                        lines.push_back(std::move(line));
                }
                for (std::size_t k = 0; k < levels.size(); ++k)
                    if (auto const best = lowest_of(means[k])) marked.best.insert({*best, k + 1});
                document_.table(std::move(marked));
            }
            if (!lines.empty())
                picture(fmt::format(
                            "{}: decrease of {} over the standard deviation divided by the root "
                            "mean square of what is disturbed.",
                            test, metric),
                        line_picture({{"standard deviation / root mean square", lines, true}},
                                     "decrease in %"));
        }
    }

    // The row that loses least, where the table shows that it does.
    static std::optional<std::size_t> lowest_of(std::vector<double> const& means) {
        std::optional<std::size_t> lowest;
        for (std::size_t r = 0; r < means.size(); ++r)
            if (std::isfinite(means[r]) && (!lowest || means[r] < means[*lowest])) lowest = r;
        if (!lowest) return {};
        auto const near = std::count_if(means.begin(), means.end(),
                                        [&](double mean) { return mean - means[*lowest] < 0.005; });
        return near == 1 && means.size() > 1 ? lowest : std::nullopt;
    }

    void landscapes() {
        if (results_.landscapes.empty()) return;
        document_.section("Loss landscapes");
        document_.paragraph(
            "L(p) is the mean training loss over fixed batches. Ring: mean of L - L(p) on the ring "
            "around the model. Below: share of points with L at most L(p) + 0.1. The eigenvalue is "
            "the "
            "largest of the Hessian. Small values belong to flat minima.");
        int n = 0;
        for (auto const& file : results_.landscapes) {
            try {
                landscape(file.json, fs::path(file.file), ++n);
            } catch (nlohmann::json::exception const& error) {
                throw std::runtime_error(file.file + ": is damaged: " + error.what());
            }
        }
    }

    void landscape(Json const& json, fs::path const& file, int file_number) {
        MarkedTable marked{fmt::format("landscape-{}", file_number),
                           "Around trained parameters",
                           {{"", "L(p)"}, {}, 1},
                           {},
                           {},
                           {}};
        auto& table = marked.table;
        std::vector<std::string> grids;
        for (auto const& each : json.at("results"))
            for (auto const& [name, grid] : each.at("grids").items())
                if (std::find(grids.begin(), grids.end(), name) == grids.end())
                    grids.push_back(name);
        for (auto const& grid : grids)
            table.header.insert(table.header.end(), {grid + ": ring", "below"});
        table.header.insert(table.header.end(), {"largest eigenvalue", "trace"});
        for (auto const& each : json.at("results")) {
            std::vector<std::string> row{each.at("label").get<std::string>(),
                                         table_cell(number_of_json(each.at("loss")), "{:.4g}")};
            for (auto const& name : grids) {
                auto const grid = each.at("grids").value(name, Json::object());
                row.push_back(
                    table_cell(number_of_json(grid.value("ring_rise", Json())), "{:.4g}"));
                row.push_back(table_cell(100 * number_of_json(grid.value("share_below", Json())),
                                         "{:.1f} %"));
            }
            auto const& c = each.at("curvature");
            auto const of = [&](char const* key) {
                return c.is_null() ? unmeasured : number_of_json(c.at(key));
            };
            row.push_back(table_cell(of("largest_eigenvalue"), "{:.4g}"));
            row.push_back(std::isfinite(of("trace"))
                              ? fmt::format("{:.4g} ± {:.2g}", of("trace"), of("trace_error"))
                              : "-");
            table.rows.push_back(std::move(row));
        }
        document_.table(std::move(marked));
        for (auto const& grid : grids)
            for (auto const* kind : {"contours", "surface"}) {
                std::ifstream stream(file.parent_path() / fmt::format("{}_{}.svg", grid, kind),
                                     std::ios::binary);
                std::string const svg{std::istreambuf_iterator<char>(stream),
                                      std::istreambuf_iterator<char>()};
                if (svg.find("<svg") != std::string::npos)
                    document_.image(
                        fmt::format("Grid {}: {} of the loss, all checkpoints on one scale.", grid,
                                    kind),
                        svg);
            }
    }

    void runs() {
        if (results_.runs.empty()) return;
        document_.section("Settings and command of every run");
        MarkedTable marked{
            "runs",
            "Every run",
            {{"data", "model", "optimizer", "base", "seed", "ending", "epochs", "best epoch",
              "seconds", "valid " + main_metric(), "test " + main_metric()},
             {},
             4},
            {},
            {},
            {}};
        std::string commands, settings;
        for (auto const& run : results_.runs) {
            auto const base = run.settings.find("base");
            auto const& cell = run.cell;
            marked.table.rows.push_back(
                {run.data, run.model, run.method, base == run.settings.end() ? "-" : base->second,
                 std::to_string(run.seed), run.ending, table_cell(cell.n_epochs, "{:.0f}"),
                 table_cell(cell.best_epoch, "{:.0f}"), table_cell(run.seconds, "{:.1f}"),
                 table_cell(cell.valid[main_metric()]), table_cell(cell.test[main_metric()])});
            commands += command_of(run) + "\n";
            settings += fmt::format("{} {} {} seed {}:", run.data, run.model, run.method, run.seed);
            for (auto const& [name, value] : run.settings)
                settings += fmt::format(" {}={}", name, value);
            settings += "\n";
        }
        document_.table(std::move(marked));
        document_.listing(
            "The command that repeats each run (--data stands for the folder of the data)",
            std::move(commands));
        document_.listing("All settings of each run", std::move(settings));
        for (auto const& each : results_.configurations)
            document_.listing(fmt::format("polder-recsys --config {}", each.file), each.text);
    }

    void how_to_read() {
        document_.section("How the tests are made");
        document_.paragraph(fmt::format(
            "p seeds is Welch's t-test over the seeds, p users the paired t-test over the users of "
            "the "
            "test set, where each user's value is the mean over the seeds. Both are two-sided. "
            "With "
            "thousands of users the second finds tiny effects, with few seeds the first is weak: a "
            "row "
            "has a star where both are below .01. The summary says \"beyond the spread\" where p "
            "seeds "
            "is below {}; of twenty rows that differ by chance alone about one is. The method that "
            "the summary names was chosen by validation, and its test metric had no part in that.",
            fmt::format("{:.2f}", level).substr(1)));
    }

    ReportArguments const& a_;
    std::vector<std::string> metrics_;
    Results results_;
    std::vector<ResultGroup> groups_;
    std::vector<DataSeeds> seeds_;
    Document document_;
    std::vector<Picture> pictures_;
    std::vector<std::size_t> places_;  // of the pictures, in the document
};

// A folder of tables is new, empty, or has those of this command.
void require_own_tables(Files& files, fs::path const& folder) {
    if (folder.empty()) return;
    Files::expect_folder(folder);
    std::error_code error;
    if (!fs::exists(folder, error)) return;
    if (!fs::is_empty(folder, error) && !fs::exists(folder / "tables.md", error))
        throw FileError(folder,
                        "has files that report did not write, and is left as it is; expected a "
                        "new or empty folder");
    files.expect("--tables", folder / "tables.md", {std::string(markdown_begin), {}});
}

int report(ReportArguments& a) {
    a.files.expect("--output", a.output, {std::string(html_begin), {}});
    require_own_tables(a.files, a.tables);
    Report made(a);
    auto const document = made.make();
    for (auto const& file : made.others())
        spdlog::warn("{}: has nothing that report knows, and is left out", file);
    a.files.write_text(a.output, html(document));
    if (!a.tables.empty()) {
        fs::path const folder = a.tables;
        Files::make_folder(folder);
        a.files.write_text(folder / "tables.md", markdown(document));
        a.files.write_text(folder / "tables.tex", latex(document));
        for (auto const& [name, text] : csv_files(document))
            a.files.write_text(folder / name, text);
    }
    auto const lines = made.summary();
    fmt::print("{}\n", fmt::join(lines, "\n\n"));
    return a.files.exit_code(success);
}

}  // namespace

Command add_report(CLI::App& program) {
    auto const arguments = std::make_shared<ReportArguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("report", "Make a page of what the runs in folders show");
    a.files.add_option(*command);
    command->footer("Folders are those of --runs of compare and tune, with all folders in them; "
                    "what robustness "
                    "(--json) and landscape wrote there is in the page, too, and so are runs of "
                    "train --json and rows "
                    "of runs --csv. The page opens from disk: it has all that it needs in itself. "
                    "Where gnuplot is "
                    "found it has pictures. The summary is printed as well.\n\nExample:\n"
                    "  polder-recsys report --runs runs --output report.html --tables tables");
    command->add_option("--runs", a.runs, "Folders of runs, or single files of results")
        ->required()
        ->type_name("DIR...")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command
        ->add_option("--metrics", a.metrics,
                     "Metrics of the tables, separated by commas; the first is that of summary, "
                     "pictures and order")
        ->capture_default_str()
        ->type_name("NAME,...");
    command->add_option("--top", a.top, "How many settings the table of a search has")
        ->check(whole_number<int>(1))
        ->capture_default_str();
    auto const group = "Files";
    command
        ->add_option("--output", a.output,
                     "Write the page here. A file that report did not write is never replaced")
        ->capture_default_str()
        ->type_name("FILE")
        ->group(group);
    command
        ->add_option("--tables", a.tables,
                     "Write the tables to this folder, too: all as tables.md and, for LaTeX with "
                     "booktabs, tables.tex; each as NAME.csv, in full precision")
        ->type_name("DIR")
        ->group(group);
    return {command, [arguments] { return report(*arguments); }};
}

}  // namespace polder::recsys::app
