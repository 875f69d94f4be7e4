/// Everything that needs only the standard library.
#pragma once

#include <polder/base/adam.hpp>
#include <polder/base/sgd.hpp>
#include <polder/blocks/arena.hpp>
#include <polder/blocks/container.hpp>
#include <polder/closure/non_finite.hpp>
#include <polder/closure/pass.hpp>
#include <polder/closure/report.hpp>
#include <polder/concepts.hpp>
#include <polder/config.hpp>
#include <polder/distance/chebyshev.hpp>
#include <polder/distance/constant.hpp>
#include <polder/distance/cosine.hpp>
#include <polder/distance/euclidean.hpp>
#include <polder/distance/manhattan.hpp>
#include <polder/distance/reference.hpp>
#include <polder/methods/bsam.hpp>
#include <polder/methods/fsam.hpp>
#include <polder/methods/plain.hpp>
#include <polder/methods/sam.hpp>
#include <polder/mix/none.hpp>
#include <polder/mix/two_batches.hpp>
#include <polder/perturb/euclidean_ball.hpp>
#include <polder/perturb/none.hpp>
#include <polder/sharpness.hpp>
#include <polder/version.hpp>
