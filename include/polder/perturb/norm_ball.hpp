/// The worst-case move in a ball of another norm than the Euclidean one.
///
/// The move that maximises <v, eps> over ||eps||_p <= rho is, with 1/p + 1/q = 1,
///     eps = rho sign(v) |v|^(q-1) / (||v||_q^q)^(1/p).     Foret et al. 2021, eq. (2)
/// The norm of v is not a sum of squares here. So a distance costs one more pass than in a Euclidean ball.
#pragma once

#include <cmath>
#include <string_view>

#include <polder/config.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/run/site.hpp>

namespace polder {

/// p = infinity: eps = rho sign(v).
struct InfinityBall {
    double rho = 0.01;  ///< radius, and how far each coordinate moves, >= 0

    static constexpr std::string_view name = "InfinityBall";
    void validate() const { require_non_negative("rho", rho); }

    /// ||v||_1. (eps does not depend on it.)
    POLDER_HOST_DEVICE static Sum term(double v) { return {std::abs(v)}; }
    POLDER_HOST_DEVICE static double norm(Sum total) { return total.value; }

    template <class T>
    struct Move {
        T rho;
        // Two conditions that do not depend on one another, since compilers vectorise those.
        template <class V>
        POLDER_INLINE V operator()(V v) const {
            return (v > 0 ? rho : T(0)) - (v < 0 ? rho : T(0));
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Move<T> move(double, double) const {
        return {T(rho)};
    }
};

/// p = 1: only the coordinate with the largest |v| moves, by rho. Where several are equally large, each moves by an equal
/// share of rho.
struct ManhattanBall {
    double rho = 0.05;  ///< radius, >= 0

    static constexpr std::string_view name = "ManhattanBall";
    void validate() const { require_non_negative("rho", rho); }

    /// ||v||_inf.
    POLDER_HOST_DEVICE static Max term(double v) { return {std::abs(v)}; }
    POLDER_HOST_DEVICE static double norm(Max total) { return total.value; }
    /// 1 for a coordinate that has the largest |v|.
    POLDER_HOST_DEVICE static Sum count_term(double v, double norm) {
        return {std::abs(v) >= norm ? 1.0 : 0.0};
    }

    template <class T>
    struct Move {
        T rho, largest;
        template <class V>
        POLDER_INLINE V operator()(V v) const {
            return (v >= largest ? rho : T(0)) - (v <= -largest ? rho : T(0));
        }
    };
    /// norm: the largest |v|; count: how many coordinates have it.
    template <class T>
    POLDER_HOST_DEVICE Move<T> move(double norm, double count) const {
        return {detail::saturated<T>(rho / count), T(norm)};
    }
};

/// Any p with 1 < p < infinity. p = 2 is the Euclidean ball. p = 3 is fast, since it needs square roots and no powers.
struct PNormBall {
    double rho = 0.05;          ///< radius, >= 0
    double p = 2;               ///< > 1, finite
    double norm_guard = 1e-12;  ///< added to ||v||_q, >= 0

    static constexpr std::string_view name = "PNormBall";
    void validate() const {
        require_non_negative("rho", rho);
        if (!(p > 1 && std::isfinite(p))) {
            detail::refuse("p", p, "a finite number > 1 (see ManhattanBall and InfinityBall)");
        }
        require_non_negative("norm_guard", norm_guard);
    }

    /// ||v||_q,   q = p / (p - 1).
    POLDER_HOST_DEVICE Sum term(double v) const {
        double const size = std::abs(v);
        return {p == 3 ? size * std::sqrt(size) : std::pow(size, p / (p - 1))};
    }
    POLDER_HOST_DEVICE double norm(Sum total) const { return std::pow(total.value, (p - 1) / p); }

    // With r = |v| / ||v||_q the move is rho sign(v) r^(q-1). r <= 1, so its power does not overflow.
    template <class T>
    struct Move {
        T rho, scale, exponent;
        template <class V>
        POLDER_INLINE V operator()(V v) const {
            V const r = std::abs(v) * scale;
            V const power = exponent == T(0.5) ? std::sqrt(r) : std::pow(r, exponent);
            return std::copysign(rho * power, v);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Move<T> move(double norm, double) const {
        double const guarded = norm + norm_guard;
        return {T(rho), detail::saturated<T>(guarded > 0 ? 1 / guarded : 0), T(1 / (p - 1))};
    }
};

}  // namespace polder
