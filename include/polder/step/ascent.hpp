/// The passes that lead from the gradient to the perturbed point.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include <polder/distance/terms.hpp>
#include <polder/engine/memory.hpp>
#include <polder/step/features.hpp>
#include <polder/step/numbers.hpp>

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

// The ball of a method, where the passes run. What follows are the functions of a coordinate of the passes up to the
// perturbed point, each made by one of these: make(k) is the one of group k (or block k). They hold numbers and
// pointers to numbers alone, so that a device can make them.
template <class Features, class T>
struct BallOf {
    using Ball = typename Features::Ball;
    Ball ball;
    GroupSettings const* settings;  // of each group

    POLDER_HOST_DEVICE auto weights(std::size_t group) const {
        if constexpr (Features::weighted) {
            return BlockWeights<Ball, T, Features::reads_parameters>{
                ball.template weights<T>(settings[group].adaptive)};
        } else {
            return NoWeights{};
        }
    }

    template <class Fold>
    POLDER_HOST_DEVICE double norm(Fold total) const {
        if constexpr (Features::quadratic) {
            return std::sqrt(total.value);
        } else {
            return ball.norm(total);
        }
    }

    // Where all groups have the same radius, and ||eps|| is coefficient times norm.
    POLDER_HOST_DEVICE double perturbation_norm([[maybe_unused]] double norm) const {
        if constexpr (Features::measures_move) {
            return Report::none;
        } else {
            return ball_for_group(ball, settings[0]).coefficient(norm) * norm;
        }
    }

    // What one coordinate of v adds to ||v||.
    template <class Weights, class... More>
    POLDER_HOST_DEVICE static auto norm_term(Ball const& ball, Weights const& weights, T g, T v,
                                             More... more) {
        const double value = v;
        if constexpr (!Features::quadratic) {
            return ball.term(value);
        } else if constexpr (Features::weighted) {
            return Sum{static_cast<double>(weights.b(g, more...)) * (value * value)};
        } else {
            return Sum{value * value};
        }
    }
};

// v = g: g^2 and, where it is another, the term of the norm.
template <class Features, class T>
struct GradientTerms {
    BallOf<Features, T> in;
    static constexpr std::size_t own = Features::euclidean ? 0 : 1;

    POLDER_HOST_DEVICE auto operator()([[maybe_unused]] std::size_t group) const {
        if constexpr (Features::euclidean) {
            return [](T g) {
                const double value = g;
                return Terms<Sum>{Sum{value * value}};
            };
        } else {
            return [w = in.weights(group), ball = in.ball](T g, auto... more) {
                const double value = g;
                // Written out: where a term is copied, GCC 12 does not vectorise the loop.
                using In = BallOf<Features, T>;
                using Own = decltype(In::norm_term(ball, w, g, g, more...));
                return Terms<Sum, Own>{Sum{value * value},
                                       Own{In::norm_term(ball, w, g, g, more...).value}};
            };
        }
    }
};

// Their sums, over all coordinates or over each block.
template <class Features, class T>
struct GradientNorm {
    BallOf<Features, T> in;
    Numbers* n;
    Fault otherwise;
    bool first;  // of the ascents of a step
    std::size_t blocks;

    template <class... Folds>
    POLDER_HOST_DEVICE void operator()(std::tuple<Folds...> const& sums) const {
        n->norm = in.norm(std::get<GradientTerms<Features, T>::own>(sums));
        finish(std::get<0>(sums).value, n->norm);
    }
    POLDER_HOST_DEVICE void operator()(CpuEngine::Row const* rows) const {
        double gg = 0, total = 0;
        for (std::size_t k = 0; k < blocks; ++k) {
            gg += rows[k][0];
            total += rows[k][GradientTerms<Features, T>::own];
        }
        finish(gg, total);
    }

private:
    POLDER_HOST_DEVICE void finish(double gg, double total) const {
        n->cosine = 1;
        const bool finite = std::isfinite(gg) && std::isfinite(total);
        n->require(finite, otherwise);
        if (!first) return;
        n->gradient_norm = std::sqrt(gg);
        if (finite) n->perturbation_norm = in.perturbation_norm(n->norm);
    }
};

// f moves by g^2.
template <class Estimate, class T>
struct FisherAverage {
    Estimate estimate;
    std::uint64_t const* step;

    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        const double decay = *step == 0 ? 0 : estimate.decay;
        return [keep = T(decay), gain = T(1 - decay)](T g, T f, T& next) {
            next = keep * f + gain * (g * g);
        };
    }
};

