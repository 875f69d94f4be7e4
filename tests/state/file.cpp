#include "support/catch.hpp"

#include <filesystem>
#include <ostream>
#include <stdexcept>
#include <string>

#include <polder/state/file.hpp>

#include "support/temporary_directory.hpp"

using namespace polder;

TEST_CASE("a file is replaced as a whole or not at all", "[state]") {
    TemporaryDirectory const folder;
    folder.write("file", "old");
    require_writable(folder / "file");
    CHECK(folder.read("file") == "old");
    write_text_file(folder / "file", "new");
    CHECK(folder.read("file") == "new");
    CHECK_THROWS_AS(write_file(folder / "file",
                               [](std::ostream& stream) {
                                   stream << "half";
                                   stream.setstate(std::ios::failbit);
                               }),
                    FileError);
    CHECK(folder.read("file") == "new");
    CHECK_THROWS_AS(write_file(folder / "file",
                               [](std::ostream&) { throw std::domain_error("in the middle"); }),
                    std::domain_error);
    CHECK(folder.read("file") == "new");
    std::size_t n_files = 0;
    for ([[maybe_unused]] auto const& entry : std::filesystem::directory_iterator(folder.path()))
        ++n_files;
    CHECK(n_files == 1);
    CHECK_THROWS_WITH(require_writable(folder.path()),
                      ContainsSubstring("cannot be written: it is a directory"));
    CHECK_THROWS_WITH(require_writable(folder / "absent/file"),
                      ContainsSubstring("cannot be written: there is no directory"));
    CHECK_THROWS_WITH(require_writable(""), ContainsSubstring("cannot be written"));
}
