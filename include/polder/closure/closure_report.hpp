/// What check_closure has found, and the words for it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

namespace polder {

/// The findings about a closure, see check_closure. Coordinate k of a block is the k-th scalar of its memory.
struct ClosureReport {
    static constexpr double none = std::numeric_limits<double>::quiet_NaN();

    /// Some coordinates of one block.
    struct Places {
        std::string block;
        std::size_t size = 0;              ///< coordinates of the block
        std::size_t count = 0;             ///< how many of them are meant
        std::vector<std::size_t> first{};  ///< the first of those, up to 4
    };

    /// The gradient beside a central difference, along one coordinate or along the gradient.
    struct Difference {
        std::string block;           ///< empty: along the whole gradient
        std::size_t coordinate = 0;  ///< of the block
        double parameter =
            none;                ///< x v, v the direction: a coordinate's unit vector, or g / ||g||
        double gradient = none;  ///< g v, as the closure gave it
        double difference = none;  ///< (L(x + h v) - L(x - h v)) / (2 h)
        double tolerance = none;   ///< of |gradient - difference|; infinite: a loss was not finite

        bool agrees() const noexcept { return !(error() > tolerance); }
        /// Whether a gradient wrong by half would have been seen: it is not where rounding is as large.
        bool judged() const noexcept {
            return tolerance < std::max(std::abs(gradient), std::abs(difference)) / 2;
        }
        double error() const noexcept { return std::abs(gradient - difference); }
    };

    /// What the answer of the closure depends on.
    enum class Reads {
        unknown,  ///< not asked: the answer is not finite, or another in each call
        at,       ///< `at` alone, as it should; in place, the parameters of the model
        x,        ///< the parameters x, captured by reference, and not `at`
        both,     ///< `at`, and x besides
        nothing   ///< neither: a copy made before, or the loss is constant
    };

    int evaluations = 0;    ///< calls of the closure
    bool in_place = false;  ///< the report of check_closure_in_place
    std::string shape{};  ///< what has another shape than at the start; then nothing else was asked
    bool writes_parameters = false;  ///< the closure wrote to x or to `at`

    double loss = none;                           ///< L(x)
    std::vector<Places> parameters_not_finite{};  ///< of x
    std::vector<Places> gradient_not_finite{};

    std::vector<Places> unwritten{};  ///< keep two different values that the gradient held before
    std::vector<Places> added{};      ///< depend on what the gradient held before

    bool repeats = true;         ///< two calls at x give the same, up to rounding
    double loss_spread = 0;      ///< |difference| of two losses at x; 0: the same bits
    double gradient_spread = 0;  ///< the largest |difference| of a coordinate of two gradients at x
    bool sums_over_calls = false;  ///< the second gradient is two times the first

    Reads reads = Reads::unknown;
    bool loss_moves = true;          ///< the loss is another at a moved point
    bool gradient_is_stale = false;  ///< it stays the same there, and the loss is not linear

    bool zero_gradient = false;              ///< all of it
    std::vector<std::string> zero_blocks{};  ///< where it is zero, that of others not being so

    bool passes_agree = true;  ///< Pass::perturbed makes no difference at x; true without a Pass

    bool compared = false;          ///< finite differences were taken
    bool coarse = false;            ///< parameters or losses are float: small errors may pass
    double relative_tolerance = 0;  ///< the relative part of Difference::tolerance
    std::vector<Difference> differences{};  ///< of coordinates, and the last along the gradient
    /// Where some differences disagree, and all have gradient = factor * difference: that factor.
    double factor = none;
    /// Likewise for gradient = difference + weight_decay x.
    double weight_decay = none;

    /// Whether the gradient agrees with all differences that were taken.
    bool agrees() const noexcept {
        return std::all_of(differences.begin(), differences.end(),
                           [](Difference const& d) { return d.agrees(); });
    }
    /// Of the coordinates the difference with the largest error in units of its tolerance; where all of them agree,
    /// that along the gradient. Null without any.
    Difference const* worst() const noexcept {
        if (differences.empty()) return nullptr;
        auto const ratio = [](Difference const& d) {
            return d.agrees() ? 0 : d.error() / d.tolerance;
        };
        auto const along = differences.end() - 1;
        auto const found =
            std::max_element(differences.begin(), along,
                             [&](auto const& a, auto const& b) { return ratio(a) < ratio(b); });
        return found == along || found->agrees() ? &*along : &*found;
    }
    /// Whether nothing is wrong. Notes (zero_blocks, passes_agree, coarse) leave it true.
    bool ok() const noexcept {
        return shape.empty() && !writes_parameters && std::isfinite(loss) &&
               parameters_not_finite.empty() && gradient_not_finite.empty() && unwritten.empty() &&
               added.empty() && repeats && reads == Reads::at && loss_moves && !gradient_is_stale &&
               !zero_gradient && agrees();
    }

