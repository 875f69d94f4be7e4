// (With REQUIRE throughout: torch has a CHECK of its own.)
#include "support/catch.hpp"

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include <polder/polder.hpp>
#include <polder/torch_optimizer.hpp>

using namespace polder;

namespace {

struct NetImpl : torch::nn::Module {
    torch::nn::Linear first{4, 6}, second{6, 2};
    torch::nn::BatchNorm1d norm{6};
    torch::nn::Dropout dropout{0.4};
    bool special;

    explicit NetImpl(bool with_norm_and_dropout) : special(with_norm_and_dropout) {
        register_module("first", first);
        register_module("second", second);
        if (special) {
            register_module("norm", norm);
            register_module("dropout", dropout);
        }
    }
    torch::Tensor forward(torch::Tensor const& x) {
        auto hidden = first->forward(x).tanh();
        if (special) hidden = dropout->forward(norm->forward(hidden));
        return second->forward(hidden);
    }
};
TORCH_MODULE(Net);

Net seeded_net(bool with_norm_and_dropout = false) {
    torch::manual_seed(4);
    return Net(with_norm_and_dropout);
}
torch::Tensor points() { return torch::arange(32, torch::kFloat).sin().reshape({8, 4}); }
torch::Tensor loss_of(Net& net) { return net->forward(points()).pow(4).mean(); }

template <class O>
std::function<torch::Tensor()> closure(O& optimizer, Net& net) {
    return [&] {
        optimizer.zero_grad();
        auto loss = loss_of(net);
        loss.backward();
        return loss;
    };
}
torch::Tensor flat(Net const& net) {
    std::vector<torch::Tensor> all;
    for (auto const& parameter : net->parameters()) all.push_back(parameter.detach().reshape(-1));
    return torch::cat(all).clone();
}
const SAM sam{Adam{.learning_rate = 0.01}, {.rho = 0.1}};

}  // namespace

TEST_CASE("TorchOptimizer over a plain base is torch's", "[adapters][torch]") {
    Net ours = seeded_net(), theirs = seeded_net();
    TorchOptimizer a(ours->named_parameters(), Plain{Adam{.learning_rate = 0.01}});
    torch::optim::Adam b(theirs->parameters(), 0.01);
    torch::optim::StepLR scheduler_a(a, 4, 0.3), scheduler_b(b, 4, 0.3);
    for (int t = 0; t < 12; ++t) {
        a.step(closure(a, ours));
        b.step(closure(b, theirs));
        REQUIRE(a.method().learning_rate() == a.param_groups()[0].options().get_lr());
        REQUIRE(a.method().learning_rate() == b.param_groups()[0].options().get_lr());
        scheduler_a.step();
        scheduler_b.step();
    }
    REQUIRE(a.method().learning_rate() < 0.002);
    REQUIRE(torch::allclose(flat(ours), flat(theirs), 1e-4, 1e-6));
}

TEST_CASE("TorchOptimizer steps as the optimizer by itself", "[adapters][torch]") {
    Net ours = seeded_net(), other = seeded_net();
    TorchOptimizer a(ours->named_parameters(), sam);
    torch::optim::Optimizer& as_base = a;
    TorchTensors<float> x(other->named_parameters());
    auto gradient = x.gradients();
    auto b = sam;
    for (int t = 0; t < 5; ++t) {
        auto const loss = as_base.step(closure(a, ours)).item<double>();
        const Report report = b.step_in_place(x, gradient, [&] {
            other->zero_grad();
            auto of = loss_of(other);
            of.backward();
            return of.item<double>();
        });
        REQUIRE(loss == report.loss);
        REQUIRE(a.report().perturbed_loss == report.perturbed_loss);
        REQUIRE(report.sharpness() > 0);
    }
    REQUIRE(torch::equal(flat(ours), flat(other)));

    TorchOptimizer in_double(std::vector{torch::ones({2}, torch::kDouble).requires_grad_(true)},
                             sam);
    in_double.step([&] {
        in_double.zero_grad();
        auto of = in_double.parameters()[0].pow(2).sum();
        of.backward();
        return of;
    });
    REQUIRE(in_double.parameters()[0][0].item<double>() < 1);
}

TEST_CASE("a method with two batches asks for a closure that takes a pass", "[adapters][torch]") {
    Net net = seeded_net();
    TorchOptimizer optimizer(net->named_parameters(), BSAMPlus{Adam{}});
    REQUIRE_THROWS_WITH(optimizer.step(closure(optimizer, net)),
                        ContainsSubstring("this method uses two batches"));
    TorchOptimizer one(net->named_parameters(), sam);
    torch::optim::Optimizer& base = one;
    REQUIRE_THROWS_WITH(base.step(), ContainsSubstring("expects a closure"));
    int second = 0;
    optimizer.step([&](Pass pass) {
        second += pass.batch == Batch::second;
        return closure(optimizer, net)();
    });
    REQUIRE(second == 1);
}

