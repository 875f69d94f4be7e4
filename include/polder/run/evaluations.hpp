/// When the closure is called: at once, or, if it may be called twice at the same time, as late as possible.
#pragma once

#include <optional>
#include <utility>

#include <polder/closure/forms.hpp>

namespace polder::detail {

// store(asked, loss) keeps a loss, and returns false after a fault.
//
// A closure that may be called twice at once is called when a second gradient is asked for: then for both. If a pass comes
// first, which may read the gradient: then for the one.
template <class Loss>
class Evaluations {
public:
    explicit Evaluations(Form<Loss>& form) : form_(form) {}

    template <class Store>
    void ask(Asked const& b, Store const& store) {
        // Where they have one memory, the first comes first; and where they are of one batch, since a closure tells two calls
        // apart by their batches.
        if (waiting_ &&
            (waiting_->gradient.id == b.gradient.id || waiting_->pass.batch == b.pass.batch))
            settle(store);
        if (waiting_) {
            Asked const a = *std::exchange(waiting_, std::nullopt);
            auto const losses = form_.both(a, b);
            if (store(a, losses[0])) store(b, losses[1]);
        } else if (form_.at_once()) {
            waiting_ = b;
        } else {
            store(b, form_.evaluate(b));
        }
    }
    template <class Store>
    void settle(Store const& store) {
        if (!waiting_) return;
        Asked const a = *std::exchange(waiting_, std::nullopt);
        store(a, form_.evaluate(a));
    }

private:
    Form<Loss>& form_;
    std::optional<Asked> waiting_;  // whose closure has not been called yet
};

}  // namespace polder::detail
