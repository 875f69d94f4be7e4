/// The passes that lead from the gradients to the new parameters.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include <polder/closure/clipping.hpp>
#include <polder/closure/report.hpp>
#include <polder/engine/memory.hpp>
#include <polder/mix/weights.hpp>
#include <polder/step/features.hpp>

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

// Mix and base, for one step of a method.
template <class BaseOpt, class T>
class Descent {
public:
    Descent(BaseOpt const& base, Memory<T>& memory, Report& report, Clipping const& clipping,
            double rate_factor)
        : base_(base), memory_(memory), engine_(memory.engine), report_(report),
          clipping_(clipping), rate_factor_(rate_factor) {}

    // What u is multiplied with to keep to the norm; not finite where the norm is not. Reads the gradients.
    template <std::size_t n, class... G>
    double clip(std::array<double, n> const& weights, G... gradients) {
        if (!clipping_.by_norm()) return 1;
        const Combination<double, n> combine{weights, std::numeric_limits<double>::infinity()};
        const auto [uu] = engine_.reduce(
            [combine](auto... g) {
                const double u = combine.unlimited(static_cast<double>(g)...);
                return Terms<Sum>{Sum{u * u}};
            },
            gradients...);
        report_.update_norm = std::sqrt(uu.value);
        return std::isfinite(uu.value) ? clipping_.scale(report_.update_norm) : uu.value;
    }

    // x <- BaseOpt(x, u), u made of one, two or three gradients.
    template <std::size_t n, class... G>
    void step(std::array<double, n> const& weights, double scale, G... gradients) {
        const auto combine = combination(weights, scale);
        update(0, [&](auto const& rule_of, auto... states) {
            engine_.map(memory_.per_group([&](std::size_t group) {
                if constexpr (n == 1) {
                    return [combine, rule = rule_of(group)](T g, T& w, auto&... state) {
                        w = rule(w, combine(g), state...);
                    };
                } else if constexpr (n == 2) {
                    return [combine, rule = rule_of(group)](T g1, T g2, T& w, auto&... state) {
                        w = rule(w, combine(g1, g2), state...);
                    };
                } else {
                    return
                        [combine, rule = rule_of(group)](T g1, T g2, T g3, T& w, auto&... state) {
                            w = rule(w, combine(g1, g2, g3), state...);
                        };
                }
            }),
                        gradients..., x(), states...);
        });
    }

    // x <- BaseOpt(x, c g), but for the runs of coordinates in which g is not finite: false where there is any.
    template <class G>
    bool step_in_runs(std::array<double, 1> const& weight, G gradient) {
        const auto combine = combination(weight, 1);
        bool finite = true;
        update(0, [&](auto const& rule_of, auto... states) {
            finite = engine_.map_where_finite(memory_.per_group([&](std::size_t group) {
                return [combine, rule = rule_of(group)](T g, T& w, auto&... state) {
                    w = rule(w, combine(g), state...);
                };
            }),
                                              gradient, x(), states...);
        });
        return finite;
    }

    // x <- BaseOpt(x, g) - learning_rate a (s - g).
    template <class S, class G>
    void step_decoupled(double a, double scale, S s, G g) {
        const auto combine = combination(std::array{0.0, 1.0}, scale);
        update(0, [&](auto const& rule_of, auto... states) {
            engine_.map(memory_.per_group([&](std::size_t group) {
                const auto own = for_group(base_, memory_.settings[group], rate_factor_);
                return [combine, rule = rule_of(group),
                        rate = T(own.learning_rate * a)](T s, T g, T& w, auto&... state) {
                    w = rule(w, combine(s, g), state...) - rate * (s - g);
                };
            }),
                        s, g, x(), states...);
        });
    }

