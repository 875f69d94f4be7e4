// expect: polder: what bypasses the base optimizer, as in DecoupledSharpness, is multiplied with its learning_rate, and it has none
#include <polder/polder.hpp>

struct Descent {
#ifdef POLDER_MISTAKE
    double rate = 0.1;
    double length() const { return rate; }
#else
    double learning_rate = 0.1;
    double length() const { return learning_rate; }
#endif
    void validate() const {}
    static constexpr std::array<std::string_view, 0> state_names{};
    template <class T>
    struct Rule {
        T rate;
        T operator()(T x, T u, std::array<T, 0>&) const { return x - rate * u; }
    };
    template <class T>
    Rule<T> rule(double) const {
        return {T(length())};
    }
};
#ifdef POLDER_MISTAKE
static_assert(!polder::composable<polder::EuclideanBall, polder::NoDistance,
                                  polder::DecoupledSharpness, Descent>);
#endif

int main() {
    std::vector<double> x(3);
    polder::WSAM<Descent, polder::DecoupledSharpness> optimizer{Descent{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
