/// Reverse-mode differentiation of functions of matrices.
///
///     Tape<EigenBackend<float>> tape;
///     auto x = tape.parameter(parameters["x"], gradient["x"]);   // (n, d)
///     auto loss = 0.5f * frobenius_norm(gather(x, batch));
///     tape.backward(loss);                                       // overwrites gradient["x"]
///     tape.reset();                                              // the next step reuses all memory
///
/// An operation (operations.hpp) computes its value at once and leaves on the tape how its gradient
/// becomes those of its operands; `backward` runs these notes in reverse. Matrices, sparse matrices
/// and loops over them belong to the back end, so that operations and models are written once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/tape/rows.hpp"

namespace polder::recsys {

template <class Backend>
class Tape;

/// A matrix on a tape: a handle, valid until the tape is reset. A vector has one column, a scalar is
/// (1 x 1).
///
/// Only the rows `present()` were computed; the others have unspecified values and gradient 0.
template <class Backend>
class Value {
public:
    using Scalar = typename Backend::Scalar;

    Value(Tape<Backend>& tape, std::size_t node) : tape_(&tape), node_(node) {}

    Tape<Backend>& tape() const { return *tape_; }
    std::size_t rows() const { return value().rows; }
    std::size_t cols() const { return value().cols; }
    Rows present() const { return tape_->node(*this).present; }

    /// False for constants and what is made of them alone: nobody reads their gradient.
    bool is_variable() const { return tape_->node(*this).is_variable; }

    MatrixView<Scalar const> value() const { return tape_->node(*this).value; }

    /// The only entry of a (1 x 1) value.
    Scalar scalar() const { return tape_->backend().read(value()); }

    /// The same as a loss: on a device it stays there, for as long as this value is valid.
    typename Backend::Loss loss() const { return tape_->backend().loss(value()); }

    /// For the operation that makes this value.
    MatrixView<Scalar> result() const {
        auto& node = tape_->node(*this);
        return {node.value_memory.data(), node.value.rows, node.value.cols};
    }

    /// dL/dvalue, in the rows present or in those of `rows` only.
    MatrixView<Scalar const> gradient() const { return gradient(present()); }
    MatrixView<Scalar const> gradient(Rows rows) const {
        auto const sum = gradient_sum(rows);
        return {sum.data, sum.rows, sum.cols};
    }

    /// The same for an operation that adds its part to the gradient of an operand.
    MatrixView<Scalar> gradient_sum() const { return gradient_sum(present()); }
    MatrixView<Scalar> gradient_sum(Rows rows) const {
        tape_->prepare_gradient(*this, rows);
        return tape_->node(*this).gradient;
    }

    /// The rows whose gradient is not known to be 0.
    Rows gradient_rows() const { return tape_->node(*this).held; }

    /// A gradient that an operation is about to write in all rows present: it adds to the rows
    /// `held` and overwrites the others.
    struct Target {
        MatrixView<Scalar> gradient;
        Rows held;
    };
    Target gradient_target() const { return tape_->gradient_target(*this); }

    /// The values that `keep` was given.
    std::span<Value const> operands() const { return tape_->node(*this).operands; }

    std::size_t index() const { return node_; }

private:
    Tape<Backend>* tape_;
    std::size_t node_;
};

/// The operations of one evaluation, in order.
template <class Backend>
class Tape {
public:
    using Scalar = typename Backend::Scalar;
    using Value = recsys::Value<Backend>;

    explicit Tape(Backend backend = Backend()) : backend_(std::move(backend)) {}
    Tape(Tape const&) = delete;
    Tape& operator=(Tape const&) = delete;

    Backend& backend() { return backend_; }

    /// Forgets all values and keeps their memory for the next ones.
    void reset() {
        used_ = 0;
        backend_.begin_evaluation();
    }

    /// A matrix to differentiate by. `backward` overwrites `gradient`, which has the same shape.
    Value parameter(MatrixView<Scalar const> value, MatrixView<Scalar> gradient) {
        if (gradient.rows != value.rows || gradient.cols != value.cols)
            throw std::invalid_argument("tape: a parameter and its gradient differ in shape");
        Node& node = next_node();
        node.value = value;
        node.gradient = gradient;
        node.is_parameter = node.is_variable = true;
        return Value(*this, used_ - 1);
    }

    /// A matrix that stays as it is: nobody reads its gradient.
    Value constant(MatrixView<Scalar const> value) {
        next_node().value = value;
        return Value(*this, used_ - 1);
    }

