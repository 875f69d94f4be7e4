// expect: polder: the rule of a base optimizer is called as rule(x, u, state)
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
struct Descent {
    double learning_rate = 0.1, weight_decay = 0;
    void validate() const {}
    static constexpr std::array<std::string_view, 1> state_names{"state"};
    template <class T>
    struct Rule {
        T rate;
        T operator()(T x, T u, std::array<T, 2>&) const { return x - rate * u; }
    };
    template <class T>
    Rule<T> rule(double) const {
        return {T(learning_rate)};
    }
};
#else
struct Descent {
    double learning_rate = 0.1, weight_decay = 0;
    void validate() const {}
    static constexpr std::array<std::string_view, 1> state_names{"state"};
    template <class T>
    struct Rule {
        T rate;
        T operator()(T x, T u, std::array<T, 1>&) const { return x - rate * u; }
    };
    template <class T>
    Rule<T> rule(double) const {
        return {T(learning_rate)};
    }
};
#endif

int main() {
    std::vector<double> x(3);
    polder::SAM optimizer{Descent{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
