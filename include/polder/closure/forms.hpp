/// The two ways in which a step calls a closure: with containers, or in place, for a model that owns its parameters.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/blocks/overlap.hpp>
#include <polder/blocks/twin.hpp>
#include <polder/closure/pass.hpp>
#include <polder/config.hpp>
#include <polder/error.hpp>
#include <polder/run/handles.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

template <class F, class P>
concept plain_closure = std::invocable<F&, P const&, P&>;
template <class F, class P>
concept pass_closure = std::invocable<F&, P const&, P&, Pass>;

[[noreturn]] inline void wrong_shape(std::string const& what, std::size_t block, std::size_t found,
                                     std::size_t expected) {
    POLDER_THROW std::invalid_argument("polder: " + what + ": block " + std::to_string(block) +
                                       " has " + std::to_string(found) + " coordinates, expected " +
                                       std::to_string(expected));
}

// Makes the next collect() of an array see all its blocks as moved.
template <class Engine>
void forget(Engine& engine, ArrayId array) {
    auto& table = engine.table(array);
    std::fill(table.begin(), table.end(), nullptr);
}

// Tells an engine where the blocks of a container lie. They must have the shapes of the first step, and share no memory with
// one another or with those of the others (overlap.hpp). That is looked at only if a block lies elsewhere than before.
// Returns whether one does.
template <class Engine, class C, class... Others>
bool collect(Engine& engine, C& container, ArrayId array, char const* what,
             Called<Others> const&... others) {
    std::size_t block = 0;
    bool moved = false;
    auto const& sizes = engine.layout().block_sizes();
    auto& table = engine.table(array);
    for_each_block(container, [&](auto* data, std::size_t size) {
        std::size_t const expected = block < sizes.size() ? sizes[block] : 0;
        if (block >= sizes.size() || size != expected) wrong_shape(what, block, size, expected);
        moved |= table[block] != data;
        table[block++] = data;
    });
    if (block < sizes.size()) {
        POLDER_THROW std::invalid_argument("polder: " + std::string(what) + ": " +
                                           std::to_string(block) + " blocks, expected " +
                                           std::to_string(sizes.size()));
    }
    if (moved) {
        POLDER_TRY { require_apart(others..., Called{what, container}); }
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
    Twins& operator=(Twins const&) {
        held_.reset();
        return *this;
    }
    Twins(Twins&&) noexcept = default;
    Twins& operator=(Twins&&) noexcept = default;
    ~Twins() = default;

    // Made at the first call for a container of type C.
    template <class C>
    std::vector<std::unique_ptr<Twin<C>>>& of(C& original, std::size_t count) {
        static char const tag = 0;
        if (held_ == nullptr || held_->tag != &tag) {
            auto made = std::make_unique<Holder<C>>();
            made->tag = &tag;
            for (std::size_t k = 0; k < count; ++k) {
                auto& twin = made->twins.emplace_back(std::make_unique<Twin<C>>(original));
                require_apart(Called{"the parameters", original},
                              Called{"a copy of them", twin->get()});
            }
            held_ = std::move(made);
        }
        return static_cast<Holder<C>&>(*held_).twins;
    }

private:
    struct Base {
        virtual ~Base() = default;
        char const* tag = nullptr;
    };
    template <class C>
    struct Holder final : Base {
        std::vector<std::unique_ptr<Twin<C>>> twins;
    };
    std::unique_ptr<Base> held_;
};

// The closure is called on x, or on a twin that holds a point, and writes gradients to other twins. So x is not changed.
template <class Engine, class C, class Closure, int batches_, bool samples_>
class OutOfPlace {
public:
    static constexpr int batches = batches_;
    static constexpr bool samples = samples_;

    OutOfPlace(Engine& engine, C& x, Closure& closure, Twins& twins)
        : engine_(engine), x_(x), closure_(closure), points_(engine.plan().points()),
          twins_(twins.of<C>(x, points_.size() +
                                    static_cast<std::size_t>(engine.plan().gradients()))) {
        for (std::size_t k = 0; k < points_.size(); ++k) {
            collect(engine_, twins_[k]->get(), points_[k].array, "point");
        }
    }

    auto evaluate(PointId at, ArrayId gradient, Pass pass) {
        C const& where = at.array.id == 0 ? x_ : twin_of(at).get();
        if (at.array.id != 0) engine_.copy_frozen({0}, at.array);
        C& into =
            twins_[points_.size() + static_cast<std::size_t>(gradient.id - engine_.plan().arrays())]
                ->get();
        auto const loss = [&] {
            if constexpr (pass_closure<Closure, C>) {
                return closure_(where, into, pass);
            } else {
                return closure_(where, into);
            }
        }();
        if (at.array.id == 0) {
            collect(engine_, into, gradient, "the gradient", Called{"the parameters", x_});
        } else {
            collect(engine_, into, gradient, "the gradient", Called{"the parameters", x_},
                    Called{"the perturbed parameters", twin_of(at).get()});
        }
        return loss;
    }
    // Nothing to do: a point has memory of its own.
    void about_to_write(PointId) {}

private:
    Twin<C>& twin_of(PointId at) {
        std::size_t k = 0;
        while (points_[k].array.id != at.array.id) ++k;
        return *twins_[k];
    }

    Engine& engine_;
    C& x_;
    Closure& closure_;
    std::vector<PointId> const& points_;
    std::vector<std::unique_ptr<Twin<C>>>& twins_;
};

// The model owns x and its gradient, and computes at what x holds. So a point is written into the model, while the values of x
// lie in the point's memory. x is put back at the end, also when the closure throws. Arrays change places by exchanging
// their tables, so handles stay the same for methods.
template <class Engine, class C, class Closure, int batches_, bool samples_>
class InPlace {
public:
    static constexpr int batches = batches_;
    static constexpr bool samples = samples_;

    InPlace(Engine& engine, C& x, C& gradient, Closure& closure, std::vector<ArrayId> const& free)
        : engine_(engine), x_(x), gradient_(gradient), closure_(closure), free_(free) {
        for (auto const& point : engine_.plan().points()) engine_.own(point.array);
    }
    InPlace(InPlace const&) = delete;
    InPlace& operator=(InPlace const&) = delete;
    ~InPlace() {
        POLDER_TRY { put_back(); }
        POLDER_CATCH_ALL {  // the device is faulty; the exception of the closure says so
        }
    }

    auto evaluate(PointId at, ArrayId gradient, Pass pass) {
        save_latest(gradient);
        show(at.array);
        auto const loss = [&] {
            if constexpr (std::invocable<Closure&, Pass>) {
                return closure_(pass);
            } else {
                return closure_();
            }
        }();
        collect(engine_, x_, shown_, "the parameters");
        // Where the gradient lies stays in the caller's array, also when a method moves the values to memory of their own.
        ArrayId const lies = engine_.callers_array();
        collect(engine_, gradient_, lies, "the gradient", Called{"the parameters", x_});
        leave_alone(lies);
        engine_.table(gradient) = engine_.table(lies);
        engine_.table_is_filled(gradient);
        return loss;
    }
    // y is about to be written. It goes into the model, and the values of x go to the memory of y.
    void about_to_write(PointId y) {
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
    // Blocks without a gradient (TorchTensors) are frozen for this step.
    void leave_alone(ArrayId gradient) {
        auto& layout = engine_.layout();
        auto const& table = engine_.table(gradient);
        for (std::size_t block = 0; block < table.size(); ++block) {
            if (table[block] != nullptr || layout.block_sizes()[block] == 0 || layout.frozen(block))
                continue;
            if (!first_) {
                POLDER_THROW std::invalid_argument(
                    "polder: block '" + engine_.blocks().names[block] +
                    "' had a gradient at the first evaluation of the step and has none now");
            }
            put_back();
            layout.set_frozen(block, true);
        }
        first_ = false;
    }
    // Copies the gradient in the model to memory of its own, if a method still holds it.
    void save_latest(ArrayId next) {
        auto const same = [](ArrayId a) { return [a](ArrayId b) { return a.id == b.id; }; };
        if (latest_.id >= 0 && latest_.id != next.id &&
            std::none_of(free_.begin(), free_.end(), same(latest_))) {
            engine_.copy_to_own(latest_);
        }
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
    std::vector<ArrayId> const& free_;  // gradients that no method holds
    ArrayId shown_{0};                  // the array whose values the model has
    bool first_ = true;                 // no evaluation has ended
    ArrayId latest_{};                  // the gradient whose values the model has
};

// For passes that call no closure.
struct NoClosure {
    static constexpr int batches = 1;
    static constexpr bool samples = false;
    double evaluate(PointId, ArrayId, Pass) { return 0; }
    void about_to_write(PointId) {}
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
