/// The model that a checkpoint of `polder-recsys train` holds, without the optimizer that trained it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/state/safetensors.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/data/source.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/registry.hpp"

namespace polder::recsys {

struct TableRows;  // training/checkpoint.hpp

/// Where data lies now, as far as it is not where it was in training.
struct DataOverride {
    std::string data, visual, textual;
};

/// What is known of a stored model before its data is read.
struct StoredModel {
    std::string checkpoint;  ///< the file
    std::string model;       ///< its name
    Settings settings{};     ///< every hyper-parameter that the checkpoint knows
    std::uint64_t seed = 0;  ///< of training
    DataSource source{};     ///< where the data lies now
    int epoch = -1;          ///< the parameters are those after this epoch; -1: none was evaluated
    std::string trained_on{};  ///< "300 users, 200 items, content 0123456789abcdef"
};

/// The arguments that the run in a checkpoint was given, and its distance, given or not. Throws FileError.
std::vector<std::string> saved_arguments(SafetensorsFile const& checkpoint);

/// Reads what there is to know. Throws FileError where the file is no checkpoint of this version.
StoredModel read_stored_model(std::string const& checkpoint, DataOverride const& data = {});

/// "300 users, 200 items, content 0123456789abcdef", as checkpoints have it.
std::string description_of(Dataset const& data);

/// Reads the data; features only where the model needs them. Throws what load_data throws, and std::runtime_error
/// where it has other numbers of users or items than in training.
Dataset load_data_of(StoredModel const& stored);

/// The same, but throws where anything in it is not as it was in training.
Dataset load_same_data(StoredModel const& stored);

/// Which rows of the model's tables belong to the users and items of `data`, by the ids that both have. `folder`: where the
/// ids of `data` lie, see id_folder. Nothing where either has no ids (users.tsv and items.tsv), and where it is the model's
/// own data: then rows belong to numbers. Throws as load_same_data, since ids of other data than in training mean nothing.
std::optional<TableRows> rows_by_ids(StoredModel const& stored, std::filesystem::path const& folder,
                                     Dataset const& data);

/// The model on `data`, at the epoch of the checkpoint: its graphs and features are those of `data`.
/// `further`: settings besides those of training.
template <class T>
std::unique_ptr<AnyModel<T>> make_trained(StoredModel const& stored, Dataset const& data,
                                          int threads, Settings const& further = {}) {
    auto settings = stored.settings;
    settings.insert(settings.end(), further.begin(), further.end());
    auto model = make_model<T>(stored.model, data, settings, threads);
    model->begin_epoch(stored.seed, std::max(stored.epoch, 0));
    return model;
}

/// Writes the parameters of the checkpoint to `parameters`, whose names and shapes are the model's. Throws FileError where
/// they are not the checkpoint's.
void read_trained_parameters(StoredModel const& stored, ParameterArena<float>& parameters);

/// The parameters of the checkpoint in the layout of `model`, as numbers of T. Throws as above.
template <class T>
ParameterArena<T> read_trained_parameters(StoredModel const& stored, AnyModel<T> const& model) {
    ParameterArena<T> result;
    model.declare(result);
    ParameterArena<float> parameters;
    for (auto const& entry : result.entries()) parameters.add(entry.name, entry.rows, entry.cols);
    read_trained_parameters(stored, parameters);
    std::copy(parameters.begin(), parameters.end(), result.begin());
    return result;
}

}  // namespace polder::recsys
