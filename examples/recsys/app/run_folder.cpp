#include "recsys/app/run_folder.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <polder/state/file.hpp>

#include "recsys/app/ascent_watch.hpp"
#include "recsys/app/cells.hpp"
#include "recsys/app/claim.hpp"
#include "recsys/app/comparison.hpp"
#include "recsys/app/interrupt.hpp"
#include "recsys/app/progress.hpp"
#include "recsys/app/train_arguments.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds between_checkpoints{60}, between_looks{1};

// Progress while batches go by, a checkpoint every minute, and reasons to stop.
class FolderObserver final : public TrainingObserver {
public:
    FolderObserver(std::string const& label, OptimizerOptions const& optimizer, bool is_quiet,
                   Claim& claim, Pause& pause, std::optional<int> until, Files& files,
                   std::function<void()> save)
        : progress_(label, is_quiet), watch_(optimizer, label), claim_(claim), pause_(pause),
          until_(until), files_(files), save_(std::move(save)) {}

    void after_batch(Trainer const& trainer, Report const& report) override {
        progress_.after_batch(trainer, report);
        watch_.after_batch(trainer, report);
        is_there_ = until_ && trainer.state().epoch >= *until_;
    }
    void after_epoch(Trainer const&) override {
        if (!save_ || Clock::now() - saved_ < between_checkpoints) return;
        claim_.renew();
        if (claim_.is_ours()) files_.save(save_);
        saved_ = Clock::now();
    }
    bool should_stop() override {
        pause_.wait([this] { return is_over(); });
        return is_over();
    }
    void clear() { progress_.clear(); }

private:
    bool is_over() {
        claim_.renew();
        return interrupt_signal() != 0 || !claim_.is_ours() || is_there_;
    }

    Progress progress_;
    AscentWatch watch_;
    Claim& claim_;
    Pause& pause_;
    std::optional<int> until_;
    Files& files_;
    std::function<void()> save_;
    Clock::time_point saved_ = Clock::now();
    bool is_there_ = false;
};

fs::path with_ending(fs::path file, std::string_view ending) {
    return file.replace_extension(ending);
}

Json read_run(fs::path const& file) {
    std::ifstream stream(file, std::ios::binary);
    auto json = Json::parse(stream, nullptr, false);
    if (!json.is_object() || !json.contains("identity") || !json.contains("run"))
        throw std::runtime_error(file.string() + ": is not a run of a comparison");
    return json;
}

// The report in the file, which must be that of the run.
Json read_report(fs::path const& file, Json const& what) {
    auto json = read_run(file);
    for (auto const& [key, value] : what.items())
        if (auto const& saved = json["identity"]; !saved.contains(key) || saved[key] != value)
            throw std::runtime_error(fmt::format(
                "{}: was made with {} = {}, this comparison has {}; choose another folder for "
                "--runs",
                file.string(), key, saved.contains(key) ? saved[key].dump() : "nothing",
                value.dump()));
    for (auto const& [key, value] : json["identity"].items())
        if (key != "epochs" && !what.contains(key))  // files of before have epochs
            throw std::runtime_error(fmt::format(
                "{}: was made with {} = {}, which this comparison has not; choose another folder "
                "for --runs",
                file.string(), key, value.dump()));
    return std::move(json["run"]);
}

void require_cell(Json const& report, fs::path const& file) {
    try {
        static_cast<void>(cell_of_json(report));
    } catch (nlohmann::json::exception const& error) {
        throw std::runtime_error(file.string() + ": is damaged: " + error.what());
    }
}

// Throws where a run has more epochs than were asked for.
void require_epochs(std::size_t n, int limit, fs::path const& file) {
    if (n > static_cast<std::size_t>(limit))
        throw std::runtime_error(fmt::format("{}: has {} epochs, this comparison has {}; expected "
                                             "at least as many, or another folder for --runs",
                                             file.string(), n, limit));
}

// Whether a run that has ended would have ended so with this limit of epochs; otherwise it has fewer. Throws where it has more.
bool is_whole(Json const& report, int limit, fs::path const& file) {
    auto const n = report.at("epochs").size();
    auto const& ending = report.at("ending");
    require_epochs(ending == to_string(Ending::not_finite) ? n + 1 : n, limit, file);
    return ending != to_string(Ending::all_epochs) || n == static_cast<std::size_t>(limit);
}

