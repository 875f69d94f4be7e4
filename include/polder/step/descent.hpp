/// The passes that lead from the gradients to the new parameters.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

#include <polder/closure/clipping.hpp>
#include <polder/engine/memory.hpp>
#include <polder/mix/weights.hpp>
#include <polder/step/features.hpp>
#include <polder/step/numbers.hpp>

namespace polder::detail {

// u = c1 g1 + ... + cn gn, each coordinate into [-limit, limit].
template <class T, std::size_t n>
struct Combination {
    std::array<T, n> weights;
    T limit;

    template <class... G>
    POLDER_HOST_DEVICE T operator()(G... g) const {
        // One comparison after the other: nested, they would keep GCC from vectorising.
        const T u = unlimited(g...);
        const T below = u > limit ? limit : u;
        return below < -limit ? -limit : below;
    }

    template <class... G>
    POLDER_HOST_DEVICE T unlimited(G... g) const {
        static_assert(sizeof...(g) == n);
        return sum(std::make_index_sequence<n>{}, g...);
    }

private:
    template <std::size_t... k, class... G>
    POLDER_HOST_DEVICE T sum(std::index_sequence<k...>, G... g) const {
        return ((weights[k] * g) + ...);
    }
};

// An update of the base optimizer that reads its state from one place and writes it to another.
template <class Rule>
struct Elsewhere {
    Rule rule;

    template <class T>
    POLDER_HOST_DEVICE T operator()(T x, T u) const {
        return rule(x, u);
    }
    template <class T>
    POLDER_HOST_DEVICE T operator()(T x, T u, T a, T& next_a) const {
        T s = a;
        const T moved = rule(x, u, s);
        next_a = s;
        return moved;
    }
    template <class T>
    POLDER_HOST_DEVICE T operator()(T x, T u, T a, T& next_a, T b, T& next_b) const {
        T s = a, t = b;
        const T moved = rule(x, u, s, t);
        next_a = s;
        next_b = t;
        return moved;
    }
    template <class T>
    POLDER_HOST_DEVICE T operator()(T x, T u, T a, T& next_a, T b, T& next_b, T c,
                                    T& next_c) const {
        T s = a, t = b, r = c;
        const T moved = rule(x, u, s, t, r);
        next_a = s;
        next_b = t;
        next_c = r;
        return moved;
    }
};

// The weights of the gradients that make u: constants, or those of a mix of more than s alone, in the order of its
// gradients.
template <std::size_t n>
struct Constants {
    static constexpr std::size_t count = n;
    std::array<double, n> weights;
    POLDER_HOST_DEVICE std::array<double, n> operator()(Numbers const&) const { return weights; }
};
template <class Mix>
struct Mixture {
    using Needs = MixFeatures<Mix>;
    static constexpr std::size_t count = Needs::gradients;
    Mix mix;

    POLDER_HOST_DEVICE std::array<double, count> operator()(Numbers const& n) const {
        const MixWeights w = mix.weights({n.gradient_norm * n.gradient_norm, n.gs, n.ss});
        if constexpr (Needs::clean && Needs::second) {
            return {w.s, w.g, w.g2};
        } else if constexpr (Needs::clean) {
            return {w.s, w.g};
        } else {
            return {w.s, w.g2};
        }
    }
};

// u, on its way to the base optimizer.
template <class Weights, class T>
struct Blend {
    Weights weights;
    Numbers const* n;
    T limit;

    POLDER_HOST_DEVICE auto operator()() const {
        Combination<T, Weights::count> combine{{}, limit};
        const auto w = weights(*n);
        for (std::size_t k = 0; k < Weights::count; ++k) combine.weights[k] = T(w[k] * n->scale);
        return combine;
    }
};

// Takes the update of a base optimizer if it is of the expected type.
template <class Rule>
struct TakeRule {
    Rule& rule;
    template <class Own>
    POLDER_HOST_DEVICE void operator()(Own const& own) const {
        if constexpr (std::is_same_v<Own, Rule>) rule = own;
    }
};

// The update of the base optimizer's step number base_steps + 1 + more in a group. The groups differ in numbers, so
// that its type is that of any.
template <class BaseOpt, class T, class Rule>
struct Rules {
    BaseOpt base;
    Rule some;
    GroupSettings const* settings;
    std::uint64_t const* base_steps;
    std::uint64_t more;

