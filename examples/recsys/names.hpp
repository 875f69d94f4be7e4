/// Names as people type them: those of the library's registry of methods, for all that the suite names.
#pragma once

#include <polder/registry/names.hpp>

namespace polder::recsys {

using registry::edit_distance;
using registry::listed;
using registry::names_of;
using registry::nearest_names;
using registry::refuse_name;
using registry::require_known;

}  // namespace polder::recsys
