// A small convolutional network of libtorch reads hand-written digits, and a quarter of the digits that it learns from have a
// wrong label. It is trained by torch::optim::Adam and, from the same start, by SAM over Adam. One line differs,
// and the guard.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <random>
#include <utility>

#include <torch/torch.h>

#include <polder/polder.hpp>
#include <polder/torch_optimizer.hpp>

#include "digits_images.hpp"

struct Digits {
    torch::Tensor pixels;  // (count, 1, 8, 8)
    torch::Tensor labels;  // (count)
};

// A share `wrong` of the labels is drawn anew.
Digits digits(int count, unsigned seed, double wrong) {
    Images images = draw_digits(count, seed);
    std::mt19937 random(seed + 1);
    std::bernoulli_distribution mistake(wrong);
    std::uniform_int_distribution<int> other(1, classes - 1);
    Digits result{torch::empty({count, 1, side, side}), torch::empty({count}, torch::kLong)};
    for (int k = 0; k < count; ++k) {
        for (int pixel = 0; pixel < side * side; ++pixel)
            result.pixels[k][0][pixel / side][pixel % side] = images.pixels(pixel, k);
        const int label = images.labels[static_cast<std::size_t>(k)];
        result.labels[k] = mistake(random) ? (label + other(random)) % classes : label;
    }
    return result;
}

torch::nn::Sequential network() {
    using namespace torch::nn;
    torch::manual_seed(2);  // the same start for both
    return Sequential(Conv2d(Conv2dOptions(1, 16, 3).padding(1)), BatchNorm2d(16), ReLU(),
                      Conv2d(Conv2dOptions(16, 32, 3).stride(2).padding(1)), ReLU(), Flatten(),
                      Dropout(0.2), Linear(32 * 16, 64), ReLU(), Linear(64, classes));
}

double accuracy(torch::nn::Sequential& net, Digits const& of) {
    const torch::NoGradGuard no_gradients;
    net->eval();
    auto const right = net->forward(of.pixels).argmax(1) == of.labels;
    net->train();
    return right.to(torch::kFloat).mean().item<double>();
}

template <class Optimizer>
double train(torch::nn::Sequential& net, Optimizer& optimizer, Digits const& seen,
             Digits const& unseen) {
    torch::optim::StepLR scheduler(optimizer, 8, 0.3);
    const std::int64_t count = seen.labels.size(0), size = 50;
    for (int epoch = 0; epoch < 20; ++epoch) {
        auto const order = torch::randperm(count);
        for (std::int64_t at = 0; at + size <= count; at += size) {
            auto const batch = order.narrow(0, at, size);
            auto const pixels = seen.pixels.index_select(0, batch);
            auto const labels = seen.labels.index_select(0, batch);
            optimizer.step([&] {
                optimizer.zero_grad();
                auto loss = torch::cross_entropy_loss(net->forward(pixels), labels);
                loss.backward();
                return loss;
            });
        }
        scheduler.step();
    }
    return accuracy(net, unseen);
}

int main() {
    torch::set_num_threads(1);
    const Digits seen = digits(1000, 1, 0.25), unseen = digits(2000, 7, 0);

    torch::nn::Sequential plain = network();
    torch::optim::Adam adam(plain->parameters(), 3e-3);
    const double with_adam = train(plain, adam, seen, unseen);
    std::printf("torch::optim::Adam: %.1f %% of the unseen digits are read\n", 100 * with_adam);

    torch::nn::Sequential flat = network();
    polder::TorchOptimizer sam(flat->named_parameters(),
                               polder::SAM{polder::Adam{.learning_rate = 3e-3}, {.rho = 0.3}});
    sam.set_guard(polder::torch_guard(*flat));
    const double with_sam = train(flat, sam, seen, unseen);
    std::printf("SAM over Adam:      %.1f %%\n", 100 * with_sam);
    return with_sam > with_adam ? 0 : 1;
}
