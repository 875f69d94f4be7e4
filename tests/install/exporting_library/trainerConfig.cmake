include(CMakeFindDependencyMacro)
find_dependency(polder CONFIG)
include("${CMAKE_CURRENT_LIST_DIR}/trainerTargets.cmake")
