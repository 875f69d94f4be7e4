/// The Distance slot of Sharpness: a reference direction, and how far the gradient is from it.
#pragma once

#include <string>
#include <string_view>

#include <polder/distance/reference.hpp>
#include <polder/policy_name.hpp>

namespace polder {

/// Sums over all coordinates that every measure may use.
struct InnerProducts {
    double gg = 0;           ///< <g, g>
    double ge = 0;           ///< <g, e>
    double ee = 0;           ///< <e, e>
    double coordinates = 0;  ///< their number
};

/// v = g - d e,   d = measure(g, e).
/// Xu et al. (BSAM), eq. (9) and (11). g is the gradient, e the reference direction.
template <class Reference, class Measure>
struct DistanceTo {
    Reference reference{};
    Measure measure{};

    static std::string name() {
        return "DistanceTo<" + policy_name<Reference>() + ", " + policy_name<Measure>() + ">";
    }
    void validate() const {
        reference.validate();
        measure.validate();
    }
};

/// v = g: no reference direction is kept.
struct NoDistance {
    static constexpr std::string_view name = "NoDistance";
    void validate() const {}
};

}  // namespace polder
