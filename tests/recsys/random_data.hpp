// Random data for models, and what they compute of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/model.hpp"
#include "recsys/random.hpp"

namespace polder::recsys::test {

inline FeatureMatrix random_features(std::int32_t n_items, std::size_t columns,
                                     std::string_view name) {
    FeatureMatrix result{static_cast<std::size_t>(n_items), columns, {}};
    Random random(1, name);
    for (std::size_t k = 0; k < result.rows * columns; ++k)
        result.values.push_back(static_cast<float>(random.normal()));
    return result;
}

// Some rows occur twice; the last user and the last item have none.
inline Dataset random_dataset(int n_users, int n_items, int n_rows) {
    Dataset data;
    data.name = "random";
    data.n_users = n_users;
    data.n_items = n_items;
    Random random(1, "data");
    auto const below = [&](int n) { return random.uniform_index(static_cast<std::uint64_t>(n)); };
    for (int row = 0; row < n_rows; ++row)
        data.train.push_back({static_cast<std::int32_t>(below(n_users - 1)),
                              static_cast<std::int32_t>(below(n_items - 1))});
    data.train.push_back(data.train.front());
    data.visual = random_features(n_items, 6, "visual");
    data.textual = random_features(n_items, 5, "textual");
    return data;
}

struct OwnBatch {
    std::vector<std::int32_t> users, positives, negatives;
    std::uint64_t number = 2;
    operator Triples() const { return {users, positives, negatives, number}; }
};

inline OwnBatch random_batch(Dataset const& data, std::size_t size, std::uint64_t seed) {
    OwnBatch batch;
    Random random(seed, "batch");
    for (std::size_t b = 0; b < size; ++b) {
        auto const row = data.train[random.uniform_index(data.train.size())];
        batch.users.push_back(row.user);
        batch.positives.push_back(row.item);
        batch.negatives.push_back(static_cast<std::int32_t>(
            random.uniform_index(static_cast<std::uint64_t>(data.n_items))));
    }
    return batch;
}

template <class T>
ParameterArena<T> initial(AnyModel<T> const& model, std::uint64_t seed) {
    ParameterArena<T> parameters;
    model.declare(parameters);
    model.initialise(parameters, seed);
    return parameters;
}

// Initial values, and beside them noise, so that biases are not 0 and embeddings not tiny.
template <class T>
ParameterArena<T> somewhere(AnyModel<T> const& model, std::uint64_t seed) {
    auto parameters = initial(model, seed);
    Random random(seed, "somewhere");
    for (T& value : parameters) value += static_cast<T>(0.1 * random.normal());
    return parameters;
}

// Loss, gradient and representations, one after the other.
template <class T>
std::vector<double> results(AnyModel<T>& model, ParameterArena<T> const& x, Triples const& batch,
                            Pass pass = {}) {
    auto gradient = x;
    std::fill(gradient.begin(), gradient.end(), std::numeric_limits<T>::quiet_NaN());
    std::vector<double> all = {model.loss(x, batch, pass, gradient)};
    all.insert(all.end(), gradient.begin(), gradient.end());
    auto const [users, items] = model.representations(x);
    all.insert(all.end(), users.data, users.data + users.size());
    all.insert(all.end(), items.data, items.data + items.size());
    return all;
}

}  // namespace polder::recsys::test
