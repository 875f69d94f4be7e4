// The compile-time composed optimizers that the programs offer, one instantiation each.
#include "recsys/training/optimizer.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include <polder/polder.hpp>
#include <polder/state/state.hpp>

namespace polder::recsys {

namespace {

template <class Optimizer>
class Composed final : public AnyOptimizer {
public:
    explicit Composed(Optimizer optimizer) : optimizer_(std::move(optimizer)) {}

    Report step(ParameterArena<float>& parameters, Closure const& closure) override {
        return optimizer_.step(parameters, closure);
    }
    void bind(ParameterArena<float>& parameters) override { optimizer_.bind(parameters); }
    void add_state(SafetensorsWriter& writer, ParameterArena<float>& parameters) override {
        polder::add_state(writer, optimizer_, parameters);
    }
    void load_state(SafetensorsFile& file, ParameterArena<float>& parameters) override {
        optimizer_ = read_state(file, optimizer_, parameters);
    }
    void set_learning_rate(double rate) override { optimizer_.base().learning_rate = rate; }
    void set_threads(int threads) override { optimizer_.set_threads(threads); }

private:
    Optimizer optimizer_;
};

// The composed type, without the method's name: aliases of one composition share its code.
template <class Perturb, class Distance, class Mix, class BaseOpt>
std::unique_ptr<AnyOptimizer> compose(Sharpness<Perturb, Distance, Mix, BaseOpt> optimizer) {
    return std::make_unique<Composed<Sharpness<Perturb, Distance, Mix, BaseOpt>>>(
        std::move(optimizer));
}

// All hyper-parameters that any method or base optimizer has, with the defaults of this one.
struct Values {
    OptimizerOptions const& options;
    std::vector<HyperParameterValue> used{};

    // The value of a hyper-parameter: what was set, else the default. Notes that it is used.
    double operator()(std::string_view name, double by_default) {
        double value = by_default;
        for (auto const& [key, text] : options.values) {
            if (key != name) continue;
            auto const end = text.data() + text.size();
            auto const result = std::from_chars(text.data(), end, value);
            if (result.ec != std::errc{} || result.ptr != end)
                throw std::invalid_argument(key + " = '" + text + "', expected a number");
        }
        used.push_back({std::string(name), value});
        return value;
    }

    // Throws for a value that nobody asked for.
    void require_all_used() const {
        for (auto const& [key, text] : options.values) {
            std::string known;
            bool is_used = false;
            for (auto const& each : used) {
                is_used = is_used || each.name == key;
                known += (known.empty() ? "" : ", ") + each.name;
            }
            if (!is_used)
                throw std::invalid_argument("optimizer '" + options.method + "' on '" +
                                            options.base + "' has no hyper-parameter '" + key +
                                            "'; known: " + known);
        }
    }
};

template <class Names>
[[noreturn]] void refuse_name(std::string_view what, std::string_view found, Names const& names) {
    std::string known;
    for (auto const name : names) known += (known.empty() ? "" : ", ") + std::string(name);
    throw std::invalid_argument("unknown " + std::string(what) + " '" + std::string(found) +
                                "'; known: " + known);
}

// Calls use(measure) with the distance of the options.
template <class Use>
auto with_distance(Values& values, Use const& use) {
    auto const& name = values.options.distance;
    if (name == "manhattan") return use(Manhattan{});
    if (name == "manhattan_mean") return use(ManhattanMean{});
    if (name == "euclidean") return use(Euclidean{});
    if (name == "chebyshev") return use(Chebyshev{});
    if (name == "cosine") return use(Cosine{});
    if (name == "constant") return use(Constant{values("sigma", Constant{}.sigma)});
    if (name == "none") return use(NoDistance{});
    refuse_name("distance", name, optimizer_distances);
}

// Calls build(optimizer) with the method of the options on `base`.
template <class BaseOpt, class Build>
auto with_method(BaseOpt const& base, Values& values, Build const& build) {
    auto const& name = values.options.method;
    if (name == "none") return build(Plain{base});
    if (name == "sam") {
        SAMOptions o;
        o.rho = values("rho", o.rho);
        return build(SAM{base, o});
    }
    if (name == "sam+") {
        SAMPlusOptions o;
        o.rho = values("rho", o.rho);
        o.kappa = values("kappa", o.kappa);
        return build(SAMPlus{base, o});
    }
    if (name == "fsam") {
        FSAMOptions o;
        o.rho = values("rho", o.rho);
        o.sigma = values("sigma", o.sigma);
        o.lambda = values("lambda", o.lambda);
        return build(FSAM{base, o});
    }
    if (name == "fsam+") {
        FSAMPlusOptions o;
        o.rho = values("rho", o.rho);
        o.sigma = values("sigma", o.sigma);
        o.lambda = values("lambda", o.lambda);
        o.kappa = values("kappa", o.kappa);
        return build(FSAMPlus{base, o});
    }
    if (name == "bsam") {
        BSAMOptions o;
        o.rho = values("rho", o.rho);
        o.lambda = values("lambda", o.lambda);
        return with_distance(values, [&](auto measure) { return build(BSAM{base, o, measure}); });
    }
    if (name == "bsam+") {
        BSAMPlusOptions o;
        o.rho = values("rho", o.rho);
        o.lambda = values("lambda", o.lambda);
        o.kappa = values("kappa", o.kappa);
        return with_distance(values, [&](auto measure) {
            return build(BSAMPlus{base, o, measure});
        });
    }
    refuse_name("optimizer", name, optimizer_methods);
}

std::unique_ptr<AnyOptimizer> make(Values& values) {
    auto const build = [&](auto optimizer) {
        values.require_all_used();
        return compose(std::move(optimizer));
    };
    auto const& name = values.options.base;
    if (name == "adam") {
        Adam base;
        base.learning_rate = values("learning_rate", base.learning_rate);
        base.beta1 = values("beta1", base.beta1);
        base.beta2 = values("beta2", base.beta2);
        base.eps = values("eps", base.eps);
        base.weight_decay = values("weight_decay", base.weight_decay);
        return with_method(base, values, build);
    }
    if (name == "sgd") {
        SGD base;
        base.learning_rate = values("learning_rate", base.learning_rate);
        base.momentum = values("momentum", base.momentum);
        base.weight_decay = values("weight_decay", base.weight_decay);
        return with_method(base, values, build);
    }
    refuse_name("base optimizer", name, base_optimizers);
}

}  // namespace

std::vector<HyperParameterValue> hyper_parameters(OptimizerOptions const& options) {
    Values values{options};
    make(values);
    return values.used;
}

std::unique_ptr<AnyOptimizer> make_optimizer(OptimizerOptions const& options) {
    Values values{options};
    return make(values);
}

}  // namespace polder::recsys
