// Catch2 2 has no library with main: this file is it.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
