#include "recsys/app/pictures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include <polder/state/file.hpp>

#include "recsys/app/table.hpp"
#include "recsys/evaluation/significance.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

struct Style {
    std::string_view colour;
    int dashes, marker;
};
// Black for the base; of Okabe and Ito's colours all but yellow, which is weak on white.
constexpr std::array<Style, n_styles> styles{{{"#000000", 2, 4},
                                              {"#0072B2", 1, 7},
                                              {"#D55E00", 1, 9},
                                              {"#009E73", 4, 5},
                                              {"#CC79A7", 1, 11},
                                              {"#E69F00", 5, 13},
                                              {"#56B4E9", 3, 6}}};

// A text of gnuplot. Nothing is replaced between single quotes, and a quote is written twice.
std::string in_quotes(std::string_view text) {
    std::string result = "'";
    for (char const c : text) {
        if (static_cast<unsigned char>(c) < ' ') continue;
        result.append(c == '\'' ? 2 : 1, c);
    }
    return result + "'";
}

// Viridis, of which eleven colours are enough to go on from in a straight line.
std::array<int, 3> viridis(double share) {
    static constexpr int points[][3] = {{68, 1, 84},    {72, 36, 117},  {65, 68, 135},
                                        {53, 95, 141},  {42, 120, 142}, {33, 145, 140},
                                        {34, 168, 132}, {68, 191, 112}, {122, 209, 81},
                                        {189, 223, 38}, {253, 231, 37}};
    double const place = std::clamp(share, 0.0, 1.0) * (std::size(points) - 1);
    auto const k = std::min(static_cast<std::size_t>(place), std::size(points) - 2);
    std::array<int, 3> colour{};
    for (std::size_t c = 0; c < 3; ++c)
        colour[c] = static_cast<int>(std::lround(
            points[k][c] + (place - static_cast<double>(k)) * (points[k + 1][c] - points[k][c])));
    return colour;
}

constexpr std::string_view begin = "reset\nset border 3 lc rgb '#444444'\nset tics out scale 0.5 "
                                   "nomirror textcolor rgb '#222222'\n"
                                   "set xlabel offset 0, 0.5\nset key off\n"
                                   "set grid lc rgb '#dddddd' lt 1\nset bars 0.6\n";

}  // namespace

Picture line_picture(std::vector<Panel> const& panels, std::string const& y_label) {
    Picture picture;
    auto const n = std::max<std::size_t>(panels.size(), 1);
    std::size_t longest = 0;
    for (auto const& line : panels.front().lines)
        longest = std::max(longest, detail::width(line.name));
    picture.width = n == 1 ? 620 : static_cast<int>(360 * n);
    auto const key_columns =
        std::clamp<std::size_t>(static_cast<std::size_t>(picture.width) / (70 + 8 * longest), 1, 4);
    auto const key_rows = (panels.front().lines.size() + key_columns - 1) / key_columns;
    double const below = 70.0 + 20.0 * static_cast<double>(key_rows);
    picture.height = static_cast<int>(260 + below);

    double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
    for (auto const& panel : panels)
        for (auto const& line : panel.lines)
            for (auto const& point : line.points) {
                lowest = std::min(lowest, point.second);
                highest = std::max(highest, point.second);
            }
    double const margin = highest > lowest ? 0.05 * (highest - lowest) : 1;
    auto& text = picture.commands;
    text += begin;
    text += fmt::format("set multiplot\nset yrange [{}:{}]\nset tmargin at screen 0.96\n"
                        "set bmargin at screen {:.4f}\nset samples 2\n",
                        lowest - margin, highest + margin, below / picture.height);
    double const left = 92.0 / picture.width, between = 26.0 / picture.width;
    double const width = (1 - left - between * static_cast<double>(n)) / static_cast<double>(n);
    // The key: gnuplot's own leaves out what it has no room for.
    for (std::size_t k = 0; k < panels.front().lines.size() && k < n_styles; ++k) {
        auto const column = k % key_columns, row = k / key_columns;
        double const x = left + static_cast<double>(column) * (1 - left) /
                                    static_cast<double>(key_columns),
                     y = (18.0 + 20.0 * static_cast<double>(key_rows - 1 - row)) / picture.height;
        double const length = 34.0 / picture.width;
        auto const& style = styles[k];
        text += fmt::format(
            "set arrow from screen {:.4f}, screen {:.4f} to screen {:.4f}, screen "
            "{:.4f} nohead lc rgb '{}' dt {} lw 1.8\n"
            "set label '' at screen {:.4f}, screen {:.4f} point pt {} ps 0.6 lc rgb "
            "'{}'\nset label {} at screen {:.4f}, screen {:.4f} left\n",
            x, y, x + length, y, style.colour, style.dashes, x + length / 2, y, style.marker,
            style.colour, in_quotes(panels.front().lines[k].name), x + 1.3 * length, y);
    }
    for (std::size_t p = 0; p < panels.size(); ++p) {
        auto const& panel = panels[p];
        double const from = left + static_cast<double>(p) * (width + between);
        text += fmt::format("set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\n"
                            "set xlabel {}\n{}\n",
                            from, from + width, in_quotes(panel.x_label),
                            panel.is_logarithmic ? "set logscale x" : "unset logscale x");
        text += p == 0 ? fmt::format("set ylabel {}\nset format y\n", in_quotes(y_label))
                       : std::string("unset ylabel\nset format y ''\n");
        std::string plots;
        for (std::size_t k = 0; k < panel.lines.size() && k < n_styles; ++k) {
            auto const block = fmt::format("$panel{}_{}", p, k);
            text += block + " << EOD\n";
            for (auto const& [x, y] : panel.lines[k].points) text += fmt::format("{} {}\n", x, y);
            if (panel.lines[k].points.empty()) text += "NaN NaN\n";
            text += "EOD\n";
            auto const& style = styles[k];
            auto const every = std::max<std::size_t>(panel.lines[k].points.size() / 6, 1);
            plots +=
                fmt::format("{}{} using 1:2 with linespoints lc rgb '{}' dt {} lw 1.8 pt {} ps "
                            "0.6 pi {}",
                            plots.empty() ? "plot " : ", ", block, style.colour, style.dashes,
                            style.marker, every);
        }
        text += plots + "\nunset label\nunset arrow\n";
    }
    text += "unset multiplot\n";
    return picture;
}

