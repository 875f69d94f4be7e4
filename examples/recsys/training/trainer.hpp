/// The training loop: epochs of batches, evaluation, early stopping.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/report.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/evaluation/pair_loss.hpp"
#include "recsys/models/model.hpp"
#include "recsys/ranks.hpp"
#include "recsys/tape/csr.hpp"
#include "recsys/training/learner.hpp"
#include "recsys/training/sampler.hpp"

namespace polder::recsys {

/// How long to train, on what, and when to stop; the defaults are MMRec's.
struct TrainingOptions {
    int epochs = 1000;         ///< at most
    int batch_size = 2048;     ///< rows per batch
    std::uint64_t seed = 999;  ///< of initial values, batches and negatives
    int eval_step = 1;         ///< epochs from one evaluation to the next
    int stopping_step = 20;    ///< evaluations without a gain that are tolerated
    std::string valid_metric = "recall@20";
    /// Which epoch is the result: "best" in validation, or the "last" one, which needs no validation rows and knows no
    /// early stopping.
    std::string select = "best";
    /// What has to gain: "valid", the valid metric, or "loss", the training loss. The best epoch is that of the valid
    /// metric in both cases.
    std::string stop = "valid";
    /// In epoch e (from 0) the learning rate is the optimizer's, times decay_factor^(e / decay_epochs).
    double decay_factor = 1;
    double decay_epochs = 50;
    /// Evaluations between epochs rank so many users, drawn by the seed; 0: all. The metrics of the best epoch are those of all
    /// users.
    int eval_users = 0;
    bool half_steps = false;  ///< a step takes two batches, see Sampler
    int threads =
        1;  ///< of everything but the model, which has its own; results do not depend on it
    /// How the model is made (models/micro_batches.hpp, models/two_models.hpp): the parts that it computes a batch in, and
    /// whether it answers for both batches of a step at once.
    int micro_batches = 1;
    bool parallel_batches = false;
    /// The processes that train together: all have the same options, and each has a trainer. They stop together where an
    /// observer of one says so.
    Ranks ranks{};

    /// Throws std::invalid_argument with name, value and range of what is out of range.
    void validate() const;
};

/// What one epoch gave.
struct EpochRecord {
    int epoch = 0;  ///< from 0
    /// Mean over the batches of L_B1 before each step, or of L_B1(x + eps) where the method does not compute it.
    double loss = 0;
    double sharpness = 0;  ///< mean of L_B1(x + eps) - L_B1(x) over the batches with an eps; or NaN
    /// Means over the batches that were measured, NaN where none was: of the cosine between v = g - d e and g, which
    /// is 1 for methods that ascend along g, and of the distance d. On the host these are the batches with an eps; on
    /// a device every 64th batch and the last of the epoch.
    double cosine = std::numeric_limits<double>::quiet_NaN();
    double distance = std::numeric_limits<double>::quiet_NaN();
    /// Gradients of the loss of a batch, or of one row of it, that the epoch's steps took; 0 in checkpoints of before
    /// they were counted.
    std::size_t gradients = 0;
    double train_seconds = 0;  ///< batches and steps
    double evaluation_seconds = 0;
    std::optional<FullSort::Result> metrics;  ///< in epochs that were evaluated
};

/// The mean of what some steps measured: those whose number is not NaN.
struct StepMean {
    double sum = 0;
    std::size_t steps = 0;

    void add(double value) { add(value, std::isnan(value) ? 0 : 1); }
    /// The sum over `count` steps; nothing where there are none.
    void add(double sum_of_them, std::size_t count) {
        if (count == 0) return;
        sum += sum_of_them;
        steps += count;
    }
    /// NaN without a step.
    double value() const { return sum / static_cast<double>(steps); }
};

/// Everything that the loop carries from batch to batch, besides parameters and optimizer state.
/// Random draws are functions of (seed, epoch, batch), so these numbers are the random state too.
struct TrainingState {
    int epoch = 0;          ///< of the next batch
    std::size_t batch = 0;  ///< the next batch
    double seconds = 0;     ///< over this epoch's batches so far
    StepMean loss, sharpness, cosine,
        distance;                     ///< of this epoch's batches so far, see EpochRecord
    std::size_t gradients = 0;        ///< of this epoch's batches so far, see EpochRecord
    int n_downhill = 0;               ///< measured batches in a row with a cosine below 0
    std::vector<EpochRecord> epochs;  ///< finished epochs
    int best_epoch = -1;              ///< the result so far; -1: none yet
    double best_value = -1;           ///< of the valid metric there, rounded; NaN: not measured
    int n_without_gain = 0;           ///< evaluations since the best
    FullSort::Result best;  ///< metrics of the best epoch; of eval_users until training has ended
};

/// Why training ended.
enum class Ending {
    all_epochs,      ///< every epoch was trained
    early_stopping,  ///< no gain for stopping_step + 1 evaluations
    interrupted,     ///< asked to stop, after a batch
    not_finite  ///< a loss or gradient was infinite or not-a-number; the last step is not taken
};

class Trainer;

/// Is told how training goes, and may end it.
class TrainingObserver {
public:
    TrainingObserver() = default;
    TrainingObserver(TrainingObserver const&) = delete;
    TrainingObserver& operator=(TrainingObserver const&) = delete;
    virtual ~TrainingObserver() = default;

