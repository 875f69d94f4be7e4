// The exercise "write your own ball" (docs/gallery.md), solved.
//
// SAM divides the gradient by its norm, so that it always goes as far as rho. Andriushchenko and Flammarion 2022 leave the
// division out: eps = rho g. Then the ascent becomes shorter as training comes to rest. A ball says by which number the direction
// of the ascent is multiplied; everything else is in the library.
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <polder/polder.hpp>

/// eps = rho v.
struct UnnormalisedBall {
    double rho = 0.1;  ///< >= 0
    void validate() const { polder::require_non_negative("rho", rho); }
    double coefficient(double /*norm*/) const { return rho; }
};

/// x <- BaseOpt(x, grad L(x + rho g)).
template <polder::base_optimizer BaseOpt>
struct UnnormalisedSAM
    : polder::Sharpness<UnnormalisedBall, polder::NoDistance, polder::NoMix, BaseOpt> {
    explicit UnnormalisedSAM(BaseOpt base, UnnormalisedBall ball = {})
        : UnnormalisedSAM::Sharpness(ball, {}, {}, base) {}
};

// Rosenbrock's valley, lowest at (1, 1).
template <class C>
double loss(C const& at, C& gradient) {
    const double a = 1 - at[0], b = at[1] - at[0] * at[0];
    gradient[0] = -a - 20 * b * at[0];
    gradient[1] = 10 * b;
    return 0.5 * a * a + 5 * b * b;
}

int main() {
    using Vector = std::vector<double>;
    bool right = true;
    auto const check = [&](char const* what, bool holds) {
        std::printf("%-64s %s\n", what, holds ? "yes" : "NO");
        right = right && holds;
    };

    // 1. The perturbation is rho g: perturbation() writes it without a step.
    Vector x{-1, 1}, eps = x, gradient = x;
    UnnormalisedSAM optimizer{polder::Adam{.learning_rate = 0.02}, {.rho = 0.01}};
    optimizer.perturbation(x, loss<Vector>, eps);
    loss(x, gradient);
    check("eps is rho g", eps[0] == 0.01 * gradient[0] && eps[1] == 0.01 * gradient[1]);

    // 2. Near the minimum it is short, where SAM's is as long as ever.
    polder::SAM sam{polder::Adam{.learning_rate = 0.02}, {.rho = 0.01}};
    polder::Report mine, of_sam;
    Vector y = x;
    for (int step = 0; step < 2000; ++step) {
        mine = optimizer.step(x, loss<Vector>);
        of_sam = sam.step(y, loss<Vector>);
    }
    std::printf("after 2000 steps |eps| is %.4f, and SAM's %.4f\n", mine.perturbation_norm,
                of_sam.perturbation_norm);
    check("it becomes short", mine.perturbation_norm < 0.001);
    check("it ends at (1, 1)", std::hypot(x[0] - 1, x[1] - 1) < 0.01);

    // 3. With rho = 0 it is the base optimizer, bit for bit.
    Vector a{-1, 1}, b = a;
    UnnormalisedSAM none{polder::SGD{.learning_rate = 0.01}, {.rho = 0}};
    polder::Plain plain{polder::SGD{.learning_rate = 0.01}};
    for (int step = 0; step < 100; ++step) {
        none.step(a, loss<Vector>);
        plain.step(b, loss<Vector>);
    }
    check("rho = 0 is the base optimizer", a == b);

    // 4. A wrong radius is refused with its name.
    bool refused = false;
    try {
        UnnormalisedSAM wrong{polder::SGD{}, {.rho = -1}};
    } catch (std::invalid_argument const& error) {
        refused = std::string(error.what()).find("rho = -1") != std::string::npos;
    }
    check("rho = -1 is refused", refused);
    return right ? 0 : 1;
}
