#include "recsys/app/trained_model.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/safetensors.hpp>

#include "recsys/app/train_arguments.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

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
    TrainedModel trained{read_stored_model(checkpoint, data)};
    SafetensorsFile const file(checkpoint);
    if (auto const& known = file.metadata(); known.contains("polder.checksum"))
        trained.content = known.at("polder.checksum");
    try {
        auto arguments = saved_arguments(file);
        arguments.emplace_back("--device=cpu");
        trained.options = run_options(parse_course(std::move(arguments)));
        trained.options.start.ids = id_folder(trained.source);
        if (trained.epoch >= 0) {
            auto const best = Json::parse(file.metadata("state")).at("best");
            trained.recorded = {metrics_of_json(best.at("valid")),
                                metrics_of_json(best.at("test"))};
        }
    } catch (CLI::Error const& error) {
        file.fail(std::string("'arguments' in the metadata are not those of train: ") +
                  error.what());
    } catch (nlohmann::json::exception const& error) {
        file.fail(std::string("the metadata are damaged: ") + error.what());
    }
    return trained;
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

}  // namespace polder::recsys::app