Picture spread_picture(std::vector<SpreadRow> const& rows, std::size_t base,
                       std::string const& x_label) {
    Picture picture;
    std::size_t longest = 0;
    for (auto const& row : rows) longest = std::max(longest, detail::width(row.name));
    auto const left = static_cast<int>(24 + 7 * longest);
    picture.width = std::max(760, left + 380);
    picture.height = static_cast<int>(70 + 26 * rows.size());
    auto& text = picture.commands;
    text += begin;
    text +=
        fmt::format("set xlabel {}\nset lmargin at screen {:.4f}\n"
                    "set rmargin at screen 0.97\nset tmargin at screen 0.98\nset yrange [{}:-1]\n"
                    "set offsets graph 0.03, graph 0.03, 0, 0\nset ytics (",
                    in_quotes(x_label), static_cast<double>(left) / picture.width, rows.size());
    std::string tics, values, means;
    for (std::size_t k = 0; k < rows.size(); ++k) {
        tics += fmt::format("{}{} {}", k == 0 ? "" : ", ", in_quotes(rows[k].name), k);
        for (double const value : rows[k].values) values += fmt::format("{} {}\n", value, k);
        auto const s = spread(rows[k].values);
        if (std::isfinite(s.mean))
            means +=
                fmt::format("{} {} {}\n", s.mean, k, std::isfinite(s.deviation) ? s.deviation : 0);
    }
    text += tics + ")\n$values << EOD\n" + (values.empty() ? "NaN NaN\n" : values) +
            "EOD\n$means << EOD\n" + (means.empty() ? "NaN NaN NaN\n" : means) + "EOD\n";
    double const middle = spread(rows[base].values).mean;
    if (std::isfinite(middle))
        text +=
            fmt::format("set arrow 1 from first {0}, graph 0 to first {0}, graph 1 nohead lc rgb "
                        "'#555555' dt 2 back\n",
                        middle);
    text += "plot $values using 1:2 with points pt 6 ps 0.8 lc rgb '#0072B2', "
            "$means using 1:2:3 with xerrorbars pt 7 ps 0.7 lw 1.8 lc rgb '#D55E00'\n";
    return picture;
}

