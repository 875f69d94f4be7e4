/// How a small matrix takes the place of a large one in a loop over all entries.
#pragma once

#include <polder/blocks/arena.hpp>

namespace polder::recsys {

/// A column vector (rows x 1) whose entry b stands for all entries of row b.
template <class T>
struct PerRow {
    MatrixView<T> view;
};

/// A scalar (1 x 1) that stands for every entry.
template <class T>
struct Single {
    MatrixView<T> view;
};

template <class T>
PerRow<T> per_row(MatrixView<T> view) {
    return {view};
}

template <class T>
Single<T> single(MatrixView<T> view) {
    return {view};
}

}  // namespace polder::recsys