    POLDER_HOST_DEVICE Rule operator()(std::size_t group) const {
        Rule rule = some;
        for_group(base, settings[group])
            .template with_update<T>(base_steps[group] + 1 + more, TakeRule<Rule>{rule});
        return rule;
    }
};
// The same from the state to its successor.
template <class OfGroup>
struct RulesElsewhere {
    OfGroup of_group;
    POLDER_HOST_DEVICE auto operator()(std::size_t group) const {
        const auto rule = of_group(group);
        return Elsewhere<std::remove_const_t<decltype(rule)>>{rule};
    }
};

// u^2.
template <class Weights>
struct UpdateTerms {
    Weights weights;
    Numbers const* n;

    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        const Combination<double, Weights::count> combine{weights(*n),
                                                          std::numeric_limits<double>::infinity()};
        return [combine](auto... g) {
            const double u = combine.unlimited(static_cast<double>(g)...);
            return Terms<Sum>{Sum{u * u}};
        };
    }
};
struct UpdateNorm {
    Clipping clipping;
    Numbers* n;
    Fault otherwise;

    POLDER_HOST_DEVICE void operator()(std::tuple<Sum> const& sums) const {
        const double uu = std::get<0>(sums).value;
        n->update_norm = std::sqrt(uu);
        n->scale = std::isfinite(uu) ? clipping.scale(n->update_norm) : uu;
        n->require(std::isfinite(uu), otherwise);
    }
};

// x <- BaseOpt(x, u), u made of one, two or three gradients.
template <class U, class OfGroup, class T, std::size_t gradients>
struct Update {
    U u;
    OfGroup of_group;

    POLDER_HOST_DEVICE auto operator()(std::size_t group) const {
        if constexpr (gradients == 1) {
            return [combine = u(), rule = of_group(group)](T g, T& w, auto&... state) {
                w = rule(w, combine(g), state...);
            };
        } else if constexpr (gradients == 2) {
            return [combine = u(), rule = of_group(group)](T g1, T g2, T& w, auto&... state) {
                w = rule(w, combine(g1, g2), state...);
            };
        } else {
            return [combine = u(), rule = of_group(group)](T g1, T g2, T g3, T& w, auto&... state) {
                w = rule(w, combine(g1, g2, g3), state...);
            };
        }
    }
};

// x <- BaseOpt(x, g) - learning_rate a (s - g).
template <class U, class OfGroup, class T>
struct DecoupledUpdate {
    U u;
    OfGroup of_group;
    double a;

    POLDER_HOST_DEVICE auto operator()(std::size_t group) const {
        const auto own = for_group(of_group.base, of_group.settings[group]);
        return [combine = u(), rule = of_group(group),
                rate = T(own.learning_rate * a)](T s, T g, T& w, auto&... state) {
            w = rule(w, combine(s, g), state...) - rate * (s - g);
        };
    }
};

// BaseOpt(x, u), written elsewhere.
template <class U, class OfGroup, class T>
struct MovedUpdate {
    U u;
    OfGroup of_group;

    POLDER_HOST_DEVICE auto operator()(std::size_t group) const {
        return [combine = u(), rule = of_group(group)](T g, T w, T& moved, auto&... state) {
            moved = rule(w, combine(g), state...);
        };
    }
};

// ||g|| and <s, g / ||g||> of all coordinates, or of block k.
template <class Mix>
struct AlongGradient {
    Mix mix;
    Numbers const* n;
    double const* norms;
    double const* products;

    POLDER_HOST_DEVICE double norm(std::size_t k) const {
        if constexpr (Mix::per_block) {
            return norms[k];
        } else {
            return mix.norm(n->gradient_norm * n->gradient_norm);
        }
    }
    POLDER_HOST_DEVICE double product(std::size_t k) const {
        return Mix::per_block ? products[k] : n->along;
    }
};

template <class T>
struct SquaredGradient {
    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        return [](T g) { return Terms<Sum>{Sum{static_cast<double>(g) * static_cast<double>(g)}}; };
    }
};
template <class Mix>
struct NormsOfBlocks {
    Mix mix;
    double* norms;
    std::size_t blocks;
    POLDER_HOST_DEVICE void operator()(CpuEngine::Row const* rows) const {
        for (std::size_t k = 0; k < blocks; ++k) norms[k] = mix.norm(rows[k][0]);
    }
};
template <class Mix>
struct AlongTerms {
    AlongGradient<Mix> along;
    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        return
            [norm = along.norm(k)](double s, double g) { return Terms<Sum>{Sum{s * (g / norm)}}; };
    }
};
struct AlongSum {
    Numbers* n;
    double* products;
    std::size_t blocks;
    POLDER_HOST_DEVICE void operator()(std::tuple<Sum> const& sums) const {
        n->along = std::get<0>(sums).value;
    }
    POLDER_HOST_DEVICE void operator()(CpuEngine::Row const* rows) const {
        for (std::size_t k = 0; k < blocks; ++k) products[k] = rows[k][0];
    }
};