    // x <- BaseOpt(x, s), and k = s - <s, n> n, n = g / ||g||, is kept.
    template <class Mix, class S, class G>
    void step_and_keep(Mix const& mix, double scale, double gg, S s, G g) {
        const auto combine = combination(std::array{1.0}, scale);
        // Of the block or of all: ||g|| and <s, n>.
        std::vector<double>& norm = memory_.block_numbers[0];
        std::vector<double>& product = memory_.block_numbers[1];
        const auto along = [](double norm) {
            return [norm](double s, double g) { return Terms<Sum>{Sum{s * (g / norm)}}; };
        };
        if constexpr (Mix::per_block) {
            const auto squares = engine_.reduce_blocks(
                [](T g) {
                    return Terms<Sum>{Sum{static_cast<double>(g) * static_cast<double>(g)}};
                },
                g);
            for (std::size_t k = 0; k < norm.size(); ++k) norm[k] = mix.norm(squares[k][0]);
            const auto products = engine_.reduce_blocks(
                memory_.per_block([&](std::size_t k) { return along(norm[k]); }), s, g);
            for (std::size_t k = 0; k < norm.size(); ++k) product[k] = products[k][0];
        } else {
            norm.assign(norm.size(), mix.norm(gg));
            product.assign(product.size(), std::get<0>(engine_.reduce(along(norm[0]), s, g)).value);
        }
        update(0, [&](auto const& rule_of, auto... states) {
            engine_.map(memory_.per_block([&](std::size_t block) {
                // In double, since s and n are nearly parallel.
                return [combine, rule = rule_of(memory_.group[block]), norm = norm[block],
                        product = product[block]](T s, T g, T& kept, T& w, auto&... state) {
                    w = rule(w, combine(s), state...);
                    kept = T(static_cast<double>(s) - product * (static_cast<double>(g) / norm));
                };
            }),
                        s, g, kept(), x(), states...);
        });
    }

    // x <- BaseOpt(x, g + c k), on the steps between; k was kept by step_and_keep.
    template <class Mix, class G>
    void step_with_kept(Mix const& mix, G g) {
        const auto squares = [](T g, T k) {
            const double a = g, b = k;
            return Terms<Sum, Sum>{Sum{a * a}, Sum{b * b}};
        };
        std::vector<double>& reuse = memory_.block_numbers[0];
        if constexpr (Mix::per_block) {
            const auto sums = engine_.reduce_blocks(squares, g, kept());
            for (std::size_t k = 0; k < reuse.size(); ++k) {
                reuse[k] = mix.reuse(sums[k][0], sums[k][1]);
            }
        } else {
            const auto [gg, kk] = engine_.reduce(squares, g, kept());
            report_.gradient_norm = std::sqrt(gg.value);
            reuse.assign(reuse.size(), mix.reuse(gg.value, kk.value));
        }
        const double limit = clipping_.value;
        double scale = 1;
        if (clipping_.by_norm()) {
            const auto [uu] = engine_.reduce(memory_.per_block([&](std::size_t block) {
                return [c = reuse[block]](T g, T k) {
                    const double u = static_cast<double>(g) + c * static_cast<double>(k);
                    return Terms<Sum>{Sum{u * u}};
                };
            }),
                                             g, kept());
            report_.update_norm = std::sqrt(uu.value);
            scale = clipping_.scale(report_.update_norm);
        }
        update(0, [&](auto const& rule_of, auto... states) {
            engine_.map(memory_.per_block([&](std::size_t block) {
                const Combination<T, 2> combine{{T(scale), T(scale * reuse[block])}, T(limit)};
                return [combine, rule = rule_of(memory_.group[block])](T g, T k, T& w,
                                                                       auto&... state) {
                    w = rule(w, combine(g, k), state...);
                };
            }),
                        g, kept(), x(), states...);
        });
    }

    // The first step of a mirror: to = BaseOpt(from, weight g), the state to its successor.
    template <class From, class To, class G>
    void mirror_down(double weight, From from, To to, G g) {
        const Combination<T, 1> combine{{T(weight)}, std::numeric_limits<T>::infinity()};
        engine_.carry(from, to);
        for (std::size_t k = 0; k < memory_.base.size(); ++k) {
            engine_.carry(Flat<T>{memory_.base[k].data()}, Flat<T>{memory_.next_base[k].data()});
        }
        update_elsewhere(0, [&](auto const& rule_of, auto... states) {
            engine_.map(memory_.per_group([&](std::size_t group) {
                return [combine, rule = rule_of(group)](T g, T w, T& moved, auto&... state) {
                    moved = rule(w, combine(g), state...);
                };
            }),
                        g, from, to, states...);
        });
    }

