/// Sharpness-aware optimizers written in plain loops over their equations, without polder: what composed methods
/// are compared with. Slow, in double, and told at run time what to be.
///
///     plain::Optimizer optimizer{{.perturb = {.ball = plain::Ball::euclidean, .rho = 0.1},
///                                 .base = {.rule = plain::Rule::adam}},
///                                {{.size = 12, .rows = 4, .cols = 3}, {.size = 4}}};
///     double loss = optimizer.step(x, closure);
///
/// In the comments: x parameters, g = grad L_B1(x), s = grad L_B1(x + eps), g2 = grad L_B2(x), u what the base
/// optimizer gets; ||.|| is Euclidean over all coordinates that are not frozen.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace plain {

using Vector = std::vector<double>;
using Indices = std::vector<std::size_t>;

/// Writes the gradient of batch 0 or 1 (B1 or B2) at `at` into g, which has the right size, and returns the loss.
/// perturbed: `at` is not the x of the step. sample: -1 for the whole batch, or one sample of it.
using Closure =
    std::function<double(Vector const& at, Vector& g, int batch, bool perturbed, int sample)>;

/// `size` coordinates that follow those of the block before; a matrix where rows > 0.
struct Block {
    std::size_t size = 0;
    std::size_t rows = 0, cols = 1;
    bool row_major = true;
    std::size_t group = 0;
};

/// What the blocks of a group have for themselves. Group 0 is there without being given.
struct Group {
    std::optional<double> learning_rate{}, weight_decay{}, rho{};
    bool adaptive = true, frozen = false;
};

enum class Ball { none, euclidean, adaptive, fisher, infinity, manhattan, p_norm };
enum class Estimate { batch, running, samples };
enum class FisherNorm { metric, metric_per_block, euclidean };
/// What is around a ball, see Optimizer::move.
enum class Around { mask, bernoulli, centralised, relative, relative_per_block, ascents };
enum class MaskKind { fixed, fisher, dynamic };
enum class Score { weight, gradient, random };

struct Mask {
    MaskKind kind = MaskKind::fixed;
    double sparsity = 0.2, drop_rate = 0.5;
    int samples = 16;
    Score drop = Score::gradient, growth = Score::random;
    std::uint64_t refresh_epochs = 5, first_epoch = 0, last_epoch = 200;
    /// In [0, 1). Draw 0 makes the first mask, draws 2 e + 1 and 2 e + 2 drop and grow in epoch e.
    std::function<double(std::size_t coordinate, std::uint64_t draw)> random_score{};
};

struct Perturb {
    Ball ball = Ball::none;
    double rho = 0.05, norm_guard = 1e-12;
    double eta = 0;                       // adaptive, fisher
    double damping = 1;                   // fisher
    Estimate estimate = Estimate::batch;  // fisher alone
    double decay = 0.9;                   // fisher, running
    int samples = 1;                      // fisher, samples
    FisherNorm norm = FisherNorm::metric;
    double p = 2;                  // p_norm
    std::vector<Around> around{};  // the outermost first
    Mask mask{};
    int ascents = 2;
    double beta = 0.6;  // bernoulli
    std::function<bool(std::uint64_t step, std::size_t coordinate)> draw{};
};

// clang-format off
enum class Measure {
    manhattan, manhattan_mean, euclidean, chebyshev, cosine, constant, projection, similarity };
enum class Mixture {
    none, same_batch, surrogate_gap, weighted_sharpness, decoupled_sharpness, reused_ascent };
// clang-format on
/// e: read after its update and from 0; before it and from g_0; before it, from g_0 and fed v; after it, from g_0.
enum class Reference { none, moving, lagged, lagged_reduced, first_gradient };

struct Distance {
    Reference reference = Reference::none;
    Measure measure = Measure::manhattan;
    bool along_average = false;  // v = e: VaSSO
    double lambda = 0.6;         // weight of the old e; 1 - theta of VaSSO
    double sigma = 1;            // constant
    double scale = 1;
    double ulp = DBL_EPSILON;
};

struct Mix {
    Mixture kind = Mixture::none;
    double alpha = 0.8;
    bool normalise_clean = false;                      // same_batch
    double gamma = 0.9;                                // weighted_sharpness, decoupled_sharpness
    bool per_block = false;                            // reused_ascent, as are the guards:
    std::optional<double> norm_guard{}, kept_guard{};  // 1e-12 both, or per block 0 and 1e-8
    std::optional<double> kappa{};                     // "+": a second batch
};

enum class Rule { sgd, adam, adamw, rmsprop, adagrad, lion, lamb };

