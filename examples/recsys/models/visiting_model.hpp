/// A model on a device behind the interface of one on the host.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/models/device_noise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/tape/device_backend.hpp"

namespace polder::recsys {

/// Copies parameters to the device and results from there, in every call. B: a DeviceBackend.
template <class B>
class VisitingModel final : public AnyModel<typename B::Scalar> {
    using T = typename B::Scalar;
    using Model = ModelOn<B>;

public:
    explicit VisitingModel(std::unique_ptr<Model> model) : model_(std::move(model)) {}

    /// The model on the device.
    [[nodiscard]] Model& there() { return *model_; }

    [[nodiscard]] std::string_view name() const override { return model_->name(); }
    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return model_->hyper_parameters();
    }
    void declare(ParameterArena<T>& parameters) const override { model_->declare(parameters); }
    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        model_->initialise(parameters, seed);
    }
    [[nodiscard]] std::vector<std::string> frozen() const override { return model_->frozen(); }

    double loss(ParameterArena<T> const& parameters, Triples const& batch, Pass pass,
                ParameterArena<T>& gradient) override {
        const typename Model::Arena there(parameters);
        typename Model::Arena gradient_there(gradient);
        const double loss = B::read(model_->loss(there, batch, pass, gradient_there));
        terms_ = model_->terms();
        gradient.copy_values(gradient_there);
        return loss;
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return terms_; }

    [[nodiscard]] Representations<T> representations(ParameterArena<T> const& parameters) override {
        const typename Model::Arena there(parameters);
        const auto result = model_->representations(there);
        const auto copy = [](MatrixView<T const> x, std::vector<T>& to) {
            to.resize(x.size());
            B::System::read(to.data(), x.data, x.size() * sizeof(T));
            return MatrixView<T const>{to.data(), x.rows, x.cols};
        };
        return {copy(result.users, users_), copy(result.items, items_)};
    }

    [[nodiscard]] std::vector<NamedGraph<T>> graphs() const override { return model_->graphs(); }
    [[nodiscard]] Csr<T>* carried_graph() override { return model_->carried_graph(); }

private:
    void prepare_epoch(int epoch) override {
        model_->noise().fix_as(this->noise_);
        model_->begin_epoch(this->noise_.seed(), epoch);
    }

    std::unique_ptr<Model> model_;
    std::vector<LossTerm> terms_;
    std::vector<T> users_, items_;
};

}  // namespace polder::recsys
