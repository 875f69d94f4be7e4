// Tables of interactions as people have them: what is recognised, what is read, what is refused.
#include <cmath>
#include <fstream>
#include <string>
#include <vector>

#include "recsys/data/columns.hpp"
#include "recsys/data/inter_file.hpp"
#include "recsys/prepare/id_files.hpp"
#include "recsys/prepare/interactions.hpp"
#include "recsys/prepare/table.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace polder::recsys;

// "user item rating time label" of each row, with "-" for what is not there.
std::vector<std::string> texts_of_rows(RawInteractions const& data) {
    std::vector<std::string> result;
    auto const number = [](double value) {
        if (std::isnan(value)) return std::string("-");
        auto text = std::to_string(value);
        text.erase(text.find_last_not_of('0') + 1);
        return text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
    };
    for (auto const& row : data.rows)
        result.push_back(std::string(data.users[row.user]) + " " +
                         std::string(data.items[row.item]) + " " + number(double{row.rating}) +
                         " " + number(row.time) + " " +
                         (row.label == no_label ? "-" : std::to_string(row.label)));
    return result;
}

struct TableReading {
    TemporaryDirectory folder;
    std::string said;
    RawInteractions data;

    std::vector<std::string> operator()(std::string const& name, std::string const& text,
                                        TableChoice const& choice = {}) {
        folder.write(name, text);
        data = {};
        said = read_interactions((folder / name).string(), choice, data);
        return texts_of_rows(data);
    }
};

using ReadRows = std::vector<std::string>;

}  // namespace

TEST_CASE("layouts of tables are recognised and said", "[prepare]") {
    TableReading read;
    auto const says = [&](std::string const& text) {
        CHECK_THAT(read.said, ContainsSubstring(text));
    };

    CHECK(read("ratings.csv",
               "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n1,1029,3.0,1260759179\n") ==
          ReadRows{"1 31 2.5 1260759144 -", "1 1029 3 1260759179 -"});
    says("MovieLens's ratings.csv; user is 'userId', item is 'movieId'");

    CHECK(read("u.data", "196\t242\t3\t881250949\n186\t302\t3\t891717742\n") ==
          ReadRows{"196 242 3 881250949 -", "186 302 3 891717742 -"});
    says("u.data, without a header; user is column 1, item is column 2, rating is column 3");

    CHECK(read("ratings.dat", "1::1193::5::978300760\n1::661::3::978302109\n") ==
          ReadRows{"1 1193 5 978300760 -", "1 661 3 978302109 -"});
    says("ratings.dat");

    CHECK(read("a.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\ti\t3."
                          "0\t881250949\n") == ReadRows{"u i 3 881250949 -"});
    says("RecBole's atomic file");

    CHECK(read("amazon.csv",
               "rating,parent_asin,user_id,timestamp\n5.0,B00YQ6X8EO,AGBZ,1588687728923\n") ==
          ReadRows{"AGBZ B00YQ6X8EO 5 1588687728923 -"});
    says("Amazon's reviews of 2023");

    CHECK(read("no_header.csv", "A1,0439893577,1.0,1392595200\nA2,0439893577,4.0,1399248000\n") ==
          ReadRows{"A1 0439893577 1 1392595200 -", "A2 0439893577 4 1399248000 -"});
    // Amazon of 2018 has the product first.
    CHECK(read("item_first.csv", "B00YQ6X8EO,A1ABC,1.0,1392595200\n") ==
          ReadRows{"A1ABC B00YQ6X8EO 1 1392595200 -"});

    CHECK(read("reviews.jsonl", "{\"rating\": 5.0, \"title\": \"Such \\u00e9\", \"parent_asin\": "
                                "\"B1\", \"user_id\": \"U\", "
                                "\"timestamp\": 1588, \"images\": [{\"user_id\": \"no\"}]}\n\n"
                                "{\"user_id\": 7, \"parent_asin\": \"B2\"}\n") ==
          ReadRows{"U B1 5 1588 -", "7 B2 - - -"});
    says("JSON lines; user is 'user_id', item is 'parent_asin'");

    CHECK(read("split.inter", "userID\titemID\tx_label\nA\tX\t0\nA\tY\t2\n") ==
          ReadRows{"A X - - 0", "A Y - - 2"});
    says("an .inter file");
}

