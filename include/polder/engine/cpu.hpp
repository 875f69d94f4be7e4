/// The engine on the CPU: runs the passes of a step over all coordinates, chunk by chunk, in threads.
///
/// A pass is a struct that makes the function of a coordinate (run/site.hpp), together with the handles of the arrays that
/// this function reads and writes. Methods and policies have the passes; the loops are in engine/sweep.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/memory_space.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/closure/report.hpp>
#include <polder/config.hpp>
#include <polder/engine/choose.hpp>
#include <polder/engine/column.hpp>
#include <polder/engine/cpu_memory.hpp>
#include <polder/engine/functions.hpp>
#include <polder/engine/layout.hpp>
#include <polder/engine/parallel.hpp>
#include <polder/engine/reduction.hpp>
#include <polder/engine/step_data.hpp>
#include <polder/engine/sweep.hpp>
#include <polder/run/site.hpp>

namespace polder {

/// Passes over the coordinates in blocks that are not frozen. The arrays of a pass must not overlap. After a fault the
/// passes of the step do nothing. Sums are taken in double, in an order that depends only on the number of coordinates.
template <class T>
class POLDER_OPENMP_MARK CpuEngine : public CpuMemory<T> {
    using Memory = CpuMemory<T>;
    using Memory::arrays_;
    using Memory::begins;
    using Memory::blocks_;
    using Memory::chunks_worth_threads;
    using Memory::layout_;
    using Memory::masks_;
    using Memory::threads_;
    using typename Memory::Where;

public:
    using Memory::for_each_chunk;
    using Memory::located;
    using Scalar = T;
    using Loss = double;                          ///< what evaluations of the closure return
    using StepReport = Report;                    ///< what a step returns
    static constexpr std::size_t max_terms = 16;  ///< of one reduction

    CpuEngine() = default;
    CpuEngine(detail::Blocks blocks, std::shared_ptr<Plan const> plan)
        : Memory(std::move(blocks), std::move(plan)), partial_(this->layout().chunks() * max_terms),
          values_(capacity(this->blocks().sizes.size())) {
        functions_.reserve(this->blocks().sizes.size(), 8);
    }

    /// Groups and counts, which the optimizer has. After a change call refresh().
    detail::StepData const* data = nullptr;
    void refresh() { functions_.reserve(blocks_.sizes.size(), data->settings.size()); }
    bool recording() const noexcept { return false; }
    void expect(detail::StepData const&) {}
    void count(detail::StepData&) {}
    /// A step is begin(), then passes, then end(), which returns the fault of the step.
    void begin(NonFinite policy) {
        policy_ = policy;
        fault_ = detail::Fault::none;
    }
    bool alive() const noexcept { return fault_ == detail::Fault::none; }
    detail::Fault fault() const noexcept { return fault_; }
    void fail(detail::Fault fault) {
        if (alive() && policy_ != NonFinite::propagate) fault_ = fault;
    }
    detail::Fault end(detail::Ending const& ending, bool) {
        if (alive() && ending.counts) {
            for (auto const& array : ending.arrays) arrays_.swap(array.now.id, array.next.id);
            for (auto const& mask : ending.masks) masks_.swap(mask.now.id, mask.next.id);
        }
        return fault_;
    }
    Report report(Report report, detail::Ending const& ending) const {
        double* const numbers[] = {&report.gradient_norm, &report.perturbation_norm,
                                   &report.update_norm, &report.distance, &report.cosine};
        for (std::size_t k = 0; k < detail::notes; ++k) {
            ValueId const v = ending.noted[k];
            if (v.exists()) *numbers[k] = values_[static_cast<std::size_t>(v.slot)];
        }
        return report;
    }
    /// How many values the reductions of a step may find, for a number of blocks.
    static std::size_t capacity(std::size_t blocks) { return 64 + 16 * blocks; }

    /// A coefficient as it is in a block.
    double number(Coefficient c, std::size_t block) { return site(block, 0)[c]; }

    /// Calls f.at(site)(values of the arguments...) for each coordinate.
    template <class F, class... Args>
    void map(F const& f, Args const&... args) {
        if (!alive()) return;
        auto const functions = functions_of(f);
        this->for_each_piece([&, this](auto block, auto within, auto, auto length) {
            detail::sweep<T>(length, functions[block], located(args).at(block, within)...);
        });
    }

