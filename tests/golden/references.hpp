/// What the files of golden/models/ call models, parameters and hyper-parameters, and what polder calls them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/models/hyper_parameters.hpp"

namespace golden {

struct Reference {
    std::string_view model;     ///< in the files
    std::string_view registry;  ///< here

    /// Names of parameters that differ: in the files, here. An empty name here: takes no part.
    std::map<std::string, std::string> parameters = {};
    /// The same for hyper-parameters.
    std::map<std::string, std::string> hyper_parameters = {};
    /// Hyper-parameters that the files do not have, because the reference has no such choice.
    std::set<std::string> own = {};
    /// What of these is set so that the model computes what the reference does.
    polder::recsys::Settings settings = {};
    /// Lists of numbers under `graphs`, as polder computes them.
    std::map<std::string, std::vector<double> (*)(polder::recsys::Dataset const&)> values = {};
    bool sigmoid_scores = false;  ///< the files have sigmoids of the inner products

    std::string name_of(std::string const& parameter) const {
        auto const at = parameters.find(parameter);
        return at == parameters.end() ? parameter : at->second;
    }
};

/// Every model of the suite.
std::vector<Reference> references();

}  // namespace golden