struct Base {
    Rule rule = Rule::sgd;
    double learning_rate = 1e-3, weight_decay = 0;
    double momentum = 0, dampening = 0;  // sgd; rmsprop has momentum, too
    bool nesterov = false;
    double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    bool amsgrad = false;  // adam, adamw
    double alpha = 0.99;   // rmsprop
    bool centered = false;
    double learning_rate_decay = 0, initial_accumulator_value = 0;  // adagrad
    bool maximize = false;
};

enum class Scheme { sharpness, mirror, momentum_sam, sampa };

struct Interval {
    std::uint64_t every = 1;
    bool last = false;  // of `every` steps, or the first
    std::uint64_t warm_up = 0;
    bool restart_each_epoch = false;

    /// t mod every = 0, or (t + 1) mod every = 0, t counting from the end of the warm-up or in the epoch.
    bool active(std::uint64_t step, std::uint64_t batch) const {
        if (step < warm_up) return false;
        std::uint64_t const t = restart_each_epoch ? batch : step - warm_up;
        return (last ? t + 1 : t) % every == 0;
    }
};

struct Clipping {
    double norm = std::numeric_limits<double>::infinity();
    double value = std::numeric_limits<double>::infinity();
};

struct Method {
    Scheme scheme = Scheme::sharpness;
    Perturb perturb{};
    Distance distance{};
    Mix mix{};
    Base base{};
    double alpha1 = 1, alpha2 = 0.2, between = 1;  // mirror
    double sign = -1;                              // momentum_sam
    double lambda = 0.2;                           // sampa: weight of the gradient at y
    Interval interval{};                           // of LookSAM: the steps that look
    Clipping clipping{};
    std::function<double(std::uint64_t step)> learning_rate_schedule{}, rho_schedule{};
};

/// What a base optimizer keeps: up to three numbers a coordinate, and for each group how many steps it took.
struct BaseState {
    Vector first, second, third;
    std::vector<std::uint64_t> steps;
};

class Optimizer {
public:
    Method method;
    std::vector<Group> groups;  // with the one that needs not be given in front
    std::vector<std::uint8_t> mask;

    /// Of the last step: eps (empty without one), d of the distance and the point between a mirror's two steps.
    Vector eps, mid;
    double distance = std::numeric_limits<double>::quiet_NaN();

    /// Throws std::invalid_argument where the composition has no equation.
    Optimizer(Method of, std::vector<Block> blocks, std::vector<Group> own_groups = {})
        : method(std::move(of)), blocks_(std::move(blocks)) {
        groups.push_back({});
        groups.insert(groups.end(), own_groups.begin(), own_groups.end());
        for (Block const& block : blocks_) {
            Indices part;
            for (std::size_t k = 0; k < block.size; ++k) {
                part.push_back(group_of_.size());
                group_of_.push_back(block.group);
            }
            all_parts_.push_back(part);
        }
        std::size_t const n = group_of_.size();
        e_ = fisher_ = kept_ = last_ = Vector(n, 0);
        Base const& base = method.base;
        double const initial = base.rule == Rule::adagrad ? base.initial_accumulator_value : 0;
        state_ = {Vector(n, initial), Vector(n, 0), Vector(n, 0),
                  std::vector<std::uint64_t>(groups.size(), 0)};
        find_live();
        first_mask();
        check();
    }

    /// One step. Returns L_B1(x), and not-a-number where the method does not evaluate it.
    double step(Vector& x, Closure const& f) {
        find_live();
        eps.clear();
        mid.clear();
        distance = std::numeric_limits<double>::quiet_NaN();
        Scheme const scheme = method.scheme;
        bool const differs = method.perturb.ball != Ball::none || scheme == Scheme::mirror;
        bool const active = differs && method.interval.active(steps_, batch_);
        double const loss = !active                          ? step_between(x, f)
                            : scheme == Scheme::mirror       ? step_mirror(x, f)
                            : scheme == Scheme::momentum_sam ? step_momentum_sam(x, f)
                            : scheme == Scheme::sampa        ? step_sampa(x, f)
                                                             : step_sharpness(x, f);
        ++steps_;
        ++batch_;
        if (active) ++method_steps_;
        return loss;
    }

    /// eps of the step that would follow as one of the method; changes nothing.
    Vector perturbation(Vector const& x, Closure const& f) const {
        Optimizer copy = *this;
        copy.method.interval = {};
        Vector y = x;
        copy.step(y, f);
        return copy.eps;
    }

    /// The next step is the first of an epoch.
    void begin_epoch() {
        ++epochs_;
        batch_ = 0;
    }

private:
    // ---- coordinates -------------------------------------------------------------------------------------------

    void find_live() {
        live_.clear();
        parts_.clear();
        for (std::size_t b = 0; b < blocks_.size(); ++b) {
            if (groups.at(blocks_[b].group).frozen) continue;
            parts_.push_back(all_parts_[b]);
            live_.insert(live_.end(), all_parts_[b].begin(), all_parts_[b].end());
        }
    }