// What e becomes.
template <class Reference, class T>
struct ReferenceAverage {
    Reference reference;
    std::uint64_t const* step;

    POLDER_HOST_DEVICE auto operator()() const {
        const double lambda = reference.decay(*step);
        return
            [keep = T(lambda), gain = T(1 - lambda)](T e, T fed) { return keep * e + gain * fed; };
    }
};

// v = g - d e: inner products, the measure's own term and, for the norm of v in a ball with weights, those times a
// weight. Where e takes in g it does so here.
template <class Features, class Distance, class T>
struct ReferenceTerms {
    using Reference = decltype(Distance::reference);
    static constexpr bool weighted = Features::weighted && Features::norm_from_products;

    BallOf<Features, T> in;
    decltype(Distance::measure) measure;
    ReferenceAverage<Reference, T> average;

    POLDER_HOST_DEVICE auto operator()(std::size_t group) const {
        if constexpr (Reference::is_fed_direction) {
            return [measure = measure, w = in.weights(group)](T g, T e, auto... more) {
                if constexpr (weighted) {
                    return terms(measure, g, e, w.b(g, more...));
                } else {
                    return terms(measure, g, e);
                }
            };
        } else {
            constexpr bool after = Reference::read_after_update;
            return [measure = measure, average = average(),
                    w = in.weights(group)](T g, T e, T& updated, auto... more) {
                const T moved = average(e, g);
                updated = moved;
                if constexpr (weighted) {
                    return terms(measure, g, after ? moved : e, w.b(g, more...));
                } else {
                    return terms(measure, g, after ? moved : e);
                }
            };
        }
    }
};

// What follows once ||v||^2 in the ball's norm is known.
template <class Features, class T>
struct DirectionNorm {
    BallOf<Features, T> in;
    Numbers* n;

    POLDER_HOST_DEVICE void from_squares(double vv) const {
        if constexpr (Features::norm_from_products) n->norm = std::sqrt(vv);
        n->perturbation_norm = in.perturbation_norm(n->norm);
        // <v, g> / (||v|| ||g||), in the Euclidean norm.
        InnerProducts const& p = n->products;
        const double d = n->distance;
        const double plain_vv = Features::measures_move ? p.gg - 2 * d * p.ge + d * d * p.ee : vv;
        n->cosine = (p.gg - d * p.ge) / (n->gradient_norm * std::sqrt(plain_vv));
    }
    template <class Own>
    POLDER_HOST_DEVICE void operator()(std::tuple<Own> const& sums) const {
        if constexpr (Features::quadratic) {
            from_squares(std::get<0>(sums).value);
        } else {
            n->norm = in.norm(std::get<0>(sums));
            from_squares(0);
        }
    }
    POLDER_HOST_DEVICE void operator()(CpuEngine::Row const*) const { from_squares(0); }
};

// Their sums: d, and in a ball with a norm of squares ||v||.
template <class Features, class Distance, class T>
struct ReferenceNorm {
    DirectionNorm<Features, T> direction;
    decltype(Distance::measure) measure;
    double coordinates;
    Fault otherwise;

    // ||g - d e||^2 below this share of its summands is added up again, from the differences.
    static constexpr double cancelled = 1e-3;

    template <class... Folds>
    POLDER_HOST_DEVICE void operator()(std::tuple<Folds...> const& sums) const {
        constexpr bool weighted = ReferenceTerms<Features, Distance, T>::weighted;
        const InnerProducts p = inner_products(sums, coordinates);
        const InnerProducts q = weighted_products<weighted>(sums, p);
        const double d = distance_of(measure, sums, p);
        const bool finite = std::isfinite(p.gg) && std::isfinite(q.gg) && std::isfinite(d);
        Numbers& n = *direction.n;
        n.require(finite, otherwise);
        n.again = false;
        if (!finite) return;
        const double vv = q.gg - 2 * d * q.ge + d * d * q.ee;
        const bool cancels = vv < cancelled * (q.gg + d * d * q.ee);
        n.again = !Features::norm_from_products || cancels;
        n.products = p;
        n.gradient_norm = std::sqrt(p.gg);
        n.distance = d;
        direction.from_squares(vv);
    }
};

// v = g - d e from its coordinates.
template <class Features, class T>
struct DirectionTerms {
    BallOf<Features, T> in;
    Numbers const* n;

