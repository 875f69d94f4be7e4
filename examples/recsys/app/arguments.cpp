#include "recsys/app/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <polder/engine/parallel.hpp>

#include "recsys/data/synthetic.hpp"
#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

// "learning_rate" as "--learning-rate".
std::string option_name(std::string_view name) {
    std::string option = "--" + std::string(name);
    std::replace(option.begin(), option.end(), '_', '-');
    return option;
}

// "a=1:b=2" as "a=1" and "b=2".
std::vector<std::string> split_settings(std::string_view text) {
    std::vector<std::string> result;
    while (!text.empty()) {
        auto const end = std::min(text.find(':'), text.size());
        result.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return result;
}

// Whether a value of that name is among them.
template <class Values>
bool has(Values const& values, std::string_view name) {
    return std::any_of(values.begin(), values.end(), [&](auto const& each) {
        if constexpr (requires { each.name; })
            return each.name == name;
        else
            return each.first == name;
    });
}

}  // namespace

CLI::Validator detail::whole_number(std::uint64_t lowest, std::uint64_t highest) {
    auto const check = [lowest, highest](std::string const& text) -> std::string {
        std::uint64_t value = 0;
        auto const end = text.data() + text.size();
        auto const result = std::from_chars(text.data(), end, value);
        if (result.ec == std::errc{} && result.ptr == end && value >= lowest && value <= highest)
            return {};
        return fmt::format("'{}', expected a whole number from {} to {}", text, lowest, highest);
    };
    return {check, ""};
}

CLI::Validator positive_number() {
    auto const check = [](std::string const& text) -> std::string {
        double value = 0;
        auto const end = text.data() + text.size();
        auto const result = std::from_chars(text.data(), end, value);
        if (result.ec == std::errc{} && result.ptr == end && std::isfinite(value) && value > 0)
            return {};
        return fmt::format("'{}', expected a finite number > 0", text);
    };
    return {check, ""};
}

void add_data_options(CLI::App& command, DataSource& source, std::vector<std::string>* several) {
    std::vector<std::string_view> names;
    for (auto const& size : synthetic_sizes) names.push_back(size.name);
    auto const group = "Data";
    auto const text = fmt::format("Directory with an .inter file, or the file; or synthetic:NAME "
                                  "with NAME one of {}; or synthetic with the three sizes below",
                                  fmt::join(names, ", "));
    auto* const data =
        several == nullptr
            ? command.add_option("--data", source.name, text)->capture_default_str()
            : command
                  .add_option("--data", *several,
                              text + ". May be given several times: a table for each, and one over "
                                     "all of them")
                  ->default_str(source.name)
                  ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                  ->allow_extra_args(false);
    data->type_name("DIR|FILE|synthetic:NAME")->group(group);
    command.add_option("--users", source.n_users, "Users of synthetic data")
        ->check(whole_number<std::int32_t>(1))
        ->group(group);
    command.add_option("--items", source.n_items, "Items of synthetic data")
        ->check(whole_number<std::int32_t>(1))
        ->group(group);
    command.add_option("--interactions", source.n_interactions, "Interactions of synthetic data")
        ->check(whole_number<std::int64_t>(1))
        ->group(group);
    command
        .add_option(
            "--visual", source.visual,
            "Visual features: a modality of the data, NAME of a file NAME_feat.npy, or a file. "
            "Default: image")
        ->type_name("NAME|FILE")
        ->group(group);
    command.add_option("--textual", source.textual, "Textual features, likewise. Default: text")
        ->type_name("NAME|FILE")
        ->group(group);
    command
        .add_option(
            "--features", source.further,
            "A further modality of the data, or of a file, for models that take any number: "
            "vbpr, amr, bm3, freedom, mmgcn, grcn. May be given several times")
        ->type_name("NAME[=FILE]")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false)
        ->group(group);
    command
        .add_option("--data-seed", source.seed,
                    "Seed of synthetic data; another one than that of training, so that several "
                    "runs train on the same data")
        ->capture_default_str()
        ->check(whole_number<std::uint64_t>(0))
        ->group(group);
}

