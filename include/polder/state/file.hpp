/// Files that are either complete or not there.
#pragma once

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace polder {

/// A file that cannot be read, cannot be written or does not hold what it should. The message is one
/// line: "polder: FILE: what is wrong".
class FileError : public std::runtime_error {
public:
    FileError(std::filesystem::path const& file, std::string const& what)
        : std::runtime_error("polder: " + file.string() + ": " + what) {}
};

namespace detail {

[[noreturn]] inline void refuse_output(std::filesystem::path const& file, std::string const& why) {
    throw FileError(file, "cannot be written: " + why);
}

// The temporary file. It is removed with this object, unless it has become the file.
class Output {
public:
    explicit Output(std::filesystem::path file) : file_(std::move(file)) {
        std::error_code error;
        if (file_.empty()) refuse_output(file_, "the name is empty");
        auto const type = std::filesystem::status(file_, error).type();
        if (type == std::filesystem::file_type::directory)
            refuse_output(file_, "it is a directory");
        auto const folder =
            file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
        if (!std::filesystem::is_directory(folder, error))
            refuse_output(file_, "there is no directory " + folder.string());
        // Devices and pipes cannot be replaced by a renamed file, they are written to directly.
        replaces_ = type == std::filesystem::file_type::not_found ||
                    type == std::filesystem::file_type::regular;
        written_ = file_;
        if (replaces_) written_ += ".part";
        errno = 0;
        stream_.open(written_, std::ios::binary | std::ios::trunc);
        if (!stream_) {
            replaces_ = false;
            refuse_output(file_, std::strerror(errno));
        }
    }
    Output(Output const&) = delete;
    Output& operator=(Output const&) = delete;
    ~Output() {
        std::error_code ignored;
        stream_.close();
        if (replaces_) std::filesystem::remove(written_, ignored);
    }

    std::ostream& stream() noexcept { return stream_; }

    void keep() {
        stream_.close();
        if (!stream_) {
            refuse_output(file_, errno != 0 ? std::strerror(errno) : "the device is full");
        }
        if (!replaces_) return;
        std::error_code error;
        std::filesystem::rename(written_, file_, error);
        if (error) refuse_output(file_, error.message());
        replaces_ = false;
    }

private:
    std::filesystem::path file_, written_;
    bool replaces_ = false;  // there is a temporary file
    std::ofstream stream_;
};

}  // namespace detail

/// Throws FileError that says why, unless `file` can be written. Changes nothing.
inline void require_writable(std::filesystem::path const& file) { detail::Output output(file); }

/// Calls write(std::ostream&) on the temporary file "FILE.part" and renames it to `file`, so that nobody
/// sees half of it. Throws FileError, or what `write` throws; then an older file is unchanged.
template <class Write>
void write_file(std::filesystem::path const& file, Write&& write) {
    detail::Output output(file);
    errno = 0;
    write(output.stream());
    output.keep();
}

/// `text` as the content of `file`, as above.
inline void write_text_file(std::filesystem::path const& file, std::string_view text) {
    write_file(file, [&](std::ostream& stream) {
        stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    });
}

}  // namespace polder
