#pragma once

namespace polder::test {

/// The hyper-parameters that all methods of a test share.
struct Settings {
    double rho = 0.05;
    double kappa = 0.6;
    double norm_guard = 1e-12;
};

}  // namespace polder::test
