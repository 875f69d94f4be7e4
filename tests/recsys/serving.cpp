#include "recsys/serving/recommender.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <polder/state/state.hpp>

#include "recsys/training/checkpoint.hpp"
#include "recsys/training/trainer.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using polder::ParameterArena;
using polder::SafetensorsFile;
using polder::SafetensorsWriter;

// Ten users u0, ... with ten of the items i0, ..., i19 each, and a user and an item that are in test alone.
void write_served_data(std::filesystem::path const& folder) {
    std::filesystem::create_directory(folder);
    std::ofstream inter(folder / "d.inter"), users(folder / "users.tsv"),
        items(folder / "items.tsv");
    inter << "userID\titemID\tx_label\n";
    for (int user = 0; user < 10; ++user)
        for (int k = 0; k < 10; ++k)
            inter << user << '\t' << (3 * user + k) % 20 << '\t' << (k == 0 ? 1 : 0) << '\n';
    inter << "0\t20\t2\n";
    users << "number\tid\n";
    for (int user = 0; user < 11; ++user) users << user << "\tu" << user << '\n';
    items << "number\tid\n";
    for (int item = 0; item < 21; ++item) items << item << "\ti" << item << '\n';
}

// A checkpoint of one epoch of BPR on that data, as polder-recsys train writes it.
void write_served_checkpoint(std::filesystem::path const& file,
                             std::filesystem::path const& folder) {
    DataSource source;
    source.name = folder.string();
    auto const data = load_data(source);
    Settings const settings{{"embedding_size", "4"}};
    TrainingOptions options;
    options.epochs = 1;
    options.batch_size = 16;
    HostLearner learner(make_model<float>("bpr", data, settings, 1), parse_optimizer("none"));
    Trainer trainer(data, learner, options);
    trainer.run();
    Json const run{{"model", "bpr"},
                   {"seed", options.seed},
                   {"data", description_of(data)},
                   {"embedding_size", 4}};
    save_run(
        file, trainer, run,
        {{"arguments", Json({"--model=bpr", "--data=elsewhere", "--data=" + source.name}).dump()}});
}

std::vector<std::string> items_of_list(std::vector<Recommendation> const& list) {
    std::vector<std::string> result;
    for (auto const& each : list) result.push_back(each.item);
    return result;
}

}  // namespace

TEST_CASE("a recommender answers as the vectors of the checkpoint do", "[serving]") {
    TemporaryDirectory const folder;
    write_served_data(folder / "d");
    write_served_checkpoint(folder / "run", folder / "d");
    Recommender const recommender((folder / "run").string(), {}, 1);
    auto const& r = recommender.restored();
    CHECK(r.stored.model == "bpr");
    CHECK(r.stored.source.name == (folder / "d").string());
    CHECK_FALSE(r.is_trained_item[20]);
    auto const product = [&](auto const& left, std::size_t row, std::size_t item) {
        double sum = 0;
        for (std::size_t k = 0; k < 4; ++k)
            sum += double{left(row, k)} * double{r.vectors.items(item, k)};
        return sum;
    };
    // All trained items that the user does not have, by score.
    auto const expected = [&](auto const& score, auto const& is_left_out) {
        std::vector<std::pair<double, std::size_t>> all;
        for (std::size_t item = 0; item < 20; ++item)
            if (!is_left_out(item)) all.emplace_back(-score(item), item);
        std::sort(all.begin(), all.end());
        std::vector<std::string> result;
        for (auto const& each : all) result.push_back("i" + std::to_string(each.second));
        return result;
    };

    for (std::size_t user = 0; user < 10; ++user) {
        auto const list = recommender.recommend("u" + std::to_string(user), 100);
        CHECK(items_of_list(list) ==
              expected([&](std::size_t item) { return product(r.vectors.users, user, item); },
                       [&](std::size_t item) {
                           auto const k = (item + 40 - 3 * user) % 20;
                           return k > 0 && k < 10;
                       }));
        auto const best = recommender.recommend("u" + std::to_string(user), 3);
        auto first = items_of_list(list);
        first.resize(3);
        CHECK(items_of_list(best) == first);
        auto const item = static_cast<std::size_t>(std::stoi(best.front().item.substr(1)));
        CHECK(best.front().score == Approx(product(r.vectors.users, user, item)).margin(1e-6));
    }

    // Somebody new has the mean of the vectors of the items; the item that was not trained says nothing.
    auto const mean = [&](std::size_t item) {
        return product(r.vectors.items, 3, item) + product(r.vectors.items, 5, item);
    };
    std::vector<std::string> const history{"i3", "i5", "i20"};
    CHECK(items_of_list(recommender.recommend_by_items(history, 100)) ==
          expected(mean, [](std::size_t item) { return item == 3 || item == 5; }));

    auto const norm = [&](std::size_t item) {
        return std::sqrt(product(r.vectors.items, item, item));
    };
    auto const cosine = [&](std::size_t item) {
        return product(r.vectors.items, 7, item) / norm(7) / norm(item);
    };
    auto const alike = recommender.similar("i7", 100);
    CHECK(items_of_list(alike) == expected(cosine, [](std::size_t item) { return item == 7; }));
    auto const last = static_cast<std::size_t>(std::stoi(alike.back().item.substr(1)));
    CHECK(alike.back().score == Approx(cosine(last)).margin(1e-6));

    CHECK_THROWS_WITH(recommender.recommend("nobody"), ContainsSubstring("'nobody' is not in"));
    CHECK_THROWS_WITH(recommender.recommend("u10"), ContainsSubstring("no row in training"));
    CHECK_THROWS_WITH(recommender.similar("i20"), ContainsSubstring("no row in training"));
    CHECK_THROWS_WITH(recommender.recommend_by_items(std::vector<std::string>{"u1"}),
                      ContainsSubstring("'u1' is not in"));

    // Moved data is named; other data is refused.
    std::filesystem::rename(folder / "d", folder / "moved");
    CHECK_THROWS_WITH(Recommender((folder / "run").string()), ContainsSubstring("no such file"));
    Recommender const moved((folder / "run").string(), (folder / "moved").string());
    CHECK(items_of_list(moved.recommend("u1")) == items_of_list(recommender.recommend("u1")));
    std::ofstream(folder / "moved" / "d.inter", std::ios::app) << "1\t19\t0\n";
    CHECK_THROWS_WITH(Recommender((folder / "run").string(), (folder / "moved").string()),
                      ContainsSubstring("was made with data of 11 users"));
}

