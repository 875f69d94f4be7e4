/// Users and items side by side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "recsys/tape/dense.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// A matrix of users and one of items on a tape, with a row each. As what a model scores by:
///
///     score(u, i) = users.row(u) . items.row(i)
template <class B>
struct Sides {
    Value<B> users;  ///< (n_users, d)
    Value<B> items;  ///< (n_items, d)
};

/// A matrix of all nodes, users first, in two.
template <class B>
Sides<B> sides(Value<B> nodes, std::size_t n_users) {
    return {slice_rows(nodes, 0, n_users), slice_rows(nodes, n_users, nodes.rows() - n_users)};
}

/// The nodes that items are in a graph of all nodes, users first.
inline void assign_item_nodes(std::vector<std::int32_t>& nodes, std::span<std::int32_t const> items,
                              std::int32_t n_users) {
    nodes.assign(items.begin(), items.end());
    for (std::int32_t& node : nodes) node += n_users;
}

}  // namespace polder::recsys
