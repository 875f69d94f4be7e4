// expect: polder: init of a policy is called as init(plan), and const
// expect: polder: start of a policy is called as start(run, state), and const
// expect: polder: before of a policy is called as before(run, state), and const
// expect: polder: reads of a policy is called as reads(run, state, before, x, g), and const
// expect: polder: weights of a ball is called as weights<T>(adaptive), and const
// expect: polder: filter of a policy is called as filter(eps, r...), and const
// expect: polder: count_term of a ball is called as count_term(v, norm), and const
// expect: polder: place of a policy is called as place(run, x, y, v, reads), and const
// expect: polder: after of a policy is called as after(run, state, before, y, g), and const
#include <polder/polder.hpp>

#ifdef POLDER_MISTAKE
inline constexpr bool mistaken = true;
#define POLDER_CONST
#else
inline constexpr bool mistaken = false;
#define POLDER_CONST const
#endif

using polder::ArrayId, polder::Gradient, polder::PointId;
template <class A, class B>
using Written = std::conditional_t<mistaken, A, B>;

struct Ball : polder::EuclideanBall {};
struct State {
    ArrayId a;
};
struct WithInit : Ball {
    State init(Written<int, polder::Plan>& plan) const;
};
struct WithStart : Ball {
    State init(polder::Plan& plan) const { return {plan.scratch()}; }
    template <class R>
    void start(R&, State const&) POLDER_CONST {}
};
struct WithBefore : Ball {
    template <class R>
    int before(R&, Written<int, polder::detail::Nothing> const&) const {
        return 0;
    }
};
struct WithReads : Ball {
    template <class R, class State, class Before>
    auto reads(R&, State const&, Before const&, Written<double*, ArrayId> x,
               Gradient const&) const {
        return std::tuple{x};
    }
};
struct WithWeights : Ball {
    template <class T>
    struct Weights {
        T a() const { return 2; }
        T b() const { return 2; }
    };
    template <class T>
    Weights<T> weights(bool) POLDER_CONST {
        return {};
    }
};
struct WithFilter : Ball {
    template <class V>
    V filter(V eps) POLDER_CONST {
        return eps;
    }
};
struct WithCount : polder::InfinityBall {
    polder::Sum count_term(double v, Written<double*, double>) const { return {v}; }
};
struct WithPlace : Ball {
    template <class R, class V, class Reads>
    void place(R& run, ArrayId x, PointId y, V const& v, Reads const& reads) POLDER_CONST {
        polder::detail::move(run, x, y, *this, v, reads);
    }
};
struct WithAfter : Ball {
    template <class R, class State, class Before>
    void after(R&, State const&, Before const&, Written<double*, PointId>, Gradient const&) const {}
};

template <class B>
void refused() {
    static_assert(polder::composable<B, polder::NoDistance, polder::NoMix, polder::SGD> ==
                  !mistaken);
    polder::Sharpness<B, polder::NoDistance, polder::NoMix, polder::SGD> optimizer;
}

int main() {
    refused<WithInit>();
    refused<WithStart>();
    refused<WithBefore>();
    refused<WithReads>();
    refused<WithWeights>();
    refused<WithFilter>();
    refused<WithCount>();
    refused<WithPlace>();
    refused<WithAfter>();
}
