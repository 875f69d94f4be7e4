#include "recsys/app/run.hpp"

#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/registry.hpp"

namespace polder::recsys::app {

namespace {

// The most memory that the process has had so far.
std::uint64_t peak_memory_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

Json json_of(AnyValue const& value) {
    if (auto const* number = std::get_if<double>(&value)) return json_number(*number);
    return std::visit([](auto const& each) { return Json(each); }, value);
}

// Numbers, lists of them, true and false are themselves, whatever else is text.
Json json_of_text(std::string const& text) {
    auto json = Json::parse(text, nullptr, false);
    return json.is_discarded() ? Json(text) : json;
}

// What comes with the model is the default: published settings, and the weight decay that its reference
// trains with, for base optimizers that add it to the gradient.
OptimizerOptions optimizer_of(RunOptions const& run) {
    auto options = run.optimizer;
    auto& values = options.values;
    values.insert(values.begin(), run.model.optimizer.begin(), run.model.optimizer.end());
    auto const decay = find_model(run.model.name).weight_decay;
    if (decay != 0 && options.base != "adamw")
        values.emplace(values.begin(), "weight_decay", to_text(decay));
    return options;
}

std::unique_ptr<Learner> make_learner(Dataset const& data, RunOptions const& options) {
    require_device(options.device);
    auto const& model = options.model;
    auto const optimizer = optimizer_of(options);
#if defined(POLDER_RECSYS_CUDA)
    if (options.device == "cuda")
        return make_learner_on_cuda(data, model.name, model.settings, optimizer);
#endif
    return std::make_unique<HostLearner>(
        make_model<float>(model.name, data, model.settings, options.training.threads), optimizer);
}

// The trainer's part of the optimizer's options.
RunOptions with_steps(RunOptions options) {
    options.training.half_steps = half_steps_of(options.optimizer);
    return options;
}

}  // namespace

void require_device(std::string_view device) {
#if !defined(POLDER_RECSYS_CUDA)
    if (device == "cuda")
        throw std::invalid_argument(
            "--device cuda: this program was built without CUDA; configure with -DPOLDER_CUDA=ON "
            "where nvcc of CUDA 12.4 or later is found");
#endif
    if (device != "cpu" && device != "cuda")
        throw std::invalid_argument(fmt::format("device '{}', expected cpu or cuda", device));
}

std::string_view to_string(Ending ending) {
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

void warn_of_dropped_rows(Dataset const& data) {
    if (data.dropped_valid + data.dropped_test > 0)
        spdlog::warn("{}: dropped {} validation and {} test rows of users without training rows",
                     data.name, data.dropped_valid, data.dropped_test);
}

Json hyper_parameters(RunOptions const& options) {
    Json json = Json::object();
    auto const& model = find_model(options.model.name);
    for (auto const& each : model.hyper_parameters())
        json[each.name] = json_of_text(each.default_value);
    for (auto const& [name, text] : options.model.settings) json[name] = json_of_text(text);
    json["base"] = options.optimizer.base;
    for (auto const& each : optimizer_values(optimizer_of(options)))
        json[(json.contains(each.name) ? "optimizer." : "") + each.name] =
            std::visit([](auto const& value) { return json_of(AnyValue(value)); }, each.value);
    auto const& t = options.training;
    json["batch_size"] = t.batch_size;
    json["max_epochs"] = t.epochs;
    json["eval_step"] = t.eval_step;
    json["stopping_step"] = t.stopping_step;
    json["valid_metric"] = t.valid_metric;
    json["decay_factor"] = t.decay_factor;
    json["decay_epochs"] = t.decay_epochs;
    return json;
}

Json identity(RunOptions const& options, Dataset const& data) {
    Json json = {{"model", options.model.name},
                 {"optimizer", options.optimizer.method},
                 {"seed", options.training.seed},
                 {"device", options.device},
                 {"data", fmt::format("{} users, {} items, content {:016x}", data.n_users,
                                      data.n_items, fingerprint(data))}};
    auto const values = hyper_parameters(options);
    auto defaults = options;
    defaults.optimizer.values = {};
    auto const by_default = hyper_parameters(defaults);
    // Options that files of before do not have had their defaults.
    auto const is_new = [&](std::string const& name, Json const& value) {
        bool const is_mirrors = name == "beta" && values.contains("alpha1");
        return (is_mirrors || name == "half_steps") && value == by_default.value(name, Json());
    };
    for (auto const& [name, value] : values.items())
        if (name != "max_epochs" && name != "stopping_step" && !is_new(name, value))
            json[name] = value;
    return json;
}

Run::Run(Dataset const& data, RunOptions options)
    : data_(data), options_(with_steps(std::move(options))), learner_(make_learner(data, options_)),
      trainer_(data, *learner_, options_.training) {}

Json Run::report(Ending ending) const {
    auto const& state = trainer_.state();
    Json epochs = Json::array();
    for (auto const& record : state.epochs)
        epochs.push_back(
            {{"epoch", record.epoch},
             {"loss", json_number(record.loss)},
             {"sharpness", json_number(record.sharpness)},
             {"cosine", json_number(record.cosine)},
             {"distance", json_number(record.distance)},
             {"train_seconds", record.train_seconds},
             {"evaluation_seconds", record.evaluation_seconds},
             {"valid", record.metrics ? json_of_metrics(record.metrics->valid) : Json(nullptr)}});
    bool const has_best = state.best_epoch >= 0;
    return {{"model", options_.model.name},
            {"optimizer", options_.optimizer.method},
            {"seed", options_.training.seed},
            {"data",
             {{"name", data_.name},
              {"users", data_.n_users},
              {"items", data_.n_items},
              {"train", data_.train.size()},
              {"valid", data_.valid.size()},
              {"test", data_.test.size()}}},
            {"hyper_parameters", hyper_parameters(options_)},
            {"ending", to_string(ending)},
            {"epochs", std::move(epochs)},
            {"best_epoch", has_best ? Json(state.best_epoch) : Json(nullptr)},
            {"valid", has_best ? json_of_metrics(state.best.valid) : Json(nullptr)},
            {"test", has_best ? json_of_metrics(state.best.test) : Json(nullptr)},
            {"peak_memory_bytes", peak_memory_bytes()},
            {"device", options_.device},
            {"threads", options_.training.threads}};
}

Table Run::curve() const {
    Table table{
        {"epoch", "loss", "sharpness", "cosine", "distance", "train_seconds", "evaluation_seconds"},
        {}};
    for (auto const* split : {"valid_", "test_"})
        for (auto const& name : Metrics::names()) table.header.push_back(split + name);
    auto const number = [](double value) {
        return std::isfinite(value) ? fmt::format("{}", value) : std::string();
    };
    for (auto const& record : trainer_.state().epochs) {
        std::vector<std::string> row{std::to_string(record.epoch),     number(record.loss),
                                     number(record.sharpness),         number(record.cosine),
                                     number(record.distance),          number(record.train_seconds),
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

}  // namespace polder::recsys::app
