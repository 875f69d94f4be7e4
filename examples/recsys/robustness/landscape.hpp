/// The loss around trained parameters: surfaces along two random directions, and the curvature there.
///
/// After Fig. 8 of BSAM (Xu et al., TKDE 2025) and Fig. 3 of MG (Zhong et al., WWW 2024): L(p + a n1 + b n2) on a grid, with
/// the normalised directions of Li, Xu, Taylor, Studer, Goldstein: Visualizing the Loss Landscape of Neural Nets, 2018.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/closure/pass.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/data/triples.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/model.hpp"
#include "recsys/names.hpp"
#include "recsys/random.hpp"
#include "recsys/training/sampler.hpp"

namespace polder::recsys {

/// Settings that leave out what is dropped at random in training: dropout of all kinds becomes 0 (so FREEDOM and LayerGCN
/// have all edges), keep_rate 1. `chosen`: the settings of the model before.
inline Settings without_dropout(std::vector<HyperParameterDescription> const& all,
                                Settings const& chosen) {
    Settings result;
    for (auto const& each : all) {
        if (each.name == "keep_rate") result.emplace_back(each.name, "1");
        if (each.name.find("dropout") == std::string::npos) continue;
        auto value = each.default_value;
        for (auto const& [name, text] : chosen)
            if (name == each.name) value = text;
        bool const is_list = each.default_value.starts_with('['),
                   is_switch = each.range == "true or false";
        auto const n = 1 + std::count(value.begin(), value.end(), ',');
        if (is_list)
            result.emplace_back(
                each.name, to_text(AnyValue(std::vector<double>(static_cast<std::size_t>(n)))));
        else if (!is_switch)
            result.emplace_back(each.name, "0");
    }
    return result;
}

/// Batches that are always the same: the train rows in the order of the file, each with one negative, an item of train
/// that the user does not have in train. Rows of users who have them all are left out, as in training.
class FixedBatches {
public:
    /// Every batch, or `n_batches` of them at equal distances where that is not 0. Throws std::invalid_argument for a
    /// batch size of 0, and as Sampler. `draws_negatives`: whether the model looks at them.
    FixedBatches(Dataset const& data, std::size_t batch_size, std::uint64_t seed,
                 std::size_t n_batches = 0, bool draws_negatives = true) {
        if (batch_size == 0) throw std::invalid_argument("batch size = 0, expected at least 1");
        if (data.train.empty())
            throw std::runtime_error("data set '" + data.name + "' has no training rows");
        auto const rows = draws_negatives ? rows_with_negatives(data) : data.train;
        auto const history = UserItems::distinct(data.train, data.n_users);
        std::vector<std::int32_t> items;
        for (auto const& row : data.train) items.push_back(row.item);
        std::sort(items.begin(), items.end());
        items.erase(std::unique(items.begin(), items.end()), items.end());
        auto const n = rows.size(), all = (n + batch_size - 1) / batch_size;
        auto const kept = n_batches == 0 ? all : std::min(n_batches, all);
        for (std::size_t k = 0; k < kept; ++k) {
            auto const number = k * all / kept, begin = number * batch_size;
            Random random(seed, "landscape negatives", number);
            auto& batch = batches_.emplace_back();
            for (std::size_t b = begin; b < std::min(begin + batch_size, n); ++b) {
                auto const [user, item] = rows[b];
                bool const has_all = history[user].size() == items.size();
                batch.users.push_back(user);
                batch.positives.push_back(item);
                std::int32_t negative = 0;
                do negative = items[random.uniform_index(items.size())];
                while (!has_all && history.contains(user, negative));
                batch.negatives.push_back(negative);
            }
        }
    }

    std::size_t size() const { return batches_.size(); }

    /// Numbered as in training, where the first has 0.
    Triples operator[](std::size_t k) const {
        auto const& [users, positives, negatives] = batches_[k];
        return {users, positives, negatives, 2 * k};
    }

private:
    struct Batch {
        std::vector<std::int32_t> users, positives, negatives;
    };
    std::vector<Batch> batches_;
};

/// L(x), the mean over fixed batches of the loss of a batch, and its gradient.
template <class T>
class MeanLoss {
public:
    /// All must outlive this. What is random in the model is that of `epoch` of `seed` at every call.
    MeanLoss(AnyModel<T>& model, FixedBatches const& batches, std::uint64_t seed, int epoch)
        : model_(model), batches_(batches), seed_(seed), epoch_(epoch) {}

