#include "recsys/serving/stored_model.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include <polder/state/state.hpp>

#include "recsys/prepare/id_files.hpp"
#include "recsys/training/checkpoint.hpp"

namespace polder::recsys {

namespace {

// "300 users, 200 items" of a description.
std::string sizes_of(std::string const& description) {
    return description.substr(0, description.find(", content"));
}

std::string sizes_of(Dataset const& data) {
    return std::to_string(data.n_users) + " users, " + std::to_string(data.n_items) + " items";
}

// Takes "--NAME=VALUE" to `value` where NAME is that option; false where it is another one, or no number.
bool take_argument(std::string_view argument, std::string_view option, std::string& value) {
    if (!argument.starts_with(option) || argument.substr(option.size(), 1) != "=") return false;
    value = argument.substr(option.size() + 1);
    return true;
}
template <class Number>
bool take_argument(std::string_view argument, std::string_view option, Number& number) {
    std::string text;
    if (!take_argument(argument, option, text)) return false;
    auto const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, number);
    if (result.ec != std::errc{} || result.ptr != end)
        throw std::invalid_argument(std::string(option) + " is no number");
    return true;
}
template <class Value>
bool take_argument(std::string_view argument, std::string_view option,
                   std::optional<Value>& value) {
    Value found{};
    if (!take_argument(argument, option, found)) return false;
    value = std::move(found);
    return true;
}

// Of arguments that are given twice the last counts, but for modalities, which are all taken.
DataSource source_of(std::vector<std::string> const& arguments) {
    DataSource source;
    std::string modality;
    for (auto const& each : arguments)
        if (take_argument(each, "--features", modality))
            source.further.push_back(modality);
        else
            static_cast<void>(take_argument(each, "--data", source.name) ||
                              take_argument(each, "--users", source.n_users) ||
                              take_argument(each, "--items", source.n_items) ||
                              take_argument(each, "--interactions", source.n_interactions) ||
                              take_argument(each, "--visual", source.visual) ||
                              take_argument(each, "--textual", source.textual) ||
                              take_argument(each, "--data-seed", source.seed));
    return source;
}

}  // namespace

std::vector<std::string> saved_arguments(SafetensorsFile const& checkpoint) {
    auto const saved = nlohmann::json::parse(checkpoint.metadata("arguments"), nullptr, false);
    if (!saved.is_array()) checkpoint.fail("'arguments' in the metadata is not a JSON array");
    std::vector<std::string> result;
    for (auto const& each : saved) {
        if (!each.is_string()) checkpoint.fail("'arguments' in the metadata is not text");
        result.push_back(each.get<std::string>());
    }
    // The distance had another default once, so it is said here, unless the method's text says it.
    auto const says_distance = [](std::string const& each) {
        return each.find(":distance=") != std::string::npos;
    };
    if (std::any_of(result.begin(), result.end(), says_distance)) return result;
    auto const run = nlohmann::json::parse(checkpoint.metadata("run"), nullptr, false);
    if (run.is_object() && run.contains("distance") && run["distance"].is_string())
        result.insert(result.begin(), "--distance=" + run["distance"].get<std::string>());
    return result;
}

StoredModel read_stored_model(std::string const& checkpoint, DataOverride const& data) {
    SafetensorsFile const file(checkpoint);
    auto const run = saved_run(file);
    StoredModel stored{checkpoint, {}, {}, 0, {}, -1, {}};
    try {
        stored.model = run.at("model").get<std::string>();
        stored.seed = run.at("seed").get<std::uint64_t>();
        stored.trained_on = run.at("data").get<std::string>();
        stored.epoch = Json::parse(file.metadata("state")).at("best_epoch").get<int>();
        for (auto const& each : find_model(stored.model).hyper_parameters())
            if (auto const found = run.find(each.name); found != run.end() && !found->is_null())
                stored.settings.emplace_back(
                    each.name, found->is_string() ? found->get<std::string>() : found->dump());
    } catch (nlohmann::json::exception const& error) {
        file.fail(std::string("the metadata are damaged: ") + error.what());
    }
    try {
        stored.source = source_of(saved_arguments(file));
    } catch (std::invalid_argument const& error) {
        file.fail(std::string("'arguments' in the metadata are not those of train: ") +
                  error.what());
    }
    if (!data.data.empty()) stored.source.name = data.data;
    if (!data.visual.empty()) stored.source.visual = data.visual;
    if (!data.textual.empty()) stored.source.textual = data.textual;
    return stored;
}

std::string description_of(Dataset const& data) {
    std::array<char, 16> digits{};
    auto const end =
        std::to_chars(digits.data(), digits.data() + digits.size(), fingerprint(data), 16).ptr;
    std::string content(digits.data(), end);
    content.insert(0, digits.size() - content.size(), '0');
    return sizes_of(data) + ", content " + content;
}

Dataset load_data_of(StoredModel const& stored) {
    auto data = load_data(stored.source, needs_features(find_model(stored.model)));
    auto const expected = sizes_of(stored.trained_on);
    if (auto const found = sizes_of(data); found != expected)
        throw std::runtime_error(data.name + ": the data has " + found + ", expected " + expected +
                                 ", as " + stored.checkpoint + " has been trained on");
    return data;
}

Dataset load_same_data(StoredModel const& stored) {
    auto data = load_data(stored.source, needs_features(find_model(stored.model)));
    if (auto const found = description_of(data); found != stored.trained_on)
        throw std::runtime_error(stored.checkpoint + ": was made with data of " +
                                 stored.trained_on + ", " + data.name + " has " + found);
    return data;
}

std::optional<TableRows> rows_by_ids(StoredModel const& stored, std::filesystem::path const& folder,
                                     Dataset const& data) {
    auto const own = id_folder(stored.source);
    std::error_code error;
    for (auto const& each : {folder, own})
        for (auto const* file : {"users.tsv", "items.tsv"})
            if (each.empty() || !std::filesystem::is_regular_file(each / file, error))
                return std::nullopt;
    if (std::filesystem::equivalent(folder, own, error) &&
        sizes_of(data) == sizes_of(stored.trained_on))
        return std::nullopt;
    auto const before = load_same_data(stored);
    TableRows rows{
        {}, {}, static_cast<std::size_t>(before.n_users), static_cast<std::size_t>(before.n_items)};
    auto const find = [&](std::string const& file, std::string const& what, std::int32_t n_here,
                          std::int32_t n_there, std::vector<std::int32_t>& result) {
        Names const here(folder, file, what, n_here), there(own, file, what, n_there);
        for (std::int32_t number = 0; number < n_here; ++number)
            result.push_back(there.find(here(number)).value_or(-1));
    };
    find("users.tsv", "user", data.n_users, before.n_users, rows.users);
    find("items.tsv", "item", data.n_items, before.n_items, rows.items);
    return rows;
}

void read_trained_parameters(StoredModel const& stored, ParameterArena<float>& parameters) {
    SafetensorsFile file(stored.checkpoint);
    read_parameters(file, parameters, stored.epoch >= 0 ? "best." : "");
}

}  // namespace polder::recsys
