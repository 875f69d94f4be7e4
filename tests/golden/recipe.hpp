/// What the golden files call a method and a base optimizer, as polder's registry does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <polder/registry/options.hpp>
#include <polder/schedule/interval.hpp>

namespace golden {

/// SSAM with the mask of the file, which is none of the registry's: there is no mask by name.
inline constexpr char const* fixed_mask = "ssam_fixed";

/// A name of the registry, and its options.
struct Named {
    std::string name;
    polder::registry::Options options{};
};

/// A method, and what it needs around it.
struct Recipe : Named {
    std::optional<std::uint64_t> every{};  // of how many steps one is the method's
    std::optional<polder::Phase> phase{};
    bool exempt_biases = false;  // tensors whose name lacks "weight" are not scaled
    bool needs_rows = false;     // of matrices, which not every container has
    bool takes_samples = false;  // option "samples": all of a batch
    bool evaluates_x = true;     // in every step, so that the loss there is in the report
    std::uint64_t epoch_length = 0;
    bool has_mask = false;  // at first that of the file
};

/// For a variant of a file of trajectories with its hyper-parameters. Throws NotBuilt and what nlohmann-json throws.
Recipe recipe_of(std::string const& variant, nlohmann::json const& hyper_parameters);

/// For a method of single perturbations.
Recipe recipe_of_unit(std::string const& method, nlohmann::json const& expected);

/// For the hyper-parameters of a base optimizer, with torch.optim's names.
Named base_of(nlohmann::json const& base);

}  // namespace golden
