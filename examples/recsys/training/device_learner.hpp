/// A learner on a device.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <polder/closure/device_report.hpp>
#include <polder/config.hpp>
#include <polder/device/engine.hpp>
#include <polder/device/passes.hpp>
#include <polder/state/state.hpp>

#include "recsys/evaluation/device_full_sort.hpp"
#include "recsys/models/visiting_model.hpp"
#include "recsys/training/learner.hpp"

namespace polder::recsys {

namespace detail {

// The losses of the step under way, and the sums over those that have ended.
struct LossesThere {
    double clean = 0, perturbed = 0;
    double loss = 0, sharpness = 0;
    unsigned long long loss_steps = 0, sharpness_steps = 0;
    bool has_clean = false, has_perturbed = false;  // in this step
};

template <class T>
struct NoteLoss {
    LossesThere* losses;
    T const* loss;
    bool perturbed;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] {
            (perturbed ? losses->perturbed : losses->clean) = static_cast<double>(*loss);
            (perturbed ? losses->has_perturbed : losses->has_clean) = true;
        });
    }
};

struct EndStep {
    LossesThere* losses;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] {
            if (losses->has_clean || losses->has_perturbed) {
                losses->loss += losses->has_clean ? losses->clean : losses->perturbed;
                ++losses->loss_steps;
            }
            if (losses->has_clean && losses->has_perturbed) {
                losses->sharpness += losses->perturbed - losses->clean;
                ++losses->sharpness_steps;
            }
            losses->has_clean = losses->has_perturbed = false;
        });
    }
};

struct NoTasks {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&, std::size_t, std::size_t, std::size_t) const {}
};

}  // namespace detail

/// Parameters, gradients, the state of the optimizer and losses lie on the device. B: a DeviceBackend of float.
template <class B>
class DeviceLearner final : public Learner {
    using System = typename B::System;
    using Placed = ArenaOf<float, System>;

public:
    DeviceLearner(Dataset const& data, std::unique_ptr<ModelOn<B>> model,
                  std::unique_ptr<AnyOptimizerOn<System>> optimizer, double learning_rate,
                  TableRates rates)
        : model_(std::move(model)), optimizer_(std::move(optimizer)), learning_rate_(learning_rate),
          rates_(std::move(rates)), full_sort_(data) {
        forget_losses();
    }

    AnyModel<float>& model() override { return model_; }

    void bind(ParameterArena<float>& parameters, int) override {
        x_.emplace(parameters);
        group_parameters(*optimizer_, model_.frozen(), rates_);
        optimizer_->bind(*x_);
    }
    void scale_learning_rate(double factor) override {
        scale_learning_rates(*optimizer_, learning_rate_, rates_, factor);
    }
    void begin_epoch() override { optimizer_->begin_epoch(); }

    Report step(ParameterArena<float>&, RowsOf const& rows_of) override {
        report_ = optimizer_->step(*x_, [&](Placed const& at, Placed& gradient, Pass pass) {
            auto const loss = model_.there().loss(at, rows_of(pass), pass, gradient);
            note(loss, pass);
            return loss;
        });
        run(detail::EndStep{losses_.data()});
        return {};
    }

    StepSums take_losses() override {
        Report const last = report_.read();  // throws for what was not finite
        detail::LossesThere const sums = losses_.to_host()[0];
        forget_losses();
        return {sums.loss,      static_cast<std::size_t>(sums.loss_steps),
                sums.sharpness, static_cast<std::size_t>(sums.sharpness_steps),
                last.cosine,    last.distance};
    }

    void fetch(ParameterArena<float>& parameters) override { parameters.copy_values(*x_); }
    void give(ParameterArena<float> const& parameters) override { x_->copy_values(parameters); }

    FullSort::Result evaluate(FullSort const&, ParameterArena<float> const&, int) override {
        return full_sort_(model_.there().representations(*x_));
    }

    void add_state(SafetensorsWriter& writer, ParameterArena<float>&) override {
        polder::add_state(writer, *optimizer_, *x_);
    }
    void load_state(SafetensorsFile& file, ParameterArena<float>&) override {
        *optimizer_ = read_state(file, *optimizer_, *x_);
    }

private:
    // Of the first batch, at x and, if the method perturbs, at the last point that is not x.
    void note(DeviceLoss loss, Pass pass) {
        if (pass.batch != Batch::first || pass.sample >= 0 ||
            (pass.perturbed && !optimizer_->has_perturbation()))
            return;
        run(detail::NoteLoss<float>{losses_.data(), static_cast<float const*>(loss.at()),
                                    pass.perturbed});
    }
    template <class Tail>
    void run(Tail const& tail) {
        system_.run(0, detail::NoTasks{}, tail, ticket_.data());
    }
    void forget_losses() { losses_.assign(1, {}); }

    VisitingModel<B> model_;
    std::unique_ptr<AnyOptimizerOn<System>> optimizer_;
    double learning_rate_;
    TableRates rates_;
    std::optional<Placed> x_;
    DeviceFullSort<B> full_sort_;
    System system_;
    DeviceArray<unsigned, System> ticket_{1};
    DeviceArray<detail::LossesThere, System> losses_;
    DeviceReport report_;
};

}  // namespace polder::recsys
