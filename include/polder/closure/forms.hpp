/// The two ways in which a step calls a closure: with containers, or in place, for a model that owns its parameters.
///
/// A run knows neither the closure nor its containers: it asks a form for evaluations. So the step of a method is compiled once
/// for all of them.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/blocks/overlap.hpp>
#include <polder/blocks/twin.hpp>
#include <polder/closure/concurrent.hpp>
#include <polder/closure/evaluation.hpp>
#include <polder/closure/pass.hpp>
#include <polder/config.hpp>
#include <polder/error.hpp>
#include <polder/message.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

template <class F, class P>
concept plain_closure = std::invocable<F&, P const&, P&>;
template <class F, class P>
concept pass_closure = std::invocable<F&, P const&, P&, Pass>;

[[noreturn]] POLDER_COLD inline void wrong_shape(char const* what, std::size_t block,
                                                 std::size_t found, std::size_t expected) {
    wrong_argument({what, ": block ", std::to_string(block), " has ", std::to_string(found),
                    " coordinates, expected ", std::to_string(expected)});
}
[[noreturn]] POLDER_COLD inline void too_few_blocks(char const* what, std::size_t found,
                                                    std::size_t expected) {
    wrong_argument(
        {what, ": ", std::to_string(found), " blocks, expected ", std::to_string(expected)});
}

// A gradient that a method has asked for.
struct Asked {
    PointId at;
    ArrayId gradient;
    Pass pass;
    Evaluation what;
};

// Calls a closure. Loss: double, or DeviceLoss.
template <class Loss>
class Form {
public:
    Form() = default;
    Form(Form const&) = delete;
    Form& operator=(Form const&) = delete;

    // Writes the gradient, and returns the loss.
    virtual Loss evaluate(Asked const& asked) = 0;
    // A point is about to be written.
    virtual void about_to_write(PointId) {}
    // Whether the closure may be called twice at once, and both evaluations of different batches.
    virtual bool at_once() const { return false; }
    virtual std::array<Loss, 2> both(Asked const& a, Asked const& b) {
        return {evaluate(a), evaluate(b)};
    }

protected:
    ~Form() = default;
};

// Makes the next collect() of an array see all its blocks as moved.
template <class Engine>
void forget(Engine& engine, ArrayId array) {
    auto const table = engine.table(array);
    std::fill(table.begin(), table.end(), nullptr);
}

// Tells an engine where the blocks of a container lie. They must have the shapes of the first step, and share no memory with
// one another or with those of the others (overlap.hpp). That is looked at only if a block lies elsewhere than before.
// Returns whether one does.
template <class Engine, class C>
bool collect(Engine& engine, C& container, ArrayId array, char const* what,
             std::initializer_list<Called> others = {}) {
    std::size_t block = 0;
    bool moved = false;
    auto const& sizes = engine.layout().block_sizes();
    auto const table = engine.table(array);
    for_each_block(container, [&](auto* data, std::size_t size) {
        std::size_t const expected = block < sizes.size() ? sizes[block] : 0;
        if (block >= sizes.size() || size != expected) wrong_shape(what, block, size, expected);
        moved |= table[block] != data;
        table[block++] = data;
    });
    if (block < sizes.size()) too_few_blocks(what, block, sizes.size());
    if (moved) {
        POLDER_TRY { require_apart(others, {what, container}); }
        POLDER_CATCH_ALL {
            forget(engine, array);  // so that the next call looks again
            POLDER_RETHROW;
        }
    }
    engine.table_is_filled(array);
    return moved;
}

// Twins of the user's container, for the points and the gradients of a method. A copy of an optimizer makes its own twins.
class Twins {
public:
    Twins() = default;
    Twins(Twins const&) {}
    Twins& operator=(Twins const&) { return *this = Twins(); }
    Twins(Twins&&) noexcept = default;
    Twins& operator=(Twins&&) noexcept = default;
    ~Twins() = default;

    // Makes `count` of them at the first call for a container of type C.
    template <class C>
    void make(C& original, std::size_t count) {
        if (tag_ != &tag<C>) replace(original, count);
    }
    template <class C>
    C& get(std::size_t k) const {
        return static_cast<Twin<C>*>(held_[k].get())->get();
    }

