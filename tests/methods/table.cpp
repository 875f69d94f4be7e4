// The numbers of docs/methods.md that can be measured.

#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/any_method.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::AnyMethod;

namespace {

struct Row {
    double gradients = 0;
    double state = 0;
};

// The rows of the table, by the name in their first cell.
std::map<std::string, Row> read_table() {
    std::ifstream file(POLDER_SOURCE "/docs/methods.md");
    REQUIRE(file);
    std::map<std::string, Row> rows;
    std::string line;
    while (std::getline(file, line)) {
        if (!line.starts_with("| ")) continue;
        for (std::size_t at; (at = line.find("\\|")) != std::string::npos;) line.erase(at, 2);
        std::vector<std::string> cells;
        std::istringstream stream(line.substr(1));
        for (std::string cell; std::getline(stream, cell, '|');) {
            auto const first = cell.find_first_not_of(' ');
            auto const last = cell.find_last_not_of(' ');
            cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
        }
        if (cells.size() == 7 && cells[3] != "gradients") {
            rows[cells[0]] = {std::stod(cells[3]), std::stod(cells[4])};
        }
    }
    return rows;
}

std::size_t state_size(AnyMethod<float> method, std::size_t coordinates) {
    std::vector<float> x(coordinates);
    test::set_start(x);
    method->step(x, test::Valley{});
    return method->state().size();
}

}  // namespace

TEST_CASE("the table of methods says what is measured", "[methods]") {
    auto const rows = read_table();
    auto methods = test::all_methods<float>();
    auto const with_bases = test::all_methods<float>({}, true);
    const AnyMethod<float> plain = with_bases.front();
    auto const bytes = [](AnyMethod<float> const& method) {
        return static_cast<double>(state_size(method, 2000) - state_size(method, 1000)) / 1000;
    };
    const double base = bytes(plain);
    methods.push_back(plain);
    for (AnyMethod<float> const& method : with_bases) {
        // Of base optimizers the table says what they keep by themselves.
        if (method.name() != "Lion" && method.name() != "LAMB") continue;
        CAPTURE(method.name());
        auto const row = rows.find(method.name());
        REQUIRE(row != rows.end());
        CHECK(bytes(method) == row->second.state);
        CHECK(row->second.gradients == 1);
    }
    for (AnyMethod<float>& method : methods) {
        // Another distance changes neither number, and the method of the other page is the reader's.
        auto const unlisted = {"BSAM constant", "BSAM none", "BSAM+ Manhattan", test::written_name};
        if (std::count(unlisted.begin(), unlisted.end(), method.name()) > 0) continue;
        CAPTURE(method.name());
        auto const row = rows.find(method.name());
        REQUIRE(row != rows.end());
        CHECK(bytes(method) - base == row->second.state);
        std::vector<float> x(50);
        test::set_start(x);
        double evaluations = 0;
        for (int t = 0; t < 12; ++t) evaluations += method->step(x, test::Valley{}).evaluations;
        CHECK(std::abs(evaluations / 12 - row->second.gradients) < 0.005);
    }
}
