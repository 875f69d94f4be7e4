// Checkpoints: safetensors files of parameters, optimizer state and the course of training.
#include "recsys/training/checkpoint.hpp"

#include <memory>
#include <span>
#include <sstream>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "fuzz.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;

// The least that can be trained.
class Bowl final : public AnyModel<float> {
public:
    std::string_view name() const override { return "bowl"; }
    std::vector<HyperParameterValue> hyper_parameters() const override { return {}; }
    void declare(ParameterArena<float>& parameters) const override { parameters.add("x", 3, 2); }
    void initialise(ParameterArena<float>&, std::uint64_t) const override {}
    double loss(ParameterArena<float> const& x, Triples const&, polder::Pass,
                ParameterArena<float>& gradient) override {
        for (std::size_t k = 0; k < x.size(); ++k) gradient.data()[k] = x.data()[k] - 1;
        return 1;
    }
    std::vector<LossTerm> terms() const override { return {}; }
    Representations<float> representations(ParameterArena<float> const& x) override {
        return {{x.data(), 2, 1}, {x.data(), 3, 1}};
    }
};

Dataset data() {
    Dataset result;
    result.n_users = 2;
    result.n_items = 3;
    result.train = {{0, 0}, {1, 1}};
    result.valid = result.test = {{0, 1}};
    return result;
}

struct Run {
    Dataset data = ::data();
    HostLearner learner{std::make_unique<Bowl>(), parse_optimizer("bsam")};
    Trainer trainer{data, learner, [] {
                        TrainingOptions options;
                        options.epochs = 2;
                        options.batch_size = 1;
                        return options;
                    }()};
};

Json const identity = {{"seed", 999}};

// A file that is removed when the program ends.
struct Scratch {
    std::filesystem::path file = std::filesystem::temp_directory_path() /
                                 ("polder-fuzz-" + std::to_string(getpid()) + ".safetensors");
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove(file, ignored);
    }
} const scratch;

std::string content(std::filesystem::path const& file) {
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

}  // namespace

std::vector<std::string> seeds() {
    std::vector<std::string> result;
    Run run;
    save_run(scratch.file, run.trainer, identity);
    result.push_back(content(scratch.file));
    run.trainer.run();
    save_run(scratch.file, run.trainer, identity);
    result.push_back(content(scratch.file));
    return result;
}

void read_input(std::string const& text) {
    static Run run;
    std::ofstream(scratch.file, std::ios::binary) << text;
    polder::SafetensorsFile file(scratch.file);
    load_run(file, run.trainer, identity);
}