    // The next step makes them anew.
    void forget() noexcept { tag_ = nullptr; }

private:
    struct End {
        void (*end)(void*) = nullptr;
        void operator()(void* twin) const { end(twin); }
    };
    using Held = std::unique_ptr<void, End>;
    template <class C>
    static constexpr char tag = 0;

    template <class C>
    static void end(void* twin) {
        delete static_cast<Twin<C>*>(twin);
    }
    template <class C>
    POLDER_COLD void replace(C& original, std::size_t count) {
        std::vector<Held> made(count);
        for (Held& held : made) {
            auto* const twin = new Twin<C>(original);
            held = Held(twin, End{&end<C>});
            require_apart({Called("the parameters", original)},
                          Called("a copy of them", twin->get()));
        }
        held_ = std::move(made);
        tag_ = &tag<C>;
    }

    std::vector<Held> held_;
    char const* tag_ = nullptr;  // of the type of containers that are held
};

// The closure is called on x, or on a twin that holds a point, and writes gradients to other twins. So x is not changed.
template <class Engine, class C, class Closure>
class OutOfPlace final : public Form<typename Engine::Loss> {
    using Loss = typename Engine::Loss;

public:
    OutOfPlace(Engine& engine, C& x, Closure& closure, Twins& twins)
        : engine_(engine), x_(x), closure_(closure), points_(engine.plan().points()),
          twins_(twins) {
        twins.make(x, points_.size() + static_cast<std::size_t>(engine.plan().gradients()));
        for (std::size_t k = 0; k < points_.size(); ++k) {
            collect(engine_, twins_.template get<C>(k), points_[k].array, "point");
        }
    }

    Loss evaluate(Asked const& asked) override {
        before(asked.at);
        Loss loss{};
        guarded([&] {
            loss = call(asked);
            collect_gradient(asked);
        });
        return loss;
    }
    bool at_once() const override {
        if constexpr (concurrent_closure<Closure>) {
            return closure_.at_once();
        } else {
            return false;
        }
    }
    std::array<Loss, 2> both(Asked const& a, Asked const& b) override {
        if constexpr (concurrent_closure<Closure>) {
            std::array<Loss, 2> losses{};
            before(a.at);
            before(b.at);
            auto const call_at_once = [&](Asked asked) {
                asked.pass.at_once = true;
                return call(asked);
            };
            auto const call_a = [&] { losses[0] = call_at_once(a); };
            auto const call_b = [&] { losses[1] = call_at_once(b); };
            guarded([&] {
                if (a.pass.batch < b.pass.batch) {
                    both_at_once(call_a, call_b);
                } else {
                    both_at_once(call_b, call_a);
                }
                collect_gradient(a);
                collect_gradient(b);
            });
            return losses;
        } else {
            return Form<Loss>::both(a, b);
        }
    }

private:
    // An evaluation in three parts, of which call() alone may run at the same time as another.
    void before(PointId at) {
        if (at.array.id != 0) engine_.copy_frozen({0}, at.array);
    }
    Loss call(Asked const& asked) {
        C const& where = point_of(asked.at);
        C& into = gradient_of(asked.gradient);
        if constexpr (pass_closure<Closure, C>) {
            return static_cast<Loss>(closure_(where, into, asked.pass));
        } else {
            return static_cast<Loss>(closure_(where, into));
        }
    }
    void collect_gradient(Asked const& asked) {
        C& into = gradient_of(asked.gradient);
        if (asked.at.array.id == 0) {
            collect(engine_, into, asked.gradient, "the gradient", {Called("the parameters", x_)});
        } else {
            collect(engine_, into, asked.gradient, "the gradient",
                    {Called("the parameters", x_),
                     Called("the perturbed parameters", point_of(asked.at))});
        }
    }
    // A closure that throws may have resized its gradient, so the next step makes new ones.
    template <class F>
    void guarded(F const& f) {
        POLDER_TRY { f(); }
        POLDER_CATCH_ALL {
            twins_.forget();
            POLDER_RETHROW;
        }
    }
    C& gradient_of(ArrayId gradient) {
        return twins_.template get<C>(
            points_.size() + static_cast<std::size_t>(gradient.id - engine_.plan().arrays()));
    }
    C& point_of(PointId at) { return at.array.id == 0 ? x_ : twin_of(at); }
    C& twin_of(PointId at) {
        std::size_t k = 0;
        while (points_[k].array.id != at.array.id) ++k;
        return twins_.template get<C>(k);
    }

