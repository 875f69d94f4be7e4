/// Forward declarations, for headers that only name what polder has: a member `std::unique_ptr<polder::SAM<polder::Adam>>`,
/// or a function that takes a `polder::Report const&`. Without any other header.
///
/// Defaults of template parameters are where the templates are defined. So name all arguments here, as in
/// polder::BSAM<polder::Adam, polder::Cosine>. FSAM and FSAMPlus, whose parameters have constraints, are not declared here.
#pragma once

#include <polder/config.hpp>

// g++ warns of the mark where a class has been defined before.
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
#endif

namespace polder {

// Base optimizers.
struct Adagrad;
struct Adam;
struct AdamW;
struct LAMB;
struct Lion;
struct RMSprop;
struct SGD;

// Methods.
template <class Method, class BaseOpt>
class POLDER_OPENMP_MARK Optimizer;
template <class Perturb, class Distance, class Mix, class BaseOpt>
class Sharpness;
template <class Perturb, class Distance, class Mix>
struct Family;
template <class BaseOpt>
struct ASAM;
template <class BaseOpt>
struct ASAMPlus;
template <class BaseOpt, class Measure>
struct BSAM;
template <class BaseOpt, class Measure>
struct BSAMPlus;
template <class BaseOpt>
struct ESAM;
template <class BaseOpt, class Estimate, class Norm>
struct FisherSAM;
template <class BaseOpt, class Estimate, class Norm>
struct FisherSAMPlus;
template <class BaseOpt>
struct GNP;
template <class BaseOpt>
struct GSAM;
template <class BaseOpt>
struct GSAMPlus;
template <class BaseOpt, class Reuse>
struct LookSAM;
template <class BaseOpt>
struct MirrorGradient;
template <class BaseOpt>
struct MomentumSAM;
template <class BaseOpt>
struct Plain;
template <class BaseOpt>
struct SAM;
template <class BaseOpt>
struct SAMPa;
template <class BaseOpt>
struct SAMPlus;
template <class BaseOpt>
struct SGBD;
template <class BaseOpt, class Mask>
struct SSAM;
template <class BaseOpt>
struct VaSSO;
template <class BaseOpt, class Mix>
struct WSAM;

// Policies.
struct AdaptiveBall;
struct EuclideanBall;
struct NoDistance;
struct NoMix;
struct NoPerturbation;
struct Chebyshev;
struct Constant;
struct Cosine;
struct Euclidean;
struct Manhattan;

template <class C>
class POLDER_OPENMP_MARK AnyOptimizer;
template <class Of>
class POLDER_OPENMP_MARK WeightAverage;

// What a step takes and returns, and what is set around it.
struct Clipping;
struct Group;
struct Interval;
struct NonFiniteError;
struct Pass;
struct Report;
class POLDER_OPENMP_MARK Settings;
struct BlockShape;
template <class T, class Storage>
class ParameterArena;
struct HostMemory;
struct DeviceMemory;
template <class C>
struct Members;

}  // namespace polder

#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
