#include "recsys/prepare/steps.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "recsys/prepare/table.hpp"
#include "recsys/random.hpp"

namespace polder::recsys {

namespace {

std::vector<std::string> split_at_commas(std::string_view text) {
    std::vector<std::string> result;
    for (;;) {
        auto const end = text.find(',');
        result.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return result;
        text.remove_prefix(end + 1);
    }
}

std::size_t whole(std::string_view text, std::string const& option) {
    std::size_t value = 0;
    auto const result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec != std::errc{} || result.ptr != text.data() + text.size() || value < 1 ||
        value > 1'000'000'000)
        throw std::invalid_argument(option + ": " + shown_text(text) +
                                    ", expected a whole number from 1 to 1000000000");
    return value;
}

// Where each user's rows begin; the rows are in the order of users.
std::vector<std::size_t> begins_of_users(RawInteractions const& data) {
    std::vector<std::size_t> begin(data.users.size() + 1);
    for (auto const& row : data.rows) ++begin[row.user + 1];
    for (std::size_t user = 1; user < begin.size(); ++user) begin[user] += begin[user - 1];
    return begin;
}

std::size_t count_present_ids(std::vector<RawRow> const& rows, std::size_t n,
                              std::uint32_t RawRow::*id) {
    std::vector<bool> is_there(n);
    for (auto const& row : rows) is_there[row.*id] = true;
    return static_cast<std::size_t>(std::count(is_there.begin(), is_there.end(), true));
}

void require_times(RawInteractions const& data, std::string const& what) {
    auto const n = std::count_if(data.rows.begin(), data.rows.end(),
                                 [](RawRow const& row) { return std::isnan(row.time); });
    if (!data.has_time || n > 0)
        throw std::runtime_error(
            "--split " + what + ": " +
            (data.has_time ? std::to_string(n) + " rows have no timestamp"
                           : "there is no column of timestamps in all files") +
            "; expected times, --timestamp NAME, or --split random:0.8,0.1,0.1");
}

// Seconds per unit of the times, by their size: seconds, milliseconds or microseconds since 1970.
double unit_of_times(RawInteractions const& data) {
    double largest = 0;
    for (auto const& row : data.rows)
        if (row.time > largest) largest = row.time;
    return largest >= 1e14 ? 1e-6 : largest >= 1e11 ? 1e-3 : 1;
}

}  // namespace

Duplicates parse_duplicates(std::string const& text) {
    if (text == "first") return Duplicates::first;
    if (text == "last") return Duplicates::last;
    if (text == "once") return Duplicates::once;
    if (text == "all") return Duplicates::all;
    throw std::invalid_argument("--duplicates: " + shown_text(text) +
                                ", expected first, last, once or all");
}

KCore parse_k_core(std::string const& text) {
    KCore core;
    for (auto const& part : split_at_commas(text)) {
        auto const colon = part.find(':');
        if (colon == std::string::npos) {
            core.users = core.items = whole(part, "--k-core");
            continue;
        }
        auto const whose = part.substr(0, colon);
        auto const k = whole(std::string_view(part).substr(colon + 1), "--k-core");
        if (whose != "users" && whose != "items" && whose != "both")
            throw std::invalid_argument("--k-core: " + shown_text(whose) +
                                        ", expected K, users:K, items:K or users:K,items:L");
        if (whose != "items") core.users = k;
        if (whose != "users") core.items = k;
    }
    return core;
}

Split parse_split(std::string const& text) {
    using Kind = Split::Kind;
    auto const colon = text.find(':');
    auto const kind = text.substr(0, colon);
    auto const rest = colon == std::string::npos ? std::string() : text.substr(colon + 1);
    auto const refuse = [&]() -> std::invalid_argument {
        return std::invalid_argument(
            "--split: " + shown_text(text) +
            ", expected random:0.8,0.1,0.1, time:0.8,0.1,0.1, leave-one-out, "
            "global-time:DATE,DATE or given; shares are of train, valid and test, from 0 to 1, "
            "and their sum is 1");
    };
    Split split;
    auto const parts = split_at_commas(rest);
    if (kind == "given" || kind == "leave-one-out") {
        if (colon != std::string::npos) throw refuse();
        split.kind = kind == "given" ? Kind::given : Kind::leave_one_out;
    } else if (kind == "random" || kind == "time") {
        split.kind = kind == "random" ? Kind::random : Kind::time;
        if (colon == std::string::npos) return split;
        if (parts.size() != 3) throw refuse();
        std::vector<double> shares;
        for (auto const& part : parts) {
            auto const share = parse_number(part);
            if (!share || *share < 0 || *share > 1) throw refuse();
            shares.push_back(*share);
        }
        if (std::abs(shares[0] + shares[1] + shares[2] - 1) > 1e-9 || shares[0] <= 0)
            throw refuse();
        split.valid = shares[1];
        split.test = shares[2];
    } else if (kind == "global-time") {
        split.kind = Kind::global_time;
        if (parts.size() != 2) throw refuse();
        std::vector<double> times;
        for (auto const& part : parts) {
            auto const date = parse_date(part);
            auto const number = parse_number(part);
            if (!date && !number) throw refuse();
            split.are_dates = date.has_value();
            times.push_back(date ? *date : *number);
        }
        if (parse_date(parts[0]).has_value() != parse_date(parts[1]).has_value() ||
            times[1] < times[0])
            throw std::invalid_argument("--split: " + shown_text(text) +
                                        ", expected two dates or two numbers, the earlier first");
        split.valid_from = times[0];
        split.test_from = times[1];
    } else {
        throw refuse();
    }
    return split;
}

StepCount count_step(std::string step, RawInteractions const& data) {
    return {std::move(step), data.rows.size(),
            count_present_ids(data.rows, data.users.size(), &RawRow::user),
            count_present_ids(data.rows, data.items.size(), &RawRow::item)};
}

void filter_ratings(RawInteractions& data, double least) {
    std::erase_if(data.rows, [&](RawRow const& row) {
        return !(row.rating >= static_cast<float>(least));  // also what is not a number
    });
}

void drop_duplicates(RawInteractions& data, Duplicates which) {
    if (which == Duplicates::all) return;
    auto const begin = begins_of_users(data);
    auto& rows = data.rows;
    std::vector<std::size_t> order;
    std::vector<bool> stays(rows.size());
    for (std::size_t user = 0; user + 1 < begin.size(); ++user) {
        order.clear();
        for (auto k = begin[user]; k < begin[user + 1]; ++k) order.push_back(k);
        // By item; the rows of one are by time already.
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return std::pair(rows[a].item, a) < std::pair(rows[b].item, b);
        });
        for (std::size_t k = 0; k < order.size();) {
            auto end = k + 1;
            while (end < order.size() && rows[order[end]].item == rows[order[k]].item) ++end;
            auto const kept = order[which == Duplicates::last ? end - 1 : k];
            stays[kept] = true;
            for (auto other = k; which == Duplicates::once && other < end; ++other) {
                auto const& row = rows[order[other]];
                if (!(row.rating <= rows[kept].rating)) rows[kept].rating = row.rating;
                rows[kept].label = std::min(rows[kept].label, row.label);
            }
            k = end;
        }
    }
    std::size_t n = 0;
    for (std::size_t k = 0; k < rows.size(); ++k)
        if (stays[k]) rows[n++] = rows[k];
    rows.resize(n);
}

