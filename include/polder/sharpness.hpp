/// One step of a sharpness-aware optimizer, composed at compile time.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/closure/forms.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/concepts.hpp>
#include <polder/distance/distance_to.hpp>
#include <polder/distance/terms.hpp>
#include <polder/engine/cpu.hpp>
#include <polder/engine/memory.hpp>
#include <polder/mix/none.hpp>
#include <polder/perturb/none.hpp>

namespace polder {

/// The step that all methods share, at parameters x, with batches B1 and, where Mix wants it, B2:
///
///     g   = grad L_B1(x)
///     e   = average of gradients                  (only if Distance keeps one)
///     v   = g - d e,   d = Distance(g, e)
///     eps = Perturb(v)
///     s   = grad L_B1(x + eps)
///     u   = Mix(s, g) or Mix(s, grad L_B2(x))
///     x   = BaseOpt(x, u)
///
/// The policies are scalar functions; this class composes them into passes over memory:
///
///     reduce    read g, e; write e       sums for d and ||v||
///     perturb   read x, g, e; write x + eps
///     check     read s, g2               are they finite? (not with NonFinite::propagate)
///     mix       read g, s                inner products, for a Mix that asks for them
///     base      read x, s, g or g2, and the state; write x and the state
///
/// x and the state are written by the last pass alone, after the last call of the closure. So a
/// closure that throws leaves everything as it was, and so does a step that is refused (see NonFinite
/// for the one exception).
///
/// Results do not depend on the number of threads, on the container, or on how parameters are cut
/// into blocks. After the first step a step allocates nothing. Not thread-safe: one step at a time.
template <class Perturb, class Distance, class Mix, class BaseOpt>
class Sharpness {
    static_assert(
        perturbation<Perturb>,
        "polder: Perturb needs validate(), coefficient(norm) and a static move(v, c); see "
        "docs/architecture.md");
    static_assert(
        distance<Distance>,
        "polder: Distance is NoDistance or DistanceTo<Reference, Measure>, whose Measure needs "
        "validate(), distance(...) and, for a reduction of its own, term(g, e); see "
        "docs/architecture.md");
    static_assert(
        mixing<Mix>,
        "polder: Mix is NoMix or needs validate() and weights<T>(); see docs/architecture.md");
    static_assert(!clean_mixing<Mix> || !std::is_same_v<Perturb, NoPerturbation>,
                  "polder: a Mix that reads the clean gradient needs a perturbation");
    static_assert(
        base_optimizer<BaseOpt>,
        "polder: BaseOpt needs validate(), state_names() and with_update<T>(step, f); see "
        "docs/architecture.md");

    static constexpr bool perturbs = !std::is_same_v<Perturb, NoPerturbation>;
    static constexpr bool weighted = weighted_perturbation<Perturb>;
    static constexpr bool has_reference = !std::is_same_v<Distance, NoDistance>;
    static constexpr bool two_batches = two_batch_mixing<Mix>;
    static constexpr bool keeps_clean = clean_mixing<Mix>;
    static constexpr detail::Other other = two_batches   ? detail::Other::second
                                           : keeps_clean ? detail::Other::clean
                                                         : detail::Other::none;

public:
    /// Throws std::invalid_argument that names the hyper-parameter which is out of range, its value
    /// and the range.
    Sharpness(Perturb perturb, Distance distance, Mix mix, BaseOpt base)
        : perturb_(std::move(perturb)), distance_(std::move(distance)), mix_(std::move(mix)),
          base_(std::move(base)) {
        validate();
    }

    /// One step: x is changed in place, a report of what was measured comes back.
    ///
    /// closure: scalar(C const& at, C& gradient) or scalar(C const& at, C& gradient, Pass): returns
    /// the loss at `at` and overwrites `gradient` (of the shape of x, content unspecified) with its
    /// gradient. Whether the loss is the mean or the sum over the batch is the caller's choice,
    /// once for all. A method with two batches needs the second form and is asked for both.
    ///
    /// Throws what the closure throws; NonFiniteError; std::invalid_argument where x is not of the
    /// shape of the first step or a hyper-parameter was changed to something out of range.
    template <class C, class Closure>
    Report step(C&& x, Closure&& closure) {
        using Container = std::remove_reference_t<C>;
        if constexpr (check_arguments<Container, C&&, Closure>()) {
            auto& memory = prepare(x);
            auto& twins = twins_.of(x, perturbs, two_batches || keeps_clean);
            detail::OutOfPlace<Container, std::remove_reference_t<Closure>, other> form(
                x, closure, twins, memory);
            return advance(memory, form);
        } else {
            return {};
        }
    }

