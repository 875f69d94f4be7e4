/// What an optimizer has once it is bound to parameters: the plan and the state of its method and of its base optimizer,
/// and the engine for the parameters' scalar, shapes and memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/closure/forms.hpp>
#include <polder/config.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/run/any_engine.hpp>
#include <polder/run/descent.hpp>
#include <polder/run/fits.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

template <class Method, class BaseOpt>
struct Binding {
    std::shared_ptr<Plan const> plan;
    std::optional<typename StateOfMethod<Method>::type> state;
    std::optional<typename BaseState<BaseOpt>::type> base_state;
    std::vector<std::uint64_t> counters;
    GradientPool free_gradients;
    AnyEngine engine;
    Twins twins;
    std::size_t method_arrays =
        0;  // of the lasting ones, those of the method; the others are the base optimizer's

    // An engine for the blocks of x, with the first values of all state.
    template <class Engine, class C>
    POLDER_COLD Engine& make(C& x, Method const& method, BaseOpt const& base) {
        Blocks blocks = blocks_of(x);
        return engine.emplace<Engine>(std::move(blocks), make_plan(method, base));
    }
    POLDER_COLD std::shared_ptr<Plan const> make_plan(Method const& method, BaseOpt const& base) {
        auto made = std::make_shared<Plan>();
        state.emplace(method.init(*made));
        method_arrays = made->lasting().size();
        base_state.emplace(BaseState<BaseOpt>::make(base, *made));
        counters.assign(made->counters().size(), 0);
        free_gradients.make(made->gradients());
        plan = std::move(made);
        return plan;
    }

    void free_all_gradients() { free_gradients.fill(plan->arrays()); }

    // f(name, values) for each array that lasts: those of the base optimizer, those of the method, and masks.
    template <class F>
    void visit_arrays(F&& f) {
        if (engine.empty()) return;
        auto arrays = engine.state(*plan);
        auto const end = [&](std::size_t k) {
            return arrays.begin() + static_cast<std::ptrdiff_t>(k);
        };
        std::rotate(arrays.begin(), end(method_arrays), end(plan->lasting().size()));
        for (StateArray const& array : arrays) {
            // By hand: std::visit would be compiled anew for each f.
            if (auto* floats = std::get_if<std::span<float>>(&array.values)) {
                f(array.name, *floats);
            } else if (auto* doubles = std::get_if<std::span<double>>(&array.values)) {
                f(array.name, *doubles);
            } else {
                f(array.name, std::get<std::span<std::uint8_t>>(array.values));
            }
        }
    }
};

}  // namespace polder::detail
