/// Results that are kept while they come, so that a command goes on after an interruption.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <polder/state/file.hpp>

#include "recsys/app/files.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

/// A JSON file {"command": ..., "settings": {...}, "results": ...}.
class ResultsFile {
public:
    /// Reads what is there. `file` is one that `files` expects, or an empty name, which is no file. With --overwrite a
    /// file of other origin is as none. Throws FileError where it is damaged, or was made with other settings (the
    /// message names the first that differs).
    ResultsFile(Files& files, std::string file, std::string command, Json settings)
        : files_(files), file_(std::move(file)), command_(std::move(command)),
          settings_(std::move(settings)) {
        std::error_code error;
        if (file_.empty() || !std::filesystem::is_regular_file(file_, error) ||
            std::filesystem::file_size(file_, error) == 0 || !is_replaced(file_) ||
            !is_own(file_, Mark::json(command_)))
            return;
        std::ifstream stream(file_);
        auto const json = Json::parse(stream, nullptr, false);
        if (json.is_discarded() || !json.contains("settings") || !json.contains("results"))
            throw FileError(file_, "is damaged: expected settings and results");
        for (auto const& [key, value] : settings_.items())
            if (auto const found = json["settings"].value(key, Json(nullptr)); found != value)
                throw FileError(file_, fmt::format("was made with {} = {}, this command has {}; "
                                                   "expected the same, or a new file",
                                                   key, found.dump(), value.dump()));
        results_ = json["results"];
    }

    /// What was there, or an empty array.
    Json const& results() const { return results_; }

    /// Replaces the results while the command works. A device or pipe gets them at the end alone.
    void save(Json const& results) const {
        if (!file_.empty() && is_replaced(file_)) files_.save([&] { write(results); });
    }

    /// Replaces the results at the end.
    void finish(Json const& results) const {
        files_.write(file_, [&] { write(results); });
    }

private:
    void write(Json const& results) const {
        Json const json{{"command", command_}, {"settings", settings_}, {"results", results}};
        write_text_file(file_, text_of_json(json));
    }

    Files& files_;
    std::string file_, command_;
    Json settings_, results_ = Json::array();
};

}  // namespace polder::recsys::app
