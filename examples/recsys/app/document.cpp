#include "recsys/app/document.hpp"

#include <cctype>
#include <cstdint>

#include <fmt/format.h>

namespace polder::recsys::app {

namespace {

using Kind = Block::Kind;

std::string html_text(std::string_view text) {
    std::string result;
    for (char const c : text) {
        switch (c) {
        case '&':
            result += "&amp;";
            break;
        case '<':
            result += "&lt;";
            break;
        case '>':
            result += "&gt;";
            break;
        case '"':
            result += "&quot;";
            break;
        case '\'':
            result += "&#39;";
            break;
        default:
            // Other control characters are not allowed in a page.
            if (static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t') result += c;
        }
    }
    return result;
}

std::string markdown_text(std::string_view text) {
    std::string result;
    for (char const c : text) {
        if (c == '<')
            result += "&lt;";
        else if (c == '|')
            result += "\\|";
        else
            result += c == '\n' ? ' ' : c;
    }
    return result;
}

std::string latex_text(std::string_view text) {
    std::string result;
    for (std::size_t k = 0; k < text.size(); ++k) {
        char const c = text[k];
        if (text.substr(k).starts_with("±")) {
            result += "$\\pm$";
            k += std::string_view("±").size() - 1;
        } else if (std::string_view("&%$#_{}").find(c) != std::string_view::npos) {
            result += '\\';
            result += c;
        } else if (c == '~') {
            result += "\\textasciitilde{}";
        } else if (c == '^') {
            result += "\\textasciicircum{}";
        } else if (c == '\\') {
            result += "\\textbackslash{}";
        } else if (c == '<' || c == '>') {
            result += std::string("$") + c + "$";
        } else {
            result += c == '\n' ? ' ' : c;
        }
    }
    return result;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    for (std::size_t k = 0; k < bytes.size(); k += 3) {
        std::uint32_t three = 0;
        for (std::size_t b = 0; b < 3; ++b)
            three =
                three << 8 | (k + b < bytes.size() ? static_cast<unsigned char>(bytes[k + b]) : 0U);
        for (std::size_t c = 0; c < 4; ++c)
            result += k + c <= bytes.size() ? letters[three >> (18 - 6 * c) & 63] : '=';
    }
    return result;
}

// The names inside of an SVG picture of gnuplot with the number of the picture before them: several pictures in one page
// would share them.
std::string with_own_names(std::string svg, int number) {
    for (auto const* before : {"id='", "id=\"", "href='#", "href=\"#", "url(#"}) {
        std::string const to = fmt::format("{}p{}_", before, number);
        for (std::size_t k = 0; (k = svg.find(before, k)) != std::string::npos; k += to.size())
            svg.replace(k, std::string_view(before).size(), to);
    }
    // The declaration of XML belongs to files.
    if (auto const begin = svg.find("<svg"); begin != std::string::npos) svg.erase(0, begin);
    return svg;
}

constexpr std::string_view style = R"(
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1c1c1c;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2.5rem 1.5rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.45rem; margin: 3.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 2px solid #0072b2; }
h3 { font-size: 1.1rem; margin: 2.2rem 0 .4rem; }
p { max-width: 46rem; margin: .6rem 0; }
.subtitle { color: #555; margin: 0 0 1.6rem; max-width: none; }
.summary { background: #f3f7fb; border-left: 5px solid #0072b2; padding: .5rem 1.4rem; margin: 1.4rem 0; }
.summary p { max-width: 58rem; }
.summary p:first-child { font-weight: 600; }
nav { margin: 1.6rem 0; }
nav ol { columns: 18rem; margin: .3rem 0; padding-left: 1.4rem; }
a { color: #00558a; }
.scroll { overflow-x: auto; margin: .9rem 0 1.4rem; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums;
  border-top: 2px solid #1c1c1c; border-bottom: 2px solid #1c1c1c; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; white-space: nowrap; }
th { border-bottom: 1px solid #1c1c1c; font-weight: 600; vertical-align: bottom; }
th, td { padding: .28rem .5rem; text-align: right; white-space: nowrap; }
th.left, td.left { text-align: left; }
tbody tr:nth-child(even) { background: #f7f7f7; }
tbody tr.significant { background: #e3f3ec; }
td.best { font-weight: 700; text-decoration: underline; text-decoration-color: #d55e00;
  text-decoration-thickness: 2px; text-underline-offset: 3px; }
figure { margin: 1.2rem 0 1.8rem; }
figure svg, figure img { display: block; width: 100%; height: auto; }
figcaption { color: #444; font-size: .9rem; margin-top: .3rem; max-width: 46rem; }
details { margin: .8rem 0; }
summary { cursor: pointer; color: #00558a; }
pre { background: #f7f7f7; padding: .8rem 1rem; overflow-x: auto; font-size: .8rem; line-height: 1.5; }
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  .scroll { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { padding: 2pt 4pt; white-space: normal; }
  h2, h3, caption { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  pre { white-space: pre-wrap; }
  .summary, tr, td { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)";

std::string html_table(MarkedTable const& marked) {
    auto const& table = marked.table;
    auto const of = [&](std::size_t column, bool is_best) {
        std::string classes = column < table.n_left ? "left" : "";
        if (is_best) classes += classes.empty() ? "best" : " best";
        return classes.empty() ? classes : fmt::format(" class=\"{}\"", classes);
    };
    auto text = fmt::format("<div class=\"scroll\"><table>\n<caption>{}</caption>\n<thead><tr>",
                            html_text(marked.title));
    for (std::size_t k = 0; k < table.header.size(); ++k)
        text +=
            fmt::format("<th scope=\"col\"{}>{}</th>", of(k, false), html_text(table.header[k]));
    text += "</tr></thead>\n<tbody>\n";
    for (std::size_t r = 0; r < table.rows.size(); ++r) {
        text += marked.significant.contains(r) ? "<tr class=\"significant\">" : "<tr>";
        for (std::size_t k = 0; k < table.rows[r].size(); ++k)
            text += fmt::format("<td{}>{}</td>", of(k, marked.best.contains({r, k})),
                                html_text(table.rows[r][k]));
        text += "</tr>\n";
    }
    return text + "</tbody>\n</table></div>\n";
}

}  // namespace

std::string html(Document const& document) {
    std::string contents, body;
    int n_sections = 0, n_pictures = 0;
    std::size_t contents_at = 0;  // behind the summary
    for (auto const& block : document.blocks) {
        switch (block.kind) {
        case Kind::section:
            ++n_sections;
            contents += fmt::format("<li><a href=\"#section{}\">{}</a></li>\n", n_sections,
                                    html_text(block.title));
            body +=
                fmt::format("<h2 id=\"section{}\">{}</h2>\n", n_sections, html_text(block.title));
            break;
        case Kind::subsection:
            body += fmt::format("<h3>{}</h3>\n", html_text(block.title));
            break;
        case Kind::paragraph:
            body += fmt::format("<p>{}</p>\n", html_text(block.text));
            break;
        case Kind::summary:
            body += "<div class=\"summary\">\n";
            for (auto const& line : block.lines)
                body += fmt::format("<p>{}</p>\n", html_text(line));
            body += "</div>\n";
            contents_at = body.size();
            break;
        case Kind::table:
            body += html_table(block.table);
            break;
        case Kind::svg:
            body +=
                fmt::format("<figure style=\"max-width: {}px\" role=\"img\" aria-label=\"{}\">\n{}"
                            "<figcaption>{}</figcaption></figure>\n",
                            block.width, html_text(block.title),
                            with_own_names(block.text, ++n_pictures), html_text(block.title));
            break;
        case Kind::image:
            body += fmt::format("<figure><img alt=\"{0}\" src=\"data:image/svg+xml;base64,{1}\">"
                                "<figcaption>{0}</figcaption></figure>\n",
                                html_text(block.title), base64(block.text));
            break;
        case Kind::listing:
            body += fmt::format("<details><summary>{}</summary>\n<pre>{}</pre></details>\n",
                                html_text(block.title), html_text(block.text));
            break;
        }
    }
    body.insert(contents_at, "<nav aria-label=\"Contents\"><strong>Contents</strong>\n<ol>\n" +
                                 contents + "</ol></nav>\n");
    return fmt::format(
        "{}<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<link "
        "rel=\"icon\" href=\"data:,\">\n<style>{}</style>\n</head>\n<body>\n<main>\n"
        "<h1>{}</h1>\n<p class=\"subtitle\">{}</p>\n{}</main>\n</body>\n</html>\n",
        html_begin, html_text(document.title), style, html_text(document.title),
        html_text(document.subtitle), body);
}

std::string markdown(Document const& document) {
    auto text = fmt::format("{}# {}\n\n{}\n", markdown_begin, markdown_text(document.title),
                            markdown_text(document.subtitle));
    for (auto const& block : document.blocks) {
        switch (block.kind) {
        case Kind::section:
            text += fmt::format("\n## {}\n", markdown_text(block.title));
            break;
        case Kind::subsection:
            text += fmt::format("\n### {}\n", markdown_text(block.title));
            break;
        case Kind::paragraph:
            text += fmt::format("\n{}\n", markdown_text(block.text));
            break;
        case Kind::summary:
            for (auto const& line : block.lines) text += fmt::format("\n{}\n", markdown_text(line));
            break;
        case Kind::table: {
            auto table = block.table.table;
            for (auto& cell : table.header) cell = markdown_text(cell);
            for (std::size_t r = 0; r < table.rows.size(); ++r)
                for (std::size_t k = 0; k < table.rows[r].size(); ++k) {
                    auto& cell = table.rows[r][k];
                    cell = markdown_text(cell);
                    if (block.table.best.contains({r, k})) cell = "**" + cell + "**";
                }
            text += fmt::format("\n{}:\n\n{}", markdown_text(block.table.title), markdown(table));
            break;
        }
        case Kind::svg:
        case Kind::image:
            break;
        case Kind::listing:
            text += fmt::format("\n{}:\n\n", markdown_text(block.title));
            text += "    ";
            for (char const c : block.text)
                text += c == '\n' ? std::string("\n    ") : std::string(1, c);
            text += "\n";
            break;
        }
    }
    return text;
}

std::string latex(Document const& document) {
    auto text =
        std::string(latex_begin) +
        "% \\usepackage{booktabs,graphicx}; \\input{tables.tex} puts every table on the page.\n";
    for (auto const& block : document.blocks) {
        if (block.kind != Kind::table) continue;
        auto const& [name, title, table, best, significant, details] = block.table;
        text += fmt::format(
            "\n\\begin{{table}}\n\\centering\n\\caption{{{}}}\n\\label{{tab:{}}}\n"
            "\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n"
            "\\begin{{tabular}}{{",
            latex_text(title), name);
        for (std::size_t k = 0; k < table.header.size(); ++k) text += k < table.n_left ? 'l' : 'r';
        text += "}\n\\toprule\n";
        for (std::size_t k = 0; k < table.header.size(); ++k)
            text += (k == 0 ? "" : " & ") + latex_text(table.header[k]);
        text += " \\\\\n\\midrule\n";
        for (std::size_t r = 0; r < table.rows.size(); ++r) {
            for (std::size_t k = 0; k < table.rows[r].size(); ++k) {
                auto const cell = latex_text(table.rows[r][k]);
                text += (k == 0 ? "" : " & ") +
                        (best.contains({r, k}) ? "\\textbf{" + cell + "}" : cell);
            }
            text += " \\\\\n";
        }
        text += "\\bottomrule\n\\end{tabular}}\n\\end{table}\n";
    }
    return text;
}

std::vector<std::pair<std::string, std::string>> csv_files(Document const& document) {
    std::vector<std::pair<std::string, std::string>> files;
    for (auto const& block : document.blocks)
        if (block.kind == Kind::table)
            files.emplace_back(
                block.table.name + ".csv",
                csv(block.table.details.header.empty() ? block.table.table : block.table.details));
    return files;
}

}  // namespace polder::recsys::app
