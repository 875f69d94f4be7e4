#include "recsys/app/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
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

CLI::Validator whole_number(long long lowest) {
    auto const check = [lowest](std::string const& text) -> std::string {
        std::int64_t value = 0;
        auto const end = text.data() + text.size();
        auto const result = std::from_chars(text.data(), end, value);
        if (result.ec == std::errc{} && result.ptr == end && value >= lowest) return {};
        return fmt::format("'{}', expected a whole number of at least {}", text, lowest);
    };
    return {check, ""};
}

void add_data_options(CLI::App& command, DataSource& source) {
    std::vector<std::string_view> names;
    for (auto const& size : synthetic_sizes) names.push_back(size.name);
    auto const group = "Data";
    command
        .add_option(
            "--data", source.name,
            fmt::format("Directory with an .inter file, or the file; or synthetic:NAME with "
                        "NAME one of {}; or synthetic with the three sizes below",
                        fmt::join(names, ", ")))
        ->capture_default_str()
        ->type_name("DIR|FILE|synthetic:NAME")
        ->group(group);
    command.add_option("--users", source.n_users, "Users of synthetic data")
        ->check(whole_number(1))
        ->group(group);
    command.add_option("--items", source.n_items, "Items of synthetic data")
        ->check(whole_number(1))
        ->group(group);
    command.add_option("--interactions", source.n_interactions, "Interactions of synthetic data")
        ->check(whole_number(1))
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
        .add_option("--data-seed", source.seed,
                    "Seed of synthetic data; another one than that of training, so that several "
                    "runs train on the same data")
        ->capture_default_str()
        ->check(whole_number(0))
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

void add_optimizer_options(CLI::App& command, OptimizerOptions& options) {
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
                    meaning_of(each))
                ->group(group);
        else
            command
                .add_option_function<std::string>(option_name(each.name), take, meaning_of(each))
                ->type_name(each.kind == Kind::text ? "TEXT" : "NUMBER")
                ->group(group);
    }
}

void add_training_options(CLI::App& command, CourseArguments& arguments) {
    auto& options = arguments.training;
    auto const group = "Training";
    auto const add = [&](std::string const& name, auto& value, std::string const& text) {
        return command.add_option(name, value, text)->capture_default_str()->group(group);
    };
    add("--epochs", options.epochs, "Epochs at most")->check(whole_number(1));
    add("--batch-size", options.batch_size, "Rows per batch")->check(whole_number(1));
    add("--seed", options.seed, "Seed of initial values, batches and negatives")
        ->check(whole_number(0));
    add("--eval-step", options.eval_step, "Epochs from one evaluation to the next")
        ->check(whole_number(1));
    add("--stopping-step", options.stopping_step,
        "Evaluations without a gain that are tolerated; one more ends training")
        ->check(whole_number(0));
    add("--valid-metric", options.valid_metric,
        "Metric of validation that chooses the best epoch, rounded to 4 decimals: recall, "
        "precision, ndcg or map @ 5, 10, 20 or 50");
    add("--decay-factor", options.decay_factor,
        "The learning rate of epoch e (from 0) is multiplied by factor^(e / decay-epochs)");
    add("--decay-epochs", options.decay_epochs, "See --decay-factor");
    add("--device", arguments.device,
        "Where models and optimizers run, and the evaluation: cpu, or cuda for the GPU that is "
        "current")
        ->check(CLI::IsMember({"cpu", "cuda"}));
    options.threads = default_threads();
    add("--threads", options.threads, "Threads; results do not depend on them")
        ->check(whole_number(1));
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
        auto options = parse_optimizer(method, {"none", given.base, {}});
        auto const own = options.values;
        // An option may bring others with it, as a schedule does its length.
        for (std::size_t before = options.values.size() + 1; before != options.values.size();) {
            before = options.values.size();
            auto const known = optimizer_values(options);
            for (auto const& each : given.values)
                if (has(known, each.first)) {
                    std::erase_if(unused, [&](auto const& u) { return u.first == each.first; });
                    if (!has(options.values, each.first)) options.values.push_back(each);
                }
        }
        result.push_back(std::move(options));
    }
    if (!unused.empty())
        throw std::invalid_argument(
            fmt::format("{} = {}: none of the optimizers {} on {} has this option", unused[0].first,
                        unused[0].second, fmt::join(methods, ", "), given.base));
    return result;
}

void add_runs_options(CLI::App& command, std::string& runs, int& jobs) {
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
        ->check(whole_number(1))
        ->capture_default_str()
        ->group("Files");
}

int threads_of_job(CLI::App const& command, int threads, int jobs, std::string const& runs) {
    if (jobs > 1 && runs.empty())
        throw std::invalid_argument(fmt::format(
            "--jobs {}: expected --runs DIR, the folder where processes find each other's runs",
            jobs));
    return command.get_option("--threads")->count() > 0 ? threads : std::max(1, threads / jobs);
}

bool needs_features(ModelEntry const& model) {
    Dataset probe;
    probe.n_users = probe.n_items = 2;
    probe.train = {{0, 0}, {0, 1}, {1, 1}};
    try {
        static_cast<void>(model.make_float(probe, {}, 1));
        return false;
    } catch (std::invalid_argument const&) {
        return true;
    }
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
