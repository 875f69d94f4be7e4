// What all_methods<T> is made of; included once for each T.

#include "support/any_method.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <type_traits>

#include <polder/polder.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <polder/state/state.hpp>
#endif

#include "support/methods.hpp"
#include "support/valley.hpp"
#if __has_include("writing_a_method.hpp")  // tools/mutate compiles without it
#include "writing_a_method.hpp"
#endif

namespace polder::test {

namespace {

[[maybe_unused]] double p_norm(std::span<double const> eps, double p) {
    double sum = 0;
    for (double e : eps) sum += std::pow(std::abs(e), p);
    return std::pow(sum, 1 / p);
}

template <class Ball>
inline constexpr bool is_fisher = false;
template <class Estimate, class Norm>
inline constexpr bool is_fisher<FisherBall<Estimate, Norm>> = !std::is_same_v<Norm, EuclideanNorm>;

// The norms of the blocks.
inline std::vector<double> block_norms(std::vector<double> const& v,
                                       std::vector<std::size_t> const& blocks) {
    std::vector<double> norms;
    auto const* block = v.data();
    for (std::size_t size : blocks) {
        norms.push_back(p_norm({block, size}, 2));
        block += size;
    }
    return norms;
}

template <class Perturb, class Measured>
std::vector<double> own_norms_of([[maybe_unused]] Perturb const& ball, Measured const& at) {
    std::vector<double> eps = at.eps;
    if constexpr (std::is_same_v<Perturb, EuclideanBall> ||
                  std::is_same_v<Perturb, FisherBall<BatchFisher, EuclideanNorm>>) {
        return {p_norm(eps, 2)};
    } else if constexpr (std::is_same_v<Perturb, InfinityBall>) {
        double largest = 0;
        for (double e : eps) largest = std::max(largest, std::abs(e));
        return {largest};
    } else if constexpr (std::is_same_v<Perturb, ManhattanBall>) {
        return {p_norm(eps, 1)};
    } else if constexpr (std::is_same_v<Perturb, PNormBall>) {
        return {p_norm(eps, ball.p)};
    } else if constexpr (std::is_same_v<Perturb, AdaptiveBall>) {
        // ||T^-1 eps||,   T = |x| + eta
        for (std::size_t i = 0; i < eps.size(); ++i) eps[i] /= std::abs(at.x[i]) + ball.eta;
        return {p_norm(eps, 2)};
    } else if constexpr (std::is_same_v<Perturb, Relative<EuclideanBall>>) {
        return {p_norm(eps, 2) / p_norm(at.x, 2)};
    } else if constexpr (std::is_same_v<Perturb, Relative<EuclideanBall, true>>) {
        auto norms = block_norms(eps, at.blocks);
        auto const lengths = block_norms(at.x, at.blocks);
        for (std::size_t b = 0; b < norms.size(); ++b) norms[b] /= lengths[b];
        return norms;
    } else if constexpr (is_fisher<Perturb>) {
        // sqrt(eps' F eps),   F = damping + eta f
        for (std::size_t i = 0; i < eps.size(); ++i) {
            eps[i] *= std::sqrt(ball.damping + ball.eta * at.fisher[i]);
        }
        if (!Perturb::per_block) return {p_norm(eps, 2)};
        return block_norms(eps, at.blocks);
    } else {
        return {};
    }
}

// The policy of a method that makes its eps.
template <class Method>
auto perturb_of(Method const& method) {
    if constexpr (requires { method.perturb; }) {
        return method.perturb;
    } else if constexpr (requires { method.ascent.perturb; }) {
        return method.ascent.perturb;
    } else if constexpr (requires { method.ball; }) {
        return method.ball;
    } else {
        return NoPerturbation{};
    }
}
template <class P>
inline constexpr bool is_plus = false;
template <class Of>
inline constexpr bool is_plus<Plus<Of>> = true;
template <class P, class D, class Of>
inline constexpr bool is_plus<Family<P, D, Plus<Of>>> = true;

template <class T, class Optimizer>
class Erased final : public AnyMethod<T>::Interface {
    using Interface = typename AnyMethod<T>::Interface;
    using Measured = typename AnyMethod<T>::Measured;
    using Container = typename AnyMethod<T>::Container;
    using ContainerClosure = typename AnyMethod<T>::ContainerClosure;

public:
    explicit Erased(Optimizer const& optimizer) : optimizer_(optimizer) {}

