/// The test problems of the golden trajectories: data, batches, loss and gradient in float64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace golden {

/// A file does not fit the schema.
struct SchemaError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A list of numbers; `key` names it in the error.
inline std::vector<double> numbers(nlohmann::json const& list, std::string const& key) {
    if (!list.is_array()) throw SchemaError("'" + key + "' must be a list of numbers");
    std::vector<double> values;
    for (auto const& value : list) {
        if (!value.is_number()) throw SchemaError("'" + key + "' must be a list of numbers");
        values.push_back(value.get<double>());
    }
    return values;
}

using Matrix = std::vector<std::vector<double>>;
using Samples = std::vector<std::size_t>;

/// One tensor of the parameters: a vector, or a row-major matrix.
struct Tensor {
    std::string name;
    std::size_t rows = 0;
    std::size_t cols = 1;

    std::size_t size() const { return rows * cols; }
};

/// The tensors of a file: [{name, shape: [n] or [rows, cols]}]. Throws SchemaError.
inline std::vector<Tensor> read_tensors(nlohmann::json const& list) {
    std::vector<Tensor> tensors;
    for (auto const& item : list) {
        auto const& shape = item.at("shape");
        if (shape.empty() || shape.size() > 2) {
            throw SchemaError("expected a tensor of one or two dimensions");
        }
        tensors.push_back(
            {item.at("name"), shape[0], shape.size() == 2 ? shape[1].get<std::size_t>() : 1});
    }
    return tensors;
}

/// One problem. Parameters and gradients are one flat list: the tensors in order, each row-major.
struct Problem {
    std::string kind;
    std::vector<Tensor> tensors;
    std::vector<double> initial;
    std::vector<Samples> first;   ///< batch B1 of each step
    std::vector<Samples> second;  ///< batch B2 of each step
    Matrix inputs;                ///< quadratic: A; logistic, mlp: X
    Matrix offsets;               ///< quadratic: b
    std::vector<double> targets;  ///< logistic: y; mlp: t
    std::size_t hidden = 0;       ///< mlp: width

    /// The mean loss over the samples of a batch, and its gradient.
    double loss(std::vector<double> const& x, Samples const& batch,
                std::vector<double>& gradient) const {
        gradient.assign(x.size(), 0.0);
        const double weight = 1.0 / static_cast<double>(batch.size());
        if (kind == "quadratic") return quadratic(x, batch, weight, gradient);
        double total = 0;
        for (std::size_t sample : batch) {
            total += kind == "logistic" ? logistic(x, sample, weight, gradient)
                                        : mlp(x, sample, weight, gradient);
        }
        return total * weight;
    }

private:
    // x'Ax/2 - (mean of b)'x
    double quadratic(std::vector<double> const& x, Samples const& batch, double weight,
                     std::vector<double>& gradient) const {
        double value = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            double ax = 0;
            for (std::size_t j = 0; j < x.size(); ++j) ax += inputs[i][j] * x[j];
            double b = 0;
            for (std::size_t sample : batch) b += offsets[sample][i];
            b *= weight;
            gradient[i] = ax - b;
            value += x[i] * (ax / 2 - b);
        }
        return value;
    }

    // log(1 + exp(z)) - y z,   z = w . X_i + bias
    double logistic(std::vector<double> const& x, std::size_t sample, double weight,
                    std::vector<double>& gradient) const {
        std::vector<double> const& row = inputs[sample];
        double z = x.back();
        for (std::size_t j = 0; j < row.size(); ++j) z += x[j] * row[j];
        const double slope = (1 / (1 + std::exp(-z)) - targets[sample]) * weight;
        for (std::size_t j = 0; j < row.size(); ++j) gradient[j] += slope * row[j];
        gradient.back() += slope;
        return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))) - targets[sample] * z;
    }

    // (w2 tanh(W1 X_i + b1) + b2 - t)^2 / 2;   x = W1, b1, w2, b2
    double mlp(std::vector<double> const& x, std::size_t sample, double weight,
               std::vector<double>& gradient) const {
        std::vector<double> const& row = inputs[sample];
        const std::size_t b1 = hidden * row.size();
        const std::size_t w2 = b1 + hidden;
        std::vector<double> activation(hidden);
        double residual = x.back() - targets[sample];
        for (std::size_t h = 0; h < hidden; ++h) {
            double z = x[b1 + h];
            for (std::size_t j = 0; j < row.size(); ++j) z += x[h * row.size() + j] * row[j];
            activation[h] = std::tanh(z);
            residual += x[w2 + h] * activation[h];
        }
        const double slope = residual * weight;
        gradient.back() += slope;
        for (std::size_t h = 0; h < hidden; ++h) {
            gradient[w2 + h] += slope * activation[h];
            const double back = slope * x[w2 + h] * (1 - activation[h] * activation[h]);
            gradient[b1 + h] += back;
            for (std::size_t j = 0; j < row.size(); ++j)
                gradient[h * row.size() + j] += back * row[j];
        }
        return residual * residual / 2;
    }
};

