/// Tensors of libtorch as a parameter container. Opt-in: include it where torch's headers are found.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>
#include <torch/ordered_dict.h>

#include <polder/blocks/block.hpp>
#include <polder/blocks/block_shape.hpp>

namespace polder {

/// Dense tensors of T (float or double) in the CPU's memory, each of them a named block: contiguous, transposed, channels last,
/// or with their dimensions in any other order, as long as there are no gaps between elements.
///
///     polder::TorchTensors<float> x(net->named_parameters());
///     auto gradient = x.gradients();
///     optimizer.step_in_place(x, gradient, [&] {
///         net->zero_grad();
///         torch::Tensor loss = ...;
///         loss.backward();
///         return loss.item<double>();
///     });
///
/// A tensor that is listed twice (tied weights) is one block, with the name of the first time.
/// As in PyTorch, a tensor without a gradient is left alone: one that needs none, and one on which the loss does not depend.
/// It refers to the tensors that it is made of, and so do the results of gradients() and tensors().
/// A copy has tensors of its own, and an assignment copies values into the tensors at hand.
///
/// Every function that reads a tensor throws std::invalid_argument with its name where it is undefined,
/// of another scalar type, on another device, sparse, or has gaps or elements that share memory. A gradient whose elements lie
/// in another order than the tensor's is replaced by a copy in that order.
template <std::floating_point T>
class TorchTensors {
public:
    using value_type = T;

    /// Named by their positions: "0", "1", ...
    explicit TorchTensors(std::vector<at::Tensor> const& tensors) {
        for (std::size_t k = 0; k < tensors.size(); ++k) add(std::to_string(k), tensors[k]);
        check_all();
    }

    /// Those of a module: TorchTensors<float>(net->named_parameters()).
    explicit TorchTensors(torch::OrderedDict<std::string, at::Tensor> const& named) {
        for (auto const& item : named) {
            add(item.key(), item.value());
        }
        check_all();
    }

    TorchTensors(TorchTensors const& other) : names_(other.names_) {
        for (std::size_t k = 0; k < other.tensors_.size(); ++k) {
            at::Tensor const tensor = other.checked(k);
            tensors_.push_back(tensor.detach().clone().set_requires_grad(tensor.requires_grad()));
        }
    }
    TorchTensors(TorchTensors&&) noexcept = default;
    TorchTensors& operator=(TorchTensors const& other) {
        if (this != &other) assign(other.tensors());
        return *this;
    }
    ~TorchTensors() = default;

    /// The tensors' grad(), looked up whenever it is read: backward() may make new ones.
    TorchTensors gradients() const {
        TorchTensors gradients;
        gradients.names_ = names_;
        gradients.tensors_ = tensors_;
        gradients.are_gradients_ = true;
        return gradients;
    }

    std::size_t size() const noexcept { return tensors_.size(); }
    std::vector<std::string> const& names() const noexcept { return names_; }

    std::vector<at::Tensor> tensors() const {
        std::vector<at::Tensor> tensors;
        for (std::size_t k = 0; k < tensors_.size(); ++k) tensors.push_back(checked(k));
        return tensors;
    }

    /// The tensor of that name. Throws std::out_of_range that lists the known names.
    at::Tensor operator[](std::string_view name) const {
        for (std::size_t k = 0; k < names_.size(); ++k) {
            if (names_[k] == name) return checked(k);
        }
        std::string message = "polder: unknown tensor '" + std::string(name) + "'; known:";
        for (std::string const& known : names_) message += " '" + known + "'";
        throw std::out_of_range(message);
    }

    /// Copies values, one tensor of equal sizes for each of these, into their memory: for gradients that
    /// come from torch::autograd::grad. Throws std::invalid_argument where they do not fit.
    void assign(std::vector<at::Tensor> const& values) {
        if (values.size() != tensors_.size()) {
            throw std::invalid_argument("polder: " + std::to_string(values.size()) +
                                        " tensors are assigned to " +
                                        std::to_string(tensors_.size()));
        }
        for (std::size_t k = 0; k < values.size(); ++k) {
            if (!values[k].defined()) refuse(k, "an undefined tensor is assigned to it");
            if (values[k].sizes() != checked(k).sizes()) {
                refuse(k, "a tensor of other sizes is assigned to it");
            }
        }
        for (std::size_t k = 0; k < values.size(); ++k) checked(k).detach().copy_(values[k]);
    }

