// expect: polder: after of a policy is called as after(run, state, before, y, g), and const; y is a PointId, g a Gradient const&
// lines: 130
#include <vector>

#include <polder/polder.hpp>

struct Ball : polder::EuclideanBall {
#ifdef POLDER_MISTAKE
    using Point = int;
#else
    using Point = polder::PointId;
#endif
    template <class R, class State, class Before>
    void after(R&, State const&, Before const&, Point, polder::Gradient const&) const {}
};

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{Ball{}, polder::NoDistance{}, polder::NoMix{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