    double operator()(ParameterArena<T> const& x) {
        return evaluate(x, [] {});
    }

    /// Adds up grad L(x) into `gradient`, which has the layout of x and is overwritten.
    double operator()(ParameterArena<T> const& x, ParameterArena<T>& gradient) {
        std::fill(gradient.begin(), gradient.end(), T(0));
        auto const share = static_cast<T>(1) / static_cast<T>(batches_.size());
        return evaluate(x, [&] {
            for (std::size_t k = 0; k < gradient.size(); ++k)
                gradient.data()[k] += share * of_batch_.data()[k];
        });
    }

private:
    template <class After>
    double evaluate(ParameterArena<T> const& x, After after) {
        if (of_batch_.size() != x.size()) of_batch_ = x;
        // A model that builds a graph of its parameters at the start of an epoch builds it of these.
        model_.begin_epoch(seed_, epoch_);
        double sum = 0;
        for (std::size_t k = 0; k < batches_.size(); ++k) {
            sum += model_.loss(x, batches_[k], Pass{}, of_batch_);
            after();
        }
        return sum / static_cast<double>(batches_.size());
    }

    AnyModel<T>& model_;
    FixedBatches const& batches_;
    std::uint64_t seed_;
    int epoch_;
    ParameterArena<T> of_batch_;
};

/// The parameters that the loss depends on and that are trained: those that are not frozen and whose gradient at `x` is not
/// 0 everywhere.
template <class T>
std::vector<std::string> active_parameters(AnyModel<T> const& model, MeanLoss<T>& loss,
                                           ParameterArena<T> const& x) {
    auto gradient = x;
    loss(x, gradient);
    auto const frozen = model.frozen();
    std::vector<std::string> result;
    for (auto const& entry : x.entries()) {
        auto const g = gradient.view(entry);
        bool const is_used =
            std::any_of(g.data, g.data + g.size(), [](T value) { return value != T(0); });
        if (is_used && std::find(frozen.begin(), frozen.end(), entry.name) == frozen.end())
            result.push_back(entry.name);
    }
    return result;
}

/// How the axes of a surface are meant.
struct LandscapeGrid {
    std::string_view name;
    double scale;        ///< a = scale m, b = scale n
    bool is_normalised;  ///< directions have the norms of the parameters, row by row
    std::string_view meaning;
};

/// m and n go from -100 to 100.
inline constexpr std::array<LandscapeGrid, 3> landscape_grids{{
    {"default", 0.01, true,
     "rows of directions with the norms of the parameters' rows, a = m / 100"},
    {"literal", 1, false, "as the papers print it: standard normal directions, a = m"},
    {"small", 1e-4, false, "standard normal directions, a = m / 10000"},
}};

/// The grid of a name. Throws std::invalid_argument with the nearest and all known names.
inline LandscapeGrid const& find_grid(std::string_view name) {
    for (auto const& grid : landscape_grids)
        if (grid.name == name) return grid;
    refuse_name("grid", name, names_of(landscape_grids));
}

/// The coordinates m_k = -100 + 200 k / (points - 1).
inline std::vector<double> landscape_axis(int points) {
    std::vector<double> axis;
    for (int k = 0; k < points; ++k) axis.push_back(-100 + 200.0 * k / (points - 1));
    return axis;
}

namespace detail {

// Matrices that are multiplied from the right, x W: a filter is one of their columns.
inline bool has_filters_in_columns(std::string_view name) {
    return name == "item_image_trs" || name == "item_text_trs" || name == "v_hyper" ||
           name == "t_hyper" || name == "phi" ||
           name.find(".conv_embed_") != std::string_view::npos;
}

}  // namespace detail

/// A random direction: standard normal in the parameters of `active`, 0 in all others. It depends on seed, `number` and the
/// parameter's name alone.
///
/// Normalised, every row of a matrix gets the norm of the same row of `x` (of LGMRec's and AMR's matrices that are
/// multiplied from the right, and MMGCN's convolutions, every column), and parameters of one row, which are biases, get 0.
template <class T>
ParameterArena<T> random_direction(ParameterArena<T> const& x,
                                   std::vector<std::string> const& active, bool is_normalised,
                                   std::uint64_t seed, int number) {
    auto direction = x;
    std::fill(direction.begin(), direction.end(), T(0));
    for (auto const& entry : x.entries()) {
        if (std::find(active.begin(), active.end(), entry.name) == active.end()) continue;
        if (is_normalised && entry.rows == 1) continue;
        auto const from = x.view(entry);
        auto const to = direction.view(entry);
        Random random(seed, "landscape direction", number, entry.name);
        std::vector<double> values(to.size());
        for (auto& value : values) value = random.normal();
        bool const by_columns = detail::has_filters_in_columns(entry.name);
        auto const n_filters = by_columns ? entry.cols : entry.rows;
        auto const length = by_columns ? entry.rows : entry.cols;
        for (std::size_t filter = 0; filter < n_filters; ++filter) {
            auto const at = [&](std::size_t k) {
                return by_columns ? k * entry.cols + filter : filter * entry.cols + k;
            };
            double own = 0, drawn = 0;
            for (std::size_t k = 0; k < length; ++k) {
                own +=
                    static_cast<double>(from.data[at(k)]) * static_cast<double>(from.data[at(k)]);
                drawn += values[at(k)] * values[at(k)];
            }
            double const factor = is_normalised ? std::sqrt(own / drawn) : 1;
            for (std::size_t k = 0; k < length; ++k)
                to.data[at(k)] = static_cast<T>(factor * values[at(k)]);
        }
    }
    return direction;
}

/// `to` = x + a n1 + b n2.
template <class T>
void move_to(ParameterArena<T>& to, ParameterArena<T> const& x, double a,
             ParameterArena<T> const& n1, double b, ParameterArena<T> const& n2) {
    for (std::size_t k = 0; k < x.size(); ++k)
        to.data()[k] = static_cast<T>(static_cast<double>(x.data()[k]) +
                                      a * static_cast<double>(n1.data()[k]) +
                                      b * static_cast<double>(n2.data()[k]));
}

/// What a surface says in two numbers. NaN where no point of the grid counts.
struct LandscapeSummary {
    double ring_rise = std::numeric_limits<double>::quiet_NaN();
    double share_below = std::numeric_limits<double>::quiet_NaN();
};

/// `losses`: L at (m_i, n_j), i the slower index; `at_p`: L(p).
///
/// ring_rise is the mean of L - L(p) over the points with 40 <= sqrt(m^2 + n^2) <= 60; share_below the share of all points
/// with L <= L(p) + 0.1. A loss that is not finite counts as infinite.
inline LandscapeSummary summarise(std::vector<double> const& axis,
                                  std::vector<double> const& losses, double at_p) {
    double sum = 0;
    std::size_t n_ring = 0, n_below = 0;
    for (std::size_t i = 0; i < axis.size(); ++i)
        for (std::size_t j = 0; j < axis.size(); ++j) {
            double loss = losses[i * axis.size() + j];
            if (!std::isfinite(loss)) loss = std::numeric_limits<double>::infinity();
            double const radius = std::hypot(axis[i], axis[j]);
            if (radius >= 40 && radius <= 60) {
                sum += loss - at_p;
                ++n_ring;
            }
            n_below += loss <= at_p + 0.1 ? 1 : 0;
        }
    LandscapeSummary result;
    if (n_ring > 0) result.ring_rise = sum / static_cast<double>(n_ring);
    if (!losses.empty())
        result.share_below = static_cast<double>(n_below) / static_cast<double>(losses.size());
    return result;
}

/// The Hessian H of L at p, in the active parameters.
struct Curvature {
    double largest = std::numeric_limits<double>::quiet_NaN();   ///< eigenvalue
    double residual = std::numeric_limits<double>::quiet_NaN();  ///< |H v - largest v|, |v| = 1
    int iterations = 0;                                          ///< products with H for it
    double trace = std::numeric_limits<double>::quiet_NaN();
    double trace_error = std::numeric_limits<double>::quiet_NaN();  ///< standard error of it
    int samples = 0;
};

struct CurvatureOptions {
    int iterations = 100;     ///< at most, of each power iteration; 0: no eigenvalue
    double tolerance = 1e-3;  ///< of the residual, relative to the eigenvalue
    int samples = 10;         ///< for the trace; 0: none
    std::uint64_t seed = 0;   ///< of the first vector and of the samples
};

/// Products with the Hessian are differences of gradients,
///
///     H v = (grad L(p + h v) - grad L(p - h v)) / (2 h),   |v| = 1,   h = 1e-5 (1 + |p|).
///
/// Power iteration v <- H v / |H v| finds the eigenvalue of the largest magnitude, v . H v. Where that is negative, a second
/// one with H - lambda I finds the largest. It ends when |H v - lambda v| <= tolerance |lambda|, or after `iterations`.
///
/// The trace is Hutchinson's: the mean of z . H z over random z of +-1 (Hutchinson, 1990).
///
/// `goes_on` is called after every product; false ends it, and what is not known stays NaN.
inline Curvature measure_curvature(MeanLoss<double>& loss, ParameterArena<double> const& p,
                                   std::vector<std::string> const& active,
                                   CurvatureOptions const& options,
                                   std::function<bool()> const& goes_on) {
    using Arena = ParameterArena<double>;
    auto const dot = [](Arena const& a, Arena const& b) {
        double sum = 0;
        for (std::size_t k = 0; k < a.size(); ++k) sum += a.data()[k] * b.data()[k];
        return sum;
    };
    // Calls f(offset, size) for the active parameters.
    auto const for_active = [&](auto f) {
        for (auto const& entry : p.entries())
            if (std::find(active.begin(), active.end(), entry.name) != active.end())
                f(entry.name, entry.offset, entry.rows * entry.cols);
    };
    auto moved = p, before = p, zero = p;
    std::fill(zero.begin(), zero.end(), 0.0);
    double const h = 1e-5 * (1 + std::sqrt(dot(p, p)));
    auto const product = [&](Arena const& v, Arena& result) {
        move_to(moved, p, -h, v, 0, zero);
        loss(moved, before);
        move_to(moved, p, h, v, 0, zero);
        loss(moved, result);
        auto full = std::exchange(result, zero);
        for_active([&](std::string const&, std::size_t offset, std::size_t size) {
            for (std::size_t k = offset; k < offset + size; ++k)
                result.data()[k] = (full.data()[k] - before.data()[k]) / (2 * h);
        });
    };
    auto const drawn = [&](char const* name, int number, auto draw) {
        auto v = zero;
        for_active([&](std::string const& parameter, std::size_t offset, std::size_t size) {
            Random random(options.seed, name, number, parameter);
            for (std::size_t k = offset; k < offset + size; ++k) v.data()[k] = draw(random);
        });
        double const norm = std::sqrt(dot(v, v));
        for (auto& value : v) value /= norm;
        return v;
    };

    Curvature result;
    // The eigenvalue of H - shift I with the largest magnitude, plus shift.
    auto const power_iteration = [&](double shift) {
        auto v = drawn("power iteration", shift == 0 ? 0 : 1, [](Random& r) { return r.normal(); });
        auto w = zero;
        for (int k = 0; k < options.iterations; ++k) {
            product(v, w);
            ++result.iterations;
            if (shift != 0)
                for (std::size_t j = 0; j < w.size(); ++j) w.data()[j] -= shift * v.data()[j];
            double const eigenvalue = dot(v, w), square = dot(w, w);
            result.largest = eigenvalue + shift;
            result.residual = std::sqrt(std::max(square - eigenvalue * eigenvalue, 0.0));
            if (!goes_on()) {
                result.largest = std::numeric_limits<double>::quiet_NaN();
                return false;
            }
            if (result.residual <= options.tolerance * std::abs(result.largest) || square == 0)
                break;
            for (std::size_t j = 0; j < v.size(); ++j)
                v.data()[j] = w.data()[j] / std::sqrt(square);
        }
        return true;
    };
    if (active.empty()) return result;
    if (options.iterations > 0) {
        if (!power_iteration(0)) return result;
        if (result.largest < 0 && !power_iteration(result.largest)) return result;
    }
    std::size_t n = 0;
    for_active([&](std::string const&, std::size_t, std::size_t size) { n += size; });
    double sum = 0, squares = 0;
    auto w = zero;
    for (int sample = 0; sample < options.samples; ++sample) {
        auto const v =
            drawn("Hutchinson", sample, [](Random& r) { return r.uniform() < 0.5 ? -1.0 : 1.0; });
        product(v, w);
        double const value = static_cast<double>(n) * dot(v, w);
        sum += value;
        squares += value * value;
        if (!goes_on()) return result;
    }
    if (options.samples > 0) {
        auto const count = static_cast<double>(options.samples);
        result.samples = options.samples;
        result.trace = sum / count;
        if (options.samples > 1)
            result.trace_error = std::sqrt(
                std::max(squares / count - result.trace * result.trace, 0.0) / (count - 1));
    }
    return result;
}

}  // namespace polder::recsys
