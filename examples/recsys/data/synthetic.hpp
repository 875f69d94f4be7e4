/// Generator of synthetic multimodal data with planted preferences: users and items have latent
/// vectors, interactions follow them, and the features of the items show them through noise.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <polder/engine/parallel.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/names.hpp"
#include "recsys/random.hpp"

namespace polder::recsys {

/// What to generate.
struct SyntheticOptions {
    std::string name = "synthetic";
    std::int32_t n_users = 0;
    std::int32_t n_items = 0;
    std::int64_t n_interactions = 0;  ///< over all splits, met exactly
    std::uint64_t seed = 1;
    std::size_t visual_columns = 64;
    std::size_t textual_columns = 32;
};

/// A size with a name.
struct SyntheticSize {
    std::string_view name;
    std::int32_t n_users, n_items;
    std::int64_t n_interactions;
};

/// Data sets of Xu et al. (BSAM, Table I), Zhong et al. (MG; its Clothing is smaller) and Tang et al. (AMR: pinterest), and
/// two small ones for tests and demonstrations.
inline constexpr std::array<SyntheticSize, 10> synthetic_sizes{{
    {"tiny", 300, 200, 4'000},
    {"small", 2'000, 1'000, 30'000},
    {"baby", 19'445, 7'050, 160'792},
    {"sports", 35'598, 18'357, 296'337},
    {"clothing", 39'387, 23'033, 278'677},
    {"pet", 19'856, 8'510, 157'836},
    {"office", 4'905, 2'420, 53'258},
    {"clothing-mg", 39'387, 23'033, 237'488},
    {"electronics", 192'403, 63'001, 1'689'188},
    {"pinterest", 3'226, 4'998, 9'844},
}};

/// The size of that name. Throws std::invalid_argument that lists the known ones.
inline SyntheticOptions synthetic_options(std::string_view name) {
    for (auto const& size : synthetic_sizes)
        if (size.name == name)
            return {.name = "synthetic:" + std::string(name),
                    .n_users = size.n_users,
                    .n_items = size.n_items,
                    .n_interactions = size.n_interactions};
    refuse_name("synthetic data set", name, names_of(synthetic_sizes));
}

/// Draws a data set. With k = 16 latent dimensions, and unit vectors z:
///
///   item   z_i  = unit(c + 0.9 w), c the centre of one of 24 themes, w random and of unit length
///   user   z_u  = unit(c1 + 0.6 c2 + 0.9 w), of two themes
///   choice P(i | u) ~ popularity(i) exp(9 z_u . z_i), each item at most once per user
///   popularity(i) ~ rank^(-1/2); numbers of items per user by a Pareto law of exponent 2.5
///   features  f_i = z_i W + s n_i, W and n standard normal, s = 1 (visual) and 0.5 (textual)
///
/// Every user has at least 5 items (fewer, but at least 3, where the interactions do not suffice)
/// and at most half of all items; every item has at least 5 users as far as they suffice. Splits
/// follow the rule of MMRec's data: of a user's n items in random order, n < 10: the last is test,
/// the second last valid; n >= 10: with h = floor(n/5), floor(h/2) valid, the rest of h test.
///
/// The result depends on the options alone. Throws std::invalid_argument for sizes that cannot be.
class SyntheticGenerator {
public:
    explicit SyntheticGenerator(SyntheticOptions options) : options_(std::move(options)) {
        auto const& o = options_;
        auto const require = [](bool holds, std::string const& what) {
            if (!holds) throw std::invalid_argument("synthetic data: " + what);
        };
        require(o.n_users >= 1, "users = " + std::to_string(o.n_users) + ", expected at least 1");
        require(o.n_items >= 6, "items = " + std::to_string(o.n_items) + ", expected at least 6");
        require(o.n_interactions >= 3 * std::int64_t{o.n_users},
                "interactions = " + std::to_string(o.n_interactions) + ", expected at least " +
                    std::to_string(3 * std::int64_t{o.n_users}) +
                    " (3 per user: one each for train, valid and test)");
        require(o.n_interactions <= std::int64_t{o.n_users} * (o.n_items / 2),
                "interactions = " + std::to_string(o.n_interactions) + ", expected at most " +
                    std::to_string(std::int64_t{o.n_users} * (o.n_items / 2)) +
                    " (half of the items per user)");
    }

    Dataset operator()() {
        draw_latents();
        draw_degrees();
        draw_least_items();
        draw_items();
        Dataset data = split();
        data.visual = draw_features("visual", options_.visual_columns, 1.0F);
        data.textual = draw_features("textual", options_.textual_columns, 0.5F);
        return data;
    }

private:
    static constexpr std::size_t dimensions = 16;
    static constexpr std::size_t n_themes = 24;
    static constexpr float sharpness_of_choice = 9.0F;
    static constexpr int max_tries = 20'000;
    using Latent = std::array<float, dimensions>;

    static float dot(Latent const& a, Latent const& b) {
        float sum = 0;
        for (std::size_t d = 0; d < dimensions; ++d) sum += a[d] * b[d];
        return sum;
    }

    static Latent unit(Latent v) {
        float const norm = std::sqrt(dot(v, v));
        for (auto& x : v) x /= norm;
        return v;
    }

    static Latent direction(Random& random) {
        Latent v;
        for (auto& x : v) x = static_cast<float>(random.normal());
        return unit(v);
    }

    static void add(Latent& to, float factor, Latent const& v) {
        for (std::size_t d = 0; d < dimensions; ++d) to[d] += factor * v[d];
    }

    void draw_latents() {
        Random random(options_.seed, "synthetic latents");
        std::vector<Latent> themes(n_themes);
        for (auto& theme : themes) theme = direction(random);
        auto const theme = [&]() -> Latent const& {
            return themes[random.uniform_index(n_themes)];
        };
        item_latents_.resize(static_cast<std::size_t>(options_.n_items));
        for (auto& z : item_latents_) {
            z = theme();
            add(z, 0.9F, direction(random));
            z = unit(z);
        }
        user_latents_.resize(static_cast<std::size_t>(options_.n_users));
        for (auto& z : user_latents_) {
            z = theme();
            add(z, 0.6F, theme());
            add(z, 0.9F, direction(random));
            z = unit(z);
        }
        items_by_popularity_.resize(item_latents_.size());
        std::iota(items_by_popularity_.begin(), items_by_popularity_.end(), 0);
        random.shuffle(std::span(items_by_popularity_));
    }

    // Numbers of items per user: the minimum, and a share of the rest by a Pareto law.
    void draw_degrees() {
        Random random(options_.seed, "synthetic degrees");
        auto const n_users = user_latents_.size();
        auto const total = static_cast<std::size_t>(options_.n_interactions);
        auto const most = static_cast<std::size_t>(options_.n_items / 2);
        auto const least = std::min({std::size_t{5}, total / n_users, most});
        std::vector<double> share(n_users);
        double sum = 0;
        for (auto& x : share) {
            x = std::pow(1.0 - random.uniform(), -1.0 / 2.5) - 0.95;
            sum += x;
        }
        // Rounding the running sum, not the parts, makes the total exact.
        auto const extra = static_cast<double>(total - least * n_users);
        degrees_.assign(n_users, least);
        std::size_t given = 0, excess = 0;
        double running = 0;
        for (std::size_t user = 0; user < n_users; ++user) {
            running += share[user];
            auto const upto = user + 1 == n_users
                                  ? static_cast<std::size_t>(extra)
                                  : static_cast<std::size_t>(extra * std::min(running / sum, 1.0));
            degrees_[user] += upto - given;
            given = upto;
            if (degrees_[user] > most) {
                excess += degrees_[user] - most;
                degrees_[user] = most;
            }
        }
        for (std::size_t user = 0; excess > 0; user = (user + 1) % n_users)
            if (degrees_[user] < most) {
                ++degrees_[user];
                --excess;
            }
    }

    // Whether a pair is chosen when proposed: with probability exp(9 (z_u . z_i - 1)).
    bool accepts(Random& random, std::size_t user, std::size_t item) const {
        float const affinity = dot(user_latents_[user], item_latents_[item]);
        float const exponent = sharpness_of_choice * (affinity - 1.0F);
        double const u = random.uniform();
        // Most are refused without the exponential: exp(x) (1 - x / 8)^8 <= 1, which rounding does not raise by a thousandth.
        float bound = 1.0F - exponent / 8;
        bound *= bound;
        bound *= bound;
        bound *= bound;
        return u * static_cast<double>(bound) < 1.001 && u < std::exp(exponent);
    }

    bool has(std::size_t user, std::size_t item) const {
        auto const& items = items_of_[user];
        return std::find(items.begin(), items.end(), static_cast<std::int32_t>(item)) !=
               items.end();
    }

    void give(std::size_t user, std::size_t item) {
        items_of_[user].push_back(static_cast<std::int32_t>(item));
    }

    // First every item finds its least number of users, as far as the interactions suffice.
    void draw_least_items() {
        items_of_.resize(user_latents_.size());
        auto const n_items = item_latents_.size();
        auto const total = static_cast<std::size_t>(options_.n_interactions);
        auto const least = std::min(std::size_t{5}, total / n_items);
        std::vector<std::size_t> open(user_latents_.size());  // users with room left
        std::iota(open.begin(), open.end(), std::size_t{0});
        for (std::size_t item = 0; item < n_items; ++item) {
            Random random(options_.seed, "synthetic users of item", item);
            for (std::size_t count = 0; count < least; ++count)
                if (auto const place = find_user(random, item, open)) {
                    auto const user = open[*place];
                    give(user, item);
                    if (items_of_[user].size() == degrees_[user]) {
                        open[*place] = open.back();
                        open.pop_back();
                    }
                }
        }
    }

    // Where in `open` a user for `item` stands, none if all of them have it.
    std::optional<std::size_t> find_user(Random& random, std::size_t item,
                                         std::vector<std::size_t> const& open) const {
        if (open.empty()) return std::nullopt;
        for (int tries = 0; tries < max_tries; ++tries) {
            auto const place = static_cast<std::size_t>(random.uniform_index(open.size()));
            if (accepts(random, open[place], item) && !has(open[place], item)) return place;
        }
        for (std::size_t place = 0; place < open.size(); ++place)
            if (!has(open[place], item)) return place;
        return std::nullopt;
    }

    // Then every user fills up, by popularity and preference. Users do not know of each other.
    void draw_items() {
        parallel_for(items_of_.size(), default_threads(), [&](std::size_t user) {
            Random random(options_.seed, "synthetic items of user", user);
            while (items_of_[user].size() < degrees_[user]) give(user, find_item(random, user));
            random.shuffle(std::span(items_of_[user]));
        });
    }

    std::size_t find_item(Random& random, std::size_t user) const {
        auto const n_items = item_latents_.size();
        for (int tries = 0; tries < max_tries; ++tries) {
            // The square of a uniform number has density x^(-1/2) / 2.
            double const u = random.uniform();
            auto const rank = static_cast<std::size_t>(u * u * static_cast<double>(n_items));
            auto const item = static_cast<std::size_t>(items_by_popularity_[rank]);
            if (accepts(random, user, item) && !has(user, item)) return item;
        }
        std::size_t best = n_items;  // whoever likes nothing that is left takes what is nearest
        for (std::size_t item = 0; item < n_items; ++item)
            if (!has(user, item) &&
                (best == n_items || dot(user_latents_[user], item_latents_[item]) >
                                        dot(user_latents_[user], item_latents_[best])))
                best = item;
        return best;
    }

    Dataset split() const {
        Dataset data;
        data.name = options_.name;
        data.n_users = options_.n_users;
        data.n_items = options_.n_items;
        for (std::int32_t user = 0; user < options_.n_users; ++user) {
            auto const& items = items_of_[static_cast<std::size_t>(user)];
            auto const n = items.size();
            auto const held_out = n < 10 ? std::size_t{2} : n / 5;
            auto const n_valid = held_out / 2;
            auto const n_train = n - held_out;
            for (std::size_t k = 0; k < n; ++k)
                (k < n_train             ? data.train
                 : k < n_train + n_valid ? data.valid
                                         : data.test)
                    .push_back({user, items[k]});
        }
        return data;
    }

    FeatureMatrix draw_features(std::string_view modality, std::size_t columns, float noise) const {
        Random random(options_.seed, "synthetic features", modality);
        std::vector<float> projection(dimensions * columns);
        for (auto& x : projection) x = static_cast<float>(random.normal());
        FeatureMatrix features{item_latents_.size(), columns, {}};
        features.values.reserve(features.rows * columns);
        for (auto const& z : item_latents_)
            for (std::size_t column = 0; column < columns; ++column) {
                float value = noise * static_cast<float>(random.normal());
                for (std::size_t d = 0; d < dimensions; ++d)
                    value += z[d] * projection[d * columns + column];
                features.values.push_back(value);
            }
        return features;
    }

    SyntheticOptions options_;
    std::vector<Latent> item_latents_, user_latents_;
    std::vector<std::int32_t> items_by_popularity_;
    std::vector<std::size_t> degrees_;
    std::vector<std::vector<std::int32_t>> items_of_;
};

/// The data set of `options`; see SyntheticGenerator.
inline Dataset generate_synthetic(SyntheticOptions const& options) {
    return SyntheticGenerator(options)();
}

}  // namespace polder::recsys
