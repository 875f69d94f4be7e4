/// The engine of an optimizer. Its type depends on the scalar and the memory of the parameters, which are known from the
/// first step on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <polder/engine/step_data.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

// One array of what lasts, in the host's memory.
struct StateArray {
    std::string_view name;
    std::variant<std::span<float>, std::span<double>, std::span<std::uint8_t>> values;
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
    Engine& emplace(Engine engine) {
        auto made = std::make_unique<Of<Engine>>(std::move(engine));
        Engine& result = made->engine;
        held_ = std::move(made);
        return result;
    }
    // The engine, or nullptr if it is of another type.
    template <class Engine>
    Engine* get() noexcept {
        if (held_ == nullptr || held_->tag != &Of<Engine>::own_tag) return nullptr;
        return &static_cast<Of<Engine>&>(*held_).engine;
    }

    // All that lasts. It may be written to until the next step.
    std::vector<StateArray> state() { return held_ ? held_->state() : std::vector<StateArray>{}; }
    // Writes the counts of the engine to `data`: a device counts its steps itself.
    void count(StepData& data) {
        if (held_) held_->count(data);
    }

private:
    struct Held {
        explicit Held(char const* own) : tag(own) {}
        virtual ~Held() = default;
        virtual std::unique_ptr<Held> clone() const = 0;
        virtual std::vector<StateArray> state() = 0;
        virtual void count(StepData& data) = 0;
        char const* tag;
    };
    template <class Engine>
    struct Of final : Held {
        static constexpr char own_tag = 0;

        explicit Of(Engine e) : Held(&own_tag), engine(std::move(e)) {}
        std::unique_ptr<Held> clone() const override { return std::make_unique<Of>(engine); }
        std::vector<StateArray> state() override {
            std::vector<StateArray> list;
            for (auto const& lasting : engine.plan().lasting()) {
                list.push_back({lasting.name, engine.values(lasting.now)});
            }
            for (auto const& lasting : engine.plan().lasting_masks()) {
                list.push_back({lasting.name, engine.values(lasting.mask.now)});
            }
            return list;
        }
        void count(StepData& data) override { engine.count(data); }
        Engine engine;
    };
    std::unique_ptr<Held> held_;
};

}  // namespace polder::detail
