#include "recsys/app/claim.hpp"

#include <cerrno>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <signal.h>
#include <unistd.h>

#include <polder/state/file.hpp>

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

std::string host_name() {
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    return name;
}

struct Owner {
    std::string host;
    long process = 0;
    bool operator==(Owner const&) const = default;
};

Owner self() { return {host_name(), static_cast<long>(getpid())}; }

std::optional<Owner> owner_of(fs::path const& file) {
    std::ifstream stream(file, std::ios::binary);
    auto const json = nlohmann::json::parse(stream, nullptr, false);
    if (!json.is_object() || !json.contains("host") || !json.contains("process")) return {};
    if (!json["host"].is_string() || !json["process"].is_number_integer()) return {};
    return Owner{json["host"].get<std::string>(), json["process"].get<long>()};
}

}  // namespace

Claim::Claim(fs::path file) : file_(std::move(file)) {
    if (file_.empty()) return;
    std::error_code error;
    if (fs::exists(file_, error) && fs::file_size(file_, error) > 0 && !owner_of(file_))
        throw FileError(file_, "is not a claim of polder-recsys, and is left as it is; expected "
                               "another folder");
    own_ = file_;
    own_ += fmt::format(".{}.{}", host_name(), getpid());
    try {
        write_own(own_);
    } catch (FileError const& problem) {
        // Work goes on without a claim: at worst another process makes the same run.
        spdlog::warn("{}; so nobody else is told of the work on this run", problem.what());
        is_ours_ = !fs::exists(file_, error) || is_abandoned();
        file_.clear();
        return;
    }
    fs::create_hard_link(own_, file_, error);  // fails where the file is there
    is_ours_ = !error;
    // A file system may have no hard links.
    if (!is_ours_ && (is_abandoned() || !fs::exists(file_, error))) {
        fs::rename(own_, file_, error);
        is_ours_ = !error;
    }
    fs::remove(own_, error);
}

Claim::~Claim() {
    std::error_code ignored;
    if (!file_.empty() && is_ours_ && owner_of(file_) == self()) fs::remove(file_, ignored);
}

void Claim::renew() {
    auto const now = Clock::now();
    if (file_.empty() || !is_ours_ || now - renewed_ < renewed_every) return;
    renewed_ = now;
    is_ours_ = owner_of(file_) == self();
    if (!is_ours_) return;
    std::error_code error;
    try {
        write_own(own_);
        fs::rename(own_, file_, error);
    } catch (FileError const& problem) {
        spdlog::warn("{}; it is tried again", problem.what());
    }
}

bool Claim::is_abandoned() const {
    auto const owner = owner_of(file_);
    if (owner && owner->host == host_name()) {
        bool const is_gone = kill(static_cast<pid_t>(owner->process), 0) != 0 && errno == ESRCH;
        if (is_gone || owner->process == getpid()) return true;
    }
    std::error_code error;
    auto const written = fs::last_write_time(file_, error);
    if (error) return false;
    // By the clock of the file system, which may not be that of this machine.
    auto now = fs::last_write_time(own_, error);
    if (error) now = fs::file_time_type::clock::now();
    return now - written > valid_for;
}

void Claim::write_own(fs::path const& file) const {
    char time[32] = "";
    auto const now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", &utc);
    auto const [host, process] = self();
    write_text_file(
        file, nlohmann::json{{"host", host}, {"process", process}, {"time", time}}.dump() + "\n");
}

}  // namespace polder::recsys::app
