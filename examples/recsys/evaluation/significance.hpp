/// Mean, spread, and whether two means differ by more than chance.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace polder::recsys {

/// Mean and sample standard deviation s, s^2 = sum (x - mean)^2 / (n - 1); NaN where there are too few values.
struct Spread {
    double mean = std::numeric_limits<double>::quiet_NaN();
    double deviation = std::numeric_limits<double>::quiet_NaN();
    std::size_t n = 0;
};

inline Spread spread(std::span<double const> values) {
    Spread result;
    result.n = values.size();
    auto const n = static_cast<double>(values.size());
    double sum = 0, squares = 0;
    for (double const value : values) sum += value;
    if (values.empty()) return result;
    result.mean = sum / n;
    for (double const value : values) squares += (value - result.mean) * (value - result.mean);
    if (values.size() > 1) result.deviation = std::sqrt(squares / (n - 1));
    return result;
}

namespace detail {

// 1 + d_1 / (1 + d_2 / (1 + ...)) of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
inline double beta_fraction(double a, double b, double x) {
    auto const coefficient = [&](int j) {
        double const m = j / 2;
        return j % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
                          : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    };
    double value = 1, c = 1, d = 0;
    for (int j = 1; j < 100'000; ++j) {
        d = 1 / (1 + coefficient(j) * d);
        c = 1 + coefficient(j) / c;
        value *= c * d;
        if (std::abs(c * d - 1) < 1e-16) break;
    }
    return value;
}

// I_x(a, b), regularised.
inline double incomplete_beta(double a, double b, double x) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    double const front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                  a * std::log(x) + b * std::log1p(-x));
    // The fraction converges fast on the near side of the mean.
    return x < (a + 1) / (a + b + 2) ? front / (a * beta_fraction(a, b, x))
                                     : 1 - front / (b * beta_fraction(b, a, 1 - x));
}

}  // namespace detail

/// P(|t| >= value) for Student's t with `freedom` > 0 degrees of freedom.
inline double two_sided_p(double t, double freedom) {
    if (std::isnan(t) || std::isnan(freedom)) return std::numeric_limits<double>::quiet_NaN();
    return detail::incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t));
}

/// A two-sided test of whether two means are equal.
struct TTest {
    double t = std::numeric_limits<double>::quiet_NaN();
    double freedom = std::numeric_limits<double>::quiet_NaN();
    double p = std::numeric_limits<double>::quiet_NaN();  ///< NaN where there are too few values
};

namespace detail {

// t = difference / error; without any spread the means are equal for certain, or different for certain.
inline TTest t_test(double difference, double error, double freedom) {
    if (error == 0)
        return {difference == 0 ? 0 : std::copysign(HUGE_VAL, difference), freedom,
                difference == 0 ? 1.0 : 0.0};
    double const t = difference / error;
    return {t, freedom, two_sided_p(t, freedom)};
}

}  // namespace detail

namespace detail {

inline void require_pairs(std::span<double const> a, std::span<double const> b, char const* test) {
    if (a.size() != b.size())
        throw std::invalid_argument(std::string(test) + " of " + std::to_string(a.size()) +
                                    " and " + std::to_string(b.size()) +
                                    " values, expected equal numbers");
}

}  // namespace detail

/// Paired t-test: d = a - b value by value, t = mean(d) / (s_d / sqrt(n)), n - 1 degrees of freedom.
/// Throws std::invalid_argument for lists of different length.
inline TTest paired_t_test(std::span<double const> a, std::span<double const> b) {
    detail::require_pairs(a, b, "paired t-test");
    if (a.size() < 2) return {};
    auto const n = static_cast<double>(a.size());
    double sum = 0, squares = 0;
    for (std::size_t k = 0; k < a.size(); ++k) sum += a[k] - b[k];
    double const mean = sum / n;
    for (std::size_t k = 0; k < a.size(); ++k)
        squares += (a[k] - b[k] - mean) * (a[k] - b[k] - mean);
    return detail::t_test(mean, std::sqrt(squares / (n - 1) / n), n - 1);
}

/// Welch's t-test of independent samples whose variances differ: with v = s^2 / n of each,
/// t = (mean(a) - mean(b)) / sqrt(v_a + v_b), (v_a + v_b)^2 / (v_a^2 / (n_a - 1) + v_b^2 / (n_b - 1)) degrees
/// of freedom. Welch 1947.
inline TTest welch_t_test(std::span<double const> a, std::span<double const> b) {
    if (a.size() < 2 || b.size() < 2) return {};
    auto const x = spread(a), y = spread(b);
    auto const n_a = static_cast<double>(a.size()), n_b = static_cast<double>(b.size());
    double const v_a = x.deviation * x.deviation / n_a, v_b = y.deviation * y.deviation / n_b;
    double const v = v_a + v_b;
    double const freedom =
        v == 0 ? n_a + n_b - 2 : v * v / (v_a * v_a / (n_a - 1) + v_b * v_b / (n_b - 1));
    return detail::t_test(x.mean - y.mean, std::sqrt(v), freedom);
}

/// Two-sided p of the signed-rank test of pairs: the n differences d = a - b that are not 0 are ranked by |d|, equal ones with
/// the mean of their ranks, and W is the sum of the ranks of d > 0. With t values in each group of equal ones
///
///     z = (W - n (n + 1) / 4) / sqrt(n (n + 1) (2 n + 1) / 24 - sum (t^3 - t) / 48),   p = P(|N(0, 1)| >= |z|).
///
/// NaN for fewer than 10 differences, for which the normal distribution is no good approximation. It asks nothing of how the
/// differences are distributed. Wilcoxon 1945. Throws as paired_t_test.
inline double wilcoxon_p(std::span<double const> a, std::span<double const> b) {
    detail::require_pairs(a, b, "signed-rank test");
    std::vector<double> differences;
    for (std::size_t k = 0; k < a.size(); ++k)
        if (a[k] != b[k]) differences.push_back(a[k] - b[k]);
    if (differences.size() < 10) return std::numeric_limits<double>::quiet_NaN();
    std::sort(differences.begin(), differences.end(),
              [](double x, double y) { return std::abs(x) < std::abs(y); });
    auto const n = static_cast<double>(differences.size());
    double sum = 0, ties = 0;
    for (std::size_t first = 0, end = 0; first < differences.size(); first = end) {
        while (end < differences.size() &&
               std::abs(differences[end]) == std::abs(differences[first]))
            ++end;
        double const rank = static_cast<double>(first + 1 + end) / 2;
        for (std::size_t k = first; k < end; ++k) sum += differences[k] > 0 ? rank : 0;
        auto const equal = static_cast<double>(end - first);
        ties += equal * (equal * equal - 1);
    }
    double const variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
    return std::erfc(std::abs(sum - n * (n + 1) / 4) / std::sqrt(2 * variance));
}

/// The p-values of several tests, corrected for how many they are, so that all of them that are below .05 are right with a
/// probability of .95: with p_(1) <= ... <= p_(m), p'_(k) = max over j <= k of min(1, (m - j + 1) p_(j)). NaN stays NaN and is
/// not counted. Holm 1979.
inline std::vector<double> holm(std::span<double const> p) {
    std::vector<double> result(p.begin(), p.end());
    std::vector<std::size_t> order;
    for (std::size_t k = 0; k < p.size(); ++k)
        if (!std::isnan(p[k])) order.push_back(k);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
    double most = 0;
    for (std::size_t j = 0; j < order.size(); ++j) {
        most = std::max(most, std::min(1.0, static_cast<double>(order.size() - j) * p[order[j]]));
        result[order[j]] = most;
    }
    return result;
}

}  // namespace polder::recsys
