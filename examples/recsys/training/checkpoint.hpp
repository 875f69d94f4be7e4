/// Checkpoints: a run written to a safetensors file, and continued from it bit for bit.
///
/// What polder/state/state.hpp writes (parameters by their names, "optimizer.<name>"), and arrays
/// "best.<name>", the parameters of the best epoch, if there is one; "carried.offsets", ".columns" and ".values",
/// the graph that the epoch under way carries, if it does (AnyModel::carried_graph). Metadata: "format" and
/// "version"; "run", a JSON object of what the run depends on; "state", a JSON object of TrainingState.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <polder/state/safetensors.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/training/trainer.hpp"

namespace polder::recsys {

/// What the metadata of a checkpoint say of it.
inline constexpr std::string_view checkpoint_format = "polder-recsys checkpoint";
inline constexpr std::string_view checkpoint_version = "4";

/// JSON with keys in the order in which they were added.
using Json = nlohmann::ordered_json;

/// A number that is not finite becomes null, since JSON has no word for it.
Json json_number(double value);

/// The other way round: null becomes not-a-number.
double number_of_json(Json const& value);

/// {"recall@5": 0.1, ..., "map@50": 0.2}, not rounded; null where nothing was measured.
Json json_of_metrics(Metrics const& metrics);

/// The other way round. Throws nlohmann::json::exception where one is missing.
Metrics metrics_of_json(Json const& json);

/// A number that tells data sets apart: of all rows of all splits, in order, and of the features (FNV-1a
/// over words).
std::uint64_t fingerprint(Dataset const& data);

/// Writes the run as it is now. `run`: what its course depends on (model, hyper-parameters,
/// optimizer, seed, data, ...), an object that must be the same when the run is continued.
/// `notes`: further metadata, key and text. Throws FileError where it cannot be written.
void save_run(std::filesystem::path const& file, Trainer& trainer, Json const& run,
              Settings const& notes = {});

/// The same as text, the content of such a file.
std::string checkpoint_text(Trainer& trainer, Json const& run, Settings const& notes = {});

/// Throws FileError unless `file` is a checkpoint of this version whose run is `run`; the message says in what they
/// differ. `run` as in save_run, but for "changes" and "epochs".
void require_run(SafetensorsFile const& file, Json const& run);

/// What the run in `file` says of itself, an object; throws FileError where it is none.
Json saved_run(SafetensorsFile const& file);

/// Which rows of a checkpoint's tables belong to the users and items here, whose numbers may be others there.
struct TableRows {
    std::vector<std::int32_t> users, items;  ///< of each one here the row there, or -1 for none
    std::size_t n_users = 0, n_items = 0;    ///< there
};

/// Warm start: overwrites tables of `parameters` with those that a checkpoint, also of another model, has of its best epoch
/// (of its last step, before the first evaluation). `names`: which; without any all that both have. With `rows` a table of
/// users, of items or of both (users first) is taken row by row, and rows that are not there stay as they are; what has as
/// many rows as there are users, or items, on both sides is such a table, but for weights and biases. Throws FileError where
/// the file is no checkpoint, has none of them, or a table is missing on either side or has another shape there; then
/// `parameters` are as they were.
void read_tables(SafetensorsFile& file, ParameterArena<float>& parameters,
                 std::vector<std::string> const& names,
                 std::optional<TableRows> const& rows = std::nullopt);

/// Continues the run in `file` with a trainer that was made with the same data, model, optimizer and
/// options. Throws FileError where the file is no checkpoint, where it is damaged, and as require_run. Then
/// `trainer` is as it was.
void load_run(SafetensorsFile& file, Trainer& trainer, Json const& run);

}  // namespace polder::recsys