    POLDER_HOST_DEVICE auto operator()(std::size_t group) const {
        return [d = T(n->distance), w = in.weights(group), ball = in.ball](T g, T e, auto... more) {
            return std::tuple{BallOf<Features, T>::norm_term(ball, w, g, g - d * e, more...)};
        };
    }
};

// How many coordinates of v have the largest |v|.
template <class T, bool of_reference>
struct LargestTerms {
    Numbers const* n;

    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        return Conditional{[d = T(n->distance), largest = n->norm](T g, auto... e) {
            T v = g;
            if constexpr (of_reference) {
                v = g - d * (e + ...);
            } else {
                static_cast<void>(d);
            }
            const double size = std::abs(static_cast<double>(v));
            return Terms<Sum>{Sum{size >= largest ? 1.0 : 0.0}};
        }};
    }
};
struct LargestCount {
    Numbers* n;
    POLDER_HOST_DEVICE void operator()(std::tuple<Sum> const& sums) const {
        n->count = std::get<0>(sums).value;
    }
};

// The move of group or block k.
template <class Features, class T>
struct Moves {
    BallOf<Features, T> in;
    Numbers const* n;
    CpuEngine::Row const* rows;  // norms of blocks: number `own` of each
    std::size_t own;
    std::uint32_t const* group;

    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        if constexpr (Features::masked) {
            const auto move = of_ball(k);
            return MaskedMove<T, std::remove_const_t<decltype(move)>>{move};
        } else {
            return of_ball(k);
        }
    }

private:
    POLDER_HOST_DEVICE auto of_ball(std::size_t k) const {
        const std::size_t group_of_k = Features::per_block ? group[k] : k;
        const auto own_ball = ball_for_group(in.ball, in.settings[group_of_k]);
        if constexpr (Features::quadratic) {
            const double norm = Features::per_block ? std::sqrt(rows[k][own]) : n->norm;
            const auto w = in.weights(group_of_k);
            return QuadraticMove<T, std::remove_const_t<decltype(w)>>{T(own_ball.coefficient(norm)),
                                                                      w};
        } else {
            const auto move = own_ball.template move<T>(n->norm, n->count);
            return NormMove<T, std::remove_const_t<decltype(move)>>{move};
        }
    }
};

// The point, or eps alone, from x and v = g.
template <bool add_x, class Moves, class T>
struct PlaceAlongGradient {
    Moves moves;

    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        return [move = moves(k)](T w, T g, T& at, auto... other) {
            const T eps = move(w, g, g, other...);
            at = add_x ? w + eps : eps;
            return eps;
        };
    }
};

// From v = g - d e; where e takes in v it does so here.
template <bool add_x, class Moves, class Reference, class T>
struct PlaceAlongDirection {
    Moves moves;
    ReferenceAverage<Reference, T> average;

    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        const T d = T(moves.n->distance);
        if constexpr (Reference::is_fed_direction) {
            return [average = average(), d, move = moves(k)](T w, T g, T e, T& next, T& at,
                                                             auto... other) {
                const T v = g - d * e;
                const T eps = move(w, g, v, other...);
                next = average(e, v);
                at = add_x ? w + eps : eps;
                return eps;
            };
        } else {
            return [d, move = moves(k)](T w, T g, T e, T& at, auto... other) {
                const T eps = move(w, g, g - d * e, other...);
                at = add_x ? w + eps : eps;
                return eps;
            };
        }
    }
};

// From eps.
template <bool add_x, class T>
struct PlaceEps {
    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        return [](T w, T& at) {
            const T eps = at;
            at = add_x ? w + eps : eps;
            return eps;
        };
    }
};

// One ascent more.
template <class Moves, class T>
struct PlaceAgain {
    Moves moves;

    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        return [move = moves(k)](T g, T& at, auto... other) { at += move(at, g, g, other...); };
    }
};

// The square of the eps that make's function returns.
template <class Make, bool conditional>
struct SquaredEps {
    Make make;

