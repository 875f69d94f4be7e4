/// Sums of the gradient and its reference direction.
#pragma once

namespace polder {

/// Sums over all coordinates, which every measure may use.
struct InnerProducts {
    double gg = 0;           ///< <g, g>
    double ge = 0;           ///< <g, e>
    double ee = 0;           ///< <e, e>
    double coordinates = 0;  ///< their number
};

}  // namespace polder
