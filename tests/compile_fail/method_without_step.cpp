// expect: polder: a method has step(run, state, base), which ends with base.descend(run, u)
#include <vector>

#include <polder/polder.hpp>

struct Method {
    void validate() const {}
    struct State {};
    static State init(polder::Plan&) { return {}; }
#ifdef POLDER_MISTAKE
    template <class Run>
    auto step(Run& run, State const&) const {
        return run.gradient(polder::B1, run.x());
    }
#else
    template <class Run, class Base>
    void step(Run& run, State const&, Base const& base) const {
        base.descend(run, run.gradient(polder::B1, run.x()));
    }
#endif
};

int main() {
    std::vector<double> x(3);
    polder::Optimizer optimizer{Method{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