    static double product(Indices const& over, Vector const& a, Vector const& b) {
        double sum = 0;
        for (std::size_t i : over) sum += a[i] * b[i];
        return sum;
    }
    static double norm(Indices const& over, Vector const& a) {
        return std::sqrt(product(over, a, a));
    }
    static double over_guarded(double a, double guarded) { return guarded > 0 ? a / guarded : 0; }
    static double sign(double a) { return a > 0 ? 1 : a < 0 ? -1 : 0; }

    Vector gradient(Closure const& f, Vector const& at, int batch, bool perturbed,
                    double* loss = nullptr, int sample = -1) const {
        Vector g(at.size(), 0);
        double const value = f(at, g, batch, perturbed, sample);
        if (loss != nullptr) *loss = value;
        return g;
    }

    // a x + b y, and x where a coordinate is frozen.
    Vector combine(double a, Vector x, double b, Vector const& y) const {
        for (std::size_t i : live_) x[i] = a * x[i] + b * y[i];
        return x;
    }
    Vector moved(Vector const& x, Vector const& by) const { return combine(1, x, 1, by); }
    Vector times(double a, Vector const& x) const { return combine(a, x, 0, x); }

    // ---- Perturb -----------------------------------------------------------------------------------------------

    // The move along v with the radius of each coordinate, its norm over `part`, added to eps.
    void move_in_ball(Indices const& part, Vector const& at, Vector const& g, Vector const& v,
                      Vector const& radius, Vector& to) const {
        Perturb const& p = method.perturb;
        auto const adaptive = [&](std::size_t i) { return groups[group_of_[i]].adaptive; };
        auto const scale = [&](std::size_t i) { return adaptive(i) ? std::abs(at[i]) + p.eta : 1; };
        auto const metric = [&](std::size_t i) {
            double const f = p.estimate == Estimate::batch ? g[i] * g[i] : fisher_[i];
            return adaptive(i) ? p.damping + p.eta * f : 1;
        };
        switch (p.ball) {
        case Ball::none:
            break;
        case Ball::euclidean: {  // eps = rho v / (||v|| + guard)
            double const length = norm(part, v) + p.norm_guard;
            for (std::size_t i : part) to[i] += radius[i] * over_guarded(v[i], length);
            break;
        }
        case Ball::adaptive: {  // eps = rho T^2 v / (||T v|| + guard),   T = |x| + eta
            double sum = 0;
            for (std::size_t i : part) sum += scale(i) * v[i] * scale(i) * v[i];
            double const length = std::sqrt(sum) + p.norm_guard;
            for (std::size_t i : part) {
                to[i] += radius[i] * over_guarded(scale(i) * scale(i) * v[i], length);
            }
            break;
        }
        case Ball::fisher: {  // eps = rho F^-1 v / (sqrt(v' F^-1 v) + guard),   F = damping + eta f
            double sum = 0;
            for (std::size_t i : part) {
                bool const euclidean = p.norm == FisherNorm::euclidean;  // ||F^-1 v|| instead
                sum += v[i] * v[i] / (euclidean ? metric(i) * metric(i) : metric(i));
            }
            if (p.norm == FisherNorm::metric_per_block) sum += p.norm_guard;
            double const length = std::sqrt(sum) + p.norm_guard;
            for (std::size_t i : part) {
                to[i] += radius[i] * over_guarded(v[i] / metric(i), length);
            }
            break;
        }
        case Ball::infinity:  // eps = rho sign(v)
            for (std::size_t i : part) to[i] += radius[i] * sign(v[i]);
            break;
        case Ball::manhattan: {  // eps = rho sign(v) / count where |v| is largest, 0 elsewhere
            double largest = 0, count = 0;
            for (std::size_t i : part) largest = std::max(largest, std::abs(v[i]));
            for (std::size_t i : part) count += std::abs(v[i]) == largest ? 1 : 0;
            for (std::size_t i : part) {
                if (std::abs(v[i]) == largest) to[i] += radius[i] * sign(v[i]) / count;
            }
            break;
        }
        case Ball::p_norm: {  // eps = rho sign(v) (|v| / (||v||_q + guard))^(q-1),   1/p + 1/q = 1
            double const q = p.p / (p.p - 1);
            double sum = 0;
            for (std::size_t i : part) sum += std::pow(std::abs(v[i]), q);
            double const length = std::pow(sum, 1 / q) + p.norm_guard;
            for (std::size_t i : part) {
                double const share = over_guarded(std::abs(v[i]), length);
                to[i] += radius[i] * sign(v[i]) * std::pow(share, q - 1);
            }
            break;
        }
        }
    }