    /// The same of a matrix on the host, which has view() and mirror.
    template <class Matrix>
    requires requires(Matrix const& matrix) {
        matrix.view();
        matrix.mirror;
    }
    Value constant(Matrix const& matrix) {
        return constant(backend_.resident(matrix.view(), matrix.mirror));
    }

    /// Room for the result of an operation on `operands`, in which only the rows `present` will be
    /// computed.
    Value make(std::span<Value const> operands, std::size_t rows, std::size_t cols,
               Rows present = Rows::all()) {
        bool is_variable = false;
        for (const Value x : operands) is_variable = is_variable || x.is_variable();
        Node& node = next_node();
        node.is_variable = is_variable;
        node.value = {node.value_memory.reserve(rows * cols), rows, cols};
        node.present = present;
        return Value(*this, used_ - 1);
    }
    Value make(std::initializer_list<Value> operands, std::size_t rows, std::size_t cols,
               Rows present = Rows::all()) {
        return make(std::span(operands.begin(), operands.size()), rows, cols, present);
    }

    /// Room for what an operation keeps for `backward`.
    Value scratch(std::size_t rows, std::size_t cols) {
        return make(std::span<Value const>(), rows, cols);
    }

    /// Notes how the gradient of `result` enters those of its operands. `step()` runs only if
    /// `result` has a gradient, and adds to the operands that are variable.
    template <class Step>
    Value on_backward(Value result, Step step) {
        if (result.is_variable()) node(result).backward = Closure(step);
        return result;
    }

    /// Keeps a list of operands with the result that they make.
    void keep(Value result, std::span<Value const> operands) {
        node(result).operands.assign(operands.begin(), operands.end());
    }

    /// The gradient of `loss`, a scalar, by every parameter on the tape.
    void backward(Value loss) {
        backend_.fill(loss.gradient_sum(), Rows::all(), Scalar(1));
        for (std::size_t k = loss.index() + 1; k-- > 0;)
            if (nodes_[k].backward && !nodes_[k].held.is_none()) nodes_[k].backward();
        for (std::size_t k = 0; k < used_; ++k)
            if (nodes_[k].is_parameter) prepare_gradient(Value(*this, k), Rows::all());
    }

private:
    friend Value;

    // A function object with few and trivial captures, in place: std::function would allocate.
    class Closure {
    public:
        Closure() = default;

        template <class Step>
        explicit Closure(Step step) : call_([](void* at) { (*static_cast<Step*>(at))(); }) {
            static_assert(std::is_trivially_copyable_v<Step> && sizeof(Step) <= sizeof memory_,
                          "a note on the tape captures handles, views and numbers only");
            ::new (static_cast<void*>(memory_)) Step(step);
        }

        explicit operator bool() const { return call_ != nullptr; }
        void operator()() { call_(memory_); }

    private:
        alignas(std::max_align_t) std::byte memory_[128];
        void (*call_)(void*) = nullptr;
    };

    struct Node {
        typename Backend::Buffer value_memory, gradient_memory;
        MatrixView<Scalar const> value;
        MatrixView<Scalar> gradient;
        Rows present = Rows::all();
        Rows held = Rows::none();  // rows of the gradient that hold a number
        bool is_parameter = false, is_variable = false;
        std::vector<Value> operands;
        Closure backward;
    };

    Node& node(Value value) { return nodes_[value.index()]; }

    Node& next_node() {
        if (used_ == nodes_.size()) nodes_.emplace_back();
        Node& node = nodes_[used_++];
        node.gradient = {};
        node.present = Rows::all();
        node.held = Rows::none();
        node.is_parameter = node.is_variable = false;
        node.operands.clear();
        node.backward = Closure();
        return node;
    }

    // Writes zeros into those of `rows` that hold nothing yet.
    void prepare_gradient(Value value, Rows rows) {
        Node& n = node(value);
        if (n.held == rows || n.held.is_all()) return;
        reserve_gradient(n);
        if (n.held.is_none()) {
            backend_.fill(n.gradient, rows, Scalar(0));
            n.held = rows;
        } else {
            backend_.fill_except(n.gradient, n.held, Scalar(0));
            n.held = Rows::all();
        }
    }

    typename Value::Target gradient_target(Value value) {
        Node& n = node(value);
        reserve_gradient(n);
        return {n.gradient, std::exchange(n.held, n.present)};
    }

    void reserve_gradient(Node& n) {
        if (n.gradient.data == nullptr)
            n.gradient = {n.gradient_memory.reserve(n.value.size()), n.value.rows, n.value.cols};
    }

    Backend backend_;
    std::vector<Node> nodes_;
    std::size_t used_ = 0;
};

}  // namespace polder::recsys
