/// A pause of all work on a folder of runs.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>

namespace CLI {
class App;
}

namespace polder::recsys::app {

class Files;

/// Work on a folder pauses while it has the file "paused", which --pause writes and --resume-all removes, or the folder has
/// that it is in, or the one above (reproduce keeps runs two folders deep). All machines that share the folder see it.
class Pause {
public:
    /// No folder, no pause.
    explicit Pause(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// To be called often, between steps: looks for the file ten times a second at most.
    bool is_on();

    /// Waits while it is on; stop() is asked ten times a second, and ends the wait where it says true.
    void wait(std::function<bool()> const& stop);

    static constexpr std::chrono::milliseconds between_looks{100};

private:
    using Clock = std::chrono::steady_clock;

    std::filesystem::path folder_;
    Clock::time_point looked_{};
    bool is_on_ = false;
};

/// What a command was asked to do with a folder of runs in the place of its work.
struct PauseRequest {
    bool pauses = false, resumes = false;

    explicit operator bool() const { return pauses || resumes; }
};

/// Adds --pause and --resume-all.
void add_pause_options(CLI::App& command, PauseRequest& request);

/// Pauses the work on the folder `runs`, or lets it go on. Returns the exit code. Throws std::invalid_argument without a
/// folder, and FileError for a file "paused" that is somebody else's.
int carry_out(PauseRequest const& request, std::string const& runs, Files& files);

}  // namespace polder::recsys::app
