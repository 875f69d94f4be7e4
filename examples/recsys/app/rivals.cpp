// polder-recsys rivals: recommenders without parameters, which a model has to be better than.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <polder/engine/parallel.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/list_report.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/source.hpp"
#include "recsys/evaluation/rivals.hpp"

namespace polder::recsys::app {

namespace {

struct RivalArguments {
    DataSource data{};
    RankingArguments lists{};
    std::string neighbours = "10,20,50,100,200", shrink = "0,10,100", metric = "recall@20";
    int threads = default_threads();
    std::string json;
    Files files{};
};

struct Rival {
    std::string name;
    Json settings;
    std::function<void(std::int32_t, std::span<float>)> scores;
};

ListReport ranked(Dataset const& data, RankingArguments const& lists,
                  std::filesystem::path const& ids, Rival const& rival, int threads) {
    ListReport report(data, lists, ids);
    auto const users = report.users();
    report.rank([&](std::size_t k, std::span<float> scores) { rival.scores(users[k], scores); },
                threads);
    return report;
}

// The number of neighbours and the shrinkage that are best in validation; the first ones where there is none.
Rival best_neighbours(Dataset const& data, RivalArguments const& a) {
    RankingArguments valid;
    valid.split = "valid";
    Rival best;
    double most = -1;
    for (auto const& k : split_list(a.neighbours))
        for (auto const& shrink : split_list(a.shrink)) {
            ItemNeighbours::Options options;
            try {
                std::size_t read_k = 0, read_shrink = 0;
                options = {std::stoul(k, &read_k), std::stod(shrink, &read_shrink)};
                if (read_k != k.size() || read_shrink != shrink.size() || options.k < 1 ||
                    k.starts_with('-') || !(options.shrink >= 0))
                    throw std::out_of_range("");
            } catch (std::logic_error const&) {
                throw std::invalid_argument(fmt::format("--neighbours {} --shrink {}: expected "
                                                        "whole numbers above 0, and numbers >= 0, "
                                                        "separated by commas",
                                                        a.neighbours, a.shrink));
            }
            auto const model = std::make_shared<ItemNeighbours>(data, options);
            Rival rival{
                "item-knn",
                {{"k", options.k}, {"shrink", options.shrink}},
                [model](std::int32_t user, std::span<float> scores) { (*model)(user, scores); }};
            if (data.valid.empty()) return rival;
            auto const means = ranked(data, valid, {}, rival, a.threads).means();
            if (!means.contains(a.metric)) {
                std::vector<std::string> known;
                for (auto const& [name, value] : means.items()) known.push_back(name);
                refuse_name("metric", a.metric, known);
            }
            if (auto const value = means.at(a.metric).get<double>(); value > most) {
                most = value;
                rival.settings["valid"] = value;
                best = std::move(rival);
            }
        }
    return best;
}

int measure_rivals(RivalArguments& a) {
    a.files.expect("--json", a.json, Mark::json("rivals"));
    if (!a.lists.per_user.empty())
        throw std::invalid_argument("--per-user: expected a trained model, as in evaluate");
    auto const data = load_data(a.data, true);
    std::vector<Rival> rivals;
    rivals.push_back({"popularity", Json::object(), Popularity(data)});
    rivals.push_back(best_neighbours(data, a));
    Json all = Json::array();
    for (auto const& rival : rivals) {
        auto const report = ranked(data, a.lists, id_folder(a.data), rival, a.threads);
        std::string settings;
        for (auto const& [name, value] : rival.settings.items())
            if (name != "valid")
                settings +=
                    fmt::format("{}{}={}", settings.empty() ? ":" : ":", name, value.dump());
        fmt::print("{}{}, {} of {}{}\n\n{}\n", rival.name, settings, a.lists.split, data.name,
                   a.lists.masking(), report.text());
        all.push_back(
            {{"name", rival.name}, {"settings", rival.settings}, {"lists", report.json()}});
    }
    a.files.write_json(a.json, {{"command", "rivals"},
                                {"data", data.name},
                                {"split", a.lists.split},
                                {"rivals", std::move(all)}});
    return a.files.exit_code(success);
}

}  // namespace

Command add_rivals(CLI::App& program) {
    auto const arguments = std::make_shared<RivalArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "rivals",
        "Measure what costs nothing: the most popular items, and nearest neighbours of items");
    command->footer("A model is worth its training only where it is better than these. The number "
                    "of neighbours "
                    "and the shrinkage are those that are best in validation.\n\nExample:\n"
                    "  polder-recsys rivals --data DIR --at 10,20");
    add_data_options(*command, a.data);
    add_ranking_options(*command, a.lists);
    auto const group = "Item-kNN";
    command->add_option("--neighbours", a.neighbours, "Numbers of neighbours that are tried")
        ->capture_default_str()
        ->type_name("K,...")
        ->group(group);
    command
        ->add_option("--shrink", a.shrink,
                     "Shrinkages that are tried: similarities of few users count less")
        ->capture_default_str()
        ->type_name("S,...")
        ->group(group);
    command->add_option("--valid-metric", a.metric, "What is best in validation")
        ->capture_default_str()
        ->group(group);
    command->add_option("--threads", a.threads, "Threads; results do not depend on them")
        ->check(whole_number<int>(1, most_threads))
        ->capture_default_str();
    command->add_option("--json", a.json, "Write everything in full precision here")
        ->type_name("FILE")
        ->group("Files");
    a.files.add_option(*command);
    return {command, [arguments] { return measure_rivals(*arguments); }};
}

}  // namespace polder::recsys::app
