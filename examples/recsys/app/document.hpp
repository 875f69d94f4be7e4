/// A document of headings, words, tables and pictures, and what it is in HTML, Markdown and LaTeX.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recsys/app/table.hpp"

namespace polder::recsys::app {

/// A table with what stands out in it.
struct MarkedTable {
    std::string name;  ///< of its file: "results-recall@20"
    std::string title;
    Table table;
    std::set<std::pair<std::size_t, std::size_t>>
        best;                           ///< (row, column), the best of their column
    std::set<std::size_t> significant;  ///< rows
    Table details{};  ///< the same in full precision, for CSV; without a header: the table itself
};

/// A part of a document.
struct Block {
    enum class Kind { section, subsection, paragraph, summary, table, svg, image, listing };
    Kind kind{};
    std::string title;  ///< of sections, pictures, listings
    std::string text;   ///< words, or the lines of a listing; of pictures SVG
    MarkedTable table{};
    int width = 0;                     ///< of pictures, in pixels: at most
    std::vector<std::string> lines{};  ///< of a summary
};

/// A title and what follows. Everything in it is text: what is special in a format is escaped.
struct Document {
    std::string title, subtitle;
    std::vector<Block> blocks;

    void section(std::string text) {
        blocks.push_back({Block::Kind::section, std::move(text), {}});
    }
    void subsection(std::string text) {
        blocks.push_back({Block::Kind::subsection, std::move(text), {}});
    }
    void paragraph(std::string text) {
        blocks.push_back({Block::Kind::paragraph, {}, std::move(text)});
    }
    void summary(std::vector<std::string> lines) {
        Block block{Block::Kind::summary, {}, {}};
        block.lines = std::move(lines);
        blocks.push_back(std::move(block));
    }
    void table(MarkedTable table) {
        Block block{Block::Kind::table, {}, {}};
        block.table = std::move(table);
        blocks.push_back(std::move(block));
    }
    /// A picture of draw_svgs, which becomes part of the page.
    void svg(std::string caption, std::string drawn, int width) {
        Block block{Block::Kind::svg, std::move(caption), std::move(drawn)};
        block.width = width;
        blocks.push_back(std::move(block));
    }
    /// An SVG file of somebody: shown as an image, in which no script runs.
    void image(std::string caption, std::string file) {
        blocks.push_back({Block::Kind::image, std::move(caption), std::move(file)});
    }
    /// Text as it is, folded away until it is asked for.
    void listing(std::string caption, std::string text) {
        blocks.push_back({Block::Kind::listing, std::move(caption), std::move(text)});
    }
};

/// The beginnings of these files, by which a command knows its own.
inline constexpr std::string_view html_begin = "<!DOCTYPE html>\n<!-- polder-recsys report -->\n";
inline constexpr std::string_view markdown_begin = "<!-- polder-recsys report -->\n";
inline constexpr std::string_view latex_begin = "% polder-recsys report\n";

/// One page with everything in it, with a list of contents, for a screen and for print.
std::string html(Document const& document);

/// Headings, words and tables.
std::string markdown(Document const& document);

/// The tables, for the packages booktabs and graphicx: \input{tables.tex}.
std::string latex(Document const& document);

/// The tables as CSV, by their names.
std::vector<std::pair<std::string, std::string>> csv_files(Document const& document);

}  // namespace polder::recsys::app
