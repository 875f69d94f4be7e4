/// A closure as a function of plain lists of scalars, for check_closure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/closure/closure_report.hpp>
#include <polder/closure/pass.hpp>
#include <polder/error.hpp>

namespace polder::detail {

struct OtherShape {
    std::string text;
    char const* what() const noexcept { return text.c_str(); }
};

// Puts x back at its end, also where the closure throws. Call: double(C const& at, C& gradient, Pass).
template <class C, class Call>
class ClosureProbe {
public:
    using T = scalar_t<C>;
    using Values = std::vector<T>;

    struct Block {
        std::string name;
        std::size_t begin;
        std::size_t size;
    };
    struct Answer {
        double loss;
        Values gradient;
    };

    // at: what the closure reads; x itself, where it does that in place.
    ClosureProbe(C& x, C& at, C& gradient, Call const& call)
        : x_(x), at_(at), gradient_(gradient), call_(call) {
        for_each_named_block(
            x_, [&](std::string const& name, T const* data, std::size_t size, BlockShape) {
                blocks_.push_back({name, saved_.size(), size});
                saved_.insert(saved_.end(), data, data + size);
            });
    }
    ClosureProbe(ClosureProbe const&) = delete;
    ClosureProbe& operator=(ClosureProbe const&) = delete;
    ~ClosureProbe() { write(x_, saved_); }

    int evaluations = 0;
    bool writes_parameters = false;

    bool in_place() const { return &at_ == &x_; }
    std::vector<Block> const& blocks() const { return blocks_; }
    // x as it was.
    Values const& start() const { return saved_; }

    // Throws OtherShape where the gradient has not the shape of x.
    void check_gradient() { read(gradient_, "the gradient"); }

    // The closure's answer where `at` is point, x is parameters and the gradient is full of one value.
    Answer evaluate(Values const& point, Values const& parameters, T fill = 0, Pass pass = {}) {
        write(at_, point);
        if (!in_place()) write(x_, parameters);
        for_each_block(gradient_,
                       [&](T* data, std::size_t size) { std::fill_n(data, size, fill); });
        ++evaluations;
        auto const loss = static_cast<double>(call_(at_, gradient_, pass));
        auto const& kept = in_place() ? point : parameters;
        writes_parameters |=
            distance(read(x_, "x"), kept) > 0 || distance(read(at_, "`at`"), point) > 0;
        return {loss, read(gradient_, "the gradient")};
    }

    template <class Predicate>
    std::vector<ClosureReport::Places> places(Predicate const& meant) const {
        std::vector<ClosureReport::Places> list;
        for (auto const& block : blocks_) {
            ClosureReport::Places found{.block = block.name, .size = block.size};
            for (std::size_t i = 0; i < block.size; ++i) {
                if (meant(block.begin + i) && ++found.count <= 4) found.first.push_back(i);
            }
            if (found.count > 0) list.push_back(std::move(found));
        }
        return list;
    }

    // Infinite where one alone is not-a-number.
    static double distance(double a, double b) {
        if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
        double const d = std::abs(a - b);
        return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
    }
    static double distance(Values const& a, Values const& b) {
        double largest = 0;
        for (std::size_t i = 0; i < a.size(); ++i)
            largest =
                std::max(largest, distance(static_cast<double>(a[i]), static_cast<double>(b[i])));
        return largest;
    }

private:
    // Throws OtherShape.
    Values read(C& container, std::string const& what) const {
        Values values;
        values.reserve(saved_.size());
        std::vector<std::size_t> sizes;
        for_each_block(container, [&](T const* data, std::size_t size) {
            values.insert(values.end(), data, data + size);
            sizes.push_back(size);
        });
        if (sizes.size() != blocks_.size()) {
            POLDER_THROW OtherShape{what + " has " + std::to_string(sizes.size()) +
                                    " blocks, expected " + std::to_string(blocks_.size())};
        }
        for (std::size_t k = 0; k < sizes.size(); ++k) {
            if (sizes[k] == blocks_[k].size) continue;
            POLDER_THROW OtherShape{"block '" + blocks_[k].name + "' of " + what + " has " +
                                    std::to_string(sizes[k]) + " coordinates, expected " +
                                    std::to_string(blocks_[k].size)};
        }
        return values;
    }

    void write(C& container, Values const& values) const {
        std::size_t count = 0;
        for_each_block(container, [&](T* data, std::size_t size) {
            if (count >= blocks_.size()) return;
            auto const& block = blocks_[count++];
            std::copy_n(values.data() + block.begin, std::min(size, block.size), data);
        });
    }

    C& x_;
    C& at_;
    C& gradient_;
    Call const& call_;
    std::vector<Block> blocks_;
    Values saved_;
};

}  // namespace polder::detail
