// expect: polder: Perturb is a ball with validate() and coefficient(norm), or a policy around one
#include <polder/polder.hpp>

struct Ball {
    double rho = 0.05;
    void validate() const { polder::require_non_negative("Ball.rho", rho); }
#ifndef POLDER_MISTAKE
    double coefficient(double norm) const { return rho / norm; }
#endif
};

int main() {
    polder::Sharpness optimizer{Ball{}, polder::NoDistance{}, polder::NoMix{}, polder::SGD{}};
}
