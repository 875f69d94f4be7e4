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
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/bound_parameters.hpp"
#include "recsys/models/convolution.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
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

    using Row = HyperParameter<MMGCNHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"embedding_size", &MMGCNHyperParameters::embedding_size, 1, 65536,
            "d, numbers per user and item"},
        Row{"dim_latent", &MMGCNHyperParameters::dim_latent, 1, 65536,
            "columns that visual features are projected to"},
        Row{"reg_weight", &MMGCNHyperParameters::reg_weight, 0, unlimited,
            "weight of the squares of identities and visual preferences"},
        Row::of("concatenate", &MMGCNHyperParameters::concatenate,
                "put messages and the node's own vector side by side in a layer, or else add them"),
        Row::of("train_embeddings", &MMGCNHyperParameters::train_embeddings,
                "train identities and preferences, as in the paper; the reference does not"),
    };
};

/// MMGCN on one data set.
template <class B>
class MMGCN final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = MMGCNHyperParameters;
    static constexpr std::string_view model_name = "mmgcn";
    static constexpr std::string_view source = "Wei et al., MM 2019";

    MMGCN(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          convolution_(Convolution<T>::mean(data)), tape_(B(threads)) {
        require_features(data, model_name);
        const auto latent = static_cast<std::size_t>(values_.dim_latent);
        if (!data.visual.empty()) modalities_.emplace_back("v_gcn", data.visual, latent);
        if (!data.textual.empty())
            modalities_.emplace_back("t_gcn", data.textual, data.textual.columns);
    }

    [[nodiscard]] std::string_view name() const override { return model_name; }

    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return list(values_);
    }

    void declare(ParameterArena<T>& parameters) const override {
        const auto d = static_cast<std::size_t>(values_.embedding_size);
        const auto n_users = static_cast<std::size_t>(n_users_);
        parameters.add("id_embedding", n_users + static_cast<std::size_t>(n_items_), d);
        for (auto const& m : modalities_) {
            parameters.add(m.preference, n_users, m.columns);
            if (m.is_projected()) {
                parameters.add(m.weight, m.columns, m.features.columns());
                parameters.add(m.bias, 1, m.columns);
            }
            for (auto const& layer : m.layers) {
                const std::size_t in = &layer == m.layers.data() ? m.columns : d;
                parameters.add(layer.convolution, in, in);
                parameters.add(layer.own_weight, d, in);
                parameters.add(layer.own_bias, 1, d);
                parameters.add(layer.joint_weight, d, values_.concatenate ? in + d : in);
                parameters.add(layer.joint_bias, 1, d);
            }
        }
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        const auto inputs = [&](std::string const& weight) { return parameters[weight].cols; };
        xavier_normal(parameters, "id_embedding", seed);
        for (auto const& m : modalities_) {
            xavier_normal(parameters, m.preference, seed);
            if (m.is_projected()) {
                linear_uniform(parameters, m.weight, inputs(m.weight), seed);
                linear_uniform(parameters, m.bias, inputs(m.weight), seed);
            }
            for (auto const& layer : m.layers) {
                xavier_normal(parameters, layer.convolution, seed);
                xavier_normal(parameters, layer.own_weight, seed);
                linear_uniform(parameters, layer.own_bias, inputs(layer.own_weight), seed);
                if (&layer == m.layers.data())
                    xavier_normal(parameters, layer.joint_weight, seed);
                else
                    linear_uniform(parameters, layer.joint_weight, inputs(layer.joint_weight),
                                   seed);
                linear_uniform(parameters, layer.joint_bias, inputs(layer.joint_weight), seed);
            }
        }
    }

    [[nodiscard]] std::vector<std::string> frozen() const override {
        if (values_.train_embeddings) return {};
        std::vector<std::string> names = {"id_embedding"};
        for (auto const& m : modalities_) names.push_back(m.preference);
        return names;
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        const auto users = batch.users, positives = batch.positives, negatives = batch.negatives;
        items_of_batch_.assign(positives.begin(), positives.end());
        items_of_batch_.insert(items_of_batch_.end(), negatives.begin(), negatives.end());
        user_rows_.assign(static_cast<std::size_t>(n_users_), {users});
        item_rows_.assign(static_cast<std::size_t>(n_items_), {positives, negatives});

        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters, &gradient);
        const Sides id = identities(bound);
        Matrix squares = mean_of_squares(gather(id.users, users)) +
                         mean_of_squares(gather(id.items, items_of_batch_));
        preferences_.clear();
        for (auto const& m : modalities_) {
            preferences_.push_back(embedding(bound, m.preference));
            if (m.is_visual) squares = squares + mean_of_squares(preferences_.back());
        }

        const auto [u, i] = convolve(bound, id, {user_rows_, users}, {item_rows_, items_of_batch_});
        const std::size_t n = users.size();
        const Matrix ranking = ranking_loss(u, slice_rows(i, 0, n), slice_rows(i, n, n));
        const Matrix regulariser = static_cast<T>(values_.reg_weight) * squares;
        const Matrix total = ranking + regulariser;
        tape_.backward(total);

        terms_ = {{{"loss", ranking.loss()},
                   {"reg_embedding_loss", squares.loss()},
                   {"reg_loss", regulariser.loss()}}};
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters);
        preferences_.clear();
        for (auto const& m : modalities_) preferences_.push_back(embedding(bound, m.preference));
        const auto [users, items] = convolve(bound, identities(bound), {}, {});
        return {users.value(), items.value()};
    }

