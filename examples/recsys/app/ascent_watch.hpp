/// A word of warning where a method's ascent goes downhill.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "recsys/training/optimizer.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys::app {

/// Warns once in a run, after ten measured steps in a row in which the cosine between v = g - d e and g was below
/// zero: then x + eps lies downhill of x, and the method trains for a sharp minimum instead of a flat one.
class AscentWatch {
public:
    /// `label` begins the line, as in Progress.
    AscentWatch(OptimizerOptions optimizer, std::string label = {})
        : optimizer_(std::move(optimizer)), label_(std::move(label)) {}

    void after_batch(Trainer const& trainer, Report const& report) {
        if (is_said_ || trainer.state().n_downhill < 10) return;
        is_said_ = true;
        std::string distance, cure = "sam, which ascends along g itself";
        for (auto const& each : optimizer_values(optimizer_))
            if (each.name == "distance") {
                distance = fmt::format(" with distance = {}", to_text(each.value));
                cure = optimizer_.method + ":distance=cosine, whose distance is at most 2";
            }
        spdlog::warn("{}{}{}: the ascent goes downhill, the cosine between v = g - d e and g is "
                     "below zero in "
                     "ten steps in a row (now {:.2f}, d = {:.3g}); try {}",
                     label_, optimizer_.method, distance, report.cosine, report.distance, cure);
    }

private:
    OptimizerOptions optimizer_;
    std::string label_;
    bool is_said_ = false;
};

}  // namespace polder::recsys::app
