/// The passes that lead from the gradient to the perturbed point.
#pragma once

#include <cmath>
#include <cstddef>
#include <tuple>

#include <polder/closure/report.hpp>
#include <polder/distance/terms.hpp>
#include <polder/engine/memory.hpp>
#include <polder/step/features.hpp>

namespace polder::detail {

// The weights a and b of a ball as functions of g and of the arrays that the ball reads, in the order
// [x] [f]; 1 for a ball without.
template <class Ball, class T, bool reads_x>
struct BlockWeights {
    decltype(std::declval<Ball const&>().template weights<T>(true)) weights;

    template <class... Estimate>
    POLDER_HOST_DEVICE T a(T x, T g, Estimate... f) const {
        return weights.a(x, g, f...);
    }
    template <class... More>
    POLDER_HOST_DEVICE T b(T g, More... more) const {
        if constexpr (reads_x) {
            return weights.b(more..., g);
        } else {
            return weights.b(T(0), g, more...);
        }
    }
};

// eps of one coordinate: c a v.
template <class T, class Weights>
struct QuadraticMove {
    T c;
    Weights weights;
    template <class... Estimate>
    POLDER_HOST_DEVICE T operator()(T x, T g, T v, Estimate... f) const {
        return c * (weights.a(x, g, f...) * v);
    }
};
template <class T>
struct QuadraticMove<T, NoWeights> {
    T c;
    NoWeights weights;
    POLDER_HOST_DEVICE T operator()(T, T, T v) const { return c * v; }
};

// eps of one coordinate: move(v).
template <class T, class Move>
struct NormMove {
    Move move;
    POLDER_HOST_DEVICE T operator()(T, T, T v) const { return move(v); }
};

// Where the mask is 0, eps is.
template <class T, class Move>
struct MaskedMove {
    Move move;
    template <class... Estimate>
    POLDER_HOST_DEVICE T operator()(T x, T g, T v, std::uint8_t mask, Estimate... f) const {
        const T eps = move(x, g, v, f...);
        return eps * T(mask != 0);  // no branch, so that it is vectorised
    }
};

// Reduce and perturb, for one step of a method at one x. What measure() finds, place() uses.
template <class Perturb, class Distance, class T>
class Ascent {
    using Features = PerturbFeatures<Perturb>;
    using Ball = typename Features::Ball;
    static constexpr bool has_reference = !std::is_same_v<Distance, NoDistance>;
    // Whether the norm of v is known from the inner products of g and e.
    static constexpr bool norm_from_products = Features::quadratic && !Features::per_block;

public:
    // step: counted from 0; fresh_mask: the successor of the mask is the one to use.
    Ascent(Perturb const& perturb, Distance const& distance, Memory<T>& memory, Report& report,
           double rho_factor, std::uint64_t step, bool fresh_mask)
        : perturb_(perturb), distance_(distance), memory_(memory), engine_(memory.engine),
          report_(report), rho_factor_(rho_factor), step_(step), fresh_mask_(fresh_mask) {}

    // Pass 'reduce': d and the norm of v. False where a sum is not finite.
    template <class X>
    bool measure(X x, Blocked<T> gradient) {
        if constexpr (Features::template estimates<RunningFisher>) {
            const double decay = step_ == 0 ? 0 : ball().estimate.decay;
            engine_.carry(Flat<T>{memory_.fisher.data()}, Flat<T>{memory_.next_fisher.data()});
            engine_.map([keep = T(decay), gain = T(1 - decay)](
                            T g, T f, T& next) { next = keep * f + gain * (g * g); },
                        gradient, Flat<T>{memory_.fisher.data()},
                        Flat<T>{memory_.next_fisher.data()});
        }
        if constexpr (has_reference) {
            return measure_from_reference(x, gradient);
        } else {
            return measure_gradient(x, gradient);
        }
    }