    virtual void after_batch(Trainer const&, Report const&) {}
    /// The record is state().epochs.back().
    virtual void after_epoch(Trainer const&) {}
    /// Asked after every batch.
    virtual bool should_stop() { return false; }
};

/// Trains a model. In each epoch: the model's begin_epoch, all batches, one step each, and every
/// eval_step epochs an evaluation of valid and test.
///
/// Early stopping looks at the valid metric rounded to 4 decimals. An evaluation is a gain if its
/// value is higher than all before; after stopping_step + 1 evaluations in a row without a gain,
/// training ends. The result is the metrics of the best epoch; its parameters are kept beside the
/// current ones. With select = "last" every evaluation is the result until the next one, and the last epoch is always
/// evaluated.
///
/// The course of training depends on data, model, optimizer and options, but not on threads, nor on
/// being interrupted and continued.
class Trainer {
public:
    /// `data` and `learner` must outlive the trainer. Sets initial values. Throws std::runtime_error for data
    /// without validation rows, unless the last epoch is selected.
    Trainer(Dataset const& data, Learner& learner, TrainingOptions options);

    Trainer(Trainer const&) = delete;
    Trainer& operator=(Trainer const&) = delete;

    /// Trains until there is a reason to end. Called again after an interruption, it goes on with the next
    /// batch.
    Ending run(TrainingObserver& observer);

    /// As above, without an observer.
    Ending run();

    TrainingOptions const& options() const { return options_; }
    TrainingState const& state() const { return state_; }
    std::size_t n_batches() const { return sampler_.n_batches(); }

    /// The current parameters, and those of the best epoch (empty before the first evaluation).
    ParameterArena<float> const& parameters() const { return parameters_; }
    ParameterArena<float>& parameters() { return parameters_; }
    ParameterArena<float> const& best_parameters() const { return best_parameters_; }
    ParameterArena<float>& best_parameters() { return best_parameters_; }

    /// What the model of the best epoch (of now, before the first evaluation) recommends by. The views are
    /// valid until the model is used again. Not for a run that goes on within its epoch: the model leaves it.
    Representations<float> best_representations();

    /// What the lists of these hit in test.
    std::vector<UserHits> best_test_hits();

    /// The loss of these on fixed pairs of train and valid.
    PairLoss best_pair_loss();

    /// What was not finite, after Ending::not_finite.
    std::string const& message() const { return message_; }

    /// The graph that the epoch under way hands on from batch to batch, or null.
    Csr<float>* carried_graph() {
        return state_.batch == 0 ? nullptr : learner_.model().carried_graph();
    }

    Learner& learner() { return learner_; }

    /// Goes on from elsewhere: parameters of the layout of parameters(), those of the best epoch
    /// (or empty), the state that belongs to them, and the graph that its epoch carries (or one without
    /// offsets). The optimizer's state is its own matter.
    void restore(ParameterArena<float> parameters, ParameterArena<float> best_parameters,
                 TrainingState state, Csr<float> carried);

private:
    bool selects_last() const { return options_.select == "last"; }
    int n_without_gain() const;
    bool is_stopped_early() const { return n_without_gain() > options_.stopping_step; }
    double decay(int epoch) const;
    void enter_epoch(int epoch);
    void note_ascent(double cosine, double distance);
    bool take_losses();
    void finish_epoch();
    void compare_with_best(FullSort::Result const& metrics);
    void evaluate_best_on_all();

    Dataset const& data_;
    Learner& learner_;
    TrainingOptions options_;
    Sampler sampler_;
    FullSort full_sort_, between_epochs_;
    ParameterArena<float> parameters_, best_parameters_;
    TrainingState state_;
    int model_epoch_ = -1;  // the one that the model was told of last
    std::string message_;
};

}  // namespace polder::recsys
