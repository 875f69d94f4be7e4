// What the golden files call a method and a base optimizer, as polder's registry does.

#include "golden/recipe.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "golden/tally.hpp"

namespace golden {

namespace {

using nlohmann::json;

// Numbers so that reading gives the same bits.
std::string text_of(json const& value) {
    if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_integer()) return value.dump();
    return fmt::format("{}", value.get<double>());
}

struct Reading {
    json const& hp;
    Recipe recipe{};

    void named(std::string name) { recipe.name = std::move(name); }
    void put(char const* option, json const& value) {
        recipe.options.emplace_back(option, text_of(value));
    }
    void read(char const* key, char const* option) { put(option, hp.at(key)); }
    void read(char const* key) { read(key, key); }
    void read_or(char const* key, char const* option, double by_default) {
        put(option, hp.value(key, by_default));
    }
    std::uint64_t count(char const* key) const { return hp.at(key).get<std::uint64_t>(); }
};

void read_fisher(Reading& r) {
    static std::map<std::string, std::string> const forms{
        {"batch_gradient_squared", "fisher_sam"},
        {"per_tensor_normaliser", "fisher_sam_blocks"},
        {"unit_norm", "fisher_sam_euclidean"},
        {"per_sample", "fisher_sam_samples"},
        {"damped", "fisher_sam_samples"}};
    std::string const form = r.hp.at("form");
    auto const found = forms.find(form);
    if (found == forms.end()) throw NotBuilt{"form " + form + " of FisherSAM"};
    r.named(found->second);
    r.read_or("eta", "eta", 1.0);
    r.read_or("delta", "damping", 1.0);
    r.recipe.takes_samples = found->second == "fisher_sam_samples";
}

void read_bsam(Reading& r) {
    static std::map<std::string, std::string> const distances{{"manhattan_sum", "manhattan"},
                                                              {"manhattan_mean", "manhattan_mean"},
                                                              {"euclidean", "euclidean"},
                                                              {"chebyshev", "chebyshev"},
                                                              {"cosine", "cosine"},
                                                              {"projection", "projection"},
                                                              {"similarity", "similarity"},
                                                              {"constant", "constant"},
                                                              {"none", "none"}};
    std::string const distance = r.hp.at("distance");
    auto const found = distances.find(distance);
    if (found == distances.end()) throw NotBuilt{"distance " + distance};
    r.named("bsam");
    r.put("distance", found->second);
    if (distance != "none") r.read("lambda");
    if (distance == "constant") r.read("sigma");
    if (r.hp.contains("scale")) r.read("scale");
}

void read_ssam(Reading& r) {
    r.recipe.epoch_length = r.hp.value("epoch_len", std::uint64_t{0});
    r.recipe.has_mask = true;
    if (!r.hp.contains("drop_rate")) return r.named(fixed_mask);
    r.named("ssam_d");
    for (char const* key : {"drop_strategy", "growth_strategy"}) {
        std::string const score = r.hp.at(key);
        if (score != "weight" && score != "gradient") throw NotBuilt{"score " + score};
    }
    r.read("sparsity");
    r.read("drop_rate");
    r.read("drop_strategy", "drop");
    r.read("growth_strategy", "growth");
    r.read("update_freq_epochs", "refresh_epochs");
    r.read("T_start", "first_epoch");
    r.read("T_end", "last_epoch");
}

void read_mirrors(Reading& r) {
    r.read("alpha1");
    r.read("alpha2");
    r.recipe.every = r.count("beta");
}

}  // namespace

