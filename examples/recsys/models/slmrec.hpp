/// SLMRec: embeddings and features are smoothed over the graph one by one, joined for the score, and
/// made to agree with each other without labels.
///
/// Tao, Liu, Xia, Wang, Yang, Huang, Chua: Self-supervised Learning for Multimedia Recommendation, IEEE
/// Transactions on Multimedia 2022, with its task of fine and coarse alignment (FAC). Details where the
/// paper leaves a choice: MMRec (enoche/MMRec), src/models/slmrec.py.
///
///     P (n_users, d), Q (n_items, d)          embeddings
///     F_v, F_t (n_items, D_v or D_t)          features, every row divided by its norm once; constant
///     v_dense (D_v to d), t_dense (D_t to d), user_fusion, item_fusion (3 d to d),
///     g_i_iv, g_v_iv, g_iv_iva (d to d), g_iva_ivat, g_t_ivat (d to d/2)
///                                             layers X W^T + b, without activations
///     A (nodes, nodes)                        adjacency of users and items, normalised by adj_type
///     unit(X)                                 rows / max(norm, 1e-12)
///
///     smooth(X, Y) = mean over l = 0..L of Z^(l),  Z^(0) = [X; Y],  Z^(l+1) = A Z^(l)
///     I = smooth(P, Q),  V = smooth(P, v_dense(F_v)),  T = smooth(P, t_dense(F_t))
///     U = user_fusion([I, V, T] of the users),  J = item_fusion([I, V, T] of the items)
///     score(u, i) = U_u . J_i
///
/// With CE(X, Y, t) = -(1/B) sum_b log( exp(X_b . Y_b / t) / sum_c exp(X_b . Y_c / t) ) and the rows
/// (u, i) of a batch of B:
///     main = CE(unit(U_u), unit(J_i), temp)
///     a    = g_i_iv(I_i)
///     ssl  = CE(a, g_v_iv(V_i), ssl_temp) + CE(g_iva_ivat(g_iv_iva(a)), g_t_ivat(T_i), ssl_temp)
///     loss = main + ssl_alpha ssl
///
/// Choices that change results, where a reading can go wrong:
/// - Training compares unit vectors, the score does not: norms of items count in a ranking. The
///   reference shows the sigmoid of this score, which ranks alike but for ties where float32 ends.
/// - The vectors of ssl are not normalised, and their temperature is another than that of main.
/// - Negatives are the other items of the batch, so that the size of the batch is part of the model; the
///   sampled negatives are not used. An item that occurs twice in the batch is its own negative.
/// - Regularisation is the optimizer's weight decay, 1e-4, added to the gradient of every parameter: the
///   loss does not have it.
/// - The same user embeddings start all three propagations.
/// - adj_type: "pre" is D^(-1/2) A D^(-1/2) with 1e-8 added to degrees; "norm" and "gcmc" are
///   D^(-1) A with and without self-loops, "mean" is "gcmc" plus the identity, "plain" is A itself.
/// - With one modality only, the other one's branch, layers and part of ssl are left out; the reference
///   fails. The paper's acoustic branch and the reference's other tasks are not here: they do not run
///   there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/bound_parameters.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/node_graph.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of SLMRec. No choice is published for ssl_alpha and ssl_temp in these data sets; the
/// defaults are those of the paper's own code.
struct SLMRecHyperParameters {
    int recdim = 64;
    int layer_num = 3;
    std::string adj_type = "pre";
    double temp = 0.2;
    double ssl_temp = 0.2;
    double ssl_alpha = 0.1;

    using Row = HyperParameter<SLMRecHyperParameters>;
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::array table{
        Row{"recdim", &SLMRecHyperParameters::recdim, 2, 65536, "d, numbers per user and item"},
        Row{"layer_num", &SLMRecHyperParameters::layer_num, 0, 64,
            "L, propagations over the graph"},
        Row::of("adj_type", &SLMRecHyperParameters::adj_type, "how the graph is normalised",
                "pre|plain|norm|gcmc|mean"),
        Row{"temp", &SLMRecHyperParameters::temp, 1e-3, unlimited, "temperature of the main loss"},
        Row{"ssl_temp", &SLMRecHyperParameters::ssl_temp, 1e-3, unlimited,
            "temperature of the alignment"},
        Row{"ssl_alpha", &SLMRecHyperParameters::ssl_alpha, 0, unlimited,
            "weight of the alignment"},
    };
};