// x <- BaseOpt(x, s), and k = s - <s, n> n, n = g / ||g||, is kept.
template <class U, class OfGroup, class Mix, class T>
struct KeepingUpdate {
    U u;
    OfGroup of_group;
    AlongGradient<Mix> along;
    std::uint32_t const* group;

    POLDER_HOST_DEVICE auto operator()(std::size_t block) const {
        // In double, since s and n are nearly parallel.
        return [combine = u(), rule = of_group(group[block]), norm = along.norm(block),
                product = along.product(block)](T s, T g, T& kept, T& w, auto&... state) {
            w = rule(w, combine(s), state...);
            kept = T(static_cast<double>(s) - product * (static_cast<double>(g) / norm));
        };
    }
};

template <class T>
struct SquaredPair {
    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        return [](T g, T k) {
            const double a = g, b = k;
            return Terms<Sum, Sum>{Sum{a * a}, Sum{b * b}};
        };
    }
};
// The weight of k.
template <class Mix>
struct ReuseWeight {
    Mix mix;
    Numbers* n;
    double* reuses;
    std::size_t blocks;
    POLDER_HOST_DEVICE void operator()(std::tuple<Sum, Sum> const& sums) const {
        const double gg = std::get<0>(sums).value;
        n->gradient_norm = std::sqrt(gg);
        n->reuse = mix.reuse(gg, std::get<1>(sums).value);
    }
    POLDER_HOST_DEVICE void operator()(CpuEngine::Row const* rows) const {
        for (std::size_t k = 0; k < blocks; ++k) reuses[k] = mix.reuse(rows[k][0], rows[k][1]);
    }
};
template <bool over_blocks>
struct Reuse {
    Numbers const* n;
    double const* reuses;
    POLDER_HOST_DEVICE double operator()(std::size_t block) const {
        return over_blocks ? reuses[block] : n->reuse;
    }
};
template <class Weight, class T>
struct ReusedTerms {
    Weight weight;
    POLDER_HOST_DEVICE auto operator()(std::size_t block) const {
        return [c = weight(block)](T g, T k) {
            const double u = static_cast<double>(g) + c * static_cast<double>(k);
            return Terms<Sum>{Sum{u * u}};
        };
    }
};
// x <- BaseOpt(x, g + c k).
template <class Weight, class OfGroup, class T>
struct ReusingUpdate {
    Weight weight;
    OfGroup of_group;
    std::uint32_t const* group;
    T limit;

    POLDER_HOST_DEVICE auto operator()(std::size_t block) const {
        const double scale = weight.n->scale;
        const Combination<T, 2> combine{{T(scale), T(scale * weight(block))}, limit};
        return [combine, rule = of_group(group[block])](T g, T k, T& w, auto&... state) {
            w = rule(w, combine(g, k), state...);
        };
    }
};

// Where a pass has looked whether all was finite.
struct Looked {
    Numbers* n;
    Fault otherwise;
    POLDER_HOST_DEVICE void operator()(bool finite) const { n->require(finite, otherwise); }
};

// The same in several gradients, of which one may not have been.
template <std::size_t gradients>
struct LookedInRuns {
    Numbers* n;
    std::array<Fault, gradients> otherwise;
    POLDER_HOST_DEVICE void operator()(std::size_t bad) const {
        if (bad < gradients) n->require(false, otherwise[bad]);
    }
};

// <g, s> and <s, s>.
template <class T>
struct ProductTerms {
    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        return [](T clean, T perturbed) {
            const double a = clean, b = perturbed;
            return Terms<Sum, Sum>{Sum{a * b}, Sum{b * b}};
        };
    }
};
struct ProductSums {
    Numbers* n;
    Fault otherwise;
    POLDER_HOST_DEVICE void operator()(std::tuple<Sum, Sum> const& sums) const {
        n->gs = std::get<0>(sums).value;
        n->ss = std::get<1>(sums).value;
        n->require(std::isfinite(n->ss), otherwise);
    }
};

