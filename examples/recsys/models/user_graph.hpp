/// The graph of users with items in common, of which every user keeps k neighbours in an epoch.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/common_items.hpp"
#include "recsys/models/noise.hpp"
#include "recsys/tape/csr.hpp"
#include "recsys/tape/sparse.hpp"

namespace polder::recsys {

/// What users receive from k others: h_a = sum over the slots j = 1..k of alpha_aj x_nb(a, j).
///
///     c_ab = |I_a and I_b|, the items in common over train rows, a != b
///     slots of a, of the n_a users with c_ab > 0 in the order of falling c_ab, lower ids first:
///         n_a >= k       the first k
///         0 < n_a < k    all n_a; then, until there are k, a copy of an element drawn uniformly from the
///                        list as it has grown so far
///         n_a = 0        none, h_a = 0
///     alpha_a = softmax over the slots of the counts c_a,nb(a, j), or 1/k each
///
/// Only users with fewer than k such others change from epoch to epoch.
/// Wang et al., DualGNN, IEEE TMM 2021; as computed by MMRec, src/models/dualgnn.py. There, the order among
/// equal counts is whatever the sort leaves, here it is fixed.
template <class T>
class UserGraph {
public:
    /// `softmax`: weights by counts, otherwise 1/k each.
    UserGraph(Dataset const& data, int k, bool softmax, int threads)
        : k_(static_cast<std::size_t>(k)), softmax_(softmax),
          neighbours_(common_items(UserItems::distinct(data.train, data.n_users), data.n_items, k_,
                                   threads)) {}

    /// Draws the slots of the epoch of `noise`. The name of the draw is "sampled_user_graph"; what is
    /// fixed are "sampled_user_graph.index" and "sampled_user_graph.weight", (n_users, k) each.
    template <class System>
    void sample(Noise<T, System> const& noise) {
        constexpr std::string_view name = "sampled_user_graph";
        const std::size_t n_users = neighbours_.size();
        auto const* const fixed_users = noise.fixed(std::string(name) + ".index");
        auto const* const fixed_weights = noise.fixed(std::string(name) + ".weight");
        const bool is_fixed = fixed_users != nullptr && fixed_weights != nullptr;
        if (is_fixed &&
            (fixed_users->size() != n_users * k_ || fixed_weights->size() != n_users * k_))
            throw std::invalid_argument("noise: '" + std::string(name) + "' has " +
                                        std::to_string(fixed_users->size()) + " users and " +
                                        std::to_string(fixed_weights->size()) +
                                        " weights, expected " + std::to_string(n_users * k_));

        graph_ = {n_users, n_users, {0}, {}, {}};
        Random random = noise.of_epoch(name);
        for (std::size_t user = 0; user < n_users; ++user) {
            if (is_fixed) {
                slots_.clear();
                for (std::size_t slot = user * k_; slot < (user + 1) * k_; ++slot)
                    slots_.push_back(
                        {static_cast<std::int32_t>((*fixed_users)[slot]), (*fixed_weights)[slot]});
            } else {
                draw_slots(neighbours_[user], random);
            }
            append_row();
        }
        transposed_ = transpose(graph_);
    }

    /// h (n_users, d) of x (n_users, d), in the rows `rows` only.
    template <class B>
    Value<B> operator()(Value<B> x, Rows rows = Rows::all()) const {
        return propagate(graph_, transposed_, x, rows);
    }

private:
    struct Slot {
        std::int32_t user;
        double weight;
    };

    void draw_slots(std::vector<CommonItems> const& neighbours, Random& random) {
        slots_.clear();
        if (neighbours.empty()) return;
        for (auto const& [user, count] : neighbours)
            slots_.push_back({user, static_cast<double>(count)});
        while (slots_.size() < k_)
            slots_.push_back(slots_[static_cast<std::size_t>(random.uniform_index(slots_.size()))]);
        const double largest = slots_.front().weight;  // the counts fall
        double total = 0;
        for (Slot& slot : slots_) {
            slot.weight = softmax_ ? std::exp(slot.weight - largest) : 1;
            total += slot.weight;
        }
        for (Slot& slot : slots_) slot.weight /= total;
    }

    // The slots become a row of the graph: those of one neighbour add up.
    void append_row() {
        std::stable_sort(slots_.begin(), slots_.end(),
                         [](Slot const& a, Slot const& b) { return a.user < b.user; });
        for (std::size_t slot = 0; slot < slots_.size();) {
            const std::int32_t user = slots_[slot].user;
            double weight = 0;
            for (; slot < slots_.size() && slots_[slot].user == user; ++slot)
                weight += slots_[slot].weight;
            if (weight == 0) continue;
            graph_.columns.push_back(user);
            graph_.values.push_back(static_cast<T>(weight));
        }
        graph_.offsets.push_back(graph_.columns.size());
    }

    std::size_t k_;
    bool softmax_;
    std::vector<std::vector<CommonItems>> neighbours_;  // at most k each
    std::vector<Slot> slots_;
    Csr<T> graph_, transposed_;
};

}  // namespace polder::recsys