// How many epochs the run in a checkpoint has begun.
std::size_t begun_epochs(SafetensorsFile const& checkpoint) {
    try {
        auto const state = Json::parse(checkpoint.metadata("state"));
        return state.at("epoch").get<std::size_t>() +
               (state.at("batch").get<std::size_t>() > 0 ? 1 : 0);
    } catch (nlohmann::json::exception const& error) {
        checkpoint.fail(std::string("the metadata are damaged: ") + error.what());
    }
}

}  // namespace

std::string PlannedRun::name() const {
    return fmt::format("{} {} seed {}", model, method, options.training.seed);
}

std::string kept_name(std::string const& model, std::string const& method, std::uint64_t seed) {
    return folder_name(fmt::format("{} {} seed {}", model, method, seed));
}

std::string folder_name(std::string name) {
    for (char& c : name)
        if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '.' || c == '=' ||
              c == '-'))
            c = '_';
    return name;
}

RunFolder::RunFolder(fs::path folder, Dataset const& data, int jobs, bool is_quiet, Files& files,
                     std::optional<DataSource> source)
    : folder_(std::move(folder)), pause_(folder_), data_(data), jobs_(jobs), is_quiet_(is_quiet),
      files_(files), source_(std::move(source)) {
    if (!folder_.empty()) Files::expect_folder(folder_);
}

void RunFolder::check(std::vector<PlannedRun> const& runs) const {
    std::vector<RunOptions> all;
    for (auto const& run : runs) all.push_back(run.options);
    require_ways_of_batches(all);
    std::set<std::string> tried;
    for (auto const& run : runs) {
        if (!folder_.empty()) {
            auto const file = file_of(run), checkpoint = with_ending(file, ".safetensors");
            auto const what = identity_of(run);
            auto const limit = run.options.training.epochs;
            if (fs::exists(file)) {
                auto const report = read_report(file, what);
                require_cell(report, file);
                if (is_whole(report, limit, file)) continue;
            }
            if (fs::exists(checkpoint)) {
                SafetensorsFile const opened(checkpoint);
                require_run(opened, what);
                require_epochs(begun_epochs(opened), limit, checkpoint);
            }
        }
        if (tried.insert(run.model).second)
            static_cast<void>(Run(data_, run.options, is_quiet_ ? "" : run.model));
    }
}

void RunFolder::open() const {
    if (!folder_.empty()) Files::make_folder(folder_);
}

std::vector<std::optional<Json>> RunFolder::make(std::vector<PlannedRun> const& runs,
                                                 std::optional<int> until) {
    open();
    std::vector<std::optional<Json>> reports(runs.size());
    auto const start = Clock::now();
    std::size_t n_known = 0, n_made = 0;
    for (bool is_waiting = true; is_waiting;) {
        is_waiting = false;
        auto const known_before = n_known;
        for (std::size_t k = 0; k < runs.size() && interrupt_signal() == 0; ++k) {
            if (reports[k]) continue;
            pause_.wait([] { return interrupt_signal() != 0; });
            if (interrupt_signal() != 0) break;
            auto const begin = Clock::now();
            auto outcome = make_one(runs[k], until);
            is_waiting = is_waiting || outcome.is_elsewhere;
            if (!outcome.report) continue;
            reports[k] = std::move(outcome.report);
            ++n_known;
            if (Clock::now() - begin > std::chrono::seconds(1)) ++n_made;  // and not only read
            if (is_quiet_ || n_made == 0 || n_known == runs.size()) continue;
            double const seconds = std::chrono::duration<double>(Clock::now() - start).count();
            fmt::print(stderr, "{} of {} runs, about {} left\n", n_known, runs.size(),
                       duration(seconds / static_cast<double>(n_made) *
                                static_cast<double>(runs.size() - n_known) / jobs_));
        }
        if (interrupt_signal() != 0) break;
        if (is_waiting && n_known == known_before) std::this_thread::sleep_for(between_looks);
    }
    return reports;
}

void RunFolder::drop(PlannedRun const& run, Json const& report) const {
    if (folder_.empty()) return;
    auto const file = file_of(run);
    if (fs::exists(file)) return;
    bool const is_kept = files_.save(
        [&] { write_report(run, identity_of(run), with_ending(file, ".dropped.json"), report); });
    std::error_code ignored;
    if (is_kept) fs::remove(with_ending(file, ".safetensors"), ignored);
}

