/// Answers of a trained model: lists of items for users, and items that are alike.
///
///     polder::recsys::Recommender const recommender("run.safetensors");
///     for (auto const& [item, score] : recommender.recommend("user 7", 10)) ...
///
/// A checkpoint has the parameters alone, so the data that it was trained on has to be where it was, or be named.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/engine/parallel.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/models/model.hpp"
#include "recsys/prepare/id_files.hpp"
#include "recsys/serving/stored_model.hpp"

namespace polder::recsys {

/// An item by its number, and its score.
struct ScoredItem {
    std::int32_t item = 0;
    float score = 0;
};

/// A model of a checkpoint with the vectors of all users and items, what it was trained on, and the ids.
///
///     score(u, i) = vectors.users.row(u) . vectors.items.row(i)
struct RestoredModel {
    /// Reads data and parameters. Throws what load_same_data and read_trained_parameters throw.
    explicit RestoredModel(StoredModel from, int threads = default_threads());

    /// Whether the vector of an item means something: it was trained, or comes from features.
    bool has_vector(std::int32_t item) const {
        return has_features || is_trained_item[static_cast<std::size_t>(item)];
    }

    StoredModel stored;
    bool has_features;  ///< items without rows have vectors, too: of their features
    Dataset data;
    Names users, items;
    std::unique_ptr<AnyModel<float>> model;
    ParameterArena<float> parameters;
    Representations<float> vectors;
    std::vector<bool> is_trained_user, is_trained_item;  ///< have rows in training
};

/// What is left out of lists, and what is not.
struct ChoiceOptions {
    std::optional<std::vector<std::int32_t>> candidates{};  ///< no other items than these
    std::vector<std::int32_t> excluded{};                   ///< items that nobody is given
    std::vector<Interaction> hidden{};  ///< items that single users are not given
    bool with_seen = false;             ///< also items that the user has in training
    bool without_held_out = false;      ///< without items that the user has in valid and test
};

/// Which items are recommended to whom. Items without a vector that means something are not.
class Choice {
public:
    /// `r` must outlive it. Throws std::runtime_error where no item is left.
    explicit Choice(RestoredModel const& r, ChoiceOptions const& options = {});

    /// The vectors of the items that may be recommended, a row at each place.
    MatrixView<float const> vectors() const {
        if (vectors_.empty()) return r_.vectors.items;
        return {vectors_.data(), item_at_.size(), r_.vectors.items.cols};
    }

    /// The number of the item at a place.
    std::int32_t item_at(std::int32_t place) const {
        return item_at_[static_cast<std::size_t>(place)];
    }

    /// The places of items that each user of the data is not given, by user, ascending.
    UserItems hidden() const { return places_of(hidden_, r_.data.n_users); }

    /// The same of `rows`, for other users.
    UserItems places_of(std::vector<Interaction> rows, std::int32_t n_users) const;

    /// Items that would be recommended, but that have no row in training.
    std::size_t n_untrained() const { return n_untrained_; }

private:
    RestoredModel const& r_;
    std::vector<Interaction> hidden_;
    std::vector<std::int32_t> place_of_item_, item_at_;
    std::vector<float> vectors_;
    std::size_t n_untrained_ = 0;
};

/// The best items by the inner product with a vector, at most `top`, without those at the places `hidden`, which ascend.
/// Scores that are not finite are left out.
std::vector<ScoredItem> best_items(Choice const& choice, std::span<float const> vector,
                                   std::span<std::int32_t const> hidden, std::size_t top);

/// The mean of the vectors of these items, which stands for a user who is known by them. Zeros for none.
std::vector<float> mean_of_items(RestoredModel const& r, std::span<std::int32_t const> items);

/// The items whose vectors have the largest cosines with that of `item`, with these as scores.
std::vector<ScoredItem> similar_items(RestoredModel const& r, std::int32_t item, std::size_t top);

/// An item by its id, and its score.
struct Recommendation {
    std::string item;
    float score = 0;
};

/// A trained model that is asked in the ids of its data. Its members may be called from several threads at once.
class Recommender {
public:
    /// `checkpoint`: a file of `polder-recsys train --checkpoint`. `data`: where the data lies now, if not where it was in
    /// training. Throws FileError for a file that is no checkpoint, and std::runtime_error for data that is not as it was.
    explicit Recommender(std::string const& checkpoint, std::string const& data = {},
                         int threads = default_threads())
        : r_(read_stored_model(checkpoint, {data, {}, {}}), threads), choice_(r_),
          hidden_(choice_.hidden()) {}
    Recommender(Recommender const&) = delete;
    Recommender& operator=(Recommender const&) = delete;

    /// The best items for a user, without those that the user has in training; best first. Throws
    /// std::invalid_argument for an unknown id, and std::runtime_error for a user without a row in training.
    std::vector<Recommendation> recommend(std::string_view user, std::size_t top = 10) const;

    /// The best items for somebody who is known by these items, without them. Throws std::invalid_argument for an
    /// unknown id.
    std::vector<Recommendation> recommend_by_items(std::span<std::string const> history,
                                                   std::size_t top = 10) const;

    /// The items most like an item, with cosines as scores. Throws std::invalid_argument for an unknown id, and
    /// std::runtime_error for an item without a row in training where the model has no features.
    std::vector<Recommendation> similar(std::string_view item, std::size_t top = 10) const;

    /// The model, its data and its vectors.
    RestoredModel const& restored() const { return r_; }

private:
    std::vector<Recommendation> with_ids(std::vector<ScoredItem> const& items) const;

    RestoredModel r_;
    Choice choice_;
    UserItems hidden_;
};

}  // namespace polder::recsys
