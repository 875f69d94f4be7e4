#include "recsys/app/config.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <polder/state/file.hpp>

#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

// Options of these groups decide what a command computes.
bool decides(CLI::Option const& option) {
    auto const& group = option.get_group();
    return group == "Data" || group == "Model" || group == "Optimizer" || group == "Training" ||
           group == "Table";
}

bool is_list(CLI::Option const& option) {
    return option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
}

std::vector<CLI::ConfigItem> read_items(std::string const& file) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error))
        throw std::runtime_error(file + ": no such file");
    std::vector<CLI::ConfigItem> items;
    try {
        items = CLI::ConfigTOML().from_file(file);
    } catch (CLI::Error const& problem) {
        throw std::runtime_error(file + ": " + problem.what());
    }
    // CLI11's marks of where sections begin and end.
    std::erase_if(items, [](auto const& item) { return item.name == "++" || item.name == "--"; });
    return items;
}

std::string toml_value(std::string const& text) {
    double number = 0;
    auto const end = text.data() + text.size();
    auto const result = std::from_chars(text.data(), end, number);
    bool const is_number = !text.empty() && result.ec == std::errc{} && result.ptr == end &&
                           (std::isdigit(static_cast<unsigned char>(text.back())) != 0);
    if (is_number || text == "true" || text == "false") return text;
    char const* const quote = text.find('"') == std::string::npos ? "\"" : "'";
    return fmt::format("{}{}{}", quote, text, quote);
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
        if (!item.parents.empty() && item.parents.front() != command.get_name()) {
            others.push_back(item.parents.front());
            continue;
        }
        auto name = item.name;
        std::replace(name.begin(), name.end(), '_', '-');
        if (std::find(known.begin(), known.end(), name) == known.end())
            refuse_name("key in " + file + ", section " + command.get_name() + ",", item.name,
                        known);
        auto const& option = *command.get_option("--" + name);
        if (!is_list(option))  // an array is the same as its items with commas between
            result.push_back(fmt::format("--{}={}", name, fmt::join(item.inputs, ",")));
        else
            for (auto const& value : item.inputs)
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
        if (item.parents.empty() || (!section.empty() && item.parents.front() != section))
            throw std::runtime_error(file + ": expected a single section that names a command");
        section = item.parents.front();
    }
    if (section.empty()) throw std::runtime_error(file + ": there is no section");
    return section;
}

std::string config_text(CLI::App const& command) {
    auto text = fmt::format("[{}]\n", command.get_name());
    for (auto const* option : command.get_options()) {
        if (!decides(*option)) continue;
        auto const name = option->get_lnames().front();
        std::vector<std::string> values;
        for (auto const& value : option->results()) values.push_back(toml_value(value));
        if (option->count() == 0) {
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

std::string write_config(CLI::App const& command, std::string const& file,
                         std::vector<std::string> const& outputs) {
    auto target = std::filesystem::path(file);
    for (auto const& output : outputs)
        if (target.empty() && !output.empty())
            target = std::filesystem::path(output).replace_extension(".toml");
    if (target.empty()) return {};
    auto const* const config = command.get_option_no_throw("--config");
    std::error_code error;
    if (config != nullptr && config->count() > 0 &&
        std::filesystem::equivalent(target, config->as<std::string>(), error))
        return {};
    write_text_file(target, config_text(command));
    return target.string();
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