    // eps of what is around the ball from number `layer` on, at the point `at` with the gradient g there.
    Vector move(std::size_t layer, Vector const& at, Vector const& g, Vector const& v,
                Vector radius, bool per_block, Closure const& f) const {
        Perturb const& p = method.perturb;
        Vector to(at.size(), 0);
        if (layer == p.around.size()) {
            if (p.norm == FisherNorm::metric_per_block && p.ball == Ball::fisher) per_block = true;
            if (per_block) {
                for (Indices const& part : parts_) move_in_ball(part, at, g, v, radius, to);
            } else {
                move_in_ball(live_, at, g, v, radius, to);
            }
            return to;
        }
        auto const inner = [&] { return move(layer + 1, at, g, v, radius, per_block, f); };
        switch (p.around[layer]) {
        case Around::mask:  // eps = M o eps_Ball
            to = inner();
            for (std::size_t i : live_) to[i] *= mask[i];
            break;
        case Around::bernoulli:  // eps = b / beta o eps_Ball,   b = 1 with probability beta, else 0
            to = inner();
            for (std::size_t i : live_) to[i] *= p.draw(steps_, i) ? 1 / p.beta : 0;
            break;
        case Around::centralised:  // eps = eps_Ball minus the mean of its row, in matrices
            to = inner();
            for (std::size_t b = 0; b < blocks_.size(); ++b) {
                if (!groups[blocks_[b].group].frozen) centralise(blocks_[b], all_parts_[b], to);
            }
            break;
        case Around::relative: {  // rho_t = r ||x||
            double const length = norm(live_, at);
            for (std::size_t i : live_) radius[i] *= length;
            to = inner();
            break;
        }
        case Around::relative_per_block:  // eps_b = r ||x_b|| v_b / (||v_b|| + guard)
            for (Indices const& part : parts_) {
                double const length = norm(part, at);
                for (std::size_t i : part) radius[i] *= length;
            }
            per_block = true;
            to = inner();
            break;
        case Around::ascents:  // y_0 = x,   y_{k+1} = y_k + eps_Ball(y_k),   eps = y_ascents - x
            to = inner();
            for (int k = 1; k < p.ascents; ++k) {
                Vector const y = moved(at, to);
                Vector const h = gradient(f, y, 0, true);
                to = moved(to, move(layer + 1, y, h, h, radius, per_block, f));
            }
            break;
        }
        return to;
    }

    static void centralise(Block const& block, Indices const& part, Vector& a) {
        if (block.rows == 0 || block.cols < 2) return;
        for (std::size_t row = 0; row < block.rows; ++row) {
            Indices ones;
            for (std::size_t col = 0; col < block.cols; ++col) {
                ones.push_back(
                    part[block.row_major ? row * block.cols + col : col * block.rows + row]);
            }
            double mean = 0;
            for (std::size_t i : ones) mean += a[i] / static_cast<double>(block.cols);
            for (std::size_t i : ones) a[i] -= mean;
        }
    }

    // eps along v. What the perturbation keeps (f and the mask) goes on.
    Vector ascend(Vector const& x, Vector const& g, Vector const& v, Closure const& f) {
        Perturb const& p = method.perturb;
        refresh_mask(x, f);
        if (p.estimate == Estimate::running) {
            // f_t = decay f_{t-1} + (1 - decay) g^2,   f_0 = g^2
            double const decay = method_steps_ == 0 ? 0 : p.decay;
            for (std::size_t i : live_) {
                fisher_[i] = decay * fisher_[i] + (1 - decay) * g[i] * g[i];
            }
        } else if (p.estimate == Estimate::samples) {  // f = mean of g_k^2
            fisher_ = squares_of_samples(x, f, p.samples);
            for (std::size_t i : live_) fisher_[i] /= p.samples;
        }
        double const factor = method.rho_schedule ? method.rho_schedule(steps_) : 1;
        Vector radius;
        for (std::size_t group : group_of_) {
            radius.push_back(groups[group].rho.value_or(p.rho) * factor);
        }
        eps = move(0, x, g, v, radius, false, f);
        change_mask(moved(x, eps), g);
        return eps;
    }

    Vector squares_of_samples(Vector const& x, Closure const& f, int samples) const {
        Vector sum(x.size(), 0);
        for (int k = 0; k < samples; ++k) {
            Vector const g = gradient(f, x, 0, false, nullptr, k);
            for (std::size_t i : live_) sum[i] += g[i] * g[i];
        }
        return sum;
    }

    // ---- masks -------------------------------------------------------------------------------------------------

    bool masked() const {
        auto const& around = method.perturb.around;
        return std::find(around.begin(), around.end(), Around::mask) != around.end();
    }
    std::uint64_t epoch() const { return epochs_ == 0 ? 0 : epochs_ - 1; }

    // to = 1 at the `count` of `some` with the largest scores; among equal ones at the first.
    template <class F>
    static void choose(Indices some, std::size_t count, F const& score,
                       std::vector<std::uint8_t>& to) {
        std::stable_sort(some.begin(), some.end(),
                         [&](std::size_t i, std::size_t j) { return score(i) > score(j); });
        for (std::size_t k = 0; k < std::min(count, some.size()); ++k) to[some[k]] = 1;
    }

