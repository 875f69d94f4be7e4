// expect: polder: a method has validate() and init(plan), const, which returns what it keeps
// lines: 130
#include <vector>

#include <polder/polder.hpp>

struct Method {
    void validate() const {}
    struct State {};
#ifdef POLDER_MISTAKE
    static State prepare(polder::Plan&) { return {}; }
#else
    static State init(polder::Plan&) { return {}; }
#endif
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
