// golden --dir DIR [--device DEVICE]: replays the trajectories of reference implementations on polder's optimizers.
//
// Every file of DIR in the schema of the golden trajectories is checked case by case, in float64 on
// ParameterArena, Eigen and std::vector containers, or in float32: loss, distance, perturbation, mask and
// parameters of each step. Methods and base optimizers that polder does not have are named as skipped.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <polder/engine/cpu.hpp>
#include <polder/perturb/masked.hpp>

#include "golden/gpu.hpp"
#include "golden/metrics.hpp"
#include "golden/problem.hpp"
#include "golden/recipe.hpp"
#include "golden/tally.hpp"
#include "golden/trajectory.hpp"

namespace {

using golden::NotBuilt;
using golden::Problem;
using golden::SchemaError;
using golden::Tally;
using golden::Trajectory;
using nlohmann::json;
namespace fs = std::filesystem;

// Whether in float32, and how closely: see the README of the golden files.
struct Precision {
    bool single = false;
    double tolerance() const { return single ? 1e-5 : 1e-12; }
};

// Who replays on a device, and who checks single perturbations there.
struct Device {
    std::string name;
    decltype(&golden::on_host::replay_in_double) in_float = nullptr, in_double = nullptr;
    decltype(&golden::on_host::check_perturbation) check_perturbation = nullptr;
    bool on_host = false;
};

#define GOLDEN_REPLAYS(device)                                                                     \
    golden::device::replay_in_float, golden::device::replay_in_double,                             \
        golden::device::check_perturbation

// Throws CLI::ValidationError where the program was not built for it.
Device device_of(std::string const& name) {
    if (name == "cpu") return {name, GOLDEN_REPLAYS(on_host), true};
    if (name == "cuda") {
#if defined(POLDER_GOLDEN_CUDA)
        return {name, GOLDEN_REPLAYS(on_cuda)};
#else
        throw CLI::ValidationError("--device cuda",
                                   "this program was built without CUDA; configure with "
                                   "-DPOLDER_CUDA=ON where nvcc of CUDA 12.4 or later is found");
#endif
    }
#if defined(POLDER_GOLDEN_THRUST)
    ::setenv("POLDER_TEST_THRUST", name == "thrust-omp" ? "omp" : "cpp", 1);
    return {name, GOLDEN_REPLAYS(on_thrust)};
#else
    throw CLI::ValidationError("--device " + name,
                               "this program was built without Thrust; install it (apt: "
                               "libthrust-dev) and configure again");
#endif
}

#undef GOLDEN_REPLAYS

json const& known(json const& list, std::string const& name, char const* what) {
    if (!list.contains(name)) throw SchemaError(fmt::format("unknown {} '{}'", what, name));
    return list.at(name);
}

std::vector<std::uint8_t> mask_of(json const& document, std::string const& problem) {
    if (!document.contains("masks")) return {};
    return known(document.at("masks"), problem, "mask of problem")
        .at("mask")
        .get<std::vector<std::uint8_t>>();
}

void check_trajectories(std::string const& file, json const& document,
                        std::map<std::string, Problem> const& problems, Precision precision,
                        Device const& device, Tally& tally) {
    json const& variants = document.at("variants");
    json const& bases = document.at("bases");
    json const& cases = document.at("cases");
    if (!cases.is_array() || cases.empty())
        throw SchemaError("'cases' must be a list that is not empty");
    for (json const& item : cases) {
        std::string const id = item.at("id");
        tally.run(file + " " + id, [&] {
            std::string const variant = item.at("variant");
            std::string const problem_name = item.at("problem");
            auto const problem = problems.find(problem_name);
            if (problem == problems.end())
                throw SchemaError("unknown problem '" + problem_name + "'");
            json const& hp = known(variants, variant, "variant").at("hp");
            json const& base = known(bases, item.at("base"), "base");
            auto* const replay = precision.single ? device.in_float : device.in_double;
            replay({problem->second, item, golden::recipe_of(variant, hp), golden::base_of(base),
                    mask_of(document, problem_name), precision.tolerance()});
        });
    }
}

// Single perturbations for given gradients.
void check_units(std::string const& file, json const& document, Device const& device,
                 Tally& tally) {
    std::size_t index = 0;
    for (json const& unit : document.at("units")) {
        const std::vector<double> w = golden::numbers(unit.at("w"), "w");
        const std::vector<double> g = golden::numbers(unit.at("g"), "g");
        if (w.size() != g.size()) throw SchemaError("'w' and 'g' differ in length");
        auto const tensors = golden::read_tensors(unit.at("tensors"));
        for (auto const& item : unit.at("eps").items()) {
            tally.run(fmt::format("{} unit {} {}", file, index, item.key()), [&] {
                device.check_perturbation(golden::recipe_of_unit(item.key(), item.value()),
                                          golden::numbers(item.value().at("eps"), "eps"), tensors,
                                          w, g, Precision{}.tolerance());
            });
        }
        ++index;
    }
}

// An engine over one block, its arrays with given values: what changes masks, by itself.
class Masks {
public:
    explicit Masks(std::size_t size) : size_(size) {}