// Mix and base, for one step of a method.
template <class BaseOpt, class Memory>
class Descent {
    using T = typename Memory::Scalar;

public:
    // A norm for clipping that is not finite is `otherwise`.
    Descent(BaseOpt const& base, Memory& memory, Clipping const& clipping, Fault otherwise)
        : base_(base), memory_(memory), engine_(memory.engine), clipping_(clipping),
          otherwise_(otherwise) {}

    // What u is multiplied with to keep to the norm. Reads the gradients.
    template <class Weights, class... G>
    void clip(Weights const& weights, G... gradients) {
        if (!clipping_.by_norm()) return;
        engine_.reduce_then(UpdateNorm{clipping_, numbers(), otherwise_},
                            engine_.everywhere(UpdateTerms<Weights>{weights, numbers()}),
                            gradients...);
    }

    // x <- BaseOpt(x, u), u made of one, two or three gradients. With `look` not in the runs of coordinates in which a
    // gradient is not finite: the k-th is otherwise[k].
    template <class Weights, class... G>
    void step(Weights const& weights, bool look, std::array<Fault, sizeof...(G)> const& otherwise,
              G... gradients) {
        engine_.last_pass();
        update(0, [&](auto const& of_group, auto... states) {
            engine_.template map_where_finite_then<sizeof...(G)>(
                look, LookedInRuns<sizeof...(G)>{numbers(), otherwise},
                per_group_update(weights, of_group), gradients..., x(), states...);
        });
    }

    // x <- BaseOpt(x, g) - learning_rate a (s - g).
    template <class S, class G>
    void step_decoupled(double a, S s, G g) {
        using U = Blend<Constants<2>, T>;
        const U u = blend(Constants<2>{{0, 1}});
        engine_.last_pass();
        update(0, [&]<class Of>(Of const& of_group, auto... states) {
            engine_.map(memory_.per_group(DecoupledUpdate<U, Of, T>{u, of_group, a}), s, g, x(),
                        states...);
        });
    }

    // x <- BaseOpt(x, s), and k = s - <s, n> n, n = g / ||g||, is kept.
    template <class Mix, class S, class G>
    void step_and_keep(Mix const& mix, S s, G g) {
        double* const norms = memory_.block_numbers[0].data();
        double* const products = memory_.block_numbers[1].data();
        const AlongGradient<Mix> along{mix, numbers(), norms, products};
        const AlongSum finish{numbers(), products, blocks()};
        if constexpr (Mix::per_block) {
            engine_.reduce_blocks_then(NormsOfBlocks<Mix>{mix, norms, blocks()},
                                       engine_.everywhere(SquaredGradient<T>{}), g);
            engine_.reduce_blocks_then(finish, memory_.per_block(AlongTerms<Mix>{along}), s, g);
        } else {
            engine_.reduce_then(finish, engine_.everywhere(AlongTerms<Mix>{along}), s, g);
        }
        using U = Blend<Constants<1>, T>;
        const U u = blend(Constants<1>{{1}});
        engine_.last_pass();
        update(0, [&]<class Of>(Of const& of_group, auto... states) {
            engine_.map(memory_.per_block(
                            KeepingUpdate<U, Of, Mix, T>{u, of_group, along, memory_.group.at()}),
                        s, g, kept(), x(), states...);
        });
    }

    // x <- BaseOpt(x, g + c k), on the steps between; k was kept by step_and_keep.
    template <class Mix, class G>
    void step_with_kept(Mix const& mix, G g) {
        double* const reuses = memory_.block_numbers[0].data();
        const ReuseWeight<Mix> finish{mix, numbers(), reuses, blocks()};
        const auto squares = engine_.everywhere(SquaredPair<T>{});
        if constexpr (Mix::per_block) {
            engine_.reduce_blocks_then(finish, squares, g, kept());
        } else {
            engine_.reduce_then(finish, squares, g, kept());
        }
        using Weight = Reuse<Mix::per_block>;
        const Weight weight{numbers(), reuses};
        if (clipping_.by_norm()) {
            engine_.reduce_then(UpdateNorm{clipping_, numbers(), otherwise_},
                                memory_.per_block(ReusedTerms<Weight, T>{weight}), g, kept());
        }
        engine_.last_pass();
        update(0, [&]<class Of>(Of const& of_group, auto... states) {
            engine_.map(memory_.per_block(ReusingUpdate<Weight, Of, T>{
                            weight, of_group, memory_.group.at(), T(clipping_.value)}),
                        g, kept(), x(), states...);
        });
    }

