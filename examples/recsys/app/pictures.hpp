/// Pictures of results as SVG, by gnuplot: on white, with dark text, in the colours of Okabe and Ito (2008), which
/// differ for the colour-blind, and lines that differ by dashes and markers too.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "recsys/app/gnuplot.hpp"

namespace polder::recsys::app {

/// A picture as commands of gnuplot that draw it to whatever is the output.
struct Picture {
    int width = 0, height = 0;  ///< in pixels, for its ratio: pictures scale
    std::string commands;
};

/// How many lines a picture can tell apart.
inline constexpr std::size_t n_styles = 7;

/// A line: points from left to right.
struct Line {
    std::string name;
    std::vector<std::pair<double, double>> points;
};

/// Lines over an axis. The first line of each panel is the base, black and dashed; at most n_styles.
struct Panel {
    std::string x_label;
    std::vector<Line> lines;
    bool is_logarithmic = false;  ///< the axis x
};

/// Panels side by side over one y axis, with one key below them, of the names in the first.
Picture line_picture(std::vector<Panel> const& panels, std::string const& y_label);

/// The values of a row over seeds, and what is said of them.
struct SpreadRow {
    std::string name;
    std::vector<double> values;
};

/// A row below the other: every value as a circle, mean and standard deviation as a bar. A dashed line goes through the
/// mean of row `base`.
Picture spread_picture(std::vector<SpreadRow> const& rows, std::size_t base,
                       std::string const& x_label);

/// A value for every pair of one of `x` and one of `y`; NaN where there is none.
struct HeatMap {
    std::string x_label, y_label, value_label;
    std::vector<std::string> x, y;
    std::vector<std::vector<double>> values;  ///< by y, then x
};

/// Cells in colours from dark (low) to light (high), each with its value; the highest has a frame.
Picture heat_map_picture(HeatMap const& map);

/// SVG files of pictures, in their order.
struct Drawn {
    Drawing outcome = Drawing::done;
    std::vector<std::string> svgs;  ///< as many as pictures where it is done, else none
};

/// Draws in a folder that is removed again. Throws std::runtime_error where there is no place for one.
Drawn draw_svgs(std::vector<Picture> const& pictures);

}  // namespace polder::recsys::app
