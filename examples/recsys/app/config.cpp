#include "recsys/app/config.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <toml++/toml.h>

#include <polder/state/file.hpp>

#include "recsys/data/inter_file.hpp"

#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

// Options of these groups decide what a command computes.
bool decides(CLI::Option const& option) {
    auto const& group = option.get_group();
    if (option.check_lname("parallel-batches")) return false;  // how fast it is, and no more
    return group == "Data" || group == "Model" || group == "Optimizer" || group == "Training" ||
           group == "Table";
}

bool is_list(CLI::Option const& option) {
    return option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
}

// A key of a file with its values, and the section that it is in.
struct Item {
    std::string section, name;
    std::vector<std::string> values;
};

std::string text_of(toml::node const& value, std::string const& file, std::string_view name) {
    if (auto const* const text = value.as_string()) return text->get();
    if (auto const* const number = value.as_integer()) return fmt::format("{}", number->get());
    if (auto const* const number = value.as_floating_point())
        return fmt::format("{}", number->get());
    if (auto const* const flag = value.as_boolean()) return flag->get() ? "true" : "false";
    throw std::runtime_error(fmt::format(
        "{}:{}: the value of {} is no text, number, true or false, and no list of these", file,
        value.source().begin.line, name));
}

std::vector<Item> read_items(std::string const& file) {
    std::error_code error;
    if (!std::filesystem::exists(file, error)) throw std::runtime_error(file + ": no such file");
    auto const text = polder::recsys::detail::read_text_file(file);
    toml::table root;
    try {
        root = toml::parse(text, file);
    } catch (toml::parse_error const& problem) {
        throw std::runtime_error(
            fmt::format("{}:{}: {}", file, problem.source().begin.line, problem.description()));
    }
    std::vector<Item> items;
    auto const add = [&](std::string const& section, toml::table const& table, bool is_root) {
        for (auto const& [key, value] : table) {
            if (is_root && value.is_table()) continue;
            Item item{section, std::string(key.str()), {}};
            if (auto const* const list = value.as_array())
                for (auto const& each : *list)
                    item.values.push_back(text_of(each, file, key.str()));
            else
                item.values.push_back(text_of(value, file, key.str()));
            items.push_back(std::move(item));
        }
    };
    add({}, root, true);
    for (auto const& [key, value] : root)
        if (auto const* const table = value.as_table()) add(std::string(key.str()), *table, false);
    return items;
}

// Whether the text comes back to the letter from a number of TOML: "0.5" and "-3", but not "1e3", which may be the name of
// a folder.
template <class T>
bool is_number(std::string const& text) {
    T value{};
    auto const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, value);
    return result.ec == std::errc{} && result.ptr == end && fmt::format("{}", value) == text &&
           text.find_first_not_of("-.0123456789") == std::string::npos;
}

std::string toml_value(std::string const& text) {
    if (text == "true" || text == "false" || is_number<std::int64_t>(text) ||
        (is_number<double>(text) && text.find('.') != std::string::npos))
        return text;
    std::string quoted = "\"";
    for (char const c : text) {
        if (static_cast<unsigned char>(c) < ' ' || c == 127)
            quoted += fmt::format("\\u{:04X}", static_cast<int>(c));
        else
            quoted.append(c == '"' || c == '\\' ? "\\" : "").append(1, c);
    }
    return quoted + "\"";
}

}  // namespace

void add_config_options(CLI::App& command, std::string& file) {
    auto const group = "Files";
    command
        .add_option("--config",
                    "Read options from this TOML file; what is given here as well counts more")
        ->type_name("FILE")
        ->group(group);
    command
        .add_option(
            "--write-config", file,
            "Write the options here, as a file for --config. Otherwise it is beside the other "
            "files that are written: run.json has run.toml")
        ->type_name("FILE")
        ->group(group);
}

std::vector<std::string> config_arguments(CLI::App const& command) {
    auto const* const config = command.get_option_no_throw("--config");
    if (config == nullptr || config->count() == 0) return {};
    auto const file = config->as<std::string>();
    std::vector<std::string> result, known, others;
    for (auto const* option : command.get_options())
        if (option != config && !option->get_lnames().empty())
            known.push_back(option->get_lnames().front());
    for (auto const& item : read_items(file)) {
        if (!item.section.empty() && item.section != command.get_name()) {
            others.push_back(item.section);
            continue;
        }
        auto name = item.name;
        std::replace(name.begin(), name.end(), '_', '-');
        if (std::find(known.begin(), known.end(), name) == known.end())
            refuse_name("key in " + file + ", section " + command.get_name() + ",", item.name,
                        known);
        auto const& option = *command.get_option("--" + name);
        // Of a list, what the file says comes before what is given here; but data is other data.
        if (name == "data" && is_list(option) && option.count() > 0) continue;
        if (!is_list(option))  // an array is the same as its items with commas between
            result.push_back(fmt::format("--{}={}", name, fmt::join(item.values, ",")));
        else
            for (auto const& value : item.values)
                result.push_back(fmt::format("--{}={}", name, value));
    }
    if (result.empty())
        throw std::runtime_error(
            fmt::format("{}: there is no option for {}{}", file, command.get_name(),
                        others.empty() ? "" : "; it has a section " + others.front()));
    return result;
}