TEST_CASE("torch::save and torch::load keep the state", "[adapters][torch]") {
    Net net = seeded_net(), other = seeded_net();
    TorchOptimizer a(net->named_parameters(), BSAM{Adam{.learning_rate = 0.01}, {.rho = 0.1}});
    TorchOptimizer b(other->named_parameters(), BSAM{Adam{.learning_rate = 0.5}, {.rho = 0.1}});
    for (int t = 0; t < 4; ++t) a.step(closure(a, net));
    std::stringstream state, parameters;
    torch::save(a, state);
    torch::save(net, parameters);
    const std::string bytes = state.str();
    torch::load(b, state);
    torch::load(other, parameters);
    REQUIRE(b.param_groups()[0].options().get_lr() == 0.01);
    for (int t = 0; t < 4; ++t) {
        a.step(closure(a, net));
        b.step(closure(b, other));
    }
    REQUIRE(torch::equal(flat(net), flat(other)));
    REQUIRE(b.method().steps() == 8);

    TorchOptimizer of_other_method(other->named_parameters(), sam);
    std::istringstream again(bytes);
    REQUIRE_THROWS_WITH(torch::load(of_other_method, again),
                        ContainsSubstring("it is of Sharpness<"));
    TorchOptimizer of_other_network(other->first->named_parameters(), BSAM{Adam{}});
    std::istringstream once_more(bytes);
    REQUIRE_THROWS_WITH(torch::load(of_other_network, once_more),
                        ContainsSubstring("its parameters are first.weight, first.bias"));
    std::stringstream of_torch;
    torch::save(torch::optim::Adam(net->parameters(), 0.1), of_torch);
    REQUIRE_THROWS_WITH(torch::load(b, of_torch),
                        ContainsSubstring("not of a polder::TorchOptimizer"));
}

TEST_CASE("parameters may be added at any time", "[adapters][torch]") {
    // Two losses of parameters a and b, which do not depend on each other: Adam steps b as if it were alone.
    auto const one = [] { return torch::ones({3}).requires_grad_(true); };
    auto const step = [](auto& optimizer, std::vector<torch::Tensor> const& of) {
        optimizer.step([&] {
            optimizer.zero_grad();
            torch::Tensor loss = torch::zeros({});
            for (auto const& each : of) loss = loss + each.pow(4).sum();
            loss.backward();
            return loss;
        });
    };
    const Plain adam{Adam{.learning_rate = 0.01}};
    auto const a = one(), alone = one(), b = one(), b_alone = one(), c = one();
    TorchOptimizer both(std::vector{a}, adam), only_a(std::vector{alone}, adam),
        only_b(std::vector{b_alone}, Plain{Adam{.learning_rate = 0.002}});
    for (int t = 0; t < 3; ++t) {
        step(both, {a});
        step(only_a, {alone});
    }
    both.add_param_group(
        torch::optim::OptimizerParamGroup({b}, std::make_unique<TorchOptimizerOptions>(0.002)));
    both.add_parameters({c});
    REQUIRE(both.param_groups().size() == 2);
    for (int t = 0; t < 3; ++t) {
        step(both, {a, b, c});
        step(only_a, {alone});
        step(only_b, {b_alone});
    }
    REQUIRE(torch::equal(a, alone));
    REQUIRE(torch::equal(b, b_alone));
    REQUIRE((c < 1).all().item<bool>());
    REQUIRE(both.method().steps() == 6);
    both.param_groups()[1].options().set_lr(0);
    auto const before = b.detach().clone();
    step(both, {a, b, c});
    REQUIRE(torch::equal(b, before));
}

TEST_CASE("the guard keeps running statistics and dropout masks", "[adapters][torch]") {
    auto const statistics = [](Net const& net) {
        std::vector<torch::Tensor> all;
        for (auto const& buffer : net->buffers())
            all.push_back(buffer.to(torch::kFloat).reshape(-1));
        return torch::cat(all).clone();
    };
    // One evaluation by hand, at the same random numbers.
    Net net = seeded_net(true), by_hand = seeded_net(true);
    torch::manual_seed(9);
    loss_of(by_hand);
    auto const expected = statistics(by_hand);
    auto const next_number = torch::rand({1});

    torch::manual_seed(9);
    TorchOptimizer optimizer(net->named_parameters(),
                             BSAMPlus{SGD{.learning_rate = 0.1}, {.rho = 0.0}});
    optimizer.set_guard(torch_guard(*net));
    std::vector<double> losses;
    optimizer.step([&](Pass pass) {
        if (pass.batch == Batch::second) torch::rand({3});
        auto const loss = closure(optimizer, net)();
        losses.push_back(loss.item<double>());
        return loss;
    });
    REQUIRE(losses.size() == 3);
    REQUIRE(losses[0] == losses[1]);  // rho is 0: only masks could differ
    REQUIRE(losses[0] != losses[2]);
    REQUIRE(torch::equal(statistics(net), expected));

    // Without second batch the random numbers after a step are those after one evaluation.
    Net other = seeded_net(true);
    torch::manual_seed(9);
    TorchOptimizer single(other->named_parameters(), sam);
    single.set_guard(torch_guard(*other));
    single.step(closure(single, other));
    REQUIRE(torch::equal(torch::rand({1}), next_number));
    REQUIRE(torch::equal(statistics(other), expected));
    // Each step draws masks of its own.
    const double first = single.report().loss;
    single.param_groups()[0].options().set_lr(0);
    single.step(closure(single, other));
    const double second = single.report().loss;
    single.step(closure(single, other));
    REQUIRE(second != single.report().loss);
    REQUIRE(first != second);

    // What it is for: without it there are two.
    Net unguarded = seeded_net(true);
    torch::manual_seed(9);
    TorchOptimizer without(unguarded->named_parameters(), sam);
    without.step(closure(without, unguarded));
    REQUIRE_FALSE(torch::equal(statistics(unguarded), expected));
}

TEST_CASE("a method that only evaluates at perturbed points moves the running statistics",
          "[adapters][torch]") {
    Net net = seeded_net(true);
    TorchOptimizer optimizer(net->named_parameters(), MomentumSAM{Adam{}});
    optimizer.set_guard(torch_guard(*net));
    for (int t = 0; t < 3; ++t) optimizer.step(closure(optimizer, net));
    REQUIRE(net->norm->num_batches_tracked.item<std::int64_t>() == 3);
}