    POLDER_HOST_DEVICE auto operator()(std::size_t k) const {
        const auto squared = [f = make(k)](auto&... at) {
            const double eps = f(at...);
            return Terms<Sum>{Sum{eps * eps}};
        };
        if constexpr (conditional) {
            return Conditional{squared};
        } else {
            return squared;
        }
    }
};
// The square of y - x.
template <class T>
struct SquaredDifference {
    POLDER_HOST_DEVICE auto operator()(std::size_t) const {
        return [](T w, T y) {
            const double eps = static_cast<double>(y) - static_cast<double>(w);
            return Terms<Sum>{Sum{eps * eps}};
        };
    }
};
struct EpsNorm {
    Numbers* n;
    POLDER_HOST_DEVICE void operator()(std::tuple<Sum> const& sums) const {
        n->perturbation_norm = std::sqrt(std::get<0>(sums).value);
    }
};

// f of the samples so far, and one more.
template <class T>
struct AddSquared {
    bool first;
    T weight;
    POLDER_HOST_DEVICE void operator()(T g, T& f) const {
        f = (first ? T(0) : f) + weight * (g * g);
    }
};

// y - x.
struct Difference {
    template <class T>
    POLDER_HOST_DEVICE void operator()(T w, T y, T& difference) const {
        difference = y - w;
    }
};

// Reduce and perturb, for one step of a method at one x. What measure() finds, place() uses.
template <class Perturb, class Distance, class Memory>
class Ascent {
    using T = typename Memory::Scalar;
    using Features = PerturbFeatures<Perturb>;
    using Ball = typename Features::Ball;
    using In = BallOf<Features, T>;
    static constexpr bool has_reference = !std::is_same_v<Distance, NoDistance>;

public:
    // fresh_mask: the successor of the mask is the one to use. A measure that is not finite is `otherwise`.
    Ascent(Perturb const& perturb, Distance const& distance, Memory& memory, bool fresh_mask,
           Fault otherwise)
        : perturb_(perturb), distance_(distance), memory_(memory), engine_(memory.engine),
          fresh_mask_(fresh_mask), otherwise_(otherwise) {}

    // Pass 'reduce': d and the norm of v.
    template <class X>
    void measure(X x, Blocked<T> gradient) {
        if constexpr (Features::template estimates<RunningFisher>) {
            auto& f = memory_.fisher;
            engine_.carry(f.now(), f.next());
            engine_.map(engine_.everywhere(FisherAverage<RunningFisher, T>{
                            ball_of(perturb_).estimate, memory_.method_steps.at()}),
                        gradient, f.now(), f.next());
        }
        if constexpr (has_reference) {
            measure_from_reference(x, gradient);
        } else {
            measure_gradient(x, gradient, true, otherwise_);
        }
    }

    // Pass 'perturb': the point becomes x + eps, or eps alone.
    template <bool add_x, class X>
    void place(X x, Blocked<T> gradient, Blocked<T> point) {
        constexpr bool add_now = add_x && !Features::centralises;
        with_move_arrays([&](auto... more) {
            using M = Moves<Features, T>;
            if constexpr (!has_reference) {
                write(PlaceAlongGradient<add_now, M, T>{moves()}, x, gradient, point, more...);
            } else {
                using Reference = decltype(Distance::reference);
                const PlaceAlongDirection<add_now, M, Reference, T> make{moves(), average()};
                if constexpr (Reference::is_fed_direction) {
                    write(make, x, gradient, reference(), memory_.reference.next(), point, more...);
                } else {
                    write(make, x, gradient, reference(), point, more...);
                }
            }
        });
        if constexpr (Features::centralises) {
            engine_.centralise(point, memory_.shapes);
            write(PlaceEps<add_x, T>{}, x, point);
        }
    }

