/// The model that a checkpoint of `train` holds, without the optimizer that trained it.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/app/run.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/data/source.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys::app {

/// Where data lies now, as far as it is not where it was in training.
struct DataOverride {
    std::string data, visual, textual;
};

/// What is known of a trained model before its data is read.
struct TrainedModel {
    std::string checkpoint;  ///< the file
    RunOptions options;      ///< those of training; the device is the CPU
    DataSource source;       ///< where the data lies now
    int epoch = -1;          ///< the parameters are those after this epoch; -1: none was evaluated
    std::string trained_on;  ///< "300 users, 200 items, content 0123456789abcdef"
    std::string content;     ///< the checksum of the checkpoint's arrays
    std::optional<FullSort::Result> recorded;  ///< metrics of that epoch in training

    /// "lightgcn sam:rho=0.1 seed 999", for tables.
    std::string label() const;
};

/// Reads what there is to know. Throws FileError where the file is no checkpoint of this version.
TrainedModel read_trained_model(std::string const& checkpoint, DataOverride const& data);

/// "300 users, 200 items, content 0123456789abcdef", as checkpoints have it.
std::string description_of(Dataset const& data);

/// Reads the data; features only where the model needs them. Throws what load_data throws, and std::runtime_error
/// where it has other numbers of users or items than in training.
Dataset load_data_of(TrainedModel const& trained);

/// The model on `data`, at the epoch of the checkpoint: its graphs and features are those of `data`.
/// `further`: settings besides those of training.
template <class T>
std::unique_ptr<AnyModel<T>> make_trained(TrainedModel const& trained, Dataset const& data,
                                          int threads, Settings const& further = {}) {
    auto settings = trained.options.model.settings;
    settings.insert(settings.end(), further.begin(), further.end());
    auto model = make_model<T>(trained.options.model.name, data, settings, threads);
    model->begin_epoch(trained.options.training.seed, std::max(trained.epoch, 0));
    return model;
}

/// Warns where vectors of users or items, or scores that they may have, are not finite, as after a run that diverged.
void warn_of_non_finite(Representations<float> const& r, std::string const& checkpoint);

/// Writes the parameters of the checkpoint to `parameters`, whose names and shapes are the model's. Throws FileError where
/// they are not the checkpoint's.
void read_trained_parameters(TrainedModel const& trained, ParameterArena<float>& parameters);

/// The parameters of the checkpoint in the layout of `model`, as numbers of T. Throws as above.
template <class T>
ParameterArena<T> read_trained_parameters(TrainedModel const& trained, AnyModel<T> const& model) {
    ParameterArena<T> result;
    model.declare(result);
    ParameterArena<float> parameters;
    for (auto const& entry : result.entries()) parameters.add(entry.name, entry.rows, entry.cols);
    read_trained_parameters(trained, parameters);
    std::copy(parameters.begin(), parameters.end(), result.begin());
    return result;
}

}  // namespace polder::recsys::app
