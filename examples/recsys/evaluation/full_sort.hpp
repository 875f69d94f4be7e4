/// Full-sort evaluation: every user's list is taken from all items.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <utility>
#include <vector>

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
/// of threads. T: float or double.
class FullSort {
public:
    /// Both splits' metrics.
    struct Result {
        Metrics valid, test;
        friend bool operator==(Result const&, Result const&) = default;
    };

    explicit FullSort(Dataset const& data);

    /// Metrics of score(u, i) = users.row(u) . items.row(i).
    template <class T>
    Result operator()(Representations<T> const& r, int threads) const;

    /// The hits of each user with rows in test, users ascending.
    template <class T>
    std::vector<UserHits> test_hits(Representations<T> const& r, int threads) const;

    /// The users with rows in valid or test, ascending.
    std::span<std::int32_t const> users() const { return users_; }

    /// Takes k and the items of the list of users()[k], best first.
    using TakeList = std::function<void(std::size_t k, std::span<std::int32_t const> list)>;

    /// Calls f for each of users() once, in no order, from several threads.
    template <class T>
    void for_each_list(Representations<T> const& r, int threads, TakeList const& f) const;

private:
    template <class T>
    void rank_block(Representations<T> const& r, std::size_t first, std::size_t n,
                    TakeList const& f) const;

    UserItems train_, valid_, test_;
    std::vector<std::int32_t> users_;
};

}  // namespace polder::recsys
