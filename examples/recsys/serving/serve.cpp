// Lists for users from a checkpoint of polder-recsys train: serve CHECKPOINT USER...
#include <cstdio>
#include <exception>

#include "recsys/serving/recommender.hpp"

int main(int argc, char** argv) try {
    if (argc < 3) return std::fputs("expected: serve CHECKPOINT USER...\n", stderr), 2;
    polder::recsys::Recommender const recommender(argv[1]);
    for (int k = 2; k < argc; ++k)
        for (auto const& [item, score] : recommender.recommend(argv[k], 10))
            std::printf("%s,%s,%g\n", argv[k], item.c_str(), static_cast<double>(score));
} catch (std::exception const& error) {
    std::fprintf(stderr, "serve: %s\n", error.what());
    return 1;
}
