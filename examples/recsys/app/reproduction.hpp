/// What examples/recsys/reproduce says of a table or figure of a paper: what is run for it, and what the paper prints.
///
/// One TOML file each; its name is that of the table.
///
///     title = "Three models on Baby"
///     shows = "BSAM raises every model."
///     notes = ["BSAM is the paper's literal one."]                      # printed with the result; may be missing
///     data = ["baby"]                                                   # names, see data.toml
///     models = ["FREEDOM = freedom:dropout=0.8"]                        # as printed = as polder-recsys has it
///     methods = ["plain = none", "BSAM = bsam:rho=0.1", "other = -"]    # -: the program does not have it
///     columns = ["recall@10", "recall@10/features:0.01"]
///     claims = ["BSAM > plain", "BSAM < plain in decrease"]
///     seeds = 5                                                         # 1, if it is missing
///
///     [compare.Adam]                  # further options of `compare`; also data, models and methods of its own
///     base = "adam"
///     [robustness]                    # options of `robustness`, whose columns are METRIC/TEST:LEVEL
///     tests = "features"
///     [landscape]                     # options of `landscape`
///     grids = "default"
///     [published.baby]                # SECTION (where [compare.SECTION] has a name), model, method, seed=N, values
///     rows = ["Adam  FREEDOM  plain  0.0627  -"]
///
/// Columns: a metric of test; METRIC/TEST:LEVEL, that metric under a test of `robustness`; METRIC/std, its standard
/// deviation over seeds; best_epoch; loss, that of training in the last epoch; and of `landscape` ring/GRID,
/// below/GRID, eigenvalue and trace.
///
/// A claim "A > B" is about every column that is a metric, also under a test; "A > B in decrease" about the decrease
/// under tests, in per cent; "A > B in COLUMN" about that column. "A | C > B" holds where A or C is above.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/models/hyper_parameters.hpp"

namespace polder::recsys::app {

/// A name in the paper, and what polder-recsys calls it; empty where it has none.
struct PrintedName {
    std::string printed, text;
};

/// One call of `compare` for each of its data sets.
struct ComparisonSection {
    std::string name;  ///< may be empty
    std::vector<std::string> data;
    std::vector<PrintedName> models, methods;
    Settings options;  ///< further options, "batch-size" and value
};

/// A column of a table; see above.
struct ReproductionColumn {
    enum class Kind { metric, test, deviation, best_epoch, loss, landscape };
    std::string name;
    Kind kind = Kind::metric;
    std::string metric;  ///< of metric, test and deviation; what of a landscape
    std::string of;      ///< the test, or the grid
    double level = 0;    ///< of the test
};

/// A comparison of two methods that the paper's text makes.
struct PaperClaim {
    std::string text;
    std::vector<std::string> methods;  ///< printed names; one of them
    bool is_above = true;
    std::string than;  ///< a printed name
    std::string in;    ///< empty, "decrease", or a column
};

/// What the paper prints of one model with one method.
struct PublishedRow {
    std::string data, section, model, method;
    std::optional<std::uint64_t> seed{};  ///< none: the mean over seeds
    std::vector<double> values;           ///< of each column; NaN where there is none
};

/// A table or figure.
struct Reproduction {
    std::string name, title, shows;
    std::vector<std::string> notes;
    int seeds = 1;
    std::vector<ReproductionColumn> columns;
    std::vector<PaperClaim> claims;
    std::vector<ComparisonSection> sections;
    std::optional<Settings> robustness{}, landscape{};
    std::vector<PublishedRow> rows;

    /// "BSAM, Table II" of "bsam-table-2".
    std::string place() const;
    /// All data sets of its sections, each once.
    std::vector<std::string> data() const;
};

/// Reads one. `file` is what messages call it. Throws std::runtime_error that names the file, the key and what was
/// expected.
Reproduction read_reproduction(std::string const& name, std::string const& file,
                               std::string const& text);

/// Those of the three papers, in their order.
std::vector<Reproduction> const& reproductions();

/// One of them, or the file of that name where it ends with ".toml". Throws std::invalid_argument with the nearest
/// and all known names for an unknown one.
Reproduction find_reproduction(std::string const& name);

/// A data set of the papers.
struct PaperData {
    std::string name, title, offered;  ///< offered: by whom
};

/// What is known of the data set; the features of "baby-blip" are those of "blip". Throws std::invalid_argument.
PaperData find_paper_data(std::string const& name);
/// All, in the order of data.toml.
std::vector<PaperData> const& paper_data();

/// The size of synthetic data with the shape of the data set: "baby" of "baby-blip".
std::string shape_of(std::string_view data);

namespace detail {
/// The files of examples/recsys/reproduce, name and text; generated by CMake.
extern std::vector<std::pair<std::string_view, std::string_view>> const reproduction_files;
}  // namespace detail

}  // namespace polder::recsys::app
