/// Information of items that is adjusted: features of a share of the items replaced by others, as if a language model had
/// rewritten texts and images.
///
/// BSAM (Xu et al., TKDE 2025) replaces texts by captions of the images and puts summaries of the texts into images; MG
/// (Zhong et al., WWW 2024) inserts captions into texts. This is the simulation of that in features:
///
///     swap      t_i' = t_j, j one of the 10 items nearest to i by the cosine of their images;
///               v_i' = v_j, j one of the 10 nearest by the cosine of their texts (equal features left out)
///     predict   t_i' = t^_i, predicted from the image and rescaled to |t_i|;
///               v_i' = .7 v_i + .3 v^_i, negative values set to 0 where no image has any
///     insert    t_i' = |t_i| unit(.7 t_i / |t_i| + .3 t^_i / |t^_i|), images stay
///     random    t_i' = t_j, v_i' = v_j, j any other item: an upper bound
///
/// The prediction is a ridge regression on the n items without any adjustment. X: the features of the other modality, their
/// columns standardised and projected on 256 leading principal components of all items (all columns where they are no
/// more), minus their mean over the n items; T: the features to predict.
///
///     W = (X^T X + n mu I)^-1 X^T (T - mean T),  mu = 0.01,    t^_i = mean T + x_i W
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <Eigen/Core>

#include "recsys/data/dataset.hpp"

namespace polder::recsys {

/// How features are adjusted.
enum class Adjustment { swap, predict, insert, random };

inline constexpr std::array<std::string_view, 4> adjustment_names{"swap", "predict", "insert",
                                                                  "random"};

/// The adjustment of a name. Throws std::invalid_argument with the nearest and all known names.
Adjustment find_adjustment(std::string_view name);

/// Adjusts the features of one data set. Donors and predictions come from the features as they are.
class FeatureAdjuster {
public:
    /// `data` must outlive this.
    explicit FeatureAdjuster(Dataset const& data);

    /// Why this adjustment cannot be made of the data: a modality that it needs is missing. Empty where it can.
    std::string missing_for(Adjustment adjustment) const;

    /// Which items a draw adjusts: one draw for the text and one for the image of each item, in ascending order. They
    /// depend on seed and repeat alone; items of a smaller share are among those of a larger one.
    struct Chosen {
        std::vector<bool> texts, images;
    };
    Chosen choose(Adjustment adjustment, double share, std::uint64_t seed, int repeat) const;

    /// The data with adjusted features. Throws std::invalid_argument unless 0 <= share <= 1 and nothing is missing.
    Dataset adjust(Adjustment adjustment, double share, std::uint64_t seed, int repeat);

    /// The data with features of all items mixed with what the other modality predicts of them, the prediction being learned
    /// from all items: t_i' = |t_i| unit((1 - weight) t_i / |t_i| + weight t^_i / |t^_i|), and the same of images if
    /// `with_images`, negative values set to 0 where no image has any. Throws std::invalid_argument unless
    /// 0 <= weight <= 1 and there are both modalities.
    Dataset mixed(double weight, bool with_images);

    /// The at most 10 items with the highest cosine to the features of `item`, of equal ones the lower item first; neither
    /// the item itself nor items with the same features.
    std::vector<std::int32_t> const& nearest(bool by_image, std::int32_t item);

private:
    using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

    FeatureMatrix const& features(bool is_image) const {
        return is_image ? data_.visual : data_.textual;
    }
    Eigen::MatrixXd const& components(bool of_image);
    Eigen::MatrixXd predicted(bool is_image, Chosen const& chosen);
    Dataset unadjusted() const;

    Dataset const& data_;
    // By modality, texts first. What is not needed is not made.
    std::array<Matrix, 2> unit_rows_;
    std::array<std::map<std::int32_t, std::vector<std::int32_t>>, 2> nearest_;
    std::array<std::optional<Eigen::MatrixXd>, 2> components_;
};

}  // namespace polder::recsys