    /// As above, with a closure for each batch: scalar(C const& at, C& gradient).
    template <class C, class First, class Second>
    Report step(C&& x, First&& first, Second&& second) {
        static_assert(two_batches, "polder: this method uses one batch; give one closure");
        using Container = std::remove_cvref_t<C>;
        return step(std::forward<C>(x), [&](Container const& at, Container& gradient, Pass pass) {
            return pass.batch == Batch::first ? static_cast<double>(first(at, gradient))
                                              : static_cast<double>(second(at, gradient));
        });
    }

    /// One step of a model that owns its parameters x and its gradient (same shape) and computes at
    /// x alone. closure: scalar() or scalar(Pass): returns the loss at what x holds and overwrites
    /// `gradient`. x + eps is written into x for the second evaluation, and x is put back bit for
    /// bit, also when the closure throws. Costs two copies of x more than step(); results are the
    /// same bit for bit.
    template <class C, class Closure>
    Report step_in_place(C& x, C& gradient, Closure&& closure) {
        check_container<C, C&>();
        using Call = std::remove_reference_t<Closure>;
        static_assert(
            std::invocable<Call&> || std::invocable<Call&, Pass>,
            "polder: the closure of step_in_place is called as scalar() or scalar(polder::Pass)");
        static_assert(!two_batches || std::invocable<Call&, Pass>,
                      "polder: this method uses two batches; let the closure take a polder::Pass");
        auto& memory = prepare(x);
        const std::size_t size = memory.engine.layout().size();
        if constexpr (perturbs) memory.saved.resize(size);
        if constexpr (two_batches || keeps_clean) memory.kept_gradient.resize(size);
        detail::InPlace<C, Call, other> form(x, gradient, closure, memory);
        return advance(memory, form);
    }

    /// Writes the perturbation eps of the next step at x into `eps` (same shape) and changes
    /// nothing else: for measuring sharpness. Evaluates the closure once, on the first batch.
    template <class C, class Closure>
    Report perturbation(C& x, Closure&& closure, C& eps) {
        static_assert(perturbs, "polder: this method has no perturbation");
        if constexpr (check_arguments<C, C&, Closure>()) {
            auto& memory = prepare(x);
            auto& twins = twins_.of(x, perturbs, two_batches || keeps_clean);
            detail::OutOfPlace<C, std::remove_reference_t<Closure>, other> form(x, closure, twins,
                                                                                memory);
            Report report;
            if (!evaluate_first(form, report)) return report;
            detail::collect(eps, memory.engine.layout(), memory.point, "eps");
            ascend<false>(memory, report, form.from(), form.gradient(), form.point());
            return report;
        } else {
            return {};
        }
    }

    /// Allocates the state for x without a step; a no-op when it is there. Needed before
    /// visit_state on a fresh optimizer. Throws std::invalid_argument where the state is of another
    /// shape.
    template <class C>
    void bind(C& x) {
        check_container<C, C&>();
        prepare(x);
    }

    /// Calls f(std::string_view name, std::span<T> values) for each array of the state (T: float or
    /// double, as bound), and f(std::string_view name, std::uint64_t& count) for each counter, in a
    /// fixed order.
    template <class F>
    void visit_state(F&& f) {
        std::visit(
            [&]<class M>(M& memory) {
                if constexpr (!std::is_same_v<M, std::monostate>) {
                    const auto names = base_.state_names();
                    for (std::size_t k = 0; k < memory.base.size(); ++k) {
                        f(names[k], std::span(memory.base[k]));
                    }
                    if constexpr (has_reference) {
                        f(std::string_view("reference"), std::span(memory.reference));
                    }
                }
            },
            memory_);
        f(std::string_view("steps"), steps_);
        f(std::string_view("skipped_steps"), skipped_steps_);
    }

