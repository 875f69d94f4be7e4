// A network of libtorch, trained with BSAM+ and, from the same start, with torch::optim::Adam.
//
// Two moons lie in each other's arms. One label in five of the points that the networks learn from is
// wrong, and a network that is left to itself learns the mistakes by heart.
#include <cstdint>
#include <cstdio>
#include <numbers>

#include <torch/torch.h>

#include <polder/blocks/torch.hpp>
#include <polder/polder.hpp>

struct Points {
    torch::Tensor x;      // (count, 2)
    torch::Tensor label;  // (count): 0 or 1
};

Points moons(std::int64_t count, double wrong) {
    const torch::Tensor label = torch::randint(2, {count}).to(torch::kFloat);
    const torch::Tensor angle = std::numbers::pi * torch::rand({count});
    const torch::Tensor side = 1 - 2 * label;
    const torch::Tensor x =
        torch::stack({label + side * angle.cos(), 0.5 * label + side * angle.sin()}, 1);
    const torch::Tensor mistake = torch::rand({count}) < wrong;
    return {x + 0.15 * torch::randn({count, 2}), torch::where(mistake, 1 - label, label)};
}

torch::nn::Sequential network() {
    torch::manual_seed(2);  // the same start for both
    return torch::nn::Sequential(torch::nn::Linear(2, 64), torch::nn::Tanh(),
                                 torch::nn::Linear(64, 64), torch::nn::Tanh(),
                                 torch::nn::Linear(64, 1));
}

torch::Tensor loss(torch::nn::Sequential& net, Points const& batch) {
    return torch::binary_cross_entropy_with_logits(net->forward(batch.x).squeeze(1), batch.label);
}

double accuracy(torch::nn::Sequential& net, Points const& points) {
    const torch::NoGradGuard no_gradients;
    const torch::Tensor taken_for_one = net->forward(points.x).squeeze(1) > 0;
    return (taken_for_one == (points.label > 0.5)).to(torch::kFloat).mean().item<double>();
}

int main() {
    torch::manual_seed(1);
    torch::set_num_threads(1);
    const Points seen = moons(300, 0.2), unseen = moons(4000, 0.0);
    constexpr std::int64_t size = 50;
    auto const batch = [&](int step) {
        const std::int64_t first = step * size % seen.x.size(0);
        return Points{seen.x.narrow(0, first, size), seen.label.narrow(0, first, size)};
    };

    torch::nn::Sequential flat = network(), plain = network();
    polder::TorchTensors<float> parameters(flat->named_parameters());
    auto gradient = parameters.gradients();
    polder::BSAMPlus bsam_plus{polder::Adam{.learning_rate = 0.01}, {.rho = 0.4}, polder::Cosine{}};
    torch::optim::Adam adam(plain->parameters(), 0.01);

    std::printf("before training: %.1f %% of the unseen points are right\n",
                100 * accuracy(flat, unseen));
    for (int step = 1; step <= 1500; ++step) {
        bsam_plus.step_in_place(parameters, gradient, [&](polder::Pass pass) {
            flat->zero_grad();
            const torch::Tensor l =
                loss(flat, batch(pass.batch == polder::Batch::first ? step : step + 1));
            l.backward();
            return l.item<double>();
        });

        plain->zero_grad();
        loss(plain, batch(step)).backward();
        adam.step();

        if (step % 300 == 0) {
            std::printf("step %4d: %.1f %% with BSAM+, %.1f %% with Adam\n", step,
                        100 * accuracy(flat, unseen), 100 * accuracy(plain, unseen));
        }
    }
    const double reached = accuracy(flat, unseen);
    return reached > 0.95 && reached > accuracy(plain, unseen) ? 0 : 1;
}
