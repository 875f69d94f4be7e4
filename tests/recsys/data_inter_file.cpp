#include "recsys/data/inter_file.hpp"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "recsys/data/dataset.hpp"
#include "recsys/data/describe.hpp"
#include "recsys/data/source.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;
using Interactions = std::vector<Interaction>;

Dataset parse(std::string const& text) { return parse_inter(text, "toy.inter"); }

std::string const header = "userID\titemID\tx_label\n";

}  // namespace

TEST_CASE("an .inter file becomes splits in the order of its rows", "[data]") {
    auto const data = parse(header + "0\t3\t0\n1\t0\t0\n0\t1\t1\n1\t2\t2\n0\t2\t0\n");
    CHECK(data.name == "toy");
    CHECK(data.n_users == 2);
    CHECK(data.n_items == 4);
    CHECK(data.train == Interactions{{0, 3}, {1, 0}, {0, 2}});
    CHECK(data.valid == Interactions{{0, 1}});
    CHECK(data.test == Interactions{{1, 2}});
}

TEST_CASE("columns are found by name, in any order and among others", "[data]") {
    auto const data =
        parse("timestamp\tx_label\titemID\trating\tuserID\n9.5\t0\t4\tgood\t1\n\t2\t5\t\t1\n");
    CHECK(data.train == Interactions{{1, 4}});
    CHECK(data.test == Interactions{{1, 5}});
}

TEST_CASE("line ends, a byte order mark and blank lines at the end do not matter", "[data]") {
    auto const expected = Interactions{{0, 1}, {1, 0}};
    CHECK(parse("userID\titemID\tx_label\r\n0\t1\t0\r\n1\t0\t0\r\n").train == expected);
    CHECK(parse(header + "0\t1\t0\n1\t0\t0").train == expected);
    CHECK(parse("\xEF\xBB\xBF" + header + "0\t1\t0\n1\t0\t0\n\n\r\n").train == expected);
}

TEST_CASE("ids count over all splits, and cold users are dropped and counted", "[data]") {
    auto const data = parse(header + "0\t0\t0\n4\t9\t1\n0\t1\t1\n4\t8\t2\n2\t7\t2\n");
    CHECK(data.n_users == 5);
    CHECK(data.n_items == 10);
    CHECK(data.valid == Interactions{{0, 1}});
    CHECK(data.test.empty());
    CHECK(data.dropped_valid == 1);
    CHECK(data.dropped_test == 2);
}

TEST_CASE("the smallest numbers are known, also those of rows that are dropped", "[data]") {
    auto const data = parse(header + "2\t3\t0\n3\t2\t1\n1\t1\t2\n");
    CHECK(data.dropped_test == 1);
    CHECK(data.first_user == 1);
    CHECK(data.first_item == 1);
    // Ids are counted from 0, whether or not the first of them has rows.
    TemporaryDirectory const folder;
    folder.write("data.inter", header + "1\t1\t0\n1\t2\t1\n");
    auto const load = [&] { return load_data({.name = (folder / "data.inter").string()}); };
    CHECK(load().first_user == 1);
    folder.write("users.tsv", "number\tid\n0\ta\n1\tb\n");
    CHECK(load().first_user == 0);
    CHECK(load().first_item == 1);
}

TEST_CASE("errors in an .inter file name file, line and what was expected", "[data]") {
    auto const fails = [](std::string const& text, std::string const& message) {
        CAPTURE(text);
        CHECK_THROWS_WITH(parse(text), ContainsSubstring(message));
    };
    fails("", "toy.inter:1: the file is empty, expected a header line with columns userID, itemID");
    fails("\n\n", "toy.inter:1: the file is empty");
    fails("userID\titemID\n0\t0\n", "toy.inter:1: column 'x_label' is missing");
    fails("userID,itemID,x_label\n", "separated by tabs, found: 'userID,itemID,x_label'");
    std::string many;
    for (int k = 0; k < 2000; ++k) many += "c\t";
    fails(many + "\n",
          "found: 'c', 'c', 'c', 'c', 'c', 'c', 'c', 'c', 'c', 'c', 'c', 'c' and 1989 more");
    fails("userID\titemID\tx_label\tuserID\n", "toy.inter:1: column 'userID' occurs twice");
    fails(header, "toy.inter: no row with x_label 0");
    fails(header + "0\t0\t1\n", "toy.inter: no row with x_label 0");
    fails(header + "0\t0\t0\n0\t1\n", "toy.inter:3: 2 fields, expected 3");
    fails(header + "0\t0\t0\t\n", "toy.inter:2: 4 fields, expected 3");
    fails(header + "0\t0\t0\n\n0\t1\t0\n", "toy.inter:3: 1 fields, expected 3");
    fails(header + "x\t0\t0\n", "toy.inter:2: userID is 'x', expected an integer");
    fails(header + "0\t1.5\t0\n", "toy.inter:2: itemID is '1.5', expected an integer");
    fails(header + "0\t\t0\n", "toy.inter:2: itemID is '', expected an integer");
    fails(header + "0\t +1\t0\n", "itemID is ' +1', expected an integer");
    fails(header + "0\t0\t0\n-1\t0\t0\n",
          "toy.inter:3: userID is '-1', expected an id of 0 or more");
    fails(header + "0\t-99999999999999999999\t0\n", "expected an id of 0 or more");
    fails(header + "0\t0\t3\n", "toy.inter:2: x_label is '3', expected 0 (train), 1 (valid) or 2");
    fails(header + "0\t0\t-1\n", "toy.inter:2: x_label is '-1', expected 0");
    fails(header + "0\t0\ttrain\n", "toy.inter:2: x_label is 'train', expected an integer");
    fails(header + "4000000000\t0\t0\n",
          "toy.inter:2: userID is '4000000000', expected an id below");
    fails(header + "0\t99999999999999999999\t0\n",
          "itemID is '99999999999999999999', expected an id");
    fails(header + std::string("\x01\x02\x03", 3) + "\t0\t0\n", "userID is '\?\?\?'");
    fails(header + std::string(1000, 'y') + "\t0\t0\n",
          "userID is '" + std::string(40, 'y') + "...'");
}

