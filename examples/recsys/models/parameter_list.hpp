/// The parameters of a model, listed once.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <polder/blocks/arena.hpp>

#include "recsys/random.hpp"

namespace polder::recsys {

/// Takes name, shape and initial value of every parameter, one after the other, and either lays them out in an
/// arena or writes the initial values there. `initial`: of models/initialise.hpp, or any
/// f(MatrixView<T>, Random).
template <class T>
class ParameterList {
public:
    /// Lays the parameters out.
    ParameterList(ParameterArena<T>& arena, std::int32_t n_users, std::int32_t n_items)
        : arena_(arena), n_users_(n_users), n_items_(n_items) {}

    /// Writes initial values, which depend on the seed and the parameter's name alone.
    ParameterList(ParameterArena<T>& arena, std::int32_t n_users, std::int32_t n_items,
                  std::uint64_t seed)
        : arena_(arena), n_users_(n_users), n_items_(n_items), seed_(seed) {}

    /// A matrix (rows, columns).
    template <class Initial>
    void add(std::string_view name, std::integral auto rows, std::integral auto columns,
             Initial const& initial) {
        if (seed_)
            initial(arena_[name], Random(*seed_, "initial values", name));
        else
            arena_.add(std::string(name), static_cast<std::size_t>(rows),
                       static_cast<std::size_t>(columns));
    }

    /// With a row for every user, for every item, and for every node: users first, then items.
    template <class Initial>
    void add_users(std::string_view name, std::integral auto columns, Initial const& initial) {
        add(name, n_users_, columns, initial);
    }
    template <class Initial>
    void add_items(std::string_view name, std::integral auto columns, Initial const& initial) {
        add(name, n_items_, columns, initial);
    }
    template <class Initial>
    void add_nodes(std::string_view name, std::integral auto columns, Initial const& initial) {
        add(name, n_users_ + n_items_, columns, initial);
    }

private:
    ParameterArena<T>& arena_;
    std::int32_t n_users_, n_items_;
    std::optional<std::uint64_t> seed_;
};

}  // namespace polder::recsys