    /// The policies. A hyper-parameter may be changed between steps (learning_rate, rho); an option
    /// that decides how much state there is (momentum from or to 0, amsgrad) may not.
    BaseOpt& base() noexcept { return base_; }
    BaseOpt const& base() const noexcept { return base_; }
    Perturb& perturb() noexcept { return perturb_; }
    Perturb const& perturb() const noexcept { return perturb_; }
    Distance& distance() noexcept { return distance_; }
    Distance const& distance() const noexcept { return distance_; }
    Mix& mix() noexcept { return mix_; }
    Mix const& mix() const noexcept { return mix_; }

    /// Threads of the passes, >= 1; default: OpenMP's number, 1 without OpenMP. Results do not
    /// depend on it.
    void set_threads(int threads) {
        if (threads < 1) detail::refuse("threads", threads, "a number >= 1");
        threads_ = threads;
    }
    int threads() const noexcept { return threads_; }

    /// What to do with losses and gradients that are not finite; default: raise.
    void set_non_finite(NonFinite policy) noexcept { non_finite_ = policy; }
    NonFinite non_finite() const noexcept { return non_finite_; }

    /// Steps that changed the parameters, and steps that NonFinite::skip left out.
    std::uint64_t steps() const noexcept { return steps_; }
    std::uint64_t skipped_steps() const noexcept { return skipped_steps_; }

private:
    template <class C, class Argument>
    static constexpr bool check_container() {
        static_assert(!std::is_const_v<C>,
                      "polder: the parameters are const; pass a container that can be written to");
        if constexpr (!std::is_const_v<C>) {
            static_assert(
                !std::is_same_v<scalar_t<C>, detail::Mixed>,
                "polder: the blocks of the parameters mix float and double; use one of them");
            static_assert(
                !detail::eigen_like<C> || parameter_container<C>,
                "polder: this Eigen type is not contiguous; pass a matrix, a vector or a Map "
                "without strides");
            static_assert(
                detail::eigen_like<C> || std::is_same_v<scalar_t<C>, detail::Mixed> ||
                    parameter_container<C>,
                "polder: not a parameter container; pass contiguous float or double (std::vector, "
                "std::span, Eigen, ParameterArena), a nest of these, or specialise "
                "polder::Members");
            static_assert(
                !parameter_container<C> || std::is_lvalue_reference_v<Argument> || detail::view<C>,
                "polder: the parameters are a temporary; pass a variable, or a view of one");
        }
        return parameter_container<C>;
    }

    template <class C, class Argument, class Closure>
    static constexpr bool check_arguments() {
        if constexpr (check_container<C, Argument>()) {
            using Call = std::remove_reference_t<Closure>;
            constexpr bool with_pass = detail::pass_closure<Call, C>;
            constexpr bool without = detail::plain_closure<Call, C>;
            static_assert(
                with_pass || without,
                "polder: the closure is called as scalar(parameters const&, gradient&) or "
                "scalar(parameters const&, gradient&, polder::Pass), the gradient being of the "
                "type of the parameters");
            static_assert(
                !two_batches || with_pass || !without,
                "polder: this method uses two batches; let the closure take a polder::Pass");
            if constexpr (with_pass) {
                using Loss = std::invoke_result_t<Call&, C const&, C&, Pass>;
                static_assert(std::is_convertible_v<Loss, double>,
                              "polder: the closure must return the loss as a number; add a return");
                return std::is_convertible_v<Loss, double>;
            } else if constexpr (without && !two_batches) {
                using Loss = std::invoke_result_t<Call&, C const&, C&>;
                static_assert(std::is_convertible_v<Loss, double>,
                              "polder: the closure must return the loss as a number; add a return");
                return std::is_convertible_v<Loss, double>;
            }
        }
        return false;
    }

    void validate() const {
        perturb_.validate();
        distance_.validate();
        mix_.validate();
        base_.validate();
    }

