/// DeviceTraining on a System.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/closure/device_report.hpp>
#include <polder/config.hpp>
#include <polder/device/passes.hpp>

#include "recsys/evaluation/device_full_sort.hpp"
#include "recsys/models/visiting_model.hpp"
#include "recsys/training/device_training.hpp"

namespace polder::recsys {

namespace detail {

// The losses of the step under way, and the sums over those that have ended.
struct LossesThere {
    double clean = 0, perturbed = 0;
    double loss = 0, sharpness = 0;
    unsigned long long sharpness_steps = 0;
    bool has_perturbed = false;
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
            if (perturbed) losses->has_perturbed = true;
        });
    }
};

struct EndStep {
    LossesThere* losses;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        team.once([&] {
            losses->loss += losses->clean;
            if (!losses->has_perturbed) return;
            losses->sharpness += losses->perturbed - losses->clean;
            ++losses->sharpness_steps;
            losses->has_perturbed = false;
        });
    }
};

struct NoTasks {
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team&, std::size_t, std::size_t, std::size_t) const {}
};

}  // namespace detail

/// B: a DeviceBackend of float.
template <class B>
class PlacedTraining final : public DeviceTraining {
    using System = typename B::System;
    using Placed = ArenaOf<float, System>;

public:
    PlacedTraining(Dataset const& data, std::unique_ptr<ModelOn<B>> model,
                   std::unique_ptr<AnyOptimizerOn<System>> optimizer)
        : model_(std::move(model)), optimizer_(*this, std::move(optimizer)), full_sort_(data) {}

    AnyModel<float>& model() override { return model_; }
    AnyOptimizer& optimizer() override { return optimizer_; }
    Evaluation evaluation() override {
        return [this](ParameterArena<float> const&) {
            return full_sort_(model_.there().representations(*parameters_));
        };
    }

private:
    // Within a step of the optimizer it is told of the parameters there; elsewhere it visits the device.
    class Model final : public AnyModel<float> {
    public:
        explicit Model(std::unique_ptr<ModelOn<B>> model) : visiting_(std::move(model)) {}

        [[nodiscard]] ModelOn<B>& there() { return visiting_.there(); }

        [[nodiscard]] std::string_view name() const override { return visiting_.name(); }
        [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
            return visiting_.hyper_parameters();
        }
        void declare(ParameterArena<float>& parameters) const override {
            visiting_.declare(parameters);
        }
        void initialise(ParameterArena<float>& parameters, std::uint64_t seed) const override {
            visiting_.initialise(parameters, seed);
        }
        [[nodiscard]] std::vector<std::string> frozen() const override {
            return visiting_.frozen();
        }
        double loss(ParameterArena<float> const& parameters, Triples const& batch, Pass pass,
                    ParameterArena<float>& gradient) override {
            if (at == nullptr) return visiting_.loss(parameters, batch, pass, gradient);
            last = there().loss(*at, batch, pass, *gradient_there);
            return std::numeric_limits<double>::quiet_NaN();
        }
        [[nodiscard]] std::vector<LossTerm> terms() const override { return visiting_.terms(); }
        [[nodiscard]] Representations<float>
        representations(ParameterArena<float> const& parameters) override {
            return visiting_.representations(parameters);
        }
        [[nodiscard]] std::vector<NamedGraph<float>> graphs() const override {
            return visiting_.graphs();
        }
        [[nodiscard]] Csr<float>* carried_graph() override { return visiting_.carried_graph(); }

        Placed const* at = nullptr;
        Placed* gradient_there = nullptr;
        DeviceLoss last;

    private:
        void prepare_epoch(int epoch) override {
            visiting_.noise().fix_as(this->noise_);
            visiting_.begin_epoch(this->noise_.seed(), epoch);
        }

        VisitingModel<B> visiting_;
    };

    class Optimizer final : public AnyOptimizer {
    public:
        Optimizer(PlacedTraining& training, std::unique_ptr<AnyOptimizerOn<System>> optimizer)
            : training_(training), optimizer_(std::move(optimizer)) {
            forget_losses();
        }

        Report step(ParameterArena<float>& parameters, Closure const& closure) override {
            bind(parameters);
            Model& model = training_.model_;
            report_ = optimizer_->step(x(), [&](Placed const& at, Placed& gradient, Pass pass) {
                model.at = &at;
                model.gradient_there = &gradient;
                closure(parameters, parameters, pass);
                model.at = nullptr;
                note(model.last, pass);
                return model.last;
            });
            run(detail::EndStep{losses_.data()});
            return {};
        }
        void begin_epoch() override { optimizer_->begin_epoch(); }
        void bind(ParameterArena<float>& parameters) override {
            if (training_.parameters_) return;
            training_.parameters_.emplace(parameters);
            optimizer_->bind(x());
        }
        void add_state(SafetensorsWriter& writer, ParameterArena<float>&) override {
            optimizer_->add_state(writer, x());
        }
        void load_state(SafetensorsFile& file, ParameterArena<float>& parameters) override {
            bind(parameters);
            optimizer_->load_state(file, x());
        }
        void freeze(std::vector<std::string> const& names) override { optimizer_->freeze(names); }
        void set_learning_rate(double rate) override { optimizer_->set_learning_rate(rate); }
        void set_threads(int) override {}
        [[nodiscard]] bool perturbs() const override { return optimizer_->perturbs(); }

        void fetch(ParameterArena<float>& parameters) override { parameters.copy_values(x()); }
        void give(ParameterArena<float> const& parameters) override { x().copy_values(parameters); }
        LossSums take_losses() override {
            static_cast<void>(report_.read());  // throws for what was not finite
            const detail::LossesThere sums = losses_.to_host()[0];
            forget_losses();
            return {sums.loss, sums.sharpness, static_cast<std::size_t>(sums.sharpness_steps)};
        }

    private:
        Placed& x() { return *training_.parameters_; }

        // Of the first batch, at x and, if the method perturbs, at the last point that is not x.
        void note(DeviceLoss loss, Pass pass) {
            if (pass.batch != polder::Batch::first || pass.sample >= 0 ||
                (pass.perturbed && !optimizer_->perturbs()))
                return;
            run(detail::NoteLoss<float>{losses_.data(), static_cast<float const*>(loss.at()),
                                        pass.perturbed});
        }
        template <class Tail>
        void run(Tail const& tail) {
            system_.run(0, detail::NoTasks{}, tail, ticket_.data());
        }
        void forget_losses() { losses_.assign(1, {}); }

        PlacedTraining& training_;
        std::unique_ptr<AnyOptimizerOn<System>> optimizer_;
        System system_;
        DeviceArray<unsigned, System> ticket_{1};
        DeviceArray<detail::LossesThere, System> losses_;
        DeviceReport report_;
    };

    std::optional<Placed> parameters_;
    Model model_;
    Optimizer optimizer_;
    DeviceFullSort<B> full_sort_;
};

}  // namespace polder::recsys
