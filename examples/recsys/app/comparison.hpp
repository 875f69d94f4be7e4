/// What a comparison makes of its runs: tables of means, improvements and tests of significance.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "recsys/app/table.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/evaluation/significance.hpp"
#include "recsys/training/checkpoint.hpp"
#include "recsys/training/optimizer.hpp"

namespace polder::recsys::app {

/// One run of a comparison, at the epoch that is best in validation.
struct CellResult {
    bool has_best = false;  ///< false: no epoch was evaluated, and the rest is empty
    Metrics valid, test;
    double best_epoch = 0, n_epochs = 0;
    double seconds_per_epoch = 0;  ///< of training, without evaluation
    /// Means over the best epoch, NaN for none; see EpochRecord.
    double sharpness = 0, cosine = 0, distance = 0;
    /// Of the whole run; NaN in files of before they were measured.
    double gradients = 0;         ///< of the loss of a batch, see EpochRecord
    double memory_bytes = 0;      ///< the most that the process had
    double gap = 0;               ///< the generalisation gap, see PairLoss; of the best epoch
    std::vector<UserHits> users;  ///< of test
};

/// The result in the JSON that `Run::report` makes, with "test_users" as `json_of_hits` makes it. Throws
/// nlohmann::json::exception where something is missing.
CellResult cell_of_json(Json const& report);

/// {"user": [...], "rows": [...], "ranks": [[...], ...]}.
Json json_of_hits(std::vector<UserHits> const& users);

/// The runs of one model with one optimizer, one per seed.
struct ComparisonRow {
    std::string model, optimizer;
    std::size_t base = 0;  ///< the row that improvements are over; its own place: none
    std::vector<CellResult> cells;

    std::vector<double> values(std::string_view metric) const;
};

/// A row against its base, in one metric.
struct Improvement {
    Spread spread;       ///< of the row, over seeds
    double percent = 0;  ///< of the means, over the base's
    double p_users = 0;  ///< paired t-test over users, each user's value being the mean over seeds
    double p_seeds = 0;  ///< Welch's t-test over seeds
    double p_wilcoxon = 0;  ///< signed-rank test over users, whose values are as for p_users
    double p_holm = 0;      ///< p_users, corrected for the number of rows that are compared
    bool is_base = false;   ///< then the other numbers are NaN

    /// Both tests were made: there are several users and several seeds.
    bool is_tested() const { return !std::isnan(p_users) && !std::isnan(p_seeds); }

    /// Both p-values are below 0.01.
    bool is_significant() const { return p_users < 0.01 && p_seeds < 0.01; }
};
/// p_holm, which depends on all rows, is left at NaN.
Improvement improvement(std::vector<ComparisonRow> const& rows, std::size_t row,
                        std::string_view metric);
/// One for each row.
std::vector<Improvement> improvements(std::vector<ComparisonRow> const& rows,
                                      std::string_view metric);

/// The columns that a table may have besides: "gradients", "memory", "gap", "cosine", "distance", "sharpness",
/// "wilcoxon" and "holm".
std::vector<std::string> const& further_columns();

/// Those that it has unless others are asked for.
inline constexpr std::string_view default_columns = "gradients,memory,gap";

/// The row that the improvements of each row are over, for optimizers in the order of the rows: the first that is none
/// over the same base optimizer, where there is no such one the first of all over the same base optimizer.
std::vector<std::size_t> bases_of(std::vector<OptimizerOptions> const& optimizers);

/// A row for each row: mean ± standard deviation in test, the mean in validation, improvement and p-values in test,
/// best epoch, seconds per epoch, and the mean over seeds of each of `further`, names of further_columns(). Throws
/// std::invalid_argument for another name.
Table comparison_table(std::vector<ComparisonRow> const& rows, std::string const& metric,
                       std::vector<std::string> const& further = {});

/// Every metric of every row, in test and in validation ("valid_"), in full precision.
Table comparison_details(std::vector<ComparisonRow> const& rows);
Json comparison_json(std::vector<ComparisonRow> const& rows);

/// The rows of a comparison on one data set; on all of a comparison they are the same models with the same optimizers.
struct ComparedData {
    std::string name;
    std::vector<ComparisonRow> rows;
};

/// A row over all data sets, in one metric.
struct OverData {
    std::vector<double> means;  ///< in each data set, over seeds; NaN where no run has ended
    double percent = 0;  ///< mean over data sets of the improvement over the base; NaN for a base
    std::size_t n_better = 0;  ///< data sets in which the mean is above the base's
    double rank =
        0;  ///< mean over data sets of the place among the rows, 1 for the best; equal means share
    bool is_base = false;
};

/// One for each row. What takes a mean that is missing is NaN.
std::vector<OverData> over_data(std::vector<ComparedData> const& all, std::string_view metric);

/// A row for each row: its means, "vs base", in how many data sets it is better, and the mean rank.
Table over_data_table(std::vector<ComparedData> const& all, std::string const& metric);

/// The same of several metrics.
Json over_data_json(std::vector<ComparedData> const& all, std::vector<std::string> const& metrics);

}  // namespace polder::recsys::app
