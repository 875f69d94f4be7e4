#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <polder/polder.hpp>
#include <polder/state/state.hpp>

#include "support/temporary_directory.hpp"
#include "support/valley.hpp"

using namespace polder;
using polder::test::flat;
using polder::test::same_bits;
using polder::test::state_bytes;
using polder::test::Valley;

namespace {

using Layers = std::map<std::string, std::vector<double>>;

Layers layers(std::size_t bias = 2, std::size_t weight = 3) {
    Layers x{{"bias", std::vector<double>(bias)}, {"weight", std::vector<double>(weight)}};
    test::set_start(x);
    return x;
}

// A checkpoint of a BSAM on Adam after three steps.
template <class C>
void save(std::filesystem::path const& file, C x) {
    BSAM optimizer{Adam{.learning_rate = 0.1}};
    for (int t = 0; t < 3; ++t) optimizer.step(x, Valley{});
    save_checkpoint(file, optimizer, x, {{"epoch", "3"}});
}

// State that no fresh optimizer has. (A step would do, and take longer to compile.)
template <class Optimizer, class C>
void make_used(Optimizer& optimizer, C& x) {
    optimizer.bind(x);
    optimizer.visit_state([](std::string_view, auto&& state) {
        if constexpr (requires { state.begin(); }) {
            std::fill(state.begin(), state.end(), 7);
        } else {
            state = 7;
        }
    });
}

// Loading is refused with these words, and changes neither the optimizer nor the parameters.
template <class Optimizer, class C>
void refuses(std::filesystem::path const& file, Optimizer optimizer, C x,
             std::string const& message) {
    auto const fails = [&](Optimizer& target) {
        auto const before = flat(x);
        auto const state = state_bytes(target);
        CHECK_THROWS_WITH(load_checkpoint(file, target, x),
                          ContainsSubstring("polder: " + file.string() + ": ") &&
                              ContainsSubstring(message));
        CHECK_THROWS_AS(load_state(file, target, x), FileError);
        CHECK(same_bits(flat(x), before));
        CHECK(state_bytes(target) == state);
    };
    CAPTURE(message);
    fails(optimizer);
    make_used(optimizer, x);
    fails(optimizer);
}

}  // namespace

TEST_CASE("state goes on with parameters of one's own", "[state]") {
    const TemporaryDirectory folder;
    auto x = layers();
    BSAM optimizer{Adam{}}, resumed{Adam{}};
    optimizer.step(x, Valley{});
    save_state(folder / "state", optimizer, x, {{"epoch", "3"}, {"note", "ü"}});
    CHECK(SafetensorsFile(folder / "state").arrays().count("weight") == 0);

    auto y = x;
    auto const metadata = load_state(folder / "state", resumed, y);
    CHECK(metadata.at("epoch") == "3");
    CHECK(metadata.at("note") == "ü");
    CHECK(same_bits(flat(x), flat(y)));
    optimizer.step(x, Valley{});
    resumed.step(y, Valley{});
    CHECK(same_bits(flat(x), flat(y)));
    CHECK_THROWS_WITH(load_checkpoint(folder / "state", resumed, y),
                      ContainsSubstring("there is no array 'bias'"));
}

TEST_CASE("hyper-parameters and settings are those of the optimizer that is loaded into",
          "[state]") {
    const TemporaryDirectory folder;
    save(folder / "run", layers());
    BSAM optimizer{Adam{.learning_rate = 0.5}, {.rho = 0.25}};
    optimizer.set_threads(3);
    optimizer.set_non_finite(NonFinite::skip);
    auto x = layers();
    load_checkpoint(folder / "run", optimizer, x);
    CHECK(optimizer.base().learning_rate == 0.5);
    CHECK(optimizer.perturb().rho == 0.25);
    CHECK(optimizer.threads() == 3);
    CHECK(optimizer.non_finite() == NonFinite::skip);
    CHECK(optimizer.steps() == 3);
}

TEST_CASE("a fresh optimizer is saved as it would begin", "[state]") {
    const TemporaryDirectory folder;
    auto x = layers();
    SAM fresh{Adagrad{.initial_accumulator_value = 0.5}}, loaded = fresh;
    save_state(folder / "state", fresh, x);
    load_state(folder / "state", loaded, x);
    CHECK(state_bytes(loaded) == state_bytes(fresh));
    CHECK(loaded.steps() == 0);
}