TEST_CASE("tables start from the rows of a checkpoint that belong to the same users and items",
          "[serving][checkpoint]") {
    // There: users a, b, c and items x, y. Here: users c, d, a and items y, z, x; so there are as many users as items.
    ParameterArena<float> there, here;
    auto const add = [](ParameterArena<float>& arena, std::size_t n_users, std::size_t n_items) {
        arena.add("user_embedding", n_users, 2);
        arena.add("item_embedding", n_items, 2);
        arena.add("id_embedding", n_users + n_items, 1);
        arena.add("layer.weight", 3, 1);
    };
    add(there, 3, 2);
    add(here, 3, 3);
    std::iota(there.begin(), there.end(), 1.0F);
    std::fill(here.begin(), here.end(), -1.0F);
    TemporaryDirectory const folder;
    auto const write = [&](std::string const& name, ParameterArena<float>& tables) {
        SafetensorsWriter writer;
        add_parameters(writer, tables);
        writer.add_metadata("format", std::string(checkpoint_format));
        writer.add_metadata("version", std::string(checkpoint_version));
        writer.add_metadata("run", "{\"model\": \"own\"}");
        writer.write(folder / name);
    };
    write("run", there);
    TableRows const rows{{2, -1, 0}, {1, -1, 0}, 3, 2};
    auto const values = [&](std::string const& name) {
        auto const m = here[name];
        return std::vector<float>(m.data, m.data + m.size());
    };

    SafetensorsFile file(folder / "run");
    auto const before = here;
    read_tables(file, here, {"item_embedding"}, rows);
    CHECK(values("item_embedding") == std::vector<float>{9, 10, -1, -1, 7, 8});
    CHECK(values("user_embedding") == std::vector<float>(6, -1));
    here = before;
    read_tables(file, here, {}, rows);
    CHECK(values("user_embedding") == std::vector<float>{5, 6, -1, -1, 1, 2});
    CHECK(values("item_embedding") == std::vector<float>{9, 10, -1, -1, 7, 8});
    CHECK(values("id_embedding") == std::vector<float>{13, -1, 11, 15, -1, 14});
    CHECK(values("layer.weight") == std::vector<float>{16, 17, 18});

    // Where there are as many users as items on both sides the names tell.
    ParameterArena<float> square;
    add(square, 2, 2);
    std::iota(square.begin(), square.end(), 1.0F);
    write("square", square);
    SafetensorsFile square_file(folder / "square");
    read_tables(square_file, square, {}, TableRows{{1, 0}, {-1, 1}, 2, 2});
    CHECK(std::vector<float>(square.begin(), square.begin() + 8) ==
          std::vector<float>{3, 4, 1, 2, 5, 6, 7, 8});

    here = before;
    CHECK_THROWS_WITH(read_tables(file, here, {}),
                      ContainsSubstring("table 'item_embedding': is 2 x 2 in own, expected 3 x 2"));
    CHECK(std::equal(here.begin(), here.end(), before.begin()));
}
