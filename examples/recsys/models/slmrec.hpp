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
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/distinct_ids.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/node_graph.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
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

    using Self = SLMRecHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"recdim", &Self::recdim, 2, 65536, "d, numbers per user and item"},
        Row{"layer_num", &Self::layer_num, 0, 64, "L, propagations over the graph"},
        Row::of("adj_type", &Self::adj_type, "how the graph is normalised",
                "pre|plain|norm|gcmc|mean"),
        Row{"temp", &Self::temp, 1e-3, unlimited, "temperature of the main loss"},
        Row{"ssl_temp", &Self::ssl_temp, 1e-3, unlimited, "temperature of the alignment"},
        Row{"ssl_alpha", &Self::ssl_alpha, 0, unlimited, "weight of the alignment"},
    };
};

/// SLMRec on one data set with visual or textual features.
template <class B>
class SLMRec {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = SLMRecHyperParameters;
    static constexpr std::string_view model_name = "slmrec";
    static constexpr std::string_view source = "Tao et al., IEEE TMM 2022";
    static constexpr double weight_decay = 1e-4;

    static InParts in_parts(HyperParameters const&) { return {}; }

    SLMRec(Dataset const& data, HyperParameters const& values, int)
        : values_(values), n_users_(data.n_users), visual_(data.visual), textual_(data.textual),
          graph_(adjacency(data, values.adj_type)) {
        require_features(data, model_name);
        visual_.normalise_rows();
        textual_.normalise_rows();
    }

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.recdim;
        auto const layer = [&](Layer of, auto inputs, auto outputs) {
            list.add(of.weight, outputs, inputs, xavier_uniform);
            list.add(of.bias, 1, outputs, LinearUniform(inputs));
        };
        auto const n_parts = 1 + int(!visual_.empty()) + int(!textual_.empty());
        list.add_users("user_embedding", d, xavier_uniform);
        list.add_items("item_embedding", d, xavier_uniform);
        layer(user_fusion, n_parts * d, d);
        layer(item_fusion, n_parts * d, d);
        layer(g_i_iv, d, d);
        if (!visual_.empty()) {
            layer(v_dense, visual_.columns(), d);
            layer(g_v_iv, d, d);
        }
        if (!textual_.empty()) {
            layer(t_dense, textual_.columns(), d);
            layer(g_iv_iva, d, d);
            layer(g_iva_ivat, d, d / 2);
            layer(g_t_ivat, d, d / 2);
        }
    }

    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        // The other items of the whole batch are the negatives of each row, also in a part of it.
        auto const users = batch.users;
        assign_item_nodes(item_nodes_, batch.all().positives, n_users_);
        std::span<std::int32_t const> const items = item_nodes_;
        batch_nodes_.assign(graph_.adjacency().rows, {users, items});
        diagonal_.resize(users.size());
        std::iota(diagonal_.begin(), diagonal_.end(), static_cast<std::int32_t>(batch.first()));

        smooth(on, batch_nodes_);
        auto const u =
            apply(on, user_fusion, concatenated([&](Matrix x) { return gather(x, users); }));
        auto const j =
            apply(on, item_fusion, concatenated([&](Matrix x) { return gather(x, items); }));
        auto const main = cross_entropy(normalise_rows(u), normalise_rows(j), values_.temp);

        // What `concatenated` left: I, V and T of the batch's items.
        auto const a = apply(on, g_i_iv, rows_of(batch, pieces_.front()));
        std::optional<Matrix> v, t;
        if (!visual_.empty()) v = cross_entropy(a, apply(on, g_v_iv, pieces_[1]), values_.ssl_temp);
        if (!textual_.empty())
            t = cross_entropy(apply(on, g_iva_ivat, apply(on, g_iv_iva, a)),
                              apply(on, g_t_ivat, pieces_.back()), values_.ssl_temp);
        auto const ssl = v && t ? *v + *t : v ? *v : *t;
        terms = {{"main_loss", main}, {"ssl_loss", ssl}, {"v_loss", v}, {"t_loss", t}};
        return main + static_cast<T>(values_.ssl_alpha) * ssl;
    }

    Sides<B> represent(OnTape<B> const& on) {
        smooth(on, Rows::all());
        auto const n_users = static_cast<std::size_t>(n_users_);
        auto const users = apply(on, user_fusion,
                                 concatenated([&](Matrix x) { return slice_rows(x, 0, n_users); }));
        auto const items = apply(on, item_fusion, concatenated([&](Matrix x) {
                                     return slice_rows(x, n_users, x.rows() - n_users);
                                 }));
        return {users, items};
    }

    std::vector<NamedGraph<T>> graphs() const { return {{"norm_adj", &graph_.adjacency()}}; }

private:
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

    static Csr<T> adjacency(Dataset const& data, std::string const& type) {
        if (type == "pre") return bipartite_adjacency(normalised_interactions<T>(data, 1e-8));
        auto plain = bipartite_adjacency(binary_interactions<T>(data));
        if (type == "plain") return plain;
        if (type == "norm") return normalised_rows(with_self_loops(plain));
        auto by_degree = normalised_rows(std::move(plain));
        return type == "gcmc" ? by_degree : with_self_loops(by_degree);
    }

    Matrix apply(OnTape<B> const& on, Layer layer, Matrix x) const {
        return linear(x, on[layer.weight], on[layer.bias]);
    }

    // I, V and T in these rows.
    void smooth(OnTape<B> const& on, Rows rows) {
        auto const p = on["user_embedding"];
        auto const from = [&](Matrix items) {
            return graph_.mean_of_layers(concatenate_rows(p, items), values_.layer_num, rows);
        };
        smoothed_.assign(1, from(on["item_embedding"]));
        if (!visual_.empty()) smoothed_.push_back(from(apply(on, v_dense, on.constant(visual_))));
        if (!textual_.empty()) smoothed_.push_back(from(apply(on, t_dense, on.constant(textual_))));
    }

    // [I, V, T] of the rows that `take` takes.
    template <class Take>
    Matrix concatenated(Take take) {
        pieces_.clear();
        for (auto const x : smoothed_) pieces_.push_back(take(x));
        return concatenate_columns(pieces_);
    }

    Matrix cross_entropy(Matrix x, Matrix y, double temperature) {
        return info_nce(x, y, diagonal_, static_cast<T>(temperature),
                        T(1) / static_cast<T>(x.rows()));
    }

    HyperParameters values_;
    std::int32_t n_users_;
    Features<T> visual_, textual_;
    NodeGraph<B> graph_;  // A
    RowSet batch_nodes_;
    std::vector<std::int32_t> item_nodes_, diagonal_;
    std::vector<Matrix> smoothed_, pieces_;
};

}  // namespace polder::recsys
