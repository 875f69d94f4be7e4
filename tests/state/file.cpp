#include "support/catch.hpp"

#include <filesystem>
#include <iterator>
#include <ostream>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

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

TEST_CASE("links are followed and permissions stay", "[state]") {
    namespace fs = std::filesystem;
    TemporaryDirectory const folder;
    fs::create_directory(folder / "far");
    folder.write("far/file", "old");
    fs::permissions(folder / "far/file", fs::perms::owner_read | fs::perms::owner_write);
    fs::create_symlink("far/file", folder / "link");
    fs::create_symlink("link", folder / "link_to_link");
    fs::create_directory_symlink("far", folder / "folder_link");
    fs::create_symlink("far/new", folder / "dangling");
    fs::create_symlink("circle", folder / "circle");
    for (auto const* name : {"link", "link_to_link", "folder_link/file", "far/file"}) {
        CAPTURE(name);
        CHECK(is_replaced(folder / name));
        write_text_file(folder / name, name);
        CHECK(folder.read("far/file") == name);
        CHECK(fs::status(folder / "far/file").permissions() ==
              (fs::perms::owner_read | fs::perms::owner_write));
    }
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(fs::is_symlink(folder / "link_to_link"));
    write_text_file(folder / "dangling", "new");
    CHECK(fs::is_symlink(folder / "dangling"));
    CHECK(folder.read("far/new") == "new");
    CHECK_THROWS_WITH(write_text_file(folder / "circle", ""),
                      ContainsSubstring("its links lead in a circle"));
    CHECK(std::distance(fs::directory_iterator(folder / "far"), {}) == 2);
}

TEST_CASE("two writers of one file do not mix", "[state]") {
    TemporaryDirectory const folder;
    write_file(folder / "file", [&](std::ostream& stream) {
        stream << "outer";
        write_text_file(folder / "file", "inner");
        CHECK(folder.read("file") == "inner");
    });
    CHECK(folder.read("file") == "outer");
    std::string const long_name(255, 'x');
    write_text_file(folder / long_name, "long");
    CHECK(folder.read(long_name) == "long");
    CHECK_THROWS_WITH(write_text_file(folder / std::string(256, 'x'), ""),
                      ContainsSubstring("cannot be written"));
    CHECK_THROWS_WITH(
        write_text_file(folder / "line\nfeed/file", ""),
        ContainsSubstring("line?feed/file: cannot be written: there is no directory"));
}

#if defined(__linux__)
TEST_CASE("devices, pipes and open files are written to directly", "[state]") {
    namespace fs = std::filesystem;
    for (auto const* name : {"/dev/null", "/dev/full", "/dev/stdout", "/dev/fd/1"}) {
        CAPTURE(name);
        CHECK_FALSE(is_replaced(name));
        CHECK_FALSE(fs::exists(std::string(name) + ".part"));
    }
    write_text_file("/dev/null", "nothing");
    CHECK(fs::is_character_file("/dev/null"));
    require_writable("/dev/full");
    CHECK_THROWS_WITH(write_text_file("/dev/full", "text"),
                      ContainsSubstring("/dev/full: cannot be written: No space left on device"));
    CHECK_THROWS_WITH(write_text_file("/dev/fd/999", ""), ContainsSubstring("no open file"));
    CHECK_THROWS_WITH(write_text_file("/proc/file", ""),
                      ContainsSubstring("no file can be made in the folder /proc"));

    TemporaryDirectory const folder;
    folder.write("file", "before\n");
    int const descriptor =
        open((folder / "file").c_str(), O_WRONLY | O_APPEND);  // as a shell's >> does
    REQUIRE(descriptor >= 0);
    write_text_file("/dev/fd/" + std::to_string(descriptor), "after\n");
    close(descriptor);
    CHECK(folder.read("file") == "before\nafter\n");
}
#endif
