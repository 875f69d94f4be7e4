/// Which models learn from items that a user does not have.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace polder::recsys {

/// Models whose loss does not look at Triples::negatives. A test holds the list against all models.
inline constexpr std::array<std::string_view, 3> models_without_negatives{"selfcf", "bm3",
                                                                          "slmrec"};

/// Whether the loss of this model depends on the negatives of a batch.
inline bool draws_negatives(std::string_view model) {
    auto const& without = models_without_negatives;
    model = model.substr(0, model.find('+'));  // under attack
    return std::find(without.begin(), without.end(), model) == without.end();
}

}  // namespace polder::recsys
