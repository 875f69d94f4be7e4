/// The few numbers that passes of one step find and later passes of it use.
#pragma once

#include <cstdint>

#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/distance/distance_to.hpp>

namespace polder::detail {

// What was not finite in a step.
enum class Fault : std::uint8_t {
    none,
    loss,
    perturbed_loss,
    second_loss,
    sample_loss,
    gradient,
    perturbed_gradient,
    second_gradient,
    sample_gradient,
    mirrored_gradient,
    update_norm
};

constexpr char const* to_text(Fault fault) noexcept {
    switch (fault) {
    case Fault::none:
        break;
    case Fault::loss:
        return "loss";
    case Fault::perturbed_loss:
        return "loss at the perturbed point";
    case Fault::second_loss:
        return "loss of the second batch";
    case Fault::sample_loss:
        return "loss of a sample";
    case Fault::gradient:
        return "gradient";
    case Fault::perturbed_gradient:
        return "gradient at the perturbed point";
    case Fault::second_gradient:
        return "gradient of the second batch";
    case Fault::sample_gradient:
        return "gradient of a sample";
    case Fault::mirrored_gradient:
        return "gradient after the first half step";
    case Fault::update_norm:
        return "norm of the gradient";
    }
    return "";
}

// They lie where the passes run, in the host's memory or a device's, and are written and read there alone: a
// reduction ends in a function of its sums that writes them, a pass begins with one that makes the function of
// a coordinate from them. So nothing of a step has to come to the host before the report is read.
struct Numbers {
    // As in Report.
    double gradient_norm = Report::none;
    double perturbation_norm = Report::none;
    double update_norm = Report::none;
    double distance = Report::none;
    double cosine = Report::none;

    InnerProducts products;  // of g and e
    double norm = 0;         // ||v|| in the ball's norm
    double count = 0;        // of the largest |v|
    bool again = false;      // ||v|| is not known from inner products

    double gs = 0, ss = 0;  // <g, s> and <s, s>
    double along = 0;       // <s, g / ||g||>
    double reuse = 0;       // the weight of what LookSAM kept
    double scale = 1;       // what u is multiplied with, to keep to the norm

    Fault fault = Fault::none;  // the first

    // (Nobody looks where the fault is none.)
    POLDER_HOST_DEVICE void require(bool finite, Fault otherwise) {
        if (!finite && fault == Fault::none) fault = otherwise;
    }
};

// What the passes have found, in the report.
inline void copy_to(Report& report, Numbers const& n) {
    report.gradient_norm = n.gradient_norm;
    report.perturbation_norm = n.perturbation_norm;
    report.update_norm = n.update_norm;
    report.distance = n.distance;
    report.cosine = n.cosine;
}

}  // namespace polder::detail
