// A flat and a sharp minimum, and where SGD, SAM, ASAM and BSAM end.
//
// The loss of two parameters has two wells. The sharp one is deeper, the flat one wide. All methods start from the same
// places and get the same noisy gradients, as of small batches. Afterwards the parameters are disturbed, and the loss is
// looked at again: that is what a flat minimum is good for.
//
//     gallery_flat_and_sharp            prints the table; status 1 where SAM and BSAM do not do better than SGD
//     gallery_flat_and_sharp FOLDER     and writes the ends, with a picture
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>
#include <random>
#include <string>
#include <vector>

#include <polder/polder.hpp>

#include "../results.hpp"

using Vector = std::array<double, 2>;

struct Well {
    Vector centre;
    double depth, width;
};
constexpr Well sharp{{1, 1}, 1, 0.15}, flat{{2.5, 2}, 0.9, 1};

// L = 1 - sum over the wells of depth exp(-|x - centre|^2 / (2 width^2)).
double loss(Vector const& x, Vector& gradient) {
    double value = 1;
    gradient = {0, 0};
    for (Well const& well : {sharp, flat}) {
        double const a = x[0] - well.centre[0], b = x[1] - well.centre[1];
        double const square = well.width * well.width;
        double const here = well.depth * std::exp(-(a * a + b * b) / (2 * square));
        value -= here;
        gradient[0] += here * a / square;
        gradient[1] += here * b / square;
    }
    return value;
}

struct Ends {
    double in_flat = 0, quiet = 0, disturbed = 0;  // a share; the loss, and its mean under noise
};

constexpr int starts = 40, steps = 1500, seeds = 5;

// Trains from each start with optimizers that are copies of this one.
template <class Optimizer>
Ends train(Optimizer const& like, int seed, int method, std::string& lines) {
    std::mt19937 random(static_cast<unsigned>(seed));
    std::uniform_real_distribution<double> place(0.5, 1.5);
    std::normal_distribution<double> normal;
    Ends ends;
    Vector unused{};
    for (int start = 0; start < starts; ++start) {
        Vector x{place(random), place(random)};
        Optimizer optimizer = like;
        Vector noise{};
        for (int step = 0; step < steps; ++step) {
            noise = {2 * normal(random), 2 * normal(random)};  // that of the batch, in both passes
            optimizer.step(x, [&](Vector const& at, Vector& gradient) {
                double const value = loss(at, gradient);
                for (std::size_t k = 0; k < 2; ++k) gradient[k] += noise[k];
                return value + noise[0] * at[0] + noise[1] * at[1];
            });
        }
        bool const is_flat = std::hypot(x[0] - flat.centre[0], x[1] - flat.centre[1]) < flat.width;
        ends.in_flat += is_flat / double(starts);
        ends.quiet += loss(x, unused) / starts;
        for (int k = 0; k < 100; ++k)
            ends.disturbed +=
                loss({x[0] + 0.3 * normal(random), x[1] + 0.3 * normal(random)}, unused) /
                (100.0 * starts);
        if (seed == 0) lines += csv_line({double(method), x[0], x[1]});
    }
    return ends;
}

int main(int argc, char** argv) try {
    polder::SGD const base{.learning_rate = 0.02};
    std::string lines;
    int method = 0;
    bool helps = true;
    Ends plain;
    std::puts("over 5 seeds, 40 starts each    in the flat minimum    loss    loss under noise");
    auto const compare = [&](char const* name, auto const& optimizer, bool has_to_help) {
        Ends mean;
        for (int seed = 0; seed < seeds; ++seed) {
            Ends const one = train(optimizer, seed, method, lines);
            mean.in_flat += one.in_flat / seeds;
            mean.quiet += one.quiet / seeds;
            mean.disturbed += one.disturbed / seeds;
        }
        std::printf("%-32s%15.0f %%%12.3f%16.3f\n", name, 100 * mean.in_flat, mean.quiet,
                    mean.disturbed);
        if (method++ == 0) plain = mean;
        if (has_to_help)
            helps = helps && mean.in_flat > plain.in_flat && mean.disturbed < plain.disturbed;
    };
    compare("SGD", polder::Plain{base}, false);
    compare("SAM, rho = 0.5", polder::SAM{base, {.rho = 0.5}}, true);
    compare("ASAM, rho = 0.5", polder::ASAM{base, {.rho = 0.5}}, true);
    compare("BSAM, rho = 0.5", polder::BSAM{base, {.rho = 0.5}}, true);
    if (argc > 1) {
        write_table(argv[1], "flat_and_sharp.csv", "method,x,y", lines);
        draw_picture(argv[1], POLDER_GALLERY, "flat_and_sharp");
    }
    std::puts(helps ? "SAM, ASAM and BSAM leave the sharp minimum, and lose less under noise"
                    : "they do NOT do better than SGD");
    return helps ? 0 : 1;
} catch (std::exception const& error) {
    std::fprintf(stderr, "gallery_flat_and_sharp: %s\n", error.what());
    return 2;
}
