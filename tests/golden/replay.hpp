/// Replays one trajectory, or one perturbation, on polder's optimizers.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#if defined(POLDER_GOLDEN_ON_CUDA)
#define GOLDEN_DEVICE on_cuda
#include <polder/cuda.hpp>
#elif defined(POLDER_GOLDEN_ON_THRUST)
#define GOLDEN_DEVICE on_thrust
#include "support/thrust_of_environment.hpp"
#else
#define GOLDEN_DEVICE on_host
#include <Eigen/Core>
#endif
#include <polder/polder.hpp>

#include "golden/problem.hpp"
#include "golden/tally.hpp"
#include "golden/trajectory.hpp"
#include "recsys/training/device_base.hpp"

namespace golden::GOLDEN_DEVICE {

using nlohmann::json;

#if defined(POLDER_GOLDEN_ON_CUDA)
template <class T>
using Arena = polder::DeviceArena<T>;
#elif defined(POLDER_GOLDEN_ON_THRUST)
template <class T>
using Arena = polder::ArenaOn<T, polder::test::ThrustOfEnvironment>;
#else
template <class T>
using Arena = polder::ParameterArena<T>;
#endif

template <class T>
Arena<T> arena_of(std::vector<Tensor> const& tensors) {
    Arena<T> arena;
    for (Tensor const& t : tensors) arena.add(t.name, t.rows, t.cols);
    return arena;
}

#if !defined(POLDER_GOLDEN_ON_CUDA) && !defined(POLDER_GOLDEN_ON_THRUST)
template <class T>
using EigenMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// What the parameters of a trajectory are kept in.
enum class Kind { arena, eigen, vectors };

/// Parameters in one of three containers of polder, chosen at run time: so that every method is compiled once.
template <class T>
class Parameters {
public:
    using value_type = T;

    Parameters(Kind kind, std::vector<Tensor> const& tensors) {
        if (kind == Kind::arena) {
            held_.template emplace<0>(arena_of<T>(tensors));
        } else if (kind == Kind::eigen) {
            auto& list = held_.template emplace<1>();
            for (Tensor const& t : tensors) {
                list.emplace_back(static_cast<Eigen::Index>(t.rows),
                                  static_cast<Eigen::Index>(t.cols));
            }
        } else {
            auto& list = held_.template emplace<2>();
            for (Tensor const& t : tensors) list.emplace_back(t.size());
        }
    }

