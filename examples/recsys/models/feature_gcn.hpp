/// The branch that DualGNN, DRAGON and MENTOR have for each modality.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/operations.hpp"

namespace polder::recsys {

/// Users by what they prefer in one modality, items by their features, and both by their neighbours.
///
///     P (n_users, d)         preferences, trained
///     F (n_items, inputs)    features of the items
///     Z = W2 leaky_relu(W1 F + b1) + b2      W1 (4 d, inputs), W2 (d, 4 d), leaky_relu with slope 0.01
///     x^(0) = the rows of [P; Z], each divided by its norm
///     x^(l+1) = A x^(l)      A: Convolution, symmetric or mean
///     X = x^(0) + x^(1) + x^(2)
///
/// With noise eta^(l) >= 0, (n_users + n_items, d), users first, every layer is perturbed before it goes on
/// (Yu et al., SimGCL, SIGIR 2022):
///
///     x^(l) = A x^(l-1) + 0.1 sign(A x^(l-1)) eta^(l) / |eta^(l)|     by rows; sign is a constant for the
///                                                                     gradient, sign(0) = 0
/// Parameters NAME.preference, NAME.MLP.weight, NAME.MLP.bias, NAME.MLP_1.weight, NAME.MLP_1.bias.
///
/// With an item embedding E (n_items, d), NAME.item_embedding, Z = W2 leaky_relu(W1 F + b1) + b2 + E. It is no part of
/// the papers: it gives a model without trained rows of items such rows, which start at 0.
template <class B>
class FeatureGcn {
    using T = typename B::Scalar;

public:
    using Matrix = Value<B>;

    /// The parameters are called `name`.something. n_embedded_items: n_items for an item embedding, 0 for none.
    FeatureGcn(std::string const& name, std::size_t n_users, std::size_t inputs, int d,
               std::size_t n_embedded_items = 0)
        : preference_(name + ".preference"), weight_1_(name + ".MLP.weight"),
          bias_1_(name + ".MLP.bias"), weight_2_(name + ".MLP_1.weight"),
          bias_2_(name + ".MLP_1.bias"), item_embedding_(name + ".item_embedding"),
          n_users_(n_users), n_embedded_items_(n_embedded_items), inputs_(inputs),
          d_(static_cast<std::size_t>(d)) {}

    /// Preferences Xavier normal, layers as PyTorch draws them.
    void parameters(ParameterList<T>& list) const {
        list.add(preference_, n_users_, d_, xavier_normal);
        list.add(weight_1_, 4 * d_, inputs_, LinearUniform(inputs_));
        list.add(bias_1_, 1, 4 * d_, LinearUniform(inputs_));
        list.add(weight_2_, d_, 4 * d_, LinearUniform(4 * d_));
        list.add(bias_2_, 1, d_, LinearUniform(4 * d_));
        if (n_embedded_items_ > 0) list.add(item_embedding_, n_embedded_items_, d_, zeros);
    }

    /// P. To be taken, and read by rows, before `layer_0`: so `backward` adds these rows to a gradient that
    /// is full.
    Matrix preference(OnTape<B> const& on) const { return on[preference_]; }

    /// x^(0) for `preference` = P.
    Sides<B> layer_0(OnTape<B> const& on, Matrix preference, Matrix features) const {
        const Matrix hidden = leaky_relu(linear(features, on[weight_1_], on[bias_1_]));
        Matrix items = linear(hidden, on[weight_2_], on[bias_2_]);
        if (n_embedded_items_ > 0) items = items + on[item_embedding_];
        return {normalise_rows(preference), normalise_rows(items)};
    }

    /// The branch takes no part in the loss: its gradient is 0.
    void leave_out(OnTape<B> const& on) const {
        for (auto const* name : {&preference_, &weight_1_, &bias_1_, &weight_2_, &bias_2_})
            on.leave_out(*name);
        if (n_embedded_items_ > 0) on.leave_out(item_embedding_);
    }

    /// X from x^(0), in the rows asked for only.
    static Sides<B> smooth(Sides<B> layer_0, Convolution<T> const& convolution,
                           Rows user_rows = Rows::all(), Rows item_rows = Rows::all()) {
        auto const [u0, i0] = layer_0;
        const Matrix u1 = convolution.to_users(i0), i1 = convolution.to_items(u0);
        return {sum({u0, u1, convolution.to_users(i1, user_rows)}, user_rows),
                sum({i0, i1, convolution.to_items(u1, item_rows)}, item_rows)};
    }

    /// eta of the two layers.
    using LayerNoise = std::array<MatrixView<T const>, 2>;

    /// X from x^(0), every layer perturbed.
    static Sides<B> smooth(Sides<B> layer_0, Convolution<T> const& convolution,
                           LayerNoise const& noise) {
        auto const [u0, i0] = layer_0;
        auto const [u1, i1] =
            perturbed({convolution.to_users(i0), convolution.to_items(u0)}, noise[0]);
        auto const [u2, i2] =
            perturbed({convolution.to_users(i1), convolution.to_items(u1)}, noise[1]);
        return {sum({u0, u1, u2}), sum({i0, i1, i2})};
    }

private:
    static Sides<B> perturbed(Sides<B> layer, MatrixView<T const> noise) {
        auto const perturb = [&](Matrix x, std::size_t first) {
            const Matrix eta = x.tape().constant(row_range(noise, first, x.rows()));
            return add_signed(x, T(0.1) * normalise_rows(eta));
        };
        return {perturb(layer.users, 0), perturb(layer.items, layer.users.rows())};
    }

    std::string preference_, weight_1_, bias_1_, weight_2_, bias_2_, item_embedding_;
    std::size_t n_users_, n_embedded_items_, inputs_, d_;
};

/// One kind of features of the items, and the branch for it.
template <class B>
struct FeatureBranch {
    bool is_visual;
    Features<typename B::Scalar> features;
    FeatureGcn<B> gcn;

    /// What the mean square of the batch's preferences is called among the terms of a loss.
    std::string_view name_of_regulariser() const {
        return is_visual ? "reg_embedding_loss_v" : "reg_embedding_loss_t";
    }
};

/// The branches "v_gcn" of visual and "t_gcn" of textual features, as far as `data` has them.
/// Throws std::invalid_argument, with the model's name, where it has none.
template <class B>
std::vector<FeatureBranch<B>> feature_branches(Dataset const& data, int d, std::string_view model,
                                               bool has_item_embedding = false) {
    require_features(data, model);
    std::vector<FeatureBranch<B>> result;
    auto const add = [&](bool is_visual, FeatureMatrix const& features) {
        if (features.empty()) return;
        result.push_back(
            {is_visual, Features<typename B::Scalar>(features),
             FeatureGcn<B>(is_visual ? "v_gcn" : "t_gcn", static_cast<std::size_t>(data.n_users),
                           features.columns, d, has_item_embedding ? features.rows : 0)});
    };
    add(true, data.visual);
    add(false, data.textual);
    return result;
}

}  // namespace polder::recsys
