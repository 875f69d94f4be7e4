/// A model on a device behind the interface of one on the host.
#pragma once

#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/models/device_noise.hpp"
#include "recsys/models/forwarding_model.hpp"
#include "recsys/models/model.hpp"
#include "recsys/tape/device_backend.hpp"

namespace polder::recsys {

/// Copies parameters to the device and results from there, in every call. B: a DeviceBackend.
template <class B>
class VisitingModel final : public ForwardingModel<typename B::Scalar, ModelOn<B>> {
    using T = typename B::Scalar;
    using Model = ModelOn<B>;
    using ForwardingModel<T, Model>::model_;

public:
    using ForwardingModel<T, Model>::ForwardingModel;

    /// The model on the device.
    Model& there() { return *model_; }

    double loss(ParameterArena<T> const& parameters, Triples const& batch, Pass pass,
                ParameterArena<T>& gradient) override {
        const typename Model::Arena there(parameters);
        typename Model::Arena gradient_there(gradient);
        const double loss = B::read(model_->loss(there, batch, pass, gradient_there));
        terms_ = model_->terms();
        gradient.copy_values(gradient_there);
        return loss;
    }

    std::vector<LossTerm> terms() const override { return terms_; }

    Representations<T> representations(ParameterArena<T> const& parameters) override {
        const typename Model::Arena there(parameters);
        auto const result = model_->representations(there);
        auto const copy = [](MatrixView<T const> x, std::vector<T>& to) {
            to.resize(x.size());
            B::System::read(to.data(), x.data, x.size() * sizeof(T));
            return MatrixView<T const>{to.data(), x.rows, x.cols};
        };
        return {copy(result.users, users_), copy(result.items, items_)};
    }

private:
    std::vector<LossTerm> terms_;
    std::vector<T> users_, items_;
};

}  // namespace polder::recsys
