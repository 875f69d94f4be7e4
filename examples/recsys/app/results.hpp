/// The results that commands leave in folders, read again for a report.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "recsys/app/comparison.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

/// A run, from a file of a folder of runs, of `train --json` or of `compare --json`, or from a row of `runs --csv`.
struct KnownRun {
    std::string data;           ///< the name of the data set
    std::string model, method;  ///< what they are called on the command line, with their settings
    std::uint64_t seed = 0;
    /// Every hyper-parameter with its value as text.
    std::map<std::string, std::string> settings;
    std::string ending, device;
    double seconds = 0;  ///< of training and evaluation
    CellResult cell;
    Json epochs;                ///< as Run::report has them; null: not known
    bool is_of_search = false;  ///< in a folder of `tune`
    std::string file;
};

/// What was found in folders.
struct Results {
    std::vector<KnownRun> runs;  ///< none twice
    std::size_t n_dropped = 0;   ///< runs that a search gave up
    struct File {
        std::string file;
        Json json;
    };
    std::vector<File> robustness, landscapes;
    struct Configuration {
        std::string file, text;
    };
    std::vector<Configuration> configurations;  ///< what --config repeats
    std::vector<std::string> others;            ///< JSON files that are none of these
};

/// Reads folders, with all folders in them, and single files. Of a run that is found twice the file that says more
/// counts. Throws std::runtime_error, which names the file, for one that is missing or damaged.
Results read_results(std::vector<std::string> const& places);

/// Rows of one model on one data set over one base optimizer.
struct ResultGroup {
    std::string data, model, base_optimizer;
    std::vector<ComparisonRow> rows;  ///< the base of all first, then by validation, the best first
    std::vector<std::vector<KnownRun const*>> runs;  ///< of each row, by seed
};

/// The groups of what was compared: runs with the same settings are a row, whatever their seeds. A row's base is none
/// with the same model and base optimizer, of several the one whose settings are most like those of the others; where
/// there is none, the first by name. Where all models have one and the same optimizer, it is the first model. Sorted by
/// `metric` in validation. Rows with one seed are left out where they belong to a search: their folder is one of
/// `tune`, or other rows of the group have several seeds.
std::vector<ResultGroup> compared(std::vector<KnownRun> const& runs, std::string const& metric);

/// The runs of searches by data set, model and base optimizer: of all their settings the one with the search's seed,
/// the best in validation first. A group without a search is not among them.
struct Search {
    std::string data, model, base_optimizer;
    std::vector<KnownRun const*> runs;
};
std::vector<Search> searches(std::vector<KnownRun> const& runs, std::string const& metric);

/// "tiktok" of "tiktok"; "synthetic:small" of "synthetic:small (data seed 2)".
std::string data_family(std::string const& data);

/// The name of a model or method without its settings.
std::string name_of(std::string const& text);

/// The command that repeats a run: `polder-recsys train` with every setting that is not the default. `--data` has the
/// data set's name, which for data of files stands for their folder.
std::string command_of(KnownRun const& run);

}  // namespace polder::recsys::app