    // Ones; none for a Fisher mask; n - ceil(n sparsity) at random for a dynamic one.
    void first_mask() {
        Mask const& m = method.perturb.mask;
        std::size_t const n = group_of_.size();
        mask.assign(n, m.kind == MaskKind::fixed ? 1 : 0);
        if (!masked() || m.kind != MaskKind::dynamic || !m.random_score) return;
        Indices all;
        for (std::size_t i = 0; i < n; ++i) all.push_back(i);
        auto const still = std::ceil(static_cast<double>(n) * m.sparsity);
        choose(
            all, n - static_cast<std::size_t>(still),
            [&](std::size_t i) { return m.random_score(i, 0); }, mask);
    }

    // SSAM-F: M = 1 at the floor(n (1 - sparsity)) largest sums of g_k^2, in the step of the method that follows the
    // first batch of every refresh_epochs-th epoch.
    void refresh_mask(Vector const& x, Closure const& f) {
        Mask const& m = method.perturb.mask;
        if (!masked() || m.kind != MaskKind::fisher) return;
        if (mask_due_) {
            Vector const scores = squares_of_samples(x, f, m.samples);
            auto const n = static_cast<double>(x.size());
            for (std::size_t i : live_) mask[i] = 0;
            choose(
                live_, static_cast<std::size_t>(n * (1 - m.sparsity)),
                [&](std::size_t i) { return scores[i]; }, mask);
        }
        mask_due_ = batch_ == 0 && epoch() % m.refresh_epochs == 0;
    }

    // SSAM-D, at the first batch of every refresh_epochs-th epoch e, for the steps after it:
    // p = drop_rate (1 + cos(pi (e - first) / (last - first))) / 2; int(live (1 - p)) of the mask stay and
    // int(min(live p, n sparsity)) others join it,   live = n - n sparsity.
    void change_mask(Vector const& point, Vector const& g) {
        Mask const& m = method.perturb.mask;
        if (!masked() || m.kind != MaskKind::dynamic) return;
        if (batch_ != 0 || epoch() % m.refresh_epochs != 0) return;
        double const since = static_cast<double>(std::max(epoch(), m.first_epoch) - m.first_epoch);
        double const share =
            std::min(since / static_cast<double>(m.last_epoch - m.first_epoch), 1.0);
        double const rate = m.drop_rate * (1 + std::cos(std::numbers::pi * share)) / 2;
        double const n = static_cast<double>(point.size()), live = n - n * m.sparsity;
        auto const score = [&](Score by, std::uint64_t draw) {
            return [&m, &point, &g, by, draw](std::size_t i) {
                if (by == Score::random) return m.random_score(i, draw);
                return std::abs(by == Score::weight ? point[i] : g[i]);
            };
        };
        Indices inside, outside;
        for (std::size_t i : live_) (mask[i] != 0 ? inside : outside).push_back(i);
        for (std::size_t i : live_) mask[i] = 0;
        choose(inside, static_cast<std::size_t>(live * (1 - rate)), score(m.drop, 2 * epoch() + 1),
               mask);
        choose(outside, static_cast<std::size_t>(std::min(live * rate, n * m.sparsity)),
               score(m.growth, 2 * epoch() + 2), mask);
    }

    // ---- Distance ----------------------------------------------------------------------------------------------

    double measure(Vector const& g, Vector const& e) const {
        Distance const& d = method.distance;
        double sum = 0, squares = 0, largest = 0;
        for (std::size_t i : live_) {
            double const difference = std::abs(g[i] - e[i]);
            sum += difference;
            squares += difference * difference;
            largest = std::max(largest, difference);
        }
        double const ge = product(live_, g, e), ee = product(live_, e, e);
        double const cosine = ge / (norm(live_, g) * norm(live_, e) + 1e-12);
        Measure const by = d.measure;
        if (by == Measure::manhattan) return sum;  // d = sum |g - e|
        if (by == Measure::manhattan_mean) return sum / static_cast<double>(live_.size());
        if (by == Measure::euclidean) return std::sqrt(squares);  // d = ||g - e||
        if (by == Measure::chebyshev) return largest;             // d = max |g - e|
        if (by == Measure::cosine) return 1 - cosine;  // d = 1 - <g, e> / (||g|| ||e|| + 1e-12)
        if (by == Measure::constant) return d.sigma;
        if (by == Measure::projection) return ee > 0 ? ge / ee : 0;  // d = <g, e> / <e, e>, or 0
        return cosine;                                               // similarity
    }

