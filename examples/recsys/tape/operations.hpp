/// The operations of the tape, each with its derivative: `value` first, then what `backward` adds to
/// the gradients of the operands. In comments dX is dL/dX; indices: b rows, j columns.
///
/// An operation is scalar mathematics; the loops (map, row_sum, sum, gather, scatter_add, multiply,
/// product, ...) are the back end's.
#pragma once

#include "recsys/tape/dense.hpp"
#include "recsys/tape/edges.hpp"
#include "recsys/tape/elementwise.hpp"
#include "recsys/tape/losses.hpp"
#include "recsys/tape/reductions.hpp"
#include "recsys/tape/sparse.hpp"
