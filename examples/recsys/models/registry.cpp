#include "recsys/models/registry.hpp"

#include <array>

namespace polder::recsys {

// Each is defined in a file of its own, which CMake writes.
#define POLDER_MODEL(Model, header) ModelEntry entry_of_##Model();
#include "recsys/models/models.def"
#undef POLDER_MODEL

std::span<ModelEntry const> models() {
    static const std::array all{
#define POLDER_MODEL(Model, header) entry_of_##Model(),
#include "recsys/models/models.def"
#undef POLDER_MODEL
    };
    return all;
}

}  // namespace polder::recsys
