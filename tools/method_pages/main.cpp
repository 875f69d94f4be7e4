// Writes docs/methods/NAME.md, a page for each method: options, ranges and defaults are the registry's, cost is from the table
// in docs/methods.md, and text from methods.txt.
//
//     method_pages ROOT            writes ROOT/docs/methods/*.md
//     method_pages ROOT --check    status 1 where a page is not what it would write, or where there is one too many
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <polder/registry/methods.hpp>
#include <polder/registry/options.hpp>

namespace {

namespace fs = std::filesystem;
using namespace polder::registry;

struct Text {
    std::map<std::string, std::string> of;  // by key
    std::string equations;
};

std::string read(fs::path const& file) {
    std::ifstream stream(file);
    if (!stream) throw std::runtime_error(file.string() + ": cannot be read");
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::map<std::string, Text> read_texts(fs::path const& file) {
    std::map<std::string, Text> texts;
    Text* text = nullptr;
    std::istringstream lines(read(file));
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
        if (line.empty() || line[0] == '#') continue;
        auto const colon = line.find(": ");
        auto const wrong = [&](char const* expected) {
            throw std::runtime_error(file.string() + ":" + std::to_string(number) + ": expected " +
                                     expected);
        };
        if (line.starts_with("    ")) {
            if (text == nullptr) wrong("'method: NAME' first");
            text->equations += line + "\n";
        } else if (colon == std::string::npos) {
            wrong("'key: value' or an equation after four spaces");
        } else if (line.starts_with("method: ")) {
            text = &texts[line.substr(colon + 2)];
        } else {
            static std::set<std::string> const keys{"make",  "plus", "pass",  "what",
                                                    "helps", "see",  "prints"};
            if (text == nullptr || !keys.contains(line.substr(0, colon)))
                wrong("make, plus, pass, what, helps, see or prints");
            text->of[line.substr(0, colon)] = line.substr(colon + 2);
        }
    }
    return texts;
}

// The cells of the rows in docs/methods.md, by the first of them.
std::map<std::string, std::vector<std::string>> read_table(fs::path const& file) {
    std::map<std::string, std::vector<std::string>> rows;
    std::istringstream lines(read(file));
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("| ")) continue;
        for (std::size_t at; (at = line.find("\\|")) != std::string::npos;) line.erase(at, 2);
        std::vector<std::string> cells;
        std::istringstream stream(line.substr(1));
        for (std::string cell; std::getline(stream, cell, '|');) {
            auto const first = cell.find_first_not_of(' ');
            auto const last = cell.find_last_not_of(' ');
            cells.push_back(first == std::string::npos ? "" : cell.substr(first, last - first + 1));
        }
        if (cells.size() == 7) rows[cells[0]] = cells;
    }
    return rows;
}

// Whether "asam, fisher_sam" names the method, or one that its name begins with.
bool names_method(std::string_view names, std::string_view method) {
    std::istringstream stream{std::string(names)};
    for (std::string name; std::getline(stream, name, ',');) {
        name.erase(0, name.find_first_not_of(' '));
        if (method == name || method.starts_with(name + "_")) return true;
    }
    return false;
}

// "gnp: in [0, 1]; >= 0" for a method: the part with its name, or else the one without a name.
std::string part_for(std::string_view text, std::string_view method,
                     std::set<std::string> const& known) {
    std::vector<std::pair<std::string, std::string>> parts;
    while (!text.empty()) {
        auto const end = std::min(text.find("; "), text.size());
        auto piece = std::string(text.substr(0, end));
        text.remove_prefix(std::min(end + 2, text.size()));
        auto const colon = piece.find(": ");
        auto const first = piece.substr(0, piece.find_first_of(":, "));
        if (colon != std::string::npos && known.contains(first)) {
            parts.emplace_back(piece.substr(0, colon), piece.substr(colon + 2));
        } else if (!parts.empty() && (piece.starts_with("*") || piece.starts_with("separates") ||
                                      piece.starts_with("with ") ||
                                      std::isdigit(static_cast<unsigned char>(piece[0])))) {
            parts.back().second += "; " + piece;
        } else {
            parts.emplace_back("", piece);
        }
    }
    for (auto const& [names, what] : parts)
        if (names_method(names, method)) return what;
    for (auto const& [names, what] : parts)
        if (names.empty()) return what;
    throw std::runtime_error("no part of an option's description is for " + std::string(method));
}

