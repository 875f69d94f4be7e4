/// The worst-case move in a ball that scales with the parameters.
#pragma once

#include <cmath>
#include <string_view>
#include <tuple>

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/run/handles.hpp>

namespace polder {

/// eps = rho T^2 v / (||T v||_2 + norm_guard),   T = |x| + eta, one value per coordinate:
/// maximises <v, eps> over ||T^-1 eps||_2 <= rho. So rho is not the Euclidean norm of eps. With eta = 0 a
/// parameter that is zero does not move. In groups that are not adaptive (Group::adaptive) T = 1.
/// Kwon et al. 2021 (ASAM), eq. (5) and Algorithm 1.
struct AdaptiveBall {
    double rho = 0.5;           ///< radius, >= 0
    double eta = 0.01;          ///< added to |x|, >= 0
    double norm_guard = 1e-12;  ///< added to the norm, >= 0

    static constexpr std::string_view name = "AdaptiveBall";

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("rho", rho);
        require_non_negative("eta", eta);
        require_non_negative("norm_guard", norm_guard);
    }

    /// c = rho / (||T v|| + norm_guard), and 0 where both are 0.
    POLDER_HOST_DEVICE double coefficient(double norm) const {
        return norm + norm_guard > 0 ? rho / (norm + norm_guard) : 0;
    }

    /// The weights are functions of x.
    template <class R, class State, class Before>
    auto reads(R&, State const&, Before const&, ArrayId x, Gradient const&) const {
        return std::tuple{x};
    }
    /// a = b = T^2.
    template <class T>
    struct Weights {
        T slope, offset;
        template <class V>
        POLDER_INLINE V a(V x) const {
            V const scale = slope * std::abs(x) + offset;
            return scale * scale;
        }
        template <class V>
        POLDER_INLINE V b(V x) const {
            return a(x);
        }
    };
    template <class T>
    POLDER_HOST_DEVICE Weights<T> weights(bool adaptive) const {
        return adaptive ? Weights<T>{1, T(eta)} : Weights<T>{0, 1};
    }
};

}  // namespace polder
