#include "recsys/app/reproduction.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "recsys/data/synthetic.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/names.hpp"

namespace polder::recsys::app {

namespace {

std::vector<std::string> words(std::string const& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

// "a REST" and "b" of "a / b".
std::pair<std::string, std::string> cut(std::string const& text, std::string const& at) {
    auto const place = text.find(at);
    if (place == std::string::npos) return {text, {}};
    return {text.substr(0, place), text.substr(place + at.size())};
}

std::optional<double> number(std::string const& text) {
    double value = 0;
    auto const end = text.data() + text.size();
    auto const [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || rest != end) return {};
    return value;
}

// Reads the keys of one file.
class TomlReader {
public:
    TomlReader(std::string file, std::string const& text) : file_(std::move(file)) {
        std::istringstream stream(text);
        try {
            items_ = CLI::ConfigTOML().from_config(stream);
        } catch (CLI::Error const& error) {
            fail("", error.what());
        }
        // CLI11's marks of where sections begin and end.
        std::erase_if(items_,
                      [](auto const& item) { return item.name == "++" || item.name == "--"; });
    }

    [[noreturn]] void fail(std::string const& where, std::string const& what) const {
        throw std::runtime_error(
            fmt::format("{}{}{}: {}", file_, where.empty() ? "" : ": ", where, what));
    }

    std::vector<CLI::ConfigItem> const& items() const { return items_; }

    std::vector<std::string> texts(std::string const& key) const {
        for (auto const& item : items_)
            if (item.parents.empty() && item.name == key) return item.inputs;
        return {};
    }

    std::string text(std::string const& key) const {
        auto const found = texts(key);
        if (found.size() != 1) fail(key, "expected one text");
        return found.front();
    }

    std::vector<PrintedName> names(std::string const& key,
                                   std::vector<std::string> const& texts) const {
        std::vector<PrintedName> result;
        for (auto const& each : texts) {
            auto [printed, own] = cut(each, " = ");
            if (own.empty() || printed.empty() || words(printed).size() != 1)
                fail(key,
                     fmt::format("'{}', expected \"NAME = what polder-recsys calls it\"", each));
            result.push_back({words(printed).front(), own == "-" ? "" : own});
        }
        return result;
    }

    ReproductionColumn column(std::string const& name) const {
        using Kind = ReproductionColumn::Kind;
        if (name == "best_epoch") return {name, Kind::best_epoch, {}, {}};
        if (name == "loss") return {name, Kind::loss, {}, {}};
        if (name == "eigenvalue" || name == "trace") return {name, Kind::landscape, name, {}};
        auto const [what, of] = cut(name, "/");
        if (what == "ring" || what == "below") return {name, Kind::landscape, what, of};
        try {
            static_cast<void>(Metrics{}[what]);
        } catch (std::invalid_argument const& error) {
            fail("columns", fmt::format("'{}': {}", name, error.what()));
        }
        if (of.empty()) return {name, Kind::metric, what, {}};
        if (of == "std") return {name, Kind::deviation, what, {}};
        auto const [test, text] = cut(of, ":");
        auto const level = number(text);
        if (!level)
            fail("columns", fmt::format("'{}', expected METRIC/TEST:LEVEL or METRIC/std", name));
        return {name, Kind::test, what, test, *level};
    }

    PaperClaim claim(std::string const& text,
                     std::vector<ReproductionColumn> const& columns) const {
        auto const [comparison, in] = cut(text, " in ");
        bool const is_above = comparison.find(" > ") != std::string::npos;
        auto const [left, right] = cut(comparison, is_above ? " > " : " < ");
        PaperClaim result{text, {}, is_above, right, in};
        for (auto const& word : words(left))
            if (word != "|") result.methods.push_back(word);
        if (result.methods.empty() || words(right).size() != 1)
            fail("claims", fmt::format("'{}', expected \"A > B\" or \"A < B in COLUMN\"", text));
        bool const is_known =
            in.empty() || in == "decrease" ||
            std::any_of(columns.begin(), columns.end(),
                        [&, &in = in](auto const& each) { return each.name == in; });
        if (!is_known) fail("claims", fmt::format("'{}': there is no column '{}'", text, in));
        return result;
    }

private:
    std::string file_;
    std::vector<CLI::ConfigItem> items_;
};

bool has(std::vector<PrintedName> const& names, std::string const& printed) {
    return std::any_of(names.begin(), names.end(),
                       [&](auto const& each) { return each.printed == printed; });
}

bool has(std::vector<std::string> const& names, std::string const& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<ComparisonSection> read_sections(TomlReader const& reader) {
    ComparisonSection const all{{},
                                reader.texts("data"),
                                reader.names("models", reader.texts("models")),
                                reader.names("methods", reader.texts("methods")),
                                {}};
    std::vector<ComparisonSection> sections;
    for (auto const& item : reader.items()) {
        if (item.parents.empty() || item.parents.front() != "compare") continue;
        auto const name = item.parents.size() > 1 ? item.parents[1] : std::string();
        auto const where = "compare." + name + " " + item.name;
        if (sections.empty() || sections.back().name != name) {
            sections.push_back(all);
            sections.back().name = name;
        }
        auto& section = sections.back();
        if (item.name == "data")
            section.data = item.inputs;
        else if (item.name == "models")
            section.models = reader.names(where, item.inputs);
        else if (item.name == "methods")
            section.methods = reader.names(where, item.inputs);
        else if (item.inputs.size() == 1)
            section.options.emplace_back(item.name, item.inputs.front());
        else
            reader.fail(where, "expected one value");
    }
    if (sections.empty()) sections.push_back(all);
    for (auto const& section : sections) {
        auto const require = [&](auto const& list, std::string const& key) {
            if (list.empty()) reader.fail(key, "is missing, expected a list of names");
        };
        require(section.data, "data");
        require(section.models, "models");
        require(section.methods, "methods");
        for (auto const& data : section.data) {
            try {
                static_cast<void>(find_paper_data(data));
            } catch (std::invalid_argument const& error) {
                reader.fail("data", error.what());
            }
        }
    }
    return sections;
}

PublishedRow read_row(TomlReader const& reader, Reproduction const& of, std::string const& data,
                      std::string const& text) {
    auto const where = "published." + data;
    auto const parts = words(text);
    PublishedRow row;
    row.data = data;
    std::size_t next = 0;
    auto const take = [&] { return next < parts.size() ? parts[next++] : std::string(); };
    if (!parts.empty() && std::any_of(of.sections.begin(), of.sections.end(), [&](auto const& s) {
            return !s.name.empty() && s.name == parts[0];
        }))
        row.section = take();
    row.model = take();
    row.method = take();
    if (next < parts.size() && parts[next].starts_with("seed=")) {
        auto const seed = number(take().substr(5));
        if (!seed || *seed < 0) reader.fail(where, fmt::format("'{}': seed=N is no number", text));
        row.seed = static_cast<std::uint64_t>(*seed);
    }
    // The section is the first that has the method, unless the row names it.
    auto const found = std::find_if(of.sections.begin(), of.sections.end(), [&](auto const& s) {
        return (row.section.empty() || s.name == row.section) && has(s.data, data) &&
               has(s.models, row.model) && has(s.methods, row.method);
    });
    if (found == of.sections.end())
        reader.fail(where,
                    fmt::format("'{}': nothing is run for this model, method and data", text));
    row.section = found->name;
    for (; next < parts.size(); ++next) {
        auto const value =
            parts[next] == "-" ? std::numeric_limits<double>::quiet_NaN() : number(parts[next]);
        if (!value) reader.fail(where, fmt::format("'{}': '{}' is no number", text, parts[next]));
        row.values.push_back(*value);
    }
    if (row.values.size() != of.columns.size())
        reader.fail(where, fmt::format("'{}' has {} values, expected {}, one for each column", text,
                                       row.values.size(), of.columns.size()));
    return row;
}

// "bsam-table-10" as ("bsam", "table", 10): the order of the papers.
auto order_of(std::string const& name) {
    auto const [paper, rest] = cut(name, "-");
    auto const [kind, index] = cut(rest, "-");
    return std::tuple(paper, kind != "table", number(index).value_or(0));
}

}  // namespace

std::string Reproduction::place() const {
    static constexpr std::string_view roman[] = {"0", "I",  "II",  "III",  "IV",
                                                 "V", "VI", "VII", "VIII", "IX"};
    auto const [paper, is_figure, index] = order_of(name);
    if (index == 0) return name;
    std::string text = paper;
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    auto const n = static_cast<std::size_t>(index);
    if (is_figure) return fmt::format("{}, Fig. {}", text, n);
    return paper == "bsam" && n < std::size(roman) ? fmt::format("{}, Table {}", text, roman[n])
                                                   : fmt::format("{}, Table {}", text, n);
}

std::vector<std::string> Reproduction::data() const {
    std::vector<std::string> result;
    for (auto const& section : sections)
        for (auto const& each : section.data)
            if (!has(result, each)) result.push_back(each);
    return result;
}

Reproduction read_reproduction(std::string const& name, std::string const& file,
                               std::string const& text) {
    TomlReader const reader(file, text);
    Reproduction result;
    std::vector<std::string> const known{"title",   "shows",   "notes",  "data", "models",
                                         "methods", "columns", "claims", "seeds"};
    for (auto const& item : reader.items()) {
        if (item.parents.empty()) {
            if (!has(known, item.name))
                reader.fail(item.name, fmt::format("is no key; known: {}", listed(known)));
            continue;
        }
        auto const& section = item.parents.front();
        if (section != "compare" && section != "robustness" && section != "landscape" &&
            section != "published")
            reader.fail(section, "is no section; known: compare, robustness, landscape, published");
        if (section == "robustness" || section == "landscape") {
            auto& options = section == "robustness" ? result.robustness : result.landscape;
            if (!options) options.emplace();
            options->emplace_back(item.name, fmt::format("{}", fmt::join(item.inputs, ",")));
        }
    }
    result.name = name;
    result.title = reader.text("title");
    result.shows = reader.text("shows");
    result.notes = reader.texts("notes");
    if (auto const seeds = reader.texts("seeds"); !seeds.empty()) {
        auto const value = number(seeds.front());
        if (!value || *value < 1) reader.fail("seeds", "expected a whole number of at least 1");
        result.seeds = static_cast<int>(*value);
    }
    for (auto const& each : reader.texts("columns")) result.columns.push_back(reader.column(each));
    if (result.columns.empty()) reader.fail("columns", "is missing");
    result.sections = read_sections(reader);
    for (auto const& each : reader.texts("claims")) {
        auto claim = reader.claim(each, result.columns);
        auto named = claim.methods;
        named.push_back(claim.than);
        bool const fits =
            std::any_of(result.sections.begin(), result.sections.end(), [&](auto const& section) {
                return std::all_of(named.begin(), named.end(), [&](auto const& method) {
                    return has(section.methods, method);
                });
            });
        if (!fits) reader.fail("claims", fmt::format("'{}': no section has these methods", each));
        result.claims.push_back(std::move(claim));
    }
    for (auto const& item : reader.items()) {
        if (item.parents.empty() || item.parents.front() != "published") continue;
        if (item.parents.size() != 2 || item.name != "rows")
            reader.fail("published", "expected [published.DATA] with rows = [...]");
        for (auto const& each : item.inputs)
            result.rows.push_back(read_row(reader, result, item.parents[1], each));
    }
    return result;
}

std::vector<Reproduction> const& reproductions() {
    static auto const all = [] {
        std::vector<Reproduction> result;
        for (auto const& [name, text] : detail::reproduction_files)
            if (name != "data")
                result.push_back(read_reproduction(
                    std::string(name), fmt::format("reproduce/{}.toml", name), std::string(text)));
        std::sort(result.begin(), result.end(),
                  [](auto const& a, auto const& b) { return order_of(a.name) < order_of(b.name); });
        return result;
    }();
    return all;
}

Reproduction find_reproduction(std::string const& name) {
    if (name.ends_with(".toml")) {
        std::ifstream stream(name);
        if (!stream) throw std::runtime_error(name + ": cannot be read");
        return read_reproduction(std::filesystem::path(name).stem().string(), name,
                                 {std::istreambuf_iterator<char>(stream), {}});
    }
    for (auto const& each : reproductions())
        if (each.name == name) return each;
    refuse_name("table or figure", name, names_of(reproductions()));
}

std::vector<PaperData> const& paper_data() {
    static auto const all = [] {
        std::vector<PaperData> result;
        for (auto const& [name, text] : detail::reproduction_files) {
            if (name != "data") continue;
            TomlReader const reader("reproduce/data.toml", std::string(text));
            for (auto const& item : reader.items()) {
                if (result.empty() || result.back().name != item.parents.at(0))
                    result.push_back({item.parents.at(0), {}, {}});
                (item.name == "title" ? result.back().title : result.back().offered) =
                    item.inputs.at(0);
            }
        }
        return result;
    }();
    return all;
}

PaperData find_paper_data(std::string const& name) {
    auto const [data, features] = cut(name, "-");
    auto const find = [&](std::string const& known) {
        for (auto const& each : paper_data())
            if (each.name == known) return each;
        refuse_name("data set", name, names_of(paper_data()));
    };
    auto result = find(data);
    if (features.empty()) return result;
    auto const others = find(features);
    return {name, fmt::format("{}, {}", result.title, others.title), others.offered};
}

std::string shape_of(std::string_view data) { return cut(std::string(data), "-").first; }

}  // namespace polder::recsys::app
