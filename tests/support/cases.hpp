// Parameters and hyper-parameters at random, for properties that hold for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/blocks/container.hpp>

#include "support/any_container.hpp"
#include "support/random.hpp"
#include "support/settings.hpp"

namespace polder::test {

/// One to five blocks of up to 200 coordinates, vectors and matrices of either order, and settings in the
/// ranges in use and beyond.
struct Case {
    std::uint64_t seed;
    std::uint64_t draw;
    Random random{seed, draw};  // goes on where the case ends
    std::vector<BlockShape> blocks{};
    Settings settings{};

    Case(std::uint64_t seed, std::uint64_t draw) : seed(seed), draw(draw) {
        draw_blocks();
        draw_settings();
        draw_base();
    }

    /// The parameters, each in [-2, 2), in memory of their own.
    template <class T>
    AnyContainer<T> parameters() const {
        auto x = PlainBlocks<T>::of(blocks);
        Random values = random;
        for_each_block(x, [&](T* data, std::size_t size) {
            for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<T>(values.uniform(-2, 2));
        });
        return AnyContainer<T>::copy_of(x);
    }

    std::size_t coordinates() const {
        std::size_t sum = 0;
        for (BlockShape const& block : blocks) sum += block.rows * block.cols;
        return sum;
    }

private:
    void draw_blocks() {
        blocks.resize(random.integer(1, 5));
        for (BlockShape& block : blocks) {
            block.rows = random.integer(1, 200);
            if (random.coin()) continue;
            block.rows = random.integer(1, 20);
            block.cols = random.integer(1, 200 / block.rows);
            block.row_major = random.coin();
        }
    }

    void draw_settings() {
        settings.rho = random.log_uniform(1e-3, 1);
        settings.kappa = random.uniform(0, 1);
        settings.norm_guard = random.coin() ? 0 : 1e-12;
        settings.lambda = random.uniform(0, 0.99);
        settings.sigma = random.uniform(0, 2);
        settings.eta = random.log_uniform(1e-3, 10);
        settings.alpha = random.uniform(0, 1);
        settings.gamma = random.uniform(0, 0.95);
        settings.p = random.uniform(1.2, 6);
        settings.alpha1 = random.uniform(0, 2);
        settings.alpha2 = random.uniform(0, 1);
        settings.every = random.integer(1, 4);
        settings.sparsity = random.uniform(0, 1);
        settings.drop_rate = random.uniform(0, 1);
        settings.samples = static_cast<int>(random.integer(1, 4));
    }

    void draw_base() {
        const double weight_decay = random.coin() ? 0 : random.log_uniform(1e-5, 0.1);
        if (random.coin()) {
            settings.base = Adam{.learning_rate = random.log_uniform(1e-4, 0.1),
                                 .beta1 = random.uniform(0, 0.99),
                                 .beta2 = random.uniform(0.5, 0.9999),
                                 .eps = random.log_uniform(1e-10, 1e-3),
                                 .weight_decay = weight_decay};
        } else {
            settings.base = SGD{.learning_rate = random.log_uniform(1e-3, 0.5),
                                .momentum = random.uniform(0.1, 0.99),
                                .dampening = random.coin() ? 0 : random.uniform(0, 1),
                                .weight_decay = weight_decay};
        }
    }
};

/// What a failed test prints. POLDER_TEST_SEED draws the same cases again.
inline std::ostream& operator<<(std::ostream& out, Case const& drawn) {
    Settings const& s = drawn.settings;
    out << "POLDER_TEST_SEED=" << drawn.seed << ", draw " << drawn.draw << ": blocks";
    for (BlockShape const& block : drawn.blocks) {
        out << ' ' << block.rows << 'x' << block.cols << (block.row_major ? "" : "'");
    }
    out << "; rho " << s.rho << ", kappa " << s.kappa << ", norm_guard " << s.norm_guard
        << ", lambda " << *s.lambda << ", sigma " << *s.sigma << ", eta " << *s.eta << ", alpha "
        << *s.alpha << ", gamma " << *s.gamma << ", p " << s.p << ", alpha1 " << s.alpha1
        << ", alpha2 " << s.alpha2 << ", every " << s.every << ", sparsity " << s.sparsity
        << ", drop_rate " << s.drop_rate << ", samples " << s.samples << "; learning_rate "
        << s.base.learning_rate << ", weight_decay " << s.base.weight_decay;
    if (s.base.has_momentum) {
        return out << ", SGD: momentum " << s.base.sgd.momentum << ", dampening "
                   << s.base.sgd.dampening;
    }
    return out << ", Adam: beta1 " << s.base.adam.beta1 << ", beta2 " << s.base.adam.beta2
               << ", eps " << s.base.adam.eps;
}

/// So many cases, other ones for each seed; with sanitizers a quarter.
inline std::vector<Case> cases(std::uint64_t count) {
    std::vector<Case> list;
#if defined(POLDER_SANITIZED)
    count = (count + 3) / 4;
#endif
    for (std::uint64_t draw = 0; draw < count; ++draw) list.emplace_back(random_seed(), draw);
    return list;
}

}  // namespace polder::test
