/// Files of text, as large as they come: mapped into memory, and unpacked where they are gz.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace polder::recsys {

/// The text of a file while the object lives, without a UTF-8 byte order mark. A regular file is mapped, what begins as gz
/// is unpacked (where the program was built with zlib), all else (pipes) is read. Throws std::runtime_error that names the
/// file.
class TextFile {
public:
    explicit TextFile(std::filesystem::path const& file);
    ~TextFile();
    TextFile(TextFile const&) = delete;
    TextFile& operator=(TextFile const&) = delete;

    std::string_view text() const { return text_; }

private:
    void* mapped_ = nullptr;
    std::size_t size_ = 0;
    std::string read_;
    std::string_view text_;
};

}  // namespace polder::recsys
