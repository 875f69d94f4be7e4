/// Options that several commands share: data, model, optimizer, training.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <polder/engine/parallel.hpp>

#include "recsys/data/source.hpp"
#include "recsys/data/synthetic.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys::app {

/// Accepts whole numbers from `lowest` on. (Without it, CLI11 reads -1 as a large unsigned number.)
inline CLI::Validator whole_number(long long lowest) {
    auto const check = [lowest](std::string const& text) -> std::string {
        std::int64_t value = 0;
        auto const end = text.data() + text.size();
        auto const result = std::from_chars(text.data(), end, value);
        if (result.ec == std::errc{} && result.ptr == end && value >= lowest) return {};
        return fmt::format("'{}', expected a whole number of at least {}", text, lowest);
    };
    return {check, ""};
}

/// Adds --data and the options of synthetic data.
inline void add_data_options(CLI::App& command, DataSource& source) {
    std::vector<std::string_view> names;
    for (auto const& size : synthetic_sizes) names.push_back(size.name);
    auto const group = "Data";
    command
        .add_option(
            "--data", source.name,
            fmt::format("Directory with an .inter file, or the file; or synthetic:NAME with "
                        "NAME one of {}; or synthetic with the three sizes below",
                        fmt::join(names, ", ")))
        ->capture_default_str()
        ->type_name("DIR|FILE|synthetic:NAME")
        ->group(group);
    command.add_option("--users", source.n_users, "Users of synthetic data")
        ->check(whole_number(1))
        ->group(group);
    command.add_option("--items", source.n_items, "Items of synthetic data")
        ->check(whole_number(1))
        ->group(group);
    command.add_option("--interactions", source.n_interactions, "Interactions of synthetic data")
        ->check(whole_number(1))
        ->group(group);
    command
        .add_option("--data-seed", source.seed,
                    "Seed of synthetic data; another one than that of training, so that several "
                    "runs train on the same data")
        ->capture_default_str()
        ->check(whole_number(0))
        ->group(group);
}

/// A model by name, and its hyper-parameters as they were typed.
struct ModelArguments {
    std::string name = "lightgcn";
    std::vector<std::string> assignments;  ///< "name=value"

    /// The assignments taken apart. Throws std::invalid_argument for one without '='.
    Settings settings() const {
        Settings result;
        for (auto const& text : assignments) {
            auto const equals = text.find('=');
            if (equals == std::string::npos || equals == 0)
                throw std::invalid_argument(fmt::format("--set {}: expected name=value", text));
            result.emplace_back(text.substr(0, equals), text.substr(equals + 1));
        }
        return result;
    }
};

/// Adds --model and --set.
inline void add_model_options(CLI::App& command, ModelArguments& model) {
    auto const group = "Model";
    std::vector<std::string> descriptions;
    for (auto const& entry : models()) {
        std::vector<std::string> each;
        for (auto const& h : entry.hyper_parameters())
            each.push_back(
                fmt::format("{}={} ({}, {})", h.name, h.default_value, h.meaning, h.range));
        descriptions.push_back(fmt::format("{}: {}", entry.name, fmt::join(each, "; ")));
    }
    command.add_option("--model", model.name, "Name of the model")
        ->capture_default_str()
        ->type_name("NAME")
        ->group(group);
    command
        .add_option("--set", model.assignments,
                    fmt::format("A hyper-parameter of the model, may be given several times. {}",
                                fmt::join(descriptions, ". ")))
        ->type_name("NAME=VALUE")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false)
        ->group(group);
}

/// Options of optimizers: each is passed on only if it was given.
struct OptimizerArguments {
    std::string base = "adam";
    std::optional<std::string> distance;
    Settings values;
};

namespace detail {

struct OptimizerOption {
    std::string_view name;  ///< as in OptimizerOptions::values
    std::string_view text;
};

inline constexpr OptimizerOption optimizer_options[] = {
    {"rho", "Radius of the perturbation, >= 0. Default: sam, fsam 0.05, bsam 0.1"},
    {"lambda", "Decay of the average of gradients, in [0, 1). Default: fsam 0.9, bsam 0.6"},
    {"sigma",
     "fsam, and distance constant: how much of the average is taken off, >= 0. Default: 1"},
    {"kappa", "The + methods: weight of the perturbed gradient, in [0, 1]. Default: 0.6"},
    {"learning_rate", "Learning rate at the start, >= 0. Default: 0.001"},
    {"weight_decay", "L2 term added to the gradient, >= 0. Default: 0"},
    {"beta1", "adam: decay of the first moment, in [0, 1). Default: 0.9"},
    {"beta2", "adam: decay of the second moment, in [0, 1). Default: 0.999"},
    {"eps", "adam: guard against division by zero, >= 0. Default: 1e-8"},
    {"momentum", "sgd: momentum, >= 0. Default: 0"},
};

}  // namespace detail

/// Adds --base, --distance and one option for each hyper-parameter.
inline void add_optimizer_options(CLI::App& command, OptimizerArguments& optimizer) {
    auto const group = "Optimizer";
    command
        .add_option("--base", optimizer.base,
                    fmt::format("Base optimizer: {}", fmt::join(base_optimizers, ", ")))
        ->capture_default_str()
        ->type_name("NAME")
        ->group(group);
    command
        .add_option(
            "--distance", optimizer.distance,
            fmt::format("bsam, bsam+: distance between a batch's gradient and the average: {}. "
                        "Default: manhattan",
                        fmt::join(optimizer_distances, ", ")))
        ->type_name("NAME")
        ->group(group);
    for (auto const& each : detail::optimizer_options) {
        std::string option = "--" + std::string(each.name);
        for (auto& c : option)
            if (c == '_') c = '-';
        command
            .add_option_function<std::string>(
                option,
                [&optimizer, name = std::string(each.name)](std::string const& value) {
                    optimizer.values.emplace_back(name, value);
                },
                std::string(each.text))
            ->type_name("NUMBER")
            ->group(group);
    }
}

/// Adds the options of training that do not belong to the optimizer.
inline void add_training_options(CLI::App& command, TrainingOptions& options) {
    auto const group = "Training";
    auto const add = [&](std::string const& name, auto& value, std::string const& text) {
        return command.add_option(name, value, text)->capture_default_str()->group(group);
    };
    add("--epochs", options.epochs, "Epochs at most")->check(whole_number(1));
    add("--batch-size", options.batch_size, "Rows per batch")->check(whole_number(1));
    add("--seed", options.seed, "Seed of initial values, batches and negatives")
        ->check(whole_number(0));
    add("--eval-step", options.eval_step, "Epochs from one evaluation to the next")
        ->check(whole_number(1));
    add("--stopping-step", options.stopping_step,
        "Evaluations without a gain that are tolerated; one more ends training")
        ->check(whole_number(0));
    add("--valid-metric", options.valid_metric,
        "Metric of validation that chooses the best epoch, rounded to 4 decimals: recall, "
        "precision, "
        "ndcg or map @ 5, 10, 20 or 50");
    add("--decay-factor", options.decay_factor,
        "The learning rate of epoch e (from 0) is multiplied by factor^(e / decay-epochs)");
    add("--decay-epochs", options.decay_epochs, "See --decay-factor");
    options.threads = default_threads();
    add("--threads", options.threads, "Threads; results do not depend on them")
        ->check(whole_number(1));
}

}  // namespace polder::recsys::app
