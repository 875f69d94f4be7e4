/// The loss of a batch, computed in parts.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/micro_batches.hpp>
#include <polder/closure/pass.hpp>

#include "recsys/data/triples.hpp"
#include "recsys/models/forwarding_model.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/parts.hpp"

namespace polder::recsys {

/// A model that cuts each batch into `count` parts (models/parts.hpp) and computes the loss of one part after the other, so that
/// the activations of one part alone are in memory. Loss, gradient and terms (those with a weight) equal those of the whole
/// batch to rounding.
template <class T>
class MicroBatchedModel final : public ForwardingModel<T> {
public:
    /// `is_sum`: as in the model's InParts, which has no obstacle. Throws std::invalid_argument if count < 1.
    MicroBatchedModel(std::unique_ptr<AnyModel<T>> model, int count, bool is_sum)
        : ForwardingModel<T>(std::move(model)), count_(static_cast<std::size_t>(count)),
          is_sum_(is_sum), parts_(micro_batches(count, OfPart{this}, Reduction::sum)) {}

    double loss(ParameterArena<T> const& parameters, Triples const& batch, Pass pass,
                ParameterArena<T>& gradient) override {
        batch_ = batch;
        terms_.clear();
        return parts_(parameters, gradient, pass);
    }

    std::vector<LossTerm> terms() const override { return terms_; }

    Representations<T> representations(ParameterArena<T> const& parameters) override {
        return this->model_->representations(parameters);
    }

private:
    struct OfPart {
        MicroBatchedModel* model;
        double operator()(ParameterArena<T> const& at, ParameterArena<T>& gradient,
                          Pass pass) const {
            auto const number = static_cast<std::size_t>(pass.micro_batch);
            return loss_of_part(*model->model_, {number, model->count_, model->is_sum_}, at,
                                model->batch_, pass, gradient, model->terms_);
        }
    };

    std::size_t count_;
    bool is_sum_;
    MicroBatches<OfPart> parts_;
    Triples batch_;
    std::vector<LossTerm> terms_;
};

}  // namespace polder::recsys
