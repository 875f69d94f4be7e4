/// Configuration files: TOML that says the same as the command line.
///
///     [train]
///     data = "synthetic:small"
///     model = "lightgcn"
///     set = ["n_layers=3", "reg_weight=0.01"]
///     optimizer = "bsam+"
///     rho = 0.1
///
/// Keys are the names of the options. What is given on the command line as well counts more.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace polder::recsys::app {

/// Adds --config, and --write-config with where it goes otherwise.
void add_config_options(CLI::App& command, std::string& file);

/// What the file that `command` was given as --config says, as arguments: "--rho=0.1". Empty without one.
/// Throws std::runtime_error that names the file, for a file that cannot be read or has no section of the
/// command; std::invalid_argument with the nearest and all known names for a key that is no option.
std::vector<std::string> config_arguments(CLI::App const& command);

/// The command that the file has a section for, when it has but one. Throws as above.
std::string config_command(std::string const& file);

/// The options of `command` that decide what it computes, those that were given and the defaults of others,
/// as such a file. Outputs, threads that nobody asked for and the like are not among them.
std::string config_text(CLI::App const& command);

/// Writes that text to `file`, or else beside one of `outputs`: "run.json" has "run.toml". Nowhere without
/// any, and not over the file that was read. Returns the file, or nothing.
std::string write_config(CLI::App const& command, std::string const& file,
                         std::vector<std::string> const& outputs);

/// The same options, those that were given alone, as arguments.
std::vector<std::string> given_arguments(CLI::App const& command);

}  // namespace polder::recsys::app
