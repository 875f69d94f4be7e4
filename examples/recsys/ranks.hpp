/// Several processes that train one model.
#pragma once

#include <memory>
#include <span>

#include <polder/run/ranks.hpp>

namespace polder::recsys {

/// The processes that train one model together (polder/mpi.hpp), each with a part of every batch; or null: this one alone.
using Ranks = std::shared_ptr<polder::detail::Ranks>;

/// Each value becomes its sum over the ranks. All of them call it together. Throws polder::RankError where one has failed.
inline void sum(Ranks const& ranks, std::span<double> values) {
    if (ranks) ranks->sum(values);
}

/// Whether something holds on any of the ranks. As above.
inline bool any(Ranks const& ranks, bool here) {
    double count = here ? 1 : 0;
    sum(ranks, {&count, 1});
    return count > 0;
}

}  // namespace polder::recsys
