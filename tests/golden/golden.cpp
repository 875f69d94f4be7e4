// golden --dir DIR: replays the trajectories of reference implementations on polder's optimizers.
//
// Every file of DIR in the schema of the golden trajectories is checked in float64, case by case,
// on std::vector and on Eigen containers: loss, distance, perturbation and parameters of each step.
// Methods and base optimizers that polder does not have are named as skipped.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <Eigen/Core>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <polder/polder.hpp>

#include "golden/metrics.hpp"
#include "golden/problem.hpp"

namespace {

using golden::Problem;
using golden::SchemaError;
using nlohmann::json;
namespace fs = std::filesystem;

struct NotBuilt {
    std::string what;
};

// ---- tolerance of the golden files ----

constexpr double tolerance = 1e-12;

void check_scalar(std::string const& what, double found, double expected, double scale) {
    if (!(std::abs(found - expected) <= tolerance * scale)) {
        throw std::runtime_error(
            fmt::format("{} is {:.17g}, expected {:.17g}", what, found, expected));
    }
}

void check_vector(std::string const& what, std::vector<double> const& found,
                  std::vector<double> const& expected) {
    if (found.size() != expected.size()) {
        throw SchemaError(
            fmt::format("{} has {} values, expected {}", what, expected.size(), found.size()));
    }
    double largest = 0;
    for (double b : expected) largest = std::max(largest, std::abs(b));
    for (std::size_t i = 0; i < found.size(); ++i) {
        check_scalar(fmt::format("{}[{}]", what, i), found[i], expected[i], largest);
    }
}

// ---- containers ----

template <class C>
C container_of(Problem const& problem, std::vector<double> const& flat);

// All tensors in one vector.
template <>
std::vector<double> container_of(Problem const&, std::vector<double> const& flat) {
    return flat;
}

// One Eigen vector per tensor.
template <>
std::vector<Eigen::VectorXd> container_of(Problem const& problem, std::vector<double> const& flat) {
    std::vector<Eigen::VectorXd> blocks;
    std::size_t offset = 0;
    for (std::size_t size : problem.tensor_sizes) {
        blocks.emplace_back(Eigen::Map<Eigen::VectorXd const>(flat.data() + offset,
                                                              static_cast<Eigen::Index>(size)));
        offset += size;
    }
    return blocks;
}

template <class C>
void copy_out(C const& container, std::vector<double>& flat) {
    double* next = flat.data();
    polder::for_each_block(const_cast<C&>(container), [&](double* data, std::size_t size) {
        next = std::copy_n(data, size, next);
    });
}

template <class C>
void copy_in(std::vector<double> const& flat, C& container) {
    double const* next = flat.data();
    polder::for_each_block(container, [&](double* data, std::size_t size) {
        std::copy_n(next, size, data);
        next += size;
    });
}

// ---- one case ----

json const* entry(json const& item, char const* key, std::size_t step) {
    if (!item.contains(key)) return nullptr;
    json const& list = item.at(key);
    if (!list.is_array() || list.size() <= step) {
        throw SchemaError(fmt::format("'{}' has no value for step {}", key, step));
    }
    return list[step].is_null() ? nullptr : &list[step];
}

template <class C, class Optimizer>
void replay(Optimizer optimizer, Problem const& problem, json const& item) {
    C x = container_of<C>(problem, problem.initial);
    C eps = x;
    std::vector<double> point(problem.initial.size());
    std::vector<double> gradient(problem.initial.size());
    std::vector<double> flat(problem.initial.size());
    const std::size_t steps = item.at("params").size();
    if (steps == 0 || steps > problem.first.size()) {
        throw SchemaError(fmt::format("'params' has {} steps, the problem {} batches", steps,
                                      problem.first.size()));
    }
    for (std::size_t t = 0; t < steps; ++t) {
        const auto closure = [&](C const& at, C& into, polder::Pass pass) {
            copy_out(at, point);
            auto const& batches =
                pass.batch == polder::Batch::first ? problem.first : problem.second;
            const double loss = problem.loss(point, batches[t], gradient);
            copy_in(gradient, into);
            return loss;
        };
        const auto in_step = [&](char const* key) { return fmt::format("step {}: {}", t, key); };

        if constexpr (requires { optimizer.perturb().rho; }) {
            optimizer.perturbation(x, closure, eps);
            if (json const* expected = entry(item, "eps", t)) {
                copy_out(eps, flat);
                check_vector(in_step("eps"), flat, golden::numbers(*expected, "eps"));
            }
        }
        const polder::Report report = optimizer.step(x, closure);
        if (json const* expected = entry(item, "loss", t)) {
            const double loss = expected->get<double>();
            check_scalar(in_step("loss"), report.loss, loss, std::abs(loss));
        }
        if (json const* expected = entry(item, "d", t)) {
            const double d = expected->get<double>();
            check_scalar(in_step("d"), report.distance, d, std::max(1.0, std::abs(d)));
        }
        if (json const* expected = entry(item, "eps_norm", t)) {
            const double norm = expected->get<double>();
            check_scalar(in_step("eps_norm"), report.perturbation_norm, norm, std::abs(norm));
        }
        copy_out(x, flat);
        check_vector(in_step("params"), flat, golden::numbers(*entry(item, "params", t), "params"));
    }
}

// ---- from the names of the files to polder's types ----

template <class F>
void with_base(json const& hp, F const& f) {
    const std::string type = hp.at("type");
    if (type == "sgd") {
        f(polder::SGD{.learning_rate = hp.at("lr"),
                      .momentum = hp.at("momentum"),
                      .dampening = hp.at("dampening"),
                      .weight_decay = hp.at("weight_decay"),
                      .nesterov = hp.at("nesterov")});
    } else if (type == "adam") {
        f(polder::Adam{.learning_rate = hp.at("lr"),
                       .beta1 = hp.at("betas").at(0),
                       .beta2 = hp.at("betas").at(1),
                       .eps = hp.at("eps"),
                       .weight_decay = hp.at("weight_decay"),
                       .amsgrad = hp.at("amsgrad")});
    } else if (type == "adamw") {
        f(polder::AdamW{.learning_rate = hp.at("lr"),
                        .beta1 = hp.at("betas").at(0),
                        .beta2 = hp.at("betas").at(1),
                        .eps = hp.at("eps"),
                        .weight_decay = hp.at("weight_decay"),
                        .amsgrad = hp.at("amsgrad")});
    } else if (type == "rmsprop") {
        f(polder::RMSprop{.learning_rate = hp.at("lr"),
                          .alpha = hp.at("alpha"),
                          .eps = hp.at("eps"),
                          .weight_decay = hp.at("weight_decay"),
                          .momentum = hp.at("momentum"),
                          .centered = hp.at("centered")});
    } else if (type == "adagrad") {
        f(polder::Adagrad{.learning_rate = hp.at("lr"),
                          .learning_rate_decay = hp.at("lr_decay"),
                          .weight_decay = hp.at("weight_decay"),
                          .initial_accumulator_value = hp.at("initial_accumulator_value"),
                          .eps = hp.at("eps")});
    } else {
        throw NotBuilt{"base optimizer " + type};
    }
}

template <class F>
void with_measure(json const& hp, F const& f) {
    const std::string name = hp.at("distance");
    if (name == "manhattan_sum") {
        f(polder::Manhattan{});
    } else if (name == "manhattan_mean") {
        f(polder::ManhattanMean{});
    } else if (name == "euclidean") {
        f(polder::Euclidean{});
    } else if (name == "chebyshev") {
        f(polder::Chebyshev{});
    } else if (name == "cosine") {
        f(polder::Cosine{});
    } else if (name == "constant") {
        f(polder::Constant{.sigma = hp.at("sigma")});
    } else if (name == "none") {
        f(polder::NoDistance{});
    } else {
        throw NotBuilt{"distance " + name};
    }
}

template <class Reference, class Base, class F>
void with_fsam(json const& hp, Base const& base, F const& f) {
    const double rho = hp.at("rho"), sigma = hp.at("sigma"), lambda = hp.at("lambda");
    const double guard = hp.at("norm_eps");
    if (hp.contains("kappa")) {
        f(polder::FSAMPlus<Base, Reference>{base,
                                            {.rho = rho,
                                             .sigma = sigma,
                                             .lambda = lambda,
                                             .kappa = hp.at("kappa"),
                                             .norm_guard = guard}});
    } else {
        f(polder::FSAM<Base, Reference>{
            base, {.rho = rho, .sigma = sigma, .lambda = lambda, .norm_guard = guard}});
    }
}

// Calls f(optimizer) for a variant, or throws NotBuilt.
template <class Base, class F>
void with_method(std::string const& variant, json const& hp, Base const& base, F const& f) {
    const bool plus = hp.contains("kappa");
    if (variant == "plain") {
        f(polder::Plain{base});
    } else if (variant == "sam" || variant.starts_with("sam_norm_eps")) {
        f(polder::SAM{base, {.rho = hp.at("rho"), .norm_guard = hp.at("norm_eps")}});
    } else if (variant == "sam_plus") {
        f(polder::SAMPlus{
            base, {.rho = hp.at("rho"), .kappa = hp.at("kappa"), .norm_guard = hp.at("norm_eps")}});
    } else if (variant.starts_with("gnp")) {
        f(polder::GNP{base,
                      {.rho = hp.at("rho"),
                       .alpha = hp.at("alpha"),
                       .normalise_clean = hp.at("normalize_clean"),
                       .norm_guard = hp.at("norm_eps")}});
    } else if (variant == "gsam") {
        f(polder::GSAM{
            base, {.rho = hp.at("rho"), .alpha = hp.at("alpha"), .norm_guard = hp.at("norm_eps")}});
    } else if (variant == "asam_davda54") {
        f(polder::ASAM{base, {.rho = hp.at("rho"), .eta = 0, .norm_guard = hp.at("norm_eps")}});
    } else if (variant.starts_with("fisher_sam") &&
               hp.value("form", "") == "batch_gradient_squared") {
        const double rho = hp.at("rho"), eta = hp.at("eta"), guard = hp.at("norm_eps");
        if (plus) {
            f(polder::FisherSAMPlus{
                base, {.rho = rho, .eta = eta, .kappa = hp.at("kappa"), .norm_guard = guard}});
        } else {
            f(polder::FisherSAM{base, {.rho = rho, .eta = eta, .norm_guard = guard}});
        }
    } else if (variant.starts_with("fsam") && variant.find("kozistr") != std::string::npos) {
        with_fsam<polder::LaggedReducedAverage>(hp, base, f);
    } else if (variant.starts_with("fsam") && variant.find("paper") != std::string::npos) {
        with_fsam<polder::MovingAverage>(hp, base, f);
    } else if (variant.starts_with("fsam")) {
        with_fsam<polder::LaggedAverage>(hp, base, f);
    } else if (variant.starts_with("bsam")) {
        with_measure(hp, [&](auto const& measure) {
            const double rho = hp.at("rho"), lambda = hp.at("lambda"), guard = hp.at("norm_eps");
            if (plus) {
                f(polder::BSAMPlus{
                    base,
                    {.rho = rho, .lambda = lambda, .kappa = hp.at("kappa"), .norm_guard = guard},
                    measure});
            } else {
                f(polder::BSAM{base, {.rho = rho, .lambda = lambda, .norm_guard = guard}, measure});
            }
        });
    } else {
        throw NotBuilt{"method " + variant};
    }
}

// ---- files ----

class Tally {
public:
    // Runs one case and prints its line.
    void run(std::string const& name, std::function<void()> const& check) {
        try {
            check();
            ++passed_;
            fmt::print("ok    {}\n", name);
        } catch (NotBuilt const& missing) {
            ++skipped_;
            fmt::print("skip  {}: {} is not built yet\n", name, missing.what);
        } catch (std::exception const& error) {
            ++failed_;
            fmt::print("FAIL  {}: {}\n", name, error.what());
        }
    }

