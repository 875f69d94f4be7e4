// expect: polder: a mix has blend(run, s), or blend(run, s, g) and says static constexpr bool reads_clean = true
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
struct Half {
    void validate() const {}
    template <class R>
    auto blend(R&, polder::Gradient s, polder::Gradient g) const {
        return 0.5 * std::move(s) + 0.5 * std::move(g);
    }
};
#else
struct Half {
    void validate() const {}
    static constexpr bool reads_clean = true;
    template <class R>
    auto blend(R&, polder::Gradient s, polder::Gradient g) const {
        return 0.5 * std::move(s) + 0.5 * std::move(g);
    }
};
#endif

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{polder::EuclideanBall{}, polder::NoDistance{}, Half{},
                                polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
