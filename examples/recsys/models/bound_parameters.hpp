/// The parameters of a model on a tape.
#pragma once

#include <algorithm>
#include <string_view>

#include <polder/blocks/arena.hpp>

#include "recsys/tape/eigen_backend.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Takes parameters by name onto a tape: with a gradient in training, as constants at inference.
template <class T>
class BoundParameters {
public:
    using Matrix = Value<EigenBackend<T>>;

    BoundParameters(Tape<EigenBackend<T>>& tape, ParameterArena<T> const& parameters,
                    ParameterArena<T>* gradient = nullptr)
        : tape_(&tape), parameters_(&parameters), gradient_(gradient) {}

    /// The parameter `name`, to differentiate by. Call it once per parameter and loss.
    [[nodiscard]] Matrix operator[](std::string_view name) const {
        if (gradient_ == nullptr) return tape_->constant((*parameters_)[name]);
        return tape_->parameter((*parameters_)[name], (*gradient_)[name]);
    }

    /// The parameter `name` as a constant, whose gradient is 0.
    [[nodiscard]] Matrix constant(std::string_view name) const {
        leave_out(name);
        return tape_->constant((*parameters_)[name]);
    }

    /// The gradient by the parameter `name` becomes 0.
    void leave_out(std::string_view name) const {
        if (gradient_ == nullptr) return;
        const auto zeros = (*gradient_)[name];
        std::fill_n(zeros.data, zeros.size(), T(0));
    }

    [[nodiscard]] Tape<EigenBackend<T>>& tape() const { return *tape_; }

private:
    Tape<EigenBackend<T>>* tape_;
    ParameterArena<T> const* parameters_;
    ParameterArena<T>* gradient_;
};

}  // namespace polder::recsys
