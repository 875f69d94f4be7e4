// States that version 0.1 has written go on as they did there, bit for bit.
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <polder/polder.hpp>
#include <polder/state/state.hpp>

#include "state/version_0_1/methods.hpp"

using namespace polder;
using namespace polder::test::version_0_1;

namespace {

std::filesystem::path const folder = POLDER_SOURCE "/tests/state/version_0_1";

// What parameters.txt says, by "NAME saved" and "NAME ended".
std::map<std::string, std::vector<double>> recorded_parameters() {
    std::ifstream file(folder / "parameters.txt");
    REQUIRE(file);
    std::map<std::string, std::vector<double>> recorded;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string name, when;
        words >> name >> when;
        auto& values = recorded[name + " " + when];
        for (std::string word; words >> word;) values.push_back(std::stod(word));
    }
    return recorded;
}

// As %a, which tells all bits apart but those of NaN.
std::string text_of(auto const& values) {
    std::ostringstream text;
    text << std::hexfloat;
    for (double const value : values) text << value << ' ';
    return text.str();
}

}  // namespace

TEST_CASE("states of version 0.1 go on bit for bit", "[state]") {
    auto const recorded = recorded_parameters();
    std::size_t runs = 0;
    for_each_run([&](std::string const& name, auto optimizer, auto x, Events events) {
        CAPTURE(name);
        ++runs;
        auto const& saved = recorded.at(name + " saved");
        auto const file = folder / (name + ".safetensors");
        REQUIRE(saved.size() == x.size());
        if (events.checkpoint) {
            load_checkpoint(file, optimizer, x);
            CHECK(text_of(x) == text_of(saved));
        } else {
            load_state(file, optimizer, x);
            using T = typename decltype(x)::value_type;
            std::transform(saved.begin(), saved.end(), x.begin(),
                           [](double value) { return static_cast<T>(value); });
        }
        CHECK(optimizer.steps() == steps_before);
        CHECK(optimizer.skipped_steps() == (events.skips ? 1 : 0));
        advance(optimizer, x, steps_after, events);
        CHECK(text_of(x) == text_of(recorded.at(name + " ended")));
    });

    CHECK(recorded.size() == 2 * runs);
    std::size_t files = 0;
    for (auto const& entry : std::filesystem::directory_iterator(folder)) {
        files += entry.path().extension() == ".safetensors";
    }
    CHECK(files == runs);
}
