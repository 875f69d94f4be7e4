/// Everything that needs only the standard library.
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#include <polder/average/weight_average.hpp>
#include <polder/base/adagrad.hpp>
#include <polder/base/adam.hpp>
#include <polder/base/adamw.hpp>
#include <polder/base/lamb.hpp>
#include <polder/base/lion.hpp>
#include <polder/base/rmsprop.hpp>
#include <polder/base/sgd.hpp>
#include <polder/blocks/arena.hpp>
#include <polder/blocks/container.hpp>
#include <polder/blocks/twin.hpp>
#include <polder/closure/check.hpp>
#include <polder/closure/clipping.hpp>
#include <polder/closure/concurrent.hpp>
#include <polder/closure/micro_batches.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/composable.hpp>
#include <polder/concepts.hpp>
#include <polder/config.hpp>
#include <polder/distance/along_average.hpp>
#include <polder/distance/chebyshev.hpp>
#include <polder/distance/constant.hpp>
#include <polder/distance/cosine.hpp>
#include <polder/distance/euclidean.hpp>
#include <polder/distance/manhattan.hpp>
#include <polder/distance/reference.hpp>
#include <polder/distance/similarity.hpp>
#include <polder/error.hpp>
#include <polder/groups/group.hpp>
#include <polder/methods/asam.hpp>
#include <polder/methods/bsam.hpp>
#include <polder/methods/esam.hpp>
#include <polder/methods/fisher_sam.hpp>
#include <polder/methods/fsam.hpp>
#include <polder/methods/gnp.hpp>
#include <polder/methods/gsam.hpp>
#include <polder/methods/looksam.hpp>
#include <polder/methods/mirror_gradient.hpp>
#include <polder/methods/momentum_sam.hpp>
#include <polder/methods/plain.hpp>
#include <polder/methods/sam.hpp>
#include <polder/methods/sampa.hpp>
#include <polder/methods/ssam.hpp>
#include <polder/methods/vasso.hpp>
#include <polder/methods/wsam.hpp>
#include <polder/mix/none.hpp>
#include <polder/mix/plus.hpp>
#include <polder/mix/same_batch.hpp>
#include <polder/mix/surrogate_gap.hpp>
#include <polder/mix/weighted_sharpness.hpp>
#include <polder/perturb/adaptive_ball.hpp>
#include <polder/perturb/centralised.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/perturb/fisher_ball.hpp>
#include <polder/perturb/masked.hpp>
#include <polder/perturb/none.hpp>
#include <polder/perturb/norm_ball.hpp>
#include <polder/perturb/relative.hpp>
#include <polder/perturb/several_ascents.hpp>
#include <polder/perturb/stochastic.hpp>
#include <polder/schedule/interval.hpp>
#include <polder/schedule/schedules.hpp>
#include <polder/sharpness.hpp>
#include <polder/version.hpp>

#endif
