/// An optimizer of polder as a torch::optim::Optimizer.
///
/// Not in polder.hpp: include it where torch's headers are found.
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <torch/nn/module.h>
#include <torch/optim/optimizer.h>
#include <torch/ordered_dict.h>
#include <torch/serialize/archive.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <polder/blocks/torch.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/concepts.hpp>
#include <polder/groups/group.hpp>
#include <polder/optimizer.hpp>
#include <polder/settings.hpp>
#include <polder/torch_guard.hpp>

namespace polder {

/// The options of a parameter group: its learning rate, >= 0.
struct TorchOptimizerOptions : torch::optim::OptimizerCloneableOptions<TorchOptimizerOptions> {
    explicit TorchOptimizerOptions(double lr = 1e-3) : lr_(lr) {}

    double get_lr() const override { return lr_; }
    void set_lr(double lr) override { lr_ = lr; }

private:
    double lr_;
};

/// An optimizer of polder that goes where torch::optim::Adam goes, with a closure:
///
///     torch::optim::Adam optimizer(net->parameters(), 1e-3);
///     polder::TorchOptimizer optimizer(net->named_parameters(),
///                                      polder::SAM{polder::Adam{.learning_rate = 1e-3}, {.rho = 0.1}});
///
///     optimizer.step([&] {
///         optimizer.zero_grad();
///         torch::Tensor loss = ...;
///         loss.backward();
///         return loss;
///     });
///
/// Schedulers of torch set its learning rate, torch::save and torch::load keep its state, and parameters may be added at any
/// time by add_param_group and add_parameters: the state of those that are there already is kept. Parameters are those of
/// TorchTensors: all float or all double, on the CPU. Those without a gradient are left alone.
///
/// A group of parameters has a learning rate: torch::optim::OptimizerParamGroup(parameters,
/// std::make_unique<polder::TorchOptimizerOptions>(1e-4)). Without options it is that of the optimizer when it was made. The
/// blocks of group k > 0 are named param_groups.k.0, ..., those of the first group by their names in the module.
///
/// Method: an optimizer of polder, as SAM<Adam>, or AnyOptimizer<TorchTensors<float>>.
template <class Method>
class TorchOptimizer : public torch::optim::Optimizer {
public:
    /// The closure of a method with two batches, and of one that tells passes apart.
    using PassClosure = std::function<torch::Tensor(Pass)>;

    /// Tensors by name.
    using Named = torch::OrderedDict<std::string, at::Tensor>;

    /// named: the parameters, as net->named_parameters(). Throws std::invalid_argument as TorchTensors does.
    TorchOptimizer(torch::OrderedDict<std::string, at::Tensor> const& named, Method method)
        : TorchOptimizer(
              std::vector<torch::optim::OptimizerParamGroup>{
                  torch::optim::OptimizerParamGroup(named.values())},
              std::move(method), named) {}
    /// Named by their positions: "0", "1", ...
    TorchOptimizer(std::vector<at::Tensor> parameters, Method method)
        : TorchOptimizer(
              std::vector<torch::optim::OptimizerParamGroup>{
                  torch::optim::OptimizerParamGroup(std::move(parameters))},
              std::move(method), Named()) {}
    TorchOptimizer(std::vector<torch::optim::OptimizerParamGroup> const& groups, Method method)
        : TorchOptimizer(groups, std::move(method), Named()) {}

    /// One step. The closure sets the gradients to those of the loss at the present parameters, and returns the loss. It is
    /// called once for each gradient that the method needs. Returns the loss at x.
    ///
    /// Throws std::invalid_argument without a closure, and where the method has two batches; else as Optimizer::step_in_place.
    torch::Tensor step(LossClosure closure = nullptr) override {
        if (!closure)
            throw std::invalid_argument(
                "polder: TorchOptimizer::step expects a closure that computes "
                "loss and gradients: step([&] { ...; return loss; })");
        if (batches() > 1)
            throw std::invalid_argument("polder: this method uses two batches; expected a closure "
                                        "that takes a Pass: step([&](polder::Pass pass) { ... })");
        return step(PassClosure([&](Pass) { return closure(); }));
    }
    /// The same with a closure that is told which batch is asked for, and whether the parameters are perturbed.
    torch::Tensor step(PassClosure const& closure) {
        adopt_parameters();
        adopt_rates();
        if (guard_) guard_->begin_step();
        visit(*x_, [&](auto& x) {
            auto gradient = x.gradients();
            report_ = method_.step_in_place(x, gradient, [&](Pass pass) {
                torch::AutoGradMode const with_graph(true);
                if (guard_) return of_guarded(closure, pass);
                return closure(pass).template item<double>();
            });
        });
        return torch::scalar_tensor(report_.loss, torch::kDouble);
    }

