#include "recsys/prepare/text_file.hpp"

#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(POLDER_RECSYS_ZLIB)
#include <zlib.h>
#endif

#include "recsys/data/inter_file.hpp"

namespace polder::recsys {

namespace {

#if defined(POLDER_RECSYS_ZLIB)
std::string unpacked(std::filesystem::path const& file) {
    gzFile const stream = gzopen(file.c_str(), "rb");
    if (stream == nullptr) throw std::runtime_error(file.string() + ": cannot be read");
    gzbuffer(stream, 1 << 18);
    std::string text, part(1 << 20, '\0');
    int n = 0;
    while ((n = gzread(stream, part.data(), static_cast<unsigned>(part.size()))) > 0)
        text.append(part, 0, static_cast<std::size_t>(n));
    int code = 0;
    std::string const problem = gzerror(stream, &code);
    bool const is_whole = gzclose_r(stream) == Z_OK;
    if (n < 0 || code != Z_OK || !is_whole)
        throw std::runtime_error(file.string() + ": the gz file is damaged or truncated" +
                                 (problem.empty() ? "" : ": " + problem));
    return text;
}
#else
std::string unpacked(std::filesystem::path const& file) {
    throw std::runtime_error(file.string() +
                             ": is a gz file, and this program was built without zlib (apt: "
                             "zlib1g-dev); expected it unpacked: gunzip -k " +
                             file.string());
}
#endif

}  // namespace

TextFile::TextFile(std::filesystem::path const& file) {
    std::error_code error;
    if (std::filesystem::is_regular_file(file, error)) {
        int const descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat status {};
        if (descriptor >= 0 && ::fstat(descriptor, &status) == 0 && status.st_size > 0) {
            size_ = static_cast<std::size_t>(status.st_size);
            mapped_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
            if (mapped_ == MAP_FAILED) mapped_ = nullptr;
        }
        if (descriptor >= 0) ::close(descriptor);
    }
    if (mapped_ != nullptr) {
        ::madvise(mapped_, size_, MADV_SEQUENTIAL);
        text_ = {static_cast<char const*>(mapped_), size_};
    } else {
        read_ = detail::read_text_file(file);
        text_ = read_;
    }
    if (text_.starts_with("\x1F\x8B")) {
        read_ = unpacked(file);
        text_ = read_;
    }
    if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
}

TextFile::~TextFile() {
    if (mapped_ != nullptr) ::munmap(mapped_, size_);
}

}  // namespace polder::recsys
