/// What a model computes with in one call.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

#include "recsys/models/feature_attack.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/model.hpp"
#include "recsys/tape/elementwise.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// A model's parameters and constants on a tape, and its random objects: on["user_embedding"] is the matrix of
/// that name, to differentiate by in training, a constant at inference.
template <class B>
class OnTape {
    using T = typename B::Scalar;
    static constexpr bool is_on_host = std::is_same_v<typename B::System, HostMemory>;

public:
    using Matrix = Value<B>;
    using Arena = typename ModelOn<B>::Arena;
    using RandomObjects = Noise<T, typename B::System>;

    /// Without a gradient parameters are constants. `attack`: what features are read through, on the host.
    OnTape(Tape<B>& tape, RandomObjects& noise, Arena const& parameters, Arena* gradient = nullptr,
           FeatureAttack<T>* attack = nullptr)
        : tape_(&tape), noise_(&noise), parameters_(&parameters), gradient_(gradient),
          attack_(attack) {}

    /// The parameter `name`. To be taken once in a call.
    Matrix operator[](std::string_view name) const {
        if (gradient_ == nullptr) return tape_->constant((*parameters_)[name]);
        auto const parameter = tape_->parameter((*parameters_)[name], (*gradient_)[name]);
        if constexpr (is_on_host)
            if (attack_ != nullptr)
                if (auto const shift = attack_->shift(name, parameter.value()))
                    return parameter + tape_->constant(*shift);
        return parameter;
    }

    /// The parameter `name` as a constant, whose gradient is 0.
    Matrix frozen(std::string_view name) const {
        leave_out(name);
        return tape_->constant((*parameters_)[name]);
    }

    /// The gradient by the parameter `name` becomes 0.
    void leave_out(std::string_view name) const {
        if (gradient_ == nullptr) return;
        tape_->backend().fill((*gradient_)[name], Rows::all(), T(0));
    }

    /// A matrix that is no parameter: features, or a random object.
    template <class M>
    Matrix constant(M const& matrix) const {
        return tape_->constant(matrix);
    }

    Matrix constant(Features<T> const& features) const {
        if constexpr (is_on_host)
            if (attack_ != nullptr && gradient_ != nullptr)
                return attack_->constant(*tape_, features);
        return tape_->constant(features);
    }

    /// x with inverted dropout, the mask of which is the random object `name`.
    Matrix dropout(std::string_view name, Matrix x, double rate) const {
        return hadamard(x, constant(noise_->dropout(name, x.rows(), x.cols(), rate)));
    }

    /// The same parameters as constants.
    OnTape without_gradient() const { return {*tape_, *noise_, *parameters_}; }

    RandomObjects& noise() const { return *noise_; }
    Tape<B>& tape() const { return *tape_; }

private:
    Tape<B>* tape_;
    RandomObjects* noise_;
    Arena const* parameters_;
    Arena* gradient_;
    FeatureAttack<T>* attack_;
};

/// The named parts of a loss, before their weights.
template <class B>
class LossTerms {
    using Term = TermOf<typename B::Loss>;

public:
    /// A scalar on the tape; 0 where a model has no such part.
    struct Part {
        std::string_view name;
        std::optional<Value<B>> value;
    };

    LossTerms& operator=(std::initializer_list<Part> parts) {
        terms_.clear();
        for (Part const& part : parts) add(part.name, part.value);
        return *this;
    }
    void add(std::string_view name, std::optional<Value<B>> value) {
        terms_.push_back({name, value ? value->loss() : typename B::Loss{}});
    }

    /// As numbers. On a device this waits for them.
    std::vector<LossTerm> read() const {
        std::vector<LossTerm> result;
        for (auto const& [name, value] : terms_) result.push_back({name, B::read(value)});
        return result;
    }

private:
    std::vector<Term> terms_;
};

}  // namespace polder::recsys
