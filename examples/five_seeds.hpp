/// What the examples print: how a method and its base optimizer alone do, over five seeds.
#pragma once

#include <cmath>
#include <cstdio>

/// Prints the mean and the standard deviation of result(seed) over the seeds 1 to 5. Returns the mean.
template <class Result>
double over_five_seeds(char const* name, Result const& result) {
    double sum = 0, squares = 0;
    for (unsigned seed = 1; seed <= 5; ++seed) {
        const double value = result(seed);
        sum += value;
        squares += value * value;
    }
    const double mean = sum / 5;
    std::printf("%-16s%6.2f, standard deviation %.2f\n", name, mean,
                std::sqrt((squares - 5 * mean * mean) / 4));
    return mean;
}
