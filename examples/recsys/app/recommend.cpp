// polder-recsys recommend, similar, export: what a trained model is for.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/engine/parallel.hpp>
#include <polder/state/file.hpp>
#include <polder/state/safetensors.hpp>

#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/table.hpp"
#include "recsys/app/trained_model.hpp"
#include "recsys/data/npy.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/prepare/id_files.hpp"
#include "recsys/prepare/interactions.hpp"
#include "recsys/prepare/table.hpp"
#include "recsys/prepare/text_file.hpp"

namespace polder::recsys::app {

namespace {

using ScoredItem = std::pair<float, std::int32_t>;
constexpr float never = -std::numeric_limits<float>::infinity();

struct RecommendArguments {
    std::string checkpoint, data;
    int threads = default_threads();
    std::string user, item, users, history, exclude, candidates;
    std::size_t top = 10;
    bool is_for_all = false, with_seen = false, without_held_out = false;
    bool with_parameters = false;
    std::string json, output;
    Files files;
};

// A trained model with what it was trained on, and the names of its users and items.
struct Recommender {
    TrainedModel trained;
    Dataset data;
    Names users, items;
    std::unique_ptr<AnyModel<float>> model;
    ParameterArena<float> parameters;
    Representations<float> vectors{};
    std::vector<bool> is_trained_user, is_trained_item;
    bool has_features = false;  // items without rows have vectors, too: of their features
};

std::unique_ptr<Recommender> restore(RecommendArguments const& a) {
    if (a.checkpoint.empty())
        throw std::invalid_argument("--checkpoint is missing: a file of train --checkpoint");
    auto result = std::make_unique<Recommender>();
    auto& r = *result;
    r.trained = read_trained_model(a.checkpoint, {a.data, {}, {}});
    r.has_features = needs_features(find_model(r.trained.options.model.name));
    r.data = load_data(r.trained.source, r.has_features);
    if (auto const found = description_of(r.data); found != r.trained.trained_on)
        throw std::runtime_error(fmt::format("{}: was made with data of {}, {} has {}",
                                             a.checkpoint, r.trained.trained_on, r.data.name,
                                             found));
    auto const folder = id_folder(r.trained.source);
    r.users = Names(folder, "users.tsv", "user", r.data.n_users);
    r.items = Names(folder, "items.tsv", "item", r.data.n_items);
    if (r.trained.epoch < 0)
        spdlog::warn("{}: no epoch was evaluated yet; these are the parameters of the last batch",
                     a.checkpoint);
    r.model = make_trained<float>(r.trained, r.data, a.threads);
    r.parameters = read_trained_parameters(r.trained, *r.model);
    r.vectors = r.model->representations(r.parameters);
    warn_of_non_finite(r.vectors, a.checkpoint);
    r.is_trained_user.resize(static_cast<std::size_t>(r.data.n_users));
    r.is_trained_item.resize(static_cast<std::size_t>(r.data.n_items));
    for (auto const& row : r.data.train) {
        r.is_trained_user[static_cast<std::size_t>(row.user)] = true;
        r.is_trained_item[static_cast<std::size_t>(row.item)] = true;
    }
    return result;
}

// The lines of a file that are not blank.
std::vector<std::string> read_lines(std::string const& file) {
    TextFile const source(file);
    auto rest = source.text();
    std::vector<std::string> result;
    while (!rest.empty()) {
        auto const end = rest.find('\n');
        auto line = rest.substr(0, end);
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (!line.empty()) result.emplace_back(line);
    }
    return result;
}

// Which items are recommended to whom.
class Choice {
public:
    Choice(Recommender const& r, RecommendArguments const& a) : r_(r) {
        auto const n_items = static_cast<std::size_t>(r.data.n_items);
        std::vector<bool> allowed(n_items, true);
        if (!a.candidates.empty()) {
            std::fill(allowed.begin(), allowed.end(), false);
            for (auto const& id : read_lines(a.candidates))
                allowed[static_cast<std::size_t>(known_item(a.candidates, id))] = true;
        }
        if (!a.exclude.empty())
            for (auto const& line : read_lines(a.exclude)) {
                auto const tab = line.find('\t');
                if (tab == std::string::npos)
                    allowed[static_cast<std::size_t>(known_item(a.exclude, line))] = false;
                else if (auto const user = r.users.find(line.substr(0, tab)))
                    hidden_.push_back({*user, known_item(a.exclude, line.substr(tab + 1))});
            }
        std::size_t n_untrained = 0;
        for (std::size_t item = 0; item < n_items; ++item)
            if (allowed[item] && !r.is_trained_item[item]) {
                ++n_untrained;
                if (!r.has_features) allowed[item] = false;
            }
        if (n_untrained > 0 && r.has_features)
            spdlog::warn("{} items have no row in training: their vectors come from features",
                         n_untrained);
        else if (n_untrained > 0)
            spdlog::warn("{} items have no row in training and are left out: their vectors are not "
                         "trained",
                         n_untrained);
        if (!a.with_seen) add(r.data.train);
        if (a.without_held_out) {
            add(r.data.valid);
            add(r.data.test);
        }
        // Where few items are candidates, their vectors alone are read.
        place_of_item_.assign(n_items, -1);
        for (std::size_t item = 0; item < n_items; ++item)
            if (allowed[item]) {
                place_of_item_[item] = static_cast<std::int32_t>(item_at_.size());
                item_at_.push_back(static_cast<std::int32_t>(item));
            }
        if (item_at_.empty()) throw std::runtime_error("no item is left that may be recommended");
        vectors_.reserve(item_at_.size() * r.vectors.items.cols);
        if (item_at_.size() < n_items)
            for (auto const item : item_at_)
                for (std::size_t k = 0; k < r.vectors.items.cols; ++k)
                    vectors_.push_back(r.vectors.items(static_cast<std::size_t>(item), k));
    }