    /// The same, for the pass that changes the parameters. It checks the first `count` of the `watched` gradients. Where one
    /// of them is not finite nothing is changed, and the fault of the step is faults[k]. A parameter that is finite, and
    /// whose new value is not, keeps its value.
    template <std::size_t n, class F, class... Args>
    void map_last(detail::Ending const&, std::array<ArrayId, n> const& watched,
                  std::array<detail::Fault, n> const& faults, std::size_t count, F const& f,
                  Args const&... args) {
        if (!alive()) return;
        auto const functions = functions_of(f);
        map_where_finite({watched.data(), count}, {faults.data(), count},
                         [&, this](std::size_t block, std::size_t within, std::size_t length) {
                             return detail::sweep_parameters<T>(policy_ != NonFinite::propagate,
                                                                length, functions[block],
                                                                located(args).at(block, within)...);
                         });
    }

    /// Adds up the terms f.at(site)(values...) of all coordinates, and writes f.finish(sums, site) to the values from `to`
    /// on. If a sum is not finite, that is the fault `fault`.
    template <class F, class... Args>
    void reduce(ValueId to, detail::Fault fault, F const& f, Args const&... args) {
        if (!alive()) return;
        using Fold = fold_of<F, Args...>;
        auto const functions = functions_of(f);
        for_each_chunk([&, this](std::size_t chunk) {
            typename Fold::Lanes lanes{};
            layout_.for_each_piece(chunk, [&](auto block, auto within, auto coordinate,
                                              auto length) {
                Fold::template add_piece<T>(lanes, coordinate % detail::lanes, length,
                                            functions[block], located(args).at(block, within)...);
            });
            auto const sums = Fold::fold(lanes);
            std::copy(sums.begin(), sums.end(), &partial_[chunk * max_terms]);
        });
        typename Fold::Sums total{};
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            Fold::add(total, &partial_[chunk * max_terms]);
        }
        Site<T> here = site(0, static_cast<double>(layout_.live_size()));
        here.settings = data->settings.data();  // of no group
        finish(to, fault, f, total, here);
        (blame(args, fault), ...);
    }

