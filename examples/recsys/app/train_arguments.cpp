#include "recsys/app/train_arguments.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
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
    command
        .add_option(
            "--start,--from", a.start,
            "Warm start: begin with the tables of this checkpoint, of the same or of another "
            "model, as its best epoch has them, in place of initial values. All that both "
            "models have, which must have the same shapes; but where both data sets have ids "
            "(users.tsv, items.tsv), users and items begin with the rows of their ids, and those "
            "that are new as usual")
        ->type_name("FILE")
        ->group("Training");
    command
        .add_option("--start-tables", a.start_tables,
                    "Only these tables of --start, separated by commas; polder-recsys models lists "
                    "them")
        ->type_name("NAME,...")
        ->group("Training");
}

TrainArguments parse_course(std::vector<std::string> arguments) {
    CLI::App command;
    command.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    TrainArguments a;
    add_course_options(command, a);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    command.parse(std::move(arguments));
    return a;
}

RunOptions run_options(TrainArguments const& a) {
    std::vector<ModelChoice> model{parse_model(a.model)};
    use_published(model, a.published);
    assign(model, a.assignments);
    auto optimizer = parse_optimizer(a.method, a.optimizer);
    static_cast<void>(optimizer_values(optimizer));  // are they in range?
    require_device(a.device);
    if (a.start.empty() && !a.start_tables.empty())
        throw std::invalid_argument("--start-tables: expected --start FILE, which has them");
    auto const tables =
        a.start_tables.empty() ? std::vector<std::string>() : split_list(a.start_tables);
    return {model.front(),
            std::move(optimizer),
            a.training,
            a.device,
            {a.start, tables, id_folder(a.data)}};
}

std::vector<std::string> course_arguments(DataSource const& source, RunOptions const& run) {
    std::vector<std::string> result{"--data=" + source.name};
    auto const add = [&](std::string const& option, auto const& value) {
        result.push_back(fmt::format("--{}={}", option, value));
    };
    if (source.n_users) add("users", *source.n_users);
    if (source.n_items) add("items", *source.n_items);
    if (source.n_interactions) add("interactions", *source.n_interactions);
    if (source.visual) add("visual", *source.visual);
    if (source.textual) add("textual", *source.textual);
    for (auto const& each : source.further) add("features", each);
    add("data-seed", source.seed);
    add("model", run.model.name);
    for (auto const& [name, value] : run.model.settings) add("set", name + "=" + value);
    // What comes with the model, unless the optimizer was given another value.
    auto method = run.optimizer.method;
    auto values = run.model.optimizer;
    for (auto const& own : run.optimizer.values)
        std::erase_if(values, [&](auto const& each) { return each.first == own.first; });
    values.insert(values.end(), run.optimizer.values.begin(), run.optimizer.values.end());
    for (auto const& [name, value] : values) method += ":" + name + "=" + value;
    add("optimizer", method);
    add("base", run.optimizer.base);
    if (!run.optimizer.rates.empty()) add("rates", to_text(run.optimizer.rates));
    auto const& t = run.training;
    add("epochs", t.epochs);
    add("batch-size", t.batch_size);
    if (t.micro_batches != 1) add("micro-batches", t.micro_batches);
    add("seed", t.seed);
    add("eval-step", t.eval_step);
    if (t.eval_users != 0) add("eval-users", t.eval_users);
    add("stopping-step", t.stopping_step);
    add("stop", t.stop);
    add("select", t.select);
    add("valid-metric", t.valid_metric);
    add("decay-factor", t.decay_factor);
    add("decay-epochs", t.decay_epochs);
    add("device", run.device);
    if (!run.start.checkpoint.empty()) add("start", run.start.checkpoint);
    if (!run.start.tables.empty())
        add("start-tables", fmt::format("{}", fmt::join(run.start.tables, ",")));
    return result;
}

std::unique_ptr<RestoredRun> restore_run(std::string const& checkpoint, std::string const& data,
                                         int threads) {
    SafetensorsFile file(checkpoint);
    auto arguments = saved_arguments(file);
    if (!data.empty()) arguments.push_back("--data=" + data);
    TrainArguments a;
    try {
        a = parse_course(std::move(arguments));
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
