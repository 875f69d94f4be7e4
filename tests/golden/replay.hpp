/// Replays one trajectory on polder's optimizers, by the names of the registry.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
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
#define GOLDEN_ON_HOST
#endif
#include <polder/any_optimizer.hpp>
#include <polder/polder.hpp>

#include "golden/problem.hpp"
#include "golden/recipe.hpp"
#include "golden/tally.hpp"
#include "golden/trajectory.hpp"

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

/// What closures return: on a device a number that lies there.
template <class C>
class Losses {
    using Loss = typename polder::AnyOptimizer<C>::Loss;

public:
    Losses() {
        if constexpr (on_device) {
            memory_.add("loss", 1, 1);
            polder::for_each_block(memory_, [&](double* data, std::size_t) { at_ = data; });
        }
    }
    Loss kept(double loss) {
        if constexpr (on_device) {
            polder::Access<polder::memory_space_t<Arena<double>>>::write(at_, &loss, sizeof loss);
            return Loss(at_);
        } else {
            return loss;
        }
    }

private:
    static constexpr bool on_device = !std::is_same_v<Loss, double>;
    Arena<double> memory_;
    double* at_ = nullptr;
};

/// The methods of the registry. In single precision they are those that polder-recsys trains with, compiled as it ships; in
/// double precision, on the host, those of the other tests.
template <class C>
std::vector<polder::registry::MethodLine<C>> lines_of_registry() {
    return polder::registry::method_lines<C>([](auto const& f) {
#if defined(POLDER_SOME_METHODS)
        polder::registry::for_each_ball(f);
#else
        polder::registry::for_each_method(f);
#endif
    });
}

/// The methods of the registry, and the one with a mask of the file.
template <class C>
std::vector<polder::registry::MethodLine<C>> const& method_lines() {
    namespace registry = polder::registry;
    static auto const lines = [] {
        auto all = lines_of_registry<C>();
        auto const masked = registry::method_lines<C>([](auto const& f) {
            f(registry::MethodEntry{fixed_mask, "SSAM", "eps = SAM's where the mask is 1, u = s",
                                    ""},
              [](auto& options, auto const& take) {
                  polder::Masked<polder::EuclideanBall, polder::FixedMask> ball;
                  ball.rho = options.number("rho", ball.rho);
                  ball.norm_guard = options.number("norm_guard", ball.norm_guard);
                  take(polder::Family<decltype(ball), polder::NoDistance, polder::NoMix>{ball});
              });
        });
        all.insert(all.end(), masked.begin(), masked.end());
        return all;
    }();
    return lines;
}

template <class C>
polder::AnyOptimizer<C> optimizer_of(C& x, Recipe const& recipe, Named const& base,
                                     std::vector<Tensor> const& tensors, std::size_t samples) {
    polder::registry::Options all = base.options;
    all.insert(all.end(), recipe.options.begin(), recipe.options.end());
    if (recipe.exempt_biases) {
        std::string exempt;
        std::size_t k = 0;
        polder::for_each_named_block(x, [&](std::string const& name, auto*, std::size_t, auto) {
            if (tensors[k++].name.find("weight") == std::string::npos) exempt += name + ";";
        });
        all.emplace_back("exempt", exempt);
    }
    if (recipe.takes_samples) all.emplace_back("samples", std::to_string(samples));
    polder::registry::OptionReader options(all);
    auto optimizer =
        polder::registry::make_optimizer(method_lines<C>(), recipe.name, base.name, options);
    options.require_all_used(recipe.name + " on " + base.name);
    auto interval = optimizer.settings().interval();
    interval.every = recipe.every.value_or(interval.every);
    interval.phase = recipe.phase.value_or(interval.phase);
    optimizer.settings().set_interval(interval);
    return optimizer;
}

// Of the batches that the steps take single samples of.
inline std::size_t batch_size(Problem const& problem) {
    std::size_t const size = problem.first.at(0).size();
    for (Samples const& batch : problem.first) {
        if (batch.size() != size) throw SchemaError("expected batches B1 of one size for samples");
    }
    return size;
}

