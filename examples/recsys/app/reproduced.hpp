/// What was measured for a table or figure of a paper, found in folders of runs and in CSV files of `runs`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "recsys/app/reproduction.hpp"
#include "recsys/app/run.hpp"
#include "recsys/app/run_folder.hpp"
#include "recsys/app/table.hpp"

namespace polder::recsys::app {

/// Where the data of a table comes from.
struct TableSource {
    std::string argument;  ///< of --data; empty: it is not at hand
    bool is_synthetic = false;
    bool has_features = true;
};

/// Where a table's files lie: runs/DATA[-on-SIZE][-OPTION=VALUE], a folder of runs, which tables share; NAME/, what
/// else is made for the table.
struct ReproductionFolder {
    std::filesystem::path root;

    std::filesystem::path runs(ComparisonSection const& section, std::string const& data,
                               TableSource const& source) const;
    std::filesystem::path table(std::string const& name, TableSource const& source) const;
};

/// A model with a method on data, as a section of a table has it.
struct Cell {
    ComparisonSection const* section;
    std::string data, model, method;  ///< printed names

    bool operator==(Cell const&) const = default;
};

/// The run that a cell means with a seed. `epochs`: in the place of the default, unless 0. Throws
/// std::invalid_argument for what the program does not know.
RunOptions run_of(Cell const& cell, std::uint64_t seed, int epochs);

/// A measured number: its mean over seeds, and their standard deviation.
struct Measured {
    std::size_t seeds = 0;  ///< 0: nothing was measured
    double mean = 0, deviation = 0;
};

/// Looks for results.
class Measurements {
public:
    /// `results`: CSV files of `runs --csv`, or folders of them. Throws std::runtime_error for a file without the
    /// columns that are needed.
    Measurements(ReproductionFolder folder, std::vector<std::string> const& results);

    /// The value of each column in a run, by the column's name; those that were not measured are missing. `epochs` as
    /// above: runs with another number of epochs, or other settings, are not the cell's.
    std::map<std::string, double> values(Reproduction const& of, Cell const& cell,
                                         TableSource const& source, std::uint64_t seed, int epochs);

    /// Whether there is any run of the section in a folder.
    bool has_runs(ComparisonSection const& section, std::string const& data,
                  TableSource const& source);

private:
    std::vector<KeptRun> const& runs_in(std::filesystem::path const& folder);
    Json const& results_in(std::filesystem::path const& folder);

    ReproductionFolder folder_;
    std::map<std::filesystem::path, std::vector<KeptRun>> runs_;
    std::map<std::filesystem::path, Json> results_;  // of robustness and landscape, by folder
    // Rows of CSV files, by data, seed and settings.
    std::map<std::string, std::map<std::string, std::string>> rows_;
};

}  // namespace polder::recsys::app
