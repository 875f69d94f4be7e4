/// Full-sort evaluation where the scores are computed: on a device.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/config.hpp>
#include <polder/device/passes.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/model.hpp"
#include "recsys/tape/device_backend.hpp"

namespace polder::recsys {

namespace detail {

/// Bit r - 1 says that rank r of a user's list is a hit.
struct HitsOfList {
    std::uint64_t valid = 0, test = 0;
};
static_assert(list_length <= 64);

// Items of users, those of the k-th at offsets[k] to offsets[k + 1].
struct ItemsThere {
    std::int32_t const *offsets, *items;

    POLDER_HOST_DEVICE std::size_t count(std::size_t k) const {
        return static_cast<std::size_t>(offsets[k + 1] - offsets[k]);
    }
    POLDER_HOST_DEVICE std::int32_t item(std::size_t k, std::size_t place) const {
        return items[static_cast<std::size_t>(offsets[k]) + place];
    }
    template <class Group>
    POLDER_HOST_DEVICE bool contain(Group group, std::size_t k, double wanted) const {
        double found = 0;
        group.for_each(count(k), [&](std::size_t place) {
            if (static_cast<double>(item(k, place)) == wanted) found = 1;
        });
        return group.max(found) > 0;
    }
};

/// The list of a user, best first, item by item: each is the best of those that are worse than the one before,
/// and of equal ones the lowest.
template <class T>
struct RankUser {
    MatrixView<T> scores;  // of the users of a tile
    std::size_t first;     // of these users
    ItemsThere train, valid, test;
    HitsOfList* hits;

    template <class Group>
    POLDER_HOST_DEVICE void operator()(Group group, std::size_t row) const {
        constexpr double none = -std::numeric_limits<double>::infinity();
        const std::size_t k = first + row;
        T* const of_user = scores.data + row * scores.cols;
        group.for_each(train.count(k),
                       [&](std::size_t place) { of_user[train.item(k, place)] = T(-1e10); });
        group.wait();

        HitsOfList found;
        double last = -none, last_item = -1;
        for (std::size_t rank = 0; rank < list_length; ++rank) {
            double best = none, best_item = none;
            group.for_each(scores.cols, [&](std::size_t item) {
                auto const score = static_cast<double>(of_user[item]);
                auto const number = static_cast<double>(item);
                const bool is_left = score < last || (score == last && number > last_item);
                if (is_left && score > best) {
                    best = score;
                    best_item = number;
                }
            });
            last = group.max(best);
            if (!(last > none)) break;
            last_item = -group.max(best == last ? -best_item : none);
            if (valid.contain(group, k, last_item)) found.valid |= std::uint64_t{1} << rank;
            if (test.contain(group, k, last_item)) found.test |= std::uint64_t{1} << rank;
        }
        group.for_each(1, [&](std::size_t) { hits[k] = found; });
    }
};

}  // namespace detail

/// FullSort's lists and metrics on the device of the back end B: products of users and items in tiles, and the
/// lists of each tile. Only which ranks are hits comes to the host.
template <class B>
class DeviceFullSort {
    using T = typename B::Scalar;
    using System = typename B::System;

public:
    explicit DeviceFullSort(Dataset const& data)
        : valid_(data.valid, data.n_users), test_(data.test, data.n_users) {
        for (std::int32_t user = 0; user < data.n_users; ++user)
            if (!valid_[user].empty() || !test_[user].empty()) users_.push_back(user);
        auto const train = UserItems::distinct(data.train, data.n_users);
        send(train, train_there_);
        send(valid_, valid_there_);
        send(test_, test_there_);
        hits_there_.reserve(users_.size());
    }

    /// As FullSort, for views of the device. Waits for it.
    FullSort::Result operator()(Representations<T> const& r) {
        rank(r);
        std::vector<Metrics> valid, test;
        for (std::size_t k = 0; k < users_.size(); ++k) {
            auto const add = [&](UserItems const& rows, std::uint64_t bits,
                                 std::vector<Metrics>& to) {
                if (!rows[users_[k]].empty())
                    to.push_back(metrics_of_hits(hits_of(users_[k], rows, bits)));
            };
            add(valid_, hits_[k].valid, valid);
            add(test_, hits_[k].test, test);
        }
        return {mean(valid), mean(test)};
    }

    /// The hits of each user with rows in test, users ascending.
    std::vector<UserHits> test_hits(Representations<T> const& r) {
        rank(r);
        std::vector<UserHits> result;
        for (std::size_t k = 0; k < users_.size(); ++k)
            if (!test_[users_[k]].empty())
                result.push_back(hits_of(users_[k], test_, hits_[k].test));
        return result;
    }

private:
    static constexpr std::size_t scores_of_tile = std::size_t{1} << 24;

    struct There {
        DeviceBuffer<std::int32_t, System> offsets, items;
        detail::ItemsThere view() const { return {offsets.data(), items.data()}; }
    };

    // The items of users_, in their order.
    void send(UserItems const& from, There& to) {
        std::vector<std::int32_t> offsets{0}, items;
        for (const std::int32_t user : users_) {
            items.insert(items.end(), from[user].begin(), from[user].end());
            offsets.push_back(static_cast<std::int32_t>(items.size()));
        }
        to.offsets.send(backend_.system(), offsets);
        to.items.send(backend_.system(), items);
    }

    static UserHits hits_of(std::int32_t user, UserItems const& rows, std::uint64_t bits) {
        UserHits hits{user, rows[user].size(), {}};
        for (std::size_t rank = 0; rank < list_length; ++rank)
            if ((bits >> rank & 1) != 0) hits.ranks.push_back(static_cast<int>(rank) + 1);
        return hits;
    }

    void rank(Representations<T> const& r) {
        backend_.begin_evaluation();
        hits_.resize(users_.size());
        if (users_.empty()) return;
        const std::size_t most = std::clamp<std::size_t>(
            scores_of_tile / std::max<std::size_t>(r.items.rows, 1), 1, users_.size());
        T* const rows = rows_.reserve(most * r.users.cols);
        T* const scores = scores_.reserve(most * r.items.rows);
        for (std::size_t first = 0; first < users_.size(); first += most) {
            const std::size_t n = std::min(most, users_.size() - first);
            const MatrixView<T> users{rows, n, r.users.cols}, tile{scores, n, r.items.rows};
            backend_.gather(r.users, std::span(users_).subspan(first, n), users);
            backend_.product(users, Form::plain, r.items, Form::transposed, tile, false);
            backend_.for_rows(n, detail::RankUser<T>{tile, first, train_there_.view(),
                                                     valid_there_.view(), test_there_.view(),
                                                     hits_there_.data()});
        }
        System::read(hits_.data(), hits_there_.data(), hits_.size() * sizeof hits_[0]);
    }

    UserItems valid_, test_;
    std::vector<std::int32_t> users_;
    B backend_;
    There train_there_, valid_there_, test_there_;
    DeviceBuffer<T, System> rows_, scores_;
    DeviceBuffer<detail::HitsOfList, System> hits_there_;
    std::vector<detail::HitsOfList> hits_;
};

}  // namespace polder::recsys