void add_set_option(CLI::App& command, std::vector<std::string>& assignments) {
    command
        .add_option(
            "--set", assignments,
            "A hyper-parameter of the model, may be given several times; polder-recsys models "
            "lists them")
        ->type_name("NAME=VALUE")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false)
        ->group("Model");
}

namespace {

// The default of every option, where all methods and base optimizers that have it agree: "0.1"; else those that differ:
// "0.001 (adam), 0.01 (sgd)". By name.
std::map<std::string, std::string> default_texts() {
    using Part = OptimizerValue::Part;
    std::map<std::string, std::vector<std::pair<std::string, std::string>>> owners;  // value, names
    auto const take = [&](OptimizerOptions const& options, Part part, std::string const& owner) {
        try {
            for (auto const& each : optimizer_values(options)) {
                if (each.part != part) continue;
                auto const text = to_text(each.value).empty() ? "none" : to_text(each.value);
                auto& values = owners[each.name];
                auto const found = std::find_if(values.begin(), values.end(),
                                                [&](auto const& v) { return v.first == text; });
                if (found == values.end())
                    values.emplace_back(text, owner);
                else
                    found->second += " " + owner;
            }
        } catch (std::invalid_argument const&) {
            // A method that needs another base by its options has no defaults to show.
        }
    };
    for (auto const& base : base_names()) take({"none", base, {}}, Part::base, base);
    for (auto const& method : method_names())
        if (!method.ends_with('+')) take({method, "adam", {}}, Part::method, method);
    for (auto const& plus : {"sam+", "bsam+"}) take({plus, "adam", {}}, Part::method, plus);
    take({"sam", "adam", {}}, Part::common, "all");
    std::map<std::string, std::string> result;
    for (auto const& [name, values] : owners) {
        std::string text;
        for (auto const& [value, who] : values)
            text +=
                (text.empty() ? "" : ", ") + value + (values.size() == 1 ? "" : " (" + who + ")");
        result[name] = text;
    }
    return result;
}

}  // namespace

void add_optimizer_options(CLI::App& command, OptimizerOptions& options) {
    static auto const defaults = default_texts();
    auto const text_of = [&](OptimizerOptionDescription const& each) {
        auto const found = defaults.find(std::string(each.name));
        return meaning_of(each) + (found == defaults.end() ? "" : ". Default: " + found->second);
    };
    auto const group = "Optimizer";
    command
        .add_option("--base", options.base, fmt::format("Base optimizer: {}", listed(base_names())))
        ->capture_default_str()
        ->type_name("NAME")
        ->group(group);
    for (auto const& each : describe_optimizer_options()) {
        auto const take = [&options, name = std::string(each.name)](std::string const& value) {
            options.values.emplace_back(name, value);
        };
        using Kind = OptimizerOptionDescription::Kind;
        if (each.kind == Kind::flag)
            command
                .add_flag_function(
                    option_name(each.name),
                    [take](std::int64_t count) { take(count > 0 ? "true" : "false"); },
                    text_of(each))
                ->group(group);
        else
            command.add_option_function<std::string>(option_name(each.name), take, text_of(each))
                ->type_name(each.kind == Kind::text ? "TEXT" : "NUMBER")
                ->group(group);
    }
    command
        .add_option_function<std::string>(
            "--rates", [&options](std::string const& text) { options.rates = parse_rates(text); },
            "Learning rates of single tables of parameters, in place of --learning-rate, with its "
            "schedule and decay; polder-recsys models lists the tables, and * stands for any text")
        ->type_name("TABLE=RATE,...")
        ->group(group);
}

