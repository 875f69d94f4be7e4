/// A folder that keeps every run of a comparison or a search, so that it can go on where it was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "recsys/app/files.hpp"
#include "recsys/app/pause.hpp"
#include "recsys/app/run.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/data/source.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

/// What the files of a run in a folder are called, without their endings.
std::string kept_name(std::string const& model, std::string const& method, std::uint64_t seed);

/// A name as it may stand in that of a file or a folder.
std::string folder_name(std::string name);

/// The ending of a checkpoint that is kept of a run that has ended.
inline constexpr std::string_view trained_checkpoint_ending = ".trained.safetensors";

/// A run to be made. `model` and `method` are what it is called on the command line, and its files in the folder.
struct PlannedRun {
    RunOptions options;
    std::string model, method;

    /// "lightgcn bsam:rho=0.1 seed 999".
    std::string name() const;
};

/// What the folder has of a run that was made, from its file NAME.json.
struct KeptRun {
    std::string model, method;
    Json report;  ///< as Run::report makes it, with "test_users"
};

/// Files of a run: NAME.json, once it has ended; NAME.safetensors, a checkpoint of one that goes on, written every
/// minute and when it is interrupted; NAME.dropped.json, of a search that gave it up; NAME.claim, see Claim;
/// NAME.trained.safetensors, a checkpoint like those of `train`, where they are to be kept. "paused": see Pause.
///
/// A run that was made with fewer epochs goes on from such a checkpoint, or is made anew where there is none. One that had
/// stopped early stays.
///
/// Several processes, also on several machines, may work on the same runs in the same folder. Which of them makes a
/// run changes nothing in its result.
class RunFolder {
public:
    /// Without a folder nothing is kept. It is not made yet. Throws FileError where it cannot be made or written to.
    /// `jobs`: how many processes work on the runs, for the time that is left. `files` gets what cannot be written.
    /// `source`: where the data comes from, if checkpoints are to be kept; a run without one is made again.
    RunFolder(std::filesystem::path folder, Dataset const& data, int jobs, bool is_quiet,
              Files& files, std::optional<DataSource> source = {});

    /// Before anything is written: makes sure that what the folder has of these runs was made with the same settings,
    /// and that each model can be trained on the data. Throws what make() would throw.
    void check(std::vector<PlannedRun> const& runs) const;

    /// Makes the folder.
    void open() const;

    /// The reports of these runs, in their order: read, or trained, or waited for where another process trains.
    /// Nothing where this process was interrupted. `until`: epochs after which a run may pause, to be judged; the
    /// report of one that has not ended is that of these epochs, without "test_users". Throws std::runtime_error
    /// for a file that is damaged, or of a run with other settings or more epochs.
    std::vector<std::optional<Json>> make(std::vector<PlannedRun> const& runs,
                                          std::optional<int> until = {});

    /// Gives a paused run up: what it reported is kept, its checkpoint is not.
    void drop(PlannedRun const& run, Json const& report) const;

private:
    struct Outcome {
        std::optional<Json> report;
        bool is_elsewhere = false;  // another process has it
    };
    Outcome make_one(PlannedRun const& run, std::optional<int> until);
    Outcome train(PlannedRun const& run, Json const& what, std::filesystem::path const& file,
                  std::optional<int> until);
    bool has_ended(std::filesystem::path const& file) const;
    std::optional<Json> ended(PlannedRun const& run, Json const& what,
                              std::filesystem::path const& file, std::optional<int> until) const;
    static void write_report(PlannedRun const& run, Json const& what,
                             std::filesystem::path const& file, Json const& report);
    std::filesystem::path file_of(PlannedRun const& run) const;
    Json identity_of(PlannedRun const& run) const;
    void remove_temporaries(std::filesystem::path const& file) const;

    std::filesystem::path folder_;
    Pause pause_;
    Dataset const& data_;
    int jobs_;
    bool is_quiet_;
    Files& files_;
    std::optional<DataSource> source_;  // none: checkpoints are not kept
};

/// All runs in a folder that have ended, in the order of their files' names. Throws std::runtime_error for a folder
/// without any, or a file that is damaged.
std::vector<KeptRun> kept_runs(std::filesystem::path const& folder);

/// Processes beside this one that do the same: copies of it from where it is made on. Before any thread.
class Processes {
public:
    /// `count`, this one included. Throws std::runtime_error where the system has no more.
    explicit Processes(int count);
    Processes(Processes const&) = delete;
    Processes& operator=(Processes const&) = delete;
    /// Waits for the others; ends them first where this one was interrupted or has failed.
    ~Processes();

    /// This is one of the copies: it writes no tables.
    bool is_copy() const { return is_copy_; }

private:
    std::vector<pid_t> others_;
    bool is_copy_ = false;
};

}  // namespace polder::recsys::app
