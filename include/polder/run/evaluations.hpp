/// When the closure is called: at once, or, if it may be called twice at the same time, as late as possible.
#pragma once

#include <optional>
#include <utility>

#include <polder/closure/concurrent.hpp>
#include <polder/closure/evaluation.hpp>
#include <polder/closure/pass.hpp>
#include <polder/run/handles.hpp>

namespace polder::detail {

// A gradient that a method has asked for.
struct Asked {
    PointId at;
    ArrayId gradient;
    Pass pass;
    Evaluation what;
};

// store(asked, loss) keeps a loss, and returns false after a fault.
//
// A closure that may be called twice at once is called when a second gradient is asked for: then for both. If a pass comes
// first, which may read the gradient: then for the one.
template <class Form>
class Evaluations {
public:
    explicit Evaluations(Form& form) : form_(form) {}

    template <class Store>
    void ask(Asked const& b, Store const& store) {
        if constexpr (Form::concurrent) {
            // Where they have one memory, the first comes first; and where they are of one batch, since a closure tells two
            // calls apart by their batches.
            if (waiting_ &&
                (waiting_->gradient.id == b.gradient.id || waiting_->pass.batch == b.pass.batch))
                settle(store);
            if (waiting_) return both(b, store);
            if (form_.at_once()) return static_cast<void>(waiting_ = b);
        }
        store(b, form_.evaluate(b.at, b.gradient, b.pass));
    }
    template <class Store>
    void settle([[maybe_unused]] Store const& store) {
        if constexpr (Form::concurrent) {
            if (!waiting_) return;
            Asked const a = *std::exchange(waiting_, std::nullopt);
            store(a, form_.evaluate(a.at, a.gradient, a.pass));
        }
    }

private:
    template <class Store>
    void both(Asked const& b, Store const& store) {
        Asked const a = *std::exchange(waiting_, std::nullopt);
        form_.before(a.at);
        form_.before(b.at);
        std::optional<decltype(form_.call(a.at, a.gradient, a.pass))> of_a, of_b;
        auto const call_a = [&] { of_a = form_.call(a.at, a.gradient, a.pass); };
        auto const call_b = [&] { of_b = form_.call(b.at, b.gradient, b.pass); };
        if (a.pass.batch < b.pass.batch) {
            both_at_once(call_a, call_b);
        } else {
            both_at_once(call_b, call_a);
        }
        form_.after(a.at, a.gradient);
        form_.after(b.at, b.gradient);
        if (store(a, *of_a)) store(b, *of_b);
    }

    Form& form_;
    std::optional<Asked> waiting_;  // whose closure has not been called yet
};

}  // namespace polder::detail