/// SLMRec on one data set with visual or textual features.
template <class B>
class SLMRec final : public ModelOn<B> {
    using T = typename B::Scalar;
    using typename ModelOn<B>::Arena;
    using typename ModelOn<B>::Loss;

public:
    using HyperParameters = SLMRecHyperParameters;
    static constexpr std::string_view model_name = "slmrec";
    static constexpr std::string_view source = "Tao et al., IEEE TMM 2022";
    static constexpr double weight_decay = 1e-4;

    SLMRec(Dataset const& data, HyperParameters const& values, int threads)
        : values_(check(values, model_name)), n_users_(data.n_users), n_items_(data.n_items),
          visual_(data.visual), textual_(data.textual), graph_(adjacency(data, values.adj_type)),
          tape_(B(threads)) {
        require_features(data, model_name);
        visual_.normalise_rows();
        textual_.normalise_rows();
    }

    [[nodiscard]] std::string_view name() const override { return model_name; }

    [[nodiscard]] std::vector<HyperParameterValue> hyper_parameters() const override {
        return list(values_);
    }

    void declare(ParameterArena<T>& parameters) const override {
        parameters.add("user_embedding", static_cast<std::size_t>(n_users_), d());
        parameters.add("item_embedding", static_cast<std::size_t>(n_items_), d());
        for_each_layer([&](Layer layer, std::size_t inputs, std::size_t outputs) {
            parameters.add(std::string(layer.weight), outputs, inputs);
            parameters.add(std::string(layer.bias), 1, outputs);
        });
    }

    void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const override {
        xavier_uniform(parameters, "user_embedding", seed);
        xavier_uniform(parameters, "item_embedding", seed);
        for_each_layer([&](Layer layer, std::size_t inputs, std::size_t) {
            xavier_uniform(parameters, layer.weight, seed);
            linear_uniform(parameters, layer.bias, inputs, seed);
        });
    }

    Loss loss(Arena const& parameters, Triples const& batch, Pass, Arena& gradient) override {
        check(batch, n_users_, n_items_);
        const auto users = batch.users;
        item_nodes_.assign(batch.positives.begin(), batch.positives.end());
        for (auto& node : item_nodes_) node += n_users_;
        const std::span<std::int32_t const> items = item_nodes_;
        batch_nodes_.assign(graph_.adjacency().rows, {users, items});
        diagonal_.resize(users.size());
        std::iota(diagonal_.begin(), diagonal_.end(), 0);

        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters, &gradient);
        smooth(bound, batch_nodes_);
        const auto u =
            apply(bound, user_fusion, concatenated([&](Matrix x) { return gather(x, users); }));
        const auto j =
            apply(bound, item_fusion, concatenated([&](Matrix x) { return gather(x, items); }));
        const auto main = cross_entropy(normalise_rows(u), normalise_rows(j), values_.temp);

        // What `concatenated` left: I, V and T of the batch's items.
        const auto a = apply(bound, g_i_iv, pieces_.front());
        std::optional<Matrix> v, t;
        if (!visual_.empty())
            v = cross_entropy(a, apply(bound, g_v_iv, pieces_[1]), values_.ssl_temp);
        if (!textual_.empty())
            t = cross_entropy(apply(bound, g_iva_ivat, apply(bound, g_iv_iva, a)),
                              apply(bound, g_t_ivat, pieces_.back()), values_.ssl_temp);
        const auto ssl = v && t ? *v + *t : v ? *v : *t;
        const auto total = main + static_cast<T>(values_.ssl_alpha) * ssl;
        tape_.backward(total);

        terms_ = {{{"main_loss", main.loss()},
                   {"ssl_loss", ssl.loss()},
                   {"v_loss", v ? v->loss() : Loss{}},
                   {"t_loss", t ? t->loss() : Loss{}}}};
        return total.loss();
    }

    [[nodiscard]] std::vector<LossTerm> terms() const override { return read_terms<B>(terms_); }

    [[nodiscard]] Representations<T> representations(Arena const& parameters) override {
        tape_.reset();
        const BoundParameters<B> bound(tape_, parameters);
        smooth(bound, Rows::all());
        const auto n_users = static_cast<std::size_t>(n_users_);
        const auto n_items = static_cast<std::size_t>(n_items_);
        const auto users = apply(bound, user_fusion,
                                 concatenated([&](Matrix x) { return slice_rows(x, 0, n_users); }));
        const auto items =
            apply(bound, item_fusion,
                  concatenated([&](Matrix x) { return slice_rows(x, n_users, n_items); }));
        return {users.value(), items.value()};
    }

    [[nodiscard]] std::vector<NamedGraph<T>> graphs() const override {
        return {{"norm_adj", &graph_.adjacency()}};
    }