    /// Adds parameters, with the learning rate of the group's options. (Called as that of torch::optim::Optimizer, releases of
    /// torch that merge options by their known types give the group the rate that the optimizer had when it was made.)
    void add_param_group(torch::optim::OptimizerParamGroup const& group) {
        torch::optim::Optimizer::add_param_group(group);
        keep_options(param_groups_.back(), group);
    }

    /// Guards the evaluations of all steps from now on: set_guard(polder::torch_guard(*net)).
    void set_guard(TorchGuard guard) { guard_ = std::move(guard); }

    /// What the latest step measured.
    Report const& report() const noexcept { return report_; }

    /// The optimizer of polder, for its settings: groups, schedules, clipping, begin_epoch(). Its learning rate is that of the
    /// first parameter group: set it there.
    Method& method() noexcept { return method_; }
    Method const& method() const noexcept { return method_; }

    /// The state of the optimizer, the names of its parameters and the learning rates.
    void save(torch::serialize::OutputArchive& archive) const override {
        auto& self = const_cast<TorchOptimizer&>(*this);  // the state is shown for writing, too
        self.adopt_parameters();
        archive.write("polder_method", c10::IValue(method_.method()));
        archive.write("polder_names", c10::IValue(joined(names_)));
        std::vector<double> rates;
        for (auto const& group : param_groups_) rates.push_back(group.options().get_lr());
        archive.write("polder_learning_rates", torch::tensor(rates, torch::kDouble));
        self.method_.visit_state([&]<class V>(std::string_view name, V&& values) {
            archive.write(key_of(name), to_tensor(values));
        });
    }
    /// Throws std::invalid_argument, and changes nothing, where the archive is of another method or of other parameters.
    void load(torch::serialize::InputArchive& archive) override {
        adopt_parameters();
        auto const text = [&](char const* key) {
            c10::IValue value;
            if (!archive.try_read(key, value) || !value.isString())
                refuse("it is not of a polder::TorchOptimizer: there is no '" + std::string(key) +
                       "'");
            return value.toStringRef();
        };
        if (auto const saved = text("polder_method"); saved != method_.method())
            refuse("it is of " + saved + ", expected " + method_.method());
        if (auto const saved = text("polder_names"); saved != joined(names_))
            refuse("its parameters are " + saved + ", expected " + joined(names_));
        at::Tensor rates;
        archive.read("polder_learning_rates", rates);
        if (rates.numel() != static_cast<std::int64_t>(param_groups_.size()))
            refuse("it has " + std::to_string(rates.numel()) + " parameter groups, expected " +
                   std::to_string(param_groups_.size()));
        std::map<std::string, at::Tensor> saved;
        method_.visit_state([&]<class V>(std::string_view name, V&& values) {
            at::Tensor const mine = to_tensor(values);
            at::Tensor read;
            if (!archive.try_read(key_of(name), read) || read.sizes() != mine.sizes() ||
                read.scalar_type() != mine.scalar_type())
                refuse("its state '" + std::string(name) +
                       "' is not there, or not of these parameters");
            saved[key_of(name)] = read.contiguous();
        });
        method_.visit_state([&]<class V>(std::string_view name, V&& values) {
            from_tensor(saved.at(key_of(name)), values);
        });
        for (std::size_t k = 0; k < param_groups_.size(); ++k)
            param_groups_[k].options().set_lr(
                rates[static_cast<std::int64_t>(k)].template item<double>());
    }

private:
    using Tensors = std::variant<TorchTensors<float>, TorchTensors<double>>;

