/// Who works on what, where several processes share a folder.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace polder::recsys::app {

/// A file that says which process works on a run: {"host", "process", "time"}, a line of JSON. It is there while the
/// run goes on, is renewed every minute, and goes with this object. A claim that was not renewed for ten minutes, or
/// whose process on this host is gone, is taken over.
class Claim {
public:
    static constexpr std::chrono::seconds renewed_every{60}, valid_for{600};

    /// Tries to claim; no claim is made without a name. Where the file cannot be written there is a warning, and the work
    /// is ours unless somebody else has claimed it. Throws FileError where the file is something else.
    explicit Claim(std::filesystem::path file);
    Claim(Claim const&) = delete;
    Claim& operator=(Claim const&) = delete;
    ~Claim();

    /// False where another process has the claim, from the start on or because it took it over.
    bool is_ours() const { return is_ours_; }

    /// To be called often: looks at the file once a minute.
    void renew();

private:
    using Clock = std::chrono::steady_clock;

    bool is_abandoned() const;
    void write_own(std::filesystem::path const& file) const;

    std::filesystem::path file_, own_;  // own_: what becomes the claim by a link or by a new name
    Clock::time_point renewed_ = Clock::now();
    bool is_ours_ = true;
};

}  // namespace polder::recsys::app