    void forget_differences() noexcept {
        compared = false;
        differences.clear();
        factor = weight_decay = none;
    }

    /// A line in words for each finding, with its cure, and for each note.
    std::string to_string() const;
};

namespace detail {

class ClosureWords {
public:
    explicit ClosureWords(ClosureReport const& report) : r_(report) {}

    std::string text() {
        if (!r_.shape.empty()) {
            finding("Shape: ", r_.shape,
                    ". Write to the coordinates and leave the sizes alone. Nothing else was"
                    " looked at.");
        } else {
            values();
            calls();
            reads();
            differences();
            notes();
        }
        std::ostringstream out;
        if (findings_ == 0) {
            out << "check_closure: ok";
        } else {
            out << "check_closure: " << findings_ << (findings_ == 1 ? " finding" : " findings");
        }
        out << " (" << r_.evaluations
            << (r_.evaluations == 1 ? " evaluation)\n" : " evaluations)\n") << lines_.str();
        return out.str();
    }

private:
    using Reads = ClosureReport::Reads;

    template <class... Parts>
    void finding(Parts const&... parts) {
        ++findings_;
        ((lines_ << "- ") << ... << parts) << '\n';
    }
    template <class... Parts>
    void note(Parts const&... parts) {
        ((lines_ << "  Note: ") << ... << parts) << '\n';
    }

    static std::string places(std::vector<ClosureReport::Places> const& list) {
        std::ostringstream out;
        for (std::size_t k = 0; k < list.size() && k < 4; ++k) {
            auto const& [block, size, count, first] = list[k];
            out << (k == 0 ? "" : "; ") << "block '" << block << "', ";
            if (count == size) {
                out << "all " << size << " coordinates";
                continue;
            }
            out << (count == 1 ? "coordinate " : "coordinates ");
            for (std::size_t i = 0; i < first.size(); ++i) out << (i == 0 ? "" : ", ") << first[i];
            out << (count > first.size() ? ", ..." : "") << " (" << count << " of " << size << ')';
        }
        if (list.size() > 4) out << "; and in " << list.size() - 4 << " more blocks";
        return out.str();
    }

    void values() {
        if (r_.writes_parameters) {
            finding("Parameters: the closure writes to the parameters; they have been put back. "
                    "Leave that to the"
                    " optimizer.");
        }
        if (!r_.parameters_not_finite.empty()) {
            finding("Finite: the parameters are not finite: ", places(r_.parameters_not_finite),
                    ". Look at how they start, and at the learning rate.");
        }
        if (!std::isfinite(r_.loss)) {
            finding("Finite: the loss is ", r_.loss,
                    ". Look for log(0), 0 / 0, exp of a large number, and at the"
                    " data.");
        }
        if (!r_.gradient_not_finite.empty()) {
            finding("Finite: the gradient is not finite: ", places(r_.gradient_not_finite),
                    ". Look for a division by 0 and a root or logarithm at 0.");
        }
        if (!r_.added.empty()) {
            finding("Written: the closure adds to what the gradient held before: ",
                    places(r_.added), ". Overwrite it, or set it to zero first.");
        }
        if (!r_.unwritten.empty()) {
            finding("Written: the closure leaves the gradient as it was: ", places(r_.unwritten),
                    ". Write all of it, zeros too; take it by reference.");
        }
    }

    void calls() {
        if (r_.sums_over_calls) {
            finding("Twice: the gradient of a second call is two times that of the first: it is "
                    "summed over calls."
                    " Set the sum to zero at the begin of each.");
        } else if (!r_.repeats) {
            finding("Twice: two calls at the same point differ: the loss by ", r_.loss_spread,
                    ", the gradient by up to ", r_.gradient_spread,
                    ". Draw samples and dropout once per batch: by the Pass, or from the same seed "
                    "in each call.");
        }
    }

    void reads() {
        char const* const point = r_.in_place ? "the parameters" : "`at`";
        if (r_.reads == Reads::x) {
            finding("At: the closure reads x, not `at`: it answers the same at a moved point, and "
                    "something else when"
                    " x is moved. Read the first argument.");
        } else if (r_.reads == Reads::both) {
            finding("At: the closure reads x besides `at`: it answers something else when x alone "
                    "is moved. Read all"
                    " parameters from the first argument.");
        } else if (r_.reads == Reads::nothing) {
            finding("At: loss and gradient stay the same when ", r_.in_place ? "" : "x or ", point,
                    r_.in_place ? " are" : " is",
                    " moved: the loss is constant, or computed from a copy. Compute both from ",
                    point, '.');
        } else if (!r_.loss_moves) {
            finding("At: the loss stays the same when ", point, r_.in_place ? " are" : " is",
                    " moved, and the gradient does not. Return the loss that the gradient is of.");
        } else if (r_.gradient_is_stale && r_.agrees() && !r_.zero_gradient) {
            finding("At: the gradient stays the same when ", point, r_.in_place ? " are" : " is",
                    " moved, and the loss is not linear. Compute the gradient from ", point,
                    ", not from a copy.");
        }
    }

