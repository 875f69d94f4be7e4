// (With REQUIRE throughout: torch has a CHECK of its own.)
#include "containers/every_method.hpp"
#include "support/named_blocks.hpp"

#include <tuple>

#include <torch/types.h>

#include <polder/blocks/torch.hpp>

using namespace polder;
using test::check_every_method;
using test::Named;
using test::named_blocks;

static_assert(parameter_container<TorchTensors<float>>);
static_assert(parameter_container<TorchTensors<double>>);
static_assert(parameter_container<std::tuple<TorchTensors<float>, std::vector<float>>>);

namespace {

template <class T>
at::Tensor zeros(std::vector<std::int64_t> const& sizes) {
    return torch::zeros(sizes, torch::dtype(c10::CppTypeToScalarType<T>::value));
}

TorchTensors<float> one(at::Tensor const& tensor) {
    torch::OrderedDict<std::string, at::Tensor> named;
    named.insert("weight", tensor);
    return TorchTensors<float>(named);
}

}  // namespace

TEST_CASE("tensors are blocks with their names and shapes", "[containers][torch]") {
    torch::OrderedDict<std::string, at::Tensor> named;
    named.insert("layer.weight", zeros<float>({3, 4}));
    named.insert("layer.bias", zeros<float>({3}));
    named.insert("filter", zeros<float>({2, 3, 5, 5}));
    named.insert("scale", zeros<float>({}));
    TorchTensors<float> x(named);
    REQUIRE(named_blocks(x) == Named{{"layer.weight", 12, {3, 4, true}},
                                     {"layer.bias", 3, {3, 1, true}},
                                     {"filter", 150, {2, 75, true}},
                                     {"scale", 1, {1, 1, true}}});

    TorchTensors<double> positions({zeros<double>({2}), zeros<double>({0, 5})});
    REQUIRE(named_blocks(positions) == Named{{"0", 2, {2, 1, true}}, {"1", 0, {0, 5, true}}});
}

TEST_CASE("a copy of tensors has memory of its own, an assignment copies values",
          "[containers][torch]") {
    const at::Tensor tensor = zeros<float>({2, 3}).requires_grad_(true);
    TorchTensors<float> x = one(tensor);
    TorchTensors<float> copy = x;
    test::set_start(copy);
    REQUIRE(tensor.abs().sum().item<float>() == 0);
    REQUIRE(copy["weight"].requires_grad());

    x = copy;
    REQUIRE(torch::equal(tensor, copy["weight"]));
    REQUIRE_FALSE(tensor.is_alias_of(copy["weight"]));
}

TEST_CASE("tensors that polder cannot read are refused by name", "[containers][torch]") {
    const at::Tensor tensor = zeros<float>({2, 3});
    REQUIRE_THROWS_WITH(one(at::Tensor()), "polder: tensor 'weight': it is undefined");
    REQUIRE_THROWS_WITH(one(zeros<double>({2})),
                        "polder: tensor 'weight': its scalars are Double, expected Float");
    REQUIRE_THROWS_WITH(one(tensor.t()), "polder: tensor 'weight': it is not contiguous; make the "
                                         "parameter of tensor.contiguous()");
    REQUIRE_THROWS_WITH(one(tensor.to_sparse()),
                        "polder: tensor 'weight': it is sparse, expected a dense one");
    REQUIRE_THROWS_WITH(one(torch::zeros({2}, torch::device(torch::kMeta))),
                        "polder: tensor 'weight': it is on device meta, expected the CPU");
    REQUIRE_THROWS_WITH(one(tensor)["bias"], "polder: unknown tensor 'bias'; known: 'weight'");
}

TEST_CASE("values that do not fit are not assigned", "[containers][torch]") {
    TorchTensors<float> x({zeros<float>({2, 3}), zeros<float>({2})});
    REQUIRE_THROWS_WITH(x.assign({torch::ones({2, 3})}), "polder: 1 tensors are assigned to 2");
    REQUIRE_THROWS_WITH(x.assign({torch::ones({2, 3}), torch::ones({1})}),
                        "polder: tensor '1': a tensor of other sizes is assigned to it");
    REQUIRE_THROWS_WITH(x.assign({torch::ones({2, 3}), at::Tensor()}),
                        "polder: tensor '1': an undefined tensor is assigned to it");
    REQUIRE(test::flat(x) == std::vector<float>(8));
}

TEST_CASE("gradients are looked up when they are read", "[containers][torch]") {
    at::Tensor tensor = zeros<float>({2}).requires_grad_(true);
    TorchTensors<float> gradient = one(tensor).gradients();
    REQUIRE_THROWS_WITH(
        test::flat(gradient),
        "polder: the gradient of tensor 'weight': there is none; expected a loss that "
        "depends on the tensor, and backward()");
    tensor.mutable_grad() = torch::ones({2});
    REQUIRE(test::flat(gradient) == std::vector<float>{1, 1});
    tensor.mutable_grad() = torch::ones({2}) * 2;
    REQUIRE(test::flat(gradient) == std::vector<float>{2, 2});
}

TEST_CASE("a gradient may come from torch::autograd::grad or from backward()",
          "[containers][torch]") {
    const auto loss_of = [](std::vector<at::Tensor> const& w) {
        return (w[0].sin() * w[1]).sum() + w[1].pow(4).sum();
    };
    TorchTensors<double> x(
        {zeros<double>({3, 2}).requires_grad_(true), zeros<double>({2}).requires_grad_(true)});
    test::set_start(x);
    TorchTensors<double> model = x;
    const auto start = test::flat(x);

    BSAM out_of_place{Adam{}}, in_place{Adam{}};
    auto gradient = model.gradients();
    for (int t = 0; t < 3; ++t) {
        const Report a =
            out_of_place.step(x, [&](TorchTensors<double> const& at, TorchTensors<double>& into) {
                TorchTensors<double> point = at;
                const at::Tensor loss = loss_of(point.tensors());
                loss.backward();
                into = point.gradients();
                return loss.item<double>();
            });
        const Report b = in_place.step_in_place(model, gradient, [&] {
            for (at::Tensor& tensor : model.tensors()) tensor.mutable_grad().reset();
            const at::Tensor loss = loss_of(model.tensors());
            loss.backward();
            return loss.item<double>();
        });
        REQUIRE(a.loss == b.loss);
    }
    REQUIRE(test::same_bits(test::flat(x), test::flat(model)));
    REQUIRE(test::flat(x) != start);
}

TEMPLATE_TEST_CASE("every method on tensors", "[containers][torch]", float, double) {
    using T = TestType;
    TorchTensors<T> x({zeros<T>({3, 4}), zeros<T>({3}), zeros<T>({2, 2, 2})});
    check_every_method(x);
}
