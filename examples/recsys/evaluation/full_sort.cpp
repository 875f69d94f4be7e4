#include "recsys/evaluation/full_sort.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <Eigen/Core>

#include <polder/engine/parallel.hpp>

namespace polder::recsys {

namespace {

template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// A tile of scores and the rows it comes from stay in the second-level cache (float, d = 64:
// 256 + 32 + 128 KiB).
constexpr std::size_t user_block = 128;
constexpr std::size_t item_block = 512;

}  // namespace

FullSort::FullSort(Dataset const& data)
    : train_(UserItems::distinct(data.train, data.n_users)), valid_(data.valid, data.n_users),
      test_(data.test, data.n_users) {
    for (std::int32_t user = 0; user < data.n_users; ++user)
        if (!valid_[user].empty() || !test_[user].empty()) users_.push_back(user);
}

template <class T>
FullSort::Result FullSort::operator()(Representations<T> const& r, int threads) const {
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

template <class T>
std::vector<UserHits> FullSort::test_hits(Representations<T> const& r, int threads) const {
    std::vector<UserHits> result(users_.size());
    for_each_list(r, threads, [&](std::size_t place, std::span<std::int32_t const> list) {
        result[place] = hits_of_list(users_[place], list, test_[users_[place]]);
    });
    std::erase_if(result, [](UserHits const& user) { return user.n_rows == 0; });
    return result;
}

template <class T>
void FullSort::for_each_list(Representations<T> const& r, int threads, TakeList const& f) const {
    auto const n_blocks = (users_.size() + user_block - 1) / user_block;
    parallel_for(n_blocks, threads, [&](std::size_t block) {
        auto const first = block * user_block;
        rank_block(r, first, std::min(user_block, users_.size() - first), f);
    });
}

// Lists of users_[first], ..., users_[first + n - 1].
template <class T>
void FullSort::rank_block(Representations<T> const& r, std::size_t first, std::size_t n,
                          TakeList const& f) const {
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
            all_items.middleRows(static_cast<Eigen::Index>(begin), static_cast<Eigen::Index>(width))
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

template FullSort::Result FullSort::operator()(Representations<float> const&, int) const;
template FullSort::Result FullSort::operator()(Representations<double> const&, int) const;
template std::vector<UserHits> FullSort::test_hits(Representations<float> const&, int) const;
template std::vector<UserHits> FullSort::test_hits(Representations<double> const&, int) const;
template void FullSort::for_each_list(Representations<float> const&, int, TakeList const&) const;
template void FullSort::for_each_list(Representations<double> const&, int, TakeList const&) const;

}  // namespace polder::recsys
