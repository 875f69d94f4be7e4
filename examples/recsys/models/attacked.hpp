/// NAME+a: any model with features, trained to rank well also where its features are moved against it.
///
/// AMR (Tang et al., TKDE 2020) does so with VBPR; BSAM (Xu et al., TKDE 2025, Table VII) calls it "A" with other models.
///
///     loss = L(F) + lambda_adv L(F + Delta),     Delta_i = eps G_i / max(|G_i|, 1e-6),   G = dL/dF
///
/// F: all features of items that the loss reads, raw, of each modality by itself; or the tables that start from them. L is
/// the whole loss of the model, with its regulariser, which so counts 1 + lambda_adv times; G is taken of the sum over the
/// batch where L is the mean. Graphs that were built of features stay. Scores are those of the features as they are.
/// delta = anew: each evaluation of a step has its own Delta; fixed: those of one batch share that of the first. An
/// evaluation takes two gradients of the model. vbpr+a without a regulariser is amr in its mode mmrec.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/closure/pass.hpp>

#include "recsys/models/feature_attack.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys {

/// What NAME+a has besides the hyper-parameters of NAME.
struct AttackHyperParameters {
    double eps = 0.1;
    double lambda_adv = 1;
    std::string delta = "anew";

    using Self = AttackHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"eps", &Self::eps, 0, unlimited, "by how much the features of an item are moved"},
        Row{"lambda_adv", &Self::lambda_adv, 0, unlimited,
            "weight of the loss with moved features"},
        Row::of("delta", &Self::delta,
                "whether the evaluations of a step move features anew, or as the first of them",
                "anew|fixed"),
    };
};

/// A model on the host, under attack.
template <class T>
class Attacked final : public AnyModel<T> {
    using Arena = ParameterArena<T>;
    using Role = typename FeatureAttack<T>::Role;

public:
    Attacked(std::string name, std::unique_ptr<AnyModel<T>> model, AttackHyperParameters values)
        : name_(std::move(name)), model_(std::move(model)), values_(std::move(values)) {
        model_->watch_features(&attack_);
    }

    std::string_view name() const override { return name_; }
    std::vector<HyperParameterValue> hyper_parameters() const override {
        auto result = model_->hyper_parameters();
        for (auto& each : list(values_)) result.push_back(std::move(each));
        return result;
    }
    void declare(Arena& parameters) const override { model_->declare(parameters); }
    void initialise(Arena& parameters, std::uint64_t seed) const override {
        model_->initialise(parameters, seed);
    }
    std::vector<std::string> frozen() const override { return model_->frozen(); }

    double loss(Arena const& parameters, Triples const& batch, Pass pass,
                Arena& gradient) override {
        bool const keeps = values_.delta == "fixed" && pass.perturbed && has_delta_ &&
                           number_ == batch.number && batch_ == pass.batch;
        attack_.begin(keeps ? Role::plain : Role::measured);
        double const clean = model_->loss(parameters, batch, pass, gradient);
        terms_ = model_->terms();
        if (!keeps) attack_.measure(gradient, values_.eps, batch.users.size());
        has_delta_ = keeps || pass.sample < 0;
        number_ = batch.number;
        batch_ = pass.batch;

        if (of_moved_.size() != gradient.size()) of_moved_ = gradient;
        attack_.begin(Role::moved);
        double const moved = model_->loss(parameters, batch, pass, of_moved_);
        attack_.begin(Role::plain);
        terms_.push_back({"adv_loss", moved});
        auto const weight = static_cast<T>(values_.lambda_adv);
        auto from = of_moved_.begin();
        for (T& each : gradient) each += weight * *from++;
        return clean + values_.lambda_adv * moved;
    }

    std::vector<LossTerm> terms() const override { return terms_; }
    Representations<T> representations(Arena const& parameters) override {
        return model_->representations(parameters);
    }
    std::vector<NamedGraph<T>> graphs() const override { return model_->graphs(); }
    Csr<T>* carried_graph() override { return model_->carried_graph(); }

private:
    void prepare_epoch(int epoch) override {
        has_delta_ = false;
        model_->noise().fix_as(this->noise_);
        model_->begin_epoch(this->noise_.seed(), epoch);
    }

    std::string name_;
    std::unique_ptr<AnyModel<T>> model_;
    AttackHyperParameters values_;
    FeatureAttack<T> attack_;
    Arena of_moved_;
    std::vector<LossTerm> terms_;
    bool has_delta_ = false;  // of the batch that follows
    std::uint64_t number_ = 0;
    Batch batch_ = Batch::first;
};

}  // namespace polder::recsys
