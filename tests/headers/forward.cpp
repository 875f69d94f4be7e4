// Forward declarations come first, and stand for the same types as the headers that follow.
#include <polder/fwd.hpp>

namespace {

struct Trainer {
    polder::SAM<polder::Adam>* sam;
    polder::BSAM<polder::SGD, polder::Cosine>* bsam;
    polder::Optimizer<polder::Family<polder::EuclideanBall, polder::NoDistance, polder::NoMix>,
                      polder::Adam>* base;
    polder::Settings* settings;
    polder::Report const* report;
    void (*closure)(polder::Pass const&, polder::Group const&);
};

}  // namespace

#include <polder/any_optimizer.hpp>
#include <polder/fwd.hpp>
#include <polder/polder.hpp>

int use_forward_declarations();
int use_forward_declarations() {
    polder::SAM optimizer{polder::Adam{}};
    polder::BSAM bsam{polder::SGD{}};
    const Trainer trainer{&optimizer, &bsam, &optimizer, &optimizer, nullptr, nullptr};
    return trainer.settings->threads();
}