    // State and block pointers for x.
    template <class C>
    auto& prepare(C& x) {
        using T = scalar_t<C>;
        using Memory = detail::Memory<T>;
        validate();
        if (std::holds_alternative<std::monostate>(memory_)) memory_ = make_memory<T>(x);
        auto* memory = std::get_if<Memory>(&memory_);
        if (memory == nullptr) {
            throw std::invalid_argument(
                "polder: the scalar type of the parameters is not that of the first step");
        }
        if (memory->base.size() != base_.state_names().size()) {
            throw std::invalid_argument(
                "polder: the base optimizer's options now need other state than at the first step");
        }
        detail::collect(x, memory->engine.layout(), memory->x, "the parameters");
        memory->engine.threads = threads_;
        return *memory;
    }

    template <class T, class C>
    detail::Memory<T> make_memory(C& x) const {
        std::vector<std::size_t> sizes;
        for_each_block(x, [&](T*, std::size_t size) { sizes.push_back(size); });
        detail::Memory<T> memory;
        memory.engine = CpuEngine(Layout(std::move(sizes)));
        const std::size_t size = memory.engine.layout().size();
        const std::size_t blocks = memory.engine.layout().blocks();
        T initial = 0;
        if constexpr (requires { base_.initial_state(); }) initial = T(base_.initial_state());
        memory.base.assign(base_.state_names().size(), detail::Array<T>(size, initial));
        if constexpr (has_reference) {
            memory.reference.resize(size);
            memory.next_reference.resize(size);
        }
        for (auto* pointers : {&memory.x, &memory.point, &memory.gradient, &memory.second}) {
            pointers->resize(blocks);
        }
        return memory;
    }

    template <class T, class Form>
    Report advance(detail::Memory<T>& memory, Form& form) {
        Report report;
        if (!evaluate_first(form, report)) return report;
        if constexpr (perturbs) {
            form.prepare_point();
            if (!ascend<true>(memory, report, form.from(), form.gradient(), form.point()))
                return report;
            report.perturbed_loss = form.perturbed();
            ++report.evaluations;
            if (!accept(std::isfinite(report.perturbed_loss), "loss at the perturbed point",
                        report)) {
                return report;
            }
        }
        if constexpr (two_batches) {
            report.second_loss = form.second();
            ++report.evaluations;
            if (!accept(std::isfinite(report.second_loss), "loss of the second batch", report)) {
                return report;
            }
        }
        if (!descend(memory, report, form.perturbed_gradient(), form.other_gradient()))
            return report;
        if constexpr (has_reference) memory.reference.swap(memory.next_reference);
        ++steps_;
        return report;
    }

    template <class Form>
    bool evaluate_first(Form& form, Report& report) {
        report.loss = form.first();
        ++report.evaluations;
        return accept(std::isfinite(report.loss), "loss", report);
    }

    // False where the step ends here.
    bool accept(bool finite, char const* what, Report& report) {
        if (finite || non_finite_ == NonFinite::propagate) return true;
        if (non_finite_ == NonFinite::raise) {
            throw NonFiniteError("polder: step " + std::to_string(steps_ + 1) + ": the " + what +
                                 " is not finite");
        }
        ++skipped_steps_;
        report.skipped = true;
        return false;
    }

