// polder-recsys: train and compare recommendation models from the command line.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <polder/version.hpp>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

#include "recsys/app/commands.hpp"
#include "recsys/app/config.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/app/ranks.hpp"
#include "recsys/names.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::app;

int run_program(std::vector<std::string> arguments);

// "; nearest to --lr: --learning-rate" for the options among the arguments that the command does not have: by spelling, or
// by the first letters of the words.
std::string nearest_options(CLI::App const& command, std::vector<std::string> const& arguments) {
    std::vector<std::string> known;
    for (auto const* option : command.get_options())
        for (auto const& name : option->get_lnames()) known.push_back(name);
    std::string text;
    for (auto const& argument : arguments) {
        if (!argument.starts_with("--") || argument.size() < 3) continue;
        auto const name = argument.substr(2, argument.find('=') - 2);
        if (std::find(known.begin(), known.end(), name) != known.end()) continue;
        auto nearest = nearest_names(name, known);
        for (auto const& each : known) {
            std::string letters(1, each.front());
            for (std::size_t k = 1; k < each.size(); ++k)
                if (each[k - 1] == '-') letters += each[k];
            bool const is_found = std::find(nearest.begin(), nearest.end(), each) != nearest.end();
            if (letters.size() > 1 && letters == name && !is_found) nearest.push_back(each);
        }
        for (auto& each : nearest) each.insert(0, "--");
        if (!nearest.empty()) text += fmt::format("; nearest to --{}: {}", name, listed(nearest));
    }
    return text;
}

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
    std::vector<Command> const commands{add_train(app),     add_compare(app),
                                        add_tune(app),      add_runs(app),
                                        add_report(app),    add_evaluate(app),
                                        add_rivals(app),    add_robustness(app),
                                        add_landscape(app), add_reproduce(app, run_program),
                                        add_recommend(app), add_similar(app),
                                        add_export(app),    add_prepare(app),
                                        add_augment(app),   add_data(app),
                                        add_models(app),    add_optimizers(app)};
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
        std::string nearest;
        for (auto const& command : commands)
            if (!arguments.empty() && command.app->get_name() == arguments[0])
                nearest = nearest_options(*command.app, arguments);
        throw std::invalid_argument(fmt::format("{}{} (--help explains)", error.what(), nearest));
    }
    for (auto const& command : commands) {
        if (!command.app->parsed()) continue;
        if (auto const& name = command.app->get_name(); ranks() && name != "train")
            throw std::invalid_argument(
                fmt::format("mpirun has started {} processes: {} runs in one; only train is split "
                            "over several (compare and tune share their runs by --jobs)",
                            ranks()->size, name));
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

// Arguments are written to JSON, TOML and checkpoints, which are UTF-8.
void require_utf8(std::vector<std::string> const& arguments) {
    for (std::size_t k = 0; k < arguments.size(); ++k) {
        auto shown = nlohmann::json(arguments[k])
                         .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        try {
            static_cast<void>(nlohmann::json(arguments[k]).dump());
        } catch (nlohmann::json::exception const&) {
            throw std::invalid_argument(
                fmt::format("argument {}, {}, is not UTF-8, which files of settings and results "
                            "are; expected another name, or a link to the file",
                            k + 1, shown));
        }
    }
}

// The exit code, or failure where standard output could not be written.
int after_output(int code) {
    errno = 0;
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    spdlog::error("standard output cannot be written: {}", std::strerror(errno != 0 ? errno : EIO));
    return failure;
}

// Says why the program has failed. Of several ranks the first that has failed does.
int failed(std::string const& why, ExitCode code) {
    if (!speaks_of_failure()) return success;
    spdlog::error("{}", why);
    return code;
}

// The same, with messages in the place of exceptions.
int run_program(std::vector<std::string> arguments) {
    try {
        require_utf8(arguments);
        if (arguments.size() >= 2 && arguments[0] == "--config")
            arguments.insert(arguments.begin(), config_command(arguments[1]));
        command_line() = arguments;
        return after_output(run(arguments));
    } catch (std::invalid_argument const& error) {
        return failed(error.what(), usage);
    } catch (std::bad_alloc const&) {
        return failed("there is not enough memory", failure);
    } catch (std::exception const& error) {
        return failed(error.what(), failure);
    }
}

// Makes numbers below 1e-38 zero in this thread, and in those that it starts. Weight decay leads to many of them in tables whose
// rows are in few batches, and processors compute with them ten times as slowly.
void flush_denormals() {
#if defined(__SSE2__)
    _mm_setcsr(_mm_getcsr() | 0x8040U);  // flush to zero, denormals are zero
#elif defined(__aarch64__)
    std::uint64_t control = 0;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    asm volatile("msr fpcr, %0" ::"r"(control | std::uint64_t{1} << 24));
#endif
}

}  // namespace

int main(int argc, char** argv) {
    auto logger = spdlog::stderr_color_mt("polder-recsys");
    logger->set_pattern("%n: %^%l%$: %v");
    spdlog::set_default_logger(std::move(logger));
    flush_denormals();
    std::signal(SIGPIPE, SIG_IGN);  // a reader who has gone is an error of that file alone
    try {
        MpiSession const session;
        return run_program({argv + 1, argv + argc});
    } catch (std::invalid_argument const& error) {
        spdlog::error("{}", error.what());
        return usage;
    }
}
