#include "recsys/app/pause.hpp"

#include <stdexcept>
#include <system_error>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <polder/state/file.hpp>

#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"

namespace polder::recsys::app {

namespace {

constexpr char const* pause_name = "paused";

Mark mark_of_pause() { return Mark::json("pause"); }

bool has_pause(std::filesystem::path const& folder) {
    std::error_code ignored;
    auto const file = folder / pause_name;
    return std::filesystem::exists(file, ignored) && is_own(file, mark_of_pause());
}

}  // namespace

bool Pause::is_on() {
    auto const now = Clock::now();
    if (folder_.empty() || now - looked_ < between_looks) return is_on_;
    looked_ = now;
    is_on_ = has_pause(folder_) || has_pause(folder_ / "..") || has_pause(folder_ / "../..");
    return is_on_;
}

void Pause::wait(std::function<bool()> const& stop) {
    if (!is_on()) return;
    spdlog::info("paused; polder-recsys runs --runs {} --resume-all goes on", folder_.string());
    while (is_on() && !stop()) std::this_thread::sleep_for(between_looks);
}

void add_pause_options(CLI::App& command, PauseRequest& request) {
    auto const group = "Files";
    auto* const pause =
        command
            .add_flag("--pause", request.pauses,
                      "Train nothing: let all processes that work on the folder --runs, or on a "
                      "folder in it, pause at their next step, until --resume-all")
            ->group(group);
    command
        .add_flag("--resume-all", request.resumes,
                  "Train nothing: let all processes go on that pause in the folder --runs")
        ->excludes(pause)
        ->group(group);
}

int carry_out(PauseRequest const& request, std::string const& runs, Files& files) {
    char const* const option = request.pauses ? "--pause" : "--resume-all";
    if (runs.empty())
        throw std::invalid_argument(
            fmt::format("{}: expected --runs DIR, the folder that processes work on", option));
    auto const file = std::filesystem::path(runs) / pause_name;
    if (!std::filesystem::is_directory(runs))
        throw FileError(runs, "is no folder; expected one that runs are kept in");
    if (request.pauses) {
        files.expect(option, file, mark_of_pause());
        files.write_json(file, {{"command", "pause"}});
        return files.exit_code(success);
    }
    if (!std::filesystem::exists(file)) {
        fmt::print("{}: nothing pauses here\n", runs);
        return success;
    }
    if (!is_own(file, mark_of_pause()))
        throw FileError(file, "is not a pause of polder-recsys, and is left as it is");
    std::filesystem::remove(file);
    fmt::print("{}: work goes on\n", runs);
    return success;
}

}  // namespace polder::recsys::app
