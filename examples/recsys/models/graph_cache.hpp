/// Graphs that take seconds to build, kept on disk.
#pragma once

#include <filesystem>

#include <polder/blocks/arena.hpp>

#include "recsys/tape/csr.hpp"

namespace polder::recsys {

/// nearest_neighbours(x, k, threads) from a file in `folder`, or computed and left there for the next time.
///
/// The file's name has the type T, the shape, k and a hash of all of x: other features have another file.
/// A file that is damaged or of something else is computed again and replaced. `folder` is made where
/// it is not there. Throws polder::FileError where it cannot be made or the file cannot be written, and what
/// nearest_neighbours throws. T: float or double.
template <class T>
Csr<T> cached_neighbours(std::filesystem::path const& folder, MatrixView<T const> x, int k,
                         int threads);

}  // namespace polder::recsys