TEST_CASE("the arrays of a checkpoint have the names and shapes of their blocks", "[state]") {
    const TemporaryDirectory folder;
    ParameterArena<float> x;
    x.add("embedding", 2, 3);
    x.add("bias", 4, 1);
    BSAM optimizer{SGD{.momentum = 0.5}};
    save_checkpoint(folder / "run", optimizer, x);
    const SafetensorsFile file(folder / "run");
    auto const array = [&](char const* name) {
        auto const& found = file.arrays().at(name);
        return found.dtype + " " + detail::to_text(found.shape);
    };
    CHECK(array("embedding") == "F32 (2, 3)");
    CHECK(array("bias") == "F32 (4)");
    CHECK(array("optimizer.momentum_buffer") == "F32 (10)");
    CHECK(array("optimizer.reference") == "F32 (10)");
    CHECK(array("optimizer.steps") == "U64 ()");
    std::size_t count = 2;  // blocks
    optimizer.visit_state([&](std::string_view, auto&&) { ++count; });
    CHECK(file.arrays().size() == count);
    CHECK(file.metadata("polder.method") ==
          "Sharpness<EuclideanBall, DistanceTo<MovingAverage, Cosine>, NoMix, SGD>");

    SSAM masked{SGD{}};
    save_checkpoint(folder / "masked", masked, x);
    const SafetensorsFile with_mask(folder / "masked");
    auto const& mask = with_mask.arrays().at("optimizer.mask");
    CHECK(mask.dtype == "U8");
    CHECK(mask.shape == ArrayShape{10});
}

TEST_CASE("groups, schedules and clipping go on as they were", "[state]") {
    const TemporaryDirectory folder;
    auto const make = [](std::vector<Group> groups) {
        BSAM optimizer{Adam{.learning_rate = 0.1}};
        optimizer.set_groups(std::move(groups));
        optimizer.set_learning_rate_schedule(
            [](std::uint64_t t) { return 1 / (1 + static_cast<double>(t)); });
        optimizer.set_rho_schedule([](std::uint64_t t) { return t < 4 ? 1 : 0.5; });
        optimizer.set_clipping({.norm = 0.01});
        optimizer.set_interval({.every = 3, .warm_up = 1});
        return optimizer;
    };
    const std::vector<Group> groups{{.name = "slow", .blocks = {"bias"}, .learning_rate = 0.01}};
    auto optimizer = make(groups), resumed = make(groups);
    auto x = layers();
    auto const run = [](auto& any, Layers& at, int steps) {
        for (int t = 0; t < steps; ++t) {
            any.group("slow").frozen = any.steps() % 2 == 0;
            any.step(at, Valley{});
        }
    };
    run(optimizer, x, 5);
    save_checkpoint(folder / "run", optimizer, x);
    auto y = layers();
    load_checkpoint(folder / "run", resumed, y);
    run(optimizer, x, 6);
    run(resumed, y, 6);
    CHECK(same_bits(flat(x), flat(y)));
    CHECK(state_bytes(optimizer) == state_bytes(resumed));
}

TEST_CASE("the base optimizer's steps in a block come from the file, whatever its group is then",
          "[state][groups]") {
    const TemporaryDirectory folder;
    const std::vector<Group> late{{.name = "late", .blocks = {"bias"}, .frozen = true}};
    Plain optimizer{Adam{.learning_rate = 0.1}};
    optimizer.set_groups(late);
    auto x = layers();
    for (int t = 0; t < 50; ++t) optimizer.step(x, Valley{});
    save_checkpoint(folder / "run", optimizer, x);
    optimizer.set_groups({});
    auto const start = x;
    for (int t = 0; t < 3; ++t) optimizer.step(x, Valley{});
    for (auto const& groups :
         {std::vector<Group>{}, std::vector<Group>{{.name = "other", .blocks = {"*"}}}}) {
        Plain resumed{Adam{.learning_rate = 0.1}};
        resumed.set_groups(groups);
        auto y = layers();
        load_checkpoint(folder / "run", resumed, y);
        CHECK(same_bits(flat(y), flat(start)));
        for (int t = 0; t < 3; ++t) resumed.step(y, Valley{});
        CHECK(same_bits(flat(x), flat(y)));
    }
}

