// polder-recsys: train and compare recommendation models from the command line.
#include <exception>
#include <memory>
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

#include "recsys/app/compare.hpp"
#include "recsys/app/data.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/train.hpp"

namespace {

using namespace polder::recsys::app;

// Parses `arguments` (without the program's name) and runs the command. A resumed run is parsed
// once more, with the arguments that its checkpoint remembers.
int run(std::vector<std::string> const& arguments, bool is_resumed = false) {
    CLI::App app("Recommendation models trained with sharpness-aware optimizers", "polder-recsys");
    app.footer(std::string(exit_code_help) +
               "\n\nEpochs are counted from 0. Example:\n"
               "  polder-recsys train --data synthetic:small --model lightgcn --optimizer bsam+");
    app.require_subcommand(1);
    app.set_version_flag("--version", fmt::format("polder {}.{}.{}", POLDER_VERSION_MAJOR,
                                                  POLDER_VERSION_MINOR, POLDER_VERSION_PATCH));
    // Of an option that is given twice the last counts, so that scripts can be called with more.
    app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    TrainArguments train_arguments;
    CompareArguments compare_arguments;
    DataArguments data_arguments;
    auto const* const train_command = add_train(app, train_arguments);
    auto const* const compare_command = add_compare(app, compare_arguments);
    add_data(app, data_arguments);
    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (CLI::Success const& request) {  // --help, --version
        return app.exit(request);
    } catch (CLI::ParseError const& error) {
        // CLI11 only says that a command is missing.
        auto const is_named = [&](CLI::App* command) { return command->check_name(arguments[0]); };
        if (!arguments.empty() && !arguments[0].starts_with('-') &&
            app.get_subcommands(is_named).empty())
            throw std::invalid_argument("unknown command '" + arguments[0] +
                                        "'; known: train, compare, data");
        spdlog::error("{} (--help explains)", error.what());
        return usage;
    }
    if (train_command->parsed()) {
        if (!train_arguments.resume.empty() && !is_resumed) {
            auto all = resumed_arguments(*train_command, train_arguments.resume);
            all.insert(all.begin(), "train");
            all.insert(all.end(), arguments.begin() + 1, arguments.end());
            return run(all, true);
        }
        return train(train_arguments, course_arguments(*train_command));
    }
    return compare_command->parsed() ? compare(compare_arguments) : describe_data(data_arguments);
}

}  // namespace

int main(int argc, char** argv) {
    auto logger = spdlog::stderr_color_mt("polder-recsys");
    logger->set_pattern("%n: %^%l%$: %v");
    spdlog::set_default_logger(std::move(logger));
    try {
        return run({argv + 1, argv + argc});
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
