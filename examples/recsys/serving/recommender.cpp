#include "recsys/serving/recommender.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "recsys/evaluation/full_sort.hpp"

namespace polder::recsys {

namespace {

// The list of one vector among the rows of `items`, by their numbers.
std::vector<ScoredItem> list_of(std::span<float const> vector, MatrixView<float const> items,
                                std::span<std::int32_t const> hidden, std::size_t top) {
    std::vector<ScoredItem> result;
    std::vector<std::int32_t> const one{0};
    for_each_top_list<float>(
        {{vector.data(), 1, vector.size()}, items}, one, top, [&](std::size_t) { return hidden; },
        -std::numeric_limits<float>::infinity(), 1,
        [&](std::size_t, std::span<std::pair<float, std::int32_t> const> list) {
            for (auto const& [score, item] : list)
                if (std::isfinite(score)) result.push_back({item, score});
        });
    return result;
}

std::vector<bool> with_rows(std::vector<Interaction> const& rows, std::int32_t n,
                            std::int32_t Interaction::*id) {
    std::vector<bool> result(static_cast<std::size_t>(n));
    for (auto const& row : rows) result[static_cast<std::size_t>(row.*id)] = true;
    return result;
}

}  // namespace

RestoredModel::RestoredModel(StoredModel from, int threads)
    : stored(std::move(from)), has_features(needs_features(find_model(stored.model))),
      data(load_same_data(stored)),
      users(id_folder(stored.source), "users.tsv", "user", data.n_users),
      items(id_folder(stored.source), "items.tsv", "item", data.n_items),
      model(make_trained<float>(stored, data, threads)),
      parameters(read_trained_parameters(stored, *model)),
      vectors(model->representations(parameters)),
      is_trained_user(with_rows(data.train, data.n_users, &Interaction::user)),
      is_trained_item(with_rows(data.train, data.n_items, &Interaction::item)) {}

Choice::Choice(RestoredModel const& r, ChoiceOptions const& options)
    : r_(r), hidden_(options.hidden) {
    auto const n_items = static_cast<std::size_t>(r.data.n_items);
    std::vector<bool> allowed(n_items, !options.candidates);
    if (options.candidates)
        for (auto const item : *options.candidates) allowed[static_cast<std::size_t>(item)] = true;
    for (auto const item : options.excluded) allowed[static_cast<std::size_t>(item)] = false;
    for (std::size_t item = 0; item < n_items; ++item)
        if (allowed[item] && !r.is_trained_item[item]) {
            ++n_untrained_;
            allowed[item] = r.has_features;
        }
    auto const add = [&](std::vector<Interaction> const& rows) {
        hidden_.insert(hidden_.end(), rows.begin(), rows.end());
    };
    if (!options.with_seen) add(r.data.train);
    if (options.without_held_out) {
        add(r.data.valid);
        add(r.data.test);
    }
    // Where few items are candidates, their vectors alone are read.
    place_of_item_.assign(n_items, -1);
    for (std::size_t item = 0; item < n_items; ++item)
        if (allowed[item]) {
            place_of_item_[item] = static_cast<std::int32_t>(item_at_.size());
            item_at_.push_back(static_cast<std::int32_t>(item));
        }
    if (item_at_.empty()) throw std::runtime_error("no item is left that may be recommended");
    if (item_at_.size() == n_items) return;
    vectors_.reserve(item_at_.size() * r.vectors.items.cols);
    for (auto const item : item_at_)
        for (std::size_t k = 0; k < r.vectors.items.cols; ++k)
            vectors_.push_back(r.vectors.items(static_cast<std::size_t>(item), k));
}

UserItems Choice::places_of(std::vector<Interaction> rows, std::int32_t n_users) const {
    std::erase_if(rows, [&](Interaction const& row) {
        return place_of_item_[static_cast<std::size_t>(row.item)] < 0;
    });
    for (auto& row : rows) row.item = place_of_item_[static_cast<std::size_t>(row.item)];
    return UserItems::distinct(rows, n_users);
}

std::vector<ScoredItem> best_items(Choice const& choice, std::span<float const> vector,
                                   std::span<std::int32_t const> hidden, std::size_t top) {
    auto result = list_of(vector, choice.vectors(), hidden, top);
    for (auto& each : result) each.item = choice.item_at(each.item);
    return result;
}

std::vector<float> mean_of_items(RestoredModel const& r, std::span<std::int32_t const> items) {
    auto const d = r.vectors.items.cols;
    std::vector<double> sums(d);
    for (auto const item : items)
        for (std::size_t k = 0; k < d; ++k)
            sums[k] += double{r.vectors.items(static_cast<std::size_t>(item), k)};
    std::vector<float> result(d);
    for (std::size_t k = 0; k < d && !items.empty(); ++k)
        result[k] = static_cast<float>(sums[k] / static_cast<double>(items.size()));
    return result;
}

std::vector<ScoredItem> similar_items(RestoredModel const& r, std::int32_t item, std::size_t top) {
    // Vectors of length 1, so that a product is a cosine.
    auto const& m = r.vectors.items;
    std::vector<float> unit(m.rows * m.cols);
    for (std::size_t n = 0; n < m.rows; ++n) {
        double squares = 0;
        for (std::size_t k = 0; k < m.cols; ++k) squares += double{m(n, k)} * double{m(n, k)};
        for (std::size_t k = 0; k < m.cols && squares > 0; ++k)
            unit[n * m.cols + k] = static_cast<float>(double{m(n, k)} / std::sqrt(squares));
    }
    std::vector<std::int32_t> hidden;
    for (std::int32_t n = 0; n < r.data.n_items; ++n)
        if (n == item || !r.has_vector(n)) hidden.push_back(n);
    auto const own = std::span(unit).subspan(static_cast<std::size_t>(item) * m.cols, m.cols);
    return list_of(own, {unit.data(), m.rows, m.cols}, hidden, top);
}

std::vector<Recommendation> Recommender::with_ids(std::vector<ScoredItem> const& items) const {
    std::vector<Recommendation> result;
    result.reserve(items.size());
    for (auto const& [item, score] : items) result.push_back({r_.items(item), score});
    return result;
}

std::vector<Recommendation> Recommender::recommend(std::string_view user, std::size_t top) const {
    auto const number = r_.users.number(user);
    if (!r_.is_trained_user[static_cast<std::size_t>(number)])
        throw std::runtime_error("user " + std::string(user) +
                                 " has no row in training, so that the vector is not trained; "
                                 "recommend_by_items takes a list of items");
    auto const& users = r_.vectors.users;
    std::span const vector(users.data + static_cast<std::size_t>(number) * users.cols, users.cols);
    return with_ids(best_items(choice_, vector, hidden_[number], top));
}

std::vector<Recommendation> Recommender::recommend_by_items(std::span<std::string const> history,
                                                            std::size_t top) const {
    std::vector<std::int32_t> items;
    std::vector<Interaction> rows;
    for (auto const& id : history) {
        auto const item = r_.items.number(id);
        rows.push_back({0, item});
        if (r_.has_vector(item)) items.push_back(item);
    }
    auto const hidden = choice_.places_of(std::move(rows), 1);
    return with_ids(best_items(choice_, mean_of_items(r_, items), hidden[0], top));
}

std::vector<Recommendation> Recommender::similar(std::string_view item, std::size_t top) const {
    auto const number = r_.items.number(item);
    if (!r_.has_vector(number))
        throw std::runtime_error("item " + std::string(item) +
                                 " has no row in training, so that the vector is not trained");
    return with_ids(similar_items(r_, number, top));
}

}  // namespace polder::recsys
