/// What a method holds instead of memory: handles, which stand for arrays, masks and numbers.
///
/// The engine looks up the memory of a handle when a pass runs. A handle knows neither the scalar type nor the device. So a
/// method is one text for all of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <polder/closure/evaluation.hpp>
#include <polder/config.hpp>

namespace polder {

/// An array: one scalar per coordinate.
struct ArrayId {
    int id = -1;
};

/// A mask: one byte per coordinate, 1 or 0. The function of a coordinate gets it as a value of its scalar type.
struct MaskId {
    int id = -1;
};

/// An argument of a pass, run.map(pass, Written{a}, b): the pass writes the array and does not read it.
template <class A>
struct Written {
    A array;
};
template <class A>
Written(A) -> Written<A>;

/// An argument of a pass, run.map(pass, Changed{a}, b): the pass reads the array and writes it.
template <class A>
struct Changed {
    A array;
};
template <class A>
Changed(A) -> Changed<A>;

/// An array that lasts from step to step and that a method writes before the last evaluation of a step. `now` holds the
/// values so far, and the method writes the new ones to `next`. At the end of a step that succeeds, next becomes now.
template <class A>
struct SuccessionOf {
    A now, next;
};
using Succession = SuccessionOf<ArrayId>;
using MaskSuccession = SuccessionOf<MaskId>;

/// A point at which the closure may be called, besides x. Its values last until the closure is called elsewhere.
struct PointId {
    ArrayId array;
    Evaluation role = Evaluation::perturbed;  ///< its name in the report and in error messages
    operator ArrayId() const { return array; }
};

/// A number that a reduction finds, or one number for each block. Only passes read it. So on a device the host does not
/// wait for it.
struct ValueId {
    int slot = -1;
    int stride = 0;  ///< slots from one block to the next; 0: the same number in all blocks
    POLDER_HOST_DEVICE bool exists() const { return slot >= 0; }
};

/// A coefficient: a number, or a number times what a reduction finds.
struct Coefficient {
    double factor = 1;
    ValueId value{};
    Coefficient() = default;
    Coefficient(double number) : factor(number) {}
    Coefficient(ValueId found) : value(found) {}
};

/// A whole number that lasts from step to step and that only the host reads, such as how often something was done.
struct CounterId {
    int id = -1;
};

/// Arrays for gradients that no method holds.
class GradientPool {
public:
    POLDER_COLD void make(int count) {
        free_ = std::vector<ArrayId>(static_cast<std::size_t>(count));
    }
    /// All of them: the arrays from `first` on.
    void fill(int first) {
        for (count_ = 0; count_ < free_.size(); ++count_)
            free_[count_] = {first + static_cast<int>(free_.size() - count_) - 1};
    }
    bool empty() const noexcept { return count_ == 0; }
    ArrayId take() noexcept { return free_[--count_]; }
    void give(ArrayId a) noexcept { free_[count_++] = a; }
    bool has(ArrayId a) const noexcept {
        for (std::size_t k = 0; k < count_; ++k) {
            if (free_[k].id == a.id) return true;
        }
        return false;
    }

private:
    std::vector<ArrayId> free_;
    std::size_t count_ = 0;
};

/// A gradient that a closure has written. Its memory is not used for another gradient while a method holds this handle.
/// So a handle of a gradient is moved, and cannot be copied.
class Gradient {
public:
    Gradient() = default;
    explicit Gradient(ArrayId borrowed) : array_(borrowed) {}
    explicit Gradient(GradientPool& pool) : array_(pool.take()), pool_(&pool) {}
    Gradient(Gradient&& other) noexcept
        : array_(std::exchange(other.array_, {})), pool_(std::exchange(other.pool_, nullptr)) {}
    Gradient& operator=(Gradient&& other) noexcept {
        std::swap(array_, other.array_);
        std::swap(pool_, other.pool_);
        return *this;
    }
    ~Gradient() {
        if (pool_ != nullptr) pool_->give(array_);
    }
    operator ArrayId() const noexcept { return array_; }

private:
    ArrayId array_;
    GradientPool* pool_ = nullptr;
};

/// The clean gradient, and the point that the method has led to.
struct Placed {
    Gradient g;
    PointId y;
};

/// What a method keeps and needs. It is known before the first step, because Method::init(plan) asks for all of it. A plan
/// has no memory of its own.
class Plan {
public:
    /// An array whose values last no longer than a step.
    POLDER_COLD ArrayId scratch() {
        scratch_.push_back({arrays_++});
        return scratch_.back();
    }
    POLDER_COLD PointId point(Evaluation role = Evaluation::perturbed) {
        points_.push_back({{arrays_++}, role});
        return points_.back();
    }
    /// An array that lasts and that the method writes before the last evaluation (see SuccessionOf). name: in files of
    /// state. initial: its first value.
    POLDER_COLD Succession succession(std::string name, double initial = 0) {
        Succession const s{{arrays_}, {arrays_ + 1}};
        arrays_ += 2;
        lasting_.push_back({std::move(name), s.now, s.next, initial});
        return s;
    }
    /// An array that lasts and that only the pass of the descent writes (see Keep).
    POLDER_COLD ArrayId kept(std::string name, double initial = 0) {
        ArrayId const a{arrays_++};
        lasting_.push_back({std::move(name), a, {}, initial});
        return a;
    }
    POLDER_COLD MaskSuccession mask(std::string name, bool changes) {
        MaskSuccession const m{{masks_++}, changes ? MaskId{masks_++} : MaskId{}};
        lasting_masks_.push_back({std::move(name), m});
        return m;
    }
    POLDER_COLD MaskId scratch_mask() {
        scratch_masks_.push_back({masks_++});
        return scratch_masks_.back();
    }
    POLDER_COLD CounterId counter(std::string name) {
        counters_.push_back(std::move(name));
        return {static_cast<int>(counters_.size()) - 1};
    }
    /// How many gradients a step holds at a time, >= 1.
    void gradients(int count) { gradients_ = count > gradients_ ? count : gradients_; }
    void one_gradient_more() { ++more_; }
    /// The base optimizer also descends to a point other than x: to go on from there, or as a trial. That needs a second
    /// copy of its state.
    void descends_elsewhere() { elsewhere_ = true; }

    /// All arrays and masks that last from step to step.
    struct Lasting {
        std::string name;
        ArrayId now, next;
        double initial;
    };
    struct LastingMask {
        std::string name;
        MaskSuccession mask;
    };
    int arrays() const noexcept { return arrays_; }
    int masks() const noexcept { return masks_; }
    int gradients() const noexcept { return gradients_ + more_; }
    bool elsewhere() const noexcept { return elsewhere_; }
    std::vector<ArrayId> const& scratch_arrays() const noexcept { return scratch_; }
    std::vector<MaskId> const& scratch_masks() const noexcept { return scratch_masks_; }
    std::vector<PointId> const& points() const noexcept { return points_; }
    std::vector<Lasting> const& lasting() const noexcept { return lasting_; }
    std::vector<LastingMask> const& lasting_masks() const noexcept { return lasting_masks_; }
    std::vector<std::string> const& counters() const noexcept { return counters_; }

private:
    int arrays_ = 1;  // array 0 is x
    int masks_ = 0;
    int gradients_ = 1;
    int more_ = 0;
    bool elsewhere_ = false;
    std::vector<ArrayId> scratch_;
    std::vector<MaskId> scratch_masks_;
    std::vector<PointId> points_;
    std::vector<Lasting> lasting_;
    std::vector<LastingMask> lasting_masks_;
    std::vector<std::string> counters_;
};

}  // namespace polder