void add_training_options(CLI::App& command, CourseArguments& arguments) {
    auto& options = arguments.training;
    auto const group = "Training";
    auto const add = [&](std::string const& name, auto& value, std::string const& text) {
        return command.add_option(name, value, text)->capture_default_str()->group(group);
    };
    add("--epochs", options.epochs, "Epochs at most")->check(whole_number<int>(1));
    add("--batch-size", options.batch_size, "Rows per batch")->check(whole_number<int>(1));
    add("--seed", options.seed, "Seed of initial values, batches and negatives")
        ->check(whole_number<std::uint64_t>(0));
    add("--eval-step", options.eval_step, "Epochs from one evaluation to the next")
        ->check(whole_number<int>(1));
    add("--eval-users", options.eval_users,
        "Evaluations between epochs rank so many users, drawn by the seed, and all at the end; 0: "
        "all. Where there are "
        "many users evaluation takes longer than training")
        ->check(whole_number<int>(0));
    add("--stopping-step", options.stopping_step,
        "Evaluations without a gain that are tolerated; one more ends training")
        ->check(whole_number<int>(0));
    add("--stop", options.stop,
        "What has to gain for training to go on: valid, the metric of validation, or loss, the "
        "training loss. The best epoch is chosen in validation in both cases")
        ->check(CLI::IsMember({"valid", "loss"}));
    add("--valid-metric", options.valid_metric,
        "Metric of validation that chooses the best epoch, rounded to 4 decimals: recall, "
        "precision, ndcg or map @ 5, 10, 20 or 50");
    add("--select", options.select,
        "Which epoch is the result: best, in validation, or last, which needs no validation rows "
        "and knows no early stopping")
        ->check(CLI::IsMember({"best", "last"}));
    add("--decay-factor", options.decay_factor,
        "The learning rate of epoch e (from 0) is multiplied by factor^(e / decay-epochs)")
        ->check(positive_number());
    add("--decay-epochs", options.decay_epochs, "See --decay-factor")->check(positive_number());
    add("--device", arguments.device,
        "Where models and optimizers run, and the evaluation: cpu, or cuda for the GPU that is "
        "current")
        ->check(CLI::IsMember({"cpu", "cuda"}));
    add("--micro-batches", options.micro_batches,
        "Parts that a batch is computed in, one after the other, for less memory: the same as the "
        "whole batch, to rounding. For models whose loss is a mean or a sum over the rows of a "
        "batch")
        ->check(whole_number<int>(1));
    command
        .add_flag("--parallel-batches", options.parallel_batches,
                  "Compute both gradients of a step at once, on one half of the threads each, with "
                  "methods that have two which do not need each other: sampa and those with +, but "
                  "not gsam+ and looksam+. "
                  "The results are the same")
        ->group(group);
    options.threads = default_threads();
    add("--threads", options.threads, "Threads; results do not depend on them")
        ->check(whole_number<int>(1, most_threads));
}

