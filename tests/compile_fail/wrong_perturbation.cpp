// expect: polder: Perturb is a ball with validate() and coefficient(norm), or a policy around one
#include <polder/polder.hpp>

struct Ball {
    double rho = 0.05;
    void validate() const { polder::require_non_negative("Ball.rho", rho); }
    double coefficient(double norm) const { return rho / norm; }
#ifndef POLDER_MISTAKE
    template <class T>
    static T move(T v, T c) {
        return c * v;
    }
#endif
};

int main() {
    polder::Sharpness optimizer{Ball{}, polder::NoDistance{}, polder::NoMix{}, polder::SGD{}};
}
