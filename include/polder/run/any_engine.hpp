/// The engine of an optimizer. Its type depends on the scalar and the memory of the parameters, which are known from the
/// first step on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/config.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

// One array of what lasts, in the host's memory.
using StateValues = std::variant<std::span<float>, std::span<double>, std::span<std::uint8_t>>;
struct StateArray {
    std::string_view name;
    StateValues values;
};

class AnyEngine {
public:
    AnyEngine() = default;
    AnyEngine(AnyEngine const& other) : held_(other.held_ ? other.held_->clone() : nullptr) {}
    AnyEngine& operator=(AnyEngine const& other) { return *this = AnyEngine(other); }
    AnyEngine(AnyEngine&&) noexcept = default;
    AnyEngine& operator=(AnyEngine&&) noexcept = default;
    ~AnyEngine() = default;

    bool empty() const noexcept { return held_ == nullptr; }
    void clear() noexcept { held_.reset(); }

    template <class Engine>
    Engine& emplace(Blocks blocks, std::shared_ptr<Plan const> plan) {
        auto* const made = new Of<Engine>(std::move(blocks), std::move(plan));
        held_.reset(made);
        return made->engine;
    }
    // The engine, or nullptr if it is of another type.
    template <class Engine>
    Engine* get() noexcept {
        if (held_ == nullptr || held_->tag != &Of<Engine>::own_tag) return nullptr;
        return &static_cast<Of<Engine>&>(*held_).engine;
    }

    // All that lasts, by the plan of the engine. It may be written to until the next step.
    std::vector<StateArray> state(Plan const& plan) {
        std::vector<StateArray> list;
        for (auto const& lasting : plan.lasting())
            list.push_back({lasting.name, held_->values(lasting.now)});
        for (auto const& lasting : plan.lasting_masks())
            list.push_back({lasting.name, held_->values(lasting.mask.now)});
        return list;
    }
    // Writes the counts of the engine to `data`: a device counts its steps itself.
    void count(StepData& data) {
        if (held_) held_->count(data);
    }

private:
    struct Held {
        explicit Held(char const* own) : tag(own) {}
        virtual ~Held() = default;
        virtual std::unique_ptr<Held> clone() const = 0;
        virtual StateValues values(ArrayId a) = 0;
        virtual StateValues values(MaskId m) = 0;
        virtual void count(StepData& data) = 0;
        char const* tag;
    };
    template <class Engine>
    struct Of final : Held {
        static constexpr char own_tag = 0;

        Of(Blocks blocks, std::shared_ptr<Plan const> plan)
            : Held(&own_tag), engine(std::move(blocks), std::move(plan)) {}
        POLDER_COLD std::unique_ptr<Held> clone() const override {
            return std::unique_ptr<Held>(new Of(*this));
        }
        StateValues values(ArrayId a) override { return engine.values(a); }
        StateValues values(MaskId m) override { return engine.values(m); }
        void count(StepData& data) override { engine.count(data); }
        Engine engine;
    };
    std::unique_ptr<Held> held_;
};

}  // namespace polder::detail