    // The vectors of the items that may be recommended, and their numbers.
    MatrixView<float const> vectors() const {
        if (vectors_.empty()) return r_.vectors.items;
        return {vectors_.data(), item_at_.size(), r_.vectors.items.cols};
    }
    std::int32_t item_at(std::int32_t place) const {
        return item_at_[static_cast<std::size_t>(place)];
    }

    // The places of items that each user is not given, by user, ascending. `further` rows go with those of the data.
    UserItems hidden(std::vector<Interaction> further, std::int32_t n_users, bool of_data) const {
        if (of_data) further.insert(further.end(), hidden_.begin(), hidden_.end());
        std::erase_if(further, [&](Interaction const& row) {
            return place_of_item_[static_cast<std::size_t>(row.item)] < 0;
        });
        for (auto& row : further) row.item = place_of_item_[static_cast<std::size_t>(row.item)];
        return UserItems::distinct(further, n_users);
    }

private:
    std::int32_t known_item(std::string const& file, std::string const& id) const {
        if (auto const item = r_.items.find(id)) return *item;
        throw std::runtime_error(file + ": item " + shown_text(id) + " is not in the data");
    }
    void add(std::vector<Interaction> const& rows) {
        hidden_.insert(hidden_.end(), rows.begin(), rows.end());
    }

