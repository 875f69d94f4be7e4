// polder-recsys models, polder-recsys optimizers: what there is to choose from.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/table.hpp"
#include "recsys/data/source.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/names.hpp"
#include "recsys/training/optimizer.hpp"

namespace polder::recsys::app {

namespace {

using Json = nlohmann::ordered_json;
using Part = OptimizerValue::Part;

struct ListArguments {
    std::vector<std::string> names;  // all without any
    DataSource data{.name = "synthetic:tiny"};
    std::string json;
    Files files{};
};

bool is_asked_for(ListArguments const& a, std::string_view name) {
    return a.names.empty() || std::find(a.names.begin(), a.names.end(), name) != a.names.end();
}

std::string indented(std::string const& text) {
    std::string result = "  ";
    for (char const c : text.substr(0, text.size() - (text.ends_with('\n') ? 1 : 0)))
        result.append(c == '\n' ? "\n  " : std::string(1, c));
    return result + "\n";
}

int list_models(ListArguments& a) {
    a.files.expect("--json", a.json, Mark::json("models"));
    for (auto const& name : a.names) static_cast<void>(find_model(name));
    auto const data = load_data(a.data, true);
    auto json = Json::array();
    std::vector<ModelEntry> entries;
    for (auto const& entry : models())
        if (is_asked_for(a, entry.name)) entries.push_back(entry);
    for (auto const& name : a.names)
        if (name.ends_with(attacked_ending)) entries.push_back(find_model(name));
    for (auto const& entry : entries) {
        Table options{{"hyper-parameter", "default", "range", "meaning"}, {}, 4};
        Table matrices{{"parameter", "shape"}, {}, 2};
        Json json_options = Json::array(), json_matrices = Json::array();
        for (auto const& h : entry.hyper_parameters()) {
            options.rows.push_back({h.name, h.default_value, h.range, h.meaning});
            json_options.push_back({{"name", h.name},
                                    {"default", h.default_value},
                                    {"range", h.range},
                                    {"meaning", h.meaning}});
        }
        ParameterArena<float> parameters;
        make_model<float>(entry.name, data, {}, 1)->declare(parameters);
        for (auto const& each : parameters.entries()) {
            matrices.rows.push_back({each.name, fmt::format("{} x {}", each.rows, each.cols)});
            json_matrices.push_back(
                {{"name", each.name}, {"rows", each.rows}, {"columns", each.cols}});
        }
        auto const decay = entry.weight_decay == 0 ? std::string()
                                                   : fmt::format("  trained with weight decay {}\n",
                                                                 entry.weight_decay);
        Json json_published = Json::object();
        std::string published;
        for (auto const& each : entry.published) {
            published += fmt::format("  published for {}: {}\n", each.data_set, each.settings);
            json_published[each.data_set] = each.settings;
        }
        fmt::print("{}: {}\n{}{}{}  {} numbers on {} ({} users, {} items)\n{}\n", entry.name,
                   entry.source, indented(aligned(options)), published, decay, parameters.size(),
                   data.name, data.n_users, data.n_items, indented(aligned(matrices)));
        json.push_back({{"name", entry.name},
                        {"source", entry.source},
                        {"weight_decay", entry.weight_decay},
                        {"published", std::move(json_published)},
                        {"needs_features", needs_features(entry)},
                        {"hyper_parameters", std::move(json_options)},
                        {"parameters", std::move(json_matrices)}});
    }
    if (a.names.empty())
        fmt::print("NAME+a, for a model with features: the same with its features moved where that "
                   "hurts most, as AMR does it;\npolder-recsys models freedom+a\n");
    a.files.write_json(a.json, {{"command", "models"}, {"models", std::move(json)}});
    return a.files.exit_code(success);
}

// "rho 0.1, lambda 0.6".
std::string options_text(std::vector<OptimizerValue> const& values, Part part) {
    std::string text;
    for (auto const& each : values)
        if (each.part == part)
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", each.name,
                                to_text(each.value).empty() ? "none" : to_text(each.value));
    return text;
}

int list_optimizers(ListArguments& a) {
    a.files.expect("--json", a.json, Mark::json("optimizers"));
    auto methods = describe_methods();
    auto const bases = describe_base_optimizers();
    auto const plain = methods;
    for (auto mixture : plain) {  // named alone, "bsam+" is a method of its own
        if (!mixture.has_plus || a.names.empty() || !is_asked_for(a, mixture.name + "+")) continue;
        mixture.name += "+";
        mixture.equation += "; u mixed with grad L_B2(x)";
        mixture.has_plus = false;
        methods.push_back(std::move(mixture));
    }
    auto all = methods;
    all.insert(all.end(), bases.begin(), bases.end());
    for (auto const& name : a.names) require_known("optimizer", name, names_of(all));
    auto json = Json::array();
    auto const print = [&](OptimizerDescription const& each, Part part) {
        if (!is_asked_for(a, each.name)) return;
        bool const is_method = part == Part::method;
        auto const values = optimizer_values(is_method ? OptimizerOptions{each.name, "adam", {}}
                                                       : OptimizerOptions{"none", each.name, {}});
        auto const options = options_text(values, part);
        fmt::print("  {}{}\n      {}{}\n", each.name, each.has_plus ? ", " + each.name + "+" : "",
                   each.equation, each.source.empty() ? "" : "  [" + each.source + "]");
        if (!options.empty()) fmt::print("      {}\n", options);
        Json defaults = Json::object();
        for (auto const& value : values)
            if (value.part == part) defaults[value.name] = to_text(value.value);
        json.push_back({{"name", each.name},
                        {"kind", is_method ? "method" : "base"},
                        {"equation", each.equation},
                        {"source", each.source},
                        {"has_plus", each.has_plus},
                        {"options", std::move(defaults)}});
    };
    if (a.names.empty())
        fmt::print(
            "Methods: one step at x with the batch B, g = grad L_B(x), s = grad L_B(x + eps), x <- "
            "BaseOpt(x, u).\nX+ mixes in a second batch: u = kappa u_X + (1 - kappa) grad L_B2(x), "
            "kappa 0.6 (Xu et al., eq. (13)).\n\n");
    for (auto const& each : methods) print(each, Part::method);
    if (a.names.empty()) fmt::print("\nBase optimizers (--base)\n\n");
    for (auto const& each : bases) print(each, Part::base);
    if (a.names.empty()) {
        fmt::print("\nOptions of all methods\n\n      {}\n\nWhat the options mean\n\n",
                   options_text(optimizer_values({"sam", "adam", {}}), Part::common));
        Table meanings{{"option", "meaning"}, {}, 2};
        for (auto const& each : describe_optimizer_options())
            meanings.rows.push_back({std::string(each.name), meaning_of(each)});
        fmt::print("{}", indented(aligned(meanings)));
    }
    a.files.write_json(a.json, {{"command", "optimizers"}, {"optimizers", std::move(json)}});
    return a.files.exit_code(success);
}

CLI::App* add_list(CLI::App& program, std::string const& name, std::string const& text,
                   ListArguments& a) {
    auto* const command = program.add_subcommand(name, text);
    command->add_option("names", a.names, "Which; all where none is named");
    command->add_option("--json", a.json, "Write the list here")->type_name("FILE")->group("Files");
    a.files.add_option(*command);
    return command;
}

}  // namespace

Command add_models(CLI::App& program) {
    auto const a = std::make_shared<ListArguments>();
    auto* const command =
        add_list(program, "models", "List models with their hyper-parameters and parameters", *a);
    add_data_options(*command, a->data);
    return {command, [a] { return list_models(*a); }};
}

Command add_optimizers(CLI::App& program) {
    auto const a = std::make_shared<ListArguments>();
    auto* const command =
        add_list(program, "optimizers", "List optimizers with their equations and options", *a);
    return {command, [a] { return list_optimizers(*a); }};
}

}  // namespace polder::recsys::app
