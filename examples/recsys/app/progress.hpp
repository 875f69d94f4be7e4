/// What a run says while it goes on, on standard error.
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

#include <fmt/format.h>

#include <unistd.h>

#include "recsys/training/trainer.hpp"

namespace polder::recsys::app {

/// Seconds as a person says them: "0.4 s", "35 s", "12 min", "3.4 h".
inline std::string duration(double seconds) {
    if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
    if (seconds < 99.5) return fmt::format("{:.0f} s", seconds);
    if (seconds < 99.5 * 60) return fmt::format("{:.0f} min", seconds / 60);
    return fmt::format("{:.1f} h", seconds / 3600);
}

/// One line per epoch, and while batches go by one that is rewritten on a terminal, elsewhere a new one every 30
/// seconds. Time left is what is left of all epochs at the pace so far: early stopping may make it less.
class Progress {
public:
    /// `label` begins every line, for example "bsam+ seed 999: "; may be empty.
    explicit Progress(std::string label = {}, bool is_quiet = false)
        : label_(std::move(label)), is_quiet_(is_quiet),
          is_terminal_(!is_quiet && isatty(fileno(stderr)) != 0) {}

    void after_batch(Trainer const& trainer, Report const&) {
        auto const now = Clock::now();
        if (is_quiet_ || now - last_ < interval()) return;
        last_ = now;
        auto const& s = trainer.state();
        show(fmt::format("{}epoch {}  batch {}/{}  loss {:.5f}{}  {:.1f} s  at most {} left",
                         label_, s.epoch, s.batch, trainer.n_batches(), s.loss.value(),
                         sharpness(s.sharpness.value()), s.seconds, duration(time_left(trainer))));
    }

    void after_epoch(Trainer const& trainer) {
        if (is_quiet_) return;
        clear();
        last_ = Clock::now();
        auto const& s = trainer.state();
        auto const& record = s.epochs.back();
        auto const& metric = trainer.options().valid_metric;
        std::string valid;
        if (record.metrics && record.metrics->valid.n_users > 0)
            valid = fmt::format("  valid {} {:.4f} (best {:.4f}, epoch {})", metric,
                                record.metrics->valid[metric], s.best_value, s.best_epoch);
        fmt::print(stderr, "{}epoch {}  loss {:.5f}{}{}  {:.2f} + {:.2f} s  at most {} left\n",
                   label_, record.epoch, record.loss, sharpness(record.sharpness), valid,
                   record.train_seconds, record.evaluation_seconds, duration(time_left(trainer)));
    }

    /// Removes the line that is rewritten, so that others can be printed.
    void clear() {
        if (is_shown_) fmt::print(stderr, "\r\033[K");
        is_shown_ = false;
    }

private:
    using Clock = std::chrono::steady_clock;

    Clock::duration interval() const {
        if (is_terminal_) return std::chrono::milliseconds(100);
        return std::chrono::seconds(30);
    }

    static std::string sharpness(double value) {
        return std::isnan(value) ? "" : fmt::format("  sharpness {:.2e}", value);
    }

    void show(std::string const& text) {
        if (is_terminal_)
            fmt::print(stderr, "\r{}\033[K", text);
        else
            fmt::print(stderr, "{}\n", text);
        std::fflush(stderr);
        is_shown_ = is_terminal_;
    }

    static double time_left(Trainer const& trainer) {
        auto const& s = trainer.state();
        auto const n_batches = static_cast<double>(trainer.n_batches());
        double seconds = s.seconds;
        for (auto const& record : s.epochs)
            seconds += record.train_seconds + record.evaluation_seconds;
        double const done = s.epoch + static_cast<double>(s.batch) / n_batches;
        return seconds / done * (trainer.options().epochs - done);
    }

    std::string label_;
    bool is_quiet_;
    bool is_terminal_;
    bool is_shown_ = false;
    Clock::time_point last_ = Clock::now();
};

}  // namespace polder::recsys::app
