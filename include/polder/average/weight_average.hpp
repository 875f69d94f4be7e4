/// An exponential average of the parameters, around any optimizer.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/closure/forms.hpp>
#include <polder/closure/report.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/engine/sweep.hpp>
#include <polder/error.hpp>
#include <polder/hyper_parameter.hpp>
#include <polder/message.hpp>
#include <polder/moved_from.hpp>

namespace polder {

/// Hyper-parameters of WeightAverage.
struct WeightAverageOptions {
    double decay = 0.999;     ///< weight of the average so far, in [0, 1)
    std::uint64_t start = 0;  ///< steps before the average begins
};

/// a_t = decay a_{t-1} + (1 - decay) x_t after each step; at first a = x. a is for evaluation, while training goes on
/// with x. One more pass, which reads x and a and writes a.
/// Polyak and Juditsky 1992; torch.optim.swa_utils.AveragedModel with get_ema_avg_fn(decay).
///
///     polder::WeightAverage averaged{polder::SAM{polder::Adam{}}, {.decay = 0.99}};
///     averaged.step(x, closure);
///     averaged.copy_to(y);  // y is like x
template <class Optimizer>
class POLDER_OPENMP_MARK WeightAverage {
public:
    WeightAverage() requires std::default_initializable<Optimizer> : WeightAverage(Optimizer{}) {}
    /// Throws std::invalid_argument where the decay is out of range.
    explicit WeightAverage(Optimizer optimizer, WeightAverageOptions options = {})
        : optimizer_(std::move(optimizer)), options_(options) {
        require_decay("decay", options.decay);
    }
    WeightAverage(WeightAverage const&) = default;
    WeightAverage(WeightAverage&&) = default;
    /// Where memory is missing, optimizer and average are as they were.
    WeightAverage& operator=(WeightAverage const& other) { return *this = WeightAverage(other); }
    WeightAverage& operator=(WeightAverage&&) = default;
    ~WeightAverage() = default;

    /// A step of the optimizer, and then one of the average, unless the step was skipped.
    template <class C, class... Closures>
    Report step(C& x, Closures&&... closures) {
        require_own();
        auto& memory = prepare(x);  // what may fail comes before x moves
        Report const report = optimizer_.step(x, std::forward<Closures>(closures)...);
        if (!report.skipped) update(memory, x);
        return report;
    }
    template <class C, class Closure>
    Report step_in_place(C& x, C& gradient, Closure&& closure) {
        require_own();
        auto& memory = prepare(x);
        Report const report = optimizer_.step_in_place(x, gradient, std::forward<Closure>(closure));
        if (!report.skipped) update(memory, x);
        return report;
    }

    /// Writes the average to y, which has the shape of x. Writes x itself if the average has not begun.
    /// Throws std::logic_error before the first step and std::invalid_argument for another shape.
    template <class C>
    void copy_to(C& y) {
        using T = scalar_t<C>;
        begun<T>().for_each_piece(
            y, 1, [](std::size_t length, T* a, T* at) { std::copy_n(a, length, at); });
    }

    /// Exchanges the average and x. Call it before evaluation, and again before training goes on: a step in between throws
    /// std::logic_error.
    template <class C>
    void swap(C& x) {
        using T = scalar_t<C>;
        begun<T>().for_each_piece(
            x, 1, [](std::size_t length, T* a, T* at) { std::swap_ranges(a, a + length, at); });
        swapped_ = !swapped_;
    }

    Optimizer& optimizer() noexcept { return optimizer_; }
    Optimizer const& optimizer() const noexcept { return optimizer_; }

