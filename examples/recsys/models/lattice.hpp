/// LATTICE: items are also smoothed over a graph of similar items, which is learned from the features.
///
/// Zhang, Zhu, Liu, Wu, Wang, Wang: Mining Latent Structures for Multimedia Recommendation, MM 2021.
/// Details where the paper leaves a choice: MMRec (enoche/MMRec), src/models/lattice.py, src/utils/utils.py.
///
///     P (n_users, d), Q (n_items, d)              embeddings
///     F_m (n_items, D_m), m = image, text         features, trained
///     W_m (f, D_m), b_m (1, f)                    projections
///     a (1, 2)                                    w = softmax(a), weights of the modalities
///     A = D^(-1) (B + I)                          B the binary adjacency of users and items, D row sums
///     near(X)                                     cosines of every row of X with the k rows most similar
///                                                 to it, itself among them; 0 elsewhere
///     lap(M) = D^(-1/2) M D^(-1/2)                D the row sums of M
///     S_m = lap(near(F_m)) of the features as they are in the data; constant
///
/// The item graph, with n_layers hops over it:
///     L = lap(sum over m of w_m near(F_m W_m^T + b_m)),   O = sum over m of w_m S_m
///     G = (1 - lambda_coeff) L + lambda_coeff O,   H = G^n_layers Q
/// Users and items, with l hops over the graph of interactions, l the length of weight_size:
///     lightgcn:  E = mean over k = 0..l of A^k [P; Q]
///     mf:        E = [P; Q]
///     ngcf:      e^(0) = [P; Q],  s = A e^(k),
///                e^(k+1) = drop(lrelu(s V_k^T + c_k) + lrelu((e^(k) o s) V'_k^T + c'_k)),
///                E = mean of e^(0) and the unit rows of e^(1) .. e^(l)
/// Scores:
///     U = E of the users,   I = E of the items + H / row norms of H,   score(u, i) = U_u . I_i
///
///     loss = -(1/B) sum_b log sigma(U_u . I_p - U_u . I_n)
///            + reg_weight / (2 train_batch_size) sum_b (|U_u|^2 + |I_p|^2 + |I_n|^2)
///
/// Choices that change results, where the paper differs or a reading can go wrong:
/// - G is built once per epoch. The first batch of an epoch, both batches of a "+" method, and in them
///   every pass of a sharpness-aware step, build it from the parameters they are given and learn through
///   it: F_m, W_m, b_m and a. All later batches take the first of these graphs as a constant. (In the
///   reference a second pass of the first batch takes the constant, too: then a sharpness-aware step
///   never moves these parameters.) Scores always build it anew.
/// - In later batches these parameters have gradient 0, and not none: Adam goes on moving them by their
///   momentum, as in the reference with the PyTorch that it pins.
/// - The learned graphs of the modalities are mixed first and normalised once, the original ones are
///   normalised and then mixed. The paper joins learned and original graph of each modality first.
/// - near is not symmetric; lap divides by row sums on both sides all the same. A row whose sum is not
///   positive has no entries then. Negative cosines among the k count.
/// - Gradients pass through cosines, row sums and w, not through the choice of neighbours. Of equally
///   similar items the lowest comes first.
/// - A is normalised by rows and has self-loops, unlike in LightGCN.
/// - The regulariser has the squares of final vectors, and divides by train_batch_size, also in a
///   last batch that is shorter. Other code has norms that are not squared.
/// - n_layers counts hops over the item graph; weight_size counts those over the interactions by its
///   length. mess_dropout and V, V' belong to ngcf alone.
/// - With one modality only, w and a are left out.
/// - The reference's learning rate is multiplied by 0.96^(1/50) after every epoch; that is the trainer's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/features.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/initialise.hpp"
#include "recsys/models/item_graph.hpp"
#include "recsys/models/model.hpp"
#include "recsys/models/node_graph.hpp"
#include "recsys/models/on_tape.hpp"
#include "recsys/models/parameter_list.hpp"
#include "recsys/models/sides.hpp"
#include "recsys/tape/operations.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Hyper-parameters of LATTICE. No choice is published for reg_weight; the default is that of the paper's
/// own code.
struct LATTICEHyperParameters {
    int embedding_size = 64;
    int feat_embed_dim = 64;
    std::string cf_model = "lightgcn";
    std::vector<int> weight_size = {64, 64};
    std::vector<double> mess_dropout = {0.1, 0.1};
    int n_layers = 1;
    int knn_k = 10;
    double lambda_coeff = 0.9;
    double reg_weight = 1e-5;
    int train_batch_size = 2048;

