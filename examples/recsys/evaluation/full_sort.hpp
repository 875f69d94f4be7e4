/// Full-sort evaluation: every user's list is taken from all items.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <polder/engine/parallel.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/model.hpp"

namespace polder::recsys {

/// The `list_length` best items of one user, from scores that come in ascending order of items:
/// higher scores first, of equal scores the lower item. Scores that are not-a-number or minus
/// infinity are never in the list.
template <class T>
class TopList {
public:
    /// Takes the scores of items first_item, first_item + 1, ...
    void offer(std::span<T const> scores, std::int32_t first_item) {
        std::size_t k = 0;
        // Most scores are below the threshold: whole groups are passed over with one comparison
        // each, which the compiler turns into vector instructions.
        for (; k + group <= scores.size(); k += group)
            if (any_above(scores.data() + k))
                take(scores.subspan(k, group), first_item + static_cast<std::int32_t>(k));
        take(scores.subspan(k), first_item + static_cast<std::int32_t>(k));
    }

    /// The list, best first; the next call of `offer` starts a new one. At most list_length items,
    /// fewer where fewer were offered.
    std::span<std::int32_t const> finish() {
        if (count_ > list_length) shrink();
        auto const n = count_;
        std::sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(n),
                  IsBetter{});
        for (std::size_t k = 0; k < n; ++k) items_[k] = candidates_[k].second;
        count_ = 0;
        threshold_ = lowest;
        return std::span(items_).first(n);
    }

private:
    using Candidate = std::pair<T, std::int32_t>;
    static constexpr std::size_t group = 32;
    static constexpr std::size_t full = 3 * list_length;
    static constexpr T lowest = -std::numeric_limits<T>::infinity();

    struct IsBetter {
        bool operator()(Candidate const& a, Candidate const& b) const {
            // Without a branch: half of them would be mispredicted.
            return static_cast<bool>(int{a.first > b.first} |
                                     (int{a.first == b.first} & int{a.second < b.second}));
        }
    };

    bool any_above(T const* scores) const {
        int n_above = 0;
        for (std::size_t k = 0; k < group; ++k) n_above += scores[k] > threshold_ ? 1 : 0;
        return n_above > 0;
    }

    // At most `group` scores. Written without a branch per score: every one is stored, and only
    // those above the threshold are kept (an equal later item is worse, hence not >=).
    void take(std::span<T const> scores, std::int32_t first_item) {
        for (std::size_t k = 0; k < scores.size(); ++k) {
            candidates_[count_] = {scores[k], first_item + static_cast<std::int32_t>(k)};
            count_ += scores[k] > threshold_ ? 1 : 0;
        }
        if (count_ >= full) shrink();
    }

    void shrink() {
        auto const last = candidates_.begin() + static_cast<std::ptrdiff_t>(list_length) - 1;
        std::nth_element(candidates_.begin(), last,
                         candidates_.begin() + static_cast<std::ptrdiff_t>(count_), IsBetter{});
        count_ = list_length;
        threshold_ = last->first;
    }

    std::array<Candidate, full + group> candidates_;
    std::array<std::int32_t, list_length> items_;
    std::size_t count_ = 0;
    T threshold_ = lowest;
};

/// Full-sort evaluation of valid and test in one pass over the scores.
///
/// Candidates are all items. The user's train items get the score -1e10, at valid and at test;
/// valid items are not masked at test. A list has the 50 best; of equal scores the lower item comes
/// first. Means run over the users that have rows in the split. Results do not depend on the number
/// of threads.
class FullSort {
public:
    /// Both splits' metrics.
    struct Result {
        Metrics valid, test;
        friend bool operator==(Result const&, Result const&) = default;
    };

    explicit FullSort(Dataset const& data)
        : train_(UserItems::distinct(data.train, data.n_users)), valid_(data.valid, data.n_users),
          test_(data.test, data.n_users) {
        for (std::int32_t user = 0; user < data.n_users; ++user)
            if (!valid_[user].empty() || !test_[user].empty()) users_.push_back(user);
    }

