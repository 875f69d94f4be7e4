/// One training run: what it is made of, and what it leaves behind.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include "recsys/app/table.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/checkpoint.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys::app {

/// Everything but the data that decides the course of a run.
struct RunOptions {
    std::string model;
    Settings model_settings;
    OptimizerOptions optimizer;
    TrainingOptions training;  ///< learning_rate is taken from the optimizer
};

/// The most memory that the process has had so far.
inline std::uint64_t peak_memory_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

/// "all_epochs", "early_stopping", "interrupted" or "not_finite".
inline std::string_view to_string(Ending ending) {
    switch (ending) {
    case Ending::all_epochs:
        return "all_epochs";
    case Ending::early_stopping:
        return "early_stopping";
    case Ending::interrupted:
        return "interrupted";
    case Ending::not_finite:
        return "not_finite";
    }
    return "";
}

/// Prints what was left out of the data.
inline void warn_of_dropped_rows(Dataset const& data) {
    if (data.dropped_valid + data.dropped_test > 0)
        spdlog::warn("{}: dropped {} validation and {} test rows of users without training rows",
                     data.name, data.dropped_valid, data.dropped_test);
}

/// A model, an optimizer and the trainer that brings them together.
class Run {
public:
    /// `data` must outlive the run. Throws std::invalid_argument for unknown names and values out
    /// of range.
    Run(Dataset const& data, RunOptions options)
        : data_(data), options_(std::move(options)),
          optimizer_values_(polder::recsys::hyper_parameters(options_.optimizer)),
          optimizer_(make_optimizer(options_.optimizer)),
          model_(make_model<float>(options_.model, data, options_.model_settings,
                                   options_.training.threads)),
          trainer_(data, *model_, *optimizer_, with_learning_rate()) {}

    Trainer& trainer() { return trainer_; }
    Trainer const& trainer() const { return trainer_; }
    RunOptions const& options() const { return options_; }

    /// Every hyper-parameter of model, optimizer and training, by name.
    Json hyper_parameters() const {
        Json json = Json::object();
        auto const add = [&](HyperParameterValue const& each) {
            std::visit([&](auto value) { json[each.name] = value; }, each.value);
        };
        for (auto const& each : model_->hyper_parameters()) add(each);
        json["base"] = options_.optimizer.base;
        if (options_.optimizer.method.starts_with("bsam"))
            json["distance"] = options_.optimizer.distance;
        for (auto const& each : optimizer_values_) add(each);
        auto const& t = options_.training;
        json["batch_size"] = t.batch_size;
        json["max_epochs"] = t.epochs;
        json["eval_step"] = t.eval_step;
        json["stopping_step"] = t.stopping_step;
        json["valid_metric"] = t.valid_metric;
        json["decay_factor"] = t.decay_factor;
        json["decay_epochs"] = t.decay_epochs;
        return json;
    }

    /// What must be the same for a run to be continued: all but how long it is and how it is spread
    /// over threads.
    Json identity() const {
        Json json = {{"model", options_.model},
                     {"optimizer", options_.optimizer.method},
                     {"seed", options_.training.seed},
                     {"data", fmt::format("{} users, {} items, rows {:016x}", data_.n_users,
                                          data_.n_items, fingerprint(data_))}};
        auto const hyper_parameters_json = hyper_parameters();
        for (auto const& [name, value] : hyper_parameters_json.items())
            if (name != "max_epochs" && name != "stopping_step") json[name] = value;
        return json;
    }

    /// The run as JSON; metrics are not rounded.
    Json report(Ending ending) const {
        auto const& state = trainer_.state();
        Json epochs = Json::array();
        for (auto const& record : state.epochs)
            epochs.push_back({{"epoch", record.epoch},
                              {"loss", json_number(record.loss)},
                              {"sharpness", json_number(record.sharpness)},
                              {"train_seconds", record.train_seconds},
                              {"evaluation_seconds", record.evaluation_seconds},
                              {"valid", record.metrics ? json_of_metrics(record.metrics->valid)
                                                       : Json(nullptr)}});
        bool const has_best = state.best_epoch >= 0;
        return {{"model", options_.model},
                {"optimizer", options_.optimizer.method},
                {"seed", options_.training.seed},
                {"data",
                 {{"name", data_.name},
                  {"users", data_.n_users},
                  {"items", data_.n_items},
                  {"train", data_.train.size()},
                  {"valid", data_.valid.size()},
                  {"test", data_.test.size()}}},
                {"hyper_parameters", hyper_parameters()},
                {"ending", to_string(ending)},
                {"epochs", std::move(epochs)},
                {"best_epoch", has_best ? Json(state.best_epoch) : Json(nullptr)},
                {"valid", has_best ? json_of_metrics(state.best.valid) : Json(nullptr)},
                {"test", has_best ? json_of_metrics(state.best.test) : Json(nullptr)},
                {"peak_memory_bytes", peak_memory_bytes()},
                {"threads", options_.training.threads}};
    }

    /// One row per epoch: loss, sharpness, seconds, and all metrics of valid and test.
    Table curve() const {
        Table table{{"epoch", "loss", "sharpness", "train_seconds", "evaluation_seconds"}, {}};
        for (auto const* split : {"valid_", "test_"})
            for (auto const& name : Metrics::names()) table.header.push_back(split + name);
        auto const number = [](double value) {
            return std::isfinite(value) ? fmt::format("{}", value) : std::string();
        };
        for (auto const& record : trainer_.state().epochs) {
            std::vector<std::string> row{std::to_string(record.epoch), number(record.loss),
                                         number(record.sharpness), number(record.train_seconds),
                                         number(record.evaluation_seconds)};
            auto const add = [&](std::string const&, double value) {
                row.push_back(record.metrics ? number(value) : std::string());
            };
            auto const metrics = record.metrics.value_or(FullSort::Result{});
            Metrics::visit(metrics.valid, add);
            Metrics::visit(metrics.test, add);
            table.rows.push_back(std::move(row));
        }
        return table;
    }

private:
    TrainingOptions with_learning_rate() const {
        auto training = options_.training;
        for (auto const& each : optimizer_values_)
            if (each.name == "learning_rate") training.learning_rate = std::get<double>(each.value);
        return training;
    }

    Dataset const& data_;
    RunOptions options_;
    std::vector<HyperParameterValue> optimizer_values_;
    std::unique_ptr<AnyOptimizer> optimizer_;
    std::unique_ptr<AnyModel<float>> model_;
    Trainer trainer_;
};

}  // namespace polder::recsys::app
