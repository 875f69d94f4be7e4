/// A batch in parts, for models whose activations do not fit into memory at once.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/closure/concurrent.hpp>
#include <polder/closure/pass.hpp>
#include <polder/message.hpp>

namespace polder {

/// How the losses and gradients of micro-batches are put together.
enum class Reduction {
    mean,  ///< for a loss that is a mean over samples, and micro-batches of the same size
    sum    ///< for a loss that is a sum over samples
};

/// What micro_batches() returns: a closure for Optimizer::step. A copy has memory of its own.
template <class Closure>
class MicroBatches {
public:
    using InnerClosure = std::unwrap_reference_t<Closure>;
    /// Throws std::invalid_argument if count < 1.
    MicroBatches(int count, Closure closure, Reduction reduction)
        : count_(count), closure_(std::move(closure)), reduction_(reduction) {
        auto const found = std::to_string(count);
        if (count < 1)
            detail::wrong_argument({"micro_batches: count is ", found, ", expected at least 1"});
    }
    bool at_once() const requires detail::concurrent_closure<InnerClosure> {
        return static_cast<InnerClosure const&>(closure_).at_once();
    }

    template <class P>
    double operator()(P const& at, P& gradient, Pass pass) {
        static_assert(std::invocable<Closure&, P const&, P&, Pass>,
                      "polder: the closure of micro_batches is called as scalar(parameters const&, "
                      "gradient&, polder::Pass); pass.micro_batch is the part");
        static_assert(std::is_same_v<memory_space_t<P>, HostMemory>,
                      "polder: micro_batches adds gradients on the processor; on a device let the "
                      "closure add them");
        // Of parts of a part: this one is cut into the parts `begin` to begin + count - 1.
        int const begin = pass.micro_batch * count_;
        if (pass.sample >= 0) {  // samples are dealt to the parts in turn
            pass.micro_batch = begin + pass.sample % count_;
            pass.sample /= count_;
            return static_cast<double>(closure_(at, gradient, pass));
        }
        // By batch, since both batches may be under way at once.
        auto& sums = sums_[static_cast<std::size_t>(pass.batch)];
        double loss = 0;
        for (int part = 0; part < count_; ++part) {
            pass.micro_batch = begin + part;
            loss += static_cast<double>(closure_(at, gradient, pass));
            std::size_t size = 0;
            for_each_block(gradient, [&](auto const*, std::size_t n) { size += n; });
            if (part == 0) sums.assign(size, 0.0);
            if (size != sums.size())
                detail::wrong_call("micro_batches: the closure has resized the gradient");
            auto sum = sums.begin();  // a block without a gradient is null
            for_each_block(gradient, [&](auto const* data, std::size_t n) {
                if (data != nullptr) std::transform(data, data + n, sum, sum, std::plus<double>());
                sum += static_cast<std::ptrdiff_t>(n);
            });
        }
        double const share = reduction_ == Reduction::mean ? 1.0 / count_ : 1.0;
        auto sum = sums.begin();
        for_each_block(gradient, [&]<class T>(T* data, std::size_t n) {
            auto const end = sum + static_cast<std::ptrdiff_t>(n);
            if (data != nullptr) {
                std::transform(sum, end, data, [&](double s) { return static_cast<T>(share * s); });
            } else if (std::any_of(sum, end, [](double s) { return s != 0; })) {
                detail::wrong_call(
                    "micro_batches: a block had a gradient in one part and has none in the last; "
                    "let the closure write zeros there");
            }
            sum = end;
        });
        return share * loss;
    }

private:
    int count_;
    Closure closure_;
    Reduction reduction_;
    std::array<std::vector<double>, 3> sums_;
};

/// A closure that calls `closure`, scalar(P const& at, P& gradient, Pass), for the micro-batches 0 to count - 1 of a batch
/// (Pass::micro_batch), and returns the mean (or the sum) of their losses and gradients. So a step equals one of the whole
/// batch to rounding. A model that draws dropout masks uses the same in all passes with the same Pass::batch and
/// Pass::micro_batch. Make the closure once, before the loop over steps: it keeps the sum of the gradients, in double, for each
/// batch of a step. Sample k of the batch (methods that ask for single samples) is sample k / count of part k mod count.
/// micro_batches of micro_batches cuts each part again: m of n is m n parts.
///
///     auto closure = polder::micro_batches(4, [&](auto const& at, auto& gradient, polder::Pass pass) {
///         return model.loss(at, gradient, batch.part(pass.micro_batch));
///     });
///     optimizer.step(x, closure);
///
/// A closure that has a name is kept by reference. Throws std::invalid_argument if count < 1.
template <class Closure>
MicroBatches<detail::KeptClosure<Closure>> micro_batches(int count, Closure&& closure,
                                                         Reduction reduction = Reduction::mean) {
    return {count, std::forward<Closure>(closure), reduction};
}

/// The same for Optimizer::step_in_place, whose closure, scalar(Pass), writes the gradient of the micro-batch to the model's
/// `gradient`. A block without a gradient in some of the parts has a sum of the others, if the last part is one of these.
template <class C, class Closure>
requires std::invocable < std::remove_reference_t<Closure>
&, Pass > auto micro_batches(int count, C& gradient, Closure&& closure,
                             Reduction reduction = Reduction::mean) {
    auto in_place = [closure = detail::KeptClosure<Closure>(std::forward<Closure>(closure))](
                        C const&, C&, Pass pass) mutable { return closure(pass); };
    return [parts = micro_batches(count, std::move(in_place), reduction), &gradient](
               Pass pass) mutable { return parts(std::as_const(gradient), gradient, pass); };
}

}  // namespace polder