TEST_CASE("a directory is searched for its .inter file", "[data]") {
    TemporaryDirectory const folder;
    CHECK_THROWS_WITH(read_inter(folder / "absent"),
                      ContainsSubstring("no such file or directory"));
    CHECK_THROWS_WITH(read_inter(folder.path()),
                      ContainsSubstring("no .inter file in this directory"));
    folder.write("one.inter", header + "0\t1\t0\n");
    CHECK(read_inter(folder.path()).name == "one");
    folder.write("two.inter", header + "0\t2\t0\n");
    CHECK_THROWS_WITH(read_inter(folder.path()), ContainsSubstring("several .inter files") &&
                                                     ContainsSubstring("one.inter two.inter"));
    CHECK(read_inter(folder / "two.inter").train == Interactions{{0, 2}});
    auto const own_name = folder.path().filename().string() + ".inter";
    folder.write(own_name, header + "0\t3\t0\n");
    CHECK(read_inter(folder.path()).train == Interactions{{0, 3}});
    CHECK(read_inter(folder.path().string() + "/").train == Interactions{{0, 3}});
}

TEST_CASE("items of users are grouped, and made distinct on request", "[data]") {
    Interactions const rows{{1, 5}, {0, 3}, {1, 2}, {1, 5}, {3, 1}, {3, 1}};
    UserItems const all(rows, 4);
    CHECK(all.size() == 6);
    CHECK(std::vector<std::int32_t>(all[1].begin(), all[1].end()) ==
          std::vector<std::int32_t>{5, 2, 5});
    auto const distinct = UserItems::distinct(rows, 4);
    CHECK(distinct.size() == 4);
    CHECK(std::vector<std::int32_t>(distinct[1].begin(), distinct[1].end()) ==
          std::vector<std::int32_t>{2, 5});
    CHECK(distinct[2].empty());
    CHECK(distinct.contains(3, 1));
    CHECK_FALSE(distinct.contains(0, 5));
}

TEST_CASE("a description counts rows, pairs and degrees", "[data]") {
    auto const summary =
        describe(parse(header + "0\t0\t0\n0\t0\t0\n0\t1\t1\n1\t0\t0\n1\t3\t2\n2\t1\t1\n"));
    CHECK(summary.n_users == 3);
    CHECK(summary.n_items == 4);
    CHECK(summary.n_train == 3);
    CHECK(summary.n_valid == 1);
    CHECK(summary.n_test == 1);
    CHECK(summary.dropped_valid == 1);
    CHECK(summary.n_distinct_pairs == 4);
    CHECK(summary.n_duplicate_rows == 1);
    CHECK(summary.n_users_in_train == 2);
    CHECK(summary.n_items_in_train == 1);
    CHECK(summary.density == Approx(4.0 / 12));
    CHECK(summary.rows_per_user.mean == Approx(5.0 / 3));
    CHECK(summary.rows_per_user.quantiles.front() == 0);
    CHECK(summary.rows_per_user.quantiles[2] == 2);
    CHECK(summary.rows_per_user.quantiles.back() == 3);
}

TEST_CASE("the Baby and TikTok copies have the sizes of the protocol", "[data][shared]") {
    auto const folder = std::filesystem::path(POLDER_SHARED) / "data";
    if (!std::filesystem::exists(folder / "baby")) {
        WARN("skipped: " << folder << " is absent");
        return;
    }
    auto const baby = describe(read_inter(folder / "baby"));
    CHECK(baby.n_users == 19'445);
    CHECK(baby.n_items == 7'050);
    CHECK(baby.n_train == 118'551);
    CHECK(baby.n_valid == 20'559);
    CHECK(baby.n_test == 21'682);
    CHECK(baby.n_duplicate_rows == 0);
    CHECK(baby.dropped_valid + baby.dropped_test == 0);
    CHECK(baby.n_items_in_train == 7'048);
    auto const tiktok = describe(read_inter(folder / "tiktok"));
    CHECK(tiktok.n_users == 9'308);
    CHECK(tiktok.n_items == 6'710);
    CHECK(tiktok.n_train == 59'541);
    CHECK(tiktok.dropped_valid + tiktok.dropped_test == 10);
    CHECK(tiktok.n_items_in_train == 6'245);
}

TEST_CASE("data is found by what the command line calls it", "[data]") {
    DataSource source;
    source.name = "synthetic:tiny";
    CHECK(load_data(source).n_users == 300);
    source.n_users = 50;
    source.n_interactions = 600;
    CHECK(load_data(source).n_users == 50);
    source.name = "synthetic";
    CHECK_THROWS_WITH(load_data(source), ContainsSubstring("needs the numbers of users, items"));
    source.n_items = 40;
    CHECK(load_data(source).n_items == 40);
    source.name = "synthetic:babies";
    CHECK_THROWS_WITH(
        load_data(source),
        ContainsSubstring("unknown synthetic data set 'babies'; known: tiny, small, baby"));
    source.name = "/absent";
    CHECK_THROWS_WITH(load_data(source), ContainsSubstring("are for synthetic data"));
}
