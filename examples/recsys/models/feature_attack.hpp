/// Features of items moved where that hurts a model most: what its evaluations on a tape do with them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>

#include "recsys/models/features.hpp"
#include "recsys/tape/tape.hpp"

namespace polder::recsys {

/// Delta for the features F that a loss reads, constants (Features) or tables of parameters that start from them
/// ("image_embedding", "text_embedding"): row i is eps G_i / sqrt(max(|G_i|^2, 1e-12)), G = n dL/dF for a loss that is a mean
/// over n rows. On the host.
template <class T>
class FeatureAttack {
public:
    /// What the next evaluation does: reads F as they are, reads them and leaves dL/dF, or reads F + Delta.
    enum class Role { plain, measured, moved };

    void begin(Role role) {
        role_ = role;
        for (auto& [key, each] : constants_) each.node.reset();
    }

    /// Delta from what the last evaluation left. `gradient`: that of the parameters, whose loss was a mean over `n` rows.
    void measure(ParameterArena<T> const& gradient, double eps, std::size_t n) {
        for (auto& [key, each] : constants_)
            reach({each.gradient.data(), each.rows, each.cols}, eps, n, each.delta);
        for (auto const& entry : gradient.entries())
            if (is_table(entry.name)) reach(gradient[entry.name], eps, n, tables_[entry.name]);
    }

    static bool is_table(std::string_view name) {
        return name == "image_embedding" || name == "text_embedding";
    }

    /// The features as this evaluation has them.
    template <class B>
    Value<B> constant(Tape<B>& tape, Features<T> const& features) {
        auto const from = features.view();
        auto& own = constants_[from.data];
        if (own.node) return {tape, *own.node};
        own.rows = from.rows;
        own.cols = from.cols;
        own.gradient.resize(from.size());
        own.delta.resize(from.size());
        auto const value = [&] {
            if (role_ == Role::measured)
                return tape.parameter(from, {own.gradient.data(), from.rows, from.cols});
            if (role_ == Role::plain) return tape.constant(from);
            own.moved.resize(from.size());
            for (std::size_t k = 0; k < from.size(); ++k)
                own.moved[k] = from.data[k] + own.delta[k];
            return tape.constant(MatrixView<T const>{own.moved.data(), from.rows, from.cols});
        }();
        own.node = value.index();
        return value;
    }

    /// What is to be added to the parameter `name`, if anything is.
    std::optional<MatrixView<T const>> shift(std::string_view name, MatrixView<T const> of) const {
        auto const found = tables_.find(name);
        if (role_ != Role::moved || found == tables_.end()) return {};
        return MatrixView<T const>{found->second.data(), of.rows, of.cols};
    }

private:
    struct Constant {
        std::size_t rows = 0, cols = 0;
        std::vector<T> gradient, delta, moved;
        std::optional<std::size_t> node;  // on the tape, in this evaluation
    };

    static void reach(MatrixView<T const> g, double eps, std::size_t n, std::vector<T>& delta) {
        delta.resize(g.size());
        double const least = 1e-12 / (static_cast<double>(n) * static_cast<double>(n));
        for (std::size_t row = 0; row < g.rows; ++row) {
            double square = 0;
            for (std::size_t k = 0; k < g.cols; ++k)
                square += static_cast<double>(g(row, k)) * static_cast<double>(g(row, k));
            double const factor = eps / std::sqrt(std::max(square, least));
            for (std::size_t k = 0; k < g.cols; ++k)
                delta[row * g.cols + k] = static_cast<T>(factor * static_cast<double>(g(row, k)));
        }
    }

    Role role_ = Role::plain;
    std::map<T const*, Constant> constants_;
    std::map<std::string, std::vector<T>, std::less<>> tables_;
};

}  // namespace polder::recsys
