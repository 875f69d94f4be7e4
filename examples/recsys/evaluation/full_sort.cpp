#include "recsys/evaluation/full_sort.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include <Eigen/Core>

#include <polder/engine/parallel.hpp>

#include "recsys/random.hpp"

namespace polder::recsys {

namespace {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// A tile of scores and the rows it comes from stay in the second-level cache (float, d = 64:
// 256 + 32 + 128 KiB).
constexpr std::size_t user_block = 128;
constexpr std::size_t item_block = 512;

}  // namespace

template <class T>
void for_each_top_list(
    Representations<T> const& r, std::span<std::int32_t const> users, std::size_t length,
    std::function<std::span<std::int32_t const>(std::size_t k)> const& masked, T masked_score,
    int threads,
    std::function<void(std::size_t k, std::span<std::pair<T, std::int32_t> const> list)> const& f) {
    auto const d = static_cast<Eigen::Index>(r.items.cols);
    Eigen::Map<Matrix<T> const> const all_items(r.items.data,
                                                static_cast<Eigen::Index>(r.items.rows), d);
    Eigen::Map<Matrix<T> const> const all_users(r.users.data,
                                                static_cast<Eigen::Index>(r.users.rows), d);
    auto const n_blocks = (users.size() + user_block - 1) / user_block;
    parallel_for(n_blocks, threads, [&](std::size_t block) {
        auto const first = block * user_block;
        auto const n = std::min(user_block, users.size() - first);
        Matrix<T> of_users(static_cast<Eigen::Index>(n), d);
        for (std::size_t k = 0; k < n; ++k)
            of_users.row(static_cast<Eigen::Index>(k)) = all_users.row(users[first + k]);
        Matrix<T> scores(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(item_block));
        std::vector<TopList<T>> lists(n, TopList<T>(length));
        std::vector<std::size_t> n_masked(n);  // how many of the user's masked items are behind
        for (std::size_t begin = 0; begin < r.items.rows; begin += item_block) {
            auto const width = std::min(item_block, r.items.rows - begin);
            scores.leftCols(static_cast<Eigen::Index>(width)).noalias() =
                of_users *
                all_items
                    .middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(width))
                    .transpose();
            for (std::size_t k = 0; k < n; ++k) {
                std::span<T> const row(scores.data() + k * item_block, width);
                auto const hidden = masked(first + k);
                for (auto& m = n_masked[k];
                     m < hidden.size() && static_cast<std::size_t>(hidden[m]) < begin + width; ++m)
                    row[static_cast<std::size_t>(hidden[m]) - begin] = masked_score;
                lists[k].offer(row, static_cast<std::int32_t>(begin));
            }
        }
        for (std::size_t k = 0; k < n; ++k) f(first + k, lists[k].finish());
    });
}

#define POLDER_TOP_LIST(T)                                                                         \
    template void for_each_top_list<T>(                                                            \
        Representations<T> const&, std::span<std::int32_t const>, std::size_t,                     \
        std::function<std::span<std::int32_t const>(std::size_t)> const&, T, int,                  \
        std::function<void(std::size_t, std::span<std::pair<T, std::int32_t> const>)> const&);
POLDER_TOP_LIST(float)
POLDER_TOP_LIST(double)
#undef POLDER_TOP_LIST

FullSort::FullSort(Dataset const& data, ListOptions options)
    : options_(options), n_items_(static_cast<std::size_t>(data.n_items)),
      valid_(data.valid, data.n_users), test_(data.test, data.n_users) {
    auto masked = data.train;
    if (options.mask_valid) masked.insert(masked.end(), data.valid.begin(), data.valid.end());
    masked_ = UserItems::distinct(masked, data.n_users);
    for (std::int32_t user = 0; user < data.n_users; ++user)
        if (!valid_[user].empty() || !test_[user].empty()) users_.push_back(user);
    if (options.users == 0 || options.users >= users_.size()) return;
    // The first of a shuffle: each user is drawn with the same probability.
    Random random(options.seed, "users of evaluation");
    for (std::size_t k = 0; k < options.users; ++k)
        std::swap(users_[k], users_[k + random.uniform_index(users_.size() - k)]);
    users_.resize(options.users);
    std::sort(users_.begin(), users_.end());
}