    using Self = LATTICEHyperParameters;
    using Row = HyperParameter<Self>;
    static constexpr std::array table{
        Row{"embedding_size", &Self::embedding_size, 1, 65536, "d, numbers per user and item"},
        Row{"feat_embed_dim", &Self::feat_embed_dim, 1, 65536,
            "f, numbers that a projection of features has"},
        Row::of("cf_model", &Self::cf_model, "what E is", "lightgcn|mf|ngcf"),
        Row{"weight_size", &Self::weight_size, 1, 65536,
            "its length: hops over the interactions; for ngcf, each is d"},
        Row{"mess_dropout", &Self::mess_dropout, 0, 0.99,
            "ngcf: probability that an entry of a layer is left out, of each layer"},
        Row{"n_layers", &Self::n_layers, 0, 64, "hops over the item graph"},
        Row{"knn_k", &Self::knn_k, 1, 65536, "k, neighbours of an item"},
        Row{"lambda_coeff", &Self::lambda_coeff, 0, 1, "share of the original graph"},
        Row{"reg_weight", &Self::reg_weight, 0, unlimited,
            "weight of the squares of the batch's vectors"},
        Row{"train_batch_size", &Self::train_batch_size, 1, 1e9, "what the squares are divided by"},
    };
};

/// LATTICE on one data set with visual or textual features.
template <class B>
class LATTICE {
    using T = typename B::Scalar;
    using Matrix = Value<B>;

public:
    using HyperParameters = LATTICEHyperParameters;
    static constexpr std::string_view model_name = "lattice";
    static constexpr std::string_view source = "Zhang et al., MM 2021";

    static InParts in_parts(HyperParameters const&) { return {}; }

    LATTICE(Dataset const& data, HyperParameters const& values, int threads)
        : values_(values), n_users_(data.n_users), n_items_(data.n_items), threads_(threads),
          graph_(
              normalised_rows(with_self_loops(bipartite_adjacency(binary_interactions<T>(data))))) {
        require_features(data, model_name);
        if (!data.visual.empty()) modalities_.push_back(modality("image", data, data.visual));
        if (!data.textual.empty()) modalities_.push_back(modality("text", data, data.textual));
        if (values_.cf_model == "ngcf") add_ngcf_layers();
    }

    void parameters(ParameterList<T>& list) const {
        auto const d = values_.embedding_size, f = values_.feat_embed_dim;
        auto const add_layer = [&](Layer const& layer, auto outputs, auto inputs) {
            list.add(layer.weight, outputs, inputs, LinearUniform(inputs));
            list.add(layer.bias, 1, outputs, LinearUniform(inputs));
        };
        list.add_users("user_embedding", d, xavier_uniform);
        list.add_items("item_embedding", d, xavier_uniform);
        for (auto const& layer : ngcf_layers_) {
            add_layer(layer.sum, d, d);
            add_layer(layer.product, d, d);
        }
        for (auto const& m : modalities_) {
            list.add_items(m.embedding, m.features.columns(),
                           [&](MatrixView<T> x, Random) { m.features.copy_to(x); });
            add_layer(m.projection, f, m.features.columns());
        }
        if (mixes()) list.add("modal_weight", 1, modalities_.size(), Constant{0.5});
    }

    /// A graph that is fixed under the name "item_adj_used" is that of every epoch.
    void prepare_epoch(Noise<T, typename B::System> const& noise, int) {
        forget_item_graph();
        auto const* const fixed = noise.fixed("item_adj_used");
        if (fixed == nullptr) return;
        auto const n = static_cast<std::size_t>(n_items_);
        if (fixed->size() != n * n)
            throw std::invalid_argument("lattice: 'item_adj_used' has " +
                                        std::to_string(fixed->size()) + " values, expected " +
                                        std::to_string(n * n));
        Csr<T> graph{n, n, {0}, {}, {}};
        for (std::size_t row = 0; row < n; ++row) {
            for (std::size_t column = 0; column < n; ++column) {
                if ((*fixed)[row * n + column] == 0) continue;
                graph.columns.push_back(static_cast<std::int32_t>(column));
                graph.values.push_back(static_cast<T>((*fixed)[row * n + column]));
            }
            graph.offsets.push_back(graph.columns.size());
        }
        keep(std::move(graph));
    }

