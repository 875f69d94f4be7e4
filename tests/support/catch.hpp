#pragma once

// Catch2 of either generation: 2.13 is one header, 3 is a library of many.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>

using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>

#include <string>

inline auto ContainsSubstring(std::string const& text) { return Catch::Matchers::Contains(text); }
#endif
