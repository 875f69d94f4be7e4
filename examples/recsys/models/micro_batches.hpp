/// The loss of a batch, computed in parts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/micro_batches.hpp>
#include <polder/closure/pass.hpp>
#include <polder/engine/parallel.hpp>

#include "recsys/data/triples.hpp"
#include "recsys/models/forwarding_model.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys {

/// A model that cuts each batch into `count` parts, whose sizes differ by at most one row, and computes the loss of one part
/// after the other, so that the activations of one part alone are in memory. Loss, gradient and terms (those with a weight)
/// equal those of the whole batch to rounding. What is drawn at random depends on the batch and not on the part.
template <class T>
class MicroBatchedModel final : public ForwardingModel<T> {
public:
    /// `is_sum`: as in the model's InParts, which has no obstacle. Throws std::invalid_argument if count < 1.
    MicroBatchedModel(std::unique_ptr<AnyModel<T>> model, int count, bool is_sum)
        : ForwardingModel<T>(std::move(model)), count_(static_cast<std::size_t>(count)),
          is_sum_(is_sum), parts_(micro_batches(count, OfPart{this}, Reduction::sum)) {}

    double loss(ParameterArena<T> const& parameters, Triples const& batch, Pass pass,
                ParameterArena<T>& gradient) override {
        constexpr auto any = std::numeric_limits<std::int32_t>::max();
        check(batch, any, any);
        batch_ = batch;
        terms_.clear();
        return parts_(parameters, gradient, pass);
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return terms_; }

    [[nodiscard]] Representations<T> representations(ParameterArena<T> const& parameters) override {
        return this->model_->representations(parameters);
    }

private:
    struct OfPart {
        MicroBatchedModel* model;
        double operator()(ParameterArena<T> const& at, ParameterArena<T>& gradient,
                          Pass pass) const {
            return model->loss_of_part(at, gradient, pass);
        }
    };

    // What a part adds to the loss. A batch of fewer rows than parts has empty ones.
    double loss_of_part(ParameterArena<T> const& at, ParameterArena<T>& gradient, Pass pass) {
        auto const n = batch_.size(), part = static_cast<std::size_t>(pass.micro_batch);
        auto const first = polder::detail::share_begin(n, part, count_);
        auto const rows = polder::detail::share_begin(n, part + 1, count_) - first;
        if (rows == 0) {
            std::fill(gradient.begin(), gradient.end(), T(0));
            return 0;
        }
        double const loss = this->model_->loss(at, batch_.rows(first, rows), pass, gradient);
        double const share = is_sum_ ? 1 : static_cast<double>(rows) / static_cast<double>(n);
        if (share != 1)
            for (T& value : gradient) value *= static_cast<T>(share);
        auto const terms = this->model_->terms();
        if (terms_.empty())
            for (auto const& term : terms) terms_.push_back({term.name, 0});
        for (std::size_t k = 0; k < terms.size(); ++k) terms_[k].value += share * terms[k].value;
        return share * loss;
    }

    std::size_t count_;
    bool is_sum_;
    MicroBatches<OfPart> parts_;
    Triples batch_;
    std::vector<LossTerm> terms_;
};

}  // namespace polder::recsys
