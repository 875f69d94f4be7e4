/// The rows that a model learns from: what a user chose, and what they did not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace polder::recsys {

/// The rows of one training batch, triples (user, positive item, negative item): row b says that user
/// `users[b]` chose item `positives[b]`, and that item `negatives[b]` was drawn against it. Equal lengths;
/// ids start at 0 and may repeat.
/// `number` tells the batches of an epoch apart, 2 k for the k-th and 2 k + 1 for the one that a "+"
/// method adds to it (polder::Batch): what a model draws at random for a batch depends on it.
struct Triples {
    std::span<std::int32_t const> users, positives, negatives;
    std::uint64_t number = 0;
    Triples const* whole = nullptr;  ///< of a part (models/parts.hpp): the batch; else null

    /// The batch that a part is of. What is no sum over rows, as norms are, a model computes of it.
    Triples const& all() const { return whole != nullptr ? *whole : *this; }
    std::size_t size() const { return users.size(); }
    /// Which row of the whole batch is the first of this part.
    std::size_t first() const {
        return static_cast<std::size_t>(users.data() - all().users.data());
    }
    /// How often the rows of this part go into the batch. A sum over rows, times this, is right in a mean over parts that is
    /// weighted by their rows.
    double parts() const { return static_cast<double>(all().size()) / static_cast<double>(size()); }

    /// Rows `first` to first + count - 1, as rows of this batch.
    Triples rows(std::size_t first, std::size_t count) const {
        auto const part = [&](std::span<std::int32_t const> ids) {
            return ids.empty() ? ids : ids.subspan(first, count);
        };
        return {part(users), part(positives), part(negatives), number};
    }
};

/// Throws std::invalid_argument for lists of unequal length or none, and std::out_of_range for an id
/// outside of a data set of that size.
inline void check(Triples const& batch, std::int32_t n_users, std::int32_t n_items) {
    if (batch.users.empty() || batch.positives.size() != batch.users.size() ||
        batch.negatives.size() != batch.users.size())
        throw std::invalid_argument("batch: " + std::to_string(batch.users.size()) + " users, " +
                                    std::to_string(batch.positives.size()) + " positives, " +
                                    std::to_string(batch.negatives.size()) +
                                    " negatives, expected equal numbers, at least 1");
    auto const check_ids = [](std::string_view what, auto ids, std::int32_t n) {
        for (std::int32_t const id : ids)
            if (id < 0 || id >= n)
                throw std::out_of_range("batch: " + std::string(what) + " " + std::to_string(id) +
                                        ", expected 0 to " + std::to_string(n - 1));
    };
    check_ids("user", batch.users, n_users);
    check_ids("positive item", batch.positives, n_items);
    check_ids("negative item", batch.negatives, n_items);
}

}  // namespace polder::recsys