std::string config_command(std::string const& file) {
    std::string section;
    for (auto const& item : read_items(file)) {
        if (item.section.empty() || (!section.empty() && item.section != section))
            throw std::runtime_error(file + ": expected a single section that names a command");
        section = item.section;
    }
    if (section.empty()) throw std::runtime_error(file + ": there is no section");
    return section;
}

namespace {

// "data" as "/home/me/data" where there is such a file or folder; also in "image=FILE,IDS".
std::string with_absolute_paths(std::string const& text) {
    std::error_code error;
    auto const absolute = [&](std::string const& path) {
        if (path.empty() || !std::filesystem::exists(path, error)) return path;
        auto const full = std::filesystem::absolute(path, error).lexically_normal();
        return error ? path : full.string();
    };
    if (auto const whole = absolute(text); whole != text) return whole;
    auto const equals = text.find('=');
    if (equals == std::string::npos) return text;
    auto const value = text.substr(equals + 1);
    auto result = text.substr(0, equals + 1);
    if (auto const whole = absolute(value); whole != value) return result + whole;
    auto const comma = value.rfind(',');
    if (comma == std::string::npos) return text;
    return result + absolute(value.substr(0, comma)) + "," + absolute(value.substr(comma + 1));
}

// Whether a value may be the name of a file. A modality is looked for by its name first.
bool may_be_file(CLI::Option const& option) {
    auto const type = option.get_type_name();
    return type != "NAME|FILE" &&
           (type.find("FILE") != std::string::npos || type.find("DIR") != std::string::npos);
}

}  // namespace

std::string config_text(CLI::App const& command, FurtherValues const& further) {
    auto text =
        fmt::format("# polder-recsys {0} --config FILE repeats this\n[{0}]\n", command.get_name());
    for (auto const* option : command.get_options()) {
        if (!decides(*option)) continue;
        auto const name = option->get_lnames().front();
        std::vector<std::string> values;
        for (auto const& value : option->results())
            values.push_back(toml_value(may_be_file(*option) ? with_absolute_paths(value) : value));
        std::vector<std::string> others;
        for (auto const& each : further)
            if (each.first == name)
                for (auto const& value : each.second) others.push_back(toml_value(value));
        if (is_list(*option) && !others.empty()) {
            values.insert(values.end(), others.begin(), others.end());
        } else if (option->count() == 0 && !others.empty()) {
            values = {others.back()};
        } else if (option->count() == 0) {
            auto const by_default = option->get_default_str();
            if (by_default.empty() || is_list(*option) || name == "threads") continue;
            values = {toml_value(by_default)};
        } else if (!is_list(*option)) {
            values.erase(values.begin(), values.end() - 1);  // the last counts
        }
        text += is_list(*option) ? fmt::format("{} = [{}]\n", name, fmt::join(values, ", "))
                                 : fmt::format("{} = {}\n", name, values.front());
    }
    return text;
}

void write_config(CLI::App const& command, Files& files, std::string const& file,
                  std::vector<std::string> const& outputs, FurtherValues const& further) {
    auto const text = config_text(command, further);
    auto const write = [&](std::filesystem::path const& target) {
        if (!files.write(
                target, [&] { write_text_file(target, text); }, false))
            return;
        auto const& name = command.get_name();
        spdlog::info("wrote {}, which repeats this {}", target.string(),
                     name == "compare" ? "comparison"
                     : name == "tune"  ? "search"
                                       : "run");
    };
    if (!file.empty()) return write(file);
    std::filesystem::path beside;
    for (auto const& output : outputs)
        if (beside.empty() && !output.empty() && is_replaced(output)) beside = output;
    if (beside.empty()) return;
    // Not over the file that was read, nor over a file of the user's.
    auto const* const config = command.get_option_no_throw("--config");
    auto const is_free = [&](std::filesystem::path const& target) {
        std::error_code error;
        bool const is_read = config != nullptr && config->count() > 0 &&
                             std::filesystem::equivalent(target, config->as<std::string>(), error);
        try {
            return !is_read && !files.expects(target) && is_own(target, Mark::toml());
        } catch (FileError const&) {  // a directory, for example
            return false;
        }
    };
    auto target = beside, other = beside;
    target.replace_extension(".toml");
    other.replace_extension(".polder.toml");
    for (auto const& each : {target, other}) {
        std::error_code error;
        if (std::filesystem::is_regular_file(each, error) &&
            polder::recsys::detail::read_text_file(each) == text)
            return;  // it is there
    }
    for (auto const& each : {target, other})
        if (is_free(each)) return write(each);
    spdlog::warn("{} and {} are not files that this command may replace, and are left as they are; "
                 "--write-config FILE writes the settings to another",
                 target.string(), other.string());
}

std::vector<std::string> given_arguments(CLI::App const& command) {
    std::vector<std::string> result;
    for (auto const* option : command.get_options())
        if (decides(*option))
            for (auto const& value : option->results())
                result.push_back("--" + option->get_lnames().front() + "=" + value);
    return result;
}

}  // namespace polder::recsys::app
