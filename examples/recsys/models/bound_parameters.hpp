/// The parameters of a model on a tape.
#pragma once

#include <string_view>

#include "recsys/models/model.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Takes parameters by name onto a tape: with a gradient in training, as constants at inference.
template <class B>
class BoundParameters {
public:
    using Matrix = Value<B>;
    using Arena = typename ModelOn<B>::Arena;

    BoundParameters(Tape<B>& tape, Arena const& parameters, Arena* gradient = nullptr)
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
        tape_->backend().fill((*gradient_)[name], Rows::all(), typename B::Scalar(0));
    }

    [[nodiscard]] Tape<B>& tape() const { return *tape_; }

private:
    Tape<B>* tape_;
    Arena const* parameters_;
    Arena* gradient_;
};

}  // namespace polder::recsys