    // v = g - d e,   d = scale Measure(g, e); e goes on.
    Vector direction(Vector const& g) {
        Distance const& d = method.distance;
        if (d.reference == Reference::none) return g;
        // e_t = lambda e_{t-1} + (1 - lambda) g_t,   e_{-1} = 0, or e_0 = g_0
        double const lambda = method_steps_ == 0 && d.reference != Reference::moving ? 0 : d.lambda;
        Vector const before = e_;
        e_ = combine(lambda, before, 1 - lambda, g);
        if (d.along_average) return e_;  // v = e
        bool const after =
            d.reference == Reference::moving || d.reference == Reference::first_gradient;
        Vector const& e = after ? e_ : before;
        distance = d.scale * measure(g, e);
        Vector v = combine(1, g, -distance, e);
        if (norm(live_, v) <= 16 * d.ulp * norm(live_, g)) v = g;  // all that is left is rounding
        if (d.reference == Reference::lagged_reduced) e_ = combine(lambda, before, 1 - lambda, v);
        return v;
    }

    // ---- steps -------------------------------------------------------------------------------------------------

    // u <- kappa u + (1 - kappa) g2
    void plus(Vector& u, Vector const& x, Closure const& f) const {
        if (!method.mix.kappa) return;
        double const kappa = *method.mix.kappa;
        u = combine(kappa, u, 1 - kappa, gradient(f, x, 1, false));
    }

    // The base optimizer alone: x <- Base(x, g), and what LookSAM and a mirror have in its place.
    double step_between(Vector& x, Closure const& f) {
        double loss = 0;
        Vector u = gradient(f, x, 0, false, &loss);
        Mix const& mix = method.mix;
        if (mix.kind == Mixture::reused_ascent) {  // u = g + alpha ||g|| / (||k|| + guard) k
            double const guard = mix.kept_guard.value_or(mix.per_block ? 1e-8 : 1e-12);
            for (Indices const& part : look_parts()) {
                double const length = norm(part, kept_) + guard;
                double const weight = over_guarded(mix.alpha * norm(part, u), length);
                for (std::size_t i : part) u[i] += weight * kept_[i];
            }
            plus(u, x, f);
        } else if (method.scheme == Scheme::mirror) {
            u = times(method.between, u);
        } else if (method.perturb.ball == Ball::none) {  // s = g
            plus(u, x, f);
        }
        descend(x, clipped(u));
        return loss;
    }

    double step_sharpness(Vector& x, Closure const& f) {
        Mix const& mix = method.mix;
        double loss = 0;
        Vector const g = gradient(f, x, 0, false, &loss);
        Vector const y = moved(x, ascend(x, g, direction(g), f));
        Vector const s = gradient(f, y, 0, true);
        double const a = mix.gamma / (1 - mix.gamma);
        Vector u = s;
        switch (mix.kind) {
        case Mixture::none:
            break;
        case Mixture::same_batch: {  // u = alpha s + (1 - alpha) g, or with g / ||g||
            double const length = mix.normalise_clean ? norm(live_, g) : 1;
            u = combine(mix.alpha, s, over_guarded(1 - mix.alpha, length), g);
            break;
        }
        case Mixture::surrogate_gap: {  // u = s - alpha (g - cos ||g|| s / ||s||)
            double const g_norm = norm(live_, g), s_norm = norm(live_, s);
            double const cosine = product(live_, g, s) / (g_norm * s_norm + 1e-12);
            Vector const across = combine(1, g, -cosine * g_norm / (s_norm + 1e-12), s);
            u = combine(1, s, -mix.alpha, across);
            break;
        }
        case Mixture::weighted_sharpness:  // u = a s + (1 - a) g
            u = combine(a, s, 1 - a, g);
            break;
        case Mixture::decoupled_sharpness:  // x <- Base(x, g) - learning_rate a (s - g)
            u = g;
            plus(u, x, f);
            descend(x, clipped(u));
            for (std::size_t i : live_) {
                x[i] -= rate(group_of_[i]) * mix.kappa.value_or(1) * a * (s[i] - g[i]);
            }
            return loss;
        case Mixture::reused_ascent: {  // u = s,   k = s - <s, n> n,   n = g / (||g|| + guard)
            double const guard = mix.norm_guard.value_or(mix.per_block ? 0 : 1e-12);
            for (Indices const& part : look_parts()) {
                double const length = norm(part, g) + guard;
                double along = 0;
                for (std::size_t i : part) along += s[i] * over_guarded(g[i], length);
                for (std::size_t i : part) kept_[i] = s[i] - along * over_guarded(g[i], length);
            }
            break;
        }
        }
        plus(u, x, f);
        descend(x, clipped(u));
        return loss;
    }