    /// "batch_emb_loss" has its weight already.
    Matrix loss(OnTape<B> const& on, Triples const& batch, LossTerms<B>& terms) {
        auto const users = batch.users, positives = batch.positives, negatives = batch.negatives;
        assign_item_nodes(positive_nodes_, positives, n_users_);
        assign_item_nodes(negative_nodes_, negatives, n_users_);
        batch_nodes_.assign(graph_.adjacency().rows, {users, positive_nodes_, negative_nodes_});
        batch_items_.assign(static_cast<std::size_t>(n_items_), {positives, negatives});

        bool const learns_graph = batch.number < 2;
        if (!learns_graph && !is_kept()) {  // the first batch of the epoch was left out
            build_item_graph(on.without_gradient());
            keep_item_graph(on.tape());
            on.tape().reset();
        }
        if (learns_graph)
            build_item_graph(on);
        else
            no_gradient_of_item_graph(on);
        if (!is_kept()) keep_item_graph(on.tape());

        auto const q = on["item_embedding"];
        auto const e =
            interactions(on, concatenate_rows(on["user_embedding"], q), batch_nodes_, true);
        auto const h = learns_graph ? over_built_graph(q) : over_kept_graph(q);
        auto const item = [&](std::span<std::int32_t const> node,
                              std::span<std::int32_t const> index) {
            return gather(e, node) + normalise_rows(gather(h, index));
        };
        auto const u = gather(e, users), p = item(positive_nodes_, positives),
                   n = item(negative_nodes_, negatives);
        auto const bpr = ranking_loss(u, p, n);
        // A sum over rows, beside a mean.
        auto const weight = values_.reg_weight / (2.0 * values_.train_batch_size) * batch.parts();
        auto const squares =
            static_cast<T>(weight) * (sum_of_squares(u) + sum_of_squares(p) + sum_of_squares(n));
        terms = {{"batch_mf_loss", bpr}, {"batch_emb_loss", squares}};
        return bpr + squares;
    }

    Sides<B> represent(OnTape<B> const& on) {
        build_item_graph(on);
        auto const q = on["item_embedding"];
        auto const e =
            interactions(on, concatenate_rows(on["user_embedding"], q), Rows::all(), false);
        auto const [users, items] = sides(e, static_cast<std::size_t>(n_users_));
        return {users, items + normalise_rows(over_built_graph(q))};
    }

    /// "item_adj_used" is the graph that the epoch keeps, after its first loss.
    std::vector<NamedGraph<T>> graphs() const {
        std::vector<NamedGraph<T>> all = {{"norm_adj", &graph_.adjacency()},
                                          {"item_adj_used", &kept_}};
        for (auto const& m : modalities_) all.push_back({m.graph_name, &m.original});
        return all;
    }

    /// G, which the epoch's first batch builds of its parameters.
    Csr<T>* carried_graph() { return &kept_; }

private:
    struct Layer {
        std::string weight, bias;
    };
    struct NgcfLayer {
        Layer sum, product;
        std::string dropout;
        double rate;
    };
    struct Modality {
        std::string embedding, graph_name;
        Layer projection;
        Features<T> features;
        Csr<T> original, original_transposed;  // S_m
        Pattern neighbours;                    // of the graph that was built last
    };

    bool mixes() const { return modalities_.size() > 1; }

    static Layer layer(std::string const& name) { return {name + ".weight", name + ".bias"}; }

    Modality modality(std::string const& name, Dataset const& data,
                      FeatureMatrix const& from) const {
        auto original =
            normalised_by_row_sums(nearest_neighbours<T>(data, from, values_.knn_k, threads_));
        auto transposed = transpose(original);
        return {name + "_embedding",
                name + "_original_adj",
                layer(name + "_trs"),
                Features<T>(from),
                std::move(original),
                std::move(transposed),
                {}};
    }

    void add_ngcf_layers() {
        for (std::size_t k = 0; k < values_.weight_size.size(); ++k) {
            if (values_.weight_size[k] != values_.embedding_size ||
                k >= values_.mess_dropout.size())
                throw std::invalid_argument(
                    "lattice: cf_model = ngcf, expected weight_size of numbers that are "
                    "embedding_size (" +
                    std::to_string(values_.embedding_size) + ") and as many in mess_dropout");
            auto const number = std::to_string(k);
            ngcf_layers_.push_back({layer("GC_Linear_list." + number),
                                    layer("Bi_Linear_list." + number),
                                    "message_dropout_layer" + number, values_.mess_dropout[k]});
        }
    }

    // E in these rows.
    Matrix interactions(OnTape<B> const& on, Matrix e, Rows rows, bool training) {
        if (values_.cf_model == "mf") return e;
        if (values_.cf_model == "lightgcn")
            return graph_.mean_of_layers(e, static_cast<int>(values_.weight_size.size()), rows);
        layers_.assign(1, e);
        for (auto const& l : ngcf_layers_) {
            auto const s = graph_.next_layer(e);
            auto const apply_layer = [&](Layer const& of, Matrix x) {
                return leaky_relu(linear(x, on[of.weight], on[of.bias]));
            };
            e = apply_layer(l.sum, s) + apply_layer(l.product, hadamard(e, s));
            if (training && l.rate > 0) e = on.dropout(l.dropout, e, l.rate);
            layers_.push_back(normalise_rows(e));
        }
        return mean(layers_, rows);
    }