private:
    using Matrix = Value<B>;

    struct Layer {
        std::string_view weight, bias;
    };
    static constexpr Layer v_dense{"v_dense.weight", "v_dense.bias"};
    static constexpr Layer t_dense{"t_dense.weight", "t_dense.bias"};
    static constexpr Layer user_fusion{"user_fusion.weight", "user_fusion.bias"};
    static constexpr Layer item_fusion{"item_fusion.weight", "item_fusion.bias"};
    static constexpr Layer g_i_iv{"g_i_iv.weight", "g_i_iv.bias"};
    static constexpr Layer g_v_iv{"g_v_iv.weight", "g_v_iv.bias"};
    static constexpr Layer g_iv_iva{"g_iv_iva.weight", "g_iv_iva.bias"};
    static constexpr Layer g_iva_ivat{"g_iva_ivat.weight", "g_iva_ivat.bias"};
    static constexpr Layer g_t_ivat{"g_t_ivat.weight", "g_t_ivat.bias"};

    [[nodiscard]] std::size_t d() const { return static_cast<std::size_t>(values_.recdim); }

    // f(layer, inputs, outputs) for the layers that are in use.
    template <class F>
    void for_each_layer(F f) const {
        const std::size_t modalities = static_cast<std::size_t>(!visual_.empty()) +
                                       static_cast<std::size_t>(!textual_.empty());
        f(user_fusion, (1 + modalities) * d(), d());
        f(item_fusion, (1 + modalities) * d(), d());
        f(g_i_iv, d(), d());
        if (!visual_.empty()) {
            f(v_dense, visual_.columns(), d());
            f(g_v_iv, d(), d());
        }
        if (!textual_.empty()) {
            f(t_dense, textual_.columns(), d());
            f(g_iv_iva, d(), d());
            f(g_iva_ivat, d(), d() / 2);
            f(g_t_ivat, d(), d() / 2);
        }
    }

    static Csr<T> adjacency(Dataset const& data, std::string const& type) {
        if (type == "pre") return bipartite_adjacency(normalised_interactions<T>(data, 1e-8));
        auto plain = bipartite_adjacency(binary_interactions<T>(data));
        if (type == "plain") return plain;
        if (type == "norm") return normalised_rows(with_self_loops(plain));
        auto by_degree = normalised_rows(std::move(plain));
        return type == "gcmc" ? by_degree : with_self_loops(by_degree);
    }

    Matrix apply(BoundParameters<B> const& bound, Layer layer, Matrix x) const {
        return linear(x, bound[layer.weight], bound[layer.bias]);
    }

    // I, V and T in these rows.
    void smooth(BoundParameters<B> const& bound, Rows rows) {
        const auto p = bound["user_embedding"];
        const auto from = [&](Matrix items) {
            return graph_.mean_of_layers(concatenate_rows(p, items), values_.layer_num, rows);
        };
        smoothed_.assign(1, from(bound["item_embedding"]));
        if (!visual_.empty())
            smoothed_.push_back(from(apply(bound, v_dense, tape_.constant(visual_))));
        if (!textual_.empty())
            smoothed_.push_back(from(apply(bound, t_dense, tape_.constant(textual_))));
    }

    // [I, V, T] of the rows that `take` takes.
    template <class Take>
    Matrix concatenated(Take take) {
        pieces_.clear();
        for (const auto x : smoothed_) pieces_.push_back(take(x));
        return concatenate_columns(pieces_);
    }

    Matrix cross_entropy(Matrix x, Matrix y, double temperature) {
        return info_nce(x, y, diagonal_, static_cast<T>(temperature),
                        T(1) / static_cast<T>(x.rows()));
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    Features<T> visual_, textual_;
    NodeGraph<B> graph_;  // A
    Tape<B> tape_;
    RowSet batch_nodes_;
    std::vector<std::int32_t> item_nodes_, diagonal_;
    std::vector<Matrix> smoothed_, pieces_;
    std::array<TermOf<Loss>, 4> terms_{};
};

}  // namespace polder::recsys
