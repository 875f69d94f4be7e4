/// How operands enter the loops of a back end: transposed, as a part, or in place of a larger matrix.
#pragma once

#include <cstddef>

#include <polder/blocks/arena.hpp>

namespace polder::recsys {

/// A column vector (rows x 1) whose entry b stands for all entries of row b.
template <class T>
struct PerRow {
    MatrixView<T> view;
};

/// A vector whose entry j stands for all entries of column j.
template <class T>
struct PerColumn {
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
PerColumn<T> per_column(MatrixView<T> view) {
    return {view};
}

template <class T>
Single<T> single(MatrixView<T> view) {
    return {view};
}

/// Whether a factor of a product is taken as it is or transposed.
enum class Form : bool { plain, transposed };

/// The rows [first, first + n) of `view`.
template <class T>
MatrixView<T> row_range(MatrixView<T> view, std::size_t first, std::size_t n) {
    return {view.data + first * view.cols, n, view.cols};
}

}  // namespace polder::recsys
