// The evaluation on a device has the lists of that on the host.
#include "recsys/evaluation/device_full_sort.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <polder/device/thrust_system.hpp>

#include "recsys/data/dataset.hpp"
#include "recsys/random.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::recsys;

// Some users have no rows in a split, some more than one, and some train rows are repeated.
Dataset uneven_data(std::int32_t n_users, std::int32_t n_items) {
    Dataset data;
    data.n_users = n_users;
    data.n_items = n_items;
    Random random(5, "data", n_users, n_items);
    auto const below = [&](std::int32_t n) {
        return static_cast<std::int32_t>(random.uniform_index(static_cast<std::uint64_t>(n)));
    };
    for (std::int32_t user = 0; user < n_users; ++user) {
        for (auto* rows : {&data.train, &data.valid, &data.test})
            for (std::int32_t k = below(4); k > 0; --k) rows->push_back({user, below(n_items)});
        if (user % 3 == 0 && !data.train.empty()) data.train.push_back(data.train.back());
    }
    return data;
}

// Small whole numbers: products are exact, and many are equal.
template <class T>
std::vector<T> levels(std::size_t n, std::uint64_t seed) {
    Random random(seed, "levels");
    std::vector<T> values(n);
    for (T& value : values) value = static_cast<T>(random.uniform_index(5)) - T(2);
    return values;
}

}  // namespace

TEMPLATE_TEST_CASE("lists on a device are those of the host", "[evaluation]", float, double) {
    using T = TestType;
    for (const std::int32_t n_items : {1, 49, 50, 51, 300}) {
        constexpr std::int32_t n_users = 40;
        auto const data = uneven_data(n_users, n_items);
        auto users = levels<T>(n_users * 3, 1);
        auto const items = levels<T>(static_cast<std::size_t>(n_items) * 3, 2);
        users[7] = std::numeric_limits<T>::quiet_NaN();  // no list of user 2
        users[10] = std::numeric_limits<T>::infinity();
        const Representations<T> r{{users.data(), n_users, 3},
                                   {items.data(), static_cast<std::size_t>(n_items), 3}};
        const FullSort on_host(data);
        DeviceFullSort<DeviceBackend<T, polder::ThrustCpp>> on_device(data);
        INFO(n_items << " items");
        CHECK(on_device(r) == on_host(r, 1));
        CHECK(on_device.test_hits(r) == on_host.test_hits(r, 1));
    }
}
