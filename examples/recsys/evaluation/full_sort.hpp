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
#include "recsys/ranks.hpp"

namespace polder::recsys {

/// The `length` best items of one user, from scores that come in ascending order of items:
/// higher scores first, of equal scores the lower item. Scores that are not-a-number or minus
/// infinity are never in the list.
template <class T>
class TopList {
public:
    /// A score and its item.
    using Candidate = std::pair<T, std::int32_t>;

    explicit TopList(std::size_t length = list_length)
        : length_(length), full_(3 * length), candidates_(full_ + group) {}

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

    /// The list, best first; the next call of `offer` starts a new one. At most `length` items,
    /// fewer where fewer were offered.
    std::span<Candidate const> finish() {
        if (count_ > length_) shrink();
        auto const n = count_;
        std::sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(n),
                  IsBetter{});
        count_ = 0;
        threshold_ = lowest;
        return std::span(candidates_).first(n);
    }

private:
    static constexpr std::size_t group = 32;
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
        if (count_ >= full_) shrink();
    }

    void shrink() {
        auto const last = candidates_.begin() + static_cast<std::ptrdiff_t>(length_) - 1;
        std::nth_element(candidates_.begin(), last,
                         candidates_.begin() + static_cast<std::ptrdiff_t>(count_), IsBetter{});
        count_ = length_;
        threshold_ = last->first;
    }

    std::size_t length_, full_;
    std::vector<Candidate> candidates_;
    std::size_t count_ = 0;
    T threshold_ = lowest;
};

/// Calls f(k, list) for each k once, in no order, from several threads: the list, best first, of `length` items for the
/// user `users[k]`, by score(u, i) = r.users.row(u) . r.items.row(i). Those of masked(k), ascending, get `masked_score`;
/// minus infinity keeps them out. Results do not depend on the number of threads. T: float or double.
template <class T>
void for_each_top_list(
    Representations<T> const& r, std::span<std::int32_t const> users, std::size_t length,
    std::function<std::span<std::int32_t const>(std::size_t k)> const& masked, T masked_score,
    int threads,
    std::function<void(std::size_t k, std::span<std::pair<T, std::int32_t> const> list)> const& f);

/// What lists of a full sort are taken from.
struct ListOptions {
    std::size_t length = list_length;  ///< >= 1
    bool mask_valid = false;           ///< the user's valid items get the score -1e10, too
    std::size_t users = 0;             ///< so many users that are drawn, by seed; 0: all
    std::uint64_t seed = 0;            ///< of that draw
};

/// Full-sort evaluation of valid and test in one pass over the scores.
///
/// Candidates are all items. The user's train items get the score -1e10, at valid and at test;
/// valid items are not masked at test, unless the options say so (then metrics of valid mean nothing). A list has the 50 best,
/// or as many as the options say; of equal scores the lower item comes first. Means run over the users that have rows in the split. Results do not depend on the number
/// of threads. T: float or double.
class FullSort {
public:
    /// Both splits' metrics.
    struct Result {
        Metrics valid, test;
        friend bool operator==(Result const&, Result const&) = default;
    };

    explicit FullSort(Dataset const& data, ListOptions options = {});

    /// Metrics of score(u, i) = users.row(u) . items.row(i). Each of the ranks, which call it together with the same
    /// representations, takes the lists of a share of the users, and gets the metrics of all.
    template <class T>
    Result operator()(Representations<T> const& r, int threads, Ranks const& ranks = {}) const;

    /// The hits of each user with rows in test, users ascending.
    template <class T>
    std::vector<UserHits> test_hits(Representations<T> const& r, int threads) const;

    /// The users with rows in valid or test that are ranked, ascending.
    std::span<std::int32_t const> users() const { return users_; }

    /// Takes k and the items of the list of users()[k], best first.
    using TakeList = std::function<void(std::size_t k, std::span<std::int32_t const> list)>;

    /// Calls f for each of users() once, in no order, from several threads.
    template <class T>
    void for_each_list(Representations<T> const& r, int threads, TakeList const& f) const;

    /// Writes the scores of all items for users()[k].
    using WriteScores = std::function<void(std::size_t k, std::span<float> scores)>;

    /// The same for scores that are no products. Calls `scores` from several threads, too.
    void for_each_list(WriteScores const& scores, int threads, TakeList const& f) const;

private:
    // The same for users()[first], ..., users()[end - 1].
    template <class T>
    void for_each_list(Representations<T> const& r, std::size_t first, std::size_t end, int threads,
                       TakeList const& f) const;

    ListOptions options_;
    std::size_t n_items_;
    UserItems masked_, valid_, test_;
    std::vector<std::int32_t> users_;
};

}  // namespace polder::recsys
