/// The files of a command. Everything that polder-recsys writes, but for caches and claims, goes through here.
#pragma once

#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace CLI {
class App;
}

namespace polder::recsys::app {

/// How polder-recsys knows a file again that it wrote itself.
struct Mark {
    std::string beginning;  ///< what the file begins with
    std::string format;     ///< or "format" in the metadata of a safetensors file

    static Mark json(std::string_view command);       ///< {"command": command, ...
    static Mark csv(std::string_view first_columns);  ///< the header line
    static Mark safetensors(std::string_view format);
    static Mark toml();
    static Mark markdown();
    static Mark gnuplot();
    static Mark none() { return {}; }  ///< of a format that has no place for a mark
};

/// A file with this mark is there and not empty, or `file` is no regular file.
bool is_own(std::filesystem::path const& file, Mark const& mark);

/// Before the work a command says which files it will write (`expect`), which refuses what cannot be written and what
/// somebody else wrote. While it works, a file that cannot be written is a warning, and is tried again (`save`). At its
/// end it is an error, all others are written nevertheless (`write`), and the exit code says so.
class Files {
public:
    /// Adds --overwrite.
    void add_option(CLI::App& command);

    /// Says that `file` will be written; `option` is how it was given. An empty name is no file. Throws FileError
    /// where it cannot be written, and where there is a file without the mark, unless --overwrite is given;
    /// std::invalid_argument where another option has the same file.
    void expect(std::string const& option, std::filesystem::path const& file, Mark const& mark);

    /// Whether this very file is expected.
    bool expects(std::filesystem::path const& file) const;

    /// A folder that will have files. It is not made. Throws FileError where it cannot be made or written to.
    static void expect_folder(std::filesystem::path const& folder);

    /// Makes the folder, and those that it is in, where it is not there. Throws FileError.
    static void make_folder(std::filesystem::path const& folder);

    /// At the end of the work: calls write(), and says that the file is written, or why not.
    template <class Write>
    bool write(std::filesystem::path const& file, Write const& write, bool says_so = true) {
        if (file.empty()) return true;
        try {
            write();
        } catch (std::exception const& error) {
            note_error(error.what());
            return false;
        }
        if (says_so) note_written(file);
        return true;
    }
    bool write_text(std::filesystem::path const& file, std::string_view text);
    /// With indentation of two; bytes that are not UTF-8 are replaced. After "command" stand the version of the program,
    /// the date and the command line.
    bool write_json(std::filesystem::path const& file, nlohmann::ordered_json const& json);

    /// During the work: calls write(). Where it fails there is a warning, and the next call tries again.
    template <class Write>
    bool save(Write const& write) {
        try {
            write();
            return true;
        } catch (std::exception const& error) {
            note_warning(error.what());
            return false;
        }
    }

    /// Whether --overwrite is given.
    bool overwrites() const { return overwrites_; }

    /// `otherwise`, unless something that was asked for could not be written.
    int exit_code(int otherwise) const;

    /// Something that was asked for is not there.
    void note_error(std::string_view what);

private:
    static void note_warning(std::string_view what);
    static void note_written(std::filesystem::path const& file);

    bool overwrites_ = false, failed_ = false;
    std::map<std::filesystem::path, std::string> expected_;  // real name and option
};

/// The command line of what runs now, without the program's name; files of results have it.
std::vector<std::string>& command_line();

/// JSON as text, in one line or with an indentation. Bytes that are not UTF-8 are replaced.
std::string text_of_json(nlohmann::ordered_json const& json, int indent = 2);

}  // namespace polder::recsys::app