    /// As reduce, in each block by itself. The sums of frozen blocks are 0.
    template <class F, class... Args>
    void reduce_blocks(ValueId to, detail::Fault fault, F const& f, Args const&... args) {
        if (!alive()) return;
        using Fold = fold_of<F, Args...>;
        auto const functions = functions_of(f);
        // Along the coordinates a new piece begins where a chunk or a block begins. So chunk + block numbers the pieces.
        block_partial_.resize(layout_.chunks() + layout_.blocks());
        for_each_chunk([&, this](std::size_t chunk) {
            layout_.for_each_piece(chunk, [&](auto block, auto within, auto coordinate,
                                              auto length) {
                typename Fold::Lanes lanes{};
                Fold::template add_piece<T>(lanes, coordinate % detail::lanes, length,
                                            functions[block], located(args).at(block, within)...);
                auto const sums = Fold::fold(lanes);
                std::copy(sums.begin(), sums.end(), block_partial_[chunk + block].begin());
            });
        });
        block_total_.resize(layout_.blocks());
        for (auto& total : block_total_) total.fill(0);
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            layout_.for_each_piece(chunk, [&](auto block, auto, auto, auto) {
                typename Fold::Sums total;
                auto& row = block_total_[block];
                std::copy_n(row.begin(), Fold::count, total.begin());
                Fold::add(total, block_partial_[chunk + block].data());
                std::copy(total.begin(), total.end(), row.begin());
            });
        }
        for (std::size_t block = 0; block < layout_.blocks(); ++block) {
            typename Fold::Sums total;
            std::copy_n(block_total_[block].begin(), Fold::count, total.begin());
            finish(to, fault, f, total,
                   site(block, static_cast<double>(layout_.block_sizes()[block])));
        }
        (blame(args, fault), ...);
    }

    /// root = sqrt of the sum over blocks of a value of single blocks.
    void root_of_sum(ValueId of_blocks, ValueId root) {
        if (!alive()) return;
        double sum = 0;
        for (std::size_t block = 0; block < layout_.blocks(); ++block)
            sum += site(block, 0)[of_blocks];
        values_[static_cast<std::size_t>(root.slot)] = std::sqrt(sum);
    }

    /// Runs passes() if the flag is not 0.
    template <class Passes>
    void where(ValueId flag, Passes const& passes) {
        if (alive() && values_[static_cast<std::size_t>(flag.slot)] != 0) passes();
    }

    /// Checks a gradient. If a value is not finite, that is the fault `fault`.
    void check(ArrayId gradient, detail::Fault fault) {
        if (!alive() || policy_ == NonFinite::propagate) return;
        for_each_chunk([&](std::size_t chunk) {
            bool finite = true;
            layout_.for_each_piece(chunk, [&](auto block, auto within, auto, auto length) {
                finite &= detail::finite_piece(length, begins(gradient)(block) + within);
            });
            partial_[chunk * max_terms] = finite ? 1 : 0;
        });
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            if (partial_[chunk * max_terms] == 0) fail(fault);
        }
    }

    /// Subtracts from each row of a matrix the mean of that row, in all blocks with more than one column.
    void centralise(ArrayId array) {
        if (!alive()) return;
        for (std::size_t block = 0; block < layout_.blocks(); ++block) {
            auto const& shape = blocks_.shapes[block];
            if (shape.cols >= 2 && !layout_.frozen(block)) centralise(begins(array)(block), shape);
        }
    }

    template <class Score, class... Args>
    void choose_largest(std::size_t count, Score const& score, MaskId chosen, Args const&... args) {
        if (alive()) detail::choose_largest_on_host(*this, count, score, chosen, args...);
    }

    // For engine/choose.hpp.
    double& partial(std::size_t chunk) { return partial_[chunk * max_terms]; }
    template <class F>
    void fill(MaskId m, F const& f) {
        if (!alive()) return;
        auto const functions = functions_of(f);
        this->for_each_piece([&, this](auto block, auto within, auto coordinate, auto length) {
            std::uint8_t* const mask = begins(m)(block) + within;
            for (std::size_t i = 0; i < length; ++i)
                mask[i] = functions[block](coordinate + i) ? 1 : 0;
        });
    }

