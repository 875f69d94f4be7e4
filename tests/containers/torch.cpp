// (With REQUIRE throughout: torch has a CHECK of its own.)
#include "containers/every_method.hpp"
#include "support/named_blocks.hpp"

#include <cmath>
#include <tuple>

#include <torch/autograd.h>
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
    const std::string gaps = "polder: tensor 'weight': there are gaps between its elements, or "
                             "elements share memory; make "
                             "the parameter of tensor.contiguous()";
    REQUIRE_THROWS_WITH(one(tensor.narrow(1, 0, 2)), gaps);
    REQUIRE_THROWS_WITH(one(zeros<float>({1}).expand({3})), gaps);
    REQUIRE_THROWS_WITH(one(tensor.to_sparse()),
                        "polder: tensor 'weight': it is sparse, expected a dense one");
    REQUIRE_THROWS_WITH(one(torch::zeros({2}, torch::device(torch::kMeta))),
                        "polder: tensor 'weight': it is on device meta, expected the CPU");
    REQUIRE_THROWS_WITH(one(tensor)["bias"], "polder: unknown tensor 'bias'; known: 'weight'");
}

TEST_CASE("dense tensors are blocks in the order of their memory", "[containers][torch]") {
    REQUIRE([] {
        TorchTensors<float> x({zeros<float>({2, 3}).t(),
                               zeros<float>({4, 2, 3, 3}).to(torch::MemoryFormat::ChannelsLast),
                               zeros<float>({2, 3, 4}).permute({1, 0, 2})});
        return named_blocks(x);
    }() == Named{{"0", 6, {3, 2, false}}, {"1", 72, {4, 18, true}}, {"2", 24, {24, 1, true}}});
}

TEST_CASE("transposed and channels-last tensors are stepped as contiguous ones",
          "[containers][torch]") {
    auto const image = torch::arange(2 * 3 * 4 * 4, torch::kDouble).sin().reshape({2, 3, 4, 4});
    auto const trained = [&](bool dense, bool ordered) {
        auto weight = torch::arange(24, torch::kDouble).cos().reshape({4, 6});
        auto filter = torch::arange(2 * 3 * 2 * 2, torch::kDouble).sin().reshape({2, 3, 2, 2});
        if (dense) {
            weight = weight.t().contiguous().t();
            filter = filter.to(torch::MemoryFormat::ChannelsLast);
        }
        weight = weight.detach().requires_grad_(true);
        filter = filter.detach().requires_grad_(true);
        TorchTensors<double> x({weight, filter});
        auto gradient = x.gradients();
        BSAM optimizer{Adam{.learning_rate = 0.01}, {.rho = 0.1}};
        for (int t = 0; t < 5; ++t) {
            optimizer.step_in_place(x, gradient, [&] {
                auto const loss = torch::conv2d(image, filter).pow(2).mean() +
                                  weight.matmul(weight.t()).sin().mean();
                auto const g = torch::autograd::grad({loss}, {weight, filter});
                weight.mutable_grad() = ordered ? g[0].contiguous() : g[0];
                filter.mutable_grad() = ordered ? g[1].contiguous() : g[1];
                return loss.item<double>();
            });
        }
        REQUIRE(weight.is_contiguous() != dense);
        return torch::cat({weight.detach().reshape(-1), filter.detach().reshape(-1)});
    };
    auto const expected = trained(false, false);
    REQUIRE(torch::allclose(trained(true, false), expected, 1e-10, 1e-12));
    REQUIRE(torch::allclose(trained(true, true), expected, 1e-10, 1e-12));
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
        "polder: no tensor has a gradient; expected a loss that depends on one, and backward()");
    tensor.mutable_grad() = torch::ones({2});
    REQUIRE(test::flat(gradient) == std::vector<float>{1, 1});
    tensor.mutable_grad() = torch::ones({2}) * 2;
    REQUIRE(test::flat(gradient) == std::vector<float>{2, 2});
}