TEST_CASE("CSV is read with quotes, CRLF, a byte order mark and any separator", "[prepare]") {
    TableReading read;
    CHECK(read("quotes.csv", "\xEF\xBB\xBFtext,\"user\",item\r\n\"a, "
                             "\"\"b\"\"\nline\",\"u,1\",\"i\"\"2\"\r\n,u2,i3\r\n") ==
          ReadRows{"u,1 i\"2 - - -", "u2 i3 - - -"});
    CHECK(read("semicolon.csv", "user;item\nu;i\n") == ReadRows{"u i - - -"});
    CHECK(read("pipe.txt", "user|item\nu|i\n") == ReadRows{"u i - - -"});
    CHECK(read("blanks.txt", "user item\nu   i\n") == ReadRows{"u i - - -"});
    // A tab-separated file seldom quotes: half a quote is text.
    CHECK(read("half.tsv",
               "user\titem\ttitle\nu\ti\t\"Best\" of all\nu\tj\t\"whole\"\n\"v\"\tk\t\"\n") ==
          ReadRows{"u i - - -", "u j - - -", "v k - - -"});
    CHECK(read("no_end.csv", "user,item\nu,i") == ReadRows{"u i - - -"});
    CHECK(read("utf8.csv", "user,item\nJos\xC3\xA9,\xE6\x97\xA5\n") ==
          ReadRows{"Jos\xC3\xA9 \xE6\x97\xA5 - - -"});
    CHECK(read("empty_fields.csv", "user,item,rating\n,i,1\nu,,1\nu,i,\n") ==
          ReadRows{"u i - - -"});
    CHECK(read.data.n_read == 3);
    CHECK(read.data.n_without == 2);
    CHECK(read("dates.csv", "user,item,date\nu,i,2023-05-01\nu,j,1970-01-02 "
                            "00:00:01\nu,k,1970-01-01T01:00:00.5Z\n") ==
          ReadRows{"u i - 1682899200 -", "u j - 86401 -", "u k - 3600.5 -"});
}

TEST_CASE("columns are given by name and by number", "[prepare]") {
    TableReading read;
    TableChoice choice;
    choice.user = "who";
    choice.item = "what";
    CHECK(read("names.csv", "what,who,when\ni,u,5\n", choice) == ReadRows{"u i - - -"});
    choice.timestamp = "when";
    CHECK(read("names.csv", "what,who,when\ni,u,5\n", choice) == ReadRows{"u i - 5 -"});
    choice = {};
    choice.has_no_header = true;
    choice.user = "3";
    choice.item = "1";
    CHECK(read("numbers.tsv", "i\tx\tu\n", choice) == ReadRows{"u i - - -"});
    choice.separator = "--";
    CHECK(read("odd.txt", "i--x-y--u\n", choice) == ReadRows{"u i - - -"});
    choice.user = "4";
    CHECK_THROWS_WITH(
        read("odd.txt", "i--x--u\n", choice),
        ContainsSubstring("--user 4: there is no such column; the file has no header, "
                          "expected a number from 1 to 3"));
}

TEST_CASE("a wrong table is refused with its line", "[prepare]") {
    TableReading read;
    auto const fails = [&](std::string const& text, std::string const& message) {
        CAPTURE(text);
        CHECK_THROWS_WITH(read("t.csv", text), ContainsSubstring(message));
    };
    fails("", "t.csv: the file is empty");
    fails("user,item\nu,i\nu\n", "t.csv:3: 1 fields, expected 2 as in the first line");
    fails("user,item,rating\nu,i,good\n", "t.csv:2: the rating is 'good', expected a number");
    fails("user,item,timestamp\nu,i,soon\n",
          "t.csv:2: the timestamp is 'soon', expected a number or a date");
    fails("user,item,x_label\nu,i,3\n", "t.csv:2: x_label is '3', expected 0 (train)");
    fails("user,item\nu,\"i\n", "t.csv:2: a quote has no end");
    fails("user,item\nu,\"i\"x\n", "t.csv:2: text follows the closing quote");
    fails("user,item\n\"a\nb\",i\nu,i,j\n", "t.csv:4: 3 fields");
    fails("user,item\nJos\xE9,i\n", "t.csv:2: the user is not UTF-8");
    fails("name,colour\nu,red\n",
          "neither names of columns that are known nor a row of data: 'name', 'colour'");
    fails("user,colour\nu,red\n",
          "no column is known as that of the items; expected --item NAME, one of: user, colour");
    fails("one\ntwo\n", "a single column");
    fails("{\"user\": 1, \"item\": 2}\n{\"user\": 1\n", "t.csv:2: is no JSON object");
    fails("[{\"user\": 1}]\n", "begins as a JSON array, expected an object on each line");
    CHECK_THROWS_WITH(read_interactions("/absent.csv", {}, read.data),
                      ContainsSubstring("/absent.csv: no such file"));
}

