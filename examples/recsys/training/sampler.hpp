/// Training batches: which rows, in which order, against which negatives.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <polder/closure/pass.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/random.hpp"

namespace polder::recsys {

/// The users who have every item of train, ascending: there is no negative for their rows.
inline std::vector<std::int32_t> users_without_negatives(Dataset const& data) {
    std::vector<bool> occurs(static_cast<std::size_t>(data.n_items));
    for (auto const& row : data.train) occurs[static_cast<std::size_t>(row.item)] = true;
    auto const n_items = static_cast<std::size_t>(std::count(occurs.begin(), occurs.end(), true));
    auto const history = UserItems::distinct(data.train, data.n_users);
    std::vector<std::int32_t> result;
    for (std::int32_t user = 0; user < data.n_users; ++user)
        if (n_items > 0 && history[user].size() == n_items) result.push_back(user);
    return result;
}

/// The train rows that have a negative: all but those of users_without_negatives. Throws std::runtime_error for data
/// without train rows, and where none is left.
inline std::vector<Interaction> rows_with_negatives(Dataset const& data) {
    if (data.train.empty())
        throw std::runtime_error("data set '" + data.name + "' has no training rows");
    auto const without = users_without_negatives(data);
    auto rows = data.train;
    std::erase_if(rows, [&](Interaction const& row) {
        return std::binary_search(without.begin(), without.end(), row.user);
    });
    if (rows.empty())
        throw std::runtime_error("data set '" + data.name +
                                 "': every user has all items of the training rows, so there is "
                                 "no negative");
    return rows;
}

/// Batches of the train rows, as a function of (seed, epoch, number of the batch) alone.
///
/// Every epoch takes all rows in a new uniform random order, cut into consecutive batches of
/// `batch_size`; the last one may be shorter. Each row gets one negative: uniform over the distinct
/// items of train, drawn again while it is in the user's train history. Items of valid and test are
/// negatives like others. A user who has every item of train has no negative: those rows are left out, unless the
/// model does not look at negatives; then any item stands in their place.
///
/// Methods with a mixed loss ("+") take a second batch in each step. Theirs come from a second
/// permutation of the same epoch, independent of the first, with negatives of their own: in an
/// epoch every row is used once in each of the two roles. With half_steps, step k takes the batches 2 k and 2 k + 1 of
/// the first permutation, and every row is used once; where their number is odd, the second batch of the last step is
/// the epoch's first. The BSAM paper leaves open which.
class Sampler {
public:
    /// Throws std::runtime_error for an empty train split and where there is no negative for any row;
    /// std::invalid_argument for a batch size of 0. `draws_negatives`: whether the model looks at them.
    Sampler(Dataset const& data, std::size_t batch_size, std::uint64_t seed,
            bool half_steps = false, bool draws_negatives = true)
        : rows_(draws_negatives ? rows_with_negatives(data) : data.train), batch_size_(batch_size),
          seed_(seed), half_steps_(half_steps),
          history_(UserItems::distinct(data.train, data.n_users)) {
        if (rows_.empty())
            throw std::runtime_error("data set '" + data.name + "' has no training rows");
        if (batch_size == 0) throw std::invalid_argument("batch size = 0, expected at least 1");
        std::vector<bool> occurs(static_cast<std::size_t>(data.n_items));
        for (auto const& row : data.train) occurs[static_cast<std::size_t>(row.item)] = true;
        for (std::int32_t item = 0; item < data.n_items; ++item)
            if (occurs[static_cast<std::size_t>(item)]) items_.push_back(item);
    }

    /// Steps of an epoch, which are the batches of each role: ceil(train rows / batch size), or with half_steps half
    /// of that, rounded up.
    std::size_t n_batches() const { return half_steps_ ? (n_cuts() + 1) / 2 : n_cuts(); }

    /// Batch k of `epoch` in the given role. The views are valid until the next call for that role.
    Triples batch(polder::Batch role, int epoch, std::size_t k) {
        auto& stream = streams_[static_cast<std::size_t>(role)];
        auto const number = static_cast<int>(role);
        auto const of = half_steps_ ? 0 : number;  // whose permutation
        auto const cut = half_steps_ ? (2 * k + static_cast<std::size_t>(number)) % n_cuts() : k;
        if (stream.epoch != epoch) {
            stream.order.resize(rows_.size());
            std::iota(stream.order.begin(), stream.order.end(), 0U);
            Random(seed_, "permutation", of, epoch).shuffle(std::span(stream.order));
            stream.epoch = epoch;
            stream.cut = n_cuts();
        }
        if (stream.cut != cut) {
            draw(stream, Random(seed_, "negatives", of, epoch, cut), cut);
            stream.cut = cut;
        }
        return {stream.users, stream.positives, stream.negatives,
                2 * k + static_cast<std::uint64_t>(number)};
    }

private:
    // What the rows of a permutation are cut into.
    std::size_t n_cuts() const { return (rows_.size() + batch_size_ - 1) / batch_size_; }

    // What is drawn for one role.
    struct Stream {
        int epoch = -1;
        std::size_t cut = 0;  // what was drawn last
        std::vector<std::uint32_t> order;
        std::vector<std::int32_t> users, positives, negatives;
    };

    void draw(Stream& stream, Random random, std::size_t k) const {
        auto const begin = k * batch_size_;
        auto const n = std::min(batch_size_, rows_.size() - begin);
        stream.users.resize(n);
        stream.positives.resize(n);
        stream.negatives.resize(n);
        for (std::size_t b = 0; b < n; ++b) {
            auto const& row = rows_[stream.order[begin + b]];
            stream.users[b] = row.user;
            stream.positives[b] = row.item;
            bool const has_all = history_[row.user].size() == items_.size();
            do {
                stream.negatives[b] = items_[random.uniform_index(items_.size())];
            } while (!has_all && history_.contains(row.user, stream.negatives[b]));
        }
    }

    std::vector<Interaction> rows_;
    std::size_t batch_size_;
    std::uint64_t seed_;
    bool half_steps_;
    UserItems history_;
    std::vector<std::int32_t> items_;  // distinct items of train, ascending
    std::array<Stream, 2> streams_;
};

}  // namespace polder::recsys
