/// The gradient of a closure beside finite differences, for check_closure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include <polder/closure/check_options.hpp>
#include <polder/closure/closure_report.hpp>

namespace polder::detail {

// Compares in coordinates that it draws, and along the gradient. Takes a ClosureProbe.
template <class Probe>
class ClosureDifferences {
    using T = typename Probe::T;
    using Values = typename Probe::Values;
    using Answer = typename Probe::Answer;
    using Difference = ClosureReport::Difference;

public:
    // A block's root mean square, or that of all, or 1: the first that is not zero.
    ClosureDifferences(Probe& probe, CheckOptions const& options)
        : probe_(probe), x_(probe.start()), options_(options) {
        auto const root_mean_square = [&](std::size_t begin, std::size_t size) {
            double sum = 0;
            for (std::size_t i = begin; i < begin + size; ++i)
                sum += static_cast<double>(x_[i]) * static_cast<double>(x_[i]);
            return size > 0 ? std::sqrt(sum / static_cast<double>(size)) : 0;
        };
        double const all = root_mean_square(0, x_.size());
        scale_ = all > 0 ? all : 1;
        for (auto const& block : probe_.blocks()) {
            double const own = root_mean_square(block.begin, block.size);
            scales_.push_back(own > 0 ? own : scale_);
        }
    }

    std::size_t end_of(std::size_t block) const {
        return probe_.blocks()[block].begin + probe_.blocks()[block].size;
    }
    double scale_of(std::size_t coordinate, std::size_t block) const {
        return std::max(scales_[block], std::abs(static_cast<double>(x_[coordinate])));
    }

    // The k-th draw (splitmix64).
    std::uint64_t draw(std::uint64_t k) const {
        auto const mix = [](std::uint64_t z) {
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
            z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
            return z ^ (z >> 31);
        };
        return mix(mix(options_.seed + 0x9e3779b97f4a7c15) + (k + 1) * 0x9e3779b97f4a7c15);
    }

    // epsilon: of the less precise of parameters and losses; largest: |coordinate| of the gradient.
    void compare(Answer const& first, double epsilon, double largest, ClosureReport& r) {
        epsilon_ = epsilon;
        largest_ = largest;
        tolerance_ = options_.tolerance > 0 ? options_.tolerance : r.coarse ? 2e-2 : 1e-5;
        r.compared = true;
        r.relative_tolerance = tolerance_;
        double const step = options_.step > 0 ? options_.step : std::cbrt(epsilon_);
        std::size_t b = 0;
        for (std::size_t const i : chosen(first)) {
            while (i >= end_of(b)) ++b;
            r.differences.push_back(settle(first, i, i + 1, {}, step * scale_of(i, b)));
            r.differences.back().block = probe_.blocks()[b].name;
            r.differences.back().coordinate = i - probe_.blocks()[b].begin;
        }
        // Along the gradient no coordinate moves further than one of its scale does alone.
        std::vector<double> direction(first.gradient.begin(), first.gradient.end());
        double square = 0;
        for (double const g : direction) square += g * g;
        double const norm = square > 0 ? std::sqrt(square) : 1;
        for (double& v : direction) v /= norm;
        double const share = largest > 0 ? largest / norm : 1;
        r.differences.push_back(settle(first, 0, x_.size(), direction, step * scale_ / share));
        if (r.agrees()) return;
        r.factor = fit(
            r.differences, [](auto const& d) { return d.gradient; },
            [](auto const& d) { return d.difference; });
        if (std::abs(r.factor) < 1e-12) r.factor = ClosureReport::none;
        if (r.differences.size() < 4) return;
        r.weight_decay = fit(
            r.differences, [](auto const& d) { return d.gradient - d.difference; },
            [](auto const& d) { return d.parameter; });
    }