    // Pass 'perturb': the point becomes x + eps, or eps alone.
    template <bool add_x, class X>
    void place(X x, Blocked<T> gradient, Blocked<T> point) {
        constexpr bool add_now = add_x && !Features::centralises;
        with_moves([&](auto const& move_in) {
            with_move_arrays([&](auto... more) {
                if constexpr (!has_reference) {
                    write(
                        [=](std::size_t k) {
                            return [move = move_in(k)](T w, T g, T& at, auto... other) {
                                const T eps = move(w, g, g, other...);
                                at = add_now ? w + eps : eps;
                                return eps;
                            };
                        },
                        x, gradient, point, more...);
                } else if constexpr (!decltype(Distance::reference)::is_fed_direction) {
                    write(
                        [=, d = T(report_.distance)](std::size_t k) {
                            return [d, move = move_in(k)](T w, T g, T e, T& at, auto... other) {
                                const T eps = move(w, g, g - d * e, other...);
                                at = add_now ? w + eps : eps;
                                return eps;
                            };
                        },
                        x, gradient, reference(), point, more...);
                } else {
                    write(
                        [=, average = average(), d = T(report_.distance)](std::size_t k) {
                            return [average, d, move = move_in(k)](T w, T g, T e, T& next, T& at,
                                                                   auto... other) {
                                const T v = g - d * e;
                                const T eps = move(w, g, v, other...);
                                next = average(e, v);
                                at = add_now ? w + eps : eps;
                                return eps;
                            };
                        },
                        x, gradient, reference(), next_reference(), point, more...);
                }
            });
        });
        if constexpr (Features::centralises) {
            for (std::size_t block = 0; block < memory_.shapes.size(); ++block) {
                auto const& shape = memory_.shapes[block];
                if (shape.cols < 2 || engine_.layout().frozen(block)) continue;
                engine_.centralise_rows(point, block, shape.rows, shape.cols, shape.row_major);
            }
            write(
                [](std::size_t) {
                    return [](T w, T& at) {
                        const T eps = at;
                        at = add_x ? w + eps : eps;
                        return eps;
                    };
                },
                x, point);
        }
    }

    // One ascent more, from the point and the gradient there. Call measure(point, gradient) before.
    void ascend_again(Blocked<T> gradient, Blocked<T> point) requires(!has_reference) {
        with_moves([&](auto const& move_in) {
            with_move_arrays([&](auto... more) {
                engine_.map(function([=](std::size_t k) {
                                return [move = move_in(k)](T g, T& at, auto... other) {
                                    at += move(at, g, g, other...);
                                };
                            }),
                            gradient, point, more...);
            });
        });
    }

private:
    Ball const& ball() const { return ball_of(perturb_); }

    auto weights(std::size_t group) const {
        if constexpr (Features::weighted) {
            return BlockWeights<Ball, T, Features::reads_parameters>{
                ball().template weights<T>(memory_.settings[group].adaptive)};
        } else {
            return NoWeights{};
        }
    }

    // A function for each group, or for each block where norms are those of blocks.
    template <class Make>
    auto function(Make const& make) {
        if constexpr (Features::per_block) {
            return memory_.per_block(make);
        } else {
            return memory_.per_group(make);
        }
    }

    // What e becomes.
    auto average() const {
        const double lambda = distance_.reference.decay(step_);
        return
            [keep = T(lambda), gain = T(1 - lambda)](T e, T fed) { return keep * e + gain * fed; };
    }

    Flat<T> past_reference() const { return {memory_.reference.data()}; }
    Flat<T> next_reference() const { return {memory_.next_reference.data()}; }
    // The one that d and v are taken from.
    Flat<T> reference() const {
        return decltype(Distance::reference)::read_after_update ? next_reference()
                                                                : past_reference();
    }
    Flat<T> fisher() const {
        return {(Features::template estimates<RunningFisher> ? memory_.next_fisher : memory_.fisher)
                    .data()};
    }

    // f(x, f) with those that the weights read.
    template <class X, class F>
    auto with_weight_arrays(X x, F const& f) {
        if constexpr (Features::reads_parameters) {
            return f(x);
        } else if constexpr (Features::fisher) {
            return f(fisher());
        } else {
            return f();
        }
    }

    // f(mask, f) with those that a move reads besides x, g and v.
    template <class F>
    void with_move_arrays(F const& f) {
        auto& mask = fresh_mask_ ? memory_.next_mask : memory_.mask;
        if constexpr (Features::masked && Features::fisher) {
            f(Flat<std::uint8_t>{mask.data()}, fisher());
        } else if constexpr (Features::masked) {
            f(Flat<std::uint8_t>{mask.data()});
        } else if constexpr (Features::fisher) {
            f(fisher());
        } else {
            f();
        }
    }

