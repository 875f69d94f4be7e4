/// Options that several commands share: data, model, optimizer, training.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "recsys/app/files.hpp"
#include "recsys/app/numbers.hpp"
#include "recsys/app/pause.hpp"
#include "recsys/data/source.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/training/optimizer.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys::app {

/// Accepts finite numbers > 0.
CLI::Validator positive_number();

/// As many threads or processes as make sense.
inline constexpr int most_threads = 1024;

/// What `train` and `compare` are told alike.
struct CourseArguments {
    DataSource data{};
    std::string published;  ///< the data set whose published settings models begin with
    std::vector<std::string> assignments;  ///< of --set
    OptimizerOptions optimizer{};
    TrainingOptions training{};
    std::string device = "cpu";
    std::string config;
    Files files{};
    bool is_quiet = false;
};

/// Adds --data and the options of synthetic data. With `several` --data may be given several times, and goes there.
void add_data_options(CLI::App& command, DataSource& source,
                      std::vector<std::string>* several = nullptr);

/// Adds --set: `assignments` are "name=value".
void add_set_option(CLI::App& command, std::vector<std::string>& assignments);

/// Adds --base and an option for each of the optimizers'; `options` gets those that are given.
void add_optimizer_options(CLI::App& command, OptimizerOptions& options);

/// Adds the options of training that do not belong to the optimizer.
void add_training_options(CLI::App& command, CourseArguments& arguments);

/// "a=1" taken apart. Throws std::invalid_argument, which begins with `option`, where '=' is missing.
std::pair<std::string, std::string> assignment(std::string const& text, std::string const& option);

/// "a,b=[1,2]" as "a" and "b=[1,2]": commas in brackets do not separate.
std::vector<std::string> split_list(std::string const& text);

/// The options of each method: its own, as in "bsam:rho=0.1", and of `given`, the options for all of them, those that
/// it has. Throws std::invalid_argument for an option that none of them has.
std::vector<OptimizerOptions> parse_optimizers(std::vector<std::string> const& methods,
                                               OptimizerOptions const& given);

/// Adds --runs, --jobs, --pause and --resume-all, of commands that make many runs.
void add_runs_options(CLI::App& command, std::string& runs, int& jobs, PauseRequest& pause);

/// Threads of each of `jobs` processes: a share of `threads`, or these where --threads was given. Throws
/// std::invalid_argument for several jobs without a folder of runs.
int threads_of_job(CLI::App const& command, int threads, int jobs, std::string const& runs);

/// A model by name, with its hyper-parameters.
struct ModelChoice {
    std::string name;
    Settings settings;
    Settings optimizer{};  ///< defaults of the base optimizer that come with the model
};

/// "lightgcn" or "lightgcn:n_layers=3:reg_weight=0.01". Throws std::invalid_argument with the nearest and all
/// known names for an unknown model.
ModelChoice parse_model(std::string const& text);

/// Adds --published, the data set whose published settings models begin with.
void add_published_option(CLI::App& command, std::string& data_set);

/// Whether settings of the model were published for the data set. Throws std::invalid_argument for an unknown model.
bool has_published(std::string const& model, std::string const& data_set);

/// Puts the settings that were published for a data set before those of each model that has such. Throws
/// std::invalid_argument, with the known data sets, where none has; does nothing for an empty name.
void use_published(std::vector<ModelChoice>& models, std::string const& data_set);

/// Adds `assignments` to the settings of those models that have the hyper-parameter. Throws
/// std::invalid_argument for one that none of them has, with the nearest and all known names.
void assign(std::vector<ModelChoice>& models, std::vector<std::string> const& assignments);

}  // namespace polder::recsys::app
