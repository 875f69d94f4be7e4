// Writes the files of this folder: for every run of methods.hpp its state as NAME.safetensors, and into
// parameters.txt what the parameters were when it was saved and where the run ended:
//
//     NAME saved 0x1.8p-1 ...
//     NAME ended 0x1.4p-1 ...
//
//     write_state_0_1 FOLDER
//
// The files that are here come from the version which they are named for. With a later one this program shows
// what it would write itself.

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <polder/polder.hpp>
#include <polder/state/state.hpp>

#include "state/version_0_1/methods.hpp"

using namespace polder;
using namespace polder::test::version_0_1;

namespace {

// What a run begins with.
template <class Base>
void begin(SSAM<Base, FixedMask>& optimizer, ParameterArena<double>& x) {
    optimizer.set_mask(x, std::vector<std::uint8_t>{1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1});
}
void begin(auto&, auto&) {}

template <class T>
void write_parameters(std::ostream& file, std::string const& label, ParameterArena<T> const& x) {
    file << label;
    for (double const value : x) {
        char text[32];
        std::snprintf(text, sizeof text, " %a", value);
        file << text;
    }
    file << "\n";
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: write_state_0_1 FOLDER\n", stderr);
        return 2;
    }
    std::filesystem::path const folder = argv[1];
    std::ofstream parameters(folder / "parameters.txt");
    for_each_run([&](std::string const& name, auto optimizer, auto x, Events events) {
        begin(optimizer, x);
        advance(optimizer, x, steps_before, events);
        auto const file = folder / (name + ".safetensors");
        if (events.checkpoint) {
            save_checkpoint(file, optimizer, x);
        } else {
            save_state(file, optimizer, x);
        }
        write_parameters(parameters, name + " saved", x);
        advance(optimizer, x, steps_after, events);
        write_parameters(parameters, name + " ended", x);
    });
    parameters.close();
    if (!parameters) {
        std::fputs("write_state_0_1: parameters.txt cannot be written\n", stderr);
        return 1;
    }
}