    Engine& engine_;
    C& x_;
    Closure& closure_;
    std::vector<PointId> const& points_;
    Twins& twins_;
};

// The model owns x and its gradient, and computes at what x holds. So a point is written into the model, while the values of x
// lie in the point's memory. x is put back at the end, also when the closure throws. Arrays change places by exchanging
// their tables, so handles stay the same for methods.
template <class Engine, class C, class Closure>
class InPlace final : public Form<typename Engine::Loss> {
    using Loss = typename Engine::Loss;

public:
    InPlace(Engine& engine, C& x, C& gradient, Closure& closure, GradientPool const& free)
        : engine_(engine), x_(x), gradient_(gradient), closure_(closure), free_(free) {
        for (auto const& point : engine_.plan().points()) engine_.own(point.array);
    }
    ~InPlace() {
        POLDER_TRY { put_back(); }
        POLDER_CATCH_ALL {  // the device is faulty; the exception of the closure says so
        }
    }

    Loss evaluate(Asked const& asked) override {
        ArrayId const gradient = asked.gradient;
        save_latest(gradient);
        show(asked.at.array);
        auto const loss = call(asked.pass);
        collect(engine_, x_, shown_, "the parameters");
        // Where the gradient lies stays in the caller's array, also when a method moves the values to memory of their own.
        ArrayId const lies = engine_.callers_array();
        collect(engine_, gradient_, lies, "the gradient", {Called("the parameters", x_)});
        leave_alone(lies);
        std::copy_n(engine_.table(lies).begin(), engine_.table(lies).size(),
                    engine_.table(gradient).begin());
        engine_.table_is_filled(gradient);
        return loss;
    }
    // The point goes into the model, and the values of x go to the memory of the point.
    void about_to_write(PointId y) override {
        if (shown_.id == y.array.id) return;
        if (shown_.id == 0) {
            engine_.copy({0}, y.array);
            engine_.swap({0}, y.array);
        } else {
            engine_.swap(shown_, y.array);
        }
        shown_ = y.array;
    }
    void put_back() {
        if (shown_.id == 0) return;
        engine_.swap({0}, shown_);
        engine_.copy(shown_, {0});
        shown_ = {0};
    }

private:
    Loss call([[maybe_unused]] Pass pass) {
        if constexpr (std::invocable<Closure&, Pass>) {
            return static_cast<Loss>(closure_(pass));
        } else {
            return static_cast<Loss>(closure_());
        }
    }
    // Blocks without a gradient (TorchTensors) are frozen for this step.
    void leave_alone(ArrayId gradient) {
        auto& layout = engine_.layout();
        auto const table = engine_.table(gradient);
        for (std::size_t block = 0; block < table.size(); ++block) {
            if (table[block] != nullptr || layout.block_sizes()[block] == 0 || layout.frozen(block))
                continue;
            if (!first_) {
                wrong_argument(
                    {"block '", engine_.blocks().names[block],
                     "' had a gradient at the first evaluation of the step and has none now"});
            }
            put_back();
            layout.set_frozen(block, true);
        }
        first_ = false;
    }
    // Copies the gradient in the model to memory of its own, if a method still holds it.
    void save_latest(ArrayId next) {
        if (latest_.id >= 0 && latest_.id != next.id && !free_.has(latest_))
            engine_.copy_to_own(latest_);
        latest_ = next;
    }
    void show(ArrayId at) {
        if (at.id == shown_.id) return;
        if (at.id == 0) return put_back();
        if (shown_.id == 0) {
            engine_.exchange({0}, at);
            engine_.swap({0}, at);
        } else {
            engine_.copy(at, shown_);
            engine_.swap(shown_, at);
        }
        shown_ = at;
    }

    Engine& engine_;
    C& x_;
    C& gradient_;
    Closure& closure_;
    GradientPool const& free_;  // gradients that no method holds
    ArrayId shown_{0};          // the array whose values the model has
    bool first_ = true;         // no evaluation has ended
    ArrayId latest_{};          // the gradient whose values the model has
};

// For passes that call no closure.
template <class Loss>
struct NoClosure final : Form<Loss> {
    Loss evaluate(Asked const&) override { return {}; }
};

struct CopyPass {
    struct At {
        template <class V>
        POLDER_INLINE void operator()(V& to, V from) const {
            to = from;
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};

}  // namespace polder::detail
