# An overlay port: vcpkg install polder --overlay-ports=packaging/vcpkg
# The sources are those that the port lies in. For a registry, exchange the next lines for vcpkg_from_github.
cmake_path(SET SOURCE_PATH NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../../..")

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DPOLDER_BUILD_TESTS=OFF
        -DPOLDER_BUILD_EXAMPLES=OFF
        -DPOLDER_BUILD_BENCH=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/polder)
vcpkg_fixup_pkgconfig()

# Headers have no binaries of their own, for debugging or otherwise.
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
