// What the fuzz targets share: seeds to start from, and what counts as a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Inputs that a reader accepts, or nearly: what the fuzzer changes.
std::vector<std::string> seeds();

/// Reads `text`. Damage is answered with std::runtime_error, whose message is one line.
void read_input(std::string const& text);

/// Ends the program with a finding.
[[noreturn]] inline void finding(std::string_view what) {
    std::cerr << "FINDING: " << what << '\n';
    std::abort();
}

// With POLDER_FUZZ_SEEDS=FOLDER the program writes its seeds there and ends.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
    if (char const* const folder = std::getenv("POLDER_FUZZ_SEEDS")) {
        std::size_t k = 0;
        for (auto const& seed : seeds())
            std::ofstream(std::filesystem::path(folder) / std::to_string(k++), std::ios::binary)
                << seed;
        std::exit(0);
    }
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    try {
        read_input({reinterpret_cast<char const*>(data), size});
    } catch (std::runtime_error const& error) {
        auto const message = std::string_view(error.what());
        if (message.find_first_of("\r\n") != std::string_view::npos)
            finding("the message of an error has several lines");
        if (message.size() > 4000) finding("the message of an error is too long to read");
    }
    return 0;
}
