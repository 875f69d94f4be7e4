/// Which rows of a matrix an operation is about.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "recsys/tape/mirror.hpp"

namespace polder::recsys {

/// A set of rows of a matrix.
class RowSet {
public:
    /// The union of `lists`; every row in them is less than n_rows. Allocates only where the set is
    /// larger than any before.
    void assign(std::size_t n_rows, std::initializer_list<std::span<std::int32_t const>> lists) {
        mirror_.forget();
        is_member_.assign(n_rows, 0);
        for (auto const& list : lists)
            for (const std::int32_t row : list) is_member_[static_cast<std::size_t>(row)] = 1;
        members_.reserve(n_rows);
        members_.clear();
        for (std::size_t row = 0; row < n_rows; ++row)
            if (is_member_[row] != 0) members_.push_back(static_cast<std::int32_t>(row));
    }

    bool contains(std::size_t row) const { return is_member_[row] != 0; }

    /// The rows of the set, ascending.
    std::span<std::int32_t const> members() const { return members_; }

    /// 1 for every row of the set, 0 for the others.
    std::span<std::uint8_t const> flags() const { return is_member_; }

    DeviceMirror const& mirror() const { return mirror_; }

private:
    std::vector<std::uint8_t> is_member_;
    std::vector<std::int32_t> members_;
    DeviceMirror mirror_;
};

/// All rows, no row, or the rows of a set that outlives this reference to it.
class Rows {
public:
    static Rows all() { return Rows(everything, nullptr); }
    static Rows none() { return Rows(nothing, nullptr); }
    Rows(RowSet const& set) : Rows(listed, &set) {}

    bool is_all() const { return kind_ == everything; }
    bool is_none() const { return kind_ == nothing; }
    bool contains(std::size_t row) const {
        return kind_ == everything || (kind_ == listed && set_->contains(row));
    }

    /// How many of `n_rows` rows these are, and the k-th of them.
    std::size_t count(std::size_t n_rows) const {
        return kind_ == everything ? n_rows : kind_ == listed ? set_->members().size() : 0;
    }
    std::size_t operator[](std::size_t k) const {
        return kind_ == everything ? k : static_cast<std::size_t>(set_->members()[k]);
    }

    /// The set, or null.
    RowSet const* set() const { return set_; }

    /// Sets are equal when they are the same object.
    friend bool operator==(Rows, Rows) = default;

private:
    enum Kind : std::uint8_t { nothing, listed, everything };
    Rows(Kind kind, RowSet const* set) : kind_(kind), set_(set) {}

    Kind kind_;
    RowSet const* set_;
};

}  // namespace polder::recsys