    TorchOptimizer(std::vector<torch::optim::OptimizerParamGroup> const& groups, Method method,
                   torch::OrderedDict<std::string, at::Tensor> const& named)
        : torch::optim::Optimizer(groups,
                                  std::make_unique<TorchOptimizerOptions>(method.learning_rate())),
          method_(std::move(method)), unbound_(method_) {
        for (std::size_t k = 0; k < groups.size(); ++k) keep_options(param_groups_[k], groups[k]);
        for (auto const& item : named)
            known_names_.emplace(item.value().unsafeGetTensorImpl(), item.key());
        adopt_parameters();
    }

    // torch merges options only of types that it knows, and leaves the defaults else.
    static void keep_options(torch::optim::OptimizerParamGroup& mine,
                             torch::optim::OptimizerParamGroup const& given) {
        if (given.has_options()) mine.set_options(given.options().clone());
    }

    int batches() const {
        if constexpr (requires { method_.batches(); }) {
            return method_.batches();
        } else {
            return Method::batches;
        }
    }
    double of_guarded(PassClosure const& closure, Pass pass) {
        auto const scope = (*guard_)(pass);
        return closure(pass).template item<double>();
    }

    // The settings of an optimizer, which AnyOptimizer holds and the others are.
    static Settings& settings(Method& method) {
        if constexpr (std::derived_from<Method, Settings>) {
            return method;
        } else {
            return method.settings();
        }
    }

    // f(tensors), as tensors of their scalar.
    template <class F>
    static void visit(Tensors& tensors, F const& f) {
        std::visit(
            [&]<class X>(X& x) {
                if constexpr (optimizer<Method, X>) {
                    f(x);
                } else {
                    throw std::invalid_argument(
                        "polder: this optimizer is not of the parameters' scalars");
                }
            },
            tensors);
    }

    // Takes in parameters that were added since the last call. The state of the others is kept.
    void adopt_parameters() {
        std::vector<at::Tensor> tensors;
        std::vector<Group> groups;
        torch::OrderedDict<std::string, at::Tensor> named;
        for (std::size_t k = 0; k < param_groups_.size(); ++k) {
            auto const& params = param_groups_[k].params();
            Group group{.name = std::string(prefix) + std::to_string(k)};
            for (std::size_t i = 0; i < params.size(); ++i) {
                auto const same = [&](at::Tensor const& other) { return other.is_same(params[i]); };
                if (std::any_of(tensors.begin(), tensors.end(), same)) continue;  // tied weights
                tensors.push_back(params[i]);
                auto const known = known_names_.find(params[i].unsafeGetTensorImpl());
                std::string name = known != known_names_.end() ? known->second : std::to_string(i);
                if (k > 0) name = group.name + "." + std::to_string(i);
                named.insert(name, params[i]);
                group.blocks.push_back(std::move(name));
            }
            if (k > 0 && !group.blocks.empty()) groups.push_back(std::move(group));
        }
        auto const same = [](at::Tensor const& a, at::Tensor const& b) { return a.is_same(b); };
        if (x_ &&
            std::equal(tensors.begin(), tensors.end(), tensors_.begin(), tensors_.end(), same))
            return;
        if (tensors.empty()) throw std::invalid_argument("polder: there are no parameters");

        bool const is_double =
            tensors.front().defined() && tensors.front().scalar_type() == torch::kDouble;
        Tensors x = is_double ? Tensors(std::in_place_index<1>, named)
                              : Tensors(std::in_place_index<0>, named);
        Method method = unbound_;
        settings(method) = settings(method_);
        settings(method).set_groups(of_user(settings(method_).groups()));
        if constexpr (requires { method.policy() = method_.policy(); }) {
            method.policy() = method_.policy();
            method.base() = method_.base();
        }
        visit(x, [&](auto& of) { method.bind(of); });
        if (x_) keep_state(method, tensors);
        x_.emplace(std::move(x));
        names_ = named.keys();
        tensors_ = std::move(tensors);
        groups_ = std::move(groups);
        method_ = std::move(method);
    }
    static std::vector<Group> of_user(std::vector<Group> groups) {
        std::erase_if(groups, [](Group const& group) { return group.name.starts_with(prefix); });
        return groups;
    }

