/// What the evaluations of one step must not change in a network of libtorch.
#pragma once

#include <map>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <polder/closure/pass.hpp>

namespace polder {

/// What several evaluations of a network in one step must not change. The first evaluation of a step on its first batch runs as
/// always; in all others
///
/// - buffers keep the values that the first evaluation left, so that the running statistics of BatchNorm see each batch once,
///   at x;
/// - random numbers on the CPU are those of the first evaluation of the same batch, so that dropout draws the same masks.
///
/// TorchOptimizer::set_guard applies it. With a closure of one's own: begin_step() before each step, and in the closure
///
///     auto const scope = guard(pass);   // until the end of the closure, after backward()
class TorchGuard {
public:
    /// It refers to the module, which must outlive it.
    explicit TorchGuard(torch::nn::Module& module) : module_(&module) {}

    void begin_step() { first_states_.clear(); }

    /// Holds for one evaluation.
    class Scope {
    public:
        Scope(Scope const&) = delete;
        Scope& operator=(Scope const&) = delete;
        ~Scope() {
            torch::NoGradGuard const no_graph;
            for (auto const& [buffer, value] : values_) buffer.copy_(value);
        }

    private:
        friend class TorchGuard;
        explicit Scope(std::vector<at::Tensor> const& buffers) {
            for (at::Tensor const& buffer : buffers)
                if (buffer.defined()) values_.emplace_back(buffer, buffer.detach().clone());
        }
        std::vector<std::pair<at::Tensor, at::Tensor>> values_;
    };

    Scope operator()(Pass pass) {
        at::Generator generator = at::detail::getDefaultCPUGenerator();
        std::lock_guard const lock(generator.mutex());
        auto const key = std::tuple(pass.batch, pass.micro_batch, pass.sample);
        bool const is_first = first_states_.find(key) == first_states_.end();
        if (is_first) {
            first_states_.emplace(key, generator.get_state());
        } else {
            generator.set_state(first_states_.at(key));
        }
        bool const keeps = is_first && pass.batch == Batch::first && pass.sample < 0;
        return Scope(keeps ? std::vector<at::Tensor>{} : module_->buffers());
    }

private:
    torch::nn::Module* module_;
    std::map<std::tuple<Batch, int, int>, at::Tensor> first_states_;
};

/// TorchGuard(module), as torch_guard(*net).
inline TorchGuard torch_guard(torch::nn::Module& module) { return TorchGuard(module); }

}  // namespace polder