    /// As polder finds its blocks.
    template <class F>
    void visit_blocks(F const& f) {
        std::visit([&](auto& held) { polder::for_each_named_block(held, f); }, held_);
    }

private:
    std::variant<polder::ParameterArena<T>, std::vector<EigenMatrix<T>>,
                 std::vector<std::vector<T>>>
        held_;
};
#endif

template <class C>
void copy_out(C const& container, std::vector<double>& flat) {
    double* next = flat.data();
    polder::for_each_block(
        const_cast<C&>(container), [&]<class T>(T const* data, std::size_t size) {
            std::vector<T> values(size);
            polder::Access<polder::memory_space_t<C>>::read(values.data(), data, size * sizeof(T));
            next = std::copy(values.begin(), values.end(), next);
        });
}

template <class C>
void copy_in(std::vector<double> const& flat, C& container) {
    using T = polder::scalar_t<C>;
    double const* next = flat.data();
    polder::for_each_block(container, [&](T* data, std::size_t size) {
        std::vector<T> values(size);
        for (T& value : values) value = static_cast<T>(*next++);
        polder::Access<polder::memory_space_t<C>>::write(data, values.data(), size * sizeof(T));
    });
}

// What a step of the file expects; nullptr where it says nothing or null.
inline json const* entry(json const& item, char const* key, std::size_t step) {
    if (!item.contains(key)) return nullptr;
    json const& list = item.at(key);
    if (!list.is_array() || list.size() <= step) {
        throw SchemaError(fmt::format("'{}' has no value for step {}", key, step));
    }
    return list[step].is_null() ? nullptr : &list[step];
}

// What a method needs besides its hyper-parameters.
struct Setting {
    bool exempt_biases = false;  // tensors whose name lacks "weight" are not scaled
    std::uint64_t epoch_length = 0;
    std::vector<std::uint8_t> mask{};  // the first one
};

template <class Optimizer, class C>
void exempt_biases(Optimizer& optimizer, C& x, std::vector<Tensor> const& tensors) {
    polder::Group group{.name = "others", .blocks = {}, .adaptive = false};
    std::size_t k = 0;
    polder::for_each_named_block(x, [&](std::string const& name, auto*, std::size_t, auto) {
        if (tensors[k++].name.find("weight") == std::string::npos) group.blocks.push_back(name);
    });
    if (!group.blocks.empty()) optimizer.set_groups({group});
}

template <class C, class Optimizer>
void replay_on(C x, Optimizer optimizer, Setting const& setting, Trajectory const& trajectory) {
    Problem const& problem = trajectory.problem;
    json const& item = trajectory.item;
    const double tolerance = trajectory.tolerance;
    C eps = x;
    copy_in(problem.initial, x);
    if (setting.exempt_biases) exempt_biases(optimizer, x, problem.tensors);
    if constexpr (requires { optimizer.perturb().mask; }) {
        optimizer.set_mask(x, setting.mask);
    }
    std::vector<double> point(problem.initial.size());
    std::vector<double> gradient(problem.initial.size());
    std::vector<double> flat(problem.initial.size());
    const std::size_t steps = item.at("params").size();
    if (steps == 0 || steps > problem.first.size()) {
        throw SchemaError(fmt::format("'params' has {} steps, the problem {} batches", steps,
                                      problem.first.size()));
    }
    for (std::size_t t = 0; t < steps; ++t) {
        const auto closure = [&](C const& at, C& into, polder::Pass pass) {
            copy_out(at, point);
            auto const& batches =
                pass.batch == polder::Batch::first ? problem.first : problem.second;
            const double loss =
                pass.sample < 0
                    ? problem.loss(point, batches[t], gradient)
                    : problem.loss(point, {batches[t].at(static_cast<std::size_t>(pass.sample))},
                                   gradient);
            copy_in(gradient, into);
            return loss;
        };
        const auto in_step = [&](char const* key) { return fmt::format("step {}: {}", t, key); };
        const auto check = [&](char const* key, std::vector<double> const& found) {
            if (json const* expected = entry(item, key, t)) {
                check_vector(in_step(key), found, numbers(*expected, key), tolerance);
            }
        };
        const auto check_number = [&](char const* key, double found, double least_scale) {
            if (json const* expected = entry(item, key, t)) {
                const double value = expected->get<double>();
                check_scalar(in_step(key), found, value,
                             tolerance * std::max(std::abs(value), least_scale));
            }
        };

        if (setting.epoch_length != 0 && t % setting.epoch_length == 0) optimizer.begin_epoch();
        auto& perturb = optimizer.perturb();
        if constexpr (requires { perturb.estimate.samples; }) {
            perturb.estimate.samples = static_cast<int>(problem.first[t].size());
        }
        if constexpr (Optimizer::has_perturbation) {
            if (entry(item, "eps", t) != nullptr) {
                optimizer.perturbation(x, closure, eps);
                copy_out(eps, flat);
                check("eps", flat);
            }
        }
        const polder::Report report = optimizer.step(x, closure);
        check_number("loss", report.loss, 0);
        check_number("d", report.distance, 1);
        check_number("eps_norm", report.perturbation_norm, 0);
        check("mid", point);  // where the last evaluation was
        copy_out(x, flat);
        check("params", flat);
        if (json const* expected = entry(item, "mask", t)) {
            optimizer.visit_state([&](std::string_view name, auto const& value) {
                if constexpr (requires { value.size(); }) {
                    if (name != "mask") return;
                    const std::vector<double> found(value.begin(), value.end());
                    check_vector(in_step("mask"), found, numbers(*expected, "mask"), 0);
                }
            });
        }
    }
}

template <class Optimizer>
void replay(Optimizer const& optimizer, Setting const& setting, Trajectory const& trajectory) {
    auto const& tensors = trajectory.problem.tensors;
#if defined(POLDER_GOLDEN_ON_CUDA) || defined(POLDER_GOLDEN_ON_THRUST)
    if (trajectory.single_precision) {
        replay_on(arena_of<float>(tensors), optimizer, setting, trajectory);
    } else {
        replay_on(arena_of<double>(tensors), optimizer, setting, trajectory);
    }
#else
    if (trajectory.single_precision) {
        replay_on(Parameters<float>(Kind::eigen, tensors), optimizer, setting, trajectory);
        return;
    }
    for (Kind kind : {Kind::arena, Kind::eigen, Kind::vectors}) {
        // Vectors have no rows.
        if (kind == Kind::vectors && requires { optimizer.perturb().centralises; }) continue;
        replay_on(Parameters<double>(kind, tensors), optimizer, setting, trajectory);
    }
#endif
}

template <class F>
void with_measure(json const& hp, F const& f) {
    const std::string name = hp.at("distance");
    if (name == "manhattan_sum") {
        f(polder::Manhattan{});
    } else if (name == "manhattan_mean") {
        f(polder::ManhattanMean{});
    } else if (name == "euclidean") {
        f(polder::Euclidean{});
    } else if (name == "chebyshev") {
        f(polder::Chebyshev{});
    } else if (name == "cosine") {
        f(polder::Cosine{});
    } else if (name == "constant") {
        f(polder::Constant{.sigma = hp.at("sigma")});
    } else if (name == "none") {
        f(polder::NoDistance{});
    } else {
        throw NotBuilt{"distance " + name};
    }
}

// Calls f(optimizer, setting) for a variant, or throws NotBuilt.
template <class Base, class F>
void with_method(std::string const& variant, json const& hp, std::vector<std::uint8_t> const& mask,
                 Base const& base, F const& f) {
    using namespace polder;
    const auto starts = [&](char const* text) { return variant.starts_with(text); };
    const auto contains = [&](char const* text) { return variant.find(text) != std::string::npos; };
    const auto number = [&](char const* key) { return hp.at(key).template get<double>(); };
    const double rho = hp.value("rho", 0.0), guard = hp.value("norm_eps", 1e-12);
    const auto count = [&](char const* key) { return hp.at(key).template get<std::uint64_t>(); };
    // Over a ball: the method, or with kappa its form with two batches.
    const auto in_ball = [&](auto const& ball, Setting const& setting) {
        if (hp.contains("kappa")) {
            f(Sharpness{ball, NoDistance{}, TwoBatches{number("kappa")}, base}, setting);
        } else {
            f(Sharpness{ball, NoDistance{}, NoMix{}, base}, setting);
        }
    };
    const auto with_average = [&](auto const& reference, auto const& measure) {
        const DistanceTo distance{reference, measure};
        const EuclideanBall ball{rho, guard};
        if (hp.contains("kappa")) {
            f(Sharpness{ball, distance, TwoBatches{number("kappa")}, base}, Setting{});
        } else {
            f(Sharpness{ball, distance, NoMix{}, base}, Setting{});
        }
    };

    if (variant == "plain") {
        f(Plain{base}, Setting{});
    } else if (starts("sam_gc")) {
        f(Sharpness{Centralised<EuclideanBall>{{rho, guard}}, NoDistance{}, NoMix{}, base},
          Setting{});
    } else if (starts("sam_multi")) {
        const SeveralAscents<EuclideanBall> ball{{rho, guard},
                                                 hp.at("sync_period").template get<int>() - 1};
        f(Sharpness{ball, NoDistance{}, NoMix{}, base}, Setting{});
    } else if (starts("sam_interval")) {
        SAM optimizer{base, {.rho = rho, .norm_guard = guard}};
        optimizer.set_interval({.every = count("interval"),
                                .phase = hp.at("phase") == "last" ? Phase::last : Phase::first});
        f(optimizer, Setting{});
    } else if (variant == "sam" || starts("sam_norm_eps")) {
        f(SAM{base, {.rho = rho, .norm_guard = guard}}, Setting{});
    } else if (starts("sam_plus")) {
        f(SAMPlus{base, {.rho = rho, .kappa = number("kappa"), .norm_guard = guard}}, Setting{});
    } else if (starts("asam")) {
        // davda54's scales all tensors, and has no eta.
        in_ball(AdaptiveBall{rho, hp.value("eta", 0.0), guard},
                Setting{.exempt_biases = !contains("davda54")});
    } else if (starts("fisher_sam")) {
        const std::string form = hp.at("form");
        const double eta = hp.value("eta", 1.0), damping = hp.value("delta", 1.0);
        if (form == "batch_gradient_squared") {
            in_ball(FisherBall<>{rho, eta, damping, guard}, Setting{});
        } else if (form == "per_tensor_normaliser") {
            in_ball(FisherBall<BatchFisher, MetricNormPerBlock>{rho, eta, damping, guard},
                    Setting{});
        } else if (form == "unit_norm") {
            in_ball(FisherBall<BatchFisher, EuclideanNorm>{rho, eta, damping, guard}, Setting{});
        } else if (form == "per_sample" || form == "damped") {
            in_ball(FisherBall<SampleFisher>{rho, eta, damping, guard}, Setting{});
        } else {
            throw NotBuilt{"form " + form + " of FisherSAM"};
        }
    } else if (starts("fsam")) {
        const double lambda = number("lambda");
        const Constant sigma{number("sigma")};
        if (contains("kozistr")) {
            with_average(LaggedReducedAverage{lambda}, sigma);
        } else if (contains("paper")) {
            with_average(MovingAverage{lambda}, sigma);
        } else {
            with_average(LaggedAverage{lambda}, sigma);
        }
    } else if (starts("bsam")) {
        with_measure(hp, [&]<class Measure>(Measure const& measure) {
            if constexpr (std::is_same_v<Measure, NoDistance>) {
                in_ball(EuclideanBall{rho, guard}, Setting{});
            } else {
                with_average(MovingAverage{number("lambda")}, measure);
            }
        });
    } else if (starts("ssam")) {
        const Setting setting{.epoch_length = hp.value("epoch_len", std::uint64_t{0}),
                              .mask = mask};
        if (mask.empty()) throw SchemaError("'masks' has no mask for this problem");
        if (!hp.contains("drop_rate")) {
            f(SSAM{base, {.rho = rho, .norm_guard = guard}, FixedMask{}}, setting);
            return;
        }
        const auto score = [&](char const* key) {
            const std::string name = hp.at(key);
            if (name != "weight" && name != "gradient") throw NotBuilt{"score " + name};
            return name == "weight" ? Score::weight : Score::gradient;
        };
        f(SSAM{base,
               {.rho = rho, .norm_guard = guard},
               DynamicMask{.sparsity = number("sparsity"),
                           .drop_rate = number("drop_rate"),
                           .drop = score("drop_strategy"),
                           .growth = score("growth_strategy"),
                           .refresh_epochs = count("update_freq_epochs"),
                           .first_epoch = count("T_start"),
                           .last_epoch = count("T_end")}},
          setting);
    } else if (starts("gsam")) {
        const SurrogateGap gap{number("alpha")};
        const EuclideanBall ball{rho, guard};
        if (hp.contains("kappa")) {
            f(Sharpness{ball, NoDistance{}, TwoBatchesOf<SurrogateGap>{number("kappa"), gap}, base},
              Setting{});
        } else {
            f(Sharpness{ball, NoDistance{}, gap, base}, Setting{});
        }
    } else if (starts("gnp")) {
        f(GNP{base,
              {.rho = rho,
               .alpha = number("alpha"),
               .normalise_clean = hp.value("normalize_clean", false),
               .norm_guard = guard}},
          Setting{});
    } else if (starts("wsam")) {
        const WSAMOptions options{.rho = rho, .gamma = number("gamma"), .norm_guard = guard};
        if (hp.at("decouple").template get<bool>()) {
            f(WSAM{base, options}, Setting{});
        } else {
            f(WSAM<Base, WeightedSharpness>{base, options}, Setting{});
        }
    } else if (starts("looksam")) {
        const LookSAMOptions options{
            .rho = rho, .every = count("k"), .alpha = number("alpha"), .norm_guard = guard};
        if (contains("kozistr")) {
            f(LookSAM<Base, ReusedAscentPerBlock>{base, options}, Setting{});
        } else {
            f(LookSAM{base, options}, Setting{});
        }
    } else if (starts("mg")) {
        MirrorGradient optimizer{base,
                                 {.alpha1 = number("alpha1"),
                                  .alpha2 = number("alpha2"),
                                  .beta = count("beta"),
                                  .phase = contains("paper") ? Phase::last : Phase::first}};
        f(optimizer, Setting{.epoch_length = hp.value("epoch_len", std::uint64_t{0})});
    } else if (starts("sgbd")) {
        f(SGBD{base,
               {.rho = rho,
                .alpha1 = number("alpha1"),
                .alpha2 = number("alpha2"),
                .beta = count("beta"),
                .literal = hp.at("nonmirror") == "alpha2",
                .norm_guard = number("delta")}},
          Setting{});
    } else {
        throw NotBuilt{"method " + variant};
    }
}

/// Replays the trajectory over one base optimizer. Throws what does not agree.
#if defined(POLDER_GOLDEN_ON_CUDA) || defined(POLDER_GOLDEN_ON_THRUST)
inline void replay_over(polder::recsys::DeviceBase const& base, Trajectory const& trajectory) {
#else
template <class Base>
void replay_over(Base const& base, Trajectory const& trajectory) {
#endif
    with_method(trajectory.variant, trajectory.hyper_parameters, trajectory.mask, base,
                [&](auto const& optimizer, Setting const& setting) {
                    replay(optimizer, setting, trajectory);
                });
}

}  // namespace golden::GOLDEN_DEVICE