template <class C>
void replay_on(C x, Trajectory const& trajectory) {
    Problem const& problem = trajectory.problem;
    Recipe const& recipe = trajectory.recipe;
    json const& item = trajectory.item;
    double const tolerance = trajectory.tolerance;
    C eps = x;
    copy_in(problem.initial, x);
    auto optimizer = optimizer_of(x, recipe, trajectory.base, problem.tensors,
                                  recipe.takes_samples ? batch_size(problem) : 1);
    if (recipe.has_mask) {
        if (trajectory.mask.empty()) throw SchemaError("'masks' has no mask for this problem");
        optimizer.set_mask(x, trajectory.mask);
    }
    Losses<C> losses;
    std::size_t const size = problem.initial.size();
    std::vector<double> point(size), risen(size), before(size), gradient(size), flat(size);
    std::size_t const steps = item.at("params").size();
    if (steps == 0 || steps > problem.first.size()) {
        throw SchemaError(fmt::format("'params' has {} steps, the problem {} batches", steps,
                                      problem.first.size()));
    }
    for (std::size_t t = 0; t < steps; ++t) {
        auto const closure = [&](C const& at, C& into, polder::Pass pass) {
            copy_out(at, point);
            bool const first = pass.batch == polder::Batch::first;
            if (first) risen = point;
            Samples const& batch = (first ? problem.first : problem.second)[t];
            double const loss =
                pass.sample < 0
                    ? problem.loss(point, batch, gradient)
                    : problem.loss(point, {batch.at(static_cast<std::size_t>(pass.sample))},
                                   gradient);
            copy_in(gradient, into);
            return losses.kept(loss);
        };
        auto const in_step = [&](char const* key) { return fmt::format("step {}: {}", t, key); };
        auto const check = [&](char const* key, std::vector<double> const& found) {
            if (json const* expected = entry(item, key, t)) {
                check_vector(in_step(key), found, numbers(*expected, key), tolerance);
            }
        };
        auto const check_number = [&](char const* key, double found, double least_scale) {
            if (json const* expected = entry(item, key, t)) {
                double const value = expected->get<double>();
                check_scalar(in_step(key), found, value,
                             tolerance * std::max(std::abs(value), least_scale));
            }
        };

        if (recipe.epoch_length != 0 && t % recipe.epoch_length == 0) optimizer.begin_epoch();
        copy_out(x, before);
        if (optimizer.has_perturbation() && entry(item, "eps", t) != nullptr) {
            optimizer.perturbation(x, closure, eps);
            copy_out(eps, flat);
            check("eps", flat);
        }
        polder::Report const report = optimizer.step(x, closure);
        if (optimizer.has_perturbation()) {
            check_number("eps_norm", report.perturbation_norm, 0);
        } else if (entry(item, "eps", t) !=
                   nullptr) {  // to where the first batch was asked for last
            double squares = 0;
            for (std::size_t i = 0; i < size; ++i) {
                flat[i] = risen[i] - before[i];
                squares += flat[i] * flat[i];
            }
            check("eps", flat);
            check_number("eps_norm", std::sqrt(squares), 0);
        }
        check_number("d", report.distance, 1);
        check("mid", point);  // where the last evaluation was
        check_number(
            "loss",
            recipe.evaluates_x ? report.loss : problem.loss(before, problem.first[t], gradient), 0);
        copy_out(x, flat);
        check("params", flat);
        if (json const* expected = entry(item, "mask", t)) {
            optimizer.visit_state([&](std::string_view name, auto const& value) {
                if constexpr (requires { value.size(); }) {
                    if (name != "mask") return;
                    std::vector<double> const found(value.begin(), value.end());
                    check_vector(in_step("mask"), found, numbers(*expected, "mask"), 0);
                }
            });
        }
    }
}

}  // namespace golden::GOLDEN_DEVICE