RunFolder::Outcome RunFolder::make_one(PlannedRun const& run, std::optional<int> until) {
    auto const what = identity_of(run);
    if (folder_.empty()) return train(run, what, {}, until);
    auto const file = file_of(run);
    auto const from_file = [&]() -> std::optional<Json> {
        if (auto report = ended(run, what, file, until)) return report;
        auto const dropped = with_ending(file, ".dropped.json");
        if (!until || !fs::exists(dropped)) return {};
        auto report = read_report(dropped, what);
        if (static_cast<int>(report.at("epochs").size()) < *until) return {};
        return report;
    };
    if (auto report = from_file()) return {std::move(report)};
    return train(run, what, file, until);
}

RunFolder::Outcome RunFolder::train(PlannedRun const& planned, Json const& what,
                                    fs::path const& file, std::optional<int> until) {
    Claim claim(file.empty() ? file : with_ending(file, ".claim"));
    if (!claim.is_ours()) return {{}, true};
    // It may have ended since its file was looked for.
    if (!file.empty())
        if (auto report = ended(planned, what, file, until)) return {std::move(report)};
    if (!file.empty()) remove_temporaries(file);

    auto const name = planned.name();
    auto const trained = with_ending(file, trained_checkpoint_ending);
    // A run that has ended, but with fewer epochs, or without the checkpoint that is to be kept.
    bool const was_made = !file.empty() && fs::exists(file);
    bool const has_trained = was_made && fs::exists(trained);
    Run run(data_, planned.options, is_quiet_ ? "" : name);
    auto& trainer = run.trainer();
    auto const checkpoint = file.empty() ? file : with_ending(file, ".safetensors");
    if (!file.empty() && fs::exists(checkpoint)) {
        SafetensorsFile opened(checkpoint);
        load_run(opened, trainer, what);
        if (!until || trainer.state().epoch < *until)
            spdlog::info("going on from {}", checkpoint.string());
    } else if (has_trained) {
        SafetensorsFile opened(trained);
        load_run(opened, trainer, identity(planned.options, data_));
        spdlog::info("going on from {}", trained.string());
    } else if (was_made) {
        spdlog::info("{}: is trained anew, since its checkpoint was not kept; --checkpoints keeps "
                     "those of compare",
                     name);
    }
    std::function<void()> save;
    if (!file.empty()) save = [&] { save_run(checkpoint, trainer, what); };
    auto ending = Ending::interrupted;
    if (!until || trainer.state().epoch < *until) {
        FolderObserver observer(name + ": ", planned.options.optimizer, is_quiet_, claim, pause_,
                                until, files_, save);
        ending = trainer.run(observer);
        observer.clear();
        if (ending == Ending::interrupted) {
            if (!claim.is_ours()) {
                spdlog::warn("{}: another process has taken this run over, since the claim was not "
                             "renewed in time; this one leaves it alone",
                             name);
                return {{}, true};
            }
            if (save) files_.write(checkpoint, save, false);
        }
    }
    auto const& state = trainer.state();
    auto report = run.report(ending);
    if (ending == Ending::interrupted) {
        if (!until || state.epoch < *until) return {};
        return {std::move(report)};
    }
    if (ending == Ending::not_finite)
        spdlog::warn("{}: epoch {}, batch {}: {}; {}", name, state.epoch, state.batch,
                     trainer.message(), run.advice());
    if (!is_quiet_)
        fmt::print(stderr, "{}: {} epochs, {} {}, valid {} {} ({})\n", name, state.epochs.size(),
                   planned.options.training.select,
                   state.best_epoch < 0 ? "-" : std::to_string(state.best_epoch),
                   planned.options.training.valid_metric,
                   state.best_epoch < 0 ? "-" : table_cell(state.best_value), to_string(ending));
    if (state.best_epoch >= 0) report["pair_loss"] = run.pair_loss();
    if (state.best_epoch >= 0) report["test_users"] = json_of_hits(trainer.best_test_hits());
    if (!file.empty()) {
        auto const write = [&] {
            std::vector<std::string> arguments;
            if (source_) {
                arguments = course_arguments(*source_, planned.options);
            } else if (has_trained) {  // so that it is that of the run
                arguments = saved_arguments(SafetensorsFile(trained));
                arguments.push_back(fmt::format("--epochs={}", planned.options.training.epochs));
            }
            if (!arguments.empty())
                save_run(trained, trainer, identity(planned.options, data_),
                         {{"arguments", Json(arguments).dump()}});
            write_report(planned, what, file, report);
        };
        if (!files_.write(file, write, false)) return {std::move(report)};
        std::error_code ignored;
        fs::remove(checkpoint, ignored);
        fs::remove(with_ending(file, ".dropped.json"), ignored);
    }
    return {std::move(report)};
}

