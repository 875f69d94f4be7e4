/// A model around another one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys {

/// Answers with what the model inside says, but for losses and what follows from them. Inner: an AnyModel<T, ...>.
template <class T, class Inner = AnyModel<T>>
class ForwardingModel : public AnyModel<T> {
public:
    explicit ForwardingModel(std::unique_ptr<Inner> model) : model_(std::move(model)) {}

    std::string_view name() const override { return model_->name(); }
    std::vector<HyperParameterValue> hyper_parameters() const override {
        return model_->hyper_parameters();
    }
    void declare(ParameterArena<T>& parameters) const override { model_->declare(parameters); }
    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        model_->initialise(parameters, seed);
    }
    std::vector<std::string> frozen() const override { return model_->frozen(); }
    void set_threads(int threads) override { model_->set_threads(threads); }
    std::vector<NamedGraph<T>> graphs() const override { return model_->graphs(); }
    Csr<T>* carried_graph() override { return model_->carried_graph(); }

protected:
    void prepare_epoch(int epoch) override { prepare_epoch_of(*model_, epoch); }

    // Begins the epoch in a model inside, with the random objects that are fixed in this one.
    template <class Model>
    void prepare_epoch_of(Model& model, int epoch) {
        model.noise().fix_as(this->noise_);
        model.begin_epoch(this->noise_.seed(), epoch);
    }

    std::unique_ptr<Inner> model_;
};

}  // namespace polder::recsys