std::pair<std::string, std::string> assignment(std::string const& text, std::string const& option) {
    auto const equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
        throw std::invalid_argument(fmt::format("{} {}: expected name=value", option, text));
    return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<std::string> split_list(std::string const& text) {
    std::vector<std::string> result(1);
    int depth = 0;
    for (char const c : text) {
        depth += c == '[' ? 1 : c == ']' ? -1 : 0;
        if (c == ',' && depth == 0)
            result.emplace_back();
        else
            result.back() += c;
    }
    return result;
}

std::vector<OptimizerOptions> parse_optimizers(std::vector<std::string> const& methods,
                                               OptimizerOptions const& given) {
    std::vector<OptimizerOptions> result;
    Settings unused = given.values;
    for (auto const& method : methods) {
        auto options = parse_optimizer(method, {"none", given.base, {}, given.rates});
        auto const take = [&](std::vector<OptimizerValue> const& known) {
            for (auto const& each : given.values)
                if (has(known, each.first)) {
                    std::erase_if(unused, [&](auto const& u) { return u.first == each.first; });
                    if (!has(options.values, each.first)) options.values.push_back(each);
                }
        };
        // Those of the base first: a method may need them, as momentum_sam does sgd's momentum.
        take(optimizer_values({"none", options.base, {}}));
        // An option may bring others with it, as a schedule does its length.
        for (std::size_t before = options.values.size() + 1; before != options.values.size();) {
            before = options.values.size();
            take(optimizer_values(options));
        }
        result.push_back(std::move(options));
    }
    if (!unused.empty())
        throw std::invalid_argument(
            fmt::format("{} = {}: none of the optimizers {} on {} has this option", unused[0].first,
                        unused[0].second, fmt::join(methods, ", "), given.base));
    return result;
}

void add_runs_options(CLI::App& command, std::string& runs, int& jobs, PauseRequest& pause) {
    command
        .add_option("--runs", runs,
                    "Keep every run in a file in this folder; what is there already is not trained "
                    "again, so that what was interrupted goes on where it was. Processes on "
                    "several machines may share the folder")
        ->type_name("DIR")
        ->group("Files");
    command
        .add_option("--jobs", jobs,
                    "Processes that share the runs; with --runs. Each has its share of the "
                    "threads, unless --threads says how many")
        ->check(whole_number<int>(1, most_threads))
        ->capture_default_str()
        ->group("Files");
    add_pause_options(command, pause);
}

int threads_of_job(CLI::App const& command, int threads, int jobs, std::string const& runs) {
    if (jobs > 1 && runs.empty())
        throw std::invalid_argument(fmt::format(
            "--jobs {}: expected --runs DIR, the folder where processes find each other's runs",
            jobs));
    return command.get_option("--threads")->count() > 0 ? threads : std::max(1, threads / jobs);
}

ModelChoice parse_model(std::string const& text) {
    auto const colon = text.find(':');
    ModelChoice choice{text.substr(0, colon), {}};
    static_cast<void>(find_model(choice.name));
    std::vector<ModelChoice> one{choice};
    if (colon != std::string::npos)
        assign(one, split_settings(std::string_view(text).substr(colon + 1)));
    return one.front();
}

void add_published_option(CLI::App& command, std::string& data_set) {
    command
        .add_option("--published", data_set,
                    "Begin with the settings that the model's authors published for this data set, "
                    "where there are some; polder-recsys models lists them")
        ->type_name("NAME")
        ->group("Model");
}

bool has_published(std::string const& model, std::string const& data_set) {
    auto const& published = find_model(model).published;
    return std::any_of(published.begin(), published.end(),
                       [&](auto const& each) { return each.data_set == data_set; });
}

void use_published(std::vector<ModelChoice>& choices, std::string const& data_set) {
    if (data_set.empty()) return;
    std::vector<std::string> names, known;
    bool is_known = false;
    for (auto& choice : choices) {
        names.push_back(choice.name);
        auto const& entry = find_model(choice.name);
        auto const hyper_parameters = names_of(entry.hyper_parameters());
        for (auto const& published : entry.published) {
            known.emplace_back(published.data_set);
            if (published.data_set != data_set) continue;
            is_known = true;
            Settings own;
            for (auto const& text : split_settings(published.settings)) {
                auto each = assignment(text, "--published");
                bool const is_own = std::find(hyper_parameters.begin(), hyper_parameters.end(),
                                              each.first) != hyper_parameters.end();
                (is_own ? own : choice.optimizer).push_back(std::move(each));
            }
            choice.settings.insert(choice.settings.begin(), own.begin(), own.end());
        }
    }
    std::sort(known.begin(), known.end());
    known.erase(std::unique(known.begin(), known.end()), known.end());
    if (!is_known && known.empty()) {
        std::vector<std::string> with;
        for (auto const& entry : models())
            if (!entry.published.empty()) with.emplace_back(entry.name);
        throw std::invalid_argument(
            fmt::format("--published {}: no settings of {} were published for any data set; models "
                        "with such settings: {}",
                        data_set, listed(names), listed(with)));
    }
    if (!is_known)
        refuse_name("data set with published settings of " + listed(names), data_set, known);
}

void assign(std::vector<ModelChoice>& choices, std::vector<std::string> const& assignments) {
    for (auto const& text : assignments) {
        auto const [name, value] = assignment(text, "--set");
        std::vector<std::string> known;
        bool is_known = false;
        for (auto& choice : choices)
            for (auto const& each : names_of(find_model(choice.name).hyper_parameters())) {
                known.push_back(each);
                if (each != name) continue;
                is_known = true;
                choice.settings.emplace_back(name, value);
            }
        if (!is_known) {
            std::vector<std::string> names;
            for (auto const& choice : choices) names.push_back(choice.name);
            std::sort(known.begin(), known.end());
            known.erase(std::unique(known.begin(), known.end()), known.end());
            refuse_name("hyper-parameter of " + listed(names), name, known);
        }
    }
}

}  // namespace polder::recsys::app
