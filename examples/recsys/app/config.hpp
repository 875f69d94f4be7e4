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
#include <utility>
#include <vector>

#include "recsys/app/files.hpp"

namespace CLI {
class App;
}

namespace polder::recsys::app {

/// Adds --config, and --write-config with where it goes otherwise.
void add_config_options(CLI::App& command, std::string& file);

/// What the file that `command` was given as --config says, as arguments: "--rho=0.1". Empty without one.
/// Throws std::runtime_error that names the file, and the line, for a file that cannot be read, is no TOML or has no
/// section of the command; std::invalid_argument with the nearest and all known names for a key that is no option.
std::vector<std::string> config_arguments(CLI::App const& command);

/// The command that the file has a section for, when it has but one. Throws as above.
std::string config_command(std::string const& file);

/// Values of options that were not given, and that CLI11 does not know a default of: of an option that is a list those
/// that come after the given ones.
using FurtherValues = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// The options of `command` that decide what it computes, those that were given, `further` ones and the defaults of
/// others, as such a file. Outputs, threads that nobody asked for and the like are not among them. Names of files that are
/// there are absolute.
std::string config_text(CLI::App const& command, FurtherValues const& further = {});

/// Writes that text to `file`, or else beside the first of `outputs` that is a regular file: "run.json" has "run.toml", or
/// "run.polder.toml" where run.toml is the file that was read, or another one of the user's. Nowhere without such an
/// output.
void write_config(CLI::App const& command, Files& files, std::string const& file,
                  std::vector<std::string> const& outputs, FurtherValues const& further = {});

/// The same options, those that were given alone, as arguments.
std::vector<std::string> given_arguments(CLI::App const& command);

}  // namespace polder::recsys::app
