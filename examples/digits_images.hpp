/// Images of hand-written digits, drawn by the program itself or read from a file.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <Eigen/Dense>

constexpr int side = 8;  // pixels in a row of an image, and rows
constexpr int classes = 10;

/// Images and what they show.
struct Images {
    Eigen::MatrixXf pixels;   // (64, count): one image per column, row by row; 0 is paper, 1 is ink
    std::vector<int> labels;  // (count): 0 to 9

    Eigen::Index count() const { return pixels.cols(); }
};

/// The images whose numbers are in `which`, in that order.
inline Images select(Images const& images, std::vector<int> const& which) {
    Images selected{{side * side, static_cast<Eigen::Index>(which.size())}, {}};
    for (int const image : which) {
        selected.pixels.col(static_cast<Eigen::Index>(selected.labels.size())) =
            images.pixels.col(image);
        selected.labels.push_back(images.labels[static_cast<std::size_t>(image)]);
    }
    return selected;
}

/// How each digit is written: the corners that the pen passes, as pairs of a column 0 to 4 and a row 0 to 6.
constexpr std::array<std::string_view, classes> strokes{
    "30 10 01 05 16 36 45 41 30",              // 0
    "02 20 26",                                // 1
    "01 10 30 41 42 06 46",                    // 2
    "01 10 30 41 42 23 44 45 36 16 05",        // 3
    "36 30 04 44",                             // 4
    "40 00 03 33 44 45 36 16 05",              // 5
    "30 10 02 05 16 36 45 44 33 13 04",        // 6
    "00 40 16",                                // 7
    "30 10 01 02 44 45 36 16 05 04 42 41 30",  // 8
    "42 33 13 02 01 10 30 41 42 36"};          // 9

/// Draws `count` images. Every hand is different: the corners are moved, the digit is slanted, stretched and
/// shifted, the pen is thin or thick, and every pixel is disturbed.
inline Images draw_digits(int count, unsigned seed) {
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> any_digit(0, classes - 1);
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> stretch(0.8f, 1.2f), pen(0.3f, 0.9f);

    Images images{Eigen::MatrixXf(side * side, count), {}};
    for (int image = 0; image < count; ++image) {
        int const digit = any_digit(random);
        images.labels.push_back(digit);

        float const slant = 0.25f * normal(random);
        Eigen::Vector2f const size(stretch(random), stretch(random));
        Eigen::Vector2f const middle(3.5f + 0.3f * normal(random), 3.5f + 0.3f * normal(random));
        std::vector<Eigen::Vector2f> corners;
        std::istringstream words{std::string(strokes[static_cast<std::size_t>(digit)])};
        for (std::string word; words >> word;) {
            float const x = static_cast<float>(word[0] - '2') + 0.15f * normal(random);
            float const y = static_cast<float>(word[1] - '3') + 0.15f * normal(random);
            corners.push_back(middle + size.cwiseProduct(Eigen::Vector2f(x - slant * y, y)));
        }

        float const width = pen(random);
        for (int pixel = 0; pixel < side * side; ++pixel) {
            Eigen::Vector2f const at(static_cast<float>(pixel % side),
                                     static_cast<float>(pixel / side));
            float distance = side;  // from the nearest line between two corners
            for (std::size_t k = 0; k + 1 < corners.size(); ++k) {
                Eigen::Vector2f const line = corners[k + 1] - corners[k], from = at - corners[k];
                float const along = std::clamp(from.dot(line) / line.squaredNorm(), 0.0f, 1.0f);
                distance = std::min(distance, (from - along * line).norm());
            }
            float const ink = std::clamp(width + 0.5f - distance, 0.0f, 1.0f);
            images.pixels(pixel, image) = std::clamp(ink + 0.1f * normal(random), 0.0f, 1.0f);
        }
    }
    return images;
}

/// Reads images from a file with one per line: 64 pixels from 0 (paper) to 16 (ink) and the digit, with commas
/// between them, as scikit-learn's load_digits has them. Throws std::runtime_error that names file, line and what
/// was expected there.
inline Images read_digits(std::string const& file) {
    std::ifstream stream(file);
    if (!stream) throw std::runtime_error(file + ": cannot be read");
    auto const refuse = [&](std::size_t line, std::string const& what) {
        throw std::runtime_error(file + ":" + std::to_string(line) + ": " + what +
                                 "; expected 64 pixels from 0 to 16 and a digit from 0 to 9, with "
                                 "commas between them");
    };
    std::vector<float> pixels;
    Images images;
    std::string line;
    for (std::size_t number = 1; std::getline(stream, line); ++number) {
        std::istringstream values(line);
        std::vector<float> row;
        std::string word;
        while (std::getline(values, word, ',')) {
            std::istringstream text(word);
            float value = 0;
            if (!(text >> value) || !(text >> std::ws).eof())
                refuse(number, "'" + word + "' is no number");
            float const largest = row.size() < side * side ? 16 : classes - 1;
            if (!(value >= 0 && value <= largest)) refuse(number, word + " is out of range");
            row.push_back(value);
        }
        if (row.size() != side * side + 1)
            refuse(number, "there are " + std::to_string(row.size()) + " values");
        if (row.back() != std::floor(row.back())) refuse(number, word + " is no digit");
        images.labels.push_back(static_cast<int>(row.back()));
        pixels.insert(pixels.end(), row.begin(), row.end() - 1);
    }
    if (images.labels.size() < 100)
        throw std::runtime_error(file + ": there are " + std::to_string(images.labels.size()) +
                                 " images; expected 100 or more");
    images.pixels = Eigen::Map<Eigen::MatrixXf>(pixels.data(), side * side,
                                                static_cast<Eigen::Index>(images.labels.size())) /
                    16;
    return images;
}

/// Three parts of the images, in a random order that is always the same: a half to learn from, a sixth to choose
/// hyper-parameters on, and a third to test on.
struct Parts {
    Images learnt, validation, test;
};
inline Parts split(Images const& images) {
    std::vector<int> order(static_cast<std::size_t>(images.count()));
    std::iota(order.begin(), order.end(), 0);
    std::mt19937 random(1);
    std::shuffle(order.begin(), order.end(), random);
    auto const half = order.begin() + images.count() / 2;
    auto const two_thirds = half + images.count() / 6;
    return {select(images, {order.begin(), half}), select(images, {half, two_thirds}),
            select(images, {two_thirds, order.end()})};
}
