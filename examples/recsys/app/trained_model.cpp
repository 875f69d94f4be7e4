#include "recsys/app/trained_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/safetensors.hpp>
#include <polder/state/state.hpp>

#include "recsys/app/train_arguments.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

namespace {

// "300 users, 200 items" of a description.
std::string sizes(std::string const& description) {
    return description.substr(0, description.find(", content"));
}

}  // namespace

std::string TrainedModel::label() const {
    auto const named = [](std::string name, Settings const& settings) {
        for (auto const& [key, value] : settings) name += ":" + key + "=" + value;
        return name;
    };
    auto text =
        options.model.name + " " + named(options.optimizer.method, options.optimizer.values);
    if (options.optimizer.base != "adam") text += ":base=" + options.optimizer.base;
    if (!options.optimizer.rates.empty()) text += ":rates=" + to_text(options.optimizer.rates);
    return text + fmt::format(" seed {}", options.training.seed);
}

TrainedModel read_trained_model(std::string const& checkpoint, DataOverride const& data) {
    SafetensorsFile file(checkpoint);
    if (file.metadata("format") != checkpoint_format ||
        file.metadata("version") != checkpoint_version)
        file.fail(fmt::format("is not a checkpoint of this version, expected {} {}",
                              checkpoint_format, checkpoint_version));
    auto arguments = saved_arguments(file);
    auto const add = [&](std::string const& option, std::string const& value) {
        if (!value.empty()) arguments.push_back("--" + option + "=" + value);
    };
    add("data", data.data);
    add("visual", data.visual);
    add("textual", data.textual);
    arguments.emplace_back("--device=cpu");
    CLI::App command;
    command.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    TrainArguments a;
    add_course_options(command, a);
    TrainedModel trained;
    trained.checkpoint = checkpoint;
    if (auto const& known = file.metadata(); known.contains("polder.checksum"))
        trained.content = known.at("polder.checksum");
    try {
        std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
        command.parse(std::move(arguments));
        trained.options = run_options(a);
        trained.source = a.data;
        auto const state = Json::parse(file.metadata("state"));
        trained.epoch = state.at("best_epoch").get<int>();
        if (trained.epoch >= 0)
            trained.recorded = {metrics_of_json(state.at("best").at("valid")),
                                metrics_of_json(state.at("best").at("test"))};
        trained.trained_on = Json::parse(file.metadata("run")).at("data").get<std::string>();
    } catch (CLI::Error const& error) {
        file.fail(std::string("'arguments' in the metadata are not those of train: ") +
                  error.what());
    } catch (nlohmann::json::exception const& error) {
        file.fail(std::string("the metadata are damaged: ") + error.what());
    }
    return trained;
}

std::string description_of(Dataset const& data) {
    return fmt::format("{} users, {} items, content {:016x}", data.n_users, data.n_items,
                       fingerprint(data));
}

Dataset load_data_of(TrainedModel const& trained) {
    auto data = load_data(trained.source, needs_features(find_model(trained.options.model.name)));
    auto const expected = sizes(trained.trained_on);
    auto const found = fmt::format("{} users, {} items", data.n_users, data.n_items);
    if (found != expected)
        throw std::runtime_error(fmt::format("{}: the data has {}, expected {}, as {} has been "
                                             "trained on",
                                             data.name, found, expected, trained.checkpoint));
    return data;
}

void warn_of_non_finite(Representations<float> const& r, std::string const& checkpoint) {
    // The largest norm of a row, or not-a-number.
    auto const largest_norm = [](MatrixView<float const> const& m) {
        double largest = 0;
        for (std::size_t row = 0; row < m.rows; ++row) {
            double sum = 0;
            for (std::size_t k = 0; k < m.cols; ++k) sum += double{m(row, k)} * double{m(row, k)};
            if (!(sum <= largest)) largest = sum;
        }
        return std::sqrt(largest);
    };
    if (!(largest_norm(r.users) * largest_norm(r.items) <= std::numeric_limits<float>::max()))
        spdlog::warn("{}: vectors of users or items are not finite, or so large that their scores "
                     "are not: the training diverged",
                     checkpoint);
}

void read_trained_parameters(TrainedModel const& trained, ParameterArena<float>& parameters) {
    SafetensorsFile file(trained.checkpoint);
    read_parameters(file, parameters, trained.epoch >= 0 ? "best." : "");
}

}  // namespace polder::recsys::app
