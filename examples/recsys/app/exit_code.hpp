/// How the program ends.
#pragma once

#include <string_view>

namespace polder::recsys::app {

/// Exit codes of polder-recsys. An interrupted run ends with 128 + the number of the signal, as
/// shells have it: 130 for Ctrl-C, 143 for SIGTERM.
enum ExitCode : int {
    success = 0,  ///< done, also by early stopping
    failure = 1,  ///< a file cannot be read, something asked for was not written, or data is wrong
    usage = 2,    ///< the command line is wrong: an unknown name, a value out of range
    not_finite = 3,    ///< training ended at a loss or gradient that is infinite or not-a-number
    signal_base = 128  ///< plus the number of the signal
};

inline constexpr std::string_view exit_code_help =
    "Exit codes: 0 done (also by early stopping); 1 a file cannot be read or written, or data is "
    "wrong; 2 the command line is wrong; 3 training ended at a loss or gradient that is not "
    "finite; "
    "130 (143) ended by Ctrl-C (SIGTERM). With 3, 130 and 143 the files that were asked for are "
    "written with what there is.";

}  // namespace polder::recsys::app
