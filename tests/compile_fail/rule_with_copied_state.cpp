// expect: polder: the rule of a base optimizer takes its state as std::array<V, n>&, so that it can write it
// lines: 130
#include <array>
#include <string_view>
#include <vector>

#include <polder/polder.hpp>

struct Momentum {
    double learning_rate = 0.1;
    void validate() const {}
#ifdef POLDER_MISTAKE
    template <class V>
    using State = std::array<V, 1>;
#else
    template <class V>
    using State = std::array<V, 1>&;
#endif
    static constexpr std::array<std::string_view, 1> state_names{"momentum"};
    template <class T>
    struct Rule {
        T rate;
        T operator()(T x, T u, State<T> state) const { return x - rate * (state[0] += u); }
    };
    template <class T>
    Rule<T> rule(double) const {
        return {T(learning_rate)};
    }
};
#ifdef POLDER_MISTAKE
static_assert(
    !polder::composable<polder::EuclideanBall, polder::NoDistance, polder::NoMix, Momentum>);
#endif

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{Momentum{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
