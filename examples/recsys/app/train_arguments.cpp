#include "recsys/app/train_arguments.hpp"

#include <algorithm>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace polder::recsys::app {

void add_course_options(CLI::App& command, TrainArguments& a) {
    add_data_options(command, a.data);
    command
        .add_option(
            "--model", a.model,
            "Name of the model, also with hyper-parameters: lightgcn:n_layers=3; polder-recsys "
            "models lists them")
        ->capture_default_str()
        ->type_name("NAME")
        ->group("Model");
    add_published_option(command, a.published);
    add_set_option(command, a.assignments);
    command
        .add_option(
            "--optimizer", a.method,
            "Method on top of the base optimizer, also with options: bsam+:rho=0.2; none is the "
            "base optimizer alone; + has a mixed loss with a second batch, which comes from a "
            "second permutation of the same epoch; polder-recsys optimizers lists them")
        ->capture_default_str()
        ->type_name("NAME")
        ->group("Optimizer");
    add_optimizer_options(command, a.optimizer);
    add_training_options(command, a);
}

RunOptions run_options(TrainArguments const& a) {
    std::vector<ModelChoice> model{parse_model(a.model)};
    use_published(model, a.published);
    assign(model, a.assignments);
    auto optimizer = parse_optimizer(a.method, a.optimizer);
    static_cast<void>(optimizer_values(optimizer));  // are they in range?
    require_device(a.device);
    return {model.front(), std::move(optimizer), a.training, a.device};
}

std::vector<std::string> saved_arguments(SafetensorsFile const& checkpoint) {
    auto const saved = nlohmann::json::parse(checkpoint.metadata("arguments"), nullptr, false);
    if (!saved.is_array()) checkpoint.fail("'arguments' in the metadata is not a JSON array");
    std::vector<std::string> result;
    for (auto const& each : saved) {
        if (!each.is_string()) checkpoint.fail("'arguments' in the metadata is not text");
        result.push_back(each.get<std::string>());
    }
    // The distance, which had another default once; what the method's text says of it counts more.
    auto const run = nlohmann::json::parse(checkpoint.metadata("run"), nullptr, false);
    if (run.is_object() && run.contains("distance") && run["distance"].is_string())
        result.insert(result.begin(), "--distance=" + run["distance"].get<std::string>());
    return result;
}

std::unique_ptr<RestoredRun> restore_run(std::string const& checkpoint, std::string const& data,
                                         int threads) {
    SafetensorsFile file(checkpoint);
    auto arguments = saved_arguments(file);
    if (!data.empty()) arguments.push_back("--data=" + data);
    CLI::App command;
    command.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    TrainArguments a;
    add_course_options(command, a);
    try {
        std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
        command.parse(std::move(arguments));
    } catch (CLI::Error const& error) {
        file.fail(std::string("'arguments' in the metadata are not those of train: ") +
                  error.what());
    }
    a.training.threads = threads;
    auto const options = run_options(a);
    auto restored = std::make_unique<RestoredRun>();
    restored->data = load_data(a.data, needs_features(find_model(options.model.name)));
    restored->run = std::make_unique<Run>(restored->data, options);
    load_run(file, restored->run->trainer(), identity(options, restored->data));
    return restored;
}

}  // namespace polder::recsys::app
