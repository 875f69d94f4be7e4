/// What the suite knows of a recommendation model: everything else of a model is in its own file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <polder/blocks/arena.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/closure/pass.hpp>

#include "recsys/data/triples.hpp"
#include "recsys/models/hyper_parameters.hpp"
#include "recsys/models/noise.hpp"
#include "recsys/place.hpp"
#include "recsys/tape/csr.hpp"

namespace polder::recsys {

template <class T>
class FeatureAttack;  // models/feature_attack.hpp

/// One named part of a loss, before its weight. Loss: double, or what points to one on a device.
template <class Loss>
struct TermOf {
    std::string_view name;
    Loss value{};
};
using LossTerm = TermOf<double>;

/// A sparse matrix that a model has built, by name.
template <class T>
struct NamedGraph {
    std::string_view name;
    Csr<T> const* graph;
};

/// How the loss of a batch follows from those of its parts: as their mean, weighted by their rows, or as their sum. Where it
/// does not, `obstacle` says why, after "NAME cannot train in micro-batches: ".
struct InParts {
    bool is_sum = false;
    std::string_view obstacle{};
};

/// What the scores of all users and items follow from: score(u, i) = users.row(u) . items.row(i).
/// The views are of the model's memory, and valid until the next call of the model that returned them.
template <class T>
struct Representations {
    MatrixView<T const> users;  ///< (n_users, d)
    MatrixView<T const> items;  ///< (n_items, d)
};

/// A model as the trainer, the evaluation and the command line see it. T: float to train, double to
/// compare with references. System: where parameters lie and losses are computed, HostMemory or that of a device
/// (polder/device/memory.hpp). What is said of the host below is there always.
///
/// A model is made for one data set and holds what follows from it (graphs, features), but no
/// parameters: these lie in the arena that `declare` lays out and every call is given. Nothing that
/// depends on parameters outlives a call, so the results of a call are always those of the
/// parameters it was given. Results do not depend on the number of threads.
///
/// What is random in a model comes from `noise()`: it depends on seed, epoch and batch alone, so that
/// the passes of a sharpness-aware step on one batch see the same masks, graphs and noise. A Pass that redraws sees others.
template <class T, class System = HostMemory>
class AnyModel {
public:
    using Arena = ArenaOf<T, System>;
    using Loss = LossOf<System>;

    AnyModel() = default;
    AnyModel(AnyModel const&) = delete;
    AnyModel& operator=(AnyModel const&) = delete;
    virtual ~AnyModel() = default;

    /// The name it is registered under, for example "lightgcn".
    virtual std::string_view name() const = 0;

    /// Name and value of every hyper-parameter.
    virtual std::vector<HyperParameterValue> hyper_parameters() const = 0;

    /// Appends the parameters to `parameters`, in a fixed order. On the host: on_device makes the same there.
    virtual void declare(ParameterArena<T>& parameters) const = 0;

    /// Writes initial values; they depend on `seed` alone. On the host.
    virtual void initialise(ParameterArena<T>& parameters, std::uint64_t seed) const = 0;

    /// Parameters that stay as they are: the trainer takes them out of steps, norms and weight decay.
    virtual std::vector<std::string> frozen() const { return {}; }

    /// Prepares what changes once per epoch (from 0), from `seed` and `epoch` alone. Without a call,
    /// the epoch is 0 of seed 0.
    void begin_epoch(std::uint64_t seed, int epoch) {
        noise_.begin_epoch(seed, epoch);
        prepare_epoch(epoch);
    }

    /// The loss of `batch` at `parameters`; overwrites `gradient`, an arena of the same layout, with
    /// its gradient. After the first call on batches of that size it allocates nothing, unless a
    /// model that works on the distinct ids of a batch meets more of them than ever before.
    /// Throws what `check` throws for the batch.
    virtual Loss loss(Arena const& parameters, Triples const& batch, Pass pass,
                      Arena& gradient) = 0;

    /// Whether `loss` may be called for the first and for the second batch of a step at the same time.
    virtual bool is_concurrent() const { return false; }

    /// From now on the results are computed by `threads` threads, at least 1. On a device it changes nothing.
    virtual void set_threads([[maybe_unused]] int threads) {}

    /// Before the losses of a step.
    virtual void begin_step() {}

    /// The parts of the loss that the last call of `loss` returned; on a device, which waits for them, until the
    /// next call for anything else.
    virtual std::vector<LossTerm> terms() const = 0;

    /// The representations of all users and items at inference.
    virtual Representations<T> representations(Arena const& parameters) = 0;

    /// The graphs that are in use, for inspection.
    virtual std::vector<NamedGraph<T>> graphs() const { return {}; }

    /// The graph that an epoch's batches hand on, if it does not follow from seed, epoch and parameters: a
    /// checkpoint within the epoch has it, too. It has rows and columns always, and offsets of all rows from
    /// when it is built. Null for a model without one.
    virtual Csr<T>* carried_graph() { return nullptr; }

    /// From now on the loss of a model on the host reads features through this; null: as they are. It has to outlive the
    /// model's use.
    virtual void watch_features(FeatureAttack<T>*) {}

    /// The random objects; what is fixed there is not drawn.
    Noise<T, System>& noise() { return noise_; }

protected:
    /// What a model does at the start of an epoch: graphs that are sampled or rebuilt.
    virtual void prepare_epoch([[maybe_unused]] int epoch) {}

    Noise<T, System> noise_;
};

/// A model on the back end B of the tape.
template <class B>
using ModelOn = AnyModel<typename B::Scalar, typename B::System>;

}  // namespace polder::recsys
