/// What a trainer trains, wherever it is.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/state/safetensors.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/ranks.hpp"
#include "recsys/training/optimizer.hpp"

namespace polder::recsys {

/// What the reports of steps did not say.
struct StepSums {
    double loss = 0;  ///< summed up over the steps, see EpochRecord
    std::size_t loss_steps = 0;
    double sharpness = 0;  ///< L_B1(x + eps) - L_B1(x), summed up over the steps with an eps
    std::size_t sharpness_steps = 0;
    /// Of the last step alone: the cosine between v and g, and d; or not-a-number.
    double cosine = std::numeric_limits<double>::quiet_NaN();
    double distance = std::numeric_limits<double>::quiet_NaN();
};

/// A model and the optimizer that trains it, for a trainer on the host that need not know where they are.
///
/// The trainer has an arena of parameters, and hands it to every call. On the host a learner works on it. One on a
/// device has parameters of its own there: it takes those of the arena in `bind` and `give`, and the arena has its
/// from `fetch` on.
class Learner {
public:
    /// The rows that a pass is about: the batch, or one row of it.
    using RowsOf = std::function<Triples(Pass)>;

    Learner() = default;
    Learner(Learner const&) = delete;
    Learner& operator=(Learner const&) = delete;
    virtual ~Learner() = default;

    /// The model, as the host sees it.
    virtual AnyModel<float>& model() = 0;

    /// Before the first step, with initial values. Takes out what the model has frozen.
    virtual void bind(ParameterArena<float>& parameters, int threads) = 0;

    /// From now on learning rates are those of the optimizer's options, times `factor`.
    virtual void scale_learning_rate(double factor) = 0;

    /// Tells that the next step is the first of an epoch.
    virtual void begin_epoch() = 0;

    /// One step. Throws polder::NonFiniteError. On a device it does not wait: losses are not-a-number in the report,
    /// and take_losses() has them, and throws.
    virtual Report step(ParameterArena<float>& parameters, RowsOf const& rows_of) = 0;

    /// The losses of the steps since the last call that their reports did not have.
    virtual StepSums take_losses() { return {}; }

    virtual void fetch(ParameterArena<float>&) {}
    virtual void give(ParameterArena<float> const&) {}

    /// Metrics of the parameters as they are after the last step or `give`.
    virtual FullSort::Result evaluate(FullSort const& full_sort,
                                      ParameterArena<float> const& parameters, int threads) = 0;

    /// Writes the optimizer's state to a file under way and reads it from one.
    virtual void add_state(SafetensorsWriter& writer, ParameterArena<float>& parameters) = 0;
    virtual void load_state(SafetensorsFile& file, ParameterArena<float>& parameters) = 0;
};

/// The learning rate that these options mean.
double learning_rate_of(OptimizerOptions const& options);

/// On the host.
class HostLearner final : public Learner {
public:
    /// `ranks`: each has a learner of its own, whose model is a PartModel of its part. They make steps and evaluations
    /// together. Throws as make_optimizer.
    HostLearner(std::unique_ptr<AnyModel<float>> model, OptimizerOptions const& optimizer,
                Ranks ranks = {});

    AnyModel<float>& model() override { return *model_; }
    void bind(ParameterArena<float>& parameters, int threads) override;
    void scale_learning_rate(double factor) override;
    void begin_epoch() override { optimizer_->begin_epoch(); }
    Report step(ParameterArena<float>& parameters, RowsOf const& rows_of) override;
    FullSort::Result evaluate(FullSort const& full_sort, ParameterArena<float> const& parameters,
                              int threads) override;
    void add_state(SafetensorsWriter& writer, ParameterArena<float>& parameters) override;
    void load_state(SafetensorsFile& file, ParameterArena<float>& parameters) override;

private:
    std::unique_ptr<AnyModel<float>> model_;
    std::unique_ptr<AnyOptimizer> optimizer_;
    double learning_rate_;
    TableRates rates_;
    Ranks ranks_;
};

/// On the GPU that is current: library polder_recsys_cuda. Throws polder::CudaError where there is none, and what
/// make_model and make_optimizer throw.
std::unique_ptr<Learner> make_learner_on_cuda(Dataset const& data, std::string_view model,
                                              Settings const& settings,
                                              OptimizerOptions const& optimizer);

/// The same on Thrust's C++ system, which is the calling thread, to test it: library polder_recsys_thrust.
std::unique_ptr<Learner> make_learner_on_thrust(Dataset const& data, std::string_view model,
                                                Settings const& settings,
                                                OptimizerOptions const& optimizer);

}  // namespace polder::recsys