    /// Calls f(name, pointer, size, shape) for each tensor; for a gradient that there is not with a null pointer. Throws
    /// std::invalid_argument where no tensor has a gradient.
    template <class F>
    void visit_blocks(F&& f) {
        if (are_gradients_) require_gradients();
        for (std::size_t k = 0; k < tensors_.size(); ++k) {
            if (are_gradients_ && !tensors_[k].grad().defined()) {
                f(names_[k], static_cast<T*>(nullptr),
                  static_cast<std::size_t>(tensors_[k].numel()), shape_of(tensors_[k]));
                continue;
            }
            at::Tensor const tensor = are_gradients_ ? gradient_in_order(k) : checked(k);
            f(names_[k], tensor.template data_ptr<T>(), static_cast<std::size_t>(tensor.numel()),
              shape_of(tensor));
        }
    }

private:
    TorchTensors() = default;

    // A tensor that is listed again has the name of the first time.
    void add(std::string name, at::Tensor const& tensor) {
        auto const same = [&](at::Tensor const& other) { return other.is_same(tensor); };
        if (std::any_of(tensors_.begin(), tensors_.end(), same)) return;
        names_.push_back(std::move(name));
        tensors_.push_back(tensor);
    }
    void require_gradients() const {
        auto const has_one = [](at::Tensor const& tensor) { return tensor.grad().defined(); };
        if (!tensors_.empty() && std::none_of(tensors_.begin(), tensors_.end(), has_one)) {
            throw std::invalid_argument("polder: no tensor has a gradient; expected a loss that "
                                        "depends on one, and backward()");
        }
    }
    void check_all() const {
        for (std::size_t k = 0; k < tensors_.size(); ++k) checked(k);
    }

    // The tensor as a matrix of its first extent by the others, where its elements lie in such an order.
    static BlockShape shape_of(at::Tensor const& tensor) {
        if (tensor.is_contiguous()) return detail::shape_of_extents(tensor.sizes(), true);
        auto const size = static_cast<std::size_t>(tensor.numel());
        auto const rows = static_cast<std::size_t>(tensor.size(0));
        if (tensor.stride(0) * tensor.size(0) == tensor.numel()) return {rows, size / rows, true};
        if (tensor.stride(0) == 1) return {rows, size / rows, false};
        return {size, 1, true};
    }
    // The gradient, its elements in the order of the tensor's.
    at::Tensor gradient_in_order(std::size_t k) {
        at::Tensor const gradient = checked(k);
        at::Tensor const& tensor = tensors_[k];
        if (gradient.strides() == tensor.strides() ||
            (gradient.is_contiguous() && tensor.is_contiguous()))
            return gradient;
        at::Tensor const copy =
            at::empty_strided(tensor.sizes(), tensor.strides(), gradient.options());
        copy.copy_(gradient.detach());
        tensors_[k].mutable_grad() = copy;
        return copy;
    }

    at::Tensor checked(std::size_t k) const {
        at::Tensor const& parameter = tensors_[k];
        if (!are_gradients_) {
            check(k, parameter);
            return parameter;
        }
        at::Tensor const& gradient = parameter.grad();
        if (!gradient.defined()) {
            refuse(k, "there is none; expected a loss that depends on the tensor, and backward()");
        }
        check(k, gradient);
        if (gradient.sizes() != parameter.sizes())
            refuse(k, "its sizes are not those of the tensor");
        return gradient;
    }

    void check(std::size_t k, at::Tensor const& tensor) const {
        constexpr at::ScalarType scalar = c10::CppTypeToScalarType<T>::value;
        if (!tensor.defined()) refuse(k, "it is undefined");
        if (!tensor.device().is_cpu()) {
            refuse(k, "it is on device " + tensor.device().str() + ", expected the CPU");
        }
        if (tensor.layout() != at::kStrided) refuse(k, "it is sparse, expected a dense one");
        if (tensor.scalar_type() != scalar) {
            refuse(k, std::string("its scalars are ") + c10::toString(tensor.scalar_type()) +
                          ", expected " + c10::toString(scalar));
        }
        if (!are_gradients_ && !tensor.is_non_overlapping_and_dense()) {
            refuse(k, "there are gaps between its elements, or elements share memory; make the "
                      "parameter of tensor.contiguous()");
        }
    }

    [[noreturn]] void refuse(std::size_t k, std::string const& why) const {
        throw std::invalid_argument(
            (are_gradients_ ? "polder: the gradient of tensor '" : "polder: tensor '") + names_[k] +
            "': " + why);
    }

    std::vector<std::string> names_;
    std::vector<at::Tensor> tensors_;
    bool are_gradients_ = false;
};

}  // namespace polder
