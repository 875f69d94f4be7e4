/// The worst-case move in an ellipsoid of the Fisher metric.
#pragma once

#include <polder/config.hpp>
#include <polder/hyper_parameter.hpp>

namespace polder {

/// eps = rho F^-1 v / (sqrt(v' F^-1 v) + norm_guard),   F^-1 = 1 / (1 + eta g^2) per coordinate:
/// maximises <v, eps> over eps' F eps <= rho^2, with the square of the batch gradient g for the
/// diagonal of the Fisher matrix. eta = 0 is the Euclidean ball. Unlike there, eps depends on the scale
/// of the loss.
/// Kim et al. 2022 (Fisher SAM), in the form of the public implementations.
struct FisherEllipsoid {
    double rho = 0.1;           ///< radius, >= 0
    double eta = 1;             ///< weight of the Fisher metric, >= 0
    double norm_guard = 1e-12;  ///< added to the norm, >= 0

    /// Throws std::invalid_argument that names the hyper-parameter which is out of range.
    void validate() const {
        require_non_negative("rho", rho);
        require_non_negative("eta", eta);
        require_non_negative("norm_guard", norm_guard);
    }

    /// c = rho / (sqrt(v' F^-1 v) + norm_guard), and 0 where both are 0.
    double coefficient(double norm) const {
        return norm + norm_guard > 0 ? rho / (norm + norm_guard) : 0;
    }

    /// a = b = F^-1.
    template <class T>
    struct Weights {
        T eta;
        POLDER_HOST_DEVICE T a(T, T g) const { return 1 / (1 + eta * (g * g)); }
        POLDER_HOST_DEVICE T b(T x, T g) const { return a(x, g); }
    };
    template <class T>
    Weights<T> weights() const {
        return {T(eta)};
    }
};

}  // namespace polder
