#include "recsys/app/files.hpp"

#include <ctime>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>
#include <polder/state/safetensors.hpp>
#include <polder/version.hpp>

#include "recsys/app/exit_code.hpp"

namespace polder::recsys::app {

namespace fs = std::filesystem;

Mark Mark::json(std::string_view command) {
    return {fmt::format("{{\n  \"command\": \"{}\"", command), {}};
}
Mark Mark::csv(std::string_view first_columns) { return {std::string(first_columns), {}}; }
Mark Mark::safetensors(std::string_view format) { return {{}, std::string(format)}; }
Mark Mark::toml() { return {"# polder-recsys ", {}}; }
Mark Mark::markdown() { return {"<!-- polder-recsys ", {}}; }
Mark Mark::gnuplot() { return {"# polder-recsys ", {}}; }

bool is_own(fs::path const& file, Mark const& mark) {
    std::error_code error;
    if (!is_replaced(file) || !fs::exists(file, error)) return true;
    if (auto const size = fs::file_size(file, error); !error && size == 0) return true;
    if (!mark.format.empty()) {
        try {
            return SafetensorsFile(file).metadata("format") == mark.format;
        } catch (FileError const&) {
            return false;
        }
    }
    std::ifstream stream(file, std::ios::binary);
    std::string found(mark.beginning.size(), '\0');
    stream.read(found.data(), static_cast<std::streamsize>(found.size()));
    return stream && !found.empty() && found == mark.beginning;
}

void Files::add_option(CLI::App& command) {
    command
        .add_flag(
            "--overwrite", overwrites_,
            "Also replace files that polder-recsys did not write. Without it they are left as "
            "they are, and the command is refused")
        ->group("Files");
}

namespace {

// A name for the file itself, whatever links and folders it is given by.
fs::path real_name(fs::path const& file) {
    std::error_code error;
    auto const end = polder::detail::end_of_links(file);
    auto name = fs::weakly_canonical(fs::absolute(end, error), error);
    return error ? end : name;
}

}  // namespace

void Files::expect(std::string const& option, fs::path const& file, Mark const& mark) {
    if (file.empty()) return;
    require_writable(file);
    if (!is_replaced(file)) return;
    auto const [other, is_new] = expected_.emplace(real_name(file), option);
    if (!is_new && other->second != option)
        throw std::invalid_argument(fmt::format("{} {}: is the file of {}, too; expected another",
                                                option, file.string(), other->second));
    if (!overwrites_ && !is_own(file, mark))
        throw FileError(file,
                        "is not a file that this command wrote, and is left as it is; expected "
                        "a new name, or --overwrite");
}

bool Files::expects(fs::path const& file) const { return expected_.contains(real_name(file)); }

void Files::expect_folder(fs::path const& folder) {
    std::error_code error;
    auto there = folder.lexically_normal();
    while (!there.empty() && !fs::exists(fs::symlink_status(there, error))) {
        auto const above = there.has_parent_path() ? there.parent_path() : fs::path(".");
        if (above == there) break;
        there = above;
    }
    if (!fs::is_directory(there, error)) throw FileError(there, "is not a directory");
    require_writable(there / "polder-recsys");
}

void Files::make_folder(fs::path const& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error && !fs::is_directory(folder))
        throw FileError(folder, "cannot be made: " + error.message());
}

bool Files::write_text(fs::path const& file, std::string_view text) {
    return write(file, [&] { write_text_file(file, text); });
}

namespace {

// The time now, UTC: "2026-01-31T12:34:56Z".
std::string now() {
    std::time_t const seconds = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

// As a shell takes it.
std::string shell_word(std::string const& word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
    std::string quoted = "'";
    for (char const c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

}  // namespace

std::vector<std::string>& command_line() {
    static std::vector<std::string> arguments;
    return arguments;
}

bool Files::write_json(fs::path const& file, nlohmann::ordered_json const& json) {
    if (file.empty()) return true;
    std::string line = "polder-recsys";
    for (auto const& word : command_line()) line += " " + shell_word(word);
    nlohmann::ordered_json complete = nlohmann::ordered_json::object();
    for (auto const& [key, value] : json.items()) {
        complete[key] = value;
        if (key != "command") continue;
        complete["version"] = fmt::format("{}.{}.{}", POLDER_VERSION_MAJOR, POLDER_VERSION_MINOR,
                                          POLDER_VERSION_PATCH);
        complete["date"] = now();
        complete["command_line"] = line;
    }
    return write(file, [&] { write_text_file(file, text_of_json(complete)); });
}

int Files::exit_code(int otherwise) const {
    return failed_ ? static_cast<int>(failure) : otherwise;
}

void Files::note_error(std::string_view what) {
    spdlog::error("{}", what);
    failed_ = true;
}

void Files::note_warning(std::string_view what) { spdlog::warn("{}; it is tried again", what); }

void Files::note_written(fs::path const& file) { spdlog::info("wrote {}", file.string()); }

std::string text_of_json(nlohmann::ordered_json const& json, int indent) {
    return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace polder::recsys::app