    // One ascent more, from the point and the gradient there.
    void measure_again(Blocked<T> gradient, Blocked<T> point,
                       Fault otherwise) requires(!has_reference) {
        measure_gradient(point, gradient, false, otherwise);
    }
    void ascend_again(Blocked<T> gradient, Blocked<T> point) requires(!has_reference) {
        with_move_arrays([&](auto... more) {
            engine_.map(function(PlaceAgain<Moves<Features, T>, T>{moves()}), gradient, point,
                        more...);
        });
    }
    // ||eps|| of the whole way from x to the point.
    template <class X>
    void measure_way(X x, Blocked<T> point) {
        engine_.reduce_then(EpsNorm{numbers()}, engine_.everywhere(SquaredDifference<T>{}), x,
                            point);
    }

private:
    Numbers* numbers() { return memory_.numbers.at(); }
    In in() const { return {ball_of(perturb_), memory_.settings.at()}; }
    Moves<Features, T> moves() {
        const std::size_t own = has_reference || Features::euclidean ? 0 : 1;
        return {in(), numbers(), engine_.rows(), own, memory_.group.at()};
    }
    auto average() const {
        return ReferenceAverage<decltype(Distance::reference), T>{distance_.reference,
                                                                  memory_.method_steps.at()};
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

    // The one that d and v are taken from.
    auto reference() {
        auto& e = memory_.reference;
        return decltype(Distance::reference)::read_after_update ? e.next() : e.now();
    }
    auto fisher() {
        auto& f = memory_.fisher;
        return Features::template estimates<RunningFisher> ? f.next() : f.now();
    }

    // f(x, f) with those that the weights read.
    template <class X, class F>
    auto with_weight_arrays([[maybe_unused]] X x, F const& f) {
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
        const auto mask = [&] { return fresh_mask_ ? memory_.mask.next() : memory_.mask.now(); };
        if constexpr (Features::masked && Features::fisher) {
            f(mask(), fisher());
        } else if constexpr (Features::masked) {
            f(mask());
        } else if constexpr (Features::fisher) {
            f(fisher());
        } else {
            f();
        }
    }

    // v = g: one reduction.
    template <class X>
    void measure_gradient(X x, Blocked<T> gradient, bool first, Fault otherwise) {
        with_weight_arrays(x, [&](auto... xs) {
            const auto f = memory_.per_group(GradientTerms<Features, T>{in()});
            const GradientNorm<Features, T> finish{in(), numbers(), otherwise, first,
                                                   memory_.shapes.size()};
            if constexpr (Features::per_block) {
                engine_.reduce_blocks_then(finish, f, gradient, xs...);
            } else {
                engine_.reduce_then(finish, f, gradient, xs...);
            }
        });
        count_largest(gradient);
    }

    // v = g - d e: one reduction for d and, in a ball with a norm of squares, for ||v||; in others one more.
    template <class X>
    void measure_from_reference(X x, Blocked<T> gradient) {
        using Reference = decltype(Distance::reference);
        auto& e = memory_.reference;
        engine_.carry(e.now(), e.next());
        const DirectionNorm<Features, T> direction{in(), numbers()};
        const auto count = static_cast<double>(engine_.layout().live_size());
        const ReferenceNorm<Features, Distance, T> finish{direction, distance_.measure, count,
                                                          otherwise_};
        with_weight_arrays(x, [&](auto... xs) {
            const auto f = memory_.per_group(
                ReferenceTerms<Features, Distance, T>{in(), distance_.measure, average()});
            if constexpr (Reference::is_fed_direction) {
                engine_.reduce_then(finish, f, gradient, e.now(), xs...);
            } else {
                engine_.reduce_then(finish, f, gradient, e.now(), e.next(), xs...);
            }
        });
        engine_.where(&numbers()->again, [&] {
            with_weight_arrays(x, [&](auto... xs) {
                const auto f = memory_.per_group(DirectionTerms<Features, T>{in(), numbers()});
                if constexpr (Features::per_block) {
                    engine_.reduce_blocks_then(direction, f, gradient, reference(), xs...);
                } else {
                    engine_.reduce_then(direction, f, gradient, reference(), xs...);
                }
            });
            count_largest(gradient, reference());
        });
    }

    template <class... E>
    void count_largest([[maybe_unused]] Blocked<T> gradient, [[maybe_unused]] E... e) {
        if constexpr (Features::counts_largest) {
            engine_.reduce_then(LargestCount{numbers()},
                                engine_.everywhere(LargestTerms<T, sizeof...(E) != 0>{numbers()}),
                                gradient, e...);
        }
    }

    // Runs the functions make(k), which write the point and return eps. Where ||eps|| does not follow from ||v||
    // it is added up here.
    template <class Make, class... Arrays>
    void write(Make const& make, Arrays... arrays) {
        if constexpr (!Features::measures_move) {
            bool alike = true;
            for (auto const& settings : memory_.settings.values) alike = alike && !settings.rho;
            if (alike) return engine_.map(function(make), arrays...);
        }
        engine_.reduce_then(
            EpsNorm{numbers()},
            function(SquaredEps < Make, Features::masked || !Features::quadratic > {make}),
            arrays...);
    }

    Perturb const& perturb_;
    Distance const& distance_;
    Memory& memory_;
    typename Memory::Engine& engine_;
    bool fresh_mask_;
    Fault otherwise_;
};

}  // namespace polder::detail