    /// Metrics of score(u, i) = users.row(u) . items.row(i).
    template <class T>
    Result operator()(Representations<T> const& r, int threads) const {
        std::vector<Metrics> valid(users_.size()), test(users_.size());
        for_each_list(r, threads, [&](std::size_t place, std::span<std::int32_t const> list) {
            auto const user = users_[place];
            if (!valid_[user].empty()) valid[place] = metrics_of_list(list, valid_[user]);
            if (!test_[user].empty()) test[place] = metrics_of_list(list, test_[user]);
        });
        auto const is_absent = [](Metrics const& user) { return user.n_users == 0; };
        std::erase_if(valid, is_absent);
        std::erase_if(test, is_absent);
        return {mean(valid), mean(test)};
    }

    /// The hits of each user with rows in test, users ascending.
    template <class T>
    std::vector<UserHits> test_hits(Representations<T> const& r, int threads) const {
        std::vector<UserHits> result(users_.size());
        for_each_list(r, threads, [&](std::size_t place, std::span<std::int32_t const> list) {
            result[place] = hits_of_list(users_[place], list, test_[users_[place]]);
        });
        std::erase_if(result, [](UserHits const& user) { return user.n_rows == 0; });
        return result;
    }

    /// The users with rows in valid or test, ascending.
    std::span<std::int32_t const> users() const { return users_; }

    /// Calls f(k, list) for users()[k] and the items of their list, best first. f is called once for
    /// each k, in no order, from several threads.
    template <class T, class F>
    void for_each_list(Representations<T> const& r, int threads, F const& f) const {
        auto const n_blocks = (users_.size() + user_block - 1) / user_block;
        parallel_for(n_blocks, threads, [&](std::size_t block) {
            auto const first = block * user_block;
            rank_block(r, first, std::min(user_block, users_.size() - first), f);
        });
    }

private:
    template <class T>
    using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

    // A tile of scores and the rows it comes from stay in the second-level cache (float, d = 64:
    // 256 + 32 + 128 KiB).
    static constexpr std::size_t user_block = 128;
    static constexpr std::size_t item_block = 512;

    // Lists of users_[first], ..., users_[first + n - 1].
    template <class T, class F>
    void rank_block(Representations<T> const& r, std::size_t first, std::size_t n,
                    F const& f) const {
        auto const d = static_cast<Eigen::Index>(r.items.cols);
        Eigen::Map<Matrix<T> const> const all_items(r.items.data,
                                                    static_cast<Eigen::Index>(r.items.rows), d);
        Eigen::Map<Matrix<T> const> const all_users(r.users.data,
                                                    static_cast<Eigen::Index>(r.users.rows), d);
        Matrix<T> users(static_cast<Eigen::Index>(n), d);
        for (std::size_t k = 0; k < n; ++k)
            users.row(static_cast<Eigen::Index>(k)) = all_users.row(users_[first + k]);

        Matrix<T> scores(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(item_block));
        std::vector<TopList<T>> lists(n);
        std::vector<std::size_t> n_masked(n);  // how many of the user's train items are behind
        for (std::size_t begin = 0; begin < r.items.rows; begin += item_block) {
            auto const width = std::min(item_block, r.items.rows - begin);
            scores.leftCols(static_cast<Eigen::Index>(width)).noalias() =
                users *
                all_items
                    .middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(width))
                    .transpose();
            for (std::size_t k = 0; k < n; ++k) {
                std::span<T> const row(scores.data() + k * item_block, width);
                auto const train = train_[users_[first + k]];
                for (auto& m = n_masked[k];
                     m < train.size() && static_cast<std::size_t>(train[m]) < begin + width; ++m)
                    row[static_cast<std::size_t>(train[m]) - begin] = T(-1e10);
                lists[k].offer(row, static_cast<std::int32_t>(begin));
            }
        }
        for (std::size_t k = 0; k < n; ++k) f(first + k, lists[k].finish());
    }

    UserItems train_, valid_, test_;
    std::vector<std::int32_t> users_;
};

}  // namespace polder::recsys
