/// What a method holds in the place of memory: handles, which an engine looks up where a pass runs.
///
/// A handle names an array, a mask or a number. It knows neither the scalar type nor the device, so that a method is one
/// text for all of them.
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

/// One scalar per coordinate.
struct Array {
    int id = -1;
};

/// One byte per coordinate: 1 or 0. A function of a coordinate gets it as a value of its scalar type.
struct Mask {
    int id = -1;
};

/// An argument of a pass: the array is written, and not read.
template <class A>
struct Out {
    A array;
};
template <class A>
Out(A) -> Out<A>;

/// An argument of a pass: the array is read and written.
template <class A>
struct InOut {
    A array;
};
template <class A>
InOut(A) -> InOut<A>;

/// What lasts from step to step and is written before the last evaluation of a step: `now` holds the values so far,
/// `next` takes the new ones. At the end of a step that succeeds, next becomes now.
template <class A>
struct SuccessionOf {
    A now, next;
};
using Succession = SuccessionOf<Array>;
using MaskSuccession = SuccessionOf<Mask>;

/// A place at which the closure may be called, besides x. Its values last until the closure is called elsewhere.
struct Point {
    Array array;
    Evaluation role = Evaluation::perturbed;  ///< how the report and error messages call it
    operator Array() const { return array; }
};

/// A number that a reduction will have found, or one for each block. Only passes read it: on a device the host never
/// waits for it.
struct Value {
    int slot = -1;
    int stride = 0;  ///< slots from one block to the next; 0: the same number in all blocks
    POLDER_HOST_DEVICE bool exists() const { return slot >= 0; }
};

/// A coefficient: a number, or a number times a value.
struct Coefficient {
    double factor = 1;
    Value value{};
    Coefficient() = default;
    Coefficient(double number) : factor(number) {}
    Coefficient(Value found) : value(found) {}
};

/// A number that lasts and that the host alone reads, such as how often something was done.
struct Counter {
    int id = -1;
};

/// A gradient that a closure has written. While a method holds it its memory is not used for another; so it can be
/// moved and not copied.
class Gradient {
public:
    Gradient() = default;
    explicit Gradient(Array borrowed) : array_(borrowed) {}
    Gradient(Array array, std::vector<Array>& pool) : array_(array), pool_(&pool) {}
    Gradient(Gradient&& other) noexcept
        : array_(std::exchange(other.array_, {})), pool_(std::exchange(other.pool_, nullptr)) {}
    Gradient& operator=(Gradient&& other) noexcept {
        std::swap(array_, other.array_);
        std::swap(pool_, other.pool_);
        return *this;
    }
    ~Gradient() {
        if (pool_ != nullptr) pool_->push_back(array_);  // has room: see Run::gradient
    }
    operator Array() const noexcept { return array_; }

private:
    Array array_;
    std::vector<Array>* pool_ = nullptr;
};

/// The clean gradient, and the point that the method has led to.
struct Placed {
    Gradient g;
    Point y;
};

/// What a method keeps and needs, known before its first step: Method::init(plan) asks for it. Without memory of its own.
class Plan {
public:
    /// An array whose values last no longer than a step.
    Array scratch() {
        scratch_.push_back({arrays_++});
        return scratch_.back();
    }
    Point point(Evaluation role = Evaluation::perturbed) {
        points_.push_back({{arrays_++}, role});
        return points_.back();
    }
    /// What lasts, by the name that it has in files of state, and its first values.
    Succession succession(std::string name, double initial = 0) {
        Succession const s{{arrays_}, {arrays_ + 1}};
        arrays_ += 2;
        kept_.push_back({std::move(name), s.now, s.next, initial});
        return s;
    }
    /// What lasts and is written by the descent alone (see Keep).
    Array kept(std::string name, double initial = 0) {
        Array const a{arrays_++};
        kept_.push_back({std::move(name), a, {}, initial});
        return a;
    }
    MaskSuccession mask(std::string name, bool changes) {
        MaskSuccession const m{{masks_++}, changes ? Mask{masks_++} : Mask{}};
        kept_masks_.push_back({std::move(name), m});
        return m;
    }
    Mask scratch_mask() {
        scratch_masks_.push_back({masks_++});
        return scratch_masks_.back();
    }
    Counter counter(std::string name) {
        counters_.push_back(std::move(name));
        return {static_cast<int>(counters_.size()) - 1};
    }
    /// How many gradients a step holds at a time, >= 1.
    void gradients(int count) { gradients_ = count > gradients_ ? count : gradients_; }
    void one_gradient_more() { ++more_; }
    /// The base optimizer also descends to elsewhere than x, from where it goes on or which it gives up again: that
    /// needs a second copy of its state.
    void descends_elsewhere() { elsewhere_ = true; }

    struct Kept {
        std::string name;
        Array now, next;
        double initial;
    };
    struct KeptMask {
        std::string name;
        MaskSuccession mask;
    };
    int arrays() const noexcept { return arrays_; }
    int masks() const noexcept { return masks_; }
    int gradients() const noexcept { return gradients_ + more_; }
    bool elsewhere() const noexcept { return elsewhere_; }
    std::vector<Array> const& scratch_arrays() const noexcept { return scratch_; }
    std::vector<Mask> const& scratch_masks() const noexcept { return scratch_masks_; }
    std::vector<Point> const& points() const noexcept { return points_; }
    std::vector<Kept> const& kept() const noexcept { return kept_; }
    std::vector<KeptMask> const& kept_masks() const noexcept { return kept_masks_; }
    std::vector<std::string> const& counters() const noexcept { return counters_; }

private:
    int arrays_ = 1;  // array 0 is x
    int masks_ = 0;
    int gradients_ = 1;
    int more_ = 0;
    bool elsewhere_ = false;
    std::vector<Array> scratch_;
    std::vector<Mask> scratch_masks_;
    std::vector<Point> points_;
    std::vector<Kept> kept_;
    std::vector<KeptMask> kept_masks_;
    std::vector<std::string> counters_;
};

}  // namespace polder
