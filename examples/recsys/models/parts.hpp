/// What a part of a batch adds to the loss of the batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>
#include <polder/engine/parallel.hpp>

#include "recsys/data/triples.hpp"
#include "recsys/models/forwarding_model.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys {

/// Part `number` of the `count` parts that batches are cut into. Their sizes differ by at most one row; a batch of fewer rows
/// than parts has empty ones, which are the last.
struct BatchPart {
    std::size_t number = 0, count = 1;
    bool is_sum = false;  ///< as in the model's InParts, which has no obstacle
};

/// What `part` adds to the loss of `batch`; overwrites `gradient` with the gradient of that, and adds to `terms` what it adds to
/// them. The sum over all parts equals what the whole batch gives, to rounding. What is drawn at random depends on the batch and
/// not on the part.
template <class T>
double loss_of_part(AnyModel<T>& model, BatchPart part, ParameterArena<T> const& parameters,
                    Triples const& batch, Pass pass, ParameterArena<T>& gradient,
                    std::vector<LossTerm>& terms) {
    constexpr auto any_id = std::numeric_limits<std::int32_t>::max();
    check(batch, any_id, any_id);
    auto const n = batch.size();
    auto const first = polder::detail::share_begin(n, part.number, part.count);
    auto const rows = polder::detail::share_begin(n, part.number + 1, part.count) - first;
    if (rows == 0) {
        std::fill(gradient.begin(), gradient.end(), T(0));
        return 0;
    }
    auto own_rows = batch.rows(first, rows);
    own_rows.whole = &batch.all();
    double const loss = model.loss(parameters, own_rows, pass, gradient);
    double const share = part.is_sum ? 1 : static_cast<double>(rows) / static_cast<double>(n);
    if (share != 1)
        for (T& value : gradient) value *= static_cast<T>(share);
    auto const own = model.terms();
    if (terms.empty())
        for (auto const& term : own) terms.push_back({term.name, 0});
    for (std::size_t k = 0; k < own.size(); ++k) terms[k].value += share * own[k].value;
    return share * loss;
}

/// A model that computes one part of each batch, for a process that trains together with others (recsys/ranks.hpp): their
/// losses, gradients and terms add up to those of the batch. A single sample is computed whole.
template <class T>
class PartModel final : public ForwardingModel<T> {
public:
    PartModel(std::unique_ptr<AnyModel<T>> model, BatchPart part)
        : ForwardingModel<T>(std::move(model)), part_(part) {}

    double loss(ParameterArena<T> const& parameters, Triples const& batch, Pass pass,
                ParameterArena<T>& gradient) override {
        terms_.clear();
        auto const part = pass.sample < 0 ? part_ : BatchPart{};
        return loss_of_part(*this->model_, part, parameters, batch, pass, gradient, terms_);
    }

    std::vector<LossTerm> terms() const override { return terms_; }

    Representations<T> representations(ParameterArena<T> const& parameters) override {
        return this->model_->representations(parameters);
    }

private:
    BatchPart part_;
    std::vector<LossTerm> terms_;
};

}  // namespace polder::recsys
