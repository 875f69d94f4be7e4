/// What an engine needs to know of a step, besides the passes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/groups/group.hpp>
#include <polder/message.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

// The counts of steps so far and the settings of the groups, which passes read. A cohort is the blocks of one group in which
// the base optimizer has made equally many steps.
struct StepData {
    std::vector<GroupSettings>
        settings;                      // of each cohort; 0: of the blocks in no group of the user's
    std::vector<std::uint32_t> group;  // the cohort of each block
    std::vector<std::uint64_t> base_steps;  // of the base optimizer, in each cohort
    std::uint64_t steps = 0;                // that changed the parameters
    std::uint64_t skipped = 0;              // skipped steps
    std::uint64_t method_steps = 0;         // steps of the method
};

// The numbers of a report that passes find.
enum class Note { gradient_norm, perturbation_norm, update_norm, distance, cosine };
inline constexpr std::size_t notes = 5;

// The new value of a counter.
struct CounterValue {
    CounterId counter;
    std::uint64_t value = 0;
};
inline int key(CounterValue const& set) { return set.counter.id; }
template <class A>
int key(SuccessionOf<A> const& s) {
    return s.next.id;
}

// At most n items with different keys.
template <class T, std::size_t n>
class FewOf {
public:
    // One with the same key is replaced. Returns whether there was none.
    bool add(T const& item) {
        auto* const at =
            std::find_if(begin(), end(), [&](T const& each) { return key(each) == key(item); });
        bool const is_new = at == end();
        if (is_new && count_ == n)
            wrong_call(
                "a step writes more arrays, masks or counters that last than there is room for");
        *at = item;
        if (is_new) ++count_;
        return is_new;
    }
    T* begin() { return items_.data(); }
    T* end() { return items_.data() + count_; }
    T const* begin() const { return items_.data(); }
    T const* end() const { return items_.data() + count_; }

private:
    std::array<T, n> items_{};
    std::size_t count_ = 0;
};

// What the end of a step does, if nothing was wrong in it.
struct Ending {
    static constexpr std::size_t most_masks = 2, most_arrays = 12, most = most_arrays + most_masks;

    FewOf<Succession, most_arrays> arrays;  // whose next values take the place of those now
    FewOf<MaskSuccession, most_masks> masks;
    std::array<ValueId, notes> noted{};  // for the report
    unsigned descents = 0;               // steps of the base optimizer
    bool counts = true;                  // false: it is no step, and changes nothing that lasts
    bool active = false;                 // it is a step of the method

    bool add(Succession const& s) { return arrays.add(s); }
    bool add(MaskSuccession const& m) { return masks.add(m); }
};

}  // namespace polder::detail
