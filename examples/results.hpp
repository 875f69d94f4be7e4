/// What the examples leave behind: tables as CSV and, where gnuplot is found, pictures of them.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>

/// Throws std::runtime_error where `file` exists and `mark` is not in its first thousand bytes: then somebody else
/// wrote it, and it must stay as it is.
inline void require_own(std::filesystem::path const& file, std::string_view mark) {
    if (!std::filesystem::exists(file)) return;
    std::ifstream stream(file, std::ios::binary);
    std::string begin(1000, '\0');
    stream.read(begin.data(), static_cast<std::streamsize>(begin.size()));
    if (begin.find(mark) == std::string::npos)
        throw std::runtime_error(
            file.string() + ": was not written by this program, and is left as it is; expected "
                            "another folder");
}

/// A line of a table: the values with commas between them.
inline std::string csv_line(std::initializer_list<double> values) {
    std::string line;
    for (double const value : values) {
        char text[32];
        std::snprintf(text, sizeof text, "%s%.8g", line.empty() ? "" : ",", value);
        line += text;
    }
    return line + '\n';
}

/// Makes `folder`, where it is missing, and writes a table into it. The file appears as a whole or not at all.
/// header: the names of the columns, the first line of the file. Throws std::runtime_error.
inline void write_table(std::filesystem::path const& folder, std::string const& name,
                        std::string const& header, std::string const& lines) {
    std::filesystem::create_directories(folder);
    std::filesystem::path const file = folder / name, unfinished = folder / (name + ".unfinished");
    require_own(file, header);
    std::ofstream stream(unfinished);
    stream << header << '\n' << lines;
    stream.close();
    if (!stream) throw std::runtime_error(unfinished.string() + ": cannot be written");
    std::filesystem::rename(unfinished, file);
    std::printf("%s\n", file.string().c_str());
}

/// Runs NAME.gp of the examples' folder `scripts` with gnuplot, which makes folder/NAME.svg from the tables in
/// `folder`: the script finds the tables in the working folder, and the name of the picture in the variable `picture`. Says so where there is no gnuplot. Throws std::runtime_error where the script fails.
inline void draw_picture(std::filesystem::path const& folder, std::filesystem::path const& scripts,
                         std::string const& name) {
    if (std::system("gnuplot --version >/dev/null 2>&1") != 0) {
        std::puts("no picture: gnuplot is not found");
        return;
    }
    std::filesystem::path const picture = folder / (name + ".svg");
    require_own(picture, "Produced by GNUPLOT");
    std::filesystem::path const script = std::filesystem::absolute(scripts) / (name + ".gp");
    std::filesystem::path const before = std::filesystem::current_path();
    std::filesystem::current_path(folder);
    int const status = std::system(
        ("gnuplot -e \"picture='" + name + ".svg.unfinished'\" \"" + script.string() + "\"")
            .c_str());
    std::filesystem::current_path(before);
    if (status != 0) throw std::runtime_error(script.string() + ": gnuplot could not draw this");
    std::filesystem::rename(picture.string() + ".unfinished", picture);
    std::printf("%s\n", picture.string().c_str());
}