template <class T>
FullSort::Result FullSort::operator()(Representations<T> const& r, int threads,
                                      Ranks const& ranks) const {
    auto const number = static_cast<std::size_t>(ranks ? ranks->rank : 0),
               count = static_cast<std::size_t>(ranks ? ranks->size : 1);
    auto const first = polder::detail::share_begin(users_.size(), number, count),
               end = polder::detail::share_begin(users_.size(), number + 1, count);
    std::vector<Metrics> valid(users_.size()), test(users_.size());
    auto const take = [&](std::size_t place, std::span<std::int32_t const> list) {
        auto const user = users_[place];
        if (!valid_[user].empty()) valid[place] = metrics_of_list(list, valid_[user]);
        if (!test_[user].empty()) test[place] = metrics_of_list(list, test_[user]);
    };
    for_each_list(r, first, end, threads, take);
    auto const is_absent = [](Metrics const& user) { return user.n_users == 0; };
    std::erase_if(valid, is_absent);
    std::erase_if(test, is_absent);
    return {mean(valid, ranks), mean(test, ranks)};
}

template <class T>
std::vector<UserHits> FullSort::test_hits(Representations<T> const& r, int threads) const {
    std::vector<UserHits> result(users_.size());
    for_each_list(r, threads, [&](std::size_t place, std::span<std::int32_t const> list) {
        result[place] = hits_of_list(users_[place], list, test_[users_[place]]);
    });
    std::erase_if(result, [](UserHits const& user) { return user.n_rows == 0; });
    return result;
}

namespace {

// The items of a list.
template <class T>
std::vector<std::int32_t> items_of(std::span<std::pair<T, std::int32_t> const> list) {
    std::vector<std::int32_t> items;
    items.reserve(list.size());
    for (auto const& each : list) items.push_back(each.second);
    return items;
}

}  // namespace

template <class T>
void FullSort::for_each_list(Representations<T> const& r, int threads, TakeList const& f) const {
    for_each_list(r, 0, users_.size(), threads, f);
}

template <class T>
void FullSort::for_each_list(Representations<T> const& r, std::size_t first, std::size_t end,
                             int threads, TakeList const& f) const {
    auto const some = users().subspan(first, end - first);
    for_each_top_list<T>(
        r, some, options_.length, [&](std::size_t k) { return masked_[some[k]]; }, T(-1e10),
        threads,
        [&](std::size_t k, std::span<std::pair<T, std::int32_t> const> list) {
            f(first + k, items_of(list));
        });
}

void FullSort::for_each_list(WriteScores const& scores, int threads, TakeList const& f) const {
    parallel_for(users_.size(), threads, [&](std::size_t k) {
        std::vector<float> row(n_items_);
        scores(k, row);
        for (auto const item : masked_[users_[k]]) row[static_cast<std::size_t>(item)] = -1e10F;
        TopList<float> list(options_.length);
        list.offer(row, 0);
        f(k, items_of(list.finish()));
    });
}

template FullSort::Result FullSort::operator()(Representations<float> const&, int,
                                               Ranks const&) const;
template FullSort::Result FullSort::operator()(Representations<double> const&, int,
                                               Ranks const&) const;
template std::vector<UserHits> FullSort::test_hits(Representations<float> const&, int) const;
template std::vector<UserHits> FullSort::test_hits(Representations<double> const&, int) const;
template void FullSort::for_each_list(Representations<float> const&, int, TakeList const&) const;
template void FullSort::for_each_list(Representations<double> const&, int, TakeList const&) const;

}  // namespace polder::recsys
