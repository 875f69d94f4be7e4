/// Both batches of a step at once.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>

#include "recsys/data/triples.hpp"
#include "recsys/models/forwarding_model.hpp"
#include "recsys/models/model.hpp"
#include "recsys/tape/csr.hpp"

namespace polder::recsys {

/// A model of two that are alike. One computes the losses of the second batch of a step, the other all else, so that both may
/// be under way at the same time (polder::concurrent). What a model keeps from batch to batch is the first batch's, as where
/// one model computes one loss after the other. So losses and gradients have the same bits as one model's. Of the threads each
/// takes half while both are under way, and else all.
template <class T>
class TwoModels final : public ForwardingModel<T> {
public:
    /// Both of the same name and hyper-parameters, for the same data. threads: of both together.
    TwoModels(std::unique_ptr<AnyModel<T>> first, std::unique_ptr<AnyModel<T>> second, int threads)
        : ForwardingModel<T>(std::move(first)), second_(std::move(second)), threads_(threads) {}

    bool is_concurrent() const override { return true; }

    void begin_step() override {
        auto const* const graph = this->model_->carried_graph();
        if (graph == nullptr || graph->offsets.size() < 2 || has_graph_) return;
        *second_->carried_graph() = *graph;
        has_graph_ = true;
    }

    double loss(ParameterArena<T> const& parameters, Triples const& batch, Pass pass,
                ParameterArena<T>& gradient) override {
        auto& model = pass.batch == Batch::second ? *second_ : *this->model_;
        model.set_threads(pass.at_once ? std::max(1, threads_ / 2) : threads_);
        return model.loss(parameters, batch, pass, gradient);
    }

    /// Of the first batch.
    std::vector<LossTerm> terms() const override { return this->model_->terms(); }

    Representations<T> representations(ParameterArena<T> const& parameters) override {
        this->model_->set_threads(threads_);
        return this->model_->representations(parameters);
    }

private:
    void prepare_epoch(int epoch) override {
        for (auto* const model : {this->model_.get(), second_.get()})
            this->prepare_epoch_of(*model, epoch);
        has_graph_ = false;
    }

    std::unique_ptr<AnyModel<T>> second_;
    int threads_;
    bool has_graph_ = false;  // the second has the graph that the first carries in this epoch
};

}  // namespace polder::recsys
