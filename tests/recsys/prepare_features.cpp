// Features of items by their ids, and features of texts.
#include <cmath>
#include <string>
#include <vector>

#include "recsys/data/npy.hpp"
#include "recsys/prepare/features.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;

Ids ids_of(std::vector<std::string> const& all) {
    Ids ids;
    for (auto const& each : all) ids.number(each);
    return ids;
}

}  // namespace

TEST_CASE("vectors of items are found by id, and those that are missing have the mean",
          "[prepare]") {
    TemporaryDirectory const folder;
    auto const items = ids_of({"b", "a", "none"});
    std::vector<float> const expected{3, 4, 1, 2, 2, 3};
    for (std::string const text :
         {"a,1,2\nb,3,4\nother,9,9\n", "item_id,x,y\na,1,2\nb,3,4\n", "id,x,y\na,1,2\nb,3,4\n",
          "x,item_id,y\n1,a,2\n3,b,4\n", "a\t1\t2\nb\t3\t4\n"}) {
        CAPTURE(text);
        folder.write("f.csv", text);
        auto const features = read_item_features((folder / "f.csv").string(), "", items);
        CHECK(features.matrix.rows == 3);
        CHECK(features.matrix.columns == 2);
        CHECK(features.matrix.values == expected);
        CHECK(features.n_missing == 1);
    }
    write_npy(folder / "f.npy", 3, 2, std::vector<float>{1, 2, 3, 4, 9, 9});
    folder.write("ids.txt", "a\nb\nother\n");
    CHECK(read_item_features((folder / "f.npy").string(), (folder / "ids.txt").string(), items)
              .matrix.values == expected);
    CHECK(read_item_features((folder / "f.npy").string(), "", ids_of({"1", "0", "7"}))
              .matrix.values == expected);

    auto const fails = [&](std::string const& text, std::string const& message) {
        folder.write("f.csv", text);
        CHECK_THROWS_WITH(read_item_features((folder / "f.csv").string(), "", items),
                          ContainsSubstring(message));
    };
    fails("a,1,2\nb,x,4\n", "f.csv:2: a feature is 'x', expected a number");
    fails("p,1,2\nq,3,4\n", "no item of the interactions has a row");
    CHECK_THROWS_WITH(
        read_item_features((folder / "f.npy").string(), "", items),
        ContainsSubstring("which row belongs to item 'b'? expected --features NAME=FILE.npy,IDS"));
    folder.write("ids.txt", "a\n");
    CHECK_THROWS_WITH(
        read_item_features((folder / "f.npy").string(), (folder / "ids.txt").string(), items),
        ContainsSubstring("ids.txt: has 1 lines, expected 3"));
}

TEST_CASE("titles and texts of items are found by id", "[prepare]") {
    TemporaryDirectory const folder;
    auto const items = ids_of({"B1", "B2"});
    folder.write(
        "meta.jsonl",
        "{\"parent_asin\": \"B2\", \"title\": \"Pan\", \"description\": [\"For\", \"eggs\"]}\n"
        "{\"parent_asin\": \"B2\", \"title\": \"A pan\", \"description\": []}\n");
    auto const texts = read_item_texts((folder / "meta.jsonl").string(), {}, "title",
                                       {"title", "description"}, items);
    CHECK(texts.titles == std::vector<std::string>{"", "A pan"});
    CHECK(texts.texts == std::vector<std::string>{"", "A pan "});
    CHECK(texts.n_found == 1);
    CHECK_THROWS_WITH(
        read_item_texts((folder / "meta.jsonl").string(), {}, "name", {}, items),
        ContainsSubstring(
            "--title name: there is no such column; known: parent_asin, title, description"));
}

TEST_CASE("features of texts keep the inner products of tf-idf", "[prepare]") {
    // With all singular values U S has the Gram matrix of A, whose rows are of length 1.
    std::vector<std::string> const texts{"red apple",        "red pear", "green apple",
                                         "green pear green", "",         "blue sky"};
    auto const features = text_features(texts, 10);
    auto const& m = features.matrix;
    CHECK(m.rows == 6);
    CHECK(m.columns == 4);  // red, apple, pear, green
    CHECK(features.n_missing == 2);
    auto const product = [&](std::size_t a, std::size_t b) {
        double sum = 0;
        for (std::size_t k = 0; k < m.columns; ++k)
            sum += double{m.row(a)[k]} * double{m.row(b)[k]};
        return sum;
    };
    for (std::size_t k = 0; k < 4; ++k) CHECK(product(k, k) == Approx(1).margin(1e-5));
    // All four words are in two of the four texts that have words: equal idf, so cosines follow from counts.
    double const twice = 1 + std::log(2.0), length = std::sqrt(2.0);
    CHECK(product(0, 1) == Approx(0.5).margin(1e-5));
    CHECK(product(0, 3) == Approx(0).margin(1e-5));
    CHECK(product(2, 3) == Approx(twice / (length * std::sqrt(1 + twice * twice))).margin(1e-5));
    for (std::size_t k = 0; k < m.columns; ++k)
        CHECK(m.row(4)[k] ==
              Approx((m.row(0)[k] + m.row(1)[k] + m.row(2)[k] + m.row(3)[k]) / 4).margin(1e-5));
    CHECK(text_features(texts, 2).matrix.columns == 2);
    CHECK_THROWS_WITH(text_features({"one", "two"}, 2),
                      ContainsSubstring("no word is in the texts of two items"));
}
