/// One training run: what it is made of, and what it leaves behind.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/app/arguments.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/models/model.hpp"
#include "recsys/training/checkpoint.hpp"
#include "recsys/training/learner.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys::app {

/// Everything but the data that decides the course of a run.
struct RunOptions {
    ModelChoice model;
    OptimizerOptions optimizer;
    TrainingOptions training;
    std::string device = "cpu";  ///< where the model and the optimizer run: cpu or cuda
};

/// Throws std::invalid_argument, which says how to get it, where the program was built without this device.
void require_device(std::string_view device);

/// Every hyper-parameter of model, optimizer and training, by name. An optimizer's that the model has as
/// well is "optimizer.NAME"; limits that are not set are null. Throws std::invalid_argument for unknown names
/// and values out of range of the optimizer.
Json hyper_parameters(RunOptions const& options);

/// What must be the same for a run to be continued: all but how long it is and how it is spread over threads.
/// Throws as above.
Json identity(RunOptions const& options, Dataset const& data);

/// "all_epochs", "early_stopping", "interrupted" or "not_finite".
std::string_view to_string(Ending ending);

/// Prints what was left out of the data.
void warn_of_dropped_rows(Dataset const& data);

/// A model, an optimizer and the trainer that brings them together.
class Run {
public:
    /// `data` must outlive the run. Throws std::invalid_argument for unknown names and values out
    /// of range.
    Run(Dataset const& data, RunOptions options);

    Trainer& trainer() { return trainer_; }
    Trainer const& trainer() const { return trainer_; }
    RunOptions const& options() const { return options_; }

    /// The run as JSON; metrics are not rounded.
    Json report(Ending ending) const;

    /// One row per epoch: loss, sharpness, cosine, distance, seconds, and all metrics of valid and test.
    Table curve() const;

private:
    Dataset const& data_;
    RunOptions options_;
    std::unique_ptr<Learner> learner_;
    Trainer trainer_;
};

}  // namespace polder::recsys::app