    // Passes 'reduce' and 'perturb': the point becomes x + eps, or eps alone.
    // (Of arrays and not of the form: so that all closures and containers share the code.)
    template <bool add_x, class T, class X>
    bool ascend(detail::Memory<T>& memory, Report& report, X x, Blocked<T> gradient,
                Blocked<T> point) {
        CpuEngine& engine = memory.engine;
        const auto weights = weights_of<T>();
        if constexpr (!has_reference) {
            const auto sums = with_x(x, [&](auto... xs) {
                return engine.reduce(
                    [weights](T g, auto... w) { return detail::squares(g, weights.b(w, g)...); },
                    gradient, xs...);
            });
            const double gg = std::get<0>(sums).value;
            const double vv = std::get < weighted ? 1 : 0 > (sums).value;
            if (!accept(std::isfinite(gg) && std::isfinite(vv), "gradient", report)) return false;
            report.gradient_norm = std::sqrt(gg);
            report.cosine = 1;
            const auto move = move_of<T>(std::sqrt(vv), report);
            place(
                engine, report,
                [=](T w, T g, T& p) {
                    const T eps = move(w, g, g);
                    p = add_x ? w + eps : eps;
                    return eps;
                },
                x, gradient, point);
        } else {
            using Reference = decltype(distance_.reference);
            constexpr bool after = Reference::read_after_update;
            const auto measure = distance_.measure;
            const double lambda = distance_.reference.decay(steps_);
            const auto average = [keep = T(lambda), gain = T(1 - lambda)](T e, T fed) {
                return keep * e + gain * fed;
            };
            const Flat<T> past{memory.reference.data()};
            const Flat<T> next{memory.next_reference.data()};
            const Flat<T> read = after ? next : past;

            const auto sums = with_x(x, [&](auto... xs) {
                if constexpr (Reference::is_fed_direction) {
                    return engine.reduce(
                        [=](T g, T e, auto... w) {
                            return detail::terms(measure, g, e, weights.b(w, g)...);
                        },
                        gradient, past, xs...);
                } else {
                    return engine.reduce(
                        [=](T g, T e, T& updated, auto... w) {
                            const T moved = average(e, g);
                            updated = moved;
                            return detail::terms(measure, g, after ? moved : e, weights.b(w, g)...);
                        },
                        gradient, past, next, xs...);
                }
            });
            const auto count = static_cast<double>(engine.layout().size());
            const InnerProducts p = detail::inner_products(sums, count);
            const InnerProducts q = detail::weighted_products<weighted>(sums, p);
            const double d = detail::distance_of(measure, sums, p);
            if (!accept(std::isfinite(p.gg) && std::isfinite(q.gg) && std::isfinite(d),
                        "gradient or its distance", report)) {
                return false;
            }

            const auto direction = [d = T(d)](T g, T e) { return g - d * e; };
            double vv = q.gg - 2 * d * q.ge + d * d * q.ee;
            if (vv < cancelled * (q.gg + d * d * q.ee)) {
                const auto added = with_x(x, [&](auto... xs) {
                    return engine.reduce(
                        [=](T g, T e, auto... w) {
                            return detail::squares(direction(g, e), weights.b(w, g)...);
                        },
                        gradient, read, xs...);
                });
                vv = std::get < weighted ? 1 : 0 > (added).value;
            }
            report.gradient_norm = std::sqrt(p.gg);
            report.distance = d;
            // <v, g> / (||v|| ||g||); for a plain ball ||v||^2 is vv.
            const double plain_vv = weighted ? p.gg - 2 * d * p.ge + d * d * p.ee : vv;
            report.cosine = (p.gg - d * p.ge) / (report.gradient_norm * std::sqrt(plain_vv));
            const auto move = move_of<T>(std::sqrt(vv), report);
            if constexpr (!Reference::is_fed_direction) {
                place(
                    engine, report,
                    [=](T w, T g, T e, T& at) {
                        const T eps = move(w, g, direction(g, e));
                        at = add_x ? w + eps : eps;
                        return eps;
                    },
                    x, gradient, read, point);
            } else {
                place(
                    engine, report,
                    [=](T w, T g, T e, T& updated, T& at) {
                        const T v = direction(g, e);
                        const T eps = move(w, g, v);
                        updated = average(e, v);
                        at = add_x ? w + eps : eps;
                        return eps;
                    },
                    x, gradient, read, next, point);
            }
        }
        return true;
    }

    // f(x) where the ball's shape depends on x or g, f() where it does not: then x is not read.
    template <class X, class F>
    static auto with_x(X x, F const& f) {
        if constexpr (weighted) {
            return f(x);
        } else {
            return f();
        }
    }

    template <class T>
    auto weights_of() const {
        if constexpr (weighted) {
            return perturb_.template weights<T>();
        } else {
            return detail::NoWeights{};
        }
    }

    // eps of one coordinate as a function of x, g and v.
    template <class T>
    auto move_of(double norm, Report& report) const {
        const double coefficient = perturb_.coefficient(norm);
        report.perturbation_norm = coefficient * norm;
        if constexpr (weighted) {
            return [c = T(coefficient), weights = weights_of<T>()](T x, T g, T v) {
                return c * (weights.a(x, g) * v);
            };
        } else {
            return [c = T(coefficient)](T, T, T v) { return Perturb::move(v, c); };
        }
    }