    // x' = Base(x, alpha1 s),   x <- Base(x', -alpha2 grad L_B1(x')); s = g without a ball.
    double step_mirror(Vector& x, Closure const& f) {
        double loss = 0;
        Vector u = gradient(f, x, 0, false, &loss);
        if (method.perturb.ball != Ball::none) {
            u = gradient(f, moved(x, ascend(x, u, direction(u), f)), 0, true);
        }
        descend(x, times(method.alpha1, u));
        mid = x;
        descend(x, clipped(times(-method.alpha2, gradient(f, x, 0, true))));
        return loss;
    }

    // eps along sign m, the first moment before the step;   x <- Base(x, grad L_B1(x + eps)).
    double step_momentum_sam(Vector& x, Closure const& f) {
        Vector const m = method.base.rule == Rule::rmsprop ? state_.third : state_.first;
        Vector const move = ascend(x, m, times(method.sign, m), f);
        descend(x, clipped(gradient(f, moved(x, move), 0, true)));
        return std::numeric_limits<double>::quiet_NaN();
    }

    // eps along g_y;   s = grad L_B1(x + eps),   y = Base(x, g_y) with a copy of the state,   h = grad L_B2(y),
    // x <- Base(x, (1 - lambda) s + lambda h),   g_y <- h; at first g_y = g.
    double step_sampa(Vector& x, Closure const& f) {
        double loss = std::numeric_limits<double>::quiet_NaN();
        if (method_steps_ == 0) last_ = gradient(f, x, 0, false, &loss);
        Vector const s = gradient(f, moved(x, ascend(x, last_, last_, f)), 0, true);
        Vector y = x;
        BaseState const before = state_;
        descend(y, last_);
        state_ = before;
        last_ = gradient(f, y, 1, true);
        descend(x, clipped(combine(1 - method.lambda, s, method.lambda, last_)));
        return loss;
    }

    // What LookSAM's norms and products run over.
    std::vector<Indices> look_parts() const {
        return method.mix.per_block ? parts_ : std::vector<Indices>{live_};
    }

    // ---- the base optimizer ------------------------------------------------------------------------------------

    // u min(1, norm / (||u|| + 1e-6)), and then each coordinate into [-value, value].
    Vector clipped(Vector u) const {
        double const share = method.clipping.norm / (norm(live_, u) + 1e-6);
        for (std::size_t i : live_) {
            u[i] *= share < 1 ? share : 1;
            u[i] = std::clamp(u[i], -method.clipping.value, method.clipping.value);
        }
        return u;
    }

    double rate(std::size_t group) const {
        double const factor =
            method.learning_rate_schedule ? method.learning_rate_schedule(steps_) : 1;
        return groups[group].learning_rate.value_or(method.base.learning_rate) * factor;
    }

    // x <- Base(x, u). The k-th step of a group is the k-th in which it is not frozen.
    void descend(Vector& x, Vector const& u) {
        state_.steps.resize(groups.size(), state_.steps[0]);
        for (std::size_t group = 0; group < groups.size(); ++group) {
            if (!groups[group].frozen) ++state_.steps[group];
        }
        for (Indices const& part : parts_) {
            if (part.empty()) continue;
            if (method.base.rule == Rule::lamb) {
                descend_lamb(part, x, u);
            } else {
                for (std::size_t i : part) x[i] = descended(i, x[i], u[i]);
            }
        }
    }

    double weight_decay(std::size_t group) const {
        return groups[group].weight_decay.value_or(method.base.weight_decay);
    }

    double descended(std::size_t i, double x, double u) {
        Base const& base = method.base;
        std::size_t const group = group_of_[i];
        double const lr = rate(group), wd = weight_decay(group);
        auto const k = static_cast<double>(state_.steps[group]);
        double &first = state_.first[i], &second = state_.second[i], &third = state_.third[i];
        double const along = base.maximize ? -u : u, h = along + wd * x;
        switch (base.rule) {
        case Rule::sgd:  // b_1 = h,   b_k = mu b_{k-1} + (1 - dampening) h
            if (base.momentum == 0) return x - lr * h;
            first = k == 1 ? h : base.momentum * first + (1 - base.dampening) * h;
            return x - lr * (base.nesterov ? h + base.momentum * first : first);
        case Rule::adam:
            return adam(x, h, lr, k, first, second, third);
        case Rule::adamw:  // x <- (1 - lr wd) x, then Adam without weight decay
            return adam((1 - lr * wd) * x, along, lr, k, first, second, third);
        case Rule::rmsprop: {
            // v = a v + (1 - a) h^2,   m = a m + (1 - a) h,   r = h / (sqrt(v - m^2) + eps), m = 0 if not centered
            first = base.alpha * first + (1 - base.alpha) * h * h;
            second = base.alpha * second + (1 - base.alpha) * h;
            double const spread = base.centered ? first - second * second : first;
            double const r = h / (std::sqrt(spread) + base.eps);
            if (base.momentum == 0) return x - lr * r;
            third = base.momentum * third + r;
            return x - lr * third;
        }
        case Rule::adagrad:
            // S = S + h^2,   x <- x - lr / (1 + (k - 1) decay) h / (sqrt(S) + eps)
            first += h * h;
            return x - lr / (1 + (k - 1) * base.learning_rate_decay) * h /
                           (std::sqrt(first) + base.eps);
        case Rule::lion: {
            // x <- x - lr (sign(beta1 m + (1 - beta1) h) + wd x),   m <- beta2 m + (1 - beta2) h,   h = u
            double const way = sign(base.beta1 * first + (1 - base.beta1) * along);
            first = base.beta2 * first + (1 - base.beta2) * along;
            return x - lr * (way + wd * x);
        }
        case Rule::lamb:
            break;
        }
        return x;
    }

