/// Ids that are text, and their numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace polder::recsys {

/// Numbers texts in the order in which they come, from 0: a hash table with open addressing over one array of
/// characters, 16 bytes for each id besides its text.
class Ids {
public:
    /// The number of `id`, which is a new one where it was not there.
    std::uint32_t number(std::string_view id) {
        if (2 * (offsets_.size() + 1) > slots_.size()) grow();
        auto const hash = hash_of(id);
        for (auto place = hash & mask();; place = (place + 1) & mask()) {
            auto& slot = slots_[place];
            if (slot.number == none) {
                if (size() >= most) throw std::runtime_error("there are more than 2^31 - 2 ids");
                slot = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(size())};
                text_.append(id);
                offsets_.push_back(text_.size());
                return slot.number;
            }
            if (slot.hash == static_cast<std::uint32_t>(hash >> 32) && (*this)[slot.number] == id)
                return slot.number;
        }
    }

    /// The number of `id`, or none.
    std::optional<std::uint32_t> find(std::string_view id) const {
        if (slots_.empty()) return std::nullopt;
        auto const hash = hash_of(id);
        for (auto place = hash & mask();; place = (place + 1) & mask()) {
            auto const& slot = slots_[place];
            if (slot.number == none) return std::nullopt;
            if (slot.hash == static_cast<std::uint32_t>(hash >> 32) && (*this)[slot.number] == id)
                return slot.number;
        }
    }

    /// The id of a number; valid until the next call of `number`.
    std::string_view operator[](std::size_t number) const {
        return std::string_view(text_).substr(offsets_[number],
                                              offsets_[number + 1] - offsets_[number]);
    }

    std::size_t size() const { return offsets_.size() - 1; }

    /// The numbers in the order of the ids: by value where all ids are whole numbers without leading zeros, else by bytes.
    std::vector<std::uint32_t> sorted() const {
        std::vector<std::uint32_t> result(size());
        std::iota(result.begin(), result.end(), 0U);
        bool const are_numbers = std::all_of(result.begin(), result.end(), [&](std::uint32_t n) {
            auto const id = (*this)[n];
            return id.find_first_not_of("0123456789") == std::string_view::npos && !id.empty() &&
                   (id.size() == 1 || id.front() != '0');
        });
        std::sort(result.begin(), result.end(), [&](std::uint32_t a, std::uint32_t b) {
            auto const left = (*this)[a], right = (*this)[b];
            if (are_numbers && left.size() != right.size()) return left.size() < right.size();
            return left < right;
        });
        return result;
    }

private:
    struct Slot {
        std::uint32_t hash = 0, number = none;
    };
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::size_t most = (std::size_t{1} << 31) - 2;

    static std::uint64_t hash_of(std::string_view id) { return std::hash<std::string_view>{}(id); }
    std::size_t mask() const { return slots_.size() - 1; }

    void grow() {
        slots_.assign(std::max<std::size_t>(1024, 2 * slots_.size()), Slot{});
        for (std::size_t n = 0; n < size(); ++n) {
            auto const hash = hash_of((*this)[n]);
            auto place = hash & mask();
            while (slots_[place].number != none) place = (place + 1) & mask();
            slots_[place] = {static_cast<std::uint32_t>(hash >> 32), static_cast<std::uint32_t>(n)};
        }
    }

    std::string text_;
    std::vector<std::uint64_t> offsets_{0};
    std::vector<Slot> slots_;
};

}  // namespace polder::recsys