Recipe recipe_of(std::string const& variant, json const& hp) {
    Reading r{hp};
    auto const starts = [&](char const* text) { return variant.starts_with(text); };
    auto const contains = [&](char const* text) { return variant.find(text) != std::string::npos; };
    bool in_ball = true;  // has a radius, and with kappa a form with two batches
    if (variant == "plain") {
        r.named("none");
        in_ball = false;
    } else if (starts("sam_gc")) {
        r.named("sam_centralised");
        r.recipe.needs_rows = true;
    } else if (starts("sam_multi")) {
        r.named("sam_ascents");
        r.put("ascents", r.count("sync_period") - 1);
    } else if (starts("sam_interval")) {
        r.named("sam");
        r.recipe.every = r.count("interval");
        r.recipe.phase = hp.at("phase") == "last" ? polder::Phase::last : polder::Phase::first;
    } else if (starts("sam_relative")) {
        r.named(contains("per_block") ? "sam_relative_blocks" : "sam_relative");
        r.read("relative_rho", "rho");
    } else if (variant == "sam" || starts("sam_norm_eps") || starts("sam_plus")) {
        r.named("sam");
    } else if (starts("sampa")) {
        r.named("sampa");
        r.read("lambda");
        r.recipe.evaluates_x = false;
    } else if (starts("asam")) {
        r.named("asam");
        r.read_or("eta", "eta", 0.0);
        r.recipe.exempt_biases = !contains("davda54");  // which scales all tensors
    } else if (starts("fisher_sam")) {
        read_fisher(r);
    } else if (starts("fsam")) {
        r.named(contains("kozistr") ? "fsam_reduced" : contains("paper") ? "fsam_after" : "fsam");
        r.read("sigma");
        r.read("lambda");
    } else if (starts("bsam")) {
        read_bsam(r);
    } else if (starts("vasso")) {
        r.named("vasso");
        r.read("theta");
    } else if (starts("momentum_sam")) {
        r.named("momentum_sam");
        r.read("sign");
        r.recipe.evaluates_x = false;
    } else if (starts("ssam")) {
        read_ssam(r);
    } else if (starts("gsam")) {
        r.named("gsam");
        r.read("alpha");
    } else if (starts("gnp")) {
        r.named("gnp");
        r.read("alpha");
        if (hp.contains("normalize_clean")) r.read("normalize_clean", "normalise_clean");
    } else if (starts("wsam")) {
        r.named(hp.at("decouple").get<bool>() ? "wsam" : "wsam_coupled");
        r.read("gamma");
    } else if (starts("looksam")) {
        r.named(contains("kozistr") ? "looksam_blocks" : "looksam");
        r.read("alpha");
        r.recipe.every = r.count("k");
    } else if (starts("mg")) {
        r.named("mg");
        read_mirrors(r);
        r.recipe.phase = contains("paper") ? polder::Phase::last : polder::Phase::first;
        r.recipe.epoch_length = hp.value("epoch_len", std::uint64_t{0});
        in_ball = false;
    } else if (starts("sgbd")) {
        r.named("sgbd");
        read_mirrors(r);
        r.put("literal", hp.at("nonmirror") == "alpha2");
        r.read("rho");
        r.read("delta", "norm_guard");
        in_ball = false;
    } else {
        throw NotBuilt{"method " + variant};
    }
    if (in_ball) {
        if (!hp.contains("relative_rho")) r.read("rho");
        r.read_or("norm_eps", "norm_guard", 1e-12);
        if (hp.contains("kappa")) {
            r.recipe.name += '+';
            r.read("kappa");
        }
    }
    return std::move(r.recipe);
}

Recipe recipe_of_unit(std::string const& method, json const& expected) {
    json hp{{"rho", expected.at("rho")}, {"eta", expected.value("eta", 0.0)}};
    std::string const guarded = "sam_norm_eps_";
    if (method.starts_with(guarded)) {
        hp["norm_eps"] = std::stod(method.substr(guarded.size()));
    } else if (method == "asam_samsung") {
        hp["norm_eps"] = 1e-16;
    } else if (method == "asam_davda54") {
        hp.erase("eta");
    } else if (method == "fisher_sam") {
        hp["form"] = "batch_gradient_squared";
    } else if (method == "fisher_sam_per_tensor") {
        hp["form"] = "per_tensor_normaliser";
    } else if (method != "sam_gc") {
        throw NotBuilt{"method " + method};
    }
    return recipe_of(method, hp);
}

Named base_of(json const& base) {
    using Keys = std::vector<std::pair<char const*, char const*>>;
    static std::map<std::string, Keys> const known{
        {"sgd", {{"momentum", "momentum"}, {"dampening", "dampening"}, {"nesterov", "nesterov"}}},
        {"adam", {{"betas", ""}, {"eps", "eps"}, {"amsgrad", "amsgrad"}}},
        {"adamw", {{"betas", ""}, {"eps", "eps"}, {"amsgrad", "amsgrad"}}},
        {"rmsprop",
         {{"alpha", "smoothing"},
          {"eps", "eps"},
          {"momentum", "momentum"},
          {"centered", "centered"}}},
        {"adagrad",
         {{"lr_decay", "learning_rate_decay"},
          {"initial_accumulator_value", "initial_accumulator"},
          {"eps", "eps"}}},
        {"lion", {{"betas", ""}}},
        {"lamb", {{"betas", ""}, {"eps", "eps"}}}};
    std::string const type = base.at("type");
    auto const found = known.find(type);
    if (found == known.end()) throw NotBuilt{"base optimizer " + type};
    Named result{type};
    auto const put = [&](char const* option, json const& value) {
        result.options.emplace_back(option, text_of(value));
    };
    put("learning_rate", base.at("lr"));
    put("weight_decay", base.at("weight_decay"));
    for (auto const& [key, option] : found->second) {
        json const& value = base.at(key);
        if (std::string(key) == "betas") {
            put("beta1", value.at(0));
            put("beta2", value.at(1));
        } else {
            put(option, value);
        }
    }
    return result;
}

}  // namespace golden