std::string shown(std::variant<double, bool, std::string> const& value) {
    if (auto const* text = std::get_if<std::string>(&value)) return text->empty() ? "" : *text;
    if (auto const* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    double const number = std::get<double>(value);
    if (!std::isfinite(number) || std::abs(number) >= 2147483647.0) return "no limit";
    char text[32];
    std::snprintf(text, sizeof text, "%g", number);
    return text;
}

std::string option_row(OptionValue const& option, std::string_view method,
                       std::set<std::string> const& known) {
    auto const found = std::find_if(option_descriptions.begin(), option_descriptions.end(),
                                    [&](auto const& each) { return each.name == option.name; });
    if (found == option_descriptions.end())
        throw std::runtime_error("option '" + option.name + "' has no description");
    auto range = part_for(found->range.empty() ? "-" : found->range, method, known);
    if (found->kind == OptionDescription::Kind::flag) range = "true or false";
    auto meaning = part_for(found->meaning, method, known);
    if (std::isalpha(static_cast<unsigned char>(meaning.at(1))))  // a word, and no name of a value
        meaning[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(meaning[0])));
    for (std::size_t at = 0; (at = meaning.find('|', at)) != std::string::npos; at += 2)
        meaning.insert(at, "\\");
    return "| `" + option.name + "` | " + (range == "-" ? "" : range) + " | " +
           shown(option.value) + " | " + meaning + " |\n";
}

std::string example(Text const& text) {
    bool const pass = text.of.contains("pass");
    std::string make = text.of.at("make");
    // A long line is broken after a comma.
    std::string lines = "    ";
    std::size_t column = 4;
    std::istringstream words(make);
    for (std::string word; words >> word; column += word.size() + 1) {
        if (column > 4 && column + word.size() > 98) {
            lines.back() = '\n';
            lines += "        ";
            column = 8;
        }
        lines += word + " ";
    }
    lines.back() = '\n';
    return "```cpp\n"
           "#include <cstdio>\n#include <vector>\n\n#include <polder/polder.hpp>\n\n"
           "using Vector = std::vector<double>;\n\n"
           "// Rosenbrock's valley, lowest at (1, 1): returns the loss at x and writes its "
           "gradient.\n" +
           std::string(
               pass
                   ? "// The pass says which batch or sample is meant; here there is one for all.\n"
                   : "") +
           "double loss(Vector const& x, Vector& gradient" + (pass ? ", polder::Pass" : "") +
           ") {\n"
           "    const double a = 1 - x[0], b = x[1] - x[0] * x[0];\n"
           "    gradient = {-a - 20 * b * x[0], 10 * b};\n"
           "    return 0.5 * a * a + 5 * b * b;\n}\n\n"
           "int main() {\n    Vector x{-1, 1};\n" +
           lines +
           "    int gradients = 0;\n"
           "    for (int step = 0; step < 1200; ++step) gradients += optimizer.step(x, "
           "loss).evaluations;\n"
           "    std::printf(\"x = (%.2f, %.2f) after %d gradients\\n\", x[0], x[1], "
           "gradients);\n}\n```\n\n"
           "It prints\n\n```text\n" +
           text.of.at("prints") + "\n```\n\n";
}

struct Page {
    std::map<std::string, Text> const& texts;
    std::map<std::string, std::vector<std::string>> const& table;
    std::set<std::string> const& known;
    std::map<std::string, std::string>& pages;

