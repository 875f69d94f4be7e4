#include "recsys/training/checkpoint.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <polder/state/state.hpp>

#include "recsys/names.hpp"

namespace polder::recsys {

Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

double number_of_json(Json const& value) {
    return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

Json json_of_metrics(Metrics const& metrics) {
    Json json = Json::object();
    Metrics::visit(metrics,
                   [&](std::string const& name, double value) { json[name] = json_number(value); });
    return json;
}

Metrics metrics_of_json(Json const& json) {
    Metrics metrics;
    Metrics::visit(metrics, [&](std::string const& name, double& value) {
        value = number_of_json(json.at(name));
    });
    return metrics;
}

std::uint64_t fingerprint(Dataset const& data) {
    std::uint64_t hash = 0xcbf29ce484222325;
    auto const add = [&](std::uint64_t word) { hash = (hash ^ word) * 0x100000001b3; };
    for (auto const* split : {&data.train, &data.valid, &data.test}) {
        add(split->size());
        for (auto const& row : *split) {
            add(static_cast<std::uint64_t>(row.user));
            add(static_cast<std::uint64_t>(row.item));
        }
    }
    auto const add_features = [&](FeatureMatrix const& features) {
        add(features.columns);
        for (float const value : features.values) add(std::bit_cast<std::uint32_t>(value));
    };
    add_features(data.visual);
    add_features(data.textual);
    for (auto const& each : data.further) {
        for (char const c : each.name) add(static_cast<unsigned char>(c));
        add_features(each.features);
    }
    return hash;
}

namespace {

Json json_of_result(FullSort::Result const& result) {
    return {{"valid", json_of_metrics(result.valid)},
            {"valid_users", result.valid.n_users},
            {"test", json_of_metrics(result.test)},
            {"test_users", result.test.n_users}};
}

FullSort::Result result_of_json(Json const& json) {
    auto const read = [&](char const* split, char const* users) {
        auto metrics = metrics_of_json(json.at(split));
        metrics.n_users = json.at(users).get<std::size_t>();
        return metrics.n_users == 0 ? not_measured() : metrics;
    };
    return {read("valid", "valid_users"), read("test", "test_users")};
}

Json json_of_state(TrainingState const& state) {
    Json epochs = Json::array();
    for (auto const& record : state.epochs)
        epochs.push_back({{"epoch", record.epoch},
                          {"loss", json_number(record.loss)},
                          {"sharpness", json_number(record.sharpness)},
                          {"cosine", json_number(record.cosine)},
                          {"distance", json_number(record.distance)},
                          {"gradients", record.gradients},
                          {"train_seconds", record.train_seconds},
                          {"evaluation_seconds", record.evaluation_seconds},
                          {"metrics", record.metrics ? json_of_result(*record.metrics) : Json()}});
    return {{"epoch", state.epoch},
            {"batch", state.batch},
            {"loss_sum", json_number(state.loss.sum)},
            {"loss_batches", state.loss.steps},
            {"sharpness_sum", json_number(state.sharpness.sum)},
            {"sharpness_batches", state.sharpness.steps},
            {"cosine_sum", json_number(state.cosine.sum)},
            {"cosine_batches", state.cosine.steps},
            {"distance_sum", json_number(state.distance.sum)},
            {"distance_batches", state.distance.steps},
            {"n_downhill", state.n_downhill},
            {"gradients", state.gradients},
            {"seconds", state.seconds},
            {"epochs", std::move(epochs)},
            {"best_epoch", state.best_epoch},
            {"best_value", json_number(state.best_value)},
            {"n_without_gain", state.n_without_gain},
            {"best", json_of_result(state.best)}};
}

TrainingState state_of_json(Json const& json) {
    TrainingState state;
    state.epoch = json.at("epoch").get<int>();
    state.batch = json.at("batch").get<std::size_t>();
    auto const read_mean = [&](std::string const& name) {
        return StepMean{number_of_json(json.at(name + "_sum")),
                        json.at(name + "_batches").get<std::size_t>()};
    };
    // Files of before it was counted: every batch had a loss.
    state.loss = {number_of_json(json.at("loss_sum")), json.value("loss_batches", state.batch)};
    state.sharpness = read_mean("sharpness");
    if (json.contains("cosine_sum")) {  // files of before the measurement have none
        state.cosine = read_mean("cosine");
        state.distance = read_mean("distance");
        state.n_downhill = json.at("n_downhill").get<int>();
    }
    state.gradients = json.value("gradients", std::size_t{0});
    state.seconds = json.at("seconds").get<double>();
    for (auto const& entry : json.at("epochs")) {
        EpochRecord record;
        record.epoch = entry.at("epoch").get<int>();
        record.loss = number_of_json(entry.at("loss"));
        record.sharpness = number_of_json(entry.at("sharpness"));
        record.cosine = number_of_json(entry.value("cosine", Json()));
        record.distance = number_of_json(entry.value("distance", Json()));
        record.gradients = entry.value("gradients", std::size_t{0});
        record.train_seconds = entry.at("train_seconds").get<double>();
        record.evaluation_seconds = entry.at("evaluation_seconds").get<double>();
        if (!entry.at("metrics").is_null()) record.metrics = result_of_json(entry.at("metrics"));
        state.epochs.push_back(std::move(record));
    }
    state.best_epoch = json.at("best_epoch").get<int>();
    state.best_value = number_of_json(json.at("best_value"));
    state.n_without_gain = json.at("n_without_gain").get<int>();
    state.best = result_of_json(json.at("best"));
    return state;
}

constexpr char const* best_prefix = "best.";

std::size_t n_values(SafetensorsFile const& file, std::string const& name) {
    auto const found = file.arrays().find(name);
    if (found == file.arrays().end()) file.fail("there is no array '" + name + "'");
    return found->second.shape.size() == 1 ? static_cast<std::size_t>(found->second.shape[0]) : 0;
}

// The graph that the epoch carries, of that size, or none where the file has none.
Csr<float> read_carried(SafetensorsFile& file, Csr<float> const& like) {
    if (file.arrays().count("carried.offsets") == 0) return {};
    auto const n = n_values(file, "carried.columns");
    Csr<float> graph{like.rows, like.cols, std::vector<std::size_t>(like.rows + 1),
                     std::vector<std::int32_t>(n), std::vector<float>(n)};
    file.read("carried.offsets", {graph.offsets.size()}, graph.offsets);
    file.read("carried.columns", {n}, graph.columns);
    file.read("carried.values", {n}, graph.values);
    bool const is_sorted = std::is_sorted(graph.offsets.begin(), graph.offsets.end());
    bool const is_inside = std::all_of(graph.columns.begin(), graph.columns.end(), [&](auto c) {
        return c >= 0 && static_cast<std::size_t>(c) < graph.cols;
    });
    if (!is_sorted || !is_inside || graph.offsets.front() != 0 || graph.offsets.back() != n)
        file.fail("the graph 'carried' is damaged");
    return graph;
}

// A writer with views of the run as it is.
SafetensorsWriter writer_of(Trainer& trainer, Json const& run, Settings const& notes) {
    SafetensorsWriter writer;
    add_parameters(writer, trainer.parameters());
    add_parameters(writer, trainer.best_parameters(), best_prefix);
    trainer.learner().add_state(writer, trainer.parameters());
    if (auto const* const graph = trainer.carried_graph()) {
        writer.add("carried.offsets", {graph->offsets.size()}, graph->offsets);
        writer.add("carried.columns", {graph->columns.size()}, graph->columns);
        writer.add("carried.values", {graph->values.size()}, graph->values);
    }
    writer.add_metadata("format", std::string(checkpoint_format));
    writer.add_metadata("version", std::string(checkpoint_version));
    writer.add_metadata("run", run.dump());
    writer.add_metadata("state", json_of_state(trainer.state()).dump());
    for (auto const& [key, text] : notes) writer.add_metadata(key, text);
    return writer;
}

}  // namespace

void save_run(std::filesystem::path const& file, Trainer& trainer, Json const& run,
              Settings const& notes) {
    writer_of(trainer, run, notes).write(file);
}

std::string checkpoint_text(Trainer& trainer, Json const& run, Settings const& notes) {
    std::ostringstream stream;
    writer_of(trainer, run, notes).write(stream);
    return stream.str();
}

Json saved_run(SafetensorsFile const& file) {
    if (file.metadata("format") != checkpoint_format ||
        file.metadata("version") != checkpoint_version)
        file.fail("is not a checkpoint of this version, expected " +
                  std::string(checkpoint_format) + " " + std::string(checkpoint_version));
    auto saved = Json::parse(file.metadata("run"), nullptr, false);
    if (!saved.is_object()) file.fail("'run' in the metadata is not a JSON object");
    return saved;
}

void require_run(SafetensorsFile const& file, Json const& run) {
    auto const saved = saved_run(file);
    // "epochs": a limit that checkpoints of before have.
    auto const is_compared = [](std::string const& key) {
        return key != "changes" && key != "epochs";
    };
    for (auto const& [key, value] : run.items())
        if (is_compared(key) && (!saved.contains(key) || saved[key] != value))
            file.fail("was made with " + key + " = " +
                      (saved.contains(key) ? saved[key].dump() : std::string("nothing")) +
                      ", this run has " + value.dump());
    for (auto const& [key, value] : saved.items())
        if (is_compared(key) && !run.contains(key))
            file.fail("was made with " + key + " = " + value.dump() + ", this run has nothing");
}

namespace {

// The row there of each row of a table here; empty where it is no table of users, items or both.
std::vector<std::int32_t> rows_there(std::string_view name, std::size_t n_here, std::size_t n_there,
                                     TableRows const& rows) {
    if (name.ends_with("weight") || name.ends_with("bias")) return {};
    auto const is_of = [&](std::size_t here, std::size_t there) {
        return n_here == here && n_there == there;
    };
    bool const is_of_users = is_of(rows.users.size(), rows.n_users);
    bool const is_of_items = is_of(rows.items.size(), rows.n_items);
    // Where there are as many users as items the name tells: item_embedding, image_embedding, weight_i, ...
    bool const is_named_for_users = name.find("user") != name.npos || name.ends_with("weight_u") ||
                                    name.find("preference") != name.npos;
    if (is_of_users && (is_named_for_users || !is_of_items)) return rows.users;
    if (is_of_items) return rows.items;
    if (!is_of(rows.users.size() + rows.items.size(), rows.n_users + rows.n_items)) return {};
    auto result = rows.users;
    for (auto const item : rows.items)
        result.push_back(item < 0 ? item : item + static_cast<std::int32_t>(rows.n_users));
    return result;
}

}  // namespace

void read_tables(SafetensorsFile& file, ParameterArena<float>& parameters,
                 std::vector<std::string> const& names, std::optional<TableRows> const& rows) {
    auto const model = saved_run(file).value("model", std::string("a model"));
    auto const& arrays = file.arrays();
    bool const has_best = std::any_of(arrays.begin(), arrays.end(), [](auto const& each) {
        return each.first.starts_with(best_prefix);
    });
    std::string const prefix = has_best ? best_prefix : "";
    std::vector<std::string> known;
    ParameterArena<float> tables;
    std::vector<std::vector<std::int32_t>>
        own_rows;  // of each of the tables; empty: all, as they are
    for (auto const& entry : parameters.entries()) {
        known.push_back(entry.name);
        bool const is_asked_for = std::find(names.begin(), names.end(), entry.name) != names.end();
        auto const found = arrays.find(prefix + entry.name);
        if (found == arrays.end() && is_asked_for)
            file.fail("table '" + entry.name + "': " + model + " has none of that name");
        if (found == arrays.end() || !(is_asked_for || names.empty())) continue;
        auto const& shape = found->second.shape;
        auto const n_there = shape.empty() ? 0 : static_cast<std::size_t>(shape[0]);
        auto const cols = shape.size() < 2 ? 1 : static_cast<std::size_t>(shape[1]);
        auto own =
            rows ? rows_there(entry.name, entry.rows, n_there, *rows) : std::vector<std::int32_t>();
        if ((own.empty() && n_there != entry.rows) || cols != entry.cols)
            file.fail("table '" + entry.name + "': is " + std::to_string(n_there) + " x " +
                      std::to_string(cols) + " in " + model + ", expected " +
                      std::to_string(entry.rows) + " x " + std::to_string(entry.cols) +
                      (rows || n_there == entry.rows
                           ? ""
                           : "; rows of other users or items are found where both data sets have "
                             "users.tsv and items.tsv"));
        tables.add(entry.name, n_there, cols);
        own_rows.push_back(std::move(own));
    }
    for (auto const& name : names) require_known("table", name, known);
    if (tables.size() == 0)
        file.fail(model + " has no table of that name; expected one of " + listed(known));
    read_parameters(file, tables, prefix);
    for (std::size_t t = 0; t < own_rows.size(); ++t) {
        auto const& name = tables.entries()[t].name;
        auto const from = tables[name], to = parameters[name];
        if (own_rows[t].empty()) std::copy(from.data, from.data + from.size(), to.data);
        for (std::size_t row = 0; row < own_rows[t].size(); ++row)
            if (auto const there = own_rows[t][row]; there >= 0)
                std::copy_n(&from(static_cast<std::size_t>(there), 0), from.cols, &to(row, 0));
    }
}

void load_run(SafetensorsFile& file, Trainer& trainer, Json const& run) {
    require_run(file, run);
    TrainingState state;
    try {
        state = state_of_json(Json::parse(file.metadata("state")));
    } catch (nlohmann::json::exception const& error) {
        file.fail(std::string("'state' in the metadata is damaged: ") + error.what());
    }
    if (state.epoch < 0 || state.batch > trainer.n_batches() || state.n_without_gain < 0)
        file.fail("'state' in the metadata is damaged: epoch " + std::to_string(state.epoch) +
                  ", batch " + std::to_string(state.batch));

    auto parameters = trainer.parameters();
    read_parameters(file, parameters);
    ParameterArena<float> best;
    if (state.best_epoch >= 0) {
        best = parameters;
        read_parameters(file, best, best_prefix);
    }
    Csr<float> carried;
    if (auto const* const graph = trainer.learner().model().carried_graph();
        graph && state.batch > 0)
        carried = read_carried(file, *graph);
    trainer.learner().load_state(file, trainer.parameters());
    trainer.restore(std::move(parameters), std::move(best), std::move(state), std::move(carried));
}

}  // namespace polder::recsys
