/// Features of items from files that know items by their ids.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/prepare/ids.hpp"
#include "recsys/prepare/interactions.hpp"

namespace polder::recsys {

/// Features, one row for each item, and how many items had none and so have the mean of the others.
struct PreparedFeatures {
    FeatureMatrix matrix;
    std::size_t n_missing = 0;
};

/// Reads the vectors of items. `file` is
///
/// - a table (CSV, TSV) with the id in the column that has the name of an item's, else in the first, and numbers in all
///   others, with a header or without; of a second row for an item the first counts;
/// - or *.npy, whose row k belongs to the id on line k (from 0) of `ids`; without `ids` (empty) the ids are whole numbers,
///   and row k belongs to the id k.
///
/// Throws std::runtime_error that names file and line, also where no item has a row.
PreparedFeatures read_item_features(std::string const& file, std::string const& ids,
                                    Ids const& items);

/// A table of items: titles, and texts of which features are made.
struct ItemTexts {
    std::vector<std::string> titles, texts;  ///< one for each item, or none
    std::size_t n_found = 0;                 ///< items that have a row
};

/// Reads a table of items (CSV, TSV, JSON lines). `choice.item` is the column of the ids where it is not recognised. `title`:
/// the column of titles, or empty. `text`: columns whose texts are joined with blanks. Of several rows of an item the least
/// text counts, so that their order does not show. Throws std::runtime_error.
ItemTexts read_item_texts(std::string const& file, TableChoice const& choice,
                          std::string const& title, std::vector<std::string> const& text,
                          Ids const& items);

/// Features of texts: tf-idf, reduced by a truncated singular value decomposition (latent semantic analysis: Deerwester et
/// al., 1990). With n texts, words w of at least two letters or digits, tf the number of times that w is in a text and df the
/// number of texts that have it,
///
///     A = rows of (1 + log tf) (1 + log((1 + n) / (1 + df))), each of length 1
///     A ~ U S V^T with `size` singular values, features = U S
///
/// for the `most_words` words that most texts have, of those in two texts at least. The decomposition is that of Halko,
/// Martinsson and Tropp (2011), with 4 iterations and a fixed seed. `size` is lowered to the rank where that is less. An
/// empty text has the mean of the others. Throws std::runtime_error where no word is in two texts.
PreparedFeatures text_features(std::vector<std::string> const& texts, std::size_t size,
                               std::size_t most_words = 20'000);

}  // namespace polder::recsys
