// polder-recsys prepare: from tables of interactions as people have them to a data set.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/commands.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/numbers.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/features.hpp"
#include "recsys/data/npy.hpp"
#include "recsys/prepare/features.hpp"
#include "recsys/prepare/id_files.hpp"
#include "recsys/prepare/interactions.hpp"
#include "recsys/prepare/steps.hpp"
#include "recsys/prepare/table.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

struct PrepareArguments {
    std::vector<std::string> inputs;
    std::string output, old_ids, split, duplicates = "first", k_core;
    std::string user, item, rating, timestamp, separator;
    bool has_no_header = false;
    std::optional<double> min_rating;
    std::uint64_t seed = 1;
    std::string items_table, item_id, title, text;
    std::size_t text_size = 64;
    std::vector<std::string> features;
    Files files;
};

std::optional<std::string> if_given(std::string const& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

// "\t" and "tab" as people write it on a command line.
std::string separator_of(std::string const& text) {
    if (text == "\\t" || text == "tab") return "\t";
    return text;
}

std::vector<std::string> at_commas(std::string_view text) {
    std::vector<std::string> result;
    while (!text.empty()) {
        auto const end = std::min(text.find(','), text.size());
        result.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
}

// NAME=FILE or NAME=FILE.npy,IDS.
struct FeatureSource {
    std::string name, file, ids;
};

FeatureSource parse_features(std::string const& text) {
    auto const equals = text.find('=');
    auto const name = text.substr(0, equals);
    if (equals == std::string::npos || name.empty() ||
        name.find_first_of("/\\ ") != std::string::npos || equals + 1 == text.size())
        throw std::invalid_argument(
            fmt::format("--features {}: expected NAME=FILE, or NAME=FILE.npy,IDS", text));
    auto file = text.substr(equals + 1);
    std::error_code error;
    if (fs::exists(file, error)) return {name, file, {}};
    auto const comma = file.rfind(',');
    if (comma == std::string::npos) return {name, file, {}};
    return {name, file.substr(0, comma), file.substr(comma + 1)};
}

// The rows as a table, with the columns that all files have.
void write_rows(std::ostream& stream, RawInteractions const& data,
                std::vector<std::uint32_t> const& users, std::vector<std::uint32_t> const& items) {
    std::string text = "userID\titemID";
    if (data.has_rating) text += "\trating";
    if (data.has_time) text += "\ttimestamp";
    text += "\tx_label\n";
    auto const add = [&text](auto value) {
        char digits[40];
        text.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    };
    auto const add_number = [&](double value) {
        if (std::isnan(value)) return;  // an empty field
        auto const whole = static_cast<std::int64_t>(value);
        if (std::abs(value) < 1e15 && static_cast<double>(whole) == value)
            add(whole);
        else
            add(value);
    };
    constexpr std::size_t part = 1 << 20;
    text.reserve(part + 256);
    for (auto const& row : data.rows) {
        add(users[row.user]);
        text += '\t';
        add(items[row.item]);
        if (data.has_rating) {
            text += '\t';
            add_number(double{row.rating});
        }
        if (data.has_time) {
            text += '\t';
            add_number(row.time);
        }
        text += '\t';
        text += static_cast<char>('0' + row.label);
        text += '\n';
        if (text.size() < part) continue;
        stream.write(text.data(), static_cast<std::streamsize>(text.size()));
        text.clear();
    }
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
}

// The table of ids with those of `old` first, and the number in it of each id of the rows.
std::vector<std::uint32_t> append_ids(IdTable& table, Ids const& ids) {
    std::vector<std::uint32_t> numbers(ids.size());
    for (std::size_t n = 0; n < ids.size(); ++n) numbers[n] = table.ids.number(ids[n]);
    return numbers;
}

IdTable old_table(std::string const& folder, std::string const& file) {
    if (folder.empty()) return {};
    auto const path = fs::path(folder) / file;
    std::error_code error;
    if (!fs::exists(path, error))
        throw std::runtime_error(fmt::format(
            "--ids {}: there is no {} in it, expected a folder that prepare wrote", folder, file));
    return read_id_table(path);
}

Table steps_table(std::vector<StepCount> const& steps) {
    Table table{{"step", "rows", "removed", "users", "items"}, {}};
    for (std::size_t k = 0; k < steps.size(); ++k)
        table.rows.push_back({steps[k].step, grouped(steps[k].rows),
                              k == 0 ? "" : grouped(steps[k - 1].rows - steps[k].rows),
                              grouped(steps[k].users), grouped(steps[k].items)});
    return table;
}

// What somebody else's folder may not lose.
void expect_outputs(PrepareArguments& a, std::vector<fs::path> const& outputs) {
    fs::path const folder(a.output);
    Files::expect_folder(folder);
    std::error_code error;
    if (!fs::is_directory(folder, error)) return;
    auto const list = folder / "prepare.toml";
    bool const is_ours = fs::exists(list, error) && is_own(list, Mark::toml());
    a.files.expect("--output", list, Mark::toml());
    if (!is_ours)
        for (auto const& file : outputs) a.files.expect("--output", file, Mark::none());
    for (auto const& each : find_feature_files(folder))
        if (std::find(outputs.begin(), outputs.end(), each.file) == outputs.end())
            throw FileError(each.file,
                            "has features of items whose numbers may be others now; expected "
                            "another folder, or --features for it");
}

// A split that is given must not hold out what training has. The rows are as they were read; `ends`: of each file.
void refuse_known_rows(PrepareArguments const& a, RawInteractions const& data,
                       std::vector<std::size_t> const& ends) {
    auto const stays = [&](RawRow const& row) {
        return !a.min_rating || row.rating >= static_cast<float>(*a.min_rating);
    };
    auto const pair_of = [](RawRow const& row) {
        return std::uint64_t{row.user} << 32U | std::uint64_t{row.item};
    };
    std::vector<std::uint64_t> trained;
    for (auto const& row : data.rows)
        if (row.label == 0 && stays(row)) trained.push_back(pair_of(row));
    std::sort(trained.begin(), trained.end());
    std::size_t n_known = 0, first = 0;
    for (std::size_t k = 0; k < data.rows.size(); ++k) {
        auto const& row = data.rows[k];
        if (row.label == 0 || !stays(row) ||
            !std::binary_search(trained.begin(), trained.end(), pair_of(row)))
            continue;
        if (n_known++ == 0) first = k;
    }
    if (n_known == 0) return;
    auto const file = std::upper_bound(ends.begin(), ends.end(), first) - ends.begin();
    auto const& row = data.rows[first];
    throw std::runtime_error(fmt::format("{}:{}: user {} and item {} are in {}, and together in "
                                         "train, too (such rows: {}); expected "
                                         "none with --split given",
                                         a.inputs[static_cast<std::size_t>(file)],
                                         data.lines[first], shown_text(data.users[row.user]),
                                         shown_text(data.items[row.item]),
                                         row.label == 1 ? "valid" : "test", grouped(n_known)));
}

int prepare(CLI::App const& command, PrepareArguments& a) {
    if (a.inputs.empty())
        throw std::invalid_argument("no file is given: prepare FILE... --output DIR");
    if (a.output.empty()) throw std::invalid_argument("--output is missing: a folder for the data");
    auto const duplicates = parse_duplicates(a.duplicates);
    auto const core = a.k_core.empty() ? KCore{} : parse_k_core(a.k_core);
    std::optional<Split> given_split;
    if (!a.split.empty()) given_split = parse_split(a.split);
    std::vector<FeatureSource> sources;
    for (auto const& each : a.features) sources.push_back(parse_features(each));
    auto const text_columns = at_commas(a.text);
    if (a.items_table.empty() && !(a.title.empty() && a.text.empty()))
        throw std::invalid_argument(
            "--title and --text: expected --items FILE, the table of items with these columns");
    if (!a.items_table.empty() && a.title.empty() && a.text.empty())
        throw std::invalid_argument(
            "--items: expected --title COLUMN or --text COLUMN,COLUMN with it");
    if (!text_columns.empty()) sources.push_back({"text", {}, {}});
    for (std::size_t k = 0; k < sources.size(); ++k)
        for (std::size_t other = 0; other < k; ++other)
            if (sources[k].name == sources[other].name)
                throw std::invalid_argument(
                    fmt::format("there are two sources of the features '{}'", sources[k].name));
    fs::path const folder(a.output);
    std::error_code error;
    auto real = fs::weakly_canonical(folder, error);
    if (!real.has_filename()) real = real.parent_path();
    auto const name = real.filename().string();
    auto const inter = folder / ((name.empty() ? "data" : name) + ".inter");
    std::vector<fs::path> outputs{inter, folder / "users.tsv", folder / "items.tsv"};
    for (auto const& each : sources) outputs.push_back(folder / (each.name + "_feat.npy"));
    expect_outputs(a, outputs);
    IdTable users = old_table(a.old_ids, "users.tsv"), items = old_table(a.old_ids, "items.tsv");
    users.titles.clear();

    RawInteractions data;
    TableChoice const choice{if_given(a.user),
                             if_given(a.item),
                             if_given(a.rating),
                             if_given(a.timestamp),
                             if_given(separator_of(a.separator)),
                             a.has_no_header};
    std::vector<std::size_t> ends;
    for (auto const& file : a.inputs) {
        fmt::print("{}\n", read_interactions(file, choice, data));
        ends.push_back(data.rows.size());
    }
    if (a.min_rating && !data.has_rating)
        throw std::runtime_error("--min-rating: there is no column of ratings in all files; "
                                 "--rating NAME says which it is");
    if (data.has_label && (!given_split || given_split->kind == Split::Kind::given))
        refuse_known_rows(a, data, ends);
    data.lines = {};
    std::vector<StepCount> steps;
    steps.push_back({"rows of the files", data.n_read, data.users.size(), data.items.size()});
    if (data.n_without > 0) steps.push_back(count_step("with user and item", data));
    if (a.min_rating) {
        filter_ratings(data, *a.min_rating);
        steps.push_back(count_step(fmt::format("rating at least {}", *a.min_rating), data));
    }
    sort_interactions(data);
    drop_duplicates(data, duplicates);
    steps.push_back(count_step(fmt::format("duplicates: {}", a.duplicates), data));
    if (core.users > 0 || core.items > 0) {
        take_k_core(data, core);
        steps.push_back(count_step("k-core " + a.k_core, data));
    }
    if (data.rows.empty()) {
        fmt::print("\n{}", aligned(steps_table(steps)));
        throw std::runtime_error("no row is left");
    }
    drop_unused_ids(data);
    auto split = given_split.value_or(Split{});
    auto split_text = a.split;
    if (!given_split) {
        if (data.has_label) split.kind = Split::Kind::given;
        split_text = data.has_label ? "given" : "random:0.8,0.1,0.1";
    }
    split_rows(data, split, a.seed);
    drop_known_rows(data);
    steps.push_back(count_step("not in train and held out", data));
    std::size_t n_of[3]{};
    for (auto const& row : data.rows) ++n_of[row.label];
    if (n_of[0] == 0)
        throw std::runtime_error(
            fmt::format("--split {}: no row is left for training", split_text));

    auto const user_numbers = append_ids(users, data.users);
    auto const item_numbers = append_ids(items, data.items);
    std::vector<std::pair<fs::path, PreparedFeatures>> features;
    std::vector<std::string> notes;
    if (!a.items_table.empty()) {
        TableChoice item_choice;
        item_choice.item = if_given(a.item_id);
        auto texts = read_item_texts(a.items_table, item_choice, a.title, text_columns, items.ids);
        notes.push_back(fmt::format("{}: {} of {} items have a row", a.items_table,
                                    grouped(texts.n_found), grouped(items.ids.size())));
        if (!a.title.empty()) items.titles = std::move(texts.titles);
        if (!text_columns.empty())
            features.emplace_back(folder / "text_feat.npy",
                                  text_features(texts.texts, a.text_size));
    }
    items.titles.resize(items.titles.empty() ? 0 : items.ids.size());
    for (auto const& each : sources)
        if (!each.file.empty())
            features.emplace_back(folder / (each.name + "_feat.npy"),
                                  read_item_features(each.file, each.ids, items.ids));
    for (auto const& [file, each] : features)
        notes.push_back(fmt::format(
            "{}: {} columns{}; {}", file.filename().string(), each.matrix.columns,
            !text_columns.empty() && file.filename() == "text_feat.npy"
                ? fmt::format(" (tf-idf of {}, truncated SVD)", fmt::join(text_columns, ", "))
                : "",
            each.n_missing == 0
                ? std::string("every item has a row")
                : fmt::format("{} of {} items have none, and the mean of the others",
                              grouped(each.n_missing), grouped(items.ids.size()))));

    Files::make_folder(folder);
    auto& files = a.files;
    auto const config = folder / "prepare.toml";
    auto const config_says = config_text(command);
    files.write(
        config, [&] { write_text_file(config, config_says); }, false);
    files.write(
        inter,
        [&] {
            write_file(inter, [&](std::ostream& stream) {
                write_rows(stream, data, user_numbers, item_numbers);
            });
        },
        false);
    files.write(
        outputs[1], [&] { write_text_file(outputs[1], text_of_ids(users)); }, false);
    files.write(
        outputs[2], [&] { write_text_file(outputs[2], text_of_ids(items)); }, false);
    for (auto const& [file, each] : features)
        files.write(
            file,
            [&, &path = file, &m = each.matrix] { write_npy(path, m.rows, m.columns, m.values); },
            false);

    fmt::print("\n{}\n", aligned(steps_table(steps)));
    auto const share = [&](std::size_t n) {
        return fmt::format("{} ({:.1f} %)", grouped(n),
                           100 * static_cast<double>(n) / static_cast<double>(data.rows.size()));
    };
    fmt::print("{}{}: {} train, {} valid, {} test\n", split_text,
               split.kind == Split::Kind::leave_one_out && !data.has_time
                   ? ", drawn, since there are no times"
                   : "",
               share(n_of[0]), share(n_of[1]), share(n_of[2]));
    if (auto const untrained = count_untrained(data); untrained.users + untrained.items > 0)
        fmt::print(
            "without a row in train: {} users, whose other rows are not evaluated, and {} items\n",
            grouped(untrained.users), grouped(untrained.items));
    for (auto const& note : notes) fmt::print("{}\n", note);
    int const code = files.exit_code(success);
    if (code == success)
        spdlog::info("wrote {}: polder-recsys train --data {}; {} repeats this", a.output, a.output,
                     config.string());
    return code;
}

}  // namespace

Command add_prepare(CLI::App& program) {
    auto const arguments = std::make_shared<PrepareArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "prepare", "Make a data set of tables of interactions: CSV, TSV, JSON lines, also as gz");
    command->footer(
        "Layouts that are recognised: tables with a header that names users and items; RecBole's "
        "atomic files; MovieLens's u.data, ratings.dat and ratings.csv; Amazon's reviews as CSV "
        "and "
        "JSON lines. Examples:\n"
        "  polder-recsys prepare ratings.csv --min-rating 4 --k-core 5 --output ratings\n"
        "  polder-recsys prepare log.tsv --user 1 --item 3 --no-header --split leave-one-out "
        "--output log");
    auto const group = "Data";
    auto const add = [&](std::string const& option, auto& value, std::string const& text,
                         std::string const& type) {
        return command->add_option(option, value, text)->type_name(type)->group(group);
    };
    auto const add_list = [&](std::string const& option, auto& value, std::string const& text,
                              std::string const& type) {
        return add(option, value, text, type)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    };
    add_list("files,--file", a.inputs, "Tables of interactions; their rows are taken together",
             "FILE");
    add("--output", a.output,
        "Folder for the data: an .inter file, users.tsv and items.tsv with the ids, features, and "
        "prepare.toml, which repeats this",
        "DIR");
    add("--user", a.user, "Column of the users: its name, or its number from 1", "COLUMN");
    add("--item", a.item, "Column of the items", "COLUMN");
    add("--rating", a.rating, "Column of the ratings", "COLUMN");
    add("--timestamp", a.timestamp, "Column of the times: numbers, or dates", "COLUMN");
    add("--separator", a.separator, "What is between fields: , or ; or tab or :: ...", "TEXT");
    command->add_flag("--no-header", a.has_no_header, "The first line is a row")->group(group);
    command
        ->add_option_function<std::string>(
            "--min-rating",
            [&a](std::string const& text) {
                a.min_rating = parse_number(text);
                if (!a.min_rating)
                    throw std::invalid_argument(
                        fmt::format("--min-rating: '{}', expected a finite number", text));
            },
            "Leave out rows with a lower rating, or none")
        ->type_name("NUMBER")
        ->group(group);
    add("--duplicates", a.duplicates,
        "Of rows with the same user and item: first (the earliest stays), last, once (one stays, "
        "with the "
        "earliest time and the highest rating), all",
        "KIND")
        ->capture_default_str();
    add("--k-core", a.k_core,
        "Leave out users and items with fewer rows, until all have as many: K, users:K, items:K, "
        "or "
        "users:K,items:L",
        "K");
    add("--split", a.split,
        "random:0.8,0.1,0.1 (shares of each user's rows for train, valid, test, drawn), "
        "time:0.8,0.1,0.1 (the "
        "latest are test), leave-one-out (of each user the latest row is test, the one before "
        "valid), "
        "global-time:DATE,DATE (valid from the first, test from the second), given (x_label). "
        "Default: given where "
        "there is a column x_label, else random:0.8,0.1,0.1",
        "KIND");
    add("--seed", a.seed, "Seed of what is drawn", "UINT")
        ->check(whole_number<std::uint64_t>(0))
        ->capture_default_str();
    add("--ids", a.old_ids,
        "Folder of an earlier prepare: its users and items keep their numbers, new ones come after "
        "them",
        "DIR");
    add("--items", a.items_table, "Table of items, with an id on each row: titles and texts",
        "FILE");
    add("--item-id", a.item_id, "Column of the ids in it, where it is not recognised", "COLUMN");
    add("--title", a.title, "Column of the titles in it", "COLUMN");
    add("--text", a.text,
        "Columns in it whose words become the features text_feat.npy: tf-idf and truncated SVD",
        "COLUMN,...");
    add("--text-size", a.text_size, "Columns of these features at most", "UINT")
        ->check(whole_number<std::size_t>(1, 4096))
        ->capture_default_str();
    add_list("--features", a.features,
             "Features of items, as NAME_feat.npy: a table of ids and numbers; or npy, whose row "
             "belongs to the id on "
             "that line of IDS, or, without IDS, to the id that is its number from 0",
             "NAME=FILE[,IDS]")
        ->allow_extra_args(false);
    command
        ->add_option("--config",
                     "Read options from this TOML file; what is given here as well counts more")
        ->type_name("FILE")
        ->group("Files");
    a.files.add_option(*command);
    return {command, [command, arguments] { return prepare(*command, *arguments); }};
}

}  // namespace polder::recsys::app
