/// What an optimizer has once it is bound to parameters: the plan and the state of its method and of its base optimizer,
/// and the engine for the parameters' scalar, shapes and memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/closure/forms.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/run/any_engine.hpp>
#include <polder/run/descent.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

template <class Method, class BaseOpt>
struct Binding {
    Plan plan;
    std::optional<decltype(std::declval<Method const&>().init(std::declval<Plan&>()))> state;
    std::optional<typename BaseState<BaseOpt>::type> base_state;
    std::vector<std::uint64_t> counters;
    std::vector<ArrayId> free_gradients;
    AnyEngine engine;
    Twins twins;
    std::size_t method_arrays =
        0;  // of the lasting ones, those of the method; the others are the base optimizer's

    // An engine for the blocks of x, with the first values of all state.
    template <class Engine, class C>
    Engine& make(C& x, Method const& method, BaseOpt const& base) {
        Blocks blocks;
        for_each_named_block(
            x, [&](std::string const& name, auto*, std::size_t size, BlockShape const& shape) {
                blocks.names.push_back(name);
                blocks.shapes.push_back(shape);
                blocks.sizes.push_back(size);
            });
        plan = {};
        state.emplace(method.init(plan));
        method_arrays = plan.lasting().size();
        base_state.emplace(BaseState<BaseOpt>::make(base, plan));
        counters.assign(plan.counters().size(), 0);
        free_gradients.reserve(static_cast<std::size_t>(plan.gradients()));
        return engine.emplace(Engine(std::move(blocks), plan));
    }

    void free_all_gradients() {
        free_gradients.clear();
        for (int k = plan.gradients(); k > 0; --k)
            free_gradients.push_back({plan.arrays() + k - 1});
    }

    // f(name, values) for each array that lasts: those of the base optimizer, those of the method, and masks.
    template <class F>
    void visit_arrays(F&& f) {
        auto arrays = engine.state();
        auto const end = [&](std::size_t k) {
            return arrays.begin() + static_cast<std::ptrdiff_t>(k);
        };
        std::rotate(arrays.begin(), end(method_arrays), end(plan.lasting().size()));
        for (StateArray const& array : arrays) {
            std::visit([&](auto values) { f(array.name, values); }, array.values);
        }
    }
};

}  // namespace polder::detail