    Recommender const& r_;
    std::vector<Interaction> hidden_;
    std::vector<std::int32_t> place_of_item_, item_at_;
    std::vector<float> vectors_;
};

// Users that lists are asked for: their vectors, the row of each, and the ids that came in.
struct Asked {
    MatrixView<float const> vectors;
    std::vector<std::int32_t> rows;
    std::vector<std::string> ids;  // where they are not those of the data
    UserItems hidden;              // of rows
    std::vector<float> own{};      // the vectors, where they are not those of the data
};

// Users of the data that have rows in training.
Asked asked_of_data(Recommender const& r, RecommendArguments const& a, Choice const& choice) {
    Asked asked{r.vectors.users, {}, {}, choice.hidden({}, r.data.n_users, true)};
    std::size_t n_untrained = 0, n_unknown = 0;
    std::string first;
    auto const take = [&](std::int32_t user) {
        if (r.is_trained_user[static_cast<std::size_t>(user)])
            asked.rows.push_back(user);
        else
            ++n_untrained;
    };
    if (a.is_for_all) {
        for (std::int32_t user = 0; user < r.data.n_users; ++user) take(user);
    } else {
        for (auto const& id : read_lines(a.users)) {
            if (auto const user = r.users.find(id)) {
                take(*user);
            } else {
                if (n_unknown++ == 0) first = id;
            }
        }
    }
    if (n_untrained > 0)
        spdlog::warn("{} users have no row in training and are left out: their vectors are not "
                     "trained",
                     n_untrained);
    if (n_unknown > 0)
        spdlog::warn(
            "{}: {} users are not in the data, the first is {}; --history FILE is for new users",
            a.users, n_unknown, shown_text(first));
    return asked;
}

// New users: the mean of the vectors of their items.
Asked asked_of_history(Recommender const& r, RecommendArguments const& a, Choice const& choice) {
    RawInteractions raw;
    auto const said = read_interactions(a.history, {}, raw);
    auto const n = raw.users.size(), d = r.vectors.items.cols;
    std::vector<double> sums(n * d);
    std::vector<std::size_t> n_items(n);
    std::vector<Interaction> rows;
    std::size_t n_unknown = 0;
    for (auto const& row : raw.rows) {
        auto const item = r.items.find(raw.items[row.item]);
        if (!item || (!r.has_features && !r.is_trained_item[static_cast<std::size_t>(*item)])) {
            ++n_unknown;
            continue;
        }
        ++n_items[row.user];
        for (std::size_t k = 0; k < d; ++k)
            sums[row.user * d + k] += double{r.vectors.items(static_cast<std::size_t>(*item), k)};
        rows.push_back({static_cast<std::int32_t>(row.user), *item});
    }
    if (a.with_seen) rows.clear();
    Asked asked{{}, {}, {}, choice.hidden(std::move(rows), static_cast<std::int32_t>(n), false)};
    for (std::size_t user = 0; user < n; ++user) {
        asked.ids.emplace_back(raw.users[user]);
        if (n_items[user] == 0) continue;
        asked.rows.push_back(static_cast<std::int32_t>(user));
        for (std::size_t k = 0; k < d; ++k)
            sums[user * d + k] /= static_cast<double>(n_items[user]);
    }
    asked.own.resize(sums.size());
    std::transform(sums.begin(), sums.end(), asked.own.begin(),
                   [](double value) { return static_cast<float>(value); });
    asked.vectors = {asked.own.data(), n, d};
    spdlog::info("{}; a new user's vector is the mean of those of the items", said);
    if (n_unknown > 0)
        spdlog::warn("{}: {} rows have items that are not in training, and are left out", a.history,
                     n_unknown);
    if (asked.rows.size() < n)
        spdlog::warn("{}: {} users have no item that is in training, and are left out", a.history,
                     n - asked.rows.size());
    return asked;
}

// A field of CSV.
std::string quoted_where_needed(std::string text) {
    if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
    std::string quoted = "\"";
    for (char const c : text) quoted.append(c == '"' ? 2 : 1, c);
    return quoted + "\"";
}

constexpr std::string_view list_header = "user,item,rank,score";

// Lists of all who are asked for, block after block, so that no more than a block of them is in memory.
int recommend_many(RecommendArguments& a) {
    std::filesystem::path const output(a.output);
    bool const is_json = output.extension() == ".jsonl";
    if (a.output.empty())
        throw std::invalid_argument("--output is missing: a file *.csv or *.jsonl for the lists");
    a.files.expect("--output", output, is_json ? Mark{"{\"user\":", {}} : Mark::csv(list_header));
    auto const restored = restore(a);
    auto const& r = *restored;
    Choice const choice(r, a);
    auto const asked =
        a.history.empty() ? asked_of_data(r, a, choice) : asked_of_history(r, a, choice);
    auto const name_of_user = [&](std::int32_t row) {
        return asked.ids.empty() ? r.users(row) : asked.ids[static_cast<std::size_t>(row)];
    };
    std::size_t n_lists = 0, n_empty = 0;
    auto const write = [&](std::ostream& stream) {
        if (!is_json) stream << list_header << '\n';
        constexpr std::size_t block = 16'384;
        std::vector<std::string> texts;
        for (std::size_t first = 0; first < asked.rows.size(); first += block) {
            auto const rows =
                std::span(asked.rows).subspan(first, std::min(block, asked.rows.size() - first));
            texts.assign(rows.size(), {});
            for_each_top_list<float>(
                {asked.vectors, choice.vectors()}, rows, a.top,
                [&](std::size_t k) { return asked.hidden[rows[k]]; }, never, a.threads,
                [&](std::size_t k, std::span<ScoredItem const> list) {
                    auto user = name_of_user(rows[k]);
                    user = is_json ? Json(user).dump() : quoted_where_needed(std::move(user));
                    int rank = 0;
                    for (auto const& [score, place] : list) {
                        auto item = r.items(choice.item_at(place));
                        item = is_json ? Json(item).dump() : quoted_where_needed(std::move(item));
                        texts[k] += is_json
                                        ? fmt::format("{{\"user\": {}, \"item\": {}, \"rank\": {}, "
                                                      "\"score\": {}}}\n",
                                                      user, item, ++rank, score)
                                        : fmt::format("{},{},{},{}\n", user, item, ++rank, score);
                    }
                });
            for (auto const& text : texts) {
                stream.write(text.data(), static_cast<std::streamsize>(text.size()));
                ++(text.empty() ? n_empty : n_lists);
            }
        }
    };
    a.files.write(output, [&] { write_file(output, write); });
    if (n_empty > 0)
        spdlog::warn("{} users have no item that may be recommended, or no score that is a number",
                     n_empty);
    spdlog::info("{}: up to {} items each for {} users{}", r.trained.label(), a.top, n_lists,
                 a.with_seen ? "" : ", without those that they have in training");
    return a.files.exit_code(success);
}

bool contains(std::vector<Interaction> const& rows, std::int32_t user, std::int32_t item) {
    return std::find(rows.begin(), rows.end(), Interaction{user, item}) != rows.end();
}

int recommend_one(RecommendArguments& a) {
    a.files.expect("--json", a.json, Mark::json("recommend"));
    auto const restored = restore(a);
    auto const& r = *restored;
    auto const user = a.user.empty() ? std::int32_t{0} : r.users.number(a.user);
    auto const id = r.users(user);
    if (!r.is_trained_user[static_cast<std::size_t>(user)])
        throw std::runtime_error(fmt::format(
            "user {} has no row in training, so that the vector is not trained; --history FILE "
            "recommends by a list of items",
            id));
    Choice const choice(r, a);
    auto const hidden = choice.hidden({}, r.data.n_users, true);
    auto const n_known = std::count_if(r.data.train.begin(), r.data.train.end(),
                                       [&](auto const& row) { return row.user == user; });
    std::size_t n_lost = 0;
    for (std::size_t item = 0; item < r.vectors.items.rows; ++item) {
        float score = 0;
        for (std::size_t k = 0; k < r.vectors.items.cols; ++k)
            score += r.vectors.users(static_cast<std::size_t>(user), k) * r.vectors.items(item, k);
        n_lost += std::isfinite(score) ? 0 : 1;
    }
    if (n_lost == r.vectors.items.rows)
        throw std::runtime_error(
            fmt::format("{}: no score of user {} is a number", a.checkpoint, id));
    if (n_lost > 0)
        spdlog::warn("{}: {} of {} scores of user {} are not numbers, and are left out",
                     a.checkpoint, n_lost, r.vectors.items.rows, id);

    Table table{{"rank", "item", "score", "held out"}, {}, 0};
    if (r.items.have_titles()) table.header.emplace_back("title");
    Json json = Json::array();
    std::vector<std::int32_t> const one{user};
    for_each_top_list<float>(
        {r.vectors.users, choice.vectors()}, one, a.top, [&](std::size_t) { return hidden[user]; },
        never, 1,
        [&](std::size_t, std::span<ScoredItem const> list) {
            for (auto const& [score, place] : list) {
                if (!std::isfinite(score)) continue;
                auto const item = choice.item_at(place);
                std::string const held_out = contains(r.data.test, user, item)    ? "test"
                                             : contains(r.data.valid, user, item) ? "valid"
                                                                                  : "";
                table.rows.push_back({std::to_string(table.rows.size() + 1), r.items(item),
                                      table_cell(double{score}), held_out});
                auto const shown = r.items.are_ids() ? Json(r.items(item)) : Json(item);
                json.push_back({{"item", shown}, {"score", score}, {"held_out", held_out}});
                if (!r.items.have_titles()) continue;
                table.rows.back().push_back(r.items.title(item));
                json.back()["title"] = r.items.title(item);
            }
        });
    a.files.write_json(a.json, {{"command", "recommend"},
                                {"user", r.users.are_ids() ? Json(id) : Json(user)},
                                {"items", json}});
    fmt::print("{} with {}, epoch {}: items for user {}, who has {} in training{}\n\n{}",
               r.trained.options.model.name, r.trained.options.optimizer.method,
               table_cell(json_of_epoch(r.trained.epoch)), id, n_known,
               a.with_seen ? "" : ", without these", aligned(table));
    return a.files.exit_code(success);
}

int recommend(RecommendArguments& a) {
    int const n_ways = static_cast<int>(a.is_for_all) + static_cast<int>(!a.user.empty()) +
                       static_cast<int>(!a.users.empty()) + static_cast<int>(!a.history.empty());
    if (n_ways > 1)
        throw std::invalid_argument("expected one of --user, --users, --all and --history");
    bool const is_for_one = n_ways == 0 || !a.user.empty();
    if (is_for_one && !a.output.empty())
        throw std::invalid_argument(
            "--output is for --all, --users and --history; the list of one user goes to --json");
    if (!is_for_one && !a.json.empty())
        throw std::invalid_argument(
            "--json is for the list of one user; expected --output FILE.csv or FILE.jsonl");
    return is_for_one ? recommend_one(a) : recommend_many(a);
}

int list_similar(RecommendArguments& a) {
    if (a.item.empty()) throw std::invalid_argument("--item is missing: the id of an item");
    a.files.expect("--json", a.json, Mark::json("similar"));
    auto const restored = restore(a);
    auto const& r = *restored;
    auto const item = r.items.number(a.item);
    auto const is_usable = [&](std::size_t n) { return r.has_features || r.is_trained_item[n]; };
    if (!is_usable(static_cast<std::size_t>(item)))
        throw std::runtime_error(fmt::format(
            "item {} has no row in training, so that the vector is not trained", a.item));
    // Vectors of length 1, so that a product is a cosine.
    auto const& m = r.vectors.items;
    std::vector<float> unit(m.rows * m.cols);
    for (std::size_t n = 0; n < m.rows; ++n) {
        double squares = 0;
        for (std::size_t k = 0; k < m.cols; ++k) squares += double{m(n, k)} * double{m(n, k)};
        for (std::size_t k = 0; k < m.cols && squares > 0; ++k)
            unit[n * m.cols + k] = static_cast<float>(double{m(n, k)} / std::sqrt(squares));
    }
    std::vector<std::int32_t> hidden;
    for (std::int32_t n = 0; n < r.data.n_items; ++n)
        if (n == item || !is_usable(static_cast<std::size_t>(n))) hidden.push_back(n);
    MatrixView<float const> const vectors{unit.data(), m.rows, m.cols};
    Table table{{"rank", "item", "cosine"}, {}, 0};
    if (r.items.have_titles()) table.header.emplace_back("title");
    Json json = Json::array();
    std::vector<std::int32_t> const one{item};
    for_each_top_list<float>(
        {vectors, vectors}, one, a.top,
        [&](std::size_t) { return std::span<std::int32_t const>(hidden); }, never, 1,
        [&](std::size_t, std::span<ScoredItem const> list) {
            for (auto const& [score, other] : list) {
                table.rows.push_back({std::to_string(table.rows.size() + 1), r.items(other),
                                      table_cell(double{score})});
                json.push_back({{"item", r.items.are_ids() ? Json(r.items(other)) : Json(other)},
                                {"cosine", score}});
                if (r.items.have_titles()) table.rows.back().push_back(r.items.title(other));
            }
        });
    a.files.write_json(a.json, {{"command", "similar"}, {"item", a.item}, {"items", json}});
    auto const title = r.items.title(item);
    fmt::print("{}: items like {}{}\n\n{}", r.trained.label(), a.item,
               title.empty() ? "" : ", " + title, aligned(table));
    return a.files.exit_code(success);
}

constexpr char const* export_format = "polder-recsys export";

int export_embeddings(RecommendArguments& a) {
    if (a.output.empty())
        throw std::invalid_argument("--output is missing: a folder, or a file *.safetensors");
    std::filesystem::path const output(a.output);
    bool const is_one_file = output.extension() == ".safetensors";
    auto& files = a.files;
    auto const list = output / "export.json";
    if (is_one_file)
        files.expect("--output", output, Mark::safetensors(export_format));
    else
        Files::expect_folder(output);
    auto const restored = restore(a);
    auto const& r = restored->vectors;

    struct Matrix {
        std::string name;
        MatrixView<float const> values;
    };
    std::vector<Matrix> matrices{{"users", r.users}, {"items", r.items}};
    auto const& parameters = restored->parameters;
    if (a.with_parameters)
        for (auto const& entry : parameters.entries())
            matrices.push_back({"parameters." + entry.name, parameters.view(entry)});
    // The ids that came in, where the data has them: files that say which row is whose.
    std::vector<std::pair<std::filesystem::path, std::filesystem::path>> tables;
    for (auto const* const names : {&restored->users, &restored->items})
        if (names->are_ids()) {
            std::filesystem::path const from(names->file());
            auto beside = output;
            beside.replace_extension("." + from.filename().string());
            tables.emplace_back(from, is_one_file ? beside : output / from.filename());
        }

    auto const& options = restored->trained.options;
    if (is_one_file) {
        for (auto const& each : tables)
            files.expect("--output", each.second, Mark::csv("number\tid"));
        SafetensorsWriter writer;
        writer.add_metadata("format", export_format);
        writer.add_metadata("model", options.model.name);
        for (auto const& [name, values] : matrices)
            writer.add(name, {values.rows, values.cols}, std::span(values.data, values.size()));
        files.write(output, [&] { writer.write(output); });
    } else {
        // A matrix has no place for a mark: the list beside it says that the folder is ours.
        std::error_code error;
        bool const is_ours =
            std::filesystem::exists(list, error) && is_own(list, Mark::json("export"));
        if (std::filesystem::is_directory(output, error)) {
            files.expect("--output", list, Mark::json("export"));
            if (!is_ours)
                for (auto const& each : matrices)
                    files.expect("--output", output / (each.name + ".npy"), Mark::none());
            for (auto const& each : tables)
                files.expect("--output", each.second, Mark::csv("number\tid"));
        }
        Files::make_folder(output);
        Json shapes = Json::object();
        for (auto const& [name, values] : matrices) shapes[name] = {values.rows, values.cols};
        files.write_json(list, {{"command", "export"},
                                {"checkpoint", a.checkpoint},
                                {"model", options.model.name},
                                {"matrices", std::move(shapes)}});
        for (auto const& [name, values] : matrices) {
            auto const file = output / (name + ".npy");
            files.write(file, [&, &m = values] {
                write_npy(file, m.rows, m.cols, std::span(m.data, m.size()));
            });
        }
    }
    for (auto const& each : tables)
        files.write(each.second,
                    [&] { write_text_file(each.second, TextFile(each.first).text()); });
    for (auto const& [name, values] : matrices)
        fmt::print("{}: {} x {}\n", name, values.rows, values.cols);
    spdlog::info("a score is the product of a row of users and a row of items");
    return files.exit_code(success);
}

void add_checkpoint_options(CLI::App& command, RecommendArguments& a) {
    command
        .add_option("--checkpoint", a.checkpoint,
                    "A checkpoint of train; the model is that of its best epoch")
        ->type_name("FILE");
    command.add_option("--data", a.data, "Where the data lies now, if not where it was")
        ->type_name("DIR|FILE");
    command.add_option("--threads", a.threads, "Threads")
        ->check(whole_number<int>(1, most_threads))
        ->capture_default_str();
}

}  // namespace

Command add_recommend(CLI::App& program) {
    auto const arguments = std::make_shared<RecommendArguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("recommend", "The items that a trained model gives to users");
    add_checkpoint_options(*command, a);
    command
        ->add_option("--user", a.user, "Id of one user, whose list is printed. Default: the first")
        ->type_name("ID");
    command->add_flag("--all", a.is_for_all, "Lists for all users, to --output");
    command
        ->add_option("--users", a.users, "Lists for these users, an id on each line, to --output")
        ->type_name("FILE");
    command
        ->add_option("--history", a.history,
                     "Lists for new users, by a table of their items as prepare reads it, to "
                     "--output: a new "
                     "user's vector is the mean of those of the items")
        ->type_name("FILE");
    command->add_option("--top", a.top, "How many items")
        ->check(whole_number<std::size_t>(1, 1'000'000))
        ->capture_default_str();
    command->add_flag("--keep-seen,--known", a.with_seen,
                      "Also items that the user has in training");
    command->add_flag("--exclude-held-out", a.without_held_out,
                      "Without items that the user has in validation and test");
    command
        ->add_option("--exclude", a.exclude,
                     "Items that nobody is given, an id on each line; or a user, a tab and an item")
        ->type_name("FILE");
    command
        ->add_option("--candidates", a.candidates, "No other items than these, an id on each line")
        ->type_name("FILE");
    command
        ->add_option(
            "--output", a.output,
            "Write lists here, as *.csv with the columns user, item, rank and score, or as *.jsonl")
        ->type_name("FILE")
        ->group("Files");
    command->add_option("--json", a.json, "Write the list of one user here")
        ->type_name("FILE")
        ->group("Files");
    a.files.add_option(*command);
    return {command, [arguments] { return recommend(*arguments); }};
}

Command add_similar(CLI::App& program) {
    auto const arguments = std::make_shared<RecommendArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "similar", "The items whose vectors in a trained model are most like an item's");
    add_checkpoint_options(*command, a);
    command->add_option("--item", a.item, "Id of the item")->type_name("ID");
    command->add_option("--top", a.top, "How many items")
        ->check(whole_number<std::size_t>(1, 1'000'000))
        ->capture_default_str();
    command->add_option("--json", a.json, "Write the list here")->type_name("FILE")->group("Files");
    a.files.add_option(*command);
    return {command, [arguments] { return list_similar(*arguments); }};
}

Command add_export(CLI::App& program) {
    auto const arguments = std::make_shared<RecommendArguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("export", "Write the vectors of users and items of a trained model");
    add_checkpoint_options(*command, a);
    command
        ->add_option(
            "--output", a.output,
            "A file *.safetensors with users and items, or a folder for users.npy, items.npy and "
            "export.json, which lists them; users.tsv and items.tsv beside them have the ids where "
            "the data has them")
        ->type_name("FILE|DIR");
    command->add_flag("--parameters", a.with_parameters, "Also the parameters of the model");
    a.files.add_option(*command);
    return {command, [arguments] { return export_embeddings(*arguments); }};
}

}  // namespace polder::recsys::app
