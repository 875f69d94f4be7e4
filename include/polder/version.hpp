#pragma once

/// Version of the library, after Semantic Versioning. CMake reads the three numbers from here.
#define POLDER_VERSION_MAJOR 0
#define POLDER_VERSION_MINOR 2
#define POLDER_VERSION_PATCH 0
