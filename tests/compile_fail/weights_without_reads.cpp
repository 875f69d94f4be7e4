// expect: polder: the weights of a ball, a(...) and b(...), take as many values as its reads(
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
struct Ball {
    double rho = 0.1;
    void validate() const {}
    double coefficient(double norm) const { return norm > 0 ? rho / norm : 0; }
    template <class T>
    struct Weights {
        T a(T x) const { return x * x; }
        T b(T x) const { return x * x; }
    };
    template <class T>
    Weights<T> weights(bool) const {
        return {};
    }
};
#else
struct Ball {
    double rho = 0.1;
    void validate() const {}
    double coefficient(double norm) const { return norm > 0 ? rho / norm : 0; }
    template <class T>
    struct Weights {
        T a(T x) const { return x * x; }
        T b(T x) const { return x * x; }
    };
    template <class T>
    Weights<T> weights(bool) const {
        return {};
    }
    template <class R, class State, class Before>
    auto reads(R&, State const&, Before const&, polder::ArrayId x, polder::Gradient const&) const {
        return std::tuple{x};
    }
};
#endif

int main() {
    std::vector<double> x(3);
    polder::Sharpness optimizer{Ball{}, polder::NoDistance{}, polder::NoMix{}, polder::SGD{}};
    optimizer.step(x, [](std::vector<double> const&, std::vector<double>& gradient) {
        gradient.assign(3, 1);
        return 1.0;
    });
}
