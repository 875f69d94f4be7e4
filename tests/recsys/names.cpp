#include "recsys/names.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace polder::recsys;

TEST_CASE("the edit distance counts inserted, removed and replaced characters", "[names]") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("sam", "sam") == 0);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("sitting", "kitten") == 3);
    CHECK(edit_distance("lightgcn", "lightgnc") == 2);
}

TEST_CASE("the nearest names come first, far ones not at all", "[names]") {
    using Names = std::vector<std::string>;
    Names const known{"none", "sam", "asam", "bsam", "fisher_sam", "looksam", "lightgcn"};
    CHECK(nearest_names("samm", known) == Names{"sam", "asam", "bsam"});
    CHECK(nearest_names("lightgnc", known) == Names{"lightgcn"});
    CHECK(nearest_names("fisher", known) == Names{"fisher_sam"});
    CHECK(nearest_names("xyz", known).empty());
    CHECK(nearest_names("", known).empty());
}

TEST_CASE("a name that is not known is answered with what was meant", "[names]") {
    std::vector<std::string> const known{"sam", "none"};
    CHECK_THROWS_WITH(refuse_name("optimizer", "sma", known),
                      "unknown optimizer 'sma'; nearest: sam; known: sam, none");
    CHECK_THROWS_WITH(refuse_name("optimizer", "frobnicate", known),
                      "unknown optimizer 'frobnicate'; known: sam, none");
}