    std::unique_ptr<Interface> clone() const override { return std::make_unique<Erased>(optimizer_); }
    void bind(Container& x) override { optimizer_.bind(x); }
    Report step(Container& x, ContainerClosure const& closure) override {
        return optimizer_.step(x, closure);
    }
    Report step_in_place(Container& x, Container& gradient,
                         std::function<double(Pass)> const& closure) override {
        return optimizer_.step_in_place(x, gradient, closure);
    }
    Report perturbation([[maybe_unused]] Container& x,
                        [[maybe_unused]] ContainerClosure const& closure,
                        [[maybe_unused]] Container& eps) override {
        if constexpr (Optimizer::has_perturbation) {
            return optimizer_.perturbation(x, closure, eps);
        } else {
            throw std::logic_error("no perturbation");
        }
    }
    std::vector<double> own_norms(Measured const& at) const override {
        return own_norms_of(perturb_of(optimizer_.policy()), at);
    }
    void begin_epoch() override { optimizer_.begin_epoch(); }
    std::string state() override { return state_bytes(optimizer_); }
#if __has_include(<nlohmann/json.hpp>)
    void save_checkpoint(std::filesystem::path const& file, Container& x) override {
        polder::save_checkpoint(file, optimizer_, x);
    }
    void load_checkpoint(std::filesystem::path const& file, Container& x) override {
        polder::load_checkpoint(file, optimizer_, x);
    }
#else  // then no test of state is compiled
    void save_checkpoint(std::filesystem::path const&, Container&) override {}
    void load_checkpoint(std::filesystem::path const&, Container&) override {}
#endif
    void set_non_finite(NonFinite policy) override { optimizer_.set_non_finite(policy); }
    void set_groups(std::vector<Group> groups) override { optimizer_.set_groups(std::move(groups)); }
    void set_interval(Interval const& interval) override { optimizer_.set_interval(interval); }
    void set_threads(int threads) override { optimizer_.set_threads(threads); }
    void set_mask([[maybe_unused]] Container& x,
                  [[maybe_unused]] std::vector<std::uint8_t> const& mask) override {
        if constexpr (traits().masked) {
            optimizer_.set_mask(x, mask);
        } else {
            throw std::logic_error("no mask");
        }
    }
    std::uint64_t steps() const override { return optimizer_.steps(); }
    std::uint64_t skipped_steps() const override { return optimizer_.skipped_steps(); }

    static constexpr typename AnyMethod<T>::Traits traits() {
        using Method = std::remove_cvref_t<decltype(std::declval<Optimizer&>().policy())>;
        using BaseOpt = std::remove_cvref_t<decltype(std::declval<Optimizer&>().base())>;
        using Perturb = decltype(perturb_of(std::declval<Method const&>()));
        constexpr bool centralises = std::is_same_v<Perturb, Centralised<EuclideanBall>>;
        constexpr bool masked = requires(Perturb p) { p.mask; };
        return {.perturbs = Optimizer::has_perturbation,
                .mirrors = requires(Method m) { m.alpha1; },
                .second_batch = is_plus<Method>,
                .reads_blocks = requires { requires Perturb::per_block; } ||
                                requires(Method m) { requires decltype(m.reuse)::per_block; } ||
                                std::is_same_v<BaseOpt, LAMB> || centralises,
                .reads_places = masked || requires(Perturb p) { p.seed; },
                .masked = masked,
                .shortens = masked || centralises,
                .signs = std::is_same_v<BaseOpt, Lion>};
    }

private:
    Optimizer optimizer_;
};

template <class T, class Optimizer>
AnyMethod<T> erased(char const* name, Optimizer const& optimizer) {
    using One = Erased<T, Optimizer>;
    return {name, One::traits(), std::make_unique<One>(optimizer)};
}

}  // namespace

template <class T>
std::vector<AnyMethod<T>> all_methods(Settings const& with, bool plain) {
    std::vector<AnyMethod<T>> list;
    auto const add = [&](char const* name, auto const& optimizer) {
        list.push_back(erased<T>(name, optimizer));
    };
    if (plain) {
        add("plain", Plain{with.base});
        for_each_base_optimizer(add);
    }
    for_each_method<T>(with.base, with, add);
#if __has_include("writing_a_method.hpp")
    add(written_name, MaximumSAM{with.base, with.rho});
#endif
    return list;
}

}  // namespace polder::test