private:
    template <class F, class... Args>
    struct Fold {
        using At = decltype(std::declval<F const&>().at(std::declval<Site<T> const&>()));
        using Terms = decltype(detail::call_at<T>(
            std::declval<At const&>(), 0,
            detail::locate(std::declval<Where>(), std::declval<Args>()).at(0, 0)...));
        using type = detail::FoldOf<std::remove_const_t<Terms>>;
        static_assert(type::value,
                      "polder: the function of a reduction returns polder::Terms<...>");
        static_assert(type::count <= max_terms, "polder: a reduction has at most 16 terms");
    };
    template <class F, class... Args>
    using fold_of = typename Fold<F, Args...>::type;

    Site<T> site(std::size_t block, double size, bool* by_block) const {
        auto const group = data->group.empty() ? 0 : data->group[block];
        return {values_.data(),
                &data->settings[group],
                data->base_steps[group],
                data->method_steps,
                data->steps,
                block,
                size,
                by_block};
    }
    Site<T> site(std::size_t block, double size) { return site(block, size, &by_block_); }
    template <class F>
    auto functions_of(F const& f) {
        using At = decltype(f.at(std::declval<Site<T> const&>()));
        return functions_.fill<At>(data->group, data->settings.size(),
                                   [&, this](void* to, std::size_t block, bool& by_block) {
                                       auto const size = static_cast<double>(blocks_.sizes[block]);
                                       ::new (to) At(f.at(site(block, size, &by_block)));
                                   });
    }

    template <class F, std::size_t n>
    void finish(ValueId to, detail::Fault fault, F const& f, std::array<double, n> const& sums,
                Site<T> const& here) {
        for (double sum : sums) {
            if (!std::isfinite(sum)) fail(detail::fault_of(sums, fault));
        }
        auto const found = detail::finished(f, sums, here);
        std::copy(found.begin(), found.end(),
                  &values_[static_cast<std::size_t>(to.slot) + here.block * found.size()]);
    }

    // If sums of products are infinite, and so is a gradient among the arguments, the fault is the gradient's.
    void blame(ArrayId gradient, detail::Fault fault) {
        if (alive() || fault_ == fault) return;
        for (std::size_t block = 0; block < layout_.blocks(); ++block) {
            if (!layout_.frozen(block) &&
                !detail::finite_piece(blocks_.sizes[block], begins(gradient)(block))) {
                fault_ = fault;
            }
        }
    }
    template <std::size_t n>
    void blame(std::array<ArrayId, n> const& gradients, detail::Fault fault) {
        for (ArrayId gradient : gradients) blame(gradient, fault);
    }
    template <class Other>
    void blame(Other const&, detail::Fault) {}

    // Whether arrays are larger than the caches. Then a pass that only checks gradients would read them from memory once
    // more.
    bool in_memory() const noexcept { return layout_.size() * sizeof(T) > (std::size_t{8} << 20); }

    // Checks the watched gradients, and calls update(block, within, length) for runs of coordinates, which says whether all new
    // parameters are finite. Gradients in memory are checked in the same pass: runs of at most 128 coordinates are checked, and
    // then updated while they are in the first-level cache. A run with a value that is not finite is not updated.
    POLDER_APART void
    map_where_finite(std::span<ArrayId const> watched, std::span<detail::Fault const> faults,
                     detail::FunctionRef<bool(std::size_t, std::size_t, std::size_t)> update) {
        bool const in_runs = policy_ == NonFinite::raise && in_memory();
        if (!in_runs) {
            for (std::size_t k = 0; k < watched.size(); ++k) check(watched[k], faults[k]);
            watched = {};
        }
        if (!alive()) return;
        std::size_t const count = watched.size();
        std::size_t const run = count > 0 ? 128 : detail::longest_run;
        for_each_chunk([&, this](std::size_t chunk) {
            std::size_t first_bad = count + 1;
            layout_.for_each_piece(chunk, [&](auto block, auto within, auto, auto length) {
                for (std::size_t done = 0; done < length; done += run) {
                    std::size_t const size = std::min<std::size_t>(run, length - done);
                    std::size_t bad = 0;
                    while (bad < count && detail::finite_piece(size, begins(watched[bad])(block) +
                                                                         within + done)) {
                        ++bad;
                    }
                    if (bad == count && update(block, within + done, size)) ++bad;
                    first_bad = std::min(first_bad, bad);
                }
            });
            partial(chunk) = static_cast<double>(first_bad);
        });
        auto first_bad = static_cast<double>(count + 1);
        for (std::size_t chunk = 0; chunk < layout_.chunks(); ++chunk) {
            first_bad = std::min(first_bad, partial(chunk));
        }
        if (first_bad > static_cast<double>(count)) return;
        auto const k = static_cast<std::size_t>(first_bad);
        fail(k == count ? detail::Fault::parameters : faults[k]);
    }
    void centralise(T* first, BlockShape const& shape) {
        std::size_t const along = shape.row_major ? 1 : shape.rows;
        std::size_t const across = shape.row_major ? shape.cols : 1;
        std::size_t const worth = chunks_worth_threads * Layout::chunk_size;
        parallel_for(shape.rows, shape.rows * shape.cols < worth ? 1 : threads_,
                     [&](std::size_t row) {
                         T* const begin = first + row * across;
                         T const mean = T(detail::mean_of(begin, shape.cols, along));
                         for (std::size_t col = 0; col < shape.cols; ++col)
                             begin[col * along] -= mean;
                     });
    }

    std::vector<double> partial_;                               // one row of terms per chunk
    std::vector<std::array<double, max_terms>> block_partial_;  // of each piece, for reduce_blocks
    std::vector<std::array<double, max_terms>> block_total_;
    std::vector<double> values_;
    detail::FunctionTable functions_;  // of the pass under way
    NonFinite policy_ = NonFinite::raise;
    detail::Fault fault_ = detail::Fault::none;
    bool by_block_ = false;
};

/// The engine for parameters in a kind of memory. The headers of devices specialise it.
template <class Space, class T>
struct EngineOf;
template <class T>
struct EngineOf<HostMemory, T> {
    using type = CpuEngine<T>;
};

}  // namespace polder