    // m = beta1 m + (1 - beta1) h,   v = beta2 v + (1 - beta2) h^2,   w = v, or its largest with amsgrad
    // x <- x - lr / (1 - beta1^k) m / (sqrt(w) / sqrt(1 - beta2^k) + eps)
    double adam(double x, double h, double lr, double k, double& m, double& v, double& w) const {
        Base const& base = method.base;
        m = base.beta1 * m + (1 - base.beta1) * h;
        v = base.beta2 * v + (1 - base.beta2) * h * h;
        w = base.amsgrad ? std::max(w, v) : v;
        double const root = std::sqrt(w) / std::sqrt(1 - std::pow(base.beta2, k));
        return x - lr / (1 - std::pow(base.beta1, k)) * m / (root + base.eps);
    }

    // r = m' / (sqrt(v') + eps) + wd x with Adam's corrected moments;   x_b <- x_b - lr ||x_b|| / ||r_b|| r_b,
    // the ratio being 1 where a norm is 0 and where the group is not adaptive.
    void descend_lamb(Indices const& part, Vector& x, Vector const& u) {
        Base const& base = method.base;
        std::size_t const group = group_of_[part.front()];
        auto const k = static_cast<double>(state_.steps[group]);
        Vector r(x.size(), 0);
        for (std::size_t i : part) {
            double const h = base.maximize ? -u[i] : u[i];
            double &m = state_.first[i], &v = state_.second[i];
            m = base.beta1 * m + (1 - base.beta1) * h;
            v = base.beta2 * v + (1 - base.beta2) * h * h;
            double const m_corrected = m / (1 - std::pow(base.beta1, k));
            double const v_corrected = v / (1 - std::pow(base.beta2, k));
            r[i] = m_corrected / (std::sqrt(v_corrected) + base.eps) + weight_decay(group) * x[i];
        }
        double const x_norm = norm(part, x), r_norm = norm(part, r);
        double const ratio =
            groups[group].adaptive && x_norm > 0 && r_norm > 0 ? x_norm / r_norm : 1;
        for (std::size_t i : part) x[i] -= rate(group) * ratio * r[i];
    }

    // ---- what has no equation ----------------------------------------------------------------------------------

    void check() const {
        auto const refuse = [](bool where, char const* what) {
            if (where) throw std::invalid_argument(std::string("plain: no equation for ") + what);
        };
        Perturb const& p = method.perturb;
        bool const averages = method.distance.reference != Reference::none;
        bool const mixes = method.mix.kind != Mixture::none || method.mix.kappa;
        bool const moves = p.ball != Ball::none;
        bool const ascents =
            std::find(p.around.begin(), p.around.end(), Around::ascents) != p.around.end();
        refuse(ascents && averages, "several ascents with a distance");
        refuse(method.scheme != Scheme::sharpness && mixes, "a mix in this scheme");
        refuse(!moves && averages, "a distance without a perturbation");
        refuse(!moves && method.mix.kind != Mixture::none, "this mix without a perturbation");
        bool const from_state =
            method.scheme == Scheme::momentum_sam || method.scheme == Scheme::sampa;
        refuse(from_state && (averages || !moves || ascents), "this ascent in this scheme");
        Rule const rule = method.base.rule;
        bool const none_kept =
            (rule == Rule::sgd || rule == Rule::rmsprop) && method.base.momentum == 0;
        refuse(method.scheme == Scheme::momentum_sam && (none_kept || rule == Rule::adagrad),
               "Momentum-SAM over a base without a first moment");
    }

    std::vector<Block> blocks_;
    std::vector<Indices> all_parts_, parts_;  // the coordinates of each block; of those not frozen
    Indices live_, group_of_;                 // all coordinates not frozen; the group of each
    Vector e_, fisher_, kept_, last_;         // of the distance, Fisher ball, LookSAM and SAMPa
    BaseState state_;
    std::uint64_t steps_ = 0, batch_ = 0, method_steps_ = 0, epochs_ = 0;
    bool mask_due_ = false;
};

}  // namespace plain
