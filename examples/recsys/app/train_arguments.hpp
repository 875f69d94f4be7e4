/// What `train` reads from the command line, and what other commands find of it in a checkpoint.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "recsys/app/arguments.hpp"
#include "recsys/app/run.hpp"
#include "recsys/data/source.hpp"
#include "recsys/serving/stored_model.hpp"

namespace polder::recsys::app {

/// What `train` was asked for.
struct TrainArguments : CourseArguments {
    std::string model = "lightgcn";
    std::string method = "none";
    std::string start, start_tables;
    std::string json, curve, checkpoint, resume;
    int checkpoint_every = 10;
};

/// Adds the options that decide the course of a run.
void add_course_options(CLI::App& command, TrainArguments& a);

/// What these arguments of `train` mean; of an option that is given twice the last counts. Throws CLI::Error.
TrainArguments parse_course(std::vector<std::string> arguments);

/// The run that these options mean. Throws std::invalid_argument for unknown names and values out of range of
/// the optimizer.
RunOptions run_options(TrainArguments const& a);

/// Arguments of `train` that mean this run, as checkpoints have them.
std::vector<std::string> course_arguments(DataSource const& source, RunOptions const& run);

/// A run as it was when its checkpoint was written.
struct RestoredRun {
    Dataset data;
    std::unique_ptr<Run> run;
};

/// Reads a checkpoint of `train`. `data`: where the data lies now, if not where it was. Throws FileError, and
/// what the data and the model throw.
std::unique_ptr<RestoredRun> restore_run(std::string const& checkpoint, std::string const& data,
                                         int threads);

}  // namespace polder::recsys::app
