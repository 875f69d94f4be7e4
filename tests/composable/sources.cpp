// Writes sources with mixtures, which include composable/check.hpp by the command line:
// sources draw SEED PAIRS FILES REFUSED FOLDER  or  sources all PERTURBATION FOLDER
//
// draw: in FOLDER/mixtures_0.cpp ... FILES files with PAIRS drawn pairs of a perturbation and a distance that fit, each
// for every mix and base optimizer, and of each fourth pair one mixture of the type that users write; and in FOLDER/refused.cpp
// REFUSED mixtures that do not fit, one in a line.
// all: the same with every mixture of a perturbation, given by its number; where none fits there is only refused.cpp. Without arguments: prints how many there are.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "composable/table.hpp"

namespace {

using namespace polder::test;

std::uint64_t number(char const* text) {
    std::uint64_t value = 0;
    auto const [end, error] = std::from_chars(text, text + std::strlen(text), value);
    if (error != std::errc() || *end != '\0')
        throw std::invalid_argument(std::string("'") + text + "' is no whole number");
    return value;
}

/// A file of lines in the namespace polder::test; throws where it cannot be written.
class Source {
public:
    explicit Source(std::string const& path) : path_(path), file_(path) {
        file_ << "using namespace polder::test;\n";
    }
    void pair(std::size_t p, std::size_t d) {
        file_ << "static int const pair_" << p << '_' << d << " = add_pair<" << p << ", " << d
              << ">();\n";
    }
    void single(std::size_t p, std::size_t d, std::size_t m, std::size_t b) {
        file_ << "static int const single_" << p << '_' << d << " = add_single<" << p << ", " << d
              << ", " << m << ", " << b << ">();\n";
    }
    void refused(std::size_t p, std::size_t d, std::size_t m) {
        file_ << "static_assert(sizeof(Refused<" << p << ", " << d << ", " << m << ", "
              << (p + d + m) % table::base_count << ">));\n";
    }
    void end() {
        file_.close();
        if (!file_) throw std::runtime_error("cannot write " + path_);
    }

private:
    std::string path_;
    std::ofstream file_;
};

void draw(std::uint64_t seed, std::size_t pairs, std::size_t files, std::size_t refused,
          std::string const& folder) {
    Random random(seed, 0);
    auto const perturbation = [&] { return random.integer(0, table::perturbation_count - 1); };
    auto const distance = [&] { return random.integer(0, table::distance_count - 1); };
    for (std::size_t file = 0; file < files; ++file) {
        Source source(folder + "/mixtures_" + std::to_string(file) + ".cpp");
        std::vector<std::pair<std::size_t, std::size_t>> drawn;
        std::size_t const count = pairs / files + (file < pairs % files ? 1 : 0);
        while (drawn.size() < count) {
            std::size_t const p = perturbation();
            if (!table::fits(p, 0, 0)) continue;
            std::size_t d = distance();
            while (!table::fits(p, d, 0)) d = distance();
            std::pair const one{p, d};
            if (std::count(drawn.begin(), drawn.end(), one) > 0) continue;
            drawn.push_back(one);
            source.pair(one.first, one.second);
        }
        for (std::size_t k = 0; k < drawn.size(); k += 4) {
            auto const [p, d] = drawn[k];
            std::size_t mix = random.integer(0, table::mix_count - 1);
            while (!table::fits(p, d, mix)) mix = random.integer(0, table::mix_count - 1);
            source.single(p, d, mix, random.integer(0, table::base_count - 1));
        }
        source.end();
    }
    Source source(folder + "/refused.cpp");
    std::set<std::array<std::size_t, 3>> drawn;
    while (drawn.size() < refused) {
        // Each second one is for another reason than how policies are nested around a ball.
        std::size_t const p = random.integer(0, 3) == 0 ? 0 : perturbation();
        std::size_t const d = distance(), mix = random.integer(0, table::mix_count - 1);
        bool const nested = !table::fits(p, 0, 0);
        if (table::fits(p, d, mix) || nested != (drawn.size() % 2 == 0)) continue;
        if (drawn.insert({p, d, mix}).second) source.refused(p, d, mix);
    }
    source.end();
}

void all(std::size_t perturbation, std::string const& folder) {
    if (perturbation >= table::perturbation_count)
        throw std::invalid_argument("there is no such perturbation");
    Source refused(folder + "/refused.cpp");
    for (std::size_t d = 0; d < table::distance_count; ++d) {
        for (std::size_t m = 0; m < table::mix_count; ++m) {
            if (!table::fits(perturbation, d, m)) refused.refused(perturbation, d, m);
        }
    }
    refused.end();
    if (!table::fits(perturbation, 0, 0)) return;
    Source mixtures(folder + "/mixtures_0.cpp");
    for (std::size_t d = 0; d < table::distance_count; ++d) mixtures.pair(perturbation, d);
    mixtures.end();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        std::string const kind = argc > 1 ? argv[1] : "";
        if (argc == 1) {
            std::printf("%zu perturbations, %zu distances, %zu mixes, %zu base optimizers\n",
                        table::perturbation_count, table::distance_count, table::mix_count,
                        table::base_count);
        } else if (kind == "draw" && argc == 7) {
            draw(number(argv[2]), number(argv[3]), number(argv[4]), number(argv[5]), argv[6]);
        } else if (kind == "all" && argc == 4) {
            all(number(argv[2]), argv[3]);
        } else {
            std::fprintf(stderr, "usage: sources [draw SEED PAIRS FILES REFUSED FOLDER | all "
                                 "PERTURBATION FOLDER]\n");
            return 2;
        }
    } catch (std::exception const& error) {
        std::fprintf(stderr, "sources: %s\n", error.what());
        return 1;
    }
}