    polder::ArrayId array(std::vector<double> values) {
        values_.push_back(std::move(values));
        arrays_.push_back(plan_.scratch());
        return arrays_.back();
    }
    polder::MaskSuccession mask(std::vector<std::uint8_t> values) {
        first_ = std::move(values);
        mask_ = plan_.mask("mask", true);
        return mask_;
    }
    void make() {
        engine_ = {polder::detail::Blocks{{"block"}, {{.rows = size_, .cols = 1}}, {size_}},
                   std::make_shared<polder::Plan const>(plan_)};
        for (std::size_t k = 0; k < arrays_.size(); ++k)
            std::copy(values_[k].begin(), values_[k].end(), engine_.values(arrays_[k]).begin());
        std::copy(first_.begin(), first_.end(), engine_.values(mask_.now).begin());
    }
    std::vector<double> values(polder::MaskId mask) {
        auto const found = engine_.values(mask);
        return {found.begin(), found.end()};
    }

    // What DynamicMask::after asks a run for.
    std::uint64_t epoch_of_step = 0;
    std::uint64_t epoch() const { return epoch_of_step; }
    std::uint64_t batch() const { return 0; }
    std::size_t size() const { return size_; }
    polder::MaskId next(polder::MaskSuccession const& mask) const { return mask.next; }
    void clear(polder::MaskId mask) { engine_.set(mask, 0); }
    template <class Score, class... A>
    void choose_largest(std::size_t count, Score const& score, polder::MaskId mask, A const&... a) {
        engine_.choose_largest(count, score, mask, static_cast<polder::ArrayId>(a)...);
    }
    template <class Score, class... A>
    void choose_largest(std::size_t count, Score const& score, polder::MaskId mask,
                        polder::MaskId before, A const&... a) {
        engine_.choose_largest(count, score, mask, before, static_cast<polder::ArrayId>(a)...);
    }

private:
    std::size_t size_;
    polder::Plan plan_;
    std::vector<polder::ArrayId> arrays_;
    std::vector<std::vector<double>> values_;
    polder::MaskSuccession mask_;
    std::vector<std::uint8_t> first_;
    polder::CpuEngine<double> engine_;
};

// The masks that the largest scores make (SSAM-F).
void check_masks(std::string const& file, json const& document, Tally& tally) {
    for (auto const& item : document.at("masks").items()) {
        tally.run(fmt::format("{} mask {}", file, item.key()), [&] {
            auto const& expected = item.value();
            const std::vector<double> scores = golden::numbers(expected.at("scores"), "scores");
            polder::FisherMask const fisher{.sparsity = expected.at("sparsity")};
            polder::DynamicMask const dynamic{.sparsity = expected.at("sparsity")};
            std::size_t const live = file.starts_with("ssam_d") ? dynamic.first_live(scores.size())
                                                                : fisher.live(scores.size());
            golden::check_scalar("keep", static_cast<double>(live), expected.at("keep"), 0);
            Masks masks(scores.size());
            auto const array = masks.array(scores);
            auto const mask = masks.mask(std::vector<std::uint8_t>(scores.size()));
            masks.make();
            masks.choose_largest(live, polder::detail::OwnScore{}, mask.now, array);
            golden::check_vector("mask", masks.values(mask.now),
                                 golden::numbers(expected.at("mask"), "mask"), 0);
        });
    }
}

// One change of a dynamic mask for given scores (SSAM-D): |g| is the one by which coordinates leave, |y| that by which
// they join.
void check_mask_updates(std::string const& file, json const& document, Tally& tally) {
    std::size_t index = 0;
    for (json const& item : document.at("mask_updates")) {
        tally.run(fmt::format("{} mask update {}", file, index++), [&] {
            polder::DynamicMask const policy{.sparsity = item.at("sparsity"),
                                             .drop_rate = item.at("drop_rate"),
                                             .drop = polder::Score::gradient,
                                             .growth = polder::Score::weight,
                                             .refresh_epochs = 1,
                                             .first_epoch = item.at("T_start"),
                                             .last_epoch = item.at("T_end")};
            std::uint64_t const epoch = item.at("epoch");
            auto const old = item.at("mask").get<std::vector<std::uint8_t>>();
            auto const scores = [&](char const* key) {
                auto values = golden::numbers(item.at(key), key);
                if (values.size() != old.size())
                    throw SchemaError(fmt::format("'{}' and 'mask' differ in length", key));
                for (double value : values) {
                    if (value < 0) throw SchemaError(fmt::format("'{}': expected >= 0", key));
                }
                return values;
            };
            golden::check_scalar("death_rate", policy.rate(epoch), item.at("death_rate"),
                                 Precision{}.tolerance());
            auto const count = [&](char const* key, std::size_t found) {
                golden::check_scalar(key, static_cast<double>(found), item.at(key), 0);
            };
            count("kept", policy.kept(old.size(), epoch));
            count("grown", policy.grown(old.size(), epoch));
            Masks masks(old.size());
            masks.epoch_of_step = epoch;
            polder::Gradient const g(masks.array(scores("death_scores")));
            polder::PointId const y{masks.array(scores("growth_scores"))};
            auto const mask = masks.mask(old);
            masks.make();
            policy.after(masks, {mask}, y, g);
            golden::check_vector("new_mask", masks.values(mask.next),
                                 golden::numbers(item.at("new_mask"), "new_mask"), 0);
        });
    }
}

json read_json(fs::path const& path) {
    std::ifstream stream(path);
    if (!stream) throw SchemaError("cannot be read");
    return json::parse(stream);
}

int run(fs::path const& directory, Precision precision, Device const& device) {
    std::vector<fs::path> files;
    for (auto const& item : fs::directory_iterator(directory)) {
        if (item.is_regular_file() && item.path().extension() == ".json")
            files.push_back(item.path());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) {
        fmt::print(stderr, "golden: no .json file in '{}'\n", directory.string());
        return 2;
    }

    Tally tally;
    std::map<std::string, Problem> problems;
    tally.run("problems.json",
              [&] { problems = golden::read_problems(read_json(directory / "problems.json")); });
    for (fs::path const& path : files) {
        std::string const file = path.filename().string();
        if (file == "problems.json") continue;
        try {
            json const document = read_json(path);
            if (document.contains("cases")) {
                check_trajectories(file, document, problems, precision, device, tally);
                if (precision.single || !device.on_host) continue;
                if (document.contains("masks")) check_masks(file, document, tally);
                if (document.contains("mask_updates")) check_mask_updates(file, document, tally);
            } else if (precision.single) {
                continue;  // not a matter of the parameters' precision
            } else if (document.contains("units")) {
                check_units(file, document, device, tally);
            } else if (document.value("schema", "") == "golden-metrics-1") {
                if (device.on_host) tally.run(file, [&] { golden::check_metrics(document); });
            } else {
                throw SchemaError("expected 'cases', 'units' or the schema golden-metrics-1");
            }
        } catch (std::exception const& error) {
            std::string const message = error.what();
            tally.run(file, [&] { throw SchemaError(message); });
        }
    }
    return tally.finish();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Replays golden trajectories of reference implementations on polder's optimizers.\n"
        "Prints a line per case and ends with 'N passed, M failed'. Exit code: 0 when none "
        "failed,\n"
        "1 when a case failed or a file does not fit the schema, 2 for wrong arguments, 77 where\n"
        "--device cuda finds no GPU."};
    fs::path directory;
    app.add_option("--dir", directory, "Folder with problems.json and the trajectories")
        ->required();
    Precision precision;
    app.add_flag("--float32", precision.single,
                 "Parameters in float32 and a tolerance of 1e-5; trajectories alone");
    std::string name = "cpu";
    app.add_option("--device", name,
                   "Where the optimizers run: cpu, cuda, thrust-omp or thrust-cpp; all but cpu "
                   "trajectories and\nperturbations alone")
        ->check(CLI::IsMember({"cpu", "cuda", "thrust-omp", "thrust-cpp"}))
        ->capture_default_str();
    Device device;
    try {
        app.parse(argc, argv);
        device = device_of(name);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (name == "cuda" && !golden::has_gpu()) {
        fmt::print("SKIPPED: golden --device cuda: this machine has no GPU that CUDA can use\n");
        return 77;
    }
    if (!fs::is_directory(directory)) {
        fmt::print(stderr, "golden: --dir '{}': expected a folder\n", directory.string());
        return 2;
    }
    try {
        return run(directory, precision, device);
    } catch (std::exception const& error) {
        fmt::print(stderr, "golden: {}\n", error.what());
        return 1;
    }
}
