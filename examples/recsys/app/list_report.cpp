#include "recsys/app/list_report.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <polder/engine/parallel.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/table.hpp"
#include "recsys/evaluation/list_metrics.hpp"
#include "recsys/prepare/table.hpp"
#include "recsys/random.hpp"

namespace polder::recsys::app {

namespace {

std::vector<std::size_t> ascending_numbers(std::string const& option, std::string const& text) {
    std::vector<std::size_t> result;
    for (auto const& each : split_list(text)) {
        std::size_t value = 0;
        auto const [end, error] = std::from_chars(each.data(), each.data() + each.size(), value);
        if (error != std::errc() || end != each.data() + each.size() || value == 0 ||
            (!result.empty() && value <= result.back()))
            throw std::invalid_argument(
                fmt::format("{} {}: expected whole numbers above 0, ascending, separated by commas",
                            option, text));
        result.push_back(value);
    }
    return result;
}

// The ids on a line: what is between its tabs, or between its blanks where it has no tab. Between numbers both may be.
std::vector<std::string> ids_of_line(std::string line, bool are_numbers) {
    if (line.ends_with('\r')) line.pop_back();
    if (are_numbers) std::replace(line.begin(), line.end(), '\t', ' ');
    char const separator = line.find('\t') == std::string::npos ? ' ' : '\t';
    std::vector<std::string> result;
    std::istringstream fields(line);
    for (std::string each; std::getline(fields, each, separator);)
        if (!each.empty()) result.push_back(each);
    return result;
}

}  // namespace

void add_ranking_options(CLI::App& command, RankingArguments& a) {
    auto const group = "Lists";
    command.add_option("--split", a.split, "Which rows are to be found: valid or test")
        ->check(CLI::IsMember({"valid", "test"}))
        ->capture_default_str();
    command
        .add_flag("--mask-valid", a.masks_valid,
                  "In test, a user's items of validation are no candidates. By default they are, "
                  "as in MMRec")
        ->group(group);
    command
        .add_option(
            "--at", a.at,
            "Further measures at these list lengths: F1, hit rate, reciprocal rank, and what "
            "the lists are like (coverage, Gini index, popularity, novelty, diversity)")
        ->type_name("K,...")
        ->group(group);
    command
        .add_option("--negatives", a.negatives,
                    "Rank the items of the split among so many others, drawn for each user, or "
                    "among those of a file: a line for each user, with the id (or the number, "
                    "where the data has no ids) of the user and those of items, separated by tabs, "
                    "or by blanks where there is no tab. Metrics are then higher, and methods may "
                    "change places; by default all items are ranked")
        ->type_name("N|FILE")
        ->group(group);
    command.add_option("--seed", a.seed, "Seed of --negatives")
        ->check(whole_number<std::uint64_t>(0))
        ->capture_default_str()
        ->group(group);
    command.add_flag("--auc", a.wants_auc, "The area under the ROC curve, mean over users")
        ->group(group);
    command
        .add_option("--groups", a.groups,
                    "Users and items apart by their number of training rows; 5,20: 0 to 5, 6 to "
                    "20, 21 and more")
        ->type_name("N,...")
        ->group(group);
    command.add_option("--per-user", a.per_user, "Write the measures of every user here, as CSV")
        ->type_name("FILE")
        ->group("Files");
}

ListReport::ListReport(Dataset const& data, RankingArguments const& arguments,
                       std::filesystem::path const& ids)
    : data_(data), arguments_(arguments), user_names_(ids, "users.tsv", "user", data.n_users),
      item_names_(ids, "items.tsv", "item", data.n_items),
      cutoffs_(ascending_numbers("--at", arguments.at.empty() ? "5,10,20,50" : arguments.at)),
      full_sort_(data, {std::max(cutoffs_.back(), list_length), arguments.masks_valid}),
      relevant_(arguments.split == "test" ? data.test : data.valid, data.n_users),
      user_rows_(static_cast<std::size_t>(data.n_users)),
      item_rows_(static_cast<std::size_t>(data.n_items)) {
    if (relevant_.size() == 0)
        throw std::runtime_error(fmt::format("{}: has no rows of {}", data.name, arguments.split));
    if (arguments.masks_valid && arguments.split != "test")
        throw std::invalid_argument(
            "--mask-valid: expected --split test, since items of validation are to be found");
    if (!arguments.at.empty() && cutoffs_.back() > item_rows_.size())
        throw std::invalid_argument(fmt::format("--at {}: expected at most the number of items, {}",
                                                arguments.at, item_rows_.size()));
    auto masked = data.train;
    if (arguments.masks_valid) masked.insert(masked.end(), data.valid.begin(), data.valid.end());
    masked_ = UserItems::distinct(masked, data.n_users);
    for (auto const& row : data.train) {
        ++user_rows_[static_cast<std::size_t>(row.user)];
        ++item_rows_[static_cast<std::size_t>(row.item)];
    }
    std::size_t first = 0;
    if (!arguments.groups.empty()) {
        for (auto const last : ascending_numbers("--groups", arguments.groups)) {
            groups_.push_back({fmt::format("{} to {}", first, last), first, last});
            first = last + 1;
        }
        groups_.push_back(
            {fmt::format("{} and more", first), first, std::numeric_limits<std::size_t>::max()});
    }
    read_negatives();
    lists_.resize(users().size());
    auc_.assign(users().size(), unmeasured);
}

// Others are never those of the split, nor masked.
void ListReport::read_negatives() {
    auto const& text = arguments_.negatives;
    if (text.empty()) return;
    negatives_.resize(users().size());
    auto const is_other = [&](std::int32_t user, std::int32_t item) {
        auto const own = relevant_[user];
        return !masked_.contains(user, item) &&
               std::find(own.begin(), own.end(), item) == own.end();
    };
    if (text.find_first_not_of("0123456789") == std::string::npos) {
        auto const n = ascending_numbers("--negatives", text).front();
        Random random(arguments_.seed, "negatives of evaluation");
        for (std::size_t k = 0; k < users().size(); ++k) {
            std::vector<std::int32_t> others;
            for (std::int32_t item = 0; item < data_.n_items; ++item)
                if (is_other(users()[k], item)) others.push_back(item);
            auto const drawn = std::min(n, others.size());
            for (std::size_t j = 0; j < drawn; ++j)
                std::swap(others[j], others[j + random.uniform_index(others.size() - j)]);
            others.resize(drawn);
            negatives_[k] = std::move(others);
        }
        return;
    }
    std::ifstream file(text);
    if (!file) throw FileError(text, "cannot be read");
    bool const are_numbers = !user_names_.are_ids() && !item_names_.are_ids();
    std::vector<bool> has_line(users().size());
    std::string line;
    for (std::size_t number = 1; std::getline(file, line); ++number) {
        auto const number_of = [&](Names const& names, std::string_view what,
                                   std::string const& id) {
            if (auto const found = names.find(id)) return *found;
            throw FileError(
                fmt::format("{}:{}", text, number),
                fmt::format("{} {} is not in the data; expected the {} of a user, and those of "
                            "items, separated by tabs, or by blanks where there is no tab",
                            what, shown_text(id), are_numbers ? "number" : "id"));
        };
        auto const ids = ids_of_line(line, are_numbers);
        auto const user = number_of(user_names_, "user", ids.empty() ? "" : ids.front());
        auto const place = std::lower_bound(users().begin(), users().end(), user);
        bool const is_ranked = place != users().end() && *place == user;
        auto const k = static_cast<std::size_t>(place - users().begin());
        for (std::size_t n = 1; n < ids.size(); ++n) {
            auto const item = number_of(item_names_, "item", ids[n]);
            if (is_ranked && is_other(user, item)) negatives_[k].push_back(item);
        }
        if (is_ranked) has_line[k] = true;
    }
    for (std::size_t k = 0; k < users().size(); ++k)
        if (!has_line[k] && !relevant_[users()[k]].empty())
            throw FileError(text, fmt::format("has no line of user {}", user_names_(users()[k])));
}

void ListReport::keep_candidates(std::size_t place, std::span<float> scores) const {
    if (negatives_.empty()) return;
    std::vector<float> kept(scores.size(), -std::numeric_limits<float>::infinity());
    auto const keep = [&](std::int32_t item) {
        kept[static_cast<std::size_t>(item)] = scores[static_cast<std::size_t>(item)];
    };
    for (auto const item : relevant_[users()[place]]) keep(item);
    for (auto const item : negatives_[place]) keep(item);
    std::copy(kept.begin(), kept.end(), scores.begin());
}

void ListReport::take(std::size_t place, std::span<std::int32_t const> list) {
    auto const user = users()[place];
    if (relevant_[user].empty()) return;
    for (auto const item : list)
        if (!masked_.contains(user, item)) lists_[place].push_back(item);
}

void ListReport::rank(Representations<float> const& r, int threads) {
    if (!arguments_.wants_auc && negatives_.empty())  // the fast way
        return full_sort_.for_each_list(
            r, threads, [&](std::size_t k, std::span<std::int32_t const> list) { take(k, list); });
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    auto const d = static_cast<Eigen::Index>(r.items.cols);
    Eigen::Map<Matrix const> const items(r.items.data, static_cast<Eigen::Index>(r.items.rows), d);
    Eigen::Map<Matrix const> const vectors(r.users.data, static_cast<Eigen::Index>(r.users.rows),
                                           d);
    rank(
        [&](std::size_t k, std::span<float> scores) {
            Eigen::Map<Eigen::VectorXf>(scores.data(), static_cast<Eigen::Index>(scores.size()))
                .noalias() = items * vectors.row(users()[k]).transpose();
        },
        threads);
}

void ListReport::rank(FullSort::WriteScores const& scores, int threads) {
    full_sort_.for_each_list(
        [&](std::size_t k, std::span<float> row) {
            scores(k, row);
            keep_candidates(k, row);
            auto const user = users()[k];
            if (!arguments_.wants_auc || relevant_[user].empty()) return;
            std::vector<std::int32_t> left_out(masked_[user].begin(), masked_[user].end());
            for (std::size_t i = 0; i < row.size(); ++i)
                if (row[i] == -std::numeric_limits<float>::infinity())
                    left_out.push_back(static_cast<std::int32_t>(i));
            auc_[k] = auc(row, relevant_[user], left_out);
        },
        threads, [&](std::size_t k, std::span<std::int32_t const> list) { take(k, list); });
}

std::vector<std::size_t> ListReport::places_of(Group const& group) const {
    std::vector<std::size_t> result;
    for (std::size_t k = 0; k < users().size(); ++k) {
        auto const rows = user_rows_[static_cast<std::size_t>(users()[k])];
        if (!relevant_[users()[k]].empty() && rows >= group.first && rows <= group.last)
            result.push_back(k);
    }
    return result;
}

// The share of rows of the split with an item of the group that the lists of their users, cut at K, have.
double ListReport::item_recall(Group const& group, std::size_t K) const {
    double found = 0, rows = 0;
    for (std::size_t k = 0; k < users().size(); ++k) {
        auto const end =
            lists_[k].begin() + static_cast<std::ptrdiff_t>(std::min(K, lists_[k].size()));
        for (auto const item : relevant_[users()[k]]) {
            auto const n = item_rows_[static_cast<std::size_t>(item)];
            if (n < group.first || n > group.last) continue;
            rows += 1;
            found += std::find(lists_[k].begin(), end, item) != end ? 1 : 0;
        }
    }
    return rows > 0 ? found / rows : unmeasured;
}

Json ListReport::means() const {
    auto const all = places_of({"", 0, std::numeric_limits<std::size_t>::max()});
    Json result = Json::object();
    for (auto const K : cutoffs_) {
        for (auto const k : all)
            measures_at(lists_[k], relevant_[users()[k]], K)
                .visit([&](char const* name, double value) {
                    auto& sum = result[fmt::format("{}@{}", name, K)];
                    sum = (sum.is_null() ? 0.0 : sum.get<double>()) + value;
                });
    }
    for (auto& [name, sum] : result.items())
        sum = sum.get<double>() / static_cast<double>(all.size());
    return result;
}

Json ListReport::json() const {
    Json result{{"at", cutoffs_}, {"mask_valid", arguments_.masks_valid}, {"means", means()}};
    Json character = Json::object();
    for (auto const K : cutoffs_)
        character_at(lists_, data_, K).visit([&](char const* name, double value) {
            character[fmt::format("{}@{}", name, K)] = json_number(value);
        });
    result["character"] = std::move(character);
    if (arguments_.wants_auc) {
        double sum = 0, n = 0;
        for (double const value : auc_)
            if (value == value) {
                sum += value;
                n += 1;
            }
        result["auc"] = json_number(n > 0 ? sum / n : unmeasured);
    }
    if (groups_.empty()) return result;
    Json of_users = Json::array(), of_items = Json::array();
    for (auto const& group : groups_) {
        auto const places = places_of(group);
        Json row{{"rows", group.name}, {"users", places.size()}}, items{{"rows", group.name}};
        items["items"] = std::count_if(item_rows_.begin(), item_rows_.end(), [&](std::size_t n) {
            return n >= group.first && n <= group.last;
        });
        for (auto const K : cutoffs_) {
            double recall = 0, ndcg = 0;
            for (auto const k : places) {
                auto const at = measures_at(lists_[k], relevant_[users()[k]], K);
                recall += at.recall;
                ndcg += at.ndcg;
            }
            auto const n = static_cast<double>(places.size());
            row[fmt::format("recall@{}", K)] = json_number(n > 0 ? recall / n : unmeasured);
            row[fmt::format("ndcg@{}", K)] = json_number(n > 0 ? ndcg / n : unmeasured);
            items[fmt::format("recall@{}", K)] = json_number(item_recall(group, K));
        }
        of_users.push_back(std::move(row));
        of_items.push_back(std::move(items));
    }
    result["user_groups"] = std::move(of_users);
    result["item_groups"] = std::move(of_items);
    return result;
}

std::string ListReport::text() const {
    auto const all = json();
    // A row for each measure, a column for each length.
    auto const by_length = [&](Json const& values, std::string_view format) {
        Table table{{""}, {}};
        for (auto const K : cutoffs_) table.header.push_back(fmt::format("@{}", K));
        for (auto const& [name, value] : values.items()) {
            auto const measure = name.substr(0, name.find('@'));
            auto row = std::find_if(table.rows.begin(), table.rows.end(),
                                    [&](auto const& each) { return each.front() == measure; });
            if (row == table.rows.end()) row = table.rows.insert(row, {measure});
            row->push_back(table_cell(value, format));
        }
        return aligned(table);
    };
    auto text = by_length(all.at("means"), "{:.4f}");
    if (all.contains("auc")) text += fmt::format("\nAUC {}\n", table_cell(all.at("auc")));
    text += "\nThe lists, whatever they hit\n\n" + by_length(all.at("character"), "{:.4g}");
    for (auto const* part : {"user_groups", "item_groups"}) {
        if (!all.contains(part)) continue;
        Table table;
        for (auto const& group : all.at(part)) {
            table.header.clear();
            std::vector<std::string> row;
            for (auto const& [name, value] : group.items()) {
                table.header.push_back(name == "rows" ? "training rows" : name);
                row.push_back(value.is_string() ? value.get<std::string>() : table_cell(value));
            }
            table.rows.push_back(std::move(row));
        }
        text += fmt::format("\n{} by their number of training rows\n\n{}",
                            part[0] == 'u' ? "Users" : "Items", aligned(table));
    }
    return text;
}

void ListReport::write_per_user(Files& files) const {
    if (arguments_.per_user.empty()) return;
    Table table{{"user", "training_rows", "rows"}, {}};
    for (std::size_t k = 0; k < users().size(); ++k) {
        auto const user = users()[k];
        if (relevant_[user].empty()) continue;
        std::vector<std::string> row{user_names_(user),
                                     std::to_string(user_rows_[static_cast<std::size_t>(user)]),
                                     std::to_string(relevant_[user].size())};
        for (auto const K : cutoffs_)
            measures_at(lists_[k], relevant_[user], K).visit([&](char const* name, double value) {
                if (table.rows.empty()) table.header.push_back(fmt::format("{}@{}", name, K));
                row.push_back(csv_cell(value));
            });
        if (arguments_.wants_auc) {
            if (table.rows.empty()) table.header.emplace_back("auc");
            row.push_back(csv_cell(auc_[k]));
        }
        table.rows.push_back(std::move(row));
    }
    files.write_text(arguments_.per_user, csv(table));
}

}  // namespace polder::recsys::app
