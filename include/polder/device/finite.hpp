/// On a device: checks whether gradients are finite, as a pass of its own or in the pass that changes the parameters.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <tuple>

#include <polder/config.hpp>
#include <polder/device/memory.hpp>
#include <polder/device/passes.hpp>
#include <polder/device/step.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/run/site.hpp>

namespace polder::detail {

// 1 for a value that is not finite.
struct NotFinite {
    struct At {
        template <class V>
        POLDER_HOST_DEVICE Terms<Max> operator()(V value) const {
            return {Max{std::isfinite(value) ? 0.0 : 1.0}};
        }
    };
    template <class T>
    POLDER_HOST_DEVICE At at(Site<T> const&) const {
        return {};
    }
};
// The largest of the first values of the chunks' rows; known to the thread of once().
template <class Team>
POLDER_HOST_DEVICE double largest_of(Team& team, Row const* partial, std::size_t chunks) {
    double largest = 0;
    team.for_each(chunks,
                  [&](std::size_t chunk) { largest = Max::fold(largest, partial[chunk][0]); });
    return team.template combine<Max>(largest);
}
struct RequireFinite {
    Guard guard;
    DeviceStep* step;
    Fault fault;
    Row const* partial;
    std::size_t chunks;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (!guard.open()) return;
        double const largest = largest_of(team, partial, chunks);
        team.once([&] { step->require(largest == 0, fault); });
    }
};

// A pass that changes the parameters and checks gradients as it uses them. A coordinate with a gradient that is not finite is
// not changed.
template <class T, class F, std::size_t n, class... Arrays>
struct WatchedBody {
    LayoutView layout;
    Guard guard;
    SiteSource source;
    F f;
    Row* partial;
    std::array<TurningBegins<T>, n> watched;
    std::size_t count;
    std::tuple<Arrays...> arrays;

    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team, std::size_t first, std::size_t step,
                                       std::size_t chunks) const {
        if (!guard.open()) return;
        FunctionsIn<T, F, Team> functions(team, f, source);
        for (std::size_t chunk = first; chunk < chunks; chunk += step) {
            double most_left =
                0;  // count - k, where gradient k is the first that is not finite; 0: all are
            layout.for_each_piece(
                chunk, [&](std::size_t block, std::size_t within, std::size_t, std::size_t length) {
                    auto const function = functions.in(block);
                    with_pieces(arrays, block, within, [&](auto const&... columns) {
                        team.for_each(length, [&](std::size_t i) {
                            std::size_t left = count;
                            for (std::size_t k = 0; k < n; ++k) {
                                if (k < count && left == count - k &&
                                    std::isfinite(watched[k](block)[within + i])) {
                                    --left;
                                }
                            }
                            if (left == 0) call_at<T>(function, i, columns...);
                            most_left = Max::fold(most_left, static_cast<double>(left));
                        });
                    });
                });
            most_left = team.template combine<Max>(most_left);
            team.once([&] { partial[chunk][0] = most_left; });
        }
    }
};
template <std::size_t n, class End>
struct WatchedTail {
    Guard guard;
    DeviceStep* step;
    std::array<Fault, n> faults;
    std::size_t count;
    Row const* partial;
    std::size_t chunks;
    End end;
    template <class Team>
    POLDER_HOST_DEVICE void operator()(Team& team) const {
        if (guard.open()) {
            double const left = largest_of(team, partial, chunks);
            team.once([&] {
                if (left > 0) step->require(false, faults[count - static_cast<std::size_t>(left)]);
            });
        }
        end(team);
    }
};

}  // namespace polder::detail
