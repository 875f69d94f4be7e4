// device_checks [NAME...]: what polder promises where parameters lie on a device, each check by its name, or all.
//
// The same source is compiled for Thrust's C++ and OpenMP systems, and by nvcc for CUDA (checks.cu). Prints a line for each
// check and ends with 1 where one failed. Without a GPU the CUDA program says of each check that it is skipped.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#if defined(__CUDACC__)
#include <polder/cuda.hpp>
#else
#include <polder/thrust.hpp>
#endif

#include <polder/any_optimizer.hpp>
#include <polder/run/exchange.hpp>

#include "support/methods.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::flat;
using polder::test::for_each_kind_of_method;
using polder::test::start;
using polder::test::Valley;

namespace {

void require(bool holds, std::string const& what) {
    if (!holds) throw std::runtime_error(what);
}

template <class C>
std::vector<scalar_t<C>> values(C const& container) {
    std::vector<scalar_t<C>> all;
    for_each_block(const_cast<C&>(container), [&]<class T>(T const* data, std::size_t size) {
        std::vector<T> block(size);
        Access<memory_space_t<C>>::read(block.data(), data, size * sizeof(T));
        all.insert(all.end(), block.begin(), block.end());
    });
    return all;
}

template <class C>
void set_values(C& container, std::vector<scalar_t<C>> const& all) {
    auto const* next = all.data();
    for_each_block(container, [&]<class T>(T* data, std::size_t size) {
        Access<memory_space_t<C>>::write(data, next, size * sizeof(T));
        next += size;
    });
}

template <class T>
std::vector<T> starts(std::size_t size) {
    std::vector<T> x(size);
    for (std::size_t i = 0; i < size; ++i) x[i] = static_cast<T>(start(i));
    return x;
}

// Valley, calculated by the host.
struct HostValley {
    template <class C>
    double operator()(C const& x, C& gradient, Pass pass) const {
        auto const at = values(x);
        auto g = at;
        const double loss = Valley{}(at, g, pass);
        set_values(gradient, g);
        return loss;
    }
};

template <class T>
void require_close(std::vector<T> const& found, std::vector<T> const& expected,
                   std::string const& what) {
    const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
    require(found.size() == expected.size(), what + ": other sizes");
    double largest = 0;
    for (T value : expected) largest = std::max(largest, std::abs(static_cast<double>(value)));
    for (std::size_t i = 0; i < found.size(); ++i) {
        const double difference = static_cast<double>(found[i]) - static_cast<double>(expected[i]);
        require(std::abs(difference) <= tolerance * largest,
                what + ": coordinate " + std::to_string(i) + " differs by " +
                    std::to_string(difference / largest) + " of the largest");
    }
}

void require_close(double found, double expected, double tolerance, std::string const& what) {
    if (std::isnan(found) && std::isnan(expected)) return;
    require(std::abs(found - expected) <= tolerance * std::max(1.0, std::abs(expected)),
            what + " is " + std::to_string(found) + ", expected " + std::to_string(expected));
}

template <class Optimizer, class C, class Closure>
std::pair<std::vector<scalar_t<C>>, Report> run(Optimizer optimizer, C x, Closure const& closure,
                                                int steps) {
    set_values(x, starts<scalar_t<C>>(values(x).size()));
    Report report;
    for (int t = 0; t < steps; ++t) {
        if (t % 4 == 0) optimizer.begin_epoch();
        report = optimizer.step(x, closure);
    }
    return {values(x), report};
}

template <class T>
using DeviceVector = thrust::device_vector<T>;

constexpr int steps = 9;

template <class T, class C>
void every_kind_equals_cpu(C const& x) {
    const std::size_t size = values(x).size();
    for_each_kind_of_method(
        Adam{.learning_rate = 0.02, .weight_decay = 0.01}, test::Settings{.rho = 0.1},
        [&](char const* name, auto optimizer) {
            optimizer.set_learning_rate_schedule(schedules::Exponential{0.9});
            auto const [expected, host] = run(optimizer, std::vector<T>(size), Valley{}, steps);
            auto const [found, report] = run(optimizer, x, HostValley{}, steps);
            require_close(found, expected, name);
            const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
            require_close(report.loss, host.loss, tolerance, std::string(name) + ": loss");
            require_close(report.gradient_norm, host.gradient_norm, tolerance,
                          std::string(name) + ": gradient_norm");
            require_close(report.perturbation_norm, host.perturbation_norm, tolerance,
                          std::string(name) + ": perturbation_norm");
            require_close(report.distance, host.distance, tolerance,
                          std::string(name) + ": distance");
            auto const again = run(optimizer, x, HostValley{}, steps).first;
            require(polder::test::same_bits(again, found), std::string(name) + ": two runs differ");
        });
}

void methods_in_double() { every_kind_equals_cpu<double>(DeviceVector<double>(5003)); }

void methods_in_float() { every_kind_equals_cpu<float>(DeviceVector<float>(5003)); }

std::map<std::string, DeviceVector<double>> many_blocks() {
    std::map<std::string, DeviceVector<double>> blocks;
    for (std::size_t k = 0; k < 40; ++k) {
        blocks["block" + std::to_string(100 + k)] = DeviceVector<double>(k * k % 301);
    }
    return blocks;
}

// The containers of a device give the same numbers.
void containers() {
    const BSAMPlus optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    auto const expected = run(optimizer, std::vector<double>(3000), Valley{}, steps).first;
    auto const check = [&](auto x, char const* name) {
        require_close(run(optimizer, std::move(x), HostValley{}, steps).first, expected, name);
    };
    check(DeviceVector<double>(3000), "device_vector");
    check(DeviceArray<double, DeviceSystem>(3000), "DeviceArray");
    DeviceArena<double> arena;
    arena.add("weight", 100, 20);
    arena.add("bias", 1, 1000);
    check(arena, "DeviceArena");
    DeviceArray<double, DeviceSystem> memory(3000);
    check(DeviceSpan<double, DeviceSystem>(memory.data(), 3000), "DeviceSpan");
    check(std::vector<DeviceVector<double>>{DeviceVector<double>(1), DeviceVector<double>(2999)},
          "two device_vectors");
    auto blocks = many_blocks();
    const std::size_t size = values(blocks).size();
    require_close(run(optimizer, blocks, HostValley{}, steps).first,
                  run(optimizer, std::vector<double>(size), Valley{}, steps).first, "40 blocks");
}

// Groups, clipping and frozen blocks.
void groups() {
    auto const with_groups = [](auto optimizer) {
        optimizer.set_groups({{.name = "slow", .blocks = {"block10*"}, .learning_rate = 1e-3},
                              {.name = "fixed", .blocks = {"block12*"}, .frozen = true},
                              {.name = "flat", .blocks = {"block13*"}, .rho = 0.3}});
        optimizer.set_clipping({.norm = 0.01, .value = 0.001});
        return optimizer;
    };
    std::map<std::string, std::vector<double>> on_host;
    auto blocks = many_blocks();
    for (auto const& [name, block] : blocks) on_host[name] = std::vector<double>(block.size());
    auto const check = [&](auto const& optimizer, char const* name) {
        auto const mine = with_groups(optimizer);
        require_close(run(mine, blocks, HostValley{}, steps).first,
                      run(mine, on_host, Valley{}, steps).first, name);
    };
    check(SAM{SGD{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.1}}, "SAM");
    check(BSAM{Adam{}, {.rho = 0.1}, Cosine{}}, "BSAM");
#ifndef POLDER_SOME_METHODS
    check(ASAM{AdamW{.learning_rate = 0.01}}, "ASAM");
    check(LookSAM<Adam, ReusedAscentPerBlock>{Adam{}, {.every = 2}}, "LookSAM per block");
    check(FisherSAM<Adam, BatchFisher, MetricNormPerBlock>{Adam{}}, "FisherSAM per block");
    check(SSAM{Adam{}, {}, DynamicMask{.refresh_epochs = 1}}, "SSAM-D");
    check(MirrorGradient{AdamW{}, {.beta = 2}}, "MG");
#endif
}

// perturbation() writes the eps of the CPU.
static_assert(SAM<Adam>::has_perturbation && LookSAM<Adam>::has_perturbation &&
              MomentumSAM<Adam>::has_perturbation && !MirrorGradient<Adam>::has_perturbation);
void perturbations() {
    for_each_kind_of_method(
        Adam{.learning_rate = 0.02}, test::Settings{.rho = 0.1},
        [](char const* name, auto optimizer) {
            if constexpr (decltype(optimizer)::has_perturbation) {
                auto on_device = optimizer;
                std::vector<double> x = starts<double>(500), eps(500);
                DeviceVector<double> y(500), there(500);
                set_values(y, x);
                for (int t = 0; t < 3; ++t) {
                    Report const host = optimizer.perturbation(x, Valley{}, eps);
                    Report const report = on_device.perturbation(y, HostValley{}, there);
                    require_close(values(there), eps, name);
                    require_close(report.perturbation_norm, host.perturbation_norm, 1e-12, name);
                    optimizer.step(x, Valley{});
                    on_device.step(y, HostValley{});
                }
            }
        });
}

// A table that has grown leaves the old one where a graph may read it.
void growing_tables() {
    DeviceSystem system;
    detail::DeviceTable<double, DeviceSystem> table;
    table.values = {1};
    table.refresh(system);
    double const* const first = table.at();
    table.values = {2, 3, 4};
    require(table.outgrown(), "three values fit where one was");
    table.refresh(system);
    require(DeviceArray<double, DeviceSystem>(1).data() != first, "the old table was freed");
    double old = 0;
    DeviceSystem::read(&old, first, sizeof old);
    require(old == 1, "the old table was written to");
    double const* const second = table.at();
    table.values = {5};
    table.refresh(system);
    require(table.at() == second, "a smaller table was made anew");
    table.read();
    require(table.values == std::vector<double>{5}, "a smaller table is read as the larger one");
}

// A closure of any optimizer returns a number, or one that lies on the device.
void any_optimizer() {
    const BSAM optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    auto const expected = run(optimizer, std::vector<double>(300), Valley{}, steps);
    using C = DeviceVector<double>;
    auto const check = [&](auto const& closure, char const* name) {
        auto const found = run(AnyOptimizer<C>(optimizer), C(300), closure, steps);
        require_close(found.first, expected.first, name);
        require_close(found.second.loss, expected.second.loss, 1e-12, name);
    };
    check(HostValley{}, "a number");
    DeviceArray<double, DeviceSystem> loss(1);
    check(
        [&](C const& at, C& gradient, Pass pass) {
            loss.assign(1, HostValley{}(at, gradient, pass));
            return DeviceLoss(loss.data());
        },
        "a number on the device");
}

// The state comes to the host and back, and a copy of an optimizer goes on as the original.
void state() {
    BSAM optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    auto const whole = run(optimizer, DeviceVector<double>(3000), HostValley{}, 7).first;
    DeviceVector<double> x(3000);
    set_values(x, starts<double>(3000));
    for (int t = 0; t < 4; ++t) optimizer.step(x, HostValley{});
    auto copy = optimizer;
    BSAM loaded{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    loaded.bind(x);
    std::map<std::string, std::vector<double>> arrays;
    std::map<std::string, std::uint64_t> counts;
    optimizer.visit_state([&]<class V>(std::string_view name, V&& value) {
        if constexpr (requires { value.data(); }) {
            arrays[std::string(name)].assign(value.begin(), value.end());
        } else {
            counts[std::string(name)] = value;
        }
    });
    require(counts.at("steps") == 4 && arrays.at("base_steps") == std::vector<double>{4},
            "steps are counted");
    loaded.visit_state([&]<class V>(std::string_view name, V&& value) {
        if constexpr (requires { value.data(); }) {
            using T = std::remove_cvref_t<decltype(value[0])>;
            auto const& from = arrays.at(std::string(name));
            std::transform(from.begin(), from.end(), value.begin(),
                           [](double v) { return static_cast<T>(v); });
        } else {
            value = counts.at(std::string(name));
        }
    });
    auto const go_on = [&](auto& with, char const* name) {
        DeviceVector<double> at = x;
        for (int t = 0; t < 3; ++t) with.step(at, HostValley{});
        require(polder::test::same_bits(values(at), whole), name);
    };
    loaded.visit_state(
        [&]<class V>([[maybe_unused]] std::string_view name, [[maybe_unused]] V&& value) {
            if constexpr (!requires { value.data(); }) {
                require(value == counts.at(std::string(name)), "what was written stays");
            }
        });
    go_on(copy, "a copy goes on");
    go_on(loaded, "one that is given the state goes on");
    loaded.visit_state([](auto, auto&&) {});
    require(loaded.steps() == 7, "one that is given the state counts on");
    go_on(optimizer, "one whose state was looked at goes on");
}

// A gradient that is not finite at coordinate 7 of the perturbed point in step 2.
struct Flawed {
    int* step;
    double operator()(DeviceVector<double> const& x, DeviceVector<double>& gradient,
                      Pass pass) const {
        HostValley{}(x, gradient, pass);
        if (*step == 2 && pass.perturbed) {
            auto g = values(gradient);
            g[7] = NAN;
            set_values(gradient, g);
        }
        return 1;
    }
};

void non_finite() {
    for (const NonFinite policy : {NonFinite::raise, NonFinite::skip, NonFinite::propagate}) {
        BSAM optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
        optimizer.set_non_finite(policy);
        DeviceVector<double> x(3000);
        set_values(x, starts<double>(3000));
        int step = 0;
        const Flawed closure{&step};
        for (; step < 2; ++step) optimizer.step(x, closure);
        auto const before = values(x);
        const DeviceReport report = optimizer.step(x, closure);
        if (policy == NonFinite::skip) {
            require(report.read().skipped, "the step is skipped");
            require(polder::test::same_bits(values(x), before), "a skipped step changes nothing");
            ++step;
            optimizer.step(x, closure);
            optimizer.visit_state([](auto, auto&&) {});
            require(optimizer.steps() == 3 && optimizer.skipped_steps() == 1, "steps are counted");
        } else if (policy == NonFinite::raise) {
            auto after = values(x);
            require(after[7] == before[7], "the coordinate stays as it was");
            ++step;
            optimizer.step(x, closure);
            require(polder::test::same_bits(values(x), after), "no step follows an error");
            std::string message;
            try {
                report.read();
            } catch (NonFiniteError const& error) {
                message = error.what();
            }
            require(message == "polder: step 3: the gradient at the perturbed point is not finite",
                    "the report throws, found '" + message + "'");
            optimizer.step(x, closure);
            require(!polder::test::same_bits(values(x), after), "after the error steps go on");
        } else {
            report.read();
            require(std::isnan(values(x)[7]), "what is not finite is let through");
        }
    }
}

void closure_throws() {
    for (int call = 0; call < 3; ++call) {
        BSAMPlus optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
        auto expected = optimizer;
        DeviceVector<double> x(3000);
        set_values(x, starts<double>(3000));
        DeviceVector<double> y = x;
        int calls = 0;
        auto const throwing = [&](auto const& at, auto& gradient, Pass pass) {
            if (calls++ == call) throw std::runtime_error("no");
            return HostValley{}(at, gradient, pass);
        };
        bool thrown = false;
        try {
            optimizer.step(x, throwing);
        } catch (std::runtime_error const&) {
            thrown = true;
        }
        require(thrown && polder::test::same_bits(values(x), values(y)), "nothing has changed");
        for (int t = 0; t < 3; ++t) {
            optimizer.step(x, HostValley{});
            expected.step(y, HostValley{});
        }
        require(polder::test::same_bits(values(x), values(y)), "it goes on as one that never did");
    }
}

struct OneRank final : detail::Exchange {
    std::span<detail::Meeting const> meet(detail::Meeting const& own) override {
        said = own;
        return {&said, 1};
    }
    void add_up(std::span<float>) override {}
    void add_up(std::span<double>) override {}
    void broadcast(std::span<std::byte>) override {}
    detail::Meeting said;
};

void ranks() {
    SAM optimizer{SGD{}};
    optimizer.set_ranks(std::make_shared<OneRank>());
    DeviceVector<double> x(5);
    std::string message;
    try {
        optimizer.step(x, HostValley{});
    } catch (std::invalid_argument const& error) {
        message = error.what();
    }
    require(message == "polder: ranks take parameters in the host's memory alone", message);
}

void losses_on_the_device() {
    SAM optimizer{Adam{.learning_rate = 0.05}, {.rho = 0.1}};
    DeviceVector<double> x(3000);
    set_values(x, starts<double>(3000));
    DeviceArray<double, DeviceSystem> loss(1);
    double first = 0, second = 0;
    const Report report = optimizer.step(x, [&](auto const& at, auto& gradient, Pass pass) {
        const double value = HostValley{}(at, gradient, pass);
        (pass.perturbed ? second : first) = value;
        Access<MemoryOn<DeviceSystem>>::write(loss.data(), &value, sizeof value);
        return DeviceLoss(loss.data());
    });
    require(report.loss == first && report.perturbed_loss == second, "losses are reported");
    const Report none = optimizer.step(x, [](auto const& at, auto& gradient, Pass pass) {
        HostValley{}(at, gradient, pass);
        return DeviceLoss();
    });
    require(std::isnan(none.loss) && none.gradient_norm > 0, "no loss is not-a-number");
}

// A device that counts what it is asked for.
struct Counted : DeviceSystem {
    static inline int passes = 0, puts = 0, allocations = 0, waits = 0;

    static void* allocate(std::size_t bytes) {
        ++allocations;
        return DeviceSystem::allocate(bytes);
    }
    static void read(void* host, void const* at, std::size_t bytes) {
        ++waits;
        DeviceSystem::read(host, at, bytes);
    }
    static void write(void* at, void const* host, std::size_t bytes) {
        ++waits;
        DeviceSystem::write(at, host, bytes);
    }
    void put(void* at, void const* host, std::size_t bytes) {
        ++puts;
        DeviceSystem::put(at, host, bytes);
    }
    template <class Body, class Tail>
    void run(std::size_t tasks, Body const& body, Tail const& tail, unsigned* ticket) {
        ++passes;
        DeviceSystem::run(tasks, body, tail, ticket);
    }
};

// A step waits for nothing, asks for no memory after the first of its kind, and makes as few passes as it says,
// whatever the number of blocks.
void passes() {
    using Block = DeviceArray<double, Counted>;
    auto const check = [](auto optimizer, std::vector<Block> x, int expected, std::string what) {
        what += " on " + std::to_string(x.size()) + " blocks: ";
        auto const step = [&] {
            return optimizer.step(x, [](auto const&, auto&, Pass) { return DeviceLoss(); });
        };
        for (int t = 0; t < 4; ++t) step();
        Counted::passes = Counted::puts = Counted::allocations = Counted::waits = 0;
        for (int t = 0; t < 4; ++t) step();
        require(Counted::allocations == 0, what + "no memory is asked for");
        require(Counted::waits == 0, what + "nothing is waited for");
        if (expected == 0) return;
        require(Counted::puts == 0, what + "nothing is sent");
        require(Counted::passes == 4 * expected, what + std::to_string(Counted::passes) +
                                                     " passes in four steps, expected " +
                                                     std::to_string(4 * expected));
    };
    std::vector<Block> many(40, Block(37));
    const std::vector<Block> one(1, Block(5003));
    auto const on_both = [&](auto const& optimizer, int expected, char const* name) {
        check(optimizer, one, expected, name);
        check(optimizer, many, expected, name);
    };
    on_both(Plain{Adam{}}, 1, "Adam");
    on_both(SAM{Adam{}}, 3, "SAM");
    on_both(BSAM{Adam{}}, 4, "BSAM");  // one of them but looks whether it is needed
    auto looking = SAM{Adam{}};
    looking.set_non_finite(NonFinite::skip);
    on_both(looking, 4, "SAM that skips");
    for_each_kind_of_method(
        SGD{.momentum = 0.9}, test::Settings{},
        [&](char const* name, auto const& optimizer) { check(optimizer, many, 0, name); });
}

#if defined(__CUDACC__)
// L(x) = sum of (1 - cos(x_i)).
__global__ void gradient_of_cosines(double const* x, double* gradient, std::size_t size,
                                    double* loss) {
    for (std::size_t i = threadIdx.x; i < size; i += blockDim.x) gradient[i] = sin(x[i]);
    if (threadIdx.x != 0) return;
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum += 1 - cos(x[i]);
    *loss = sum;
}

void require_success(cudaError_t status) {
    require(status == cudaSuccess, cudaGetErrorString(status));
}

// A step is captured once and run twenty times, with its count, its schedule and its report.
void captured_step() {
    constexpr std::size_t size = 3000;
    constexpr int replays = 20;
    auto const check = [&](auto optimizer, char const* name) {
        optimizer.set_learning_rate_schedule(schedules::Exponential{0.9});
        auto on_host = optimizer;
        std::vector<double> expected = starts<double>(size);
        Report host;
        for (int t = 0; t < 1 + replays; ++t) {
            host = on_host.step(expected, [](auto const& at, auto& gradient, Pass) {
                double sum = 0;
                for (std::size_t i = 0; i < at.size(); ++i) {
                    gradient[i] = std::sin(at[i]);
                    sum += 1 - std::cos(at[i]);
                }
                return sum;
            });
        }

        cudaStream_t stream{};
        require_success(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
        DeviceVector<double> x(size);
        set_values(x, starts<double>(size));
        DeviceArray<double, DeviceSystem> loss(1);
        optimizer.set_stream(stream);
        auto const closure = [&](auto const& at, auto& gradient, Pass) {
            gradient_of_cosines<<<1, 256, 0, stream>>>(at.data().get(), gradient.data().get(), size,
                                                       loss.data());
            return DeviceLoss(loss.data());
        };
        optimizer.step(x, closure);  // makes the state
        cudaGraph_t graph{};
        cudaGraphExec_t executable{};
        require_success(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        const DeviceReport report = optimizer.step(x, closure);
        require_success(cudaStreamEndCapture(stream, &graph));
        require_success(cudaGraphInstantiate(&executable, graph, 0));
        for (int t = 0; t < replays; ++t) {
            optimizer.before_replay(x);
            require_success(cudaGraphLaunch(executable, stream));
        }
        const Report last = report.read();
        require_close(values(x), expected, name);
        require_close(last.loss, host.loss, 1e-12, std::string(name) + ": loss");
        require_close(last.gradient_norm, host.gradient_norm, 1e-12,
                      std::string(name) + ": gradient_norm");
        cudaGraphExecDestroy(executable);
        cudaGraphDestroy(graph);
        cudaStreamDestroy(stream);
    };
    check(SAM{Adam{.learning_rate = 0.02}, {.rho = 0.1}}, "SAM");
    check(BSAM{Adam{.learning_rate = 0.02}, {.rho = 0.1}, Cosine{}}, "BSAM");
}
#endif

struct Check {
    char const* name;
    void (*run)();
};
constexpr Check checks[] = {{"methods_in_double", methods_in_double},
                            {"methods_in_float", methods_in_float},
                            {"containers", containers},
                            {"groups", groups},
                            {"perturbations", perturbations},
                            {"growing_tables", growing_tables},
                            {"any_optimizer", any_optimizer},
                            {"state", state},
                            {"non_finite", non_finite},
                            {"closure_throws", closure_throws},
                            {"ranks", ranks},
                            {"losses_on_the_device", losses_on_the_device},
                            {"passes", passes},
#if defined(__CUDACC__)
                            {"captured_step", captured_step}
#endif
};

bool has_device() {
#if defined(__CUDACC__)
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
#else
    return true;
#endif
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> names(argv + 1, argv + argc);
    if (names.empty()) {
        for (Check const& check : checks) names.push_back(check.name);
    }
    int failed = 0;
    for (std::string const& name : names) {
        auto const* check = std::find_if(std::begin(checks), std::end(checks),
                                         [&](Check const& c) { return name == c.name; });
        if (check == std::end(checks)) {
            std::fprintf(stderr, "device_checks: unknown check '%s'\n", name.c_str());
            return 2;
        }
        if (!has_device()) {
            std::printf("SKIPPED: %s: this machine has no GPU that CUDA can use\n", name.c_str());
            continue;
        }
        try {
            check->run();
            std::printf("ok    %s\n", name.c_str());
        } catch (std::exception const& error) {
            ++failed;
            std::printf("FAIL  %s: %s\n", name.c_str(), error.what());
        }
    }
    return failed == 0 ? 0 : 1;
}