TEST_CASE("a gradient may come from torch::autograd::grad or from backward()",
          "[containers][torch]") {
    auto const loss_of = [](std::vector<at::Tensor> const& w) {
        return (w[0].sin() * w[1]).sum() + w[1].pow(4).sum();
    };
    TorchTensors<double> x(
        {zeros<double>({3, 2}).requires_grad_(true), zeros<double>({2}).requires_grad_(true)});
    test::set_start(x);
    TorchTensors<double> model = x;
    auto const start = test::flat(x);

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

namespace {

// Parameters a and b, with a loss that depends on a, and on b from step `from` on.
struct Two {
    at::Tensor a = torch::ones({2}, torch::kDouble).requires_grad_(true);
    at::Tensor b = torch::ones({3}, torch::kDouble).requires_grad_(true);
    int step = 0, from = 0;

    TorchTensors<double> tensors() const {
        torch::OrderedDict<std::string, at::Tensor> named;
        named.insert("a", a);
        named.insert("b", b);
        return TorchTensors<double>(named);
    }
    double backward() const {
        a.mutable_grad() = b.mutable_grad() = at::Tensor();
        auto loss = a.pow(2).sum();
        if (step >= from) loss = loss + b.pow(2).sum();
        loss.backward();
        return loss.item<double>();
    }
};

}  // namespace

TEST_CASE("tensors without a gradient are left alone, and their steps begin when they have one",
          "[containers][torch]") {
    auto const check = [](auto optimizer) {
        Two net;
        net.from = 20;
        auto x = net.tensors();
        auto gradient = x.gradients();
        for (; net.step < 20; ++net.step) {
            optimizer.step_in_place(x, gradient, [&](Pass) { return net.backward(); });
            REQUIRE((net.b.detach() == 1).all().item<bool>());
        }
        REQUIRE((net.a.detach() < 1).all().item<bool>());
        optimizer.step_in_place(x, gradient, [&](Pass) { return net.backward(); });
        // Adam's first step in b: one learning rate.
        const double moved = 1 - net.b[0].template item<double>();
        REQUIRE(std::abs(moved - 0.01) < 1e-6);
    };
    check(Plain{Adam{.learning_rate = 0.01}});
    check(SAM{Adam{.learning_rate = 0.01}});
    check(GSAM{Adam{.learning_rate = 0.01}});
    check(BSAMPlus{Adam{.learning_rate = 0.01}});
    check(MomentumSAM{Adam{.learning_rate = 0.01}});
}

TEST_CASE("a tensor that needs no gradient is left alone, also in a frozen group",
          "[containers][torch]") {
    for (bool grouped : {false, true}) {
        Two net;
        net.b.set_requires_grad(false);
        auto x = net.tensors();
        auto gradient = x.gradients();
        SAM optimizer{Adam{.learning_rate = 0.01}};
        if (grouped) optimizer.set_groups({{.name = "rest", .blocks = {"b"}, .frozen = true}});
        for (int t = 0; t < 3; ++t)
            optimizer.step_in_place(x, gradient, [&] { return net.backward(); });
        REQUIRE((net.b == 1).all().item<bool>());
        REQUIRE((net.a.detach() < 1).all().item<bool>());
    }
}

TEST_CASE("a gradient that goes missing within a step is an error, and x is put back",
          "[containers][torch]") {
    Two net;
    auto x = net.tensors();
    auto gradient = x.gradients();
    SAM optimizer{Adam{}};
    int call = 0;
    REQUIRE_THROWS_WITH(optimizer.step_in_place(x, gradient,
                                                [&] {
                                                    net.from = call++;
                                                    return net.backward();
                                                }),
                        "polder: block 'b' had a gradient at the first evaluation of the step and "
                        "has none now");
    REQUIRE((net.b.detach() == 1).all().item<bool>());
    REQUIRE((net.a.detach() == 1).all().item<bool>());
}

TEST_CASE("a tensor that is listed twice is one block and is stepped once", "[containers][torch]") {
    at::Tensor tied = torch::ones({2}, torch::kDouble).requires_grad_(true);
    TorchTensors<double> x({tied, tied});
    REQUIRE(named_blocks(x) == Named{{"0", 2, {2, 1, true}}});
    auto gradient = x.gradients();
    Plain optimizer{SGD{.learning_rate = 0.1}};
    optimizer.step_in_place(x, gradient, [&] {
        tied.mutable_grad() = torch::ones({2}, torch::kDouble);
        return 1.0;
    });
    REQUIRE(std::abs(tied[0].item<double>() - 0.9) < 1e-15);
    // Other tensors in the same memory have gradients of their own.
    at::Tensor other = tied.detach();
    TorchTensors<double> shared({tied, other});
    Plain fresh{SGD{}};
    REQUIRE_THROWS_WITH(fresh.bind(shared), ContainsSubstring("share memory"));
}
