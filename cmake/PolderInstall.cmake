# Headers, the exported targets polder::polder and polder::state, and the package files that find_package reads.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(POLDER_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/polder")

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/polderConfig.cmake.in" "${PROJECT_BINARY_DIR}/polderConfig.cmake"
    INSTALL_DESTINATION "${POLDER_PACKAGE_DIR}"
    NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may break its users. Headers alone have no architecture.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/polderConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

install(TARGETS polder polder_state EXPORT polderTargets)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.hpp")
install(EXPORT polderTargets NAMESPACE polder:: DESTINATION "${POLDER_PACKAGE_DIR}")
install(FILES
    "${PROJECT_BINARY_DIR}/polderConfig.cmake"
    "${PROJECT_BINARY_DIR}/polderConfigVersion.cmake"
    DESTINATION "${POLDER_PACKAGE_DIR}")