    template <class Make>
    void operator()(MethodEntry const& entry, Make const& make) const {
        std::string const name(entry.name), title(entry.title);
        auto const found = texts.find(name);
        if (found == texts.end())
            throw std::runtime_error("methods.txt: nothing about method '" + name + "'");
        auto const& text = found->second;
        for (auto const* key : {"make", "what", "helps", "see", "prints"})
            if (!text.of.contains(key))
                throw std::runtime_error("methods.txt: method '" + name + "' has no " + key);

        OptionReader options{Options{}};
        bool with_plus = false;
        make(options, [&]<class Method>(Method const&, Surroundings const& = {}) {
            with_plus = has_plus<Method>;
        });

        std::string page = "<!-- written by tools/method_pages; its text is in "
                           "tools/method_pages/methods.txt -->\n\n# " +
                           title + "\n\n" + text.of.at("what") + "\n\n" + text.equations + "\n";
        page += "g is the gradient of the loss at x, s that at x + eps, and BaseOpt the base "
                "optimizer. Its name is `" +
                name + "` in `polder::make_optimizer` and `polder-recsys`.";
        if (!entry.source.empty()) page += " Source: " + std::string(entry.source) + ".";
        page += "\n\n## Options\n\n";
        if (options.used().empty()) {
            page += "None but those of the base optimizer.\n\n";
        } else {
            page += "| option | range | default | meaning |\n|---|---|---|---|\n";
            for (auto const& option : options.used()) page += option_row(option, name, known);
            page += "\n";
        }

        auto const row = std::find_if(table.begin(), table.end(), [&](auto const& each) {
            return each.first == title || each.first == (title + " cosine");
        });
        if (row == table.end())
            throw std::runtime_error("docs/methods.md has no row '" + title + "'");
        auto const& cells = row->second;
        char arrays[32];
        std::snprintf(arrays, sizeof arrays, "%g", std::stod(cells[4]) / 4);
        page += "## Cost\n\n| gradients in a step | memory that is kept, in arrays like x | read "
                "and written in a step over Adam, bytes for each float |\n"
                "|---|---|---|\n| " +
                cells[3] + " | " + arrays + " | " + cells[5] +
                " |\n\nThe tests measure the first two ([the table](../methods.md#the-table)).\n\n";
        page += "## Example\n\n" + example(text);
        page += "## When it helps\n\n" + text.of.at("helps") + "\n\n";
        if (with_plus) {
            page += "## With a second batch\n\n`" + name + "+`";
            if (text.of.contains("plus")) page += ", `" + text.of.at("plus") + "` in C++,";
            page += " gives BaseOpt kappa u + (1 - kappa) times the gradient at x of a second "
                    "batch, where u is what BaseOpt gets above. "
                    "A step takes one gradient more; kappa lies in [0, 1], default 0.6. [How to "
                    "pass two batches](../guide.md#two-batches-in-a-step).\n\n";
        }
        page += "## See also\n\n";
        std::istringstream others(text.of.at("see"));
        for (std::string other; std::getline(others, other, ',');) {
            other.erase(0, other.find_first_not_of(' '));
            if (!texts.contains(other))
                throw std::runtime_error("methods.txt: " + name + ": see: unknown '" + other + "'");
            page += "- [" + other + "](" + other + ".md)\n";
        }
        page += "- [all methods](../methods.md)\n- [how to choose "
                "rho](../guide.md#how-to-choose-rho)\n";
        pages[name + ".md"] = page;
    }
};

}  // namespace

int main(int argc, char** argv) try {
    bool const check = argc == 3 && std::string_view(argv[2]) == "--check";
    if (argc != 2 && !check) {
        std::fputs("usage: method_pages ROOT [--check]\n", stderr);
        return 2;
    }
    fs::path const root = argv[1], folder = root / "docs" / "methods";
    auto const texts = read_texts(root / "tools" / "method_pages" / "methods.txt");
    auto const table = read_table(root / "docs" / "methods.md");
    // Methods, and the families that descriptions name.
    std::set<std::string> known{"ssam",    "wsam",    "adam", "adamw", "sgd",
                                "rmsprop", "adagrad", "lion", "lamb"};
    for_each_method([&](MethodEntry const& entry, auto const&) { known.emplace(entry.name); });
    std::map<std::string, std::string> pages;
    for_each_method(Page{texts, table, known, pages});

    int wrong = 0;
    fs::create_directories(folder);
    for (auto const& [name, page] : pages) {
        auto const file = folder / name;
        if (fs::exists(file) && read(file) == page) continue;
        if (check) {
            std::fprintf(stderr, "%s is not what method_pages writes; run: method_pages %s\n",
                         file.string().c_str(), argv[1]);
            ++wrong;
        } else {
            std::ofstream(file) << page;
        }
    }
    for (auto const& each : fs::directory_iterator(folder)) {
        if (pages.contains(each.path().filename().string())) continue;
        std::fprintf(stderr, "%s: there is no such method\n", each.path().string().c_str());
        ++wrong;
    }
    for (auto const& [name, text] : texts) {
        if (pages.contains(name + ".md")) continue;
        std::fprintf(stderr, "methods.txt: there is no method '%s'\n", name.c_str());
        ++wrong;
    }
    return wrong == 0 ? 0 : 1;
} catch (std::exception const& error) {
    std::fprintf(stderr, "method_pages: %s\n", error.what());
    return 2;
}
