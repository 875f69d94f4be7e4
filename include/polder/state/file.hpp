/// Files that are either complete or not there.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <unistd.h>
#define POLDER_HAS_DESCRIPTORS 1
#else
#define POLDER_HAS_DESCRIPTORS 0
#endif

namespace polder {

/// A file that cannot be read, cannot be written or does not hold what it should. The message is one
/// line: "polder: FILE: what is wrong".
class FileError : public std::runtime_error {
public:
    FileError(std::filesystem::path const& file, std::string const& what)
        : std::runtime_error("polder: " + shown(file) + ": " + what) {}

private:
    // The name without control characters, so that the message stays one line.
    static std::string shown(std::filesystem::path const& file) {
        std::string text = file.string();
        for (char& c : text)
            if (static_cast<unsigned char>(c) < ' ' || c == 127) c = '?';
        return text;
    }
};

namespace detail {

[[noreturn]] inline void refuse_output(std::filesystem::path const& file, std::string const& why) {
    throw FileError(file, "cannot be written: " + why);
}

// What the system says of the last call that failed.
inline std::string last_error(std::string const& otherwise) {
    return errno != 0 ? std::strerror(errno) : otherwise;
}

// The folder that a file is in, as a name that can be shown.
inline std::filesystem::path folder_of(std::filesystem::path const& file) {
    return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

// The descriptor that a name stands for: of "/dev/stdout", "/dev/fd/63" and "/proc/self/fd/63"; -1: of another file.
inline int descriptor_of(std::filesystem::path const& file) {
    std::string const name = file.lexically_normal().string();
    if (name == "/dev/stdin") return 0;
    if (name == "/dev/stdout") return 1;
    if (name == "/dev/stderr") return 2;
    std::string_view rest = name;
    for (std::string_view const folder : {"/dev/fd/", "/proc/self/fd/"}) {
        if (rest.substr(0, folder.size()) != folder) continue;
        rest.remove_prefix(folder.size());
        int number = 0;
        for (char const c : rest) {
            if (c < '0' || c > '9' || number > 99'999) return -1;
            number = 10 * number + (c - '0');
        }
        return rest.empty() ? -1 : number;
    }
    return -1;
}

// Where a file really is: symbolic links are followed, also one that leads to a file that is not there yet. It ends at
// a name for a descriptor.
inline std::filesystem::path end_of_links(std::filesystem::path const& file) {
    std::error_code error;
    std::filesystem::path end = file;
    constexpr int most_links = 40;  // as Linux has it
    for (int k = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(end, error)); ++k) {
        if (k == most_links) refuse_output(file, "its links lead in a circle");
        if (descriptor_of(end) >= 0) return end;
        auto const next = std::filesystem::read_symlink(end, error);
        if (error) refuse_output(file, error.message());
        end = folder_of(end) / next;  // an absolute name replaces the folder
    }
    return end;
}

// How a file is written.
enum class OutputKind {
    replaced,   // a regular file, or none yet: a temporary file takes its place
    direct,     // a device or a named pipe
    descriptor  // one of the files that the process has open
};

// Where a file goes to, checked as far as that is possible without a change.
class OutputPlace {
public:
    explicit OutputPlace(std::filesystem::path const& file) : file_(file) {
        namespace fs = std::filesystem;
        if (file.empty()) refuse_output(file, "the name is empty");
        if (file.native().find(fs::path::value_type()) != fs::path::string_type::npos)
            refuse_output(file, "there is a zero byte in the name");
        end_ = end_of_links(file);
        descriptor_ = descriptor_of(end_);
        if (descriptor_ >= 0) {
            kind_ = OutputKind::descriptor;
#if POLDER_HAS_DESCRIPTORS
            int const flags = ::fcntl(descriptor_, F_GETFL);
            if (flags < 0) refuse_output(file, "no open file has this number");
            if ((flags & O_ACCMODE) == O_RDONLY) refuse_output(file, "it is open for reading");
#endif
            return;
        }
        std::error_code error;
        auto const status = fs::status(end_, error);
        if (status.type() == fs::file_type::directory || !end_.has_filename())
            refuse_output(file, "it is a directory");
        auto const folder = folder_of(end_);
        if (!fs::is_directory(folder, error)) {
            bool const is_closed = error == std::errc::permission_denied;
            refuse_output(file, is_closed ? folder.string() + ": " + error.message()
                                          : "there is no directory " + folder.string());
        }
        exists_ = fs::exists(status);
        permissions_ = status.permissions();
        kind_ = !exists_ || status.type() == fs::file_type::regular ? OutputKind::replaced
                                                                    : OutputKind::direct;
#if POLDER_HAS_DESCRIPTORS
        // A file that was made read-only shall stay as it is, though its folder would let it be replaced.
        errno = 0;
        if (exists_ && ::access(end_.c_str(), W_OK) != 0)
            refuse_output(file, last_error("it is read-only"));
#endif
    }

    OutputKind kind() const noexcept { return kind_; }
    int descriptor() const noexcept { return descriptor_; }
    std::filesystem::path const& end() const noexcept { return end_; }

    // A new temporary file beside the end. Two writers of one file have one each.
    std::filesystem::path make_temporary() const {
        namespace fs = std::filesystem;
        // A name may have 255 bytes; what is cut off only makes it less easy to recognise.
        constexpr std::size_t kept = 200;
        auto const name = end_.filename().string().substr(0, kept);
        std::random_device random;
        for (int attempt = 0; attempt < 100; ++attempt) {
            char digits[24];
            std::snprintf(digits, sizeof digits, ".%08x.part", static_cast<unsigned>(random()));
            auto temporary = folder_of(end_) / (name + digits);
            errno = 0;
            if (std::FILE* const made = std::fopen(temporary.string().c_str(), "wbx")) {
                std::fclose(made);
                std::error_code ignored;  // of file systems that have no permissions
                if (exists_) fs::permissions(temporary, permissions_, ignored);
                return temporary;
            }
            if (errno != EEXIST) break;
        }
        std::error_code error;
        auto const folder = fs::absolute(folder_of(end_), error);
        refuse_output(file_, "no file can be made in the folder " + folder.string() + ": " +
                                 last_error("for an unknown reason"));
    }

private:
    std::filesystem::path file_, end_;
    OutputKind kind_ = OutputKind::replaced;
    int descriptor_ = -1;
    bool exists_ = false;
    std::filesystem::perms permissions_{};
};

// A file under way. A temporary file is removed with this object, unless it has become the file.
class Output {
public:
    explicit Output(std::filesystem::path const& file) : file_(file), place_(file) {
        if (place_.kind() == OutputKind::descriptor) return;
        written_ = place_.end();
        if (place_.kind() == OutputKind::replaced) {
            written_ = place_.make_temporary();
            is_temporary_ = true;
        }
        errno = 0;
        stream_.open(written_, std::ios::binary | std::ios::trunc);
        if (!stream_) {
            auto const why = last_error("it cannot be opened");
            remove_temporary();
            refuse_output(file_, why);
        }
    }
    Output(Output const&) = delete;
    Output& operator=(Output const&) = delete;
    ~Output() {
        stream_.close();
        remove_temporary();
    }

    std::ostream& stream() noexcept {
        if (place_.kind() == OutputKind::descriptor) return text_;
        return stream_;
    }

    void keep() {
        if (place_.kind() == OutputKind::descriptor) return write_to_descriptor();
        stream_.close();
        if (!stream_) refuse_output(file_, last_error("the device is full"));
        if (!is_temporary_) return;
        std::error_code error;
        std::filesystem::rename(written_, place_.end(), error);
        if (error) refuse_output(file_, error.message());
        is_temporary_ = false;
    }

private:
    void remove_temporary() noexcept {
        std::error_code ignored;
        if (is_temporary_) std::filesystem::remove(written_, ignored);
        is_temporary_ = false;
    }

    // After what the process has printed so far.
    void write_to_descriptor() {
        if (!text_) refuse_output(file_, "there is not enough memory");
#if POLDER_HAS_DESCRIPTORS
        std::fflush(nullptr);
        std::string const text = text_.str();
        for (std::size_t at = 0; at < text.size();) {
            errno = 0;
            auto const n = ::write(place_.descriptor(), text.data() + at, text.size() - at);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) refuse_output(file_, last_error("the device is full"));
            at += static_cast<std::size_t>(n);
        }
#else
        refuse_output(file_, "this system has no such names");
#endif
    }

    std::filesystem::path file_;
    OutputPlace place_;
    std::filesystem::path written_;
    bool is_temporary_ = false;
    std::ofstream stream_;
    std::ostringstream text_;  // for a descriptor
};

}  // namespace detail

/// Whether `file` is written by a temporary file that takes its place: it is a regular file or not there yet, and no
/// device, pipe or name of an open file ("/dev/stdout", "/dev/fd/63"), which are written to directly. Throws
/// FileError where it cannot be written at all.
inline bool is_replaced(std::filesystem::path const& file) {
    return detail::OutputPlace(file).kind() == detail::OutputKind::replaced;
}

/// Throws FileError that says why, unless `file` can be written. Changes nothing.
inline void require_writable(std::filesystem::path const& file) {
    detail::OutputPlace const place(file);
    if (place.kind() != detail::OutputKind::replaced)
        return;  // opened, a pipe would come to its end
    std::error_code ignored;
    std::filesystem::remove(place.make_temporary(), ignored);
}

/// Calls write(std::ostream&) on a temporary file beside `file`, which then takes its place, so that nobody sees half
/// of it. Links are followed, and a file that was there keeps its permissions. The temporary file has a name of its
/// own, "FILE.0123abcd.part": of two writers of one file the last one counts. Devices, pipes and open files
/// ("/dev/stdout") are written to directly. Throws FileError, or what `write` throws; then an older file is unchanged.
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