    void differences() {
        if (r_.zero_gradient && r_.unwritten.empty()) {
            finding("Zero: the gradient is zero everywhere",
                    !r_.compared  ? ". Is it computed at all?"
                    : r_.agrees() ? ", and so are the finite differences: x is a stationary point. "
                                    "Start elsewhere,"
                                    " not with all weights zero."
                                  : ", and the finite differences are not. Compute it.");
        }
        if (r_.agrees() || r_.zero_gradient) return;
        std::ostringstream worst;
        auto const& w = *r_.worst();
        worst << " Worst: ";
        if (w.block.empty()) {
            worst << "the slope along the gradient";
        } else {
            worst << "block '" << w.block << "', coordinate " << w.coordinate;
        }
        worst << ": gradient " << w.gradient << ", finite difference " << w.difference << '.';
        if (std::abs(r_.factor + 1) <= 2 * r_.relative_tolerance) {
            finding("Differences: the gradient is that of -loss. Turn the sign of one of them.",
                    worst.str());
        } else if (std::isfinite(r_.factor)) {
            finding("Differences: the gradient is ", r_.factor,
                    " times the finite differences. Is one a sum over the batch and the other a "
                    "mean? Divide both by"
                    " the same number",
                    r_.factor < 0 ? ", and turn a sign." : ".", worst.str());
        } else if (std::isfinite(r_.weight_decay)) {
            finding("Differences: the gradient is the finite differences ",
                    r_.weight_decay < 0 ? "- " : "+ ", std::abs(r_.weight_decay),
                    " x: weight decay is in the ",
                    r_.weight_decay < 0 ? "loss and not in the gradient"
                                        : "gradient and not in the loss",
                    ". Have it in both or in neither.", worst.str());
        } else {
            finding("Differences: the gradient disagrees with ",
                    std::count_if(r_.differences.begin(), r_.differences.end(),
                                  [](auto const& d) { return !d.agrees(); }),
                    " of ", r_.differences.size(),
                    " finite differences. Derive this block's gradient again.", worst.str());
        }
    }

    void notes() {
        if (r_.repeats && (r_.loss_spread > 0 || r_.gradient_spread > 0)) {
            note("two calls at the same point differ by rounding: the loss by ", r_.loss_spread,
                 ", the gradient by up to ", r_.gradient_spread,
                 ". Threads that add in any order do that.");
        }
        if (!r_.passes_agree) {
            note("at the same point, Pass::perturbed = false and true differ. Use the same batch "
                 "and dropout mask in"
                 " both.");
        }
        if (!r_.zero_blocks.empty() && r_.unwritten.empty()) {
            std::string names;
            for (std::size_t k = 0; k < r_.zero_blocks.size() && k < 4; ++k)
                names += (k == 0 ? "'" : ", '") + r_.zero_blocks[k] + '\'';
            note("the gradient is zero in ", r_.zero_blocks.size(), " of the blocks: ", names,
                 r_.zero_blocks.size() > 4 ? ", ..." : "", ". Does the loss depend on them?");
        }
        if (!r_.compared) {
            note("no finite differences were taken.");
            return;
        }
        auto const count = [&](auto const& meant) {
            return std::count_if(r_.differences.begin(), r_.differences.end() - 1, meant);
        };
        auto const agree = count([](auto const& d) { return d.agrees(); });
        auto const judged = count([](auto const& d) { return d.agrees() && d.judged(); });
        auto const& along = r_.differences.back();
        note("the gradient agrees with finite differences in ", agree, " of ",
             r_.differences.size() - 1, " coordinates",
             along.agrees() && along.judged() ? ", and along itself." : ".",
             agree > judged
                 ? " Zero, or too small to judge: " + std::to_string(agree - judged) + '.'
                 : "");
        if (r_.coarse) {
            note("this is coarse, since parameters or losses are float: an error below ",
                 100 * r_.relative_tolerance,
                 " %, or in a small coordinate, may pass. Check in double.");
        }
    }

    ClosureReport const& r_;
    std::ostringstream lines_;
    int findings_ = 0;
};

}  // namespace detail

inline std::string ClosureReport::to_string() const { return detail::ClosureWords(*this).text(); }

/// Writes to_string().
inline std::ostream& operator<<(std::ostream& out, ClosureReport const& report) {
    return out << report.to_string();
}

}  // namespace polder