TEST_CASE("state of another method, scalar, shape or options is refused with the difference",
          "[state]") {
    const TemporaryDirectory folder;
    auto const file = folder / "run";
    const BSAM bsam{Adam{}};
    save(file, layers());
    const std::string is =
        "holds the state of 'Sharpness<EuclideanBall, DistanceTo<MovingAverage, Cosine>, NoMix, "
        "Adam>', expected 'Sharpness<EuclideanBall, ";
    refuses(file, SAM{Adam{}}, layers(), is + "NoDistance, NoMix, Adam>'");
    refuses(file, BSAM{AdamW{}}, layers(),
            is + "DistanceTo<MovingAverage, Cosine>, NoMix, AdamW>'");
    refuses(file, BSAM{Adam{}, {}, Manhattan{}}, layers(),
            is + "DistanceTo<MovingAverage, Manhattan>, NoMix, Adam>'");
    using Singles = std::map<std::string, std::vector<float>>;
    refuses(file, bsam, Singles{{"bias", {1, 2}}, {"weight", {1, 2, 3}}},
            "holds state of scalars 'F64', expected 'F32'");
    refuses(file, bsam, layers(2, 4), "block 1 'weight' has 3 coordinates, expected 4");
    refuses(file, bsam, layers(1, 4), "block 0 'bias' has 2 coordinates, expected 1");
    refuses(file, bsam, std::vector<double>(2), "block 0 'bias' has another name, expected 'param");
    refuses(file, bsam, Layers{{"bias", {1, 2}}}, "has 2 blocks, expected 1");
    refuses(file, bsam, Layers{{"bias", {1, 2}}, {"weight", {1, 2, 3}}, {"z", {1}}},
            "has 2 blocks, expected 3");
    refuses(file, bsam, Layers{{"bias", {1, 2}}, {"height", {1, 2, 3}}},
            "block 1 'weight' has another name, expected 'height'");
    refuses(file, BSAM{Adam{.amsgrad = true}}, layers(), "no array 'optimizer.max_exp_avg_sq'");

    ParameterArena<double> wide, high;
    wide.add("w", 2, 3);
    high.add("w", 3, 2);
    save(file, wide);
    refuses(file, bsam, high, "block 0 'w' is 2 x 3, expected 3 x 2");

    auto x = layers();
    Plain with_momentum{SGD{.momentum = 0.5}};
    save_checkpoint(file, with_momentum, x);
    refuses(file, Plain{SGD{}}, x,
            "holds the array 'optimizer.momentum_buffer', which is no state");
}

TEST_CASE("an optimizer that is bound to another shape is not loaded into", "[state]") {
    const TemporaryDirectory folder;
    save(folder / "run", layers());
    BSAM optimizer{Adam{}};
    auto other = layers(5, 6), x = layers();
    optimizer.step(other, Valley{});
    auto const state = state_bytes(optimizer);
    auto const before = flat(x);
    CHECK_THROWS_AS(load_checkpoint(folder / "run", optimizer, x), std::invalid_argument);
    CHECK_THROWS_AS(save_checkpoint(folder / "new", optimizer, x), std::invalid_argument);
    CHECK(state_bytes(optimizer) == state);
    CHECK(same_bits(flat(x), before));
    CHECK_FALSE(std::filesystem::exists(folder / "new"));
}

TEST_CASE("a file that holds no state says so", "[state]") {
    const TemporaryDirectory folder;
    auto const file = folder / "run";
    const BSAM bsam{Adam{}};
    refuses(file, bsam, layers(), "no such file");
    folder.write("run", "text");
    refuses(file, bsam, layers(), "has 4 bytes, too few");

    SafetensorsWriter writer;
    auto const refuses_now = [&](std::string const& message) {
        writer.write(file);
        refuses(file, bsam, layers(), message);
    };
    refuses_now("holds no state of an optimizer");
    writer.add_metadata("polder.state", "4");
    refuses_now("holds state of version '4', expected '3'");
    for (char const* known : {"1", "2", "3"}) {  // 1: of polder 0.1
        writer.add_metadata("polder.state", known);
        refuses_now("the metadata has no 'polder.method'");
    }

    // As it should be, but for one thing after the other.
    BSAM optimizer{Adam{}};
    auto x = layers();
    add_state(writer, optimizer, x);
    for (auto const* blocks :
         {"{", "3", R"([{"name": "bias"}])",
          R"([{"name": 1, "rows": 2, "columns": 1, "row_major": true}])",
          R"([{"name": "b", "rows": "2", "columns": 1, "row_major": true}])"}) {
        writer.add_metadata("polder.blocks", blocks);
        refuses_now("'polder.blocks' in the metadata is damaged");
    }
    writer.add_metadata("polder.blocks", "[]");
    refuses_now("has 0 blocks, expected 2");
}

