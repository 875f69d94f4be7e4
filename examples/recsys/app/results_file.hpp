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

#include "recsys/app/own_file.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys::app {

/// A JSON file {"command": ..., "settings": {...}, "results": ...}.
class ResultsFile {
public:
    /// Reads what is there. An empty name is no file. Throws FileError where the file cannot be written, is not of
    /// this command, is damaged, or was made with other settings (the message names the first that differs).
    ResultsFile(std::string file, std::string command, Json settings)
        : file_(std::move(file)), command_(std::move(command)), settings_(std::move(settings)) {
        if (file_.empty()) return;
        require_own(file_, fmt::format("{{\n  \"command\": \"{}\"", command_));
        std::error_code error;
        if (!std::filesystem::exists(file_, error) || std::filesystem::file_size(file_, error) == 0)
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

    /// Replaces the results.
    void write(Json const& results) const {
        if (file_.empty()) return;
        Json const json{{"command", command_}, {"settings", settings_}, {"results", results}};
        write_text_file(file_, json.dump(2) + "\n");
    }

private:
    std::string file_, command_;
    Json settings_, results_ = Json::array();
};

}  // namespace polder::recsys::app
