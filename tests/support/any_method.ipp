// What all_methods<T> is made of; included once for each T.

#include "support/any_method.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <polder/polder.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <polder/state/state.hpp>
#endif

#include "support/methods.hpp"
#include "support/valley.hpp"

namespace polder::test {

namespace {

double p_norm(std::vector<double> const& eps, double p) {
    double sum = 0;
    for (double e : eps) sum += std::pow(std::abs(e), p);
    return std::pow(sum, 1 / p);
}

// The norm of eps that a ball keeps to, or nothing where a test cannot know it.
template <class Perturb>
std::optional<double> own_norm_of([[maybe_unused]] Perturb const& ball,
                                  [[maybe_unused]] std::vector<double> const& x,
                                  [[maybe_unused]] std::vector<double> const& g,
                                  std::vector<double> eps) {
    if constexpr (std::is_same_v<Perturb, EuclideanBall> ||
                  std::is_same_v<Perturb, FisherBall<BatchFisher, EuclideanNorm>>) {
        return p_norm(eps, 2);
    } else if constexpr (std::is_same_v<Perturb, InfinityBall>) {
        double largest = 0;
        for (double e : eps) largest = std::max(largest, std::abs(e));
        return largest;
    } else if constexpr (std::is_same_v<Perturb, ManhattanBall>) {
        return p_norm(eps, 1);
    } else if constexpr (std::is_same_v<Perturb, PNormBall>) {
        return p_norm(eps, ball.p);
    } else if constexpr (std::is_same_v<Perturb, AdaptiveBall>) {
        // ||T^-1 eps||,   T = |x| + eta
        for (std::size_t i = 0; i < eps.size(); ++i) eps[i] /= std::abs(x[i]) + ball.eta;
        return p_norm(eps, 2);
    } else if constexpr (std::is_same_v<Perturb, FisherBall<>> ||
                         std::is_same_v<Perturb, FisherBall<BatchFisher, MetricNormPerBlock>>) {
        // sqrt(eps' F eps),   F = damping + eta g^2
        for (std::size_t i = 0; i < eps.size(); ++i) {
            eps[i] *= std::sqrt(ball.damping + ball.eta * g[i] * g[i]);
        }
        return p_norm(eps, 2);
    } else {
        return std::nullopt;
    }
}

template <class T, class Optimizer>
class Erased final : public AnyMethod<T>::Interface {
    using Interface = typename AnyMethod<T>::Interface;
    using Vector = typename AnyMethod<T>::Vector;
    using Closure = typename AnyMethod<T>::Closure;
    using Container = typename AnyMethod<T>::Container;
    using ContainerClosure = typename AnyMethod<T>::ContainerClosure;

public:
    explicit Erased(Optimizer const& optimizer) : optimizer_(optimizer) {}

    std::unique_ptr<Interface> clone() const override { return std::make_unique<Erased>(optimizer_); }
    Report step(Vector& x, Closure const& closure) override { return optimizer_.step(x, closure); }
    Report step(Container& x, ContainerClosure const& closure) override {
        return optimizer_.step(x, closure);
    }
    Report step_in_place(Vector& x, Vector& gradient,
                         std::function<double(Pass)> const& closure) override {
        return optimizer_.step_in_place(x, gradient, closure);
    }
    Report perturbation([[maybe_unused]] Vector& x, [[maybe_unused]] Closure const& closure,
                        [[maybe_unused]] Vector& eps) override {
        if constexpr (Optimizer::has_perturbation) {
            return optimizer_.perturbation(x, closure, eps);
        } else {
            throw std::logic_error("no perturbation");
        }
    }
    std::optional<double> own_norm(std::vector<double> const& x, std::vector<double> const& g,
                                   std::vector<double> const& eps) const override {
        return own_norm_of(optimizer_.perturb(), x, g, eps);
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
    std::uint64_t steps() const override { return optimizer_.steps(); }
    std::uint64_t skipped_steps() const override { return optimizer_.skipped_steps(); }

    static constexpr typename AnyMethod<T>::Traits traits() {
        using Perturb = std::remove_cvref_t<decltype(std::declval<Optimizer&>().perturb())>;
        using Mix = std::remove_cvref_t<decltype(std::declval<Optimizer&>().mix())>;
        return {.perturbs = Optimizer::has_perturbation,
                .mirrors = requires(Perturb p) { p.alpha1; },
                .reuses = requires { Mix::reuses; },
                .second_batch = requires { requires Mix::reads_second; },
                .reads_blocks = requires { requires Perturb::per_block; } ||
                                requires { requires Mix::per_block; } ||
                                requires { Perturb::centralises; },
                .shortens = requires(Perturb p) { p.mask; } || requires { Perturb::centralises; }};
    }

private:
    Optimizer optimizer_;
};

}  // namespace

template <class T>
std::vector<AnyMethod<T>> all_methods(Settings const& with, bool plain) {
    std::vector<AnyMethod<T>> list;
    const auto add = [&]<class Optimizer>(char const* name, Optimizer const& optimizer) {
        using One = Erased<T, Optimizer>;
        list.emplace_back(name, One::traits(), std::make_unique<One>(optimizer));
    };
    const Adam adam{.learning_rate = 0.02, .weight_decay = 0.01};
    if (plain) {
        add("plain", Plain{adam});
        add("Adam with amsgrad", Plain{Adam{.amsgrad = true}});
        add("AdamW", Plain{AdamW{.learning_rate = 0.01}});
        add("SGD", Plain{SGD{.learning_rate = 0.1}});
        add("momentum", Plain{SGD{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.5}});
        add("RMSprop", Plain{RMSprop{.learning_rate = 0.01, .momentum = 0.9, .centered = true}});
        add("Adagrad", Plain{Adagrad{.learning_rate = 0.1, .initial_accumulator_value = 0.1}});
    }
    for_each_method(adam, with, add);
    return list;
}

}  // namespace polder::test