/// The problems of problems.json. Throws SchemaError that names what does not fit.
inline std::map<std::string, Problem> read_problems(nlohmann::json const& document) {
    std::map<std::string, Problem> problems;
    for (auto const& [name, item] : document.at("problems").items()) {
        auto const require = [&name = name](bool holds, std::string const& expected) {
            if (!holds) throw SchemaError("problem '" + name + "': expected " + expected);
        };
        Problem problem;
        problem.kind = item.at("kind");
        require(problem.kind == "quadratic" || problem.kind == "logistic" || problem.kind == "mlp",
                "kind quadratic, logistic or mlp, found '" + problem.kind + "'");
        problem.tensors = read_tensors(item.at("tensors"));
        std::size_t size = 0;
        for (Tensor const& tensor : problem.tensors) size += tensor.size();
        problem.initial = numbers(item.at("init"), "init");
        require(problem.initial.size() == size, "as many values in 'init' as the tensors have");

        auto const samples = item.at("samples").get<std::size_t>();
        auto const batches = [&, &item = item](char const* key) {
            auto const list = item.at("batches").at(key).get<std::vector<Samples>>();
            for (Samples const& batch : list) {
                require(!batch.empty(), std::string("no empty batch in ") + key);
                for (std::size_t sample : batch) {
                    require(sample < samples,
                            std::string("sample numbers below 'samples' in ") + key);
                }
            }
            return list;
        };
        problem.first = batches("B1");
        problem.second = batches("B2");
        require(problem.first.size() == problem.second.size(), "as many batches in B1 as in B2");

        auto const& data = item.at("data");
        auto const rectangular = [&](Matrix const& rows, std::size_t count, std::size_t width) {
            require(rows.size() == count, "one row of data per sample or coordinate");
            for (auto const& row : rows)
                require(row.size() == width, "rows of data of equal length");
        };
        if (problem.kind == "quadratic") {
            problem.inputs = data.at("A").get<Matrix>();
            problem.offsets = data.at("b").get<Matrix>();
            rectangular(problem.inputs, size, size);
            rectangular(problem.offsets, samples, size);
        } else {
            problem.inputs = data.at("X").get<Matrix>();
            problem.targets = numbers(data.at(problem.kind == "logistic" ? "y" : "t"), "targets");
            require(problem.targets.size() == samples && !problem.inputs.empty(),
                    "one target per sample");
            const std::size_t width = problem.inputs[0].size();
            rectangular(problem.inputs, samples, width);
            if (problem.kind == "mlp") {
                require(size >= 1 && (size - 1) % (width + 2) == 0,
                        "tensors l1.weight, l1.bias, l2.weight, l2.bias");
                problem.hidden = (size - 1) / (width + 2);
            } else {
                require(size == width + 1, "tensors weight and bias");
            }
        }
        problems.emplace(name, std::move(problem));
    }
    return problems;
}

}  // namespace golden
