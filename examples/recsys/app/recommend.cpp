// polder-recsys recommend, similar, export: what a trained model is for.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
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
#include "recsys/prepare/interactions.hpp"
#include "recsys/prepare/table.hpp"
#include "recsys/prepare/text_file.hpp"
#include "recsys/serving/recommender.hpp"

namespace polder::recsys::app {

namespace {

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

// A restored model with the settings of its training.
struct Answering : RestoredModel {
    Answering(TrainedModel from, int threads)
        : RestoredModel(from, threads), trained(std::move(from)) {}
    TrainedModel trained;
};

std::unique_ptr<Answering> restore(RecommendArguments const& a) {
    if (a.checkpoint.empty())
        throw std::invalid_argument("--checkpoint is missing: a file of train --checkpoint");
    auto result =
        std::make_unique<Answering>(read_trained_model(a.checkpoint, {a.data, {}, {}}), a.threads);
    if (result->trained.epoch < 0)
        spdlog::warn("{}: no epoch was evaluated yet; these are the parameters of the last batch",
                     a.checkpoint);
    warn_of_non_finite(result->vectors, a.checkpoint);
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

// Which items are recommended to whom, by files of ids.
Choice choice_of(Answering const& r, RecommendArguments const& a) {
    auto const known_item = [&](std::string const& file, std::string const& id) {
        if (auto const item = r.items.find(id)) return *item;
        throw std::runtime_error(file + ": item " + shown_text(id) + " is not in the data");
    };
    ChoiceOptions options;
    options.with_seen = a.with_seen;
    options.without_held_out = a.without_held_out;
    if (!a.candidates.empty()) {
        options.candidates.emplace();
        for (auto const& id : read_lines(a.candidates))
            options.candidates->push_back(known_item(a.candidates, id));
    }
    if (!a.exclude.empty())
        for (auto const& line : read_lines(a.exclude)) {
            auto const tab = line.find('\t');
            if (tab == std::string::npos)
                options.excluded.push_back(known_item(a.exclude, line));
            else if (auto const user = r.users.find(line.substr(0, tab)))
                options.hidden.push_back({*user, known_item(a.exclude, line.substr(tab + 1))});
        }
    Choice choice(r, options);
    if (choice.n_untrained() > 0 && r.has_features)
        spdlog::warn("{} items have no row in training: their vectors come from features",
                     choice.n_untrained());
    else if (choice.n_untrained() > 0)
        spdlog::warn("{} items have no row in training and are left out: their vectors are not "
                     "trained",
                     choice.n_untrained());
    return choice;
}

// Users that lists are asked for: their vectors, the row of each, and the ids that came in.
struct Asked {
    MatrixView<float const> vectors;
    std::vector<std::int32_t> rows;
    std::vector<std::string> ids;  // where they are not those of the data
    UserItems hidden;              // of rows
    std::vector<float> own{};      // the vectors, where they are not those of the data
};

// Users of the data that have rows in training.
Asked asked_of_data(Answering const& r, RecommendArguments const& a, Choice const& choice) {
    Asked asked{r.vectors.users, {}, {}, choice.hidden()};
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
Asked asked_of_history(Answering const& r, RecommendArguments const& a, Choice const& choice) {
    RawInteractions raw;
    auto const said = read_interactions(a.history, {.has_options = false}, raw);
    auto const n = raw.users.size(), d = r.vectors.items.cols;
    auto const n_users = static_cast<std::int32_t>(n);
    std::vector<Interaction> rows;
    for (auto const& row : raw.rows)
        if (auto const item = r.items.find(raw.items[row.item]); item && r.has_vector(*item))
            rows.push_back({static_cast<std::int32_t>(row.user), *item});
    auto const n_unknown = raw.rows.size() - rows.size();
    UserItems const of_user(rows, n_users);
    if (a.with_seen) rows.clear();
    Asked asked{{}, {}, {}, choice.places_of(std::move(rows), n_users)};
    for (std::int32_t user = 0; user < n_users; ++user) {
        asked.ids.emplace_back(raw.users[static_cast<std::size_t>(user)]);
        if (!of_user[user].empty()) asked.rows.push_back(user);
        auto const vector = mean_of_items(r, of_user[user]);
        asked.own.insert(asked.own.end(), vector.begin(), vector.end());
    }
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
    auto const choice = choice_of(r, a);
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
                [&](std::size_t k) { return asked.hidden[rows[k]]; },
                -std::numeric_limits<float>::infinity(), a.threads,
                [&](std::size_t k, std::span<std::pair<float, std::int32_t> const> list) {
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
    auto const choice = choice_of(r, a);
    auto const hidden = choice.hidden();
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
    std::span const vector(&r.vectors.users(static_cast<std::size_t>(user), 0),
                           r.vectors.users.cols);
    for (auto const& [item, score] : best_items(choice, vector, hidden[user], a.top)) {
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
    if (!r.has_vector(item))
        throw std::runtime_error(fmt::format(
            "item {} has no row in training, so that the vector is not trained", a.item));
    Table table{{"rank", "item", "cosine"}, {}, 0};
    if (r.items.have_titles()) table.header.emplace_back("title");
    Json json = Json::array();
    for (auto const& [other, cosine] : similar_items(r, item, a.top)) {
        table.rows.push_back(
            {std::to_string(table.rows.size() + 1), r.items(other), table_cell(double{cosine})});
        json.push_back(
            {{"item", r.items.are_ids() ? Json(r.items(other)) : Json(other)}, {"cosine", cosine}});
        if (r.items.have_titles()) table.rows.back().push_back(r.items.title(other));
    }
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