    // The first step of a mirror: to = BaseOpt(from, weight g), the state to its successor.
    template <class From, class To, class G>
    void mirror_down(double weight, From from, To to, G g) {
        engine_.carry(from, to);
        for (auto& state : memory_.base) engine_.carry(state.now(), state.next());
        using U = Blend<Constants<1>, T>;
        const U u{{{weight}}, numbers(), std::numeric_limits<T>::infinity()};
        update_elsewhere(0, [&]<class Of>(Of const& of_group, auto... states) {
            engine_.map(memory_.per_group(MovedUpdate<U, Of, T>{u, of_group}), g, from, to,
                        states...);
        });
    }

    // The second: x = BaseOpt(from, weight g), on the state's successor.
    template <class From, class G>
    void mirror_up(double weight, From from, G g) {
        using U = Blend<Constants<1>, T>;
        const U u = blend(Constants<1>{{weight}});
        engine_.last_pass();
        update_next(1, [&]<class Of>(Of const& of_group, auto... states) {
            engine_.map(memory_.per_group(MovedUpdate<U, Of, T>{u, of_group}), g, from, x(),
                        states...);
        });
    }

private:
    Numbers* numbers() { return memory_.numbers.at(); }
    std::size_t blocks() const { return memory_.shapes.size(); }
    Blocked<T> x() const { return {memory_.x.at()}; }
    auto kept() { return memory_.kept.now(); }

    template <class Weights>
    Blend<Weights, T> blend(Weights const& weights) {
        return {weights, numbers(), T(clipping_.value)};
    }

    template <class Weights, class Of>
    auto per_group_update(Weights const& weights, Of const& of_group) {
        return memory_.per_group(
            Update<Blend<Weights, T>, Of, T, Weights::count>{blend(weights), of_group});
    }

    // Calls pass(of_group, state arrays...), of_group(group) being the update of the base optimizer's step number
    // base_steps + 1 + more in that group.
    template <class Pass>
    void update(std::uint64_t more, Pass const& pass) {
        with_rules(more, [&]<class Rule>(Rule const&, auto const& of_group) {
            pass_states(
                StatesOf<Rule>{}, [](auto& state) { return state.now(); },
                [&](auto... s) { pass(of_group, s...); });
        });
    }
    template <class Pass>
    void update_next(std::uint64_t more, Pass const& pass) {
        with_rules(more, [&]<class Rule>(Rule const&, auto const& of_group) {
            pass_states(
                StatesOf<Rule>{}, [](auto& state) { return state.next(); },
                [&](auto... s) { pass(of_group, s...); });
        });
    }
    // The same from the state to its successor: the arrays come in pairs.
    template <class Pass>
    void update_elsewhere(std::uint64_t more, Pass const& pass) {
        with_rules(more, [&]<class Rule, class Of>(Rule const&, Of const& of_group) {
            pass_pairs(StatesOf<Rule>{},
                       [&](auto... s) { pass(RulesElsewhere<Of>{of_group}, s...); });
        });
    }

    // 0, 1, ... as many as the rule has state arrays.
    template <class Rule>
    using StatesOf = std::make_index_sequence<std::is_invocable_v<Rule, T, T>           ? 0
                                              : std::is_invocable_v<Rule, T, T, T&>     ? 1
                                              : std::is_invocable_v<Rule, T, T, T&, T&> ? 2
                                                                                        : 3>;

    template <std::size_t... k, class At, class F>
    void pass_states(std::index_sequence<k...>, [[maybe_unused]] At const& at, F const& f) {
        f(at(memory_.base[k])...);
    }

    template <std::size_t... k, class F>
    void pass_pairs(std::index_sequence<k...>, F const& f) {
        [[maybe_unused]] const auto array = [this](std::size_t i) {
            auto& state = memory_.base[i / 2];
            return i % 2 ? state.next() : state.now();
        };
        [&]<std::size_t... i>(std::index_sequence<i...>) { f(array(i)...); }
        (std::make_index_sequence<2 * sizeof...(k)>{});
    }

    // f(an update, the updates of groups).
    template <class F>
    void with_rules(std::uint64_t more, F const& f) {
        for_group(base_, memory_.settings.values[0])
            .template with_update<T>(1, [&]<class Rule>(Rule const& some) {
                f(some, Rules<BaseOpt, T, Rule>{base_, some, memory_.settings.at(),
                                                memory_.base_steps.at(), more});
            });
    }

    BaseOpt const& base_;
    Memory& memory_;
    typename Memory::Engine& engine_;
    Clipping const& clipping_;
    Fault otherwise_;
};

}  // namespace polder::detail