TEST_CASE("a checkpoint cut short anywhere is refused", "[state]") {
    const TemporaryDirectory folder;
    save(folder / "run", layers());
    auto const content = folder.read("run");
    BSAM optimizer{Adam{}};
    auto x = layers();
    optimizer.step(x, Valley{});
    auto const before = flat(x);
    auto const state = state_bytes(optimizer);
    for (std::size_t size = 0; size < content.size(); ++size) {
        CAPTURE(size);
        auto const file = folder.write("cut", content.substr(0, size));
        REQUIRE_THROWS_AS(load_checkpoint(file, optimizer, x), FileError);
        REQUIRE(same_bits(flat(x), before));
        REQUIRE(state_bytes(optimizer) == state);
    }
    load_checkpoint(folder / "run", optimizer, x);
    CHECK(state_bytes(optimizer) != state);
}

TEST_CASE("no flipped bit in a checkpoint is taken for state", "[state]") {
    const TemporaryDirectory folder;
    save(folder / "run", layers());
    auto content = folder.read("run");
    auto expected = layers();
    BSAM saved{Adam{}};
    load_checkpoint(folder / "run", saved, expected);
    std::size_t refused = 0;
#if defined(POLDER_SANITIZED)
    constexpr std::size_t stride =
        5;  // all of them take a minute; so each place of a byte has its turn
#else
    constexpr std::size_t stride = 1;
#endif
    for (std::size_t bit = 0; bit < 8 * content.size(); bit += stride) {
        CAPTURE(bit);
        auto const flip = [&] {
            content[bit / 8] = static_cast<char>(content[bit / 8] ^ 1 << bit % 8);
        };
        flip();
        auto const file = folder.write("flipped", content);
        flip();
        BSAM optimizer{Adam{}};
        auto x = layers();
        try {
            load_checkpoint(file, optimizer, x);
            // In the spaces, in metadata of others, or in the word that says where the checksum is.
            REQUIRE(same_bits(flat(x), flat(expected)));
            REQUIRE(state_bytes(optimizer) == state_bytes(saved));
        } catch (FileError const&) {
            ++refused;
            REQUIRE(same_bits(flat(x), flat(layers())));
            REQUIRE(optimizer.steps() == 0);
        }
    }
    CHECK(refused > 7 * content.size() / stride);
}

TEST_CASE("parameters that are read without state are those of a file that is whole", "[state]") {
    const TemporaryDirectory folder;
    save(folder / "run", layers());
    auto content = folder.read("run");
    // The last value in the file, which is of the state or of a parameter: the checksum is of all.
    content.back() = static_cast<char>(content.back() ^ 1);
    SafetensorsFile whole(folder / "run"), damaged(folder.write("damaged", content));
    auto x = layers();
    read_parameters(whole, x);
    CHECK_FALSE(same_bits(flat(x), flat(layers())));
    auto y = layers();
    CHECK_THROWS_WITH(read_parameters(damaged, y), ContainsSubstring("is damaged: the checksum"));
    CHECK(same_bits(flat(y), flat(layers())));
}

TEST_CASE("names that files need for themselves are refused", "[state]") {
    const TemporaryDirectory folder;
    BSAM optimizer{Adam{}};
    auto x = layers();
    CHECK_THROWS_WITH(save_state(folder / "run", optimizer, x, {{"polder.x", ""}}),
                      ContainsSubstring("metadata key 'polder.x'"));
    CHECK_THROWS_WITH(save_state(folder / "run", optimizer, x, {{"key", "\xff"}}),
                      ContainsSubstring("not UTF-8"));
    Layers taken{{"optimizer.x", {1, 2}}};
    BSAM other{Adam{}};
    CHECK_THROWS_WITH(save_checkpoint(folder / "run", other, taken),
                      ContainsSubstring("block 'optimizer.x': names that begin with 'optimizer.'"));
    std::map<std::string, Layers> same{{"a", {{"b.c", {1}}}}, {"a.b", {{"c", {1}}}}};
    BSAM third{Adam{}};
    CHECK_THROWS_WITH(save_checkpoint(folder / "run", third, same),
                      ContainsSubstring("array 'a.b.c': the name is taken"));
    CHECK(std::filesystem::is_empty(folder.path()));
}