    int finish() const {
        fmt::print("{} skipped\n{} passed, {} failed\n", skipped_, passed_, failed_);
        return failed_ == 0 ? 0 : 1;
    }

private:
    int passed_ = 0;
    int failed_ = 0;
    int skipped_ = 0;
};

void check_trajectories(std::string const& file, json const& document,
                        std::map<std::string, Problem> const& problems, Tally& tally) {
    json const& variants = document.at("variants");
    json const& bases = document.at("bases");
    json const& cases = document.at("cases");
    if (!cases.is_array() || cases.empty())
        throw SchemaError("'cases' must be a list that is not empty");
    for (json const& item : cases) {
        const std::string id = item.at("id");
        tally.run(file + " " + id, [&] {
            const std::string variant = item.at("variant");
            const std::string problem_name = item.at("problem");
            const auto problem = problems.find(problem_name);
            if (problem == problems.end())
                throw SchemaError("unknown problem '" + problem_name + "'");
            if (!variants.contains(variant)) throw SchemaError("unknown variant '" + variant + "'");
            const std::string base_name = item.at("base");
            if (!bases.contains(base_name)) throw SchemaError("unknown base '" + base_name + "'");
            json const& hp = variants.at(variant).at("hp");
            with_base(bases.at(base_name), [&](auto const& base) {
                with_method(variant, hp, base, [&](auto const& optimizer) {
                    replay<std::vector<double>>(optimizer, problem->second, item);
                    replay<std::vector<Eigen::VectorXd>>(optimizer, problem->second, item);
                });
            });
        });
    }
}

// Single perturbations for given gradients.
void check_units(std::string const& file, json const& document, Tally& tally) {
    std::size_t index = 0;
    for (json const& unit : document.at("units")) {
        const std::vector<double> w = golden::numbers(unit.at("w"), "w");
        const std::vector<double> g = golden::numbers(unit.at("g"), "g");
        if (w.size() != g.size()) throw SchemaError("'w' and 'g' differ in length");
        for (auto const& [method, expected] : unit.at("eps").items()) {
            tally.run(fmt::format("{} unit {} {}", file, index, method), [&, &method = method,
                                                                          &expected = expected] {
                constexpr std::string_view prefix = "sam_norm_eps_";
                if (!method.starts_with(prefix)) throw NotBuilt{"method " + method};
                polder::SAM optimizer{polder::SGD{},
                                      {.rho = expected.at("rho"),
                                       .norm_guard = std::stod(method.substr(prefix.size()))}};
                std::vector<double> x = w;
                std::vector<double> eps(w.size());
                optimizer.perturbation(
                    x,
                    [&](std::vector<double> const&, std::vector<double>& gradient) {
                        gradient = g;
                        return 0.0;
                    },
                    eps);
                check_vector("eps", eps, golden::numbers(expected.at("eps"), "eps"));
            });
        }
        ++index;
    }
}

json read_json(fs::path const& path) {
    std::ifstream stream(path);
    if (!stream) throw SchemaError("cannot be read");
    return json::parse(stream);
}

int run(fs::path const& directory) {
    std::vector<fs::path> files;
    for (auto const& item : fs::directory_iterator(directory)) {
        if (item.is_regular_file() && item.path().extension() == ".json")
            files.push_back(item.path());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) {
        fmt::print(stderr, "golden: no .json file in '{}'\n", directory.string());
        return 2;
    }

    Tally tally;
    std::map<std::string, Problem> problems;
    tally.run("problems.json",
              [&] { problems = golden::read_problems(read_json(directory / "problems.json")); });
    for (fs::path const& path : files) {
        const std::string file = path.filename().string();
        if (file == "problems.json") continue;
        try {
            const json document = read_json(path);
            if (document.contains("units")) {
                check_units(file, document, tally);
            } else if (document.contains("cases")) {
                check_trajectories(file, document, problems, tally);
                if (document.contains("mask_updates")) {
                    tally.run(file + " mask_updates", [] { throw NotBuilt{"method ssam_d"}; });
                }
            } else if (document.value("schema", "") == "golden-metrics-1") {
                tally.run(file, [&] { golden::check_metrics(document); });
            } else {
                throw SchemaError("expected 'cases', 'units' or the schema golden-metrics-1");
            }
        } catch (std::exception const& error) {
            const std::string message = error.what();
            tally.run(file, [&] { throw SchemaError(message); });
        }
    }
    return tally.finish();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Replays golden trajectories of reference implementations on polder's optimizers.\n"
        "Prints a line per case and ends with 'N passed, M failed'. Exit code: 0 when none "
        "failed,\n"
        "1 when a case failed or a file does not fit the schema, 2 for wrong arguments."};
    fs::path directory;
    app.add_option("--dir", directory, "Folder with problems.json and the trajectories")
        ->required();
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (!fs::is_directory(directory)) {
        fmt::print(stderr, "golden: --dir '{}': expected a folder\n", directory.string());
        return 2;
    }
    try {
        return run(directory);
    } catch (std::exception const& error) {
        fmt::print(stderr, "golden: {}\n", error.what());
        return 1;
    }
}
