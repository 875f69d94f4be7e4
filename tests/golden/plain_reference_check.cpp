// plain_reference_check [FOLDER]: replays the golden trajectories on the reference in plain loops, so that what
// methods are compared with elsewhere is itself compared with something.
//
// FOLDER has the subfolders golden and golden_more; default: the environment's POLDER_SHARED. A few identities stand
// for methods of which no file has a trajectory. Prints a line for each case that fails or is not tried, with the
// reason, and ends with 'N passed, M failed, K not tried'. Exit code: 0 when none failed, 1 otherwise, 2 for wrong
// arguments, 77 where there is no such folder.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "golden/problem.hpp"
#include "support/plain_reference.hpp"

namespace {

using golden::Problem;
using golden::Tensor;
using nlohmann::json;
using plain::Vector;
namespace fs = std::filesystem;

constexpr double tolerance = 1e-12;  // of the largest component, see the README of the golden files

struct NotTried : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Tally {
    int passed = 0, failed = 0, not_tried = 0;

    template <class F>
    void run(std::string const& name, F const& check) {
        try {
            check();
            ++passed;
        } catch (NotTried const& reason) {
            ++not_tried;
            std::printf("not tried  %s: %s\n", name.c_str(), reason.what());
        } catch (std::exception const& error) {
            ++failed;
            std::printf("FAIL  %s: %s\n", name.c_str(), error.what());
        }
    }
};

void check_number(std::string const& what, double found, double expected, double bound) {
    if (std::abs(found - expected) <= bound) return;
    char text[100];
    std::snprintf(text, sizeof text, " is %.17g, expected %.17g", found, expected);
    throw std::runtime_error(what + text);
}

void check_vector(std::string const& what, Vector const& found, json const& list, double bound) {
    Vector const expected = golden::numbers(list, what);
    if (found.size() != expected.size()) {
        throw std::runtime_error(what + " has " + std::to_string(found.size()) +
                                 " values, expected " + std::to_string(expected.size()));
    }
    double largest = 0;
    for (double b : expected) largest = std::max(largest, std::abs(b));
    for (std::size_t i = 0; i < found.size(); ++i) {
        check_number(what + "[" + std::to_string(i) + "]", found[i], expected[i], bound * largest);
    }
}

double norm(Vector const& a) {
    double sum = 0;
    for (double value : a) sum += value * value;
    return std::sqrt(sum);
}

// Group 1: not adaptive, for tensors whose name lacks "weight".
std::vector<plain::Block> blocks_of(std::vector<Tensor> const& tensors, bool exempt_biases) {
    std::vector<plain::Block> blocks;
    for (Tensor const& t : tensors) {
        bool const exempt = exempt_biases && t.name.find("weight") == std::string::npos;
        blocks.push_back({.size = t.size(),
                          .rows = t.rows,
                          .cols = t.cols,
                          .group = exempt ? std::size_t{1} : std::size_t{0}});
    }
    return blocks;
}

plain::Base base_of(json const& b) {
    static std::map<std::string, plain::Rule> const rules{
        {"sgd", plain::Rule::sgd},        {"adam", plain::Rule::adam},
        {"lion", plain::Rule::lion},      {"adamw", plain::Rule::adamw},
        {"lamb", plain::Rule::lamb},      {"rmsprop", plain::Rule::rmsprop},
        {"adagrad", plain::Rule::adagrad}};
    auto const rule = rules.find(b.at("type"));
    if (rule == rules.end()) throw NotTried("unknown base optimizer " + b.at("type").dump());
    plain::Base base{.rule = rule->second,
                     .learning_rate = b.at("lr"),
                     .weight_decay = b.at("weight_decay"),
                     .momentum = b.value("momentum", 0.0),
                     .dampening = b.value("dampening", 0.0),
                     .nesterov = b.value("nesterov", false),
                     .eps = b.value("eps", 0.0),
                     .amsgrad = b.value("amsgrad", false),
                     .alpha = b.value("alpha", 0.99),
                     .centered = b.value("centered", false),
                     .learning_rate_decay = b.value("lr_decay", 0.0),
                     .initial_accumulator_value = b.value("initial_accumulator_value", 0.0)};
    if (b.contains("betas")) {
        base.beta1 = b.at("betas").at(0);
        base.beta2 = b.at("betas").at(1);
    }
    return base;
}

plain::Measure measure_of(std::string const& name) {
    static std::map<std::string, plain::Measure> const measures{
        {"manhattan_sum", plain::Measure::manhattan},
        {"manhattan_mean", plain::Measure::manhattan_mean},
        {"euclidean", plain::Measure::euclidean},
        {"chebyshev", plain::Measure::chebyshev},
        {"cosine", plain::Measure::cosine},
        {"constant", plain::Measure::constant},
        {"projection", plain::Measure::projection},
        {"similarity", plain::Measure::similarity}};
    auto const measure = measures.find(name);
    if (measure == measures.end()) throw NotTried("unknown distance " + name);
    return measure->second;
}

plain::Score score_of(std::string const& name) {
    if (name != "weight" && name != "gradient") throw NotTried("unknown score " + name);
    return name == "weight" ? plain::Score::weight : plain::Score::gradient;
}

// What a variant of the files is; throws NotTried where it is unknown.
plain::Method method_of(std::string const& variant, json const& hp) {
    auto const starts = [&](char const* text) { return variant.starts_with(text); };
    auto const contains = [&](char const* text) { return variant.find(text) != std::string::npos; };
    plain::Method method;
    plain::Perturb& perturb = method.perturb;
    perturb.rho = hp.value("rho", 0.0);
    perturb.norm_guard = hp.value("norm_eps", 1e-12);
    if (hp.contains("kappa")) method.mix.kappa = hp.at("kappa").get<double>();
    if (variant == "plain") return method;
    perturb.ball = plain::Ball::euclidean;

    if (starts("sam_gc")) {
        perturb.around = {plain::Around::centralised};
    } else if (starts("sam_multi")) {
        perturb.around = {plain::Around::ascents};
        perturb.ascents = hp.at("sync_period").get<int>() - 1;
    } else if (starts("sam_interval")) {
        method.interval = {.every = hp.at("interval"), .last = hp.at("phase") == "last"};
    } else if (starts("sam_relative")) {
        perturb.rho = hp.at("relative_rho");
        perturb.around = {contains("per_block") ? plain::Around::relative_per_block
                                                : plain::Around::relative};
    } else if (starts("sampa")) {
        method.scheme = plain::Scheme::sampa;
        method.lambda = hp.at("lambda");
    } else if (variant == "sam" || starts("sam_norm_eps") || starts("sam_plus")) {
    } else if (starts("asam")) {
        perturb.ball = plain::Ball::adaptive;
        perturb.eta = hp.value("eta", 0.0);
    } else if (starts("fisher_sam")) {
        std::string const form = hp.at("form");
        perturb.ball = plain::Ball::fisher;
        perturb.eta = hp.value("eta", 1.0);
        perturb.damping = hp.value("delta", 1.0);
        if (form == "per_tensor_normaliser") {
            perturb.norm = plain::FisherNorm::metric_per_block;
        } else if (form == "unit_norm") {
            perturb.norm = plain::FisherNorm::euclidean;
        } else if (form == "per_sample" || form == "damped") {
            perturb.estimate = plain::Estimate::samples;
        } else if (form != "batch_gradient_squared") {
            throw NotTried("unknown form " + form + " of FisherSAM");
        }
    } else if (starts("fsam")) {
        method.distance = {.reference = contains("kozistr") ? plain::Reference::lagged_reduced
                                        : contains("paper") ? plain::Reference::moving
                                                            : plain::Reference::lagged,
                           .measure = plain::Measure::constant,
                           .lambda = hp.at("lambda"),
                           .sigma = hp.at("sigma")};
    } else if (starts("bsam")) {
        method.distance = {.reference = plain::Reference::moving,
                           .measure = measure_of(hp.at("distance")),
                           .lambda = hp.at("lambda"),
                           .sigma = hp.value("sigma", 1.0),
                           .scale = hp.value("scale", 1.0)};
    } else if (starts("vasso")) {
        method.distance = {.reference = plain::Reference::first_gradient,
                           .along_average = true,
                           .lambda = 1 - hp.at("theta").get<double>()};
    } else if (starts("momentum_sam")) {
        method.scheme = plain::Scheme::momentum_sam;
        method.sign = hp.at("sign");
    } else if (starts("ssam")) {
        perturb.around = {plain::Around::mask};
        if (hp.contains("drop_rate")) {
            perturb.mask = {.kind = plain::MaskKind::dynamic,
                            .sparsity = hp.at("sparsity"),
                            .drop_rate = hp.at("drop_rate"),
                            .drop = score_of(hp.at("drop_strategy")),
                            .growth = score_of(hp.at("growth_strategy")),
                            .refresh_epochs = hp.at("update_freq_epochs"),
                            .first_epoch = hp.at("T_start"),
                            .last_epoch = hp.at("T_end")};
        }
    } else if (starts("gsam")) {
        method.mix.kind = plain::Mixture::surrogate_gap;
        method.mix.alpha = hp.at("alpha");
    } else if (starts("gnp")) {
        method.mix.kind = plain::Mixture::same_batch;
        method.mix.alpha = hp.at("alpha");
        method.mix.normalise_clean = hp.at("normalize_clean");
    } else if (starts("wsam")) {
        method.mix.kind = hp.at("decouple").get<bool>() ? plain::Mixture::decoupled_sharpness
                                                        : plain::Mixture::weighted_sharpness;
        method.mix.gamma = hp.at("gamma");
    } else if (starts("looksam")) {
        method.mix.kind = plain::Mixture::reused_ascent;
        method.mix.per_block = contains("kozistr");
        method.mix.alpha = hp.at("alpha");
        method.interval.every = hp.at("k");
    } else if (starts("mg") || starts("sgbd")) {
        bool const ascends = starts("sgbd");
        method.scheme = plain::Scheme::mirror;
        method.alpha1 = hp.at("alpha1");
        method.alpha2 = hp.at("alpha2");
        method.interval = {.every = hp.at("beta"),
                           .last = contains("paper"),
                           .restart_each_epoch = variant == "mg"};
        if (ascends) {
            perturb.norm_guard = hp.at("delta");
            method.between = hp.at("nonmirror") == "alpha2" ? method.alpha2 : 1;
        } else {
            perturb.ball = plain::Ball::none;
        }
    } else {
        throw NotTried("unknown method");
    }
    return method;
}

// What the file has for a step, or nullptr.
json const* entry(json const& item, char const* key, std::size_t step) {
    if (!item.contains(key) || item.at(key).at(step).is_null()) return nullptr;
    return &item.at(key).at(step);
}

void replay(json const& document, json const& item, Problem const& problem) {
    std::string const variant = item.at("variant");
    json const& hp = document.at("variants").at(variant).at("hp");
    plain::Method method = method_of(variant, hp);
    method.base = base_of(document.at("bases").at(item.at("base").get<std::string>()));
    bool const exempt_biases = variant.starts_with("asam") && variant != "asam_davda54";
    plain::Optimizer optimizer(method, blocks_of(problem.tensors, exempt_biases),
                               {{.adaptive = false}});
    if (document.contains("masks")) {
        optimizer.mask = document.at("masks")
                             .at(item.at("problem").get<std::string>())
                             .at("mask")
                             .get<std::vector<std::uint8_t>>();
    }
    std::size_t const epoch_length = hp.value("epoch_len", std::size_t{0});
    Vector x = problem.initial;
    for (std::size_t t = 0; t < item.at("params").size(); ++t) {
        auto const closure = [&](Vector const& at, Vector& g, int batch, bool, int sample) {
            auto const& samples = (batch == 0 ? problem.first : problem.second).at(t);
            if (sample < 0) return problem.loss(at, samples, g);
            return problem.loss(at, {samples.at(static_cast<std::size_t>(sample))}, g);
        };
        std::string const step = "step " + std::to_string(t) + ": ";
        auto const check = [&](char const* key, Vector const& found, double bound = tolerance) {
            if (json const* list = entry(item, key, t))
                check_vector(step + key, found, *list, bound);
        };
        if (epoch_length != 0 && t % epoch_length == 0) optimizer.begin_epoch();
        optimizer.method.perturb.samples = static_cast<int>(problem.first.at(t).size());
        json const* const eps = entry(item, "eps", t);
        bool const has_eps = optimizer.method.perturb.ball != plain::Ball::none;
        if (eps != nullptr && has_eps) {
            check_vector(step + "perturbation", optimizer.perturbation(x, closure), *eps,
                         tolerance);
        }
        double loss = optimizer.step(x, closure);
        if (json const* value = entry(item, "loss", t)) {
            // Some methods do not evaluate it.
            Vector at = t == 0 ? problem.initial : golden::numbers(item.at("params").at(t - 1), "");
            Vector g(at.size());
            if (std::isnan(loss)) loss = closure(at, g, 0, false, -1);
            double const expected = *value;
            check_number(step + "loss", loss, expected, tolerance * std::abs(expected));
        }
        if (json const* value = entry(item, "d", t)) {
            double const expected = *value;
            check_number(step + "d", optimizer.distance, expected,
                         tolerance * std::max(1.0, std::abs(expected)));
        }
        if (has_eps) {
            check("eps", optimizer.eps);
            if (json const* value = entry(item, "eps_norm", t)) {
                double const expected = *value;
                check_number(step + "eps_norm", norm(optimizer.eps), expected,
                             tolerance * std::abs(expected));
            }
        }
        check("mid", optimizer.mid);
        check("params", x);
        check("mask", {optimizer.mask.begin(), optimizer.mask.end()}, 0);
    }
}

// A single perturbation for a given gradient.
void check_unit(json const& unit, std::string const& name, json const& expected) {
    constexpr std::string_view guarded = "sam_norm_eps_";
    json hp{{"rho", expected.at("rho")}, {"eta", expected.value("eta", 0.0)}};
    if (name.starts_with(guarded)) hp["norm_eps"] = std::stod(name.substr(guarded.size()));
    if (name == "asam_samsung") hp["norm_eps"] = 1e-16;
    hp["form"] =
        name == "fisher_sam_per_tensor" ? "per_tensor_normaliser" : "batch_gradient_squared";
    Vector const w = golden::numbers(unit.at("w"), "w"), g = golden::numbers(unit.at("g"), "g");
    plain::Optimizer const optimizer(
        method_of(name, hp),
        blocks_of(golden::read_tensors(unit.at("tensors")), name == "asam_samsung"),
        {{.adaptive = false}});
    Vector const eps =
        optimizer.perturbation(w, [&](Vector const&, Vector& gradient, int, bool, int) {
            gradient = g;
            return 0.0;
        });
    check_vector("eps", eps, expected.at("eps"), tolerance);
}

// Masks by their scores, taken by an optimizer that stands still.
void check_mask(json const& item, Problem const& problem, bool dynamic) {
    Vector const scores = golden::numbers(item.at("scores"), "scores");
    plain::Method method{.perturb = {.ball = plain::Ball::euclidean}, .base = {.learning_rate = 0}};
    method.perturb.around = {plain::Around::mask};
    method.perturb.mask = {.kind = dynamic ? plain::MaskKind::dynamic : plain::MaskKind::fisher,
                           .sparsity = item.at("sparsity"),
                           .refresh_epochs = 1,
                           .random_score = [&](std::size_t i, std::uint64_t) { return scores[i]; }};
    golden::Samples samples;
    if (!dynamic) samples = item.at("samples").get<golden::Samples>();
    method.perturb.mask.samples = static_cast<int>(samples.size());
    plain::Optimizer optimizer(method, {{.size = scores.size()}});
    Vector x = problem.initial;
    for (int step = 0; step < 2 && !dynamic; ++step) {
        optimizer.step(x, [&](Vector const& at, Vector& g, int, bool, int sample) {
            if (sample < 0) return problem.loss(at, samples, g);
            return problem.loss(at, {samples.at(static_cast<std::size_t>(sample))}, g);
        });
    }
    check_vector("mask", {optimizer.mask.begin(), optimizer.mask.end()}, item.at("mask"), 0);
}

void check_mask_update(json const& item) {
    Vector const death = golden::numbers(item.at("death_scores"), "death_scores");
    Vector const growth = golden::numbers(item.at("growth_scores"), "growth_scores");
    std::uint64_t const epoch = item.at("epoch");
    plain::Method method{.perturb = {.ball = plain::Ball::euclidean}, .base = {.learning_rate = 0}};
    method.perturb.around = {plain::Around::mask};
    method.perturb.mask = {.kind = plain::MaskKind::dynamic,
                           .sparsity = item.at("sparsity"),
                           .drop_rate = item.at("drop_rate"),
                           .drop = plain::Score::random,
                           .growth = plain::Score::random,
                           .refresh_epochs = 1,
                           .first_epoch = item.at("T_start"),
                           .last_epoch = item.at("T_end"),
                           .random_score = [&](std::size_t i, std::uint64_t draw) {
                               return draw == 2 * epoch + 1 ? death[i] : growth[i];
                           }};
    plain::Optimizer optimizer(method, {{.size = death.size()}});
    optimizer.mask = item.at("mask").get<std::vector<std::uint8_t>>();
    for (std::uint64_t e = 0; e <= epoch; ++e) optimizer.begin_epoch();
    Vector x(death.size(), 1);
    optimizer.step(x, [](Vector const& at, Vector& g, int, bool, int) {
        g = at;
        return 0.0;
    });
    check_vector("new_mask", {optimizer.mask.begin(), optimizer.mask.end()}, item.at("new_mask"),
                 0);
}

// What no file has, by what it has to agree with over SGD without momentum, whose steps are linear in u.
void check_identities(std::string const& name, Problem const& problem, Tally& tally) {
    auto const after = [&](plain::Method const& method) {
        plain::Optimizer optimizer(method, blocks_of(problem.tensors, false));
        Vector x = problem.initial;
        for (std::size_t t = 0; t < problem.first.size(); ++t) {
            optimizer.step(x, [&](Vector const& at, Vector& g, int batch, bool, int) {
                return problem.loss(at, (batch == 0 ? problem.first : problem.second)[t], g);
            });
        }
        return x;
    };
    auto const agree = [&](std::string const& what, plain::Method const& a,
                           plain::Method const& b) {
        tally.run("identity " + name + " " + what,
                  [&] { check_vector("x", after(a), after(b), tolerance); });
    };
    plain::Method const plus{.mix = {.kappa = 0.4}, .base = {.learning_rate = 0.02}};
    plain::Method sam = plus, second = plus;
    second.mix.kappa = 0;
    sam.perturb.ball = plain::Ball::euclidean;
    sam.perturb.rho = 0.1;

    plain::Method decoupled = sam, coupled = sam;
    decoupled.mix.kind = plain::Mixture::decoupled_sharpness;
    coupled.mix.kind = plain::Mixture::weighted_sharpness;
    agree("decoupled WSAM+ is WSAM+", decoupled, coupled);

    for (auto kind : {plain::Mixture::same_batch, plain::Mixture::surrogate_gap,
                      plain::Mixture::weighted_sharpness, plain::Mixture::decoupled_sharpness,
                      plain::Mixture::reused_ascent}) {
        std::string const mixture = "mixture " + std::to_string(static_cast<int>(kind));
        plain::Method all = sam, alone = sam, none = sam;
        all.mix.kind = alone.mix.kind = none.mix.kind = kind;
        all.interval.every = alone.interval.every = kind == plain::Mixture::reused_ascent ? 3 : 1;
        none.interval = all.interval;
        all.mix.kappa = 1;
        alone.mix.kappa.reset();
        none.mix.kappa = 0;
        agree(mixture + "+ with kappa = 1 is without +", all, alone);
        agree(mixture + "+ with kappa = 0 is the base on B2", none, second);
    }

    plain::Method esam = sam, even = sam;
    esam.perturb.around = even.perturb.around = {plain::Around::bernoulli};
    esam.perturb.beta = 1;
    esam.perturb.draw = [](std::uint64_t, std::size_t) { return true; };
    agree("ESAM with beta = 1 is SAM", esam, sam);
    even.perturb.beta = 0.6;
    even.perturb.draw = [](std::uint64_t, std::size_t i) { return i % 2 == 0; };
    plain::Method masked = sam;
    masked.perturb.rho /= 0.6;
    masked.perturb.around = {plain::Around::mask};
    masked.perturb.mask = {
        .kind = plain::MaskKind::dynamic,
        .sparsity = 0.5,
        .drop_rate = 0,
        .refresh_epochs = 1,
        .random_score = [](std::size_t i, std::uint64_t) { return i % 2 == 0 ? 1.0 : 0.0; }};
    if (problem.initial.size() % 2 == 0) agree("ESAM is SAM with a mask over beta", even, masked);

    plain::Method batch = sam, running = sam, p_norm = sam;
    batch.perturb.ball = running.perturb.ball = plain::Ball::fisher;
    batch.perturb.eta = running.perturb.eta = 1;
    running.perturb.estimate = plain::Estimate::running;
    running.perturb.decay = 0;
    agree("a running Fisher estimate without decay is that of the batch", running, batch);
    p_norm.perturb.ball = plain::Ball::p_norm;
    agree("the ball of p = 2 is the Euclidean one", p_norm, sam);

    plain::Method vasso = sam;
    vasso.distance = {
        .reference = plain::Reference::first_gradient, .along_average = true, .lambda = 0};
    agree("VaSSO with theta = 1 is SAM", vasso, sam);
}

json read_json(fs::path const& path) {
    std::ifstream stream(path);
    if (!stream) throw std::runtime_error("cannot be read");
    return json::parse(stream);
}

void check_file(fs::path const& path, std::map<std::string, Problem> const& problems,
                Tally& tally) {
    std::string const file = path.filename().string();
    json const document = read_json(path);
    if (document.contains("cases")) {
        for (json const& item : document.at("cases")) {
            tally.run(file + " " + item.at("id").get<std::string>(), [&] {
                replay(document, item, problems.at(item.at("problem").get<std::string>()));
            });
        }
    } else if (document.contains("units")) {
        std::size_t index = 0;
        for (json const& unit : document.at("units")) {
            for (auto const& [name, expected] : unit.at("eps").items()) {
                tally.run(
                    file + " unit " + std::to_string(index) + " " + name,
                    [&, &name = name, &expected = expected] { check_unit(unit, name, expected); });
            }
            ++index;
        }
    } else {
        tally.run(file, [&] {
            throw NotTried("neither trajectories nor perturbations, but " +
                           document.value("schema", std::string("something else")));
        });
    }
    if (document.contains("masks")) {
        for (auto const& [name, item] : document.at("masks").items()) {
            tally.run(file + " mask " + name, [&, &name = name, &item = item] {
                check_mask(item, problems.at(name), file == "ssam_d.json");
            });
        }
    }
    if (document.contains("mask_updates")) {
        std::size_t index = 0;
        for (json const& item : document.at("mask_updates")) {
            tally.run(file + " mask update " + std::to_string(index++),
                      [&] { check_mask_update(item); });
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 2) {
        std::fprintf(stderr, "usage: plain_reference_check [FOLDER]\n");
        return 2;
    }
    char const* const shared = argc == 2 ? argv[1] : std::getenv("POLDER_SHARED");
    fs::path const folder = shared == nullptr ? "" : shared;
    if (folder.empty() || !fs::is_directory(folder / "golden")) {
        std::printf("SKIPPED: '%s' has no folder golden; name one that has, or set POLDER_SHARED\n",
                    folder.string().c_str());
        return argc == 2 ? 2 : 77;
    }
    Tally tally;
    for (char const* name : {"golden", "golden_more"}) {
        fs::path const directory = folder / name;
        if (!fs::is_directory(directory)) continue;
        try {
            auto const problems = golden::read_problems(read_json(directory / "problems.json"));
            if (std::string(name) == "golden") {
                for (auto const& [problem, data] : problems) check_identities(problem, data, tally);
            }
            std::vector<fs::path> files;
            for (auto const& item : fs::directory_iterator(directory)) {
                if (item.path().extension() == ".json" && item.path().filename() != "problems.json")
                    files.push_back(item.path());
            }
            std::sort(files.begin(), files.end());
            for (fs::path const& path : files) {
                try {
                    check_file(path, problems, tally);
                } catch (std::exception const& error) {
                    std::string const message = error.what();
                    tally.run(path.filename().string(), [&] { throw std::runtime_error(message); });
                }
            }
        } catch (std::exception const& error) {
            std::string const message = error.what();
            tally.run(name, [&] { throw std::runtime_error(message); });
        }
    }
    std::printf("%d passed, %d failed, %d not tried\n", tally.passed, tally.failed,
                tally.not_tried);
    return tally.failed == 0 ? 0 : 1;
}