TEST_CASE("a file that is no .inter file is answered with the layout that it looks like",
          "[prepare]") {
    auto const says = [](std::string const& text, std::string const& message) {
        CAPTURE(text);
        CHECK_THROWS_WITH(parse_inter(text, "t.csv"),
                          ContainsSubstring(message) &&
                              ContainsSubstring("polder-recsys prepare t.csv --output DIR"));
    };
    says("userId,movieId,rating,timestamp\n1,2,3,4\n", "it looks like MovieLens's ratings.csv");
    says("196\t242\t3\t881250949\n", "it looks like MovieLens's u.data");
    says("1::2::3::4\n", "it looks like MovieLens's ratings.dat");
    says("user_id:token\titem_id:token\n1\t2\n", "it looks like RecBole's atomic file");
    says("{\"user_id\": 1}\n", "it looks like JSON lines");
    says("userID,itemID,x_label\n0,0,0\n", "column 'userID' is missing");
    says("userID\titemID\tx_label\nA1\tB2\t0\n",
         "userID is 'A1', expected an integer; ids may be text");
    // What looks like nothing gets no advice.
    try {
        parse_inter("colour\tshape\n", "t.csv");
        FAIL("was taken");
    } catch (std::runtime_error const& error) {
        CHECK_THAT(error.what(), !ContainsSubstring("prepare"));
    }
}

TEST_CASE("numbers and dates are read exactly or not at all", "[prepare]") {
    for (std::string const text : {"0", "-3", "4.5", "881250949", "1588687728923", "0.1", ".5",
                                   "3.", "1e-3", "123456789012345678", "0.30000000000000004"}) {
        CAPTURE(text);
        REQUIRE(parse_number(text));
        CHECK(*parse_number(text) == std::stod(text));
    }
    for (std::string const text :
         {"", " ", "x", "1x", "1.2.3", "-", ".", "nan", "inf", "1e999", "0x10", "--1"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_number(text));
    }
    CHECK(parse_date("2000-03-01") == 951868800.0);
    CHECK(parse_date("1969-12-31") == -86400.0);
    CHECK(parse_date("2023-05-01T12:30") == 1682944200.0);
    for (std::string const text :
         {"2023", "2023-13-01", "2023-05-01x", "2023-05-01 25:00", "05/01/2023"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_date(text));
    }
    CHECK(is_utf8("a\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80"));
    for (std::string const text : {"\xC3", "\xE9t", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80"})
        CHECK_FALSE(is_utf8(text));
}

TEST_CASE("tables of ids come back as they were", "[prepare]") {
    IdTable table;
    table.ids.number("plain");
    table.ids.number("a\tb\\n\nc");
    table.titles = {"A title", ""};
    TemporaryDirectory const folder;
    folder.write("items.tsv", text_of_ids(table));
    auto const read = read_id_table(folder / "items.tsv");
    CHECK(read.ids.size() == 2);
    CHECK(read.ids[1] == "a\tb\\n\nc");
    CHECK(read.titles == table.titles);
    Names const names(folder.path(), "items.tsv", "item", 2);
    CHECK(names(0) == "plain");
    CHECK(names.title(0) == "A title");
    CHECK(names.number("plain") == 0);
    CHECK_THROWS_WITH(names.number("other"), ContainsSubstring("item 'other' is not in"));
    CHECK_THROWS_WITH(Names(folder.path(), "items.tsv", "item", 3),
                      ContainsSubstring("has 2 ids, expected those of 3 items"));
    Names const numbers(folder.path(), "users.tsv", "user", 3);
    CHECK(numbers(2) == "2");
    CHECK(numbers.number("2") == 2);
    CHECK_THROWS_WITH(numbers.number("3"), ContainsSubstring("user 3, expected 0 to 2"));
    folder.write("bad.tsv", "number\tid\n0\ta\n2\tb\n");
    CHECK_THROWS_WITH(read_id_table(folder / "bad.tsv"),
                      ContainsSubstring("bad.tsv:3: the number is '2', expected 1"));
    folder.write("twice.tsv", "number\tid\n0\ta\n1\ta\n");
    CHECK_THROWS_WITH(read_id_table(folder / "twice.tsv"),
                      ContainsSubstring("twice.tsv:3: the id 'a' occurs twice"));
}

TEST_CASE("ids are sorted as numbers where they are numbers", "[prepare]") {
    auto const sorted = [](std::vector<std::string> const& all) {
        Ids ids;
        for (auto const& each : all) ids.number(each);
        std::vector<std::string> result;
        for (auto const n : ids.sorted()) result.emplace_back(ids[n]);
        return result;
    };
    CHECK(sorted({"10", "9", "100"}) == ReadRows{"9", "10", "100"});
    CHECK(sorted({"10", "9", "a"}) == ReadRows{"10", "9", "a"});
    CHECK(sorted({"10", "09"}) == ReadRows{"09", "10"});
    Ids many;
    for (int n = 0; n < 10'000; ++n)
        CHECK(many.number("id" + std::to_string(n)) == static_cast<std::uint32_t>(n));
    for (int n = 0; n < 10'000; n += 7)
        CHECK(many.find("id" + std::to_string(n)) == static_cast<std::uint32_t>(n));
    CHECK_FALSE(many.find("id"));
}
