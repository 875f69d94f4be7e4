/// Further measures of the lists of all users, for `evaluate` and `rivals`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "recsys/app/files.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/full_sort.hpp"
#include "recsys/prepare/id_files.hpp"
#include "recsys/training/checkpoint.hpp"

namespace CLI {
class App;
}

namespace polder::recsys::app {

/// What is asked for, as it is given on the command line.
struct RankingArguments {
    std::string split = "test";
    std::string at;            ///< list lengths, separated by commas; empty: no further measures
    std::string groups;        ///< numbers of training rows between groups; empty: no groups
    bool masks_valid = false;  ///< at test, items of validation are no candidates
    bool wants_auc = false;
    std::string
        negatives;  ///< a number of items that are drawn for each user, or a file that lists them; empty: all items
    std::uint64_t seed = 999;  ///< of that draw
    std::string per_user;      ///< a file, or empty

    /// What titles say of it: "; items of validation not masked", and nothing in validation.
    std::string masking() const {
        if (split != "test") return {};
        return std::string("; items of validation ") + (masks_valid ? "" : "not ") + "masked";
    }

    bool is_empty() const {
        return at.empty() && groups.empty() && negatives.empty() && !wants_auc && per_user.empty();
    }
};

/// Adds --split, --mask-valid and the options of what is measured.
void add_ranking_options(CLI::App& command, RankingArguments& a);

/// The lists of all users with rows in a split, best first, and what is measured of them.
class ListReport {
public:
    /// `ids`: the folder of users.tsv and items.tsv, whose ids files have then, or empty. Throws std::invalid_argument for list lengths and groups that are not ascending whole numbers above 0, and for a length
    /// above the number of items; std::runtime_error where the split has no rows; FileError for a file of negatives that cannot
    /// be read.
    ListReport(Dataset const& data, RankingArguments const& arguments,
               std::filesystem::path const& ids);

    /// Makes the lists of scores that are products, or any others.
    void rank(Representations<float> const& r, int threads);
    void rank(FullSort::WriteScores const& scores, int threads);

    /// The users that are ranked, ascending.
    std::span<std::int32_t const> users() const { return full_sort_.users(); }

    /// The mean over users with rows in the split of each measure at each length ("recall@20"), of the split's name.
    Json means() const;
    /// The tables, as text.
    std::string text() const;
    /// {"at": [...], "means": ..., "character": ..., "auc": ..., "user_groups": ..., "item_groups": ...}.
    Json json() const;
    /// Writes --per-user: a row for each user.
    void write_per_user(Files& files) const;

private:
    struct Group {
        std::string name;
        std::size_t first, last;  // numbers of training rows
    };
    void read_negatives();
    void keep_candidates(std::size_t place, std::span<float> scores) const;
    void take(std::size_t place, std::span<std::int32_t const> list);
    std::vector<std::size_t> places_of(Group const& group) const;
    double item_recall(Group const& group, std::size_t K) const;

    Dataset const& data_;
    RankingArguments arguments_;
    Names user_names_, item_names_;
    std::vector<std::size_t> cutoffs_;
    std::vector<Group> groups_;
    FullSort full_sort_;
    UserItems relevant_, masked_;
    std::vector<std::vector<std::int32_t>>
        negatives_;  // of users(); none: all items are candidates
    std::vector<std::vector<std::int32_t>>
        lists_;                // of users(); empty for those without rows in the split
    std::vector<double> auc_;  // likewise
    std::vector<std::size_t> user_rows_, item_rows_;
};

}  // namespace polder::recsys::app
