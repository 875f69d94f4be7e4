// Features.
#include "recsys/data/npy.hpp"

#include <cmath>
#include <sstream>

#include "fuzz.hpp"

namespace {

std::string npy(char version, std::string header, std::size_t bytes) {
    std::string text = "\x93NUMPY";
    text += version;
    text += '\0';
    text += static_cast<char>(header.size());
    text.append(version == 1 ? 1 : 3, '\0');
    return text + header + std::string(bytes, '\x3c');
}

}  // namespace

std::vector<std::string> seeds() {
    return {npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24),
            npy(2, "{'shape': (4, 1), 'fortran_order': False, 'descr': '<f8'}", 32),
            npy(3, "{\"descr\": \"<f2\", \"fortran_order\": True, \"shape\": (3,)}\n", 6)};
}

void read_input(std::string const& text) {
    std::istringstream stream(text);
    auto const matrix = polder::recsys::NpyReader(stream, text.size(), "input.npy").read();
    if (matrix.values.size() != matrix.rows * matrix.columns) finding("a matrix of another size");
    for (float const value : matrix.values)
        if (!std::isfinite(value)) finding("a value that is not finite");
}
