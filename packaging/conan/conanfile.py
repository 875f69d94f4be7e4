"""Conan 2 recipe: conan create packaging/conan

The sources are those beside the recipe. For a release in a registry, exchange export_sources() for a get() of its archive.
"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.0"


class PolderConan(ConanFile):
    name = "polder"
    description = "Sharpness-aware optimizers for any C++ code base"
    license = "MIT"
    topics = ("optimization", "machine-learning", "header-only", "sharpness-aware-minimization")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"with_state": [True, False]}
    default_options = {"with_state": False}
    no_copy_source = True

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def set_version(self):
        text = load(self, os.path.join(self._root, "include", "polder", "version.hpp"))
        self.version = ".".join(re.findall(r"POLDER_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))

    def export_sources(self):
        for pattern in ("include/*", "cmake/*", "CMakeLists.txt", "LICENSE"):
            copy(self, pattern, self._root, self.export_sources_folder)

    def requirements(self):
        if self.options.with_state:
            self.requires("nlohmann_json/[>=3.9 <4]")

    def layout(self):
        cmake_layout(self)

    def validate(self):
        check_min_cppstd(self, 20)

    def package_id(self):
        self.info.settings.clear()

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES", "BENCH"):
            toolchain.cache_variables[f"POLDER_BUILD_{part}"] = False
        toolchain.generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()
        rmdir(self, os.path.join(self.package_folder, "lib"))  # Conan writes files for find_package itself
        rmdir(self, os.path.join(self.package_folder, "share"))
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "polder")
        self.cpp_info.components["core"].set_property("cmake_target_name", "polder::polder")
        self.cpp_info.components["core"].set_property("pkg_config_name", "polder")
        self.cpp_info.components["core"].cxxflags = ["-fno-math-errno"] if self.settings.compiler != "msvc" else []
        if self.options.with_state:
            self.cpp_info.components["state"].set_property("cmake_target_name", "polder::state")
            self.cpp_info.components["state"].requires = ["core", "nlohmann_json::nlohmann_json"]
