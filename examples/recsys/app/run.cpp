#include "recsys/app/run.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <sys/resource.h>

#include "recsys/app/cells.hpp"
#include "recsys/app/progress.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/micro_batches.hpp"
#include "recsys/models/parts.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/models/two_models.hpp"
#include "recsys/serving/stored_model.hpp"
#include "recsys/training/sampler.hpp"

namespace polder::recsys::app {

namespace {

// From here on Linux counts the most memory that the process has had anew. What earlier runs have freed is given back first.
void forget_peak_memory() {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
    std::ofstream("/proc/self/clear_refs") << 5;
}

// The most memory that the process has had since then; elsewhere than on Linux since it began.
std::uint64_t peak_memory_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (std::uint64_t kilobytes = 0; word == "VmHWM:" && status >> kilobytes)
            return kilobytes * 1024;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

Json json_of(AnyValue const& value) {
    if (auto const* number = std::get_if<double>(&value)) return json_number(*number);
    return std::visit([](auto const& each) { return Json(each); }, value);
}

// Options of optimizers that files of before do not have: they had their defaults. (beta and sign of other methods are old.)
constexpr std::string_view new_options[] = {"beta",   "sign",   "half_steps",
                                            "alphas", "redraw", "normalised"};

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

// GSAM+ and LookSAM+ look at the first batch's gradients before they ask for that of the second.
bool has_two_at_once(OptimizerOptions const& optimizer) {
    auto const& name = optimizer.method;
    return !name.starts_with("gsam") && !name.starts_with("looksam") &&
           make_optimizer(optimizer)->batches() > 1;
}

std::unique_ptr<Learner> make_learner(Dataset const& data, RunOptions const& options) {
    require_device(options.device);
    if (options.device != "cpu" && options.training.eval_users != 0)
        throw std::invalid_argument("--eval-users: expected --device cpu; on a device the "
                                    "evaluation of all users is short");
    auto const& model = options.model;
    if (options.device != "cpu" && model.name.ends_with(attacked_ending))
        throw std::invalid_argument(
            fmt::format("model '{}': runs on the CPU alone; expected --device cpu", model.name));
    auto const optimizer = optimizer_of(options);
#if defined(POLDER_RECSYS_CUDA)
    if (options.device == "cuda")
        return make_learner_on_cuda(data, model.name, model.settings, optimizer);
#endif
    auto const& training = options.training;
    bool const two_at_once = training.parallel_batches && has_two_at_once(optimizer);
    auto const make = [&] {
        auto made = make_model<float>(model.name, data, model.settings, training.threads);
        auto const& ranks = training.ranks;
        if (training.micro_batches == 1 && !ranks) return made;
        bool const is_sum = find_model(model.name).in_parts(model.settings).is_sum;
        if (training.micro_batches > 1)
            made = std::make_unique<MicroBatchedModel<float>>(std::move(made),
                                                              training.micro_batches, is_sum);
        if (!ranks) return made;
        BatchPart const part{static_cast<std::size_t>(ranks->rank),
                             static_cast<std::size_t>(ranks->size), is_sum};
        return std::unique_ptr<AnyModel<float>>(
            std::make_unique<PartModel<float>>(std::move(made), part));
    };
    auto one = make();
    if (two_at_once)
        one = std::make_unique<TwoModels<float>>(std::move(one), make(), training.threads);
    return std::make_unique<HostLearner>(std::move(one), optimizer, training.ranks);
}

// The options of a run that begins, with the trainer's part of the optimizer's.
RunOptions begun(RunOptions options, std::string const& label) {
    if (!label.empty()) spdlog::info("{}: setting up", label);
    forget_peak_memory();
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

void require_ways_of_batches(std::vector<RunOptions> const& runs) {
    std::vector<std::string> methods;  // that --parallel-batches means nothing to
    bool has_two = false;
    for (auto const& run : runs) {
        auto const& training = run.training;
        bool const is_split = training.ranks != nullptr;
        bool const is_cut = training.micro_batches > 1 || is_split;
        if (!is_cut && !training.parallel_batches) continue;
        auto const way = is_split ? fmt::format("{} ranks", training.ranks->size)
                         : is_cut ? fmt::format("--micro-batches {}", training.micro_batches)
                                  : "--parallel-batches";
        if (run.device != "cpu")
            throw std::invalid_argument(
                fmt::format("{}: expected --device cpu; on a GPU batches are computed whole, one "
                            "after the other",
                            way));
        auto const& [name, settings, defaults] = run.model;
        if (auto const obstacle = find_model(name).in_parts(settings).obstacle;
            is_cut && !obstacle.empty())
            throw std::invalid_argument(
                fmt::format("{}: {} cannot train {}: {}", way, name,
                            is_split ? "on several ranks" : "in micro-batches", obstacle));
        if (!training.parallel_batches) continue;
        auto const& method = run.optimizer.method;
        if (has_two_at_once(optimizer_of(run)))
            has_two = true;
        else if (std::find(methods.begin(), methods.end(), method) == methods.end())
            methods.push_back(method);
    }
    if (!has_two && !methods.empty())
        throw std::invalid_argument(fmt::format(
            "--parallel-batches: {}: expected a method that has two gradients to compute at once: "
            "sampa, or one whose name ends with +, but not gsam+ or looksam+",
            fmt::join(methods, ", ")));
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

void warn_of_data(Dataset const& data) {
    if (data.dropped_valid + data.dropped_test > 0)
        spdlog::warn("{}: dropped {} validation and {} test rows of users without training rows",
                     data.name, data.dropped_valid, data.dropped_test);
    auto const trained = UserItems::distinct(data.train, data.n_users);
    std::optional<Interaction> first_known;
    auto const count_known = [&](std::vector<Interaction> const& rows) {
        return std::count_if(rows.begin(), rows.end(), [&](Interaction const& row) {
            bool const is_known = trained.contains(row.user, row.item);
            if (is_known && !first_known) first_known = row;
            return is_known;
        });
    };
    auto const n_valid = count_known(data.valid), n_test = count_known(data.test);
    if (first_known)
        spdlog::warn("{}: {} validation and {} test rows are in train, too, the first is user {} "
                     "with item {}; no list finds them, since items of training are left out",
                     data.name, n_valid, n_test, first_known->user, first_known->item);
    auto const warn_of_first = [&](std::string_view what, std::int32_t first) {
        if (first == 1)
            spdlog::warn(
                "{}: the numbers of {}s begin at 1, so that {} 0 has no row and is counted "
                "all the same; polder-recsys prepare numbers them from 0",
                data.name, what, what);
    };
    warn_of_first("user", data.first_user);
    warn_of_first("item", data.first_item);
    if (auto const users = users_without_negatives(data); !users.empty())
        spdlog::warn("{}: {} of {} users have all items of the training rows, the first is user "
                     "{}; models that draw negatives do not train on their rows",
                     data.name, users.size(), data.n_users, users.front());
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
    if (!options.optimizer.rates.empty()) json["rates"] = to_text(options.optimizer.rates);
    if (auto const& start = options.start; !start.checkpoint.empty()) {
        json["start"] = start.checkpoint;
        json["start_tables"] = fmt::format("{}", fmt::join(start.tables, ","));
    }
    auto const& t = options.training;
    json["batch_size"] = t.batch_size;
    json["max_epochs"] = t.epochs;
    json["eval_step"] = t.eval_step;
    json["stopping_step"] = t.stopping_step;
    if (t.stop != "valid") json["stop"] = t.stop;
    if (t.micro_batches != 1) json["micro_batches"] = t.micro_batches;
    json["valid_metric"] = t.valid_metric;
    json["select"] = t.select;
    if (t.eval_users != 0) json["eval_users"] = t.eval_users;
    json["decay_factor"] = t.decay_factor;
    json["decay_epochs"] = t.decay_epochs;
    return json;
}

std::vector<OptimizerValue> optimizer_values_of(RunOptions const& options) {
    return optimizer_values(optimizer_of(options));
}

std::string settings_text(Json const& hyper_parameters) {
    std::string text;
    for (auto const& [name, value] : hyper_parameters.items())
        if (!value.is_null())
            text += fmt::format("{}{}={}", text.empty() ? "" : ":", name,
                                value.is_string() ? value.get<std::string>() : value.dump());
    return text;
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
    defaults.training.select = TrainingOptions().select;
    std::erase_if(defaults.optimizer.values, [](auto const& value) {
        return std::find(std::begin(new_options), std::end(new_options), value.first) !=
               std::end(new_options);
    });
    auto const by_default = hyper_parameters(defaults);
    // Options that files of before do not have had their defaults.
    auto const is_new = [&](std::string const& name, Json const& value) {
        bool const is_mirrors = (name == "beta" || name == "sign") && values.contains("alpha1");
        bool const is_of_one = name == "alphas" || name == "redraw" || name == "normalised";
        return (is_mirrors || is_of_one || name == "half_steps" || name == "select") &&
               value == by_default.value(name, Json());
    };
    for (auto const& [name, value] : values.items())
        if (name != "max_epochs" && name != "stopping_step" && !is_new(name, value))
            json[name] = value;
    return json;
}

Run::Run(Dataset const& data, RunOptions options, std::string const& label)
    : data_(data), options_(begun(std::move(options), label)),
      learner_(make_learner(data, options_)), trainer_(data, *learner_, options_.training) {
    setup_seconds_ =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    if (!label.empty() && setup_seconds_ > 1)
        spdlog::info("{}: set up in {}", label, duration(setup_seconds_));
}

void Run::warm_start() {
    auto const& start = options_.start;
    if (start.checkpoint.empty()) return;
    SafetensorsFile file(start.checkpoint);
    auto parameters = trainer_.parameters();
    std::optional<TableRows> rows;
    if (!start.ids.empty())
        rows = rows_by_ids(read_stored_model(start.checkpoint), start.ids, data_);
    read_tables(file, parameters, start.tables, rows);
    if (rows) {
        auto const n_found = [](std::vector<std::int32_t> const& all) {
            return std::count_if(all.begin(), all.end(), [](auto row) { return row >= 0; });
        };
        spdlog::info("{} has rows of {} of {} users and of {} of {} items, by their ids; the "
                     "others start as usual",
                     start.checkpoint, n_found(rows->users), data_.n_users, n_found(rows->items),
                     data_.n_items);
    }
    trainer_.restore(std::move(parameters), {}, {}, {});
}

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
             {"gradients", record.gradients == 0 ? Json(nullptr) : Json(record.gradients)},
             {"train_seconds", record.train_seconds},
             {"evaluation_seconds", record.evaluation_seconds},
             {"valid", record.metrics ? json_of_metrics(record.metrics->valid) : Json(nullptr)}});
    // What the model has of features; nothing where it takes none.
    bool const has_features = needs_features(find_model(options_.model.name));
    auto const columns = [&](FeatureMatrix const& f) { return has_features ? f.columns : 0; };
    Json further = Json::object();
    for (auto const& each : data_.further)
        if (has_features) further[each.name] = columns(each.features);
    bool const has_best = state.best_epoch >= 0;
    Json json{{"model", options_.model.name},
              {"optimizer", options_.optimizer.method},
              {"seed", options_.training.seed},
              {"data",
               {{"name", data_.name},
                {"users", data_.n_users},
                {"items", data_.n_items},
                {"train", data_.train.size()},
                {"valid", data_.valid.size()},
                {"test", data_.test.size()},
                {"visual_columns", columns(data_.visual)},
                {"textual_columns", columns(data_.textual)},
                {"further_columns", std::move(further)}}},
              {"hyper_parameters", hyper_parameters(options_)},
              {"ending", to_string(ending)},
              {"epochs", std::move(epochs)},
              {"best_epoch", has_best ? Json(state.best_epoch) : Json(nullptr)},
              {"valid", has_best ? json_of_metrics(state.best.valid) : Json(nullptr)},
              {"test", has_best ? json_of_metrics(state.best.test) : Json(nullptr)},
              {"setup_seconds", setup_seconds_},
              {"peak_memory_bytes", peak_memory_bytes()},
              {"device", options_.device},
              {"threads", options_.training.threads}};
    if (auto const& ranks = options_.training.ranks) json["ranks"] = ranks->size;
    if (!changes_.empty()) json["changes"] = changes_;
    return json;
}

std::string Run::advice() const {
    auto const& state = trainer_.state();
    bool const is_first = state.epoch == 0 && state.batch == 0;
    bool const is_at_x = trainer_.message().find("perturbed point") == std::string::npos &&
                         trainer_.message().find("half step") == std::string::npos &&
                         trainer_.message().find("new value") == std::string::npos;
    if (!is_first || !is_at_x)
        return "try a lower learning rate or radius; train --resume goes on from a checkpoint "
               "with another --learning-rate or --rho";
    double largest = 0;
    for (auto const* features : {&data_.visual, &data_.textual})
        for (float const value : features->values)
            largest = std::max(largest, std::abs(static_cast<double>(value)));
    auto const of_features =
        largest > 0 ? fmt::format(", whose values are as large as {:.3g}", largest) : "";
    return fmt::format(
        "no update was made yet, so the cause lies in the data or in the settings of "
        "the model: look at the features{}, and at their scale",
        of_features);
}

Json Run::pair_loss() {
    auto const loss = trainer_.best_pair_loss();
    return {{"train", json_number(loss.train)},
            {"valid", json_number(loss.valid)},
            {"gap", json_number(loss.gap())}};
}

Table Run::curve() const {
    Table table{
        {"epoch", "loss", "sharpness", "cosine", "distance", "train_seconds", "evaluation_seconds"},
        {}};
    for (auto const* split : {"valid_", "test_"})
        for (auto const& name : Metrics::names()) table.header.push_back(split + name);
    for (auto const& record : trainer_.state().epochs) {
        std::vector<std::string> row{std::to_string(record.epoch)};
        for (double const value : {record.loss, record.sharpness, record.cosine, record.distance,
                                   record.train_seconds, record.evaluation_seconds})
            row.push_back(csv_cell(value));
        auto const add = [&](std::string const&, double value) { row.push_back(csv_cell(value)); };
        auto const metrics =
            record.metrics.value_or(FullSort::Result{not_measured(), not_measured()});
        Metrics::visit(metrics.valid, add);
        Metrics::visit(metrics.test, add);
        table.rows.push_back(std::move(row));
    }
    return table;
}

}  // namespace polder::recsys::app
