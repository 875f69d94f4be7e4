/// A model as its paper has it, for the rest of the suite.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Makes an AnyModel of M<B>: a class that says what a model is, over the back end B of the tape. What all
/// models have in common stands here. M<B> has
///
///     HyperParameters                       a struct with a table (models/hyper_parameters.hpp)
///     model_name, source                    "lightgcn", and the paper
///     M(Dataset const&, HyperParameters const&, int threads)
///     void parameters(ParameterList<T>&) const
///         names, shapes and initial values of all parameters
///     Matrix loss(OnTape<B> const&, Triples const&, LossTerms<B>&)
///         the loss of a batch, (1 x 1), and its named parts
///     Sides<B> represent(OnTape<B> const&)
///         U (n_users, d) and I (n_items, d) at inference: score(u, i) = U_u . I_i
///
/// and, where there is something to say,
///
///     weight_decay, published               of ModelEntry (models/registry.hpp)
///     static InParts in_parts(HyperParameters const&)
///         how losses of parts of a batch make that of the batch; without it there are no micro-batches
///     void prepare_epoch(Noise const&, int epoch), also called for epoch 0 when the model is made
///     frozen(), graphs(), carried_graph()   as AnyModel has them
template <template <class> class M, class B>
class TapeModel final : public ModelOn<B> {
    using Model = M<B>;
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = typename Model::HyperParameters;

    /// Keeps no reference to `data`. Throws std::invalid_argument for values out of range, and what the model
    /// throws for data that it cannot do with.
    TapeModel(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, Model::model_name)), n_users_(data.n_users), n_items_(data.n_items),
          model_(data, values_, threads), tape_(B(threads)) {
        prepare_epoch(0);
    }

    std::string_view name() const override { return Model::model_name; }

    std::vector<HyperParameterValue> hyper_parameters() const override { return list(values_); }

    void declare(ParameterArena<T>& parameters) const override {
        ParameterList<T> layout(parameters, n_users_, n_items_);
        model_.parameters(layout);
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        ParameterList<T> initial_values(parameters, n_users_, n_items_, seed);
        model_.parameters(initial_values);
    }

    std::vector<std::string> frozen() const override {
        if constexpr (requires(Model const& model) { model.frozen(); })
            return model_.frozen();
        else
            return {};
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        this->noise_.begin_batch(batch.number, pass.redraws);
        tape_.reset();
        OnTape<B> const on(tape_, this->noise_, parameters, &gradient, attack_);
        auto const total = model_.loss(on, batch, terms_);
        tape_.backward(total);
        return total.loss();
    }

    void set_threads(int threads) override { tape_.backend().set_threads(threads); }

    std::vector<LossTerm> terms() const override { return terms_.read(); }

    void watch_features(FeatureAttack<T>* attack) override { attack_ = attack; }

    Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        auto const [users, items] = model_.represent({tape_, this->noise_, parameters});
        return {users.value(), items.value()};
    }

    std::vector<NamedGraph<T>> graphs() const override {
        if constexpr (requires(Model const& model) { model.graphs(); })
            return model_.graphs();
        else
            return {};
    }

    Csr<T>* carried_graph() override {
        if constexpr (requires(Model & model) { model.carried_graph(); })
            return model_.carried_graph();
        else
            return nullptr;
    }

private:
    void prepare_epoch([[maybe_unused]] int epoch) override {
        if constexpr (requires(Model & model) { model.prepare_epoch(this->noise_, epoch); })
            model_.prepare_epoch(this->noise_, epoch);
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Model model_;
    Tape<B> tape_;
    LossTerms<B> terms_;
    FeatureAttack<T>* attack_ = nullptr;
};

}  // namespace polder::recsys
