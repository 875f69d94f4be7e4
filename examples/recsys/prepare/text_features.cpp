#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SparseCore>

#include "recsys/prepare/features.hpp"
#include "recsys/random.hpp"

namespace polder::recsys {

namespace {

// Calls f(word) for the words of a text in lower case; bytes outside of ASCII are letters.
template <class F>
void for_each_word(std::string_view text, F const& f) {
    std::string word;
    for (std::size_t k = 0; k <= text.size(); ++k) {
        char const c = k < text.size() ? text[k] : ' ';
        if (c >= 'A' && c <= 'Z')
            word += static_cast<char>(c - 'A' + 'a');
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                 static_cast<unsigned char>(c) >= 0x80)
            word += c;
        else if (!word.empty()) {
            if (word.size() > 1) f(word);
            word.clear();
        }
    }
}

}  // namespace

PreparedFeatures text_features(std::vector<std::string> const& texts, std::size_t size,
                               std::size_t most_words) {
    using Sparse = Eigen::SparseMatrix<double, Eigen::RowMajor>;
    using Dense = Eigen::MatrixXd;
    // Words that two texts have, the most frequent first, of equal ones by bytes.
    std::unordered_map<std::string, std::size_t> frequency;
    std::size_t n_texts = 0;
    for (auto const& text : texts) {
        std::map<std::string, int> of_text;
        for_each_word(text, [&](std::string const& word) { of_text[word] = 1; });
        n_texts += of_text.empty() ? 0 : 1;
        for (auto const& each : of_text) ++frequency[each.first];
    }
    std::vector<std::pair<std::string, std::size_t>> words;
    for (auto const& each : frequency)
        if (each.second > 1) words.push_back(each);
    if (words.empty()) throw std::runtime_error("--text: no word is in the texts of two items");
    std::sort(words.begin(), words.end(), [](auto const& a, auto const& b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
    });
    words.resize(std::min(words.size(), most_words));
    std::unordered_map<std::string_view, int> column;
    for (auto const& each : words) column.emplace(each.first, static_cast<int>(column.size()));

    std::vector<bool> is_there(texts.size());
    std::vector<Eigen::Triplet<double>> entries;
    for (std::size_t row = 0; row < texts.size(); ++row) {
        std::map<int, double> counts;
        for_each_word(texts[row], [&](std::string const& word) {
            if (auto const found = column.find(word); found != column.end())
                counts[found->second] += 1;
        });
        is_there[row] = !counts.empty();
        double squares = 0;
        for (auto& each : counts) {
            auto const df = static_cast<double>(words[static_cast<std::size_t>(each.first)].second);
            each.second = (1 + std::log(each.second)) *
                          (1 + std::log((1 + static_cast<double>(n_texts)) / (1 + df)));
            squares += each.second * each.second;
        }
        for (auto const& each : counts)
            entries.emplace_back(static_cast<int>(row), each.first,
                                 each.second / std::sqrt(squares));
    }
    auto const rows = static_cast<Eigen::Index>(texts.size());
    auto const columns = static_cast<Eigen::Index>(words.size());
    Sparse a(rows, columns);
    a.setFromTriplets(entries.begin(), entries.end());

    // The range of A, by a random matrix with ten columns more than wanted, and 4 iterations of A A^T.
    auto const rank = std::min({static_cast<Eigen::Index>(size), rows, columns});
    auto const wide = std::min({rank + 10, rows, columns});
    Random random(1, "text features");
    Dense omega(columns, wide);
    for (Eigen::Index k = 0; k < omega.size(); ++k) omega.data()[k] = random.normal();
    auto const orthogonal = [wide](Dense const& m) -> Dense {
        return Eigen::HouseholderQR<Dense>(m).householderQ() * Dense::Identity(m.rows(), wide);
    };
    Dense q = orthogonal(a * omega);
    for (int iteration = 0; iteration < 4; ++iteration)
        q = orthogonal(a * orthogonal(a.transpose() * q));
    // B = Q^T A has the singular values of A; those of B are from B B^T, in ascending order.
    Dense const b = (a.transpose() * q).transpose();
    Eigen::SelfAdjointEigenSolver<Dense> const solver(b * b.transpose());
    PreparedFeatures result{{texts.size(), static_cast<std::size_t>(rank), {}}, 0};
    result.matrix.values.resize(texts.size() * static_cast<std::size_t>(rank));
    for (Eigen::Index k = 0; k < rank; ++k) {
        auto const source = wide - 1 - k;
        double const value = std::sqrt(std::max(0.0, solver.eigenvalues()(source)));
        Eigen::VectorXd feature = q * solver.eigenvectors().col(source) * value;
        // A sign that does not depend on rounding: the entry of the largest size is positive.
        Eigen::Index largest = 0;
        feature.cwiseAbs().maxCoeff(&largest);
        if (feature(largest) < 0) feature = -feature;
        for (Eigen::Index row = 0; row < rows; ++row)
            result.matrix.values[static_cast<std::size_t>(row * rank + k)] =
                static_cast<float>(feature(row));
    }
    for (std::size_t k = 0; k < result.matrix.columns; ++k) {
        double sum = 0, n = 0;
        for (std::size_t row = 0; row < texts.size(); ++row)
            if (is_there[row]) {
                sum += double{result.matrix.values[row * result.matrix.columns + k]};
                n += 1;
            }
        for (std::size_t row = 0; row < texts.size(); ++row)
            if (!is_there[row])
                result.matrix.values[row * result.matrix.columns + k] = static_cast<float>(sum / n);
    }
    result.n_missing =
        static_cast<std::size_t>(std::count(is_there.begin(), is_there.end(), false));
    return result;
}

}  // namespace polder::recsys
