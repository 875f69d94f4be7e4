/// One training run: what it is made of, and what it leaves behind.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/models/model.hpp"
#include "recsys/training/checkpoint.hpp"
#include "recsys/training/learner.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys::app {

/// A warm start: from which checkpoint, and which of its tables (see read_tables).
struct Start {
    std::string checkpoint;           ///< a file, or empty
    std::vector<std::string> tables;  ///< empty: all that both models have
    std::filesystem::path ids;        ///< the folder of the data's ids, or empty
};

/// Everything but the data that decides the course of a run.
struct RunOptions {
    ModelChoice model;
    OptimizerOptions optimizer;
    TrainingOptions training;
    std::string device = "cpu";  ///< where the model and the optimizer run: cpu or cuda
    Start start{};
};

/// Throws std::invalid_argument, which says how to get it, where the program was built without this device.
void require_device(std::string_view device);

/// Throws std::invalid_argument, which says why, where the way in which batches are to be computed means nothing: two at once
/// where none of the runs has a method of two batches, parts of a batch, also those of ranks, with a model whose loss has none,
/// any of these on a GPU.
void require_ways_of_batches(std::vector<RunOptions> const& runs);

/// Every hyper-parameter of model, optimizer and training, by name. An optimizer's that the model has as
/// well is "optimizer.NAME"; limits that are not set are null. Throws std::invalid_argument for unknown names
/// and values out of range of the optimizer.
Json hyper_parameters(RunOptions const& options);

/// Every option of the optimizer with its value: given, of the model, or by default. Throws as above.
std::vector<OptimizerValue> optimizer_values_of(RunOptions const& options);

/// "learning_rate=0.001:rho=0.1:...": hyper-parameters on one line, without those that are null.
std::string settings_text(Json const& hyper_parameters);

/// What must be the same for a run to be continued: all but how long it is and how it is spread over threads.
/// Throws as above.
Json identity(RunOptions const& options, Dataset const& data);

/// "all_epochs", "early_stopping", "interrupted" or "not_finite".
std::string_view to_string(Ending ending);

/// Warns of what is left out of the data: rows of users who are not in training, and of users who have all items; of rows
/// of validation and test that are in training, too; and of numbers that begin at 1.
void warn_of_data(Dataset const& data);

/// A model, an optimizer and the trainer that brings them together.
class Run {
public:
    /// `data` must outlive the run. Sets the model up, with its graphs, which may take long: `label` begins the lines that
    /// say so; where it is empty there are none. Throws std::invalid_argument for unknown names and values out of range.
    Run(Dataset const& data, RunOptions options, std::string const& label = {});

    /// Before the first step of a run that does not go on from a checkpoint of its own: takes the tables of options().start,
    /// where there is one, by the ids of users and items where both data sets have ids. Throws as rows_by_ids and
    /// read_tables.
    void warm_start();

    Trainer& trainer() { return trainer_; }
    Trainer const& trainer() const { return trainer_; }
    RunOptions const& options() const { return options_; }

    /// The run as JSON, but for "command"; metrics are not rounded.
    Json report(Ending ending) const;

    /// {"train": ..., "valid": ..., "gap": ...}, see PairLoss, of the best epoch. For a run that has ended.
    Json pair_loss();

    /// One row per epoch: loss, sharpness, cosine, distance, seconds, and all metrics of valid and test.
    Table curve() const;

    /// What to do about a value that is not finite, at which the run ended.
    std::string advice() const;

    /// Settings that were changed when the run was continued: [{"epoch", "batch", "name", "from", "to"}, ...].
    void set_changes(Json changes) { changes_ = std::move(changes); }

private:
    std::chrono::steady_clock::time_point const begin_ = std::chrono::steady_clock::now();
    double setup_seconds_ = 0;
    Dataset const& data_;
    Json changes_ = Json::array();
    RunOptions options_;
    std::unique_ptr<Learner> learner_;
    Trainer trainer_;
};

}  // namespace polder::recsys::app
