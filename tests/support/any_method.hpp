// The methods of methods.hpp behind one interface, so that tests of all of them compile each but once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/groups/group.hpp>

#include "support/any_container.hpp"
#include "support/settings.hpp"

namespace polder::test {

/// A method over Adam{.learning_rate = 0.02, .weight_decay = 0.01}, of scalars T. Copies go on by themselves.
template <class T>
class AnyMethod {
public:
    using Vector = std::vector<T>;
    using Closure = std::function<double(Vector const&, Vector&, Pass)>;

    using Container = AnyContainer<T>;
    using ContainerClosure = std::function<double(Container const&, Container&, Pass)>;

    /// What sets a method apart from SAM.
    struct Traits {
        bool perturbs = true;
        bool mirrors = false;
        bool reuses = false;  // LookSAM
        bool second_batch = false;
        bool reads_blocks = false;  // results depend on the cut into blocks, or on their rows
        bool shortens = false;      // ||eps|| may be less than rho: a mask, centralisation
    };

    class Interface {
    public:
        virtual ~Interface() = default;
        virtual std::unique_ptr<Interface> clone() const = 0;
        virtual Report step(Vector& x, Closure const& closure) = 0;
        virtual Report step(Container& x, ContainerClosure const& closure) = 0;
        virtual Report step_in_place(Vector& x, Vector& gradient,
                                     std::function<double(Pass)> const& closure) = 0;
        virtual Report perturbation(Vector& x, Closure const& closure, Vector& eps) = 0;
        virtual std::optional<double> own_norm(std::vector<double> const& x,
                                               std::vector<double> const& g,
                                               std::vector<double> const& eps) const = 0;
        virtual void begin_epoch() = 0;
        virtual std::string state() = 0;
        virtual void save_checkpoint(std::filesystem::path const& file, Container& x) = 0;
        virtual void load_checkpoint(std::filesystem::path const& file, Container& x) = 0;
        virtual void set_non_finite(NonFinite policy) = 0;
        virtual void set_groups(std::vector<Group> groups) = 0;
        virtual std::uint64_t steps() const = 0;
        virtual std::uint64_t skipped_steps() const = 0;
    };

    AnyMethod(std::string name, Traits traits, std::unique_ptr<Interface> optimizer)
        : name_(std::move(name)), traits_(traits), optimizer_(std::move(optimizer)) {}
    AnyMethod(AnyMethod const& other)
        : name_(other.name_), traits_(other.traits_), optimizer_(other.optimizer_->clone()) {}

    std::string const& name() const { return name_; }
    Traits const& traits() const { return traits_; }
    Interface* operator->() { return optimizer_.get(); }

private:
    std::string name_;
    Traits traits_;
    std::unique_ptr<Interface> optimizer_;
};

/// All methods, and with `plain` the base optimizers alone before them: Adam, the others and their options.
/// T: float or double.
template <class T>
std::vector<AnyMethod<T>> all_methods(Settings const& with = {}, bool plain = false);

}  // namespace polder::test
