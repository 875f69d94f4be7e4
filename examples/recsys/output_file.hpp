/// Files that are either complete or not there.
#pragma once

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace polder::recsys {

namespace detail {

[[noreturn]] inline void refuse_output(std::filesystem::path const& file, std::string const& why) {
    throw std::runtime_error(file.string() + ": cannot be written: " + why);
}

// Devices and pipes cannot be replaced by a renamed file, they are written to directly.
inline std::filesystem::path written_path(std::filesystem::path const& file) {
    std::error_code error;
    auto const type = std::filesystem::status(file, error).type();
    bool const is_replaceable = type == std::filesystem::file_type::not_found ||
                                type == std::filesystem::file_type::regular;
    return is_replaceable ? std::filesystem::path(file.string() + ".part") : file;
}

inline std::ofstream open_output(std::filesystem::path const& file) {
    std::error_code error;
    if (file.empty()) refuse_output(file, "the name is empty");
    if (std::filesystem::is_directory(file, error)) refuse_output(file, "it is a directory");
    auto const folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
    if (!std::filesystem::is_directory(folder, error))
        refuse_output(file, "there is no directory " + folder.string());
    errno = 0;
    std::ofstream stream(written_path(file), std::ios::binary | std::ios::trunc);
    if (!stream) refuse_output(file, std::strerror(errno));
    return stream;
}

}  // namespace detail

/// Throws std::runtime_error that says why, unless `file` can be written. Changes nothing.
inline void require_writable(std::filesystem::path const& file) {
    detail::open_output(file);
    std::error_code error;
    if (auto const path = detail::written_path(file); path != file)
        std::filesystem::remove(path, error);
}

/// Calls write(stream) on a temporary file next to `file` and renames it to `file`, so that nobody
/// sees half of it. Throws std::runtime_error that names `file`; then an older one is unchanged.
template <class Write>
void write_file(std::filesystem::path const& file, Write&& write) {
    auto stream = detail::open_output(file);
    auto const path = detail::written_path(file);
    std::error_code error;
    errno = 0;
    write(stream);
    stream.close();
    if (!stream) {
        std::string const why = errno != 0 ? std::strerror(errno) : "the device is full";
        if (path != file) std::filesystem::remove(path, error);
        detail::refuse_output(file, why);
    }
    if (path == file) return;
    std::filesystem::rename(path, file, error);
    if (error) {
        std::error_code ignored;
        std::filesystem::remove(path, ignored);
        detail::refuse_output(file, error.message());
    }
}

/// `text` as the content of `file`, as above.
inline void write_text_file(std::filesystem::path const& file, std::string_view text) {
    write_file(file, [&](std::ostream& stream) {
        stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    });
}

}  // namespace polder::recsys