    // Copies the state of the parameters that are in both, and the counters.
    void keep_state(Method& method, std::vector<at::Tensor> const& tensors) {
        std::map<std::string, at::Tensor> old;
        method_.visit_state([&]<class V>(std::string_view name, V&& values) {
            old[std::string(name)] = to_tensor(values);
        });
        std::map<void*, std::pair<std::size_t, std::int64_t>>
            before;  // position and first coordinate
        std::int64_t end = 0;
        for (std::size_t k = 0; k < tensors_.size(); ++k) {
            before[tensors_[k].unsafeGetTensorImpl()] = {k, end};
            end += tensors_[k].numel();
        }
        method.visit_state([&]<class V>(std::string_view name, V&& values) {
            auto const found = old.find(std::string(name));
            if (found == old.end()) return;
            at::Tensor const& from = found->second;
            if constexpr (std::is_same_v<std::remove_cvref_t<V>, std::uint64_t>) {
                from_tensor(from, values);
            } else {
                at::Tensor into = to_tensor(values);
                bool const of_blocks = name == "base_steps";
                std::int64_t begin = 0;
                for (std::size_t k = 0; k < tensors.size(); ++k) {
                    std::int64_t const size = of_blocks ? 1 : tensors[k].numel();
                    auto const same = before.find(tensors[k].unsafeGetTensorImpl());
                    if (same != before.end()) {
                        std::int64_t const at = of_blocks
                                                    ? static_cast<std::int64_t>(same->second.first)
                                                    : same->second.second;
                        into.narrow(0, begin, size).copy_(from.narrow(0, at, size));
                    }
                    begin += size;
                }
                from_tensor(into, values);
            }
        });
    }

    // The learning rates of the parameter groups.
    void adopt_rates() {
        method_.set_learning_rate(param_groups_.front().options().get_lr());
        if (groups_.empty()) return;
        for (Group& group : groups_) {
            auto const k = std::stoul(group.name.substr(prefix.size()));
            group.learning_rate = param_groups_[k].options().get_lr();
        }
        auto all = of_user(settings(method_).groups());
        all.insert(all.end(), groups_.begin(), groups_.end());
        settings(method_).set_groups(std::move(all));
    }

    // Values of the state as a tensor of its own. (torch has no unsigned 64-bit numbers to compute with.)
    template <class V>
    static at::Tensor to_tensor(V const& values) {
        if constexpr (std::is_same_v<V, std::uint64_t>) {
            return torch::scalar_tensor(static_cast<std::int64_t>(values), torch::kLong);
        } else {
            using T = std::remove_const_t<typename V::element_type>;
            using Stored = std::conditional_t<std::is_same_v<T, std::uint64_t>, std::int64_t, T>;
            auto result = torch::empty({static_cast<std::int64_t>(values.size())},
                                       c10::CppTypeToScalarType<Stored>::value);
            std::transform(values.begin(), values.end(), result.template data_ptr<Stored>(),
                           [](T value) { return static_cast<Stored>(value); });
            return result;
        }
    }
    template <class V>
    static void from_tensor(at::Tensor const& tensor, V& values) {
        if constexpr (std::is_same_v<std::remove_cv_t<V>, std::uint64_t>) {
            values = static_cast<std::uint64_t>(tensor.item<std::int64_t>());
        } else {
            using T = typename V::element_type;
            using Stored = std::conditional_t<std::is_same_v<T, std::uint64_t>, std::int64_t, T>;
            Stored const* const from = tensor.template data_ptr<Stored>();
            std::transform(from, from + values.size(), values.begin(),
                           [](Stored value) { return static_cast<T>(value); });
        }
    }
    // Names in an archive have no dots.
    static std::string key_of(std::string_view name) {
        std::string key = "polder_state_" + std::string(name);
        std::replace(key.begin(), key.end(), '.', '_');
        return key;
    }
    static std::string joined(std::vector<std::string> const& names) {
        std::string text;
        for (auto const& name : names) text.append(text.empty() ? "" : ", ").append(name);
        return text;
    }
    [[noreturn]] static void refuse(std::string const& why) {
        throw std::invalid_argument("polder: this archive cannot be loaded: " + why);
    }

    static constexpr std::string_view prefix = "param_groups.";

    Method method_, unbound_;  // unbound_ is never stepped
    std::optional<Tensors> x_;
    std::vector<at::Tensor> tensors_;  // of x_
    std::vector<Group> groups_;        // of the parameter groups but the first
    std::vector<std::string> names_;
    std::map<void*, std::string> known_names_;
    std::optional<TorchGuard> guard_;
    Report report_;
};

}  // namespace polder

#endif