    /// As Sharpness has them, for files of state.
    template <class C>
    void bind(C& x) {
        optimizer_.bind(x);
        prepare(x);
    }
    template <class F>
    void visit_state(F&& f) {
        optimizer_.visit_state(f);
        std::visit(
            [&]<class M>(M& memory) {
                if constexpr (!std::is_same_v<M, std::monostate>) {
                    f(std::string_view("weight_average"), std::span(memory.average));
                }
            },
            memory_);
        f(std::string_view("averaged_steps"), averaged_steps_);
        f(std::string_view("weight_average_calls"), calls_);
    }
    std::string method() const { return "WeightAverage<" + optimizer_.method() + ">"; }

private:
    void require_own() const {
        if (swapped_)
            detail::wrong_call(
                "the parameters are the average; call swap() again before the next step");
    }
    template <class T>
    struct Memory {
        Layout layout_;
        std::vector<T, CacheLineAllocator<T>> average;
        std::vector<T*> blocks;

        // f(length, where a piece of the average begins, where that of x begins), in threads.
        template <class C, class F>
        void for_each_piece(C& x, int threads, F const& f) {
            detail::collect(*this, x, {}, "the parameters");
            parallel_for(layout().chunks(), layout().chunks() < 4 ? 1 : threads,
                         [&](std::size_t chunk) {
                             layout().for_each_piece(
                                 chunk, [&](auto block, auto within, auto coordinate, auto length) {
                                     f(length, average.data() + coordinate, blocks[block] + within);
                                 });
                         });
        }
        // As detail::collect asks for them.
        Layout const& layout() const noexcept { return layout_; }
        std::span<T*> table(ArrayId) { return blocks; }
        void table_is_filled(ArrayId) {}
    };
    // a = decay a + gain x.
    template <class T>
    struct Average {
        T decay, gain;
        template <class V>
        POLDER_INLINE void operator()(V& a, V at) const {
            a = decay * a + gain * at;
        }
    };

    template <class T>
    Memory<T>& begun() {
        if (calls_ == 0) {
            POLDER_THROW std::logic_error("polder: there is no average before the first step");
        }
        return of<T>();
    }
    template <class T>
    Memory<T>& of() {
        auto* memory = std::get_if<Memory<T>>(&memory_);
        if (memory == nullptr) {
            POLDER_THROW std::invalid_argument(
                "polder: the scalar type of the parameters is not that of the first step");
        }
        return *memory;
    }

    template <class C>
    auto& prepare(C& x) {
        static_assert(std::is_same_v<memory_space_t<C>, HostMemory>,
                      "polder: WeightAverage takes parameters in the host's memory");
        using T = scalar_t<C>;
        if (moved_from_.is())
            detail::wrong_call("this optimizer has been moved from; assign one to it first");
        if (std::holds_alternative<std::monostate>(memory_)) {
            std::vector<std::size_t> sizes;
            for_each_block(x, [&](T*, std::size_t size) { sizes.push_back(size); });
            Memory<T> memory;
            memory.blocks.resize(sizes.size());
            memory.layout_ = Layout(std::move(sizes));
            memory.average.resize(memory.layout().size());
            memory_ = std::move(memory);
        }
        auto& memory = of<T>();
        detail::collect(memory, x, {}, "the parameters");
        return memory;
    }

    // memory: as prepare(x) has returned it.
    template <class T, class C>
    void update(Memory<T>& memory, C& x) {
        // As long as the average has not begun, it is x itself.
        double const decay = calls_++ < options_.start || averaged_steps_ == 0 ? 0 : options_.decay;
        if (calls_ > options_.start) ++averaged_steps_;
        memory.for_each_piece(x, optimizer_.threads(), [&](std::size_t length, T* a, T* at) {
            detail::sweep<T>(length, Average<T>{T(decay), T(1 - decay)}, detail::Changes<T>{a},
                             detail::Reads<T>{at});
        });
    }

    Optimizer optimizer_;
    WeightAverageOptions options_;
    detail::MovedFrom moved_from_;
    std::variant<std::monostate, Memory<float>, Memory<double>> memory_;
    std::uint64_t averaged_steps_ = 0;
    std::uint64_t calls_ = 0;
    bool swapped_ = false;
};

}  // namespace polder
