/// The commands of polder-recsys, each declared and run in a file of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace polder::recsys::app {

/// One command: what it reads from the command line, and what it does once that was read.
struct Command {
    CLI::App* app;
    std::function<int()> run;  ///< returns the exit code; throws what main() prints
};

/// Runs a command of the program, as its arguments say. Returns the exit code, and throws nothing: messages are printed.
using RunCommand = std::function<int(std::vector<std::string> const& arguments)>;

/// Adds a command to the program.
Command add_train(CLI::App& program);
Command add_compare(CLI::App& program);
Command add_runs(CLI::App& program);
Command add_tune(CLI::App& program);
Command add_report(CLI::App& program);
Command add_prepare(CLI::App& program);
Command add_data(CLI::App& program);
Command add_augment(CLI::App& program);
Command add_recommend(CLI::App& program);
Command add_similar(CLI::App& program);
Command add_export(CLI::App& program);
Command add_evaluate(CLI::App& program);
Command add_rivals(CLI::App& program);
Command add_robustness(CLI::App& program);
Command add_landscape(CLI::App& program);
/// `run`: the program itself, for the commands that a table means.
Command add_reproduce(CLI::App& program, RunCommand run);
Command add_models(CLI::App& program);
Command add_optimizers(CLI::App& program);

/// Arguments that `train --resume FILE` takes from the checkpoint: all of its course that are not given to
/// `train` anew. Empty without --resume.
std::vector<std::string> resumed_arguments(CLI::App const& train);

}  // namespace polder::recsys::app
