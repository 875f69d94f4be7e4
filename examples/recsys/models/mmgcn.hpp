/// MMGCN: a graph convolution of its own for every modality, with weights in its layers, over users and
/// items.
///
/// Wei, Wang, Nie, He, Hong, Chua: MMGCN: Multi-modal Graph Convolution Network for Personalized
/// Recommendation of Micro-video, MM 2019. Details where the paper leaves a choice: MMRec (enoche/MMRec),
/// src/models/mmgcn.py.
///
///     E (n, d)                 identities of the n = n_users + n_items nodes, users first
///     P_m (n_users, D'_m)      preferences in modality m, visual or textual
///     F_m (n_items, D_m)       features; Z_visual = F W^T + b with D'_visual = dim_latent columns,
///                              Z_textual = F with D'_textual = D_textual columns
///     mean(X)_t                the mean of X over the neighbours of t in the train rows, 0 without any
///     leaky                    leaky_relu with slope 0.01
///
///     X^(0) = the rows of [P_m; Z_m], each divided by its norm
///     for l = 1, 2, 3 and every modality, with weights of its own (in: the columns of X^(l-1)):
///         H = leaky(mean(X^(l-1) V_l)),  V_l (in, in)
///         S = leaky(X^(l-1) L_l^T + b_l) + E,  L_l (d, in)
///         X^(l) = leaky([H, S] G_l^T + c_l),  G_l (d, in + d)
///     R = the mean over modalities of X^(3)
///     score(u, i) = R_u . R_i
///
///     x_b = R_u . R_p - R_u . R_n              for the rows b = (u, p, n) of a batch of B
///     loss = -(1/B) sum_b log sigma(x_b)
///            + reg_weight (mean E_u^2 + (mean E_p^2 + mean E_n^2) / 2 + mean P_visual^2)
///
/// The means of squares are over the entries of the batch's rows of E and of the whole table P_visual.
///
/// Choices that change results, where a reading can go wrong:
/// - E and P_m are random numbers that the reference never trains: they are no parameters there, and
///   neither in the authors' code. Here they are parameters that are frozen, and so in no step, norm or
///   weight decay; the paper means them to be trained: train_embeddings = true.
/// - So by default the regulariser is a constant, and reg_weight has no effect but on the number that is
///   printed.
/// - H and S are put side by side: the reference's switch holds the text "False", which counts as true.
///   The other form of the paper is concatenate = false: X^(l) = leaky(H G_l^T + c_l + S), G_l (d, in).
/// - Three layers, whatever n_layers of the reference says, and only the last one counts.
/// - Modalities are averaged; the paper sums them. P_textual is not regularised.
/// - Only X^(0) is normalised, with norms of at least 1e-12. Features are taken as they are.
/// - Only visual features are projected, without an activation; textual ones keep their width.
/// - G_2 and G_3 start as PyTorch's layers do, and so do W and all biases; all other matrices are Xavier
///   normal.
/// - A product with V_l and the mean can be taken in either order: here the product is taken where there
///   are fewer rows.
/// - A repeated train row is one edge here and counts once in means; in the reference it counts twice.
/// - Scores are those of the parameters given. The reference scores with the last training batch's
///   vectors, one step behind.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of MMGCN. The reference searches reg_weight in 0 and 1e-5 .. 1e-1, without an effect.
struct MMGCNHyperParameters {
    int embedding_size = 64;
    int dim_latent = 256;
    double reg_weight = 1e-3;
    bool concatenate = true;
    bool train_embeddings = false;

    using Self = MMGCNHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"dim_latent", &Self::dim_latent, 1, 65536,
            "columns that visual features are projected to"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the squares of identities and visual preferences"},
        Row::of("concatenate", &Self::concatenate,
                "put messages and the node's own vector side by side in a layer, or else add them"),
        Row::of("train_embeddings", &Self::train_embeddings,
                "train identities and preferences, as in the paper; the reference does not"),
    };
};

/// MMGCN on one data set.
template <class B>
class MMGCN {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = MMGCNHyperParameters;
    static constexpr std::string_view model_name = "mmgcn";
    static constexpr std::string_view source = "Wei et al., MM 2019";