void take_k_core(RawInteractions& data, KCore const& core) {
    if (core.users <= 1 && core.items <= 1) return;
    std::vector<std::uint32_t> of_user, of_item;
    for (std::size_t before = data.rows.size() + 1; before != data.rows.size();) {
        before = data.rows.size();
        of_user.assign(data.users.size(), 0);
        of_item.assign(data.items.size(), 0);
        for (auto const& row : data.rows) {
            ++of_user[row.user];
            ++of_item[row.item];
        }
        std::erase_if(data.rows, [&](RawRow const& row) {
            return of_user[row.user] < core.users || of_item[row.item] < core.items;
        });
    }
}

void split_rows(RawInteractions& data, Split const& split, std::uint64_t seed) {
    using Kind = Split::Kind;
    if (split.kind == Kind::given) {
        if (!data.has_label)
            throw std::runtime_error("--split given: there is no column x_label in all files");
        return;
    }
    if (split.kind == Kind::time) require_times(data, "time");
    if (split.kind == Kind::global_time) {
        require_times(data, "global-time");
        double const unit = split.are_dates ? unit_of_times(data) : 1;
        for (auto& row : data.rows) {
            double const time = row.time * unit;
            row.label = time < split.valid_from ? 0 : time < split.test_from ? 1 : 2;
        }
        return;
    }
    bool const is_by_time = split.kind != Kind::random && data.has_time;
    std::vector<std::uint64_t> of_item(data.items.size());
    for (std::size_t item = 0; item < of_item.size(); ++item)
        of_item[item] = Random(0, data.items[item]).next();
    struct Drawn {
        double time;
        std::uint64_t draw;
        std::size_t row;
    };
    std::vector<Drawn> drawn;
    auto const begin = begins_of_users(data);
    for (std::size_t user = 0; user + 1 < begin.size(); ++user) {
        Random const of_user(seed, "split", data.users[user]);
        drawn.clear();
        for (auto k = begin[user]; k < begin[user + 1]; ++k) {
            auto const& row = data.rows[k];
            // A pair that occurs several times is drawn as one where times do not tell.
            drawn.push_back({is_by_time && !std::isnan(row.time) ? row.time : 0,
                             of_user.with(of_item[row.item]).next(), k});
        }
        std::sort(drawn.begin(), drawn.end(), [](Drawn const& a, Drawn const& b) {
            return std::tie(a.time, a.draw, a.row) < std::tie(b.time, b.draw, b.row);
        });
        auto const n = drawn.size();
        std::size_t n_valid = n > 2 ? 1 : 0, n_test = n > 1 ? 1 : 0;
        if (split.kind != Kind::leave_one_out) {
            // 1e-9: 0.1 of 30 is 3, whatever the rounding of 0.1.
            auto const share = [&](double of) {
                return static_cast<std::size_t>(of * static_cast<double>(n) + 1e-9);
            };
            n_test = split.test > 0 ? std::max(share(split.test), n_test) : 0;
            n_valid = split.valid > 0 ? std::max(share(split.valid), n_valid) : 0;
            if (split.valid > 0 && split.test == 0 && n > 1)
                n_valid = std::max<std::size_t>(n_valid, 1);
        }
        for (std::size_t k = 0; k < n; ++k)
            data.rows[drawn[k].row].label = k + n_test >= n ? 2 : k + n_test + n_valid >= n ? 1 : 0;
    }
}

