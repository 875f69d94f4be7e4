// polder-recsys: train and compare recommendation models from the command line.
#include <algorithm>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <polder/version.hpp>

#include "recsys/app/commands.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/names.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::app;

// Parses `arguments` (without the program's name) and runs the command. Where a configuration file or a
// checkpoint has further arguments, they are parsed once more, together.
int run(std::vector<std::string> const& arguments, bool is_complete = false) {
    CLI::App app("Recommendation models trained with sharpness-aware optimizers", "polder-recsys");
    app.footer(std::string(exit_code_help) +
               "\n\nEpochs are counted from 0. Example:\n"
               "  polder-recsys train --data synthetic:small --model lightgcn --optimizer bsam+");
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("polder {}.{}.{}", POLDER_VERSION_MAJOR,
                                                  POLDER_VERSION_MINOR, POLDER_VERSION_PATCH));
    // Of an option that is given twice the last counts, so that scripts can be called with more.
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    std::vector<Command> const commands{
        add_train(app),    add_compare(app),    add_tune(app),      add_runs(app),
        add_evaluate(app), add_robustness(app), add_landscape(app), add_recommend(app),
        add_export(app),   add_data(app),       add_models(app),    add_optimizers(app)};
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (CLI::Success const& request) {  // --help, --version
        return app.exit(request);
    } catch (CLI::ParseError const& error) {
        // CLI11 only says that a command is missing.
        std::vector<std::string> known;
        for (auto const& command : commands) known.push_back(command.app->get_name());
        if (!arguments.empty() && !arguments[0].starts_with('-') &&
            std::find(known.begin(), known.end(), arguments[0]) == known.end())
            refuse_name("command", arguments[0], known);
        spdlog::error("{} (--help explains)", error.what());
        return usage;
    }
    for (auto const& command : commands) {
        if (!command.app->parsed()) continue;
        if (is_complete) return command.run();
        auto all = resumed_arguments(*command.app);
        for (auto const& each : config_arguments(*command.app)) all.push_back(each);
        if (all.empty()) return command.run();
        all.insert(all.begin(), arguments.front());
        all.insert(all.end(), arguments.begin() + 1, arguments.end());
        return run(all, true);
    }
    return usage;
}

}  // namespace

int main(int argc, char** argv) {
    auto logger = spdlog::stderr_color_mt("polder-recsys");
    logger->set_pattern("%n: %^%l%$: %v");
    spdlog::set_default_logger(std::move(logger));
    try {
        std::vector<std::string> arguments{argv + 1, argv + argc};
        if (arguments.size() >= 2 && arguments[0] == "--config")
            arguments.insert(arguments.begin(), config_command(arguments[1]));
        return run(arguments);
    } catch (std::invalid_argument const& error) {
        spdlog::error("{}", error.what());
        return usage;
    } catch (std::bad_alloc const&) {
        spdlog::error("there is not enough memory");
        return failure;
    } catch (std::exception const& error) {
        spdlog::error("{}", error.what());
        return failure;
    }
}