// The report of a run that has ended, where it has the epochs that are asked for. A run that stopped early has them whatever the
// limit was; the new one is written to its file, so that all runs of a comparison have the same.
std::optional<Json> RunFolder::ended(PlannedRun const& run, Json const& what, fs::path const& file,
                                     std::optional<int> until) const {
    if (!has_ended(file)) return {};
    auto report = read_report(file, what);
    require_cell(report, file);
    auto const limit = run.options.training.epochs;
    if (!is_whole(report, limit, file)) {
        if (!until || report.at("epochs").size() < static_cast<std::size_t>(*until)) return {};
        return report;
    }
    if (auto& known = report["hyper_parameters"]["max_epochs"]; known != limit) {
        known = limit;
        files_.write(
            file, [&] { write_report(run, what, file, report); }, false);
    }
    return report;
}

void RunFolder::write_report(PlannedRun const& run, Json const& what, fs::path const& file,
                             Json const& report) {
    write_text_file(
        file,
        text_of_json(
            {{"model", run.model}, {"method", run.method}, {"identity", what}, {"run", report}},
            -1));
}

// What a process that was killed has left of the files of a run. The run is claimed, so nobody writes them now.
void RunFolder::remove_temporaries(fs::path const& file) const {
    auto const beginning = file.stem().string() + ".";
    std::error_code error;
    for (auto const& entry : fs::directory_iterator(folder_, error)) {
        auto const name = entry.path().filename().string();
        if (name.starts_with(beginning) && name.ends_with(".part")) fs::remove(entry.path(), error);
    }
}

bool RunFolder::has_ended(fs::path const& file) const {
    return fs::exists(file) &&
           (!source_ || fs::exists(with_ending(file, trained_checkpoint_ending)));
}

fs::path RunFolder::file_of(PlannedRun const& run) const {
    return folder_ / (kept_name(run.model, run.method, run.options.training.seed) + ".json");
}

Json RunFolder::identity_of(PlannedRun const& run) const {
    auto what = identity(run.options, data_);
    what["stopping_step"] = run.options.training.stopping_step;
    return what;
}

std::vector<KeptRun> kept_runs(fs::path const& folder) {
    std::error_code error;
    std::vector<fs::path> files;
    for (auto const& entry : fs::directory_iterator(folder, error)) {
        auto const name = entry.path().filename().string();
        if (name.ends_with(".json") && !name.ends_with(".dropped.json")) files.push_back(entry);
    }
    if (error) throw std::runtime_error(folder.string() + ": " + error.message());
    if (files.empty())
        throw std::runtime_error(folder.string() + ": there is no run in this folder");
    std::sort(files.begin(), files.end());
    std::vector<KeptRun> result;
    for (auto const& file : files) {
        auto json = read_run(file);
        require_cell(json["run"], file);
        auto const text = [&](char const* key, char const* in_report) {
            return json.contains(key) ? json[key].get<std::string>()
                                      : json["run"].at(in_report).get<std::string>();
        };
        result.push_back({text("model", "model"), text("method", "optimizer"), json["run"]});
    }
    return result;
}

Processes::Processes(int count) {
    for (int k = 1; k < count; ++k) {
        auto const process = fork();
        if (process < 0)
            throw std::runtime_error(fmt::format("--jobs {}: {}", count, std::strerror(errno)));
        if (process == 0) {
            others_.clear();
            is_copy_ = true;
            return;
        }
        others_.push_back(process);
    }
}

Processes::~Processes() {
    for (auto const process : others_) {
        if (interrupt_signal() != 0 || std::uncaught_exceptions() > 0) kill(process, SIGTERM);
        while (waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

}  // namespace polder::recsys::app