    // What one coordinate of v adds to ||v||.
    template <class Weights, class... More>
    static auto norm_term(Ball const& ball, Weights const& weights, T g, T v, More... more) {
        const double value = v;
        if constexpr (!Features::quadratic) {
            return ball.term(value);
        } else if constexpr (Features::weighted) {
            return Sum{static_cast<double>(weights.b(g, more...)) * (value * value)};
        } else {
            return Sum{value * value};
        }
    }

    // v = g: one reduction, of g^2 and, where it is another, the term of the norm.
    template <class X>
    bool measure_gradient(X x, Blocked<T> gradient) {
        return with_weight_arrays(x, [&](auto... xs) {
            const auto f = memory_.per_group([&](std::size_t group) {
                return [w = weights(group), ball = ball()](T g, auto... more) {
                    const double value = g;
                    if constexpr (Features::quadratic && !Features::weighted) {
                        return Terms<Sum>{Sum{value * value}};
                    } else {
                        // Written out: where a term is copied, GCC 12 does not vectorise the loop.
                        using Own = decltype(norm_term(ball, w, g, g, more...));
                        return Terms<Sum, Own>{Sum{value * value},
                                               Own{norm_term(ball, w, g, g, more...).value}};
                    }
                };
            });
            constexpr std::size_t own = Features::quadratic && !Features::weighted ? 0 : 1;
            double gg = 0, total = 0;
            if constexpr (Features::per_block) {
                block_norms_ = engine_.reduce_blocks(f, gradient, xs...);
                for (auto const& row : block_norms_) {
                    gg += row[0];
                    total += row[own];
                }
                own_ = own;
            } else {
                const auto sums = engine_.reduce(f, gradient, xs...);
                gg = std::get<0>(sums).value;
                norm_ = norm_of(std::get<own>(sums));
                total = norm_;
            }
            report_.gradient_norm = std::sqrt(gg);
            report_.cosine = 1;
            count_largest([](T g) { return g; }, gradient);
            return std::isfinite(gg) && std::isfinite(total);
        });
    }

    // v = g - d e: one reduction for d and, in a ball with a norm of squares, for ||v||; in others one more.
    template <class X>
    bool measure_from_reference(X x, Blocked<T> gradient) {
        using Reference = decltype(distance_.reference);
        constexpr bool after = Reference::read_after_update;
        constexpr bool weighted = Features::weighted && norm_from_products;
        const auto measure = distance_.measure;
        const auto average = this->average();
        engine_.carry(past_reference(), next_reference());

        const auto sums = with_weight_arrays(x, [&](auto... xs) {
            if constexpr (Reference::is_fed_direction) {
                return engine_.reduce(memory_.per_group([&](std::size_t group) {
                    return [=, w = weights(group)](T g, T e, auto... more) {
                        if constexpr (weighted) {
                            return terms(measure, g, e, w.b(g, more...));
                        } else {
                            return terms(measure, g, e);
                        }
                    };
                }),
                                      gradient, past_reference(), xs...);
            } else {
                return engine_.reduce(memory_.per_group([&](std::size_t group) {
                    return [=, w = weights(group)](T g, T e, T& updated, auto... more) {
                        const T moved = average(e, g);
                        updated = moved;
                        if constexpr (weighted) {
                            return terms(measure, g, after ? moved : e, w.b(g, more...));
                        } else {
                            return terms(measure, g, after ? moved : e);
                        }
                    };
                }),
                                      gradient, past_reference(), next_reference(), xs...);
            }
        });
        const auto count = static_cast<double>(engine_.layout().live_size());
        const InnerProducts p = inner_products(sums, count);
        const InnerProducts q = weighted_products<weighted>(sums, p);
        const double d = distance_of(measure, sums, p);
        if (!(std::isfinite(p.gg) && std::isfinite(q.gg) && std::isfinite(d))) return false;

        double vv = q.gg - 2 * d * q.ge + d * d * q.ee;
        const bool cancels = vv < cancelled * (q.gg + d * d * q.ee);
        if (!norm_from_products || cancels) add_up_direction(x, gradient, T(d), vv);
        norm_ = norm_from_products ? std::sqrt(vv) : norm_;
        report_.gradient_norm = std::sqrt(p.gg);
        report_.distance = d;
        // <v, g> / (||v|| ||g||), in the Euclidean norm.
        const double plain_vv = Features::measures_move ? p.gg - 2 * d * p.ge + d * d * p.ee : vv;
        report_.cosine = (p.gg - d * p.ge) / (report_.gradient_norm * std::sqrt(plain_vv));
        return true;
    }

