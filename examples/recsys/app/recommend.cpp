// polder-recsys recommend, polder-recsys export: what a trained model is for.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/engine/parallel.hpp>
#include <polder/state/file.hpp>
#include <polder/state/safetensors.hpp>

#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/train_arguments.hpp"
#include "recsys/data/npy.hpp"

namespace polder::recsys::app {

namespace {

struct Arguments {
    std::string checkpoint, data;
    int threads = default_threads();
    std::int32_t user = 0;
    std::size_t top = 10;
    bool with_known = false;
    bool with_parameters = false;
    std::string json, output;
};

std::unique_ptr<RestoredRun> restore(Arguments const& a) {
    if (a.checkpoint.empty())
        throw std::invalid_argument("--checkpoint is missing: a file of train --checkpoint");
    return restore_run(a.checkpoint, a.data, a.threads);
}

bool contains(std::vector<Interaction> const& rows, std::int32_t user, std::int32_t item) {
    return std::find(rows.begin(), rows.end(), Interaction{user, item}) != rows.end();
}

// Items of the highest scores, of equal ones the lower item first.
std::vector<std::size_t> best_items(std::span<float const> scores, std::vector<bool> const& allowed,
                                    std::size_t n) {
    std::vector<std::size_t> items(scores.size());
    std::iota(items.begin(), items.end(), std::size_t{0});
    std::erase_if(items, [&](std::size_t item) { return !allowed[item]; });
    n = std::min(n, items.size());
    std::partial_sort(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(n), items.end(),
                      [&](std::size_t a, std::size_t b) {
                          return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
                      });
    items.resize(n);
    return items;
}

int recommend(Arguments const& a) {
    if (!a.json.empty()) require_writable(a.json);
    auto const restored = restore(a);
    auto const& data = restored->data;
    if (a.user >= data.n_users)
        throw std::invalid_argument(fmt::format("user {}, expected 0 to {}: users of {}", a.user,
                                                data.n_users - 1, data.name));
    auto const r = restored->run->trainer().best_representations();
    std::vector<float> scores(r.items.rows);
    for (std::size_t item = 0; item < scores.size(); ++item)
        for (std::size_t k = 0; k < r.items.cols; ++k)
            scores[item] += r.users(static_cast<std::size_t>(a.user), k) * r.items(item, k);
    std::vector<bool> allowed(scores.size(), true);
    std::size_t n_known = 0;
    for (auto const& row : data.train)
        if (row.user == a.user) {
            ++n_known;
            if (!a.with_known) allowed[static_cast<std::size_t>(row.item)] = false;
        }

    Table table{{"rank", "item", "score", "held out"}, {}, 0};
    Json json = Json::array();
    for (auto const item : best_items(scores, allowed, a.top)) {
        auto const id = static_cast<std::int32_t>(item);
        std::string const held_out = contains(data.test, a.user, id)    ? "test"
                                     : contains(data.valid, a.user, id) ? "valid"
                                                                        : "";
        table.rows.push_back({std::to_string(table.rows.size() + 1), std::to_string(item),
                              fmt::format("{:.4f}", scores[item]), held_out});
        json.push_back({{"item", item}, {"score", scores[item]}, {"held_out", held_out}});
    }
    auto const& run = *restored->run;
    fmt::print("{} with {}, epoch {}: items for user {}, who has {} in training{}\n\n{}",
               run.options().model.name, run.options().optimizer.method,
               run.trainer().state().best_epoch, a.user, n_known,
               a.with_known ? "" : ", without these", aligned(table));
    if (!a.json.empty()) {
        write_text_file(a.json, Json{{"user", a.user}, {"items", json}}.dump(2) + "\n");
        spdlog::info("wrote {}", a.json);
    }
    return success;
}

int export_embeddings(Arguments const& a) {
    if (a.output.empty())
        throw std::invalid_argument("--output is missing: a folder, or a file *.safetensors");
    std::filesystem::path const output(a.output);
    bool const is_one_file = output.extension() == ".safetensors";
    std::error_code error;
    if (is_one_file) {
        require_writable(output);
    } else if (!std::filesystem::create_directories(output, error) && error) {
        throw std::runtime_error(fmt::format("{}: cannot be made: {}", a.output, error.message()));
    }
    auto const restored = restore(a);
    auto& trainer = restored->run->trainer();
    auto const r = trainer.best_representations();

    struct Matrix {
        std::string name;
        MatrixView<float const> values;
    };
    std::vector<Matrix> matrices{{"users", r.users}, {"items", r.items}};
    auto const& parameters =
        trainer.state().best_epoch < 0 ? trainer.parameters() : trainer.best_parameters();
    if (a.with_parameters)
        for (auto const& entry : parameters.entries())
            matrices.push_back({"parameters." + entry.name, parameters.view(entry)});
    SafetensorsWriter writer;
    writer.add_metadata("model", restored->run->options().model.name);
    for (auto const& [name, values] : matrices) {
        std::span const all(values.data, values.size());
        if (is_one_file)
            writer.add(name, {values.rows, values.cols}, all);
        else
            write_npy(output / (name + ".npy"), values.rows, values.cols, all);
        fmt::print("{}: {} x {}\n", name, values.rows, values.cols);
    }
    if (is_one_file) writer.write(output);
    spdlog::info("wrote {}; a score is the product of a row of users and a row of items", a.output);
    return success;
}

void add_checkpoint_options(CLI::App& command, Arguments& a) {
    command
        .add_option("--checkpoint", a.checkpoint,
                    "A checkpoint of train; the model is that of its best epoch")
        ->type_name("FILE");
    command.add_option("--data", a.data, "Where the data lies now, if not where it was")
        ->type_name("DIR|FILE");
    command.add_option("--threads", a.threads, "Threads")
        ->check(whole_number(1))
        ->capture_default_str();
}

}  // namespace

Command add_recommend(CLI::App& program) {
    auto const arguments = std::make_shared<Arguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("recommend", "Print the items that a trained model gives a user");
    add_checkpoint_options(*command, a);
    command->add_option("--user", a.user, "Id of the user")
        ->check(whole_number(0))
        ->capture_default_str();
    command->add_option("--top", a.top, "How many items")
        ->check(whole_number(1))
        ->capture_default_str();
    command->add_flag("--known", a.with_known, "Also items that the user has in training");
    command->add_option("--json", a.json, "Write the items here")->type_name("FILE");
    return {command, [arguments] { return recommend(*arguments); }};
}

Command add_export(CLI::App& program) {
    auto const arguments = std::make_shared<Arguments>();
    auto& a = *arguments;
    auto* const command =
        program.add_subcommand("export", "Write the vectors of users and items of a trained model");
    add_checkpoint_options(*command, a);
    command
        ->add_option(
            "--output", a.output,
            "A file *.safetensors with users and items, or a folder for users.npy and items.npy")
        ->type_name("FILE|DIR");
    command->add_flag("--parameters", a.with_parameters, "Also the parameters of the model");
    return {command, [arguments] { return export_embeddings(*arguments); }};
}

}  // namespace polder::recsys::app