    // The largest difference of two losses at one point.
    double spread() const { return spread_; }

private:
    std::set<std::size_t> chosen(Answer const& first) const {
        std::set<std::size_t> indices;
        std::size_t const size = x_.size(), wanted = std::min(options_.coordinates, size);
        auto const& blocks = probe_.blocks();
        std::size_t const visits = std::min(wanted, blocks.size());
        for (std::size_t k = 0; k < visits; ++k) {
            auto const& block = blocks[k * blocks.size() / visits];
            if (block.size == 0) continue;
            std::size_t best = block.begin;
            for (std::size_t i = block.begin; i < block.begin + block.size; ++i)
                if (std::abs(first.gradient[i]) > std::abs(first.gradient[best])) best = i;
            indices.insert(best);
        }
        for (std::uint64_t k = 0; indices.size() < wanted; ++k) {
            // In the end one by one, where nearly all are wanted.
            indices.insert(k < 4 * wanted ? draw(~k) % size : k % size);
        }
        return indices;
    }

    // The difference; one that disagrees is taken with a wider step again, where rounding counts less, and what the
    // two have between them is not held against the gradient.
    Difference settle(Answer const& first, std::size_t begin, std::size_t end,
                      std::vector<double> const& direction, double h) {
        auto const narrow = difference(first, begin, end, direction, h);
        if (narrow.agrees()) return narrow;
        auto wide = difference(first, begin, end, direction, 16 * h);
        wide.tolerance += std::abs(wide.difference - narrow.difference);
        return wide.agrees() ? wide : narrow;
    }

    // Along the direction, or a coordinate where that is empty. The tolerance has the relative one, the bend of the
    // loss (half of what the slopes on either side differ by, which covers a kink) and rounding.
    Difference difference(Answer const& first, std::size_t begin, std::size_t end,
                          std::vector<double> const& direction, double h) {
        auto above = x_, below = x_;
        Difference d{.block = {}, .parameter = 0, .gradient = 0};
        double width = 2 * h;
        for (std::size_t i = begin; i < end; ++i) {
            double const v = direction.empty() ? 1 : direction[i];
            double const at = static_cast<double>(x_[i]);
            above[i] = static_cast<T>(at + h * v);
            below[i] = static_cast<T>(at - h * v);
            double const step = static_cast<double>(above[i]) - static_cast<double>(below[i]);
            if (direction.empty()) width = step;
            d.parameter += at * v;
            d.gradient += static_cast<double>(first.gradient[i]) * step;
        }
        d.gradient /= width;
        double const up = probe_.evaluate(above, x_).loss, down = probe_.evaluate(below, x_).loss;
        d.difference = (up - down) / width;
        double const bend = std::abs(up - 2 * first.loss + down) / width;
        double const rounding =
            8 * epsilon_ *
            (std::max({std::abs(up), std::abs(down), std::abs(first.loss)}) / width + largest_);
        double const straight =
            tolerance_ * std::max(std::abs(d.gradient), std::abs(d.difference)) + rounding;
        d.tolerance = straight + bend;
        // A kink, a wrong gradient, or a closure that draws random numbers.
        if (bend > 10 * straight || !d.agrees()) {
            for (auto const& [point, loss] : {std::pair(&above, up), std::pair(&below, down)})
                spread_ =
                    std::max(spread_, Probe::distance(loss, probe_.evaluate(*point, x_).loss));
        }
        if (!std::isfinite(d.tolerance)) d.tolerance = std::numeric_limits<double>::infinity();
        return d;
    }

    // c with y = c z in all differences, within their tolerances; not-a-number where there is none.
    template <class Y, class Z>
    static double fit(std::vector<Difference> const& differences, Y const& y, Z const& z) {
        double products = 0, squares = 0;
        for (auto const& d : differences) {
            if (!std::isfinite(d.tolerance)) continue;
            products += y(d) / d.tolerance * (z(d) / d.tolerance);
            squares += z(d) / d.tolerance * (z(d) / d.tolerance);
        }
        double const c = products / squares;
        for (auto const& d : differences)
            if (std::abs(y(d) - c * z(d)) > d.tolerance * std::max(1.0, std::abs(c)))
                return ClosureReport::none;
        return c;
    }

    Probe& probe_;
    Values const& x_;
    CheckOptions options_;
    std::vector<double> scales_{};  // of the coordinates of each block
    double scale_ = 1;              // of all
    double epsilon_ = 0;            // as in compare()
    double largest_ = 0;
    double tolerance_ = 0;  // the relative one
    double spread_ = 0;
};

}  // namespace polder::detail
