/// Pictures by gnuplot, where it is found.
#pragma once

#include <filesystem>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace polder::recsys::app {

/// How a call of gnuplot ended.
enum class Drawing { done, failed, no_gnuplot };

/// Runs gnuplot in `folder` with the script `name` there. What it has to say goes to standard error.
inline Drawing draw(std::filesystem::path const& folder, std::string const& name) {
    constexpr int not_there = 127;
    pid_t const child = fork();
    if (child < 0) return Drawing::failed;
    if (child == 0) {
        if (chdir(folder.c_str()) != 0) _exit(1);
        execlp("gnuplot", "gnuplot", name.c_str(), static_cast<char*>(nullptr));
        _exit(not_there);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return Drawing::failed;
    if (WEXITSTATUS(status) == not_there) return Drawing::no_gnuplot;
    return WEXITSTATUS(status) == 0 ? Drawing::done : Drawing::failed;
}

}  // namespace polder::recsys::app
