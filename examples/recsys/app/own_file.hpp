/// Files that a command may replace: its own.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include <polder/state/file.hpp>

namespace polder::recsys::app {

/// Throws FileError unless `file` can be written and is new, empty, or begins with `beginning`, as what the same
/// command wrote before does. Does nothing for an empty name.
inline void require_own(std::filesystem::path const& file, std::string_view beginning) {
    if (file.empty()) return;
    require_writable(file);
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) return;
    std::ifstream stream(file, std::ios::binary);
    std::string found(beginning.size(), '\0');
    stream.read(found.data(), static_cast<std::streamsize>(found.size()));
    found.resize(static_cast<std::size_t>(stream.gcount()));
    if (!found.empty() && found != beginning)
        throw FileError(file,
                        "is not a file that this command wrote, and is left as it is; expected "
                        "a new name");
}

}  // namespace polder::recsys::app
