// Times the steps of polder: METHOD is adam or sam. Run by compare.py.

#include <cstddef>
#include <string>
#include <vector>

#include <polder/polder.hpp>
#include <polder/version.hpp>

#include "problem.hpp"

namespace {

using Blocks = std::vector<std::vector<float>>;

template <class Optimizer>
void run(peers::Task const& task, Optimizer optimizer) {
    Blocks x(task.blocks, std::vector<float>(task.floats / task.blocks, 1.0f));
    bool preset = false;
    auto const loss = [&](Blocks const&, Blocks& gradient) {
        if (!preset) {
            std::size_t i = 0;
            for (auto& block : gradient) {
                for (float& g : block) g = peers::gradient(i++);
            }
            preset = true;
        }
        return 1.0;
    };
    optimizer.set_threads(task.threads);
    auto const seconds = peers::time_steps(task.steps, [&] { optimizer.step(x, loss); });
    double moved = 0;
    for (auto const& block : x) {
        for (float value : block) moved += peers::way(value);
    }
    auto const number = [](int n) { return std::to_string(n); };
    peers::report("polder " + number(POLDER_VERSION_MAJOR) + "." + number(POLDER_VERSION_MINOR) +
                      "." + number(POLDER_VERSION_PATCH),
                  moved / static_cast<double>(task.floats), seconds);
}

}  // namespace

int main(int argc, char** argv) {
    auto const task = peers::Task::read(argc, argv);
    if (task.method == "adam") {
        run(task, polder::Plain{polder::Adam{}});
    } else if (task.method == "sam") {
        run(task, polder::SAM{polder::Adam{}});
    } else {
        task.refuse("adam, sam");
    }
}