    // Puts on the tape what G is made of: w, the cosines of near, and D^(-1/2) of their mixture.
    void build_item_graph(OnTape<B> const& on) {
        weights_.clear();
        if (mixes()) {
            auto const w = softmax_rows(on["modal_weight"]);
            for (std::size_t m = 0; m < modalities_.size(); ++m)
                weights_.push_back(slice_columns(w, m, 1));
        }
        cosines_.clear();
        for (auto& m : modalities_) {
            auto const x = linear(on[m.embedding], on[m.projection.weight], on[m.projection.bias]);
            m.neighbours = Pattern(nearest_neighbours(on.tape().backend().on_host(x.value()),
                                                      values_.knn_k, threads_));
            auto const unit = normalise_rows(x);
            cosines_.push_back(edge_dot(m.neighbours, unit, unit));
        }
        auto const row_sums = mixed(
            [&](std::size_t m) { return edge_row_sum(modalities_[m].neighbours, cosines_[m]); });
        scaling_ = inverse_square_root(row_sums);
    }

    // sum over m of w_m f(m)
    template <class F>
    Matrix mixed(F f) {
        if (!mixes()) return f(0);
        return scale(weights_[0], f(0)) + scale(weights_[1], f(1));
    }

    // H
    Matrix over_built_graph(Matrix h) {
        for (int hop = 0; hop < values_.n_layers; ++hop) {
            auto const scaled = scale_rows(*scaling_, h);
            auto const learned = scale_rows(*scaling_, mixed([&](std::size_t m) {
                return propagate(modalities_[m].neighbours, cosines_[m], scaled);
            }));
            auto const original = mixed([&](std::size_t m) {
                return propagate(modalities_[m].original, modalities_[m].original_transposed, h);
            });
            h = static_cast<T>(1 - values_.lambda_coeff) * learned +
                static_cast<T>(values_.lambda_coeff) * original;
        }
        return h;
    }

    Matrix over_kept_graph(Matrix h) {
        if (kept_transposed_.rows == 0) kept_transposed_ = transpose(kept_);
        for (int hop = 1; hop <= values_.n_layers; ++hop)
            h = propagate(kept_, kept_transposed_, h,
                          hop == values_.n_layers ? Rows(batch_items_) : Rows::all());
        return h;
    }

    // G of the values that build_item_graph left on the tape.
    void keep_item_graph(Tape<B>& tape) {
        auto const learned = [&](std::size_t m) {
            auto const& neighbours = modalities_[m].neighbours;
            auto const values = tape.backend().on_host(cosines_[m].value());
            return Csr<T>{neighbours.rows,
                          neighbours.cols,
                          neighbours.by_row.offsets,
                          neighbours.by_row.ends,
                          {values.data, values.data + values.size()}};
        };
        auto const mix = [&](Csr<T> const& first, auto second) {
            return mixes()
                       ? weighted_sum(weights_[0].scalar(), first, weights_[1].scalar(), second())
                       : first;
        };
        keep(weighted_sum(static_cast<T>(1 - values_.lambda_coeff),
                          normalised_by_row_sums(mix(learned(0), [&] { return learned(1); })),
                          static_cast<T>(values_.lambda_coeff),
                          mix(modalities_[0].original, [&] { return modalities_[1].original; })));
    }

    void keep(Csr<T> graph) {
        kept_ = std::move(graph);
        kept_transposed_ = {};
    }
    void forget_item_graph() {
        auto const n = static_cast<std::size_t>(n_items_);
        keep({n, n, {0}, {}, {}});
    }
    bool is_kept() const { return kept_.offsets.size() > 1; }

    void no_gradient_of_item_graph(OnTape<B> const& on) const {
        if (mixes()) on.leave_out("modal_weight");
        for (auto const& m : modalities_)
            for (auto const* name : {&m.embedding, &m.projection.weight, &m.projection.bias})
                on.leave_out(*name);
    }

    HyperParameters values_;
    std::int32_t n_users_, n_items_;
    int threads_;
    NodeGraph<B> graph_;  // A
    std::vector<Modality> modalities_;
    std::vector<NgcfLayer> ngcf_layers_;
    Csr<T> kept_, kept_transposed_;  // G of this epoch, and G^T where it was asked for
    RowSet batch_nodes_, batch_items_;
    std::vector<std::int32_t> positive_nodes_, negative_nodes_;
    std::vector<Matrix> layers_, weights_, cosines_;
    std::optional<Matrix> scaling_;
};

}  // namespace polder::recsys