    static InParts in_parts(HyperParameters const&) { return {}; }

    MMGCN(Dataset const& data, HyperParameters const& values, int)
        : values_(values), n_users_(static_cast<std::size_t>(data.n_users)),
          convolution_(Convolution<T>::mean(data)), rows_(data) {
        require_features(data, model_name, Takes::any_number);
        auto const latent = static_cast<std::size_t>(values_.dim_latent);
        if (!data.visual.empty()) modalities_.emplace_back("v_gcn", data.visual, latent);
        if (!data.textual.empty())
            modalities_.emplace_back("t_gcn", data.textual, data.textual.columns);
        for (auto const& each : data.further)
            modalities_.emplace_back(each.name + "_gcn", each.features, each.features.columns);
    }

    void parameters(ParameterList<T>& list) const {
        auto const d = static_cast<std::size_t>(values_.embedding_size);
        list.add_nodes("id_embedding", d, xavier_normal);
        for (auto const& m : modalities_) {
            list.add_users(m.preference, m.columns, xavier_normal);
            if (m.is_projected()) {
                auto const inputs = m.features.columns();
                list.add(m.weight, m.columns, inputs, LinearUniform(inputs));
                list.add(m.bias, 1, m.columns, LinearUniform(inputs));
            }
            for (auto const& layer : m.layers) {
                bool const first = &layer == m.layers.data();
                auto const inputs = first ? m.columns : d;
                auto const joint = values_.concatenate ? inputs + d : inputs;
                list.add(layer.convolution, inputs, inputs, xavier_normal);
                list.add(layer.own_weight, d, inputs, xavier_normal);
                list.add(layer.own_bias, 1, d, LinearUniform(inputs));
                if (first)
                    list.add(layer.joint_weight, d, joint, xavier_normal);
                else
                    list.add(layer.joint_weight, d, joint, LinearUniform(joint));
                list.add(layer.joint_bias, 1, d, LinearUniform(joint));
            }
        }
    }

    std::vector<std::string> frozen() const {
        if (values_.train_embeddings) return {};
        std::vector<std::string> names = {"id_embedding"};
        for (auto const& m : modalities_) names.push_back(m.preference);
        return names;
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const users = batch.users, positives = batch.positives, negatives = batch.negatives;
        items_of_batch_.assign(positives.begin(), positives.end());
        items_of_batch_.insert(items_of_batch_.end(), negatives.begin(), negatives.end());
        rows_.assign(batch);

        Sides<B> const id = identities(on);
        Matrix squares = mean_of_squares(gather(id.users, users)) +
                         mean_of_squares(gather(id.items, items_of_batch_));
        preferences_.clear();
        for (auto const& m : modalities_) {
            preferences_.push_back(embedding(on, m.preference));
            if (m.is_visual) squares = squares + mean_of_squares(preferences_.back());
        }

        auto const [u, i] = convolve(on, id, {rows_.users, users}, {rows_.items, items_of_batch_});
        std::size_t const n = users.size();
        Matrix const ranking = ranking_loss(u, slice_rows(i, 0, n), slice_rows(i, n, n));
        Matrix const regulariser = static_cast<T>(values_.reg_weight) * squares;
        terms = {{"loss", ranking}, {"reg_embedding_loss", squares}, {"reg_loss", regulariser}};
        return ranking + regulariser;
    }

    Sides<B> represent(OnTape<B> const& on) {
        preferences_.clear();
        for (auto const& m : modalities_) preferences_.push_back(embedding(on, m.preference));
        return convolve(on, identities(on), {}, {});
    }

private:
    // Names of the parameters of a layer: V, L and b, G and c.
    struct Layer {
        Layer(std::string const& branch, std::string const& l)
            : convolution(branch + ".conv_embed_" + l + ".weight"),
              own_weight(branch + ".linear_layer" + l + ".weight"),
              own_bias(branch + ".linear_layer" + l + ".bias"),
              joint_weight(branch + ".g_layer" + l + ".weight"),
              joint_bias(branch + ".g_layer" + l + ".bias") {}

