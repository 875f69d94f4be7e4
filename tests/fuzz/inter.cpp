// Interactions.
#include "recsys/data/inter_file.hpp"

#include "fuzz.hpp"

std::vector<std::string> seeds() {
    return {"userID\titemID\trating\ttimestamp\tx_label\n0\t0\t5.0\t1\t0\n1\t2\t4."
            "0\t2\t1\n0\t1\t1\t3\t2\n",
            "\xEF\xBB\xBFx_label\titemID\tuserID\r\n0\t0\t0\r\n\r\n", "userID\titemID\n0\t-1\n"};
}

void read_input(std::string const& text) {
    auto const data = polder::recsys::parse_inter(text, "input.inter");
    if (data.train.empty()) finding("a data set without training rows");
    for (auto const* split : {&data.train, &data.valid, &data.test})
        for (auto const& row : *split)
            if (row.user < 0 || row.user >= data.n_users || row.item < 0 ||
                row.item >= data.n_items)
                finding("an id that is out of range");
}
