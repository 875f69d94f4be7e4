/// For which evaluation of a step the closure is called.
#pragma once

namespace polder {

/// The batch of an evaluation. Methods with a mixed loss ("+") use two batches in a step, all
/// others only the first.
enum class Batch { first, second, third };

/// What an evaluation is for. A closure that takes a Pass can use the same dropout mask in all passes
/// over one batch, or not update running statistics at the perturbed point.
///
/// The passes of one step come in this order, as far as the method needs them:
///   {first, false, k}   gradient of the loss of sample k = 0, 1, ... alone, at x
///   {first, false}      g  = gradient of L_B1 at x
///   {first, true}       s  = gradient of L_B1 at x + eps; of SeveralAscents also at the points on the way
///                       there, and of Mirror at x', the point after its first half
///   {second, false}     g2 = gradient of L_B2 at x
struct Pass {
    Batch batch = Batch::first;
    bool perturbed = false;
    int sample =
        -1;  ///< -1: the whole batch. >= 0: one sample; methods with samples alone ask for it
    int micro_batch =
        0;  ///< the part of the batch, if it comes in parts (closure/micro_batches.hpp)
    bool redraws = false;  ///< dropout masks and the like are to be drawn anew (Mirror::redraws)
    bool at_once = false;  ///< the other batch's gradient is computed at the same time, in another
                           ///< thread (closure/concurrent.hpp): leave half of the threads to it

    friend constexpr bool operator==(Pass, Pass) = default;
};

}  // namespace polder