void drop_known_rows(RawInteractions& data) {
    auto const begin = begins_of_users(data);
    std::vector<std::uint32_t> known;
    std::vector<bool> goes(data.rows.size());
    for (std::size_t user = 0; user + 1 < begin.size(); ++user) {
        known.clear();
        for (auto k = begin[user]; k < begin[user + 1]; ++k)
            if (data.rows[k].label == 0) known.push_back(data.rows[k].item);
        std::sort(known.begin(), known.end());
        for (auto k = begin[user]; k < begin[user + 1]; ++k)
            goes[k] = data.rows[k].label != 0 &&
                      std::binary_search(known.begin(), known.end(), data.rows[k].item);
    }
    std::size_t n = 0;
    for (std::size_t k = 0; k < data.rows.size(); ++k)
        if (!goes[k]) data.rows[n++] = data.rows[k];
    data.rows.resize(n);
}

Untrained count_untrained(RawInteractions const& data) {
    std::vector<bool> users(data.users.size()), items(data.items.size());
    for (auto const& row : data.rows)
        if (row.label == 0) users[row.user] = items[row.item] = true;
    auto const count = [](std::vector<bool> const& trained, std::size_t n_present) {
        return n_present -
               static_cast<std::size_t>(std::count(trained.begin(), trained.end(), true));
    };
    return {count(users, count_present_ids(data.rows, users.size(), &RawRow::user)),
            count(items, count_present_ids(data.rows, items.size(), &RawRow::item))};
}

}  // namespace polder::recsys