    // The norm of v = g - d e from its coordinates.
    template <class X>
    void add_up_direction(X x, Blocked<T> gradient, T d, double& vv) {
        with_weight_arrays(x, [&](auto... xs) {
            const auto f = memory_.per_group([&](std::size_t group) {
                return [d, w = weights(group), ball = ball()](T g, T e, auto... more) {
                    return std::tuple{norm_term(ball, w, g, g - d * e, more...)};
                };
            });
            if constexpr (Features::per_block) {
                block_norms_ = engine_.reduce_blocks(f, gradient, reference(), xs...);
                own_ = 0;
            } else {
                const auto own = std::get<0>(engine_.reduce(f, gradient, reference(), xs...));
                if constexpr (Features::quadratic) {
                    vv = own.value;
                } else {
                    norm_ = norm_of(own);
                }
            }
        });
        count_largest([d](T g, T e) { return g - d * e; }, gradient, reference());
    }

    template <class Fold>
    double norm_of(Fold total) const {
        if constexpr (Features::quadratic) {
            return std::sqrt(total.value);
        } else {
            return ball().norm(total);
        }
    }

    template <class Direction, class... Arrays>
    void count_largest(Direction const& direction, Arrays... arrays) {
        if constexpr (Features::counts_largest) {
            const auto [found] =
                engine_.reduce(Conditional{[direction, largest = norm_](auto... at) {
                                   const double size =
                                       std::abs(static_cast<double>(direction(at...)));
                                   return Terms<Sum>{Sum{size >= largest ? 1.0 : 0.0}};
                               }},
                               arrays...);
            count_ = found.value;
        }
    }

    // f(move of group or block k).
    template <class F>
    void with_moves(F const& f) {
        const auto masked = [](auto move) {
            if constexpr (Features::masked) {
                return MaskedMove<T, decltype(move)>{move};
            } else {
                return move;
            }
        };
        f([this, masked](std::size_t k) {
            const std::size_t group = Features::per_block ? memory_.group[k] : k;
            const Ball own = ball_for_group(ball(), memory_.settings[group], rho_factor_);
            if constexpr (Features::quadratic) {
                const double norm = Features::per_block ? std::sqrt(block_norms_[k][own_]) : norm_;
                const auto w = weights(group);
                return masked(QuadraticMove<T, std::remove_const_t<decltype(w)>>{
                    T(own.coefficient(norm)), w});
            } else {
                const auto move = own.template move<T>(norm_, count_);
                return masked(NormMove<T, std::remove_const_t<decltype(move)>>{move});
            }
        });
    }

    // Runs the functions make(k), which write the point and return eps. The Euclidean norm of eps follows
    // from that of v in a plain ball; else it is added up here.
    template <class Make, class... Arrays>
    void write(Make const& make, Arrays... arrays) {
        if constexpr (!Features::measures_move) {
            bool alike = true;
            for (auto const& settings : memory_.settings) alike = alike && !settings.rho;
            if (alike) {
                const Ball ball = ball_for_group(this->ball(), {}, rho_factor_);
                report_.perturbation_norm = ball.coefficient(norm_) * norm_;
                return engine_.map(function(make), arrays...);
            }
        }
        const auto [ee] =
            engine_.reduce(function([&](std::size_t k) {
                               const auto squared = [f = make(k)](auto&... at) {
                                   const double eps = f(at...);
                                   return Terms<Sum>{Sum{eps * eps}};
                               };
                               if constexpr (Features::masked || !Features::quadratic) {
                                   return Conditional{squared};
                               } else {
                                   return squared;
                               }
                           }),
                           arrays...);
        report_.perturbation_norm = std::sqrt(ee.value);
    }

    // ||g - d e||^2 below this share of its summands is added up again, from the differences.
    static constexpr double cancelled = 1e-3;

    Perturb const& perturb_;
    Distance const& distance_;
    Memory<T>& memory_;
    CpuEngine& engine_;
    Report& report_;
    double rho_factor_;
    std::uint64_t step_;
    bool fresh_mask_;

    double norm_ = 0;   // ||v|| in the ball's norm
    double count_ = 0;  // of the largest |v|
    std::span<std::array<double, CpuEngine::max_terms> const> block_norms_;
    std::size_t own_ = 0;  // which of a block's numbers is ||v||^2
};

}  // namespace polder::detail