        std::string convolution, own_weight, own_bias, joint_weight, joint_bias;
    };

    struct Modality {
        Modality(std::string const& branch, FeatureMatrix const& from, std::size_t width)
            : is_visual(branch == "v_gcn"), columns(width), features(from),
              preference(branch + ".preference"), weight(branch + ".MLP.weight"),
              bias(branch + ".MLP.bias"), layers{Layer(branch, "1"), Layer(branch, "2"),
                                                 Layer(branch, "3")} {}

        bool is_projected() const { return is_visual; }

        bool is_visual;
        std::size_t columns;
        Features<T> features;
        std::string preference, weight, bias;
        std::array<Layer, 3> layers;
    };

    // The nodes of one side that are asked for: all where `index` is empty, else these, in its order;
    // `rows` is the set of them.
    struct Wanted {
        Rows rows = Rows::all();
        std::span<std::int32_t const> index = {};

        std::size_t count(std::size_t all) const { return index.empty() ? all : index.size(); }
        Matrix of(Matrix x) const { return index.empty() ? x : gather(x, index); }
    };

    Matrix embedding(OnTape<B> const& on, std::string_view name) const {
        return values_.train_embeddings ? on[name] : on.frozen(name);
    }

    Sides<B> identities(OnTape<B> const& on) const {
        return sides(embedding(on, "id_embedding"), n_users_);
    }

    // R, of the nodes asked for.
    Sides<B> convolve(OnTape<B> const& on, Sides<B> id, Wanted users, Wanted items) {
        of_users_.clear();
        of_items_.clear();
        for (std::size_t k = 0; k < modalities_.size(); ++k) {
            auto const& m = modalities_[k];
            Matrix z = on.constant(m.features);
            if (m.is_projected()) z = linear(z, on[m.weight], on[m.bias]);
            Sides<B> x{normalise_rows(preferences_[k]), normalise_rows(z)};
            for (auto const& layer : m.layers) {
                bool const last = &layer == &m.layers.back();
                x = next(on, layer, x, id, last ? users : Wanted{}, last ? items : Wanted{});
            }
            of_users_.push_back(x.users);
            of_items_.push_back(x.items);
        }
        return {mean(of_users_), mean(of_items_)};
    }

    // X^(l) of X^(l-1), of the nodes asked for.
    Sides<B> next(OnTape<B> const& on, Layer const& layer, Sides<B> x, Sides<B> id, Wanted users,
                  Wanted items) const {
        Matrix const v = on[layer.convolution];
        Matrix const own = on[layer.own_weight], b = on[layer.own_bias];
        Matrix const joint = on[layer.joint_weight], c = on[layer.joint_bias];
        auto const to_users = [&](Matrix y) {
            return users.of(convolution_.to_users(y, users.rows));
        };
        auto const to_items = [&](Matrix y) {
            return items.of(convolution_.to_items(y, items.rows));
        };
        Matrix const h_u = x.items.rows() <= users.count(x.users.rows())
                               ? to_users(product(x.items, v))
                               : product(to_users(x.items), v);
        Matrix const h_i = x.users.rows() <= items.count(x.items.rows())
                               ? to_items(product(x.users, v))
                               : product(to_items(x.users), v);
        auto const join = [&](Matrix messages, Matrix before, Matrix e) {
            Matrix const h = leaky_relu(messages);
            Matrix const s = leaky_relu(linear(before, own, b)) + e;
            return leaky_relu(values_.concatenate ? linear(concatenate_columns({h, s}), joint, c)
                                                  : linear(h, joint, c) + s);
        };
        return {join(h_u, users.of(x.users), users.of(id.users)),
                join(h_i, items.of(x.items), items.of(id.items))};
    }

    HyperParameters values_;
    std::size_t n_users_;
    Convolution<T> convolution_;
    std::vector<Modality> modalities_;
    std::vector<std::int32_t> items_of_batch_;  // positives, then negatives
    RowsOfBatch rows_;
    std::vector<Matrix> preferences_, of_users_, of_items_;
};

}  // namespace polder::recsys
