/// A ball whose move has no mean along the rows of a matrix.
#pragma once

#include <string>

#include <polder/policy_name.hpp>

namespace polder {

/// eps = eps_Ball minus its mean over each row, in blocks that are matrices (weights of layers: a row is an
/// output); as eps_Ball in vectors. The norm is taken before. Tensors of more dimensions are matrices of their
/// first extent.
/// Gradient centralisation of the ascent, Yong et al. 2020; kozistr/pytorch_optimizer, SAM(use_gc=True).
template <class Ball>
struct Centralised {
    Ball ball{};

    static constexpr bool centralises = true;
    static std::string name() { return "Centralised<" + policy_name<Ball>() + ">"; }
    void validate() const { ball.validate(); }
};

}  // namespace polder