private:
    using Matrix = Value<B>;

    struct Sides {
        Matrix users, items;
    };

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

        [[nodiscard]] bool is_projected() const { return is_visual; }

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

        [[nodiscard]] std::size_t count(std::size_t all) const {
            return index.empty() ? all : index.size();
        }
        [[nodiscard]] Matrix of(Matrix x) const { return index.empty() ? x : gather(x, index); }
    };

    [[nodiscard]] Matrix embedding(BoundParameters<B> const& bound, std::string_view name) const {
        return values_.train_embeddings ? bound[name] : bound.constant(name);
    }

    [[nodiscard]] Sides identities(BoundParameters<B> const& bound) const {
        const Matrix e = embedding(bound, "id_embedding");
        const auto n_users = static_cast<std::size_t>(n_users_);
        return {slice_rows(e, 0, n_users), slice_rows(e, n_users, e.rows() - n_users)};
    }

    // R, of the nodes asked for.
    Sides convolve(BoundParameters<B> const& bound, Sides id, Wanted users, Wanted items) {
        of_users_.clear();
        of_items_.clear();
        for (std::size_t k = 0; k < modalities_.size(); ++k) {
            auto const& m = modalities_[k];
            Matrix z = tape_.constant(m.features);
            if (m.is_projected()) z = linear(z, bound[m.weight], bound[m.bias]);
            Sides x{normalise_rows(preferences_[k]), normalise_rows(z)};
            for (auto const& layer : m.layers) {
                const bool last = &layer == &m.layers.back();
                x = next(bound, layer, x, id, last ? users : Wanted{}, last ? items : Wanted{});
            }
            of_users_.push_back(x.users);
            of_items_.push_back(x.items);
        }
        return {mean(of_users_), mean(of_items_)};
    }

    // X^(l) of X^(l-1), of the nodes asked for.
    Sides next(BoundParameters<B> const& bound, Layer const& layer, Sides x, Sides id, Wanted users,
               Wanted items) const {
        const Matrix v = bound[layer.convolution];
        const Matrix own = bound[layer.own_weight], b = bound[layer.own_bias];
        const Matrix joint = bound[layer.joint_weight], c = bound[layer.joint_bias];
        const auto to_users = [&](Matrix y) {
            return users.of(convolution_.to_users(y, users.rows));
        };
        const auto to_items = [&](Matrix y) {
            return items.of(convolution_.to_items(y, items.rows));
        };
        const Matrix h_u = x.items.rows() <= users.count(x.users.rows())
                               ? to_users(product(x.items, v))
                               : product(to_users(x.items), v);
        const Matrix h_i = x.users.rows() <= items.count(x.items.rows())
                               ? to_items(product(x.users, v))
                               : product(to_items(x.users), v);
        const auto join = [&](Matrix messages, Matrix before, Matrix e) {
            const Matrix h = leaky_relu(messages);
            const Matrix s = leaky_relu(linear(before, own, b)) + e;
            return leaky_relu(values_.concatenate ? linear(concatenate_columns({h, s}), joint, c)
                                                  : linear(h, joint, c) + s);
        };
        return {join(h_u, users.of(x.users), users.of(id.users)),
                join(h_i, items.of(x.items), items.of(id.items))};
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Convolution<T> convolution_;
    std::vector<Modality> modalities_;
    Tape<B> tape_;
    std::vector<std::int32_t> items_of_batch_;  // positives, then negatives
    RowSet user_rows_, item_rows_;
    std::vector<Matrix> preferences_, of_users_, of_items_;
    std::array<TermOf<Loss>, 3> terms_{};
};

}  // namespace polder::recsys