    // Runs f, which writes the point and returns eps. The Euclidean norm of eps follows from that of v in
    // a plain ball; else it is added up here.
    template <class F, class... Arrays>
    static void place(CpuEngine& engine, Report& report, F const& f, Arrays... arrays) {
        if constexpr (weighted) {
            const auto [ee] = engine.reduce(
                [f](auto&... at) {
                    const double eps = f(at...);
                    return Terms<Sum>{Sum{eps * eps}};
                },
                arrays...);
            report.perturbation_norm = std::sqrt(ee.value);
        } else {
            engine.map(f, arrays...);
        }
    }

    // Passes 'check', 'mix' and 'base'. A method without a perturbation has no pass to spare: with `raise`
    // each run of coordinates is checked as it is updated.
    template <class T, class Gradient, class OtherGradient>
    bool descend(detail::Memory<T>& memory, Report& report, Gradient s, OtherGradient beside) {
        CpuEngine& engine = memory.engine;
        const Blocked<T> x{memory.x.data()};
        const char* what = perturbs ? "gradient at the perturbed point" : "gradient";
        const bool one_pass = !perturbs && !two_batches && non_finite_ == NonFinite::raise;
        if (non_finite_ != NonFinite::propagate && !one_pass) {
            if (!accept(engine.all_finite(s), what, report)) return false;
            if constexpr (two_batches) {
                if (!accept(engine.all_finite(beside), "gradient of the second batch", report)) {
                    return false;
                }
            }
        }
        if constexpr (two_batches || keeps_clean) {
            const auto mix = mix_of<T>(engine, report, s, beside);
            update(memory, [&](auto const& rule, auto... states) {
                engine.map(
                    [=](T& w, T g1, T g2, auto&... state) { w = rule(w, mix(g1, g2), state...); },
                    x, s, beside, states...);
            });
        } else {
            update(memory, [&](auto const& rule, auto... states) {
                const auto base = [=](T g, T& w, auto&... state) { w = rule(w, g, state...); };
                if (one_pass) {
                    accept(engine.map_where_finite(base, s, x, states...), what, report);
                } else {
                    engine.map(base, s, x, states...);
                }
            });
        }
        return true;
    }

    // u of one coordinate as a function of s and the other gradient.
    template <class T, class Gradient, class OtherGradient>
    auto mix_of(CpuEngine& engine, Report const& report, Gradient s, OtherGradient g) const {
        if constexpr (two_batches) {
            return mix_.template weights<T>();
        } else {
            GradientProducts p;
            p.gg = report.gradient_norm * report.gradient_norm;
            if constexpr (Mix::reads_products) {
                const auto [gs, ss] = engine.reduce(
                    [](T clean, T perturbed) {
                        const double a = clean, b = perturbed;
                        return Terms<Sum, Sum>{Sum{a * b}, Sum{b * b}};
                    },
                    g, s);
                p.gs = gs.value;
                p.ss = ss.value;
            }
            return mix_.template weights<T>(p);
        }
    }

    // Calls pass(rule, state arrays...) with the update of this step.
    template <class T, class Pass>
    void update(detail::Memory<T>& memory, Pass const& pass) {
        base_.template with_update<T>(steps_ + 1, [&]<class Rule>(Rule const& rule) {
            const auto state = [&](std::size_t k) { return Flat<T>{memory.base[k].data()}; };
            if constexpr (std::is_invocable_v<Rule, T, T>) {
                pass(rule);
            } else if constexpr (std::is_invocable_v<Rule, T, T, T&>) {
                pass(rule, state(0));
            } else if constexpr (std::is_invocable_v<Rule, T, T, T&, T&>) {
                pass(rule, state(0), state(1));
            } else {
                pass(rule, state(0), state(1), state(2));
            }
        });
    }

    static constexpr double square(double v) { return v * v; }

    // ||g - d e||^2 below this share of its summands is added up again, from the differences.
    static constexpr double cancelled = 1e-3;

    Perturb perturb_;
    Distance distance_;
    Mix mix_;
    BaseOpt base_;
    std::variant<std::monostate, detail::Memory<float>, detail::Memory<double>> memory_;
    detail::Twins twins_;
    std::uint64_t steps_ = 0;
    std::uint64_t skipped_steps_ = 0;
    int threads_ = default_threads();
    NonFinite non_finite_ = NonFinite::raise;
};

}  // namespace polder
