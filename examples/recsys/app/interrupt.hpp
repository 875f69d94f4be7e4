/// Ctrl-C as a question that is asked between batches.
#pragma once

#include <csignal>

#include <signal.h>

namespace polder::recsys::app {

namespace detail {
inline volatile std::sig_atomic_t received_signal = 0;
inline void note_signal(int signal) { received_signal = signal; }
}  // namespace detail

/// From now on the first SIGINT or SIGTERM is only noted; the second ends the program at once.
inline void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = detail::note_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

/// The number of the signal that was noted, 0 if none.
inline int interrupt_signal() { return detail::received_signal; }

}  // namespace polder::recsys::app
