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

# For pkg-config. Its file finds the headers from where it lies, so that the folder may be moved.
set(POLDER_PC_DIR "${CMAKE_INSTALL_DATAROOTDIR}/pkgconfig")
file(RELATIVE_PATH POLDER_PC_PREFIX "/${POLDER_PC_DIR}" "/")
configure_file("${CMAKE_CURRENT_LIST_DIR}/polder.pc.in" "${PROJECT_BINARY_DIR}/polder.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/polder.pc" DESTINATION "${POLDER_PC_DIR}")

install(TARGETS polder polder_state EXPORT polderTargets)
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING PATTERN "*.hpp")
install(EXPORT polderTargets NAMESPACE polder:: DESTINATION "${POLDER_PACKAGE_DIR}")
install(FILES
    "${PROJECT_BINARY_DIR}/polderConfig.cmake"
    "${PROJECT_BINARY_DIR}/polderConfigVersion.cmake"
    DESTINATION "${POLDER_PACKAGE_DIR}")

if(PROJECT_IS_TOP_LEVEL)
    set(CPACK_PACKAGE_VENDOR "the polder authors")
    set(CPACK_PACKAGE_CONTACT "the polder authors")
    set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
    set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
    set(CPACK_GENERATOR TGZ)
    set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
    set(CPACK_DEBIAN_PACKAGE_NAME libpolder-dev)
    set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
    set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
    set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
    set(CPACK_DEBIAN_PACKAGE_SUGGESTS nlohmann-json3-dev)
    include(CPack)
endif()
