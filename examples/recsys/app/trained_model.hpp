/// The model that a checkpoint of `train` holds, with the settings that it was trained with.
#pragma once

#include <optional>
#include <string>

#include "recsys/app/run.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/models/model.hpp"
#include "recsys/serving/stored_model.hpp"

namespace polder::recsys::app {

/// What is known of a trained model before its data is read.
struct TrainedModel : StoredModel {
    RunOptions options{};                        ///< those of training; the device is the CPU
    std::string content{};                       ///< the checksum of the checkpoint's arrays
    std::optional<FullSort::Result> recorded{};  ///< metrics of the epoch in training

    /// "lightgcn sam:rho=0.1 seed 999", for tables.
    std::string label() const;
};

/// Reads what there is to know. Throws FileError where the file is no checkpoint of this version.
TrainedModel read_trained_model(std::string const& checkpoint, DataOverride const& data);

/// Warns where vectors of users or items, or scores that they may have, are not finite, as after a run that diverged.
void warn_of_non_finite(Representations<float> const& r, std::string const& checkpoint);

}  // namespace polder::recsys::app
