// The methods of methods.hpp behind one interface, so that tests of all of them compile each but once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/groups/group.hpp>
#include <polder/schedule/interval.hpp>

#include "support/any_container.hpp"
#include "support/settings.hpp"

namespace polder::test {

/// A method over Settings::base, of scalars T. Copies go on by themselves.
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
        bool second_batch = false;  // a mixed loss: the + of a method
        bool reads_blocks = false;  // results depend on the cut into blocks, or on their rows
        bool reads_places = false;  // results depend on the places of coordinates among all others
        bool masked = false;
        bool shortens = false;  // ||eps|| may be less than rho: a mask, centralisation
        bool signs = false;     // the base optimizer moves x by the sign of what it is given
    };

    /// What a test knows of one perturbation, coordinate by coordinate.
    struct Measured {
        std::vector<double> x, g, eps;
        std::vector<double> fisher;       // the estimate of a Fisher ball
        std::vector<std::size_t> blocks;  // their sizes
    };

    class Interface {
    public:
        virtual ~Interface() = default;
        virtual std::unique_ptr<Interface> clone() const = 0;
        virtual void bind(Container& x) = 0;
        virtual Report step(Container& x, ContainerClosure const& closure) = 0;
        virtual Report step_in_place(Container& x, Container& gradient,
                                     std::function<double(Pass)> const& closure) = 0;
        virtual Report perturbation(Container& x, ContainerClosure const& closure,
                                    Container& eps) = 0;
        /// The norms of eps that the ball keeps to rho: one, or one of each block; none where there is
        /// no such norm.
        virtual std::vector<double> own_norms(Measured const& at) const = 0;
        virtual void begin_epoch() = 0;
        virtual std::string state() = 0;
        virtual void save_checkpoint(std::filesystem::path const& file, Container& x) = 0;
        virtual void load_checkpoint(std::filesystem::path const& file, Container& x) = 0;
        virtual void set_non_finite(NonFinite policy) = 0;
        virtual void set_groups(std::vector<Group> groups) = 0;
        virtual void set_interval(Interval const& interval) = 0;
        virtual void set_threads(int threads) = 0;
        virtual void set_mask(Container& x, std::vector<std::uint8_t> const& mask) = 0;
        virtual std::uint64_t steps() const = 0;
        virtual std::uint64_t skipped_steps() const = 0;

        Report step(Vector& x, Closure const& closure) {
            auto any = Container::of(x);
            return step(any, [&](Container const& at, Container& gradient, Pass pass) {
                return closure(at.template as<Vector>(), gradient.template as<Vector>(), pass);
            });
        }
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

/// All methods, and with `plain` the base optimizers alone before them: that of the methods, the others and
/// their options.
/// T: float or double.
template <class T>
std::vector<AnyMethod<T>> all_methods(Settings const& with = {}, bool plain = false);

/// The method that docs/writing_a_method.md builds, which stands among all_methods by this name.
inline constexpr char const* written_name = "docs/writing_a_method.md";

/// The one of that name, of all_methods with `plain`. Throws std::out_of_range where there is none.
template <class T>
AnyMethod<T> one_method(std::string const& name, Settings const& with = {}) {
    for (AnyMethod<T> const& method : all_methods<T>(with, true)) {
        if (method.name() == name) return method;
    }
    throw std::out_of_range("no method is named '" + name + "'");
}

}  // namespace polder::test