    // The second: x = BaseOpt(from, weight g), on the state's successor.
    template <class From, class G>
    void mirror_up(double weight, double scale, From from, G g) {
        const auto combine = combination(std::array{weight}, scale);
        update_next(1, [&](auto const& rule_of, auto... states) {
            engine_.map(memory_.per_group([&](std::size_t group) {
                return [combine, rule = rule_of(group)](T g, T w, T& moved, auto&... state) {
                    moved = rule(w, combine(g), state...);
                };
            }),
                        g, from, x(), states...);
        });
    }

private:
    Blocked<T> x() const { return {memory_.x.data()}; }
    Flat<T> kept() const { return {memory_.kept.data()}; }

    template <std::size_t n>
    Combination<T, n> combination(std::array<double, n> const& weights, double scale) const {
        Combination<T, n> combine{{}, T(clipping_.value)};
        for (std::size_t k = 0; k < n; ++k) combine.weights[k] = T(weights[k] * scale);
        return combine;
    }

    // Calls pass(rule_of, state arrays...), rule_of(group) being the update of the base optimizer's step number
    // base_steps + 1 + more in that group.
    template <class Pass>
    void update(std::uint64_t more, Pass const& pass) {
        with_rule(more, [&]<class Rule>(Rule const&, auto const& rule_of) {
            pass_states(memory_.base, StatesOf<Rule>{}, [&](auto... s) { pass(rule_of, s...); });
        });
    }
    template <class Pass>
    void update_next(std::uint64_t more, Pass const& pass) {
        with_rule(more, [&]<class Rule>(Rule const&, auto const& rule_of) {
            pass_states(memory_.next_base, StatesOf<Rule>{},
                        [&](auto... s) { pass(rule_of, s...); });
        });
    }
    // The same from the state to its successor: the arrays come in pairs.
    template <class Pass>
    void update_elsewhere(std::uint64_t more, Pass const& pass) {
        with_rule(more, [&]<class Rule>(Rule const&, auto const& rule_of) {
            const auto away = [&](std::size_t group) { return Elsewhere<Rule>{rule_of(group)}; };
            pass_pairs(StatesOf<Rule>{}, [&](auto... s) { pass(away, s...); });
        });
    }

    // 0, 1, ... as many as the rule has state arrays.
    template <class Rule>
    using StatesOf = std::make_index_sequence<std::is_invocable_v<Rule, T, T>           ? 0
                                              : std::is_invocable_v<Rule, T, T, T&>     ? 1
                                              : std::is_invocable_v<Rule, T, T, T&, T&> ? 2
                                                                                        : 3>;

    template <class Arrays, std::size_t... k, class F>
    static void pass_states(Arrays& arrays, std::index_sequence<k...>, F const& f) {
        f(Flat<T>{arrays[k].data()}...);
    }

    template <std::size_t... k, class F>
    void pass_pairs(std::index_sequence<k...>, F const& f) {
        [[maybe_unused]] const auto array = [this](std::size_t i) {
            return Flat<T>{(i % 2 ? memory_.next_base : memory_.base)[i / 2].data()};
        };
        [&]<std::size_t... i>(std::index_sequence<i...>) { f(array(i)...); }
        (std::make_index_sequence<2 * sizeof...(k)>{});
    }

    // f(rule of the first group, rule_of).
    template <class F>
    void with_rule(std::uint64_t more, F const& f) {
        const auto in_group = [&](std::size_t group, auto const& take) {
            auto const& settings = memory_.settings[group];
            for_group(base_, settings, rate_factor_)
                .template with_update<T>(settings.base_steps + 1 + more, take);
        };
        in_group(0, [&]<class Rule>(Rule const& first) {
            f(first, [&](std::size_t group) {
                Rule rule = first;
                if (group == 0) return rule;
                // The groups differ in numbers, so that the type is that of the first.
                in_group(group, [&]<class Own>(Own const& own) {
                    if constexpr (std::is_same_v<Own, Rule>) rule = own;
                });
                return rule;
            });
        });
    }

    BaseOpt const& base_;
    Memory<T>& memory_;
    CpuEngine& engine_;
    Report& report_;
    Clipping const& clipping_;
    double rate_factor_;
};

}  // namespace polder::detail
