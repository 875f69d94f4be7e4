#include "recsys/robustness/adjustment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>

#include "recsys/names.hpp"
#include "recsys/random.hpp"

namespace polder::recsys {

namespace {

using Eigen::Index;

constexpr std::size_t n_donors = 10;
constexpr Index n_components = 256;
constexpr double mu = 1e-2;

Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> const>
map(FeatureMatrix const& f) {
    return {f.values.data(), static_cast<Index>(f.rows), static_cast<Index>(f.columns)};
}

void set_row(FeatureMatrix& features, std::size_t item, Eigen::RowVectorXd const& row) {
    for (std::size_t k = 0; k < features.columns; ++k)
        features.values[item * features.columns + k] =
            static_cast<float>(row(static_cast<Index>(k)));
}

// Orthonormal columns that span the leading principal components of the columns of x, by subspace iteration.
Eigen::MatrixXd leading_subspace(Eigen::MatrixXd const& x, Index n) {
    Random random(0, "subspace iteration");
    Index const width = std::min(n + 32, std::min(x.rows(), x.cols()));
    Eigen::MatrixXd q(x.cols(), width);
    for (Index j = 0; j < width; ++j)
        for (Index i = 0; i < x.cols(); ++i) q(i, j) = random.normal();
    for (int iteration = 0; iteration < 12; ++iteration) {
        Eigen::MatrixXd const y = x.transpose() * (x * q);
        q = Eigen::HouseholderQR<Eigen::MatrixXd>(y).householderQ() *
            Eigen::MatrixXd::Identity(x.cols(), width);
    }
    // Within the subspace the components are those of a small problem.
    Eigen::MatrixXd const small = x * q;
    Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> const solver(small.transpose() * small);
    return q * solver.eigenvectors().rightCols(std::min(n, width));
}

// |own| unit((1 - weight) own / |own| + weight predicted / |predicted|).
Eigen::RowVectorXd mixed_row(Eigen::RowVectorXd const& own, Eigen::RowVectorXd const& predicted,
                             double weight) {
    return own.norm() *
           ((1 - weight) * own.normalized() + weight * predicted.normalized()).normalized();
}

}  // namespace

Adjustment find_adjustment(std::string_view name) {
    for (std::size_t k = 0; k < adjustment_names.size(); ++k)
        if (adjustment_names[k] == name) return static_cast<Adjustment>(k);
    refuse_name("adjustment", name,
                std::vector<std::string>(adjustment_names.begin(), adjustment_names.end()));
}

FeatureAdjuster::FeatureAdjuster(Dataset const& data) : data_(data) {}

std::string FeatureAdjuster::missing_for(Adjustment adjustment) const {
    bool const needs_both = adjustment != Adjustment::random;
    if (data_.visual.empty() && data_.textual.empty()) return "the data has no features";
    if (!needs_both) return {};
    if (data_.visual.empty()) return "the data has no visual features";
    if (data_.textual.empty()) return "the data has no textual features";
    return {};
}

FeatureAdjuster::Chosen FeatureAdjuster::choose(Adjustment adjustment, double share,
                                                std::uint64_t seed, int repeat) const {
    Random random(seed, "adjusted items", repeat);
    auto const n = static_cast<std::size_t>(data_.n_items);
    Chosen chosen{std::vector<bool>(n), std::vector<bool>(n)};
    for (std::size_t item = 0; item < n; ++item) {
        bool const text = random.uniform() < share, image = random.uniform() < share;
        chosen.texts[item] = text && !data_.textual.empty();
        chosen.images[item] = image && !data_.visual.empty() && adjustment != Adjustment::insert;
    }
    return chosen;
}

std::vector<std::int32_t> const& FeatureAdjuster::nearest(bool by_image, std::int32_t item) {
    auto& known = nearest_[by_image];
    if (auto const found = known.find(item); found != known.end()) return found->second;
    auto const all = map(features(by_image));
    auto& unit = unit_rows_[by_image];
    if (unit.size() == 0) {
        unit = all;
        for (Index i = 0; i < unit.rows(); ++i)
            if (auto const norm = unit.row(i).norm(); norm > 0) unit.row(i) /= norm;
    }
    Eigen::VectorXf const cosines = unit * unit.row(item).transpose();
    std::vector<std::int32_t> others;
    for (Index i = 0; i < unit.rows(); ++i)
        if (i != item && all.row(i) != all.row(item))
            others.push_back(static_cast<std::int32_t>(i));
    auto const end =
        others.begin() + static_cast<std::ptrdiff_t>(std::min(n_donors, others.size()));
    std::partial_sort(others.begin(), end, others.end(), [&](std::int32_t a, std::int32_t b) {
        return cosines(a) > cosines(b) || (cosines(a) == cosines(b) && a < b);
    });
    others.erase(end, others.end());
    return known.emplace(item, std::move(others)).first->second;
}

// X of the modality that predictions are made from.
Eigen::MatrixXd const& FeatureAdjuster::components(bool of_image) {
    auto& x = components_[of_image];
    if (x) return *x;
    x = map(features(of_image)).cast<double>();
    x->rowwise() -= x->colwise().mean().eval();
    for (Index j = 0; j < x->cols(); ++j) {
        double const deviation =
            std::sqrt(x->col(j).squaredNorm() / static_cast<double>(x->rows()));
        if (deviation > 0) x->col(j) /= deviation;
    }
    if (x->cols() > n_components) x = (*x * leading_subspace(*x, n_components)).eval();
    return *x;
}

// Rows for all items, each rescaled to the norm of the item's own features.
Eigen::MatrixXd FeatureAdjuster::predicted(bool is_image, Chosen const& chosen) {
    Eigen::MatrixXd x = components(!is_image);
    Eigen::MatrixXd const t = map(features(is_image)).cast<double>();
    std::vector<Index> fitted;
    for (Index i = 0; i < x.rows(); ++i)
        if (auto const k = static_cast<std::size_t>(i); !chosen.texts[k] && !chosen.images[k])
            fitted.push_back(i);
    if (fitted.empty())
        throw std::invalid_argument(
            "adjusted information: every item is adjusted, and there is none to learn the "
            "prediction from; expected a smaller share");
    x.rowwise() -= x(fitted, Eigen::all).colwise().mean().eval();
    Eigen::MatrixXd const x_fitted = x(fitted, Eigen::all);
    Eigen::MatrixXd t_fitted = t(fitted, Eigen::all);
    Eigen::RowVectorXd const mean = t_fitted.colwise().mean();
    t_fitted.rowwise() -= mean;
    Eigen::MatrixXd a = x_fitted.transpose() * x_fitted;
    a.diagonal().array() += static_cast<double>(fitted.size()) * mu;
    Eigen::MatrixXd const w = a.llt().solve(x_fitted.transpose() * t_fitted);
    Eigen::MatrixXd result = x * w;
    result.rowwise() += mean;
    for (Index i = 0; i < result.rows(); ++i)
        if (double const norm = result.row(i).norm(); norm > 0)
            result.row(i) *= t.row(i).norm() / norm;
    return result;
}

// To be adjusted: without caches and values of files that would not be those of its features.
Dataset FeatureAdjuster::unadjusted() const {
    auto result = data_;
    result.cache_folder.clear();
    result.visual.exact.clear();
    result.textual.exact.clear();
    return result;
}

Dataset FeatureAdjuster::mixed(double weight, bool with_images) {
    if (!(weight >= 0 && weight <= 1))
        throw std::invalid_argument("mixed features: weight = " + std::to_string(weight) +
                                    ", expected 0 to 1");
    if (auto const missing = missing_for(Adjustment::insert); !missing.empty())
        throw std::invalid_argument("mixed features: " + missing);
    std::vector<bool> const none(static_cast<std::size_t>(data_.n_items));
    auto result = unadjusted();
    for (bool const is_image : {false, true}) {
        if (is_image && !with_images) continue;
        auto const from = map(features(is_image));
        auto& to = is_image ? result.visual : result.textual;
        auto const prediction = predicted(is_image, {none, none});
        bool const is_nonnegative = from.minCoeff() >= 0;
        for (std::size_t item = 0; item < none.size(); ++item) {
            auto const i = static_cast<Index>(item);
            Eigen::RowVectorXd row =
                mixed_row(from.row(i).cast<double>(), prediction.row(i), weight);
            if (is_image && is_nonnegative) row = row.cwiseMax(0.0);
            set_row(to, item, row);
        }
    }
    return result;
}

Dataset FeatureAdjuster::adjust(Adjustment adjustment, double share, std::uint64_t seed,
                                int repeat) {
    if (!(share >= 0 && share <= 1))
        throw std::invalid_argument("adjusted information: share = " + std::to_string(share) +
                                    ", expected 0 to 1");
    if (auto const missing = missing_for(adjustment); !missing.empty())
        throw std::invalid_argument("adjusted information: " + missing);
    auto const chosen = choose(adjustment, share, seed, repeat);
    auto result = unadjusted();

    for (bool const is_image : {false, true}) {
        auto const& which = is_image ? chosen.images : chosen.texts;
        if (std::find(which.begin(), which.end(), true) == which.end()) continue;
        auto const from = map(features(is_image));
        auto& to = is_image ? result.visual : result.textual;
        Eigen::MatrixXd prediction;
        if (adjustment == Adjustment::predict || adjustment == Adjustment::insert)
            prediction = predicted(is_image, chosen);
        bool const is_nonnegative = from.minCoeff() >= 0;
        for (std::size_t item = 0; item < which.size(); ++item) {
            if (!which[item]) continue;
            auto const i = static_cast<Index>(item);
            Eigen::RowVectorXd const own = from.row(i).cast<double>();
            Random random(seed, "donors", repeat, item, int{is_image});
            switch (adjustment) {
            case Adjustment::swap: {
                auto const& donors = nearest(!is_image, static_cast<std::int32_t>(item));
                if (!donors.empty())
                    set_row(to, item,
                            from.row(donors[random.uniform_index(donors.size())]).cast<double>());
                break;
            }
            case Adjustment::random: {
                auto donor = static_cast<Index>(random.uniform_index(which.size() - 1));
                if (donor >= i) ++donor;
                set_row(to, item, from.row(donor).cast<double>());
                break;
            }
            case Adjustment::predict: {
                Eigen::RowVectorXd row = prediction.row(i);
                if (is_image) row = 0.7 * own + 0.3 * row;
                if (is_image && is_nonnegative) row = row.cwiseMax(0.0);
                set_row(to, item, row);
                break;
            }
            case Adjustment::insert: {
                set_row(to, item, mixed_row(own, prediction.row(i), 0.3));
                break;
            }
            }
        }
    }
    return result;
}

}  // namespace polder::recsys
