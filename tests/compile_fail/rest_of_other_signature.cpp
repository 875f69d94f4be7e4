// expect: polder: rest of a method is called as rest(run, state, base), and const
// lines: 130
#include <vector>

#include <polder/polder.hpp>

struct Method {
    void validate() const {}
    struct State {};
#ifdef POLDER_MISTAKE
    template <class Run, class Base>
    void rest(Run& run, Base const& base) const {
        base.descend(run, 2 * run.gradient(polder::B1, run.x()));
    }
#else
    template <class Run, class Base>
    void rest(Run& run, State const&, Base const& base) const {
        base.descend(run, 2 * run.gradient(polder::B1, run.x()));
    }
#endif
    static State init(polder::Plan&) { return {}; }
    template <class Run, class Base>
    void step(Run& run, State const&, Base const& base) const {
        base.descend(run, run.gradient(polder::B1, run.x()));
    }
};

int main() {
    std::vector<double> x(3);
    polder::Optimizer optimizer{Method{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