Picture heat_map_picture(HeatMap const& map) {
    Picture picture;
    std::size_t longest = 0, widest = 6;
    for (auto const& name : map.y) longest = std::max(longest, detail::width(name));
    for (auto const& name : map.x) widest = std::max(widest, detail::width(name));
    auto const left = static_cast<int>(62 + 7 * longest), cell = static_cast<int>(20 + 7 * widest);
    picture.width = std::max(420, left + cell * static_cast<int>(map.x.size()) + 24);
    picture.height = static_cast<int>(96 + 34 * map.y.size());
    double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
    for (auto const& row : map.values)
        for (double const value : row)
            if (std::isfinite(value)) {
                lowest = std::min(lowest, value);
                highest = std::max(highest, value);
            }
    auto& text = picture.commands;
    text += begin;
    text += fmt::format(
        "unset grid\nunset border\nset tics scale 0\nset title {}\n"
        "set xlabel {}\nset ylabel {}\nset lmargin at screen {:.4f}\n"
        "set rmargin at screen 0.97\nset bmargin at screen {:.4f}\n"
        "set tmargin at screen {:.4f}\nset xrange [-0.5:{}]\nset yrange [{}:-0.5]\n",
        in_quotes(map.value_label), in_quotes(map.x_label), in_quotes(map.y_label),
        static_cast<double>(left) / picture.width, 56.0 / picture.height, 1 - 34.0 / picture.height,
        static_cast<double>(map.x.size()) - 0.5, static_cast<double>(map.y.size()) - 0.5);
    auto const tics = [&](char axis, std::vector<std::string> const& names) {
        text += fmt::format("set {}tics (", axis);
        for (std::size_t k = 0; k < names.size(); ++k)
            text += fmt::format("{}{} {}", k == 0 ? "" : ", ", in_quotes(names[k]), k);
        text += ")\n";
    };
    tics('x', map.x);
    tics('y', map.y);
    int number = 0;
    for (std::size_t j = 0; j < map.y.size(); ++j)
        for (std::size_t i = 0; i < map.x.size(); ++i) {
            double const value = map.values[j][i];
            bool const is_there = std::isfinite(value);
            auto const colour =
                viridis(highest > lowest ? (value - lowest) / (highest - lowest) : 1);
            bool const is_light = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2] > 128;
            bool const is_best = is_there && value == highest;
            ++number;
            text += fmt::format(
                "set object {} rect center {}, {} size {}, {} fc rgb '{}' fs solid border lc rgb "
                "'{}' lw {}\n",
                number, i, j, is_best ? 0.93 : 0.96, is_best ? 0.88 : 0.94,
                is_there ? fmt::format("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2])
                         : "#eeeeee",
                is_best ? "#D55E00" : "#ffffff", is_best ? 3 : 1);
            text += fmt::format("set label {} {} at {}, {} center front tc rgb '{}'\n", number,
                                in_quotes(is_there ? fmt::format("{:.4f}", value) : "-"), i, j,
                                is_there && !is_light ? "#ffffff" : "#111111");
        }
    text += "plot NaN\n";
    return picture;
}

Drawn draw_svgs(std::vector<Picture> const& pictures) {
    if (pictures.empty()) return {};
    auto name = (fs::temp_directory_path() / "polder-recsys-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
        throw std::runtime_error(name + ": cannot be made, and pictures are drawn there");
    fs::path const folder = name;
    std::string script = "set encoding utf8\n";
    for (std::size_t k = 0; k < pictures.size(); ++k)
        script +=
            fmt::format("set terminal svg size {}, {} dynamic noenhanced font 'sans-serif,13' "
                        "background '#ffffff' name 'picture{}'\nset output '{}.svg'\n{}"
                        "unset output\n",
                        pictures[k].width, pictures[k].height, k, k, pictures[k].commands);
    Drawn drawn;
    try {
        write_text_file(folder / "pictures.gp", script);
        drawn.outcome = draw(folder, "pictures.gp");
        for (std::size_t k = 0; k < pictures.size() && drawn.outcome == Drawing::done; ++k) {
            std::ifstream stream(folder / fmt::format("{}.svg", k), std::ios::binary);
            drawn.svgs.emplace_back(std::istreambuf_iterator<char>(stream),
                                    std::istreambuf_iterator<char>());
            if (drawn.svgs.back().find("</svg>") == std::string::npos)
                drawn.outcome = Drawing::failed;
        }
    } catch (...) {
        std::error_code ignored;
        fs::remove_all(folder, ignored);
        throw;
    }
    if (drawn.outcome != Drawing::done) drawn.svgs.clear();
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    return drawn;
}

}  // namespace polder::recsys::app
