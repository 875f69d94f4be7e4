/// The users and items of a batch without repetitions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/tape/dense.hpp"
#include "recsys/tape/rows.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// The users and the items of a batch, as rows of a matrix of all users and one of all items: what is computed in
/// these rows only.
class RowsOfBatch {
public:
    explicit RowsOfBatch(Dataset const& data)
        : n_users_(static_cast<std::size_t>(data.n_users)),
          n_items_(static_cast<std::size_t>(data.n_items)) {}

    void assign(Triples const& batch) {
        users.assign(n_users_, {batch.users});
        items.assign(n_items_, {batch.positives, batch.negatives});
    }

    RowSet users, items;

private:
    std::size_t n_users_, n_items_;
};

/// Of x, which has a row for each row of the whole batch, those of a part. The whole itself is as it is.
template <class B>
Value<B> rows_of(Triples const& part, Value<B> x) {
    return x.rows() == part.size() ? x : slice_rows(x, part.first(), part.size());
}

/// The distinct ids in several lists, ascending, and for every entry of a list which of them it is: what
/// costs much per id is computed once, and then gathered.
class DistinctIds {
public:
    /// Every id is less than n_ids. Allocates only where there is more of something than ever before.
    void assign(std::size_t n_ids, std::initializer_list<std::span<std::int32_t const>> lists) {
        ids_.assign(n_ids, lists);
        place_.resize(n_ids);
        for (std::size_t k = 0; k < ids().size(); ++k)
            place_[static_cast<std::size_t>(ids()[k])] = static_cast<std::int32_t>(k);
        places_.clear();
        begins_.clear();
        for (auto const& list : lists) {
            begins_.push_back(places_.size());
            for (const std::int32_t id : list)
                places_.push_back(place_[static_cast<std::size_t>(id)]);
        }
        begins_.push_back(places_.size());
    }

    /// The distinct ids, and the same as a set.
    std::span<std::int32_t const> ids() const { return ids_.members(); }
    RowSet const& set() const { return ids_; }

    /// ids()[places(k)[b]] is entry b of list k.
    std::span<std::int32_t const> places(std::size_t list) const {
        return std::span(places_).subspan(begins_[list], begins_[list + 1] - begins_[list]);
    }

private:
    RowSet ids_;
    std::vector<std::int32_t> place_, places_;
    std::vector<std::size_t> begins_;
};

}  // namespace polder::recsys
