// golden_models --dir DIR [--device DEVICE]: compares the models of the recommender suite with reference
// implementations on complete, tiny training steps.
//
// Every *.json file of DIR must have the schema golden-model-1: data, graphs, hyper-parameters,
// parameters and a batch, and what the reference computes from them. Of each case the graphs, the
// loss and its terms, the gradient of every parameter and every score are checked.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <polder/blocks/arena.hpp>

#include "golden/gpu.hpp"
#include "golden/json_path.hpp"
#include "golden/references.hpp"
#include "recsys/data/dataset.hpp"
#include "recsys/models/common_items.hpp"
#include "recsys/models/device_models.hpp"
#include "recsys/models/graph.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/random.hpp"

namespace {

using golden::JsonPath;
using golden::Reference;
using namespace polder::recsys;
using polder::ParameterArena;
namespace fs = std::filesystem;

// Throws CLI::ValidationError for a device that the program was not built for.
void check_device(std::string const& device) {
#if !defined(POLDER_GOLDEN_CUDA)
    if (device == "cuda")
        throw CLI::ValidationError("--device cuda",
                                   "this program was built without CUDA; configure with "
                                   "-DPOLDER_CUDA=ON where nvcc of CUDA 12.4 or later is found");
#endif
#if !defined(POLDER_GOLDEN_THRUST)
    if (device == "thrust-cpp")
        throw CLI::ValidationError("--device thrust-cpp",
                                   "this program was built without Thrust; install it (apt: "
                                   "libthrust-dev) and configure again");
#endif
    static_cast<void>(device);
}

template <class T>
std::unique_ptr<AnyModel<T>> make_model_on(std::string_view device, std::string_view name,
                                           Dataset const& data, Settings const& settings) {
#if defined(POLDER_GOLDEN_CUDA)
    if (device == "cuda") return make_model_on_cuda<T>(name, data, settings);
#endif
#if defined(POLDER_GOLDEN_THRUST)
    if (device == "thrust-cpp") return make_model_on_thrust<T>(name, data, settings);
#endif
    static_cast<void>(device);
    return make_model<T>(name, data, settings, 1);
}

struct Tolerance {
    double relative;
    double absolute;
};
constexpr Tolerance in_double{1e-9, 1e-13};
constexpr Tolerance in_float{1e-4, 1e-7};

// |a - b| <= relative * max(|b|, largest |entry|) + absolute, for every entry b of `expected`.
void compare(std::string const& what, std::vector<double> const& found,
             std::vector<double> const& expected, Tolerance tolerance) {
    if (found.size() != expected.size())
        throw std::runtime_error(
            fmt::format("{} has {} entries, expected {}", what, found.size(), expected.size()));
    double largest = 0;
    for (const double b : expected) largest = std::max(largest, std::abs(b));
    for (std::size_t k = 0; k < expected.size(); ++k) {
        if (!(std::abs(found[k] - expected[k]) <=
              tolerance.relative * largest + tolerance.absolute))
            throw std::runtime_error(
                fmt::format("{}[{}] is {:.17g}, expected {:.17g}", what, k, found[k], expected[k]));
    }
}

// The same for one number, of which `scale` is a typical magnitude.
void compare(std::string const& what, double found, double expected, Tolerance tolerance,
             double scale = 0) {
    if (!(std::abs(found - expected) <=
          tolerance.relative * std::max(std::abs(expected), scale) + tolerance.absolute))
        throw std::runtime_error(
            fmt::format("{} is {:.17g}, expected {:.17g}", what, found, expected));
}

constexpr std::int64_t largest_size = 1'000'000'000;

using Shape = std::vector<std::size_t>;

Shape read_shape(JsonPath const& shape) {
    Shape result;
    for (auto const& size : shape.list())
        result.push_back(static_cast<std::size_t>(size.integer(1, largest_size)));
    if (result.empty()) shape.fail("at least one size");
    return result;
}

std::size_t size_of(Shape const& shape) {
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    return size;
}

std::uint64_t read_seed(JsonPath const& seed) {
    if (!seed.value().is_number_unsigned()) seed.fail("an integer >= 0");
    return seed.value().get<std::uint64_t>();
}

// scale * (2 u_k - 1), u from the splitmix64 stream that starts at `seed`.
std::vector<double> generated(std::uint64_t seed, double scale, std::size_t size) {
    std::vector<double> result(size);
    Random stream(Random::State{seed, 0});
    for (double& value : result) value = scale * (2 * stream.uniform() - 1);
    return result;
}

// What is recorded of a gradient that is too large to be listed.
struct Summary {
    double sum, sum_of_squares, dot;
    std::vector<double> direction;  // of `dot`
    std::vector<std::int32_t> index;
    std::vector<double> sample;
};

struct Parameter {
    std::string name;
    Shape shape;
    bool takes_part = true;  // in the loss
    std::vector<double> value;
    std::vector<double> gradient;  // zeros where the file has none, empty where it has a summary
    std::optional<Summary> summary;
};

Parameter read_parameter(JsonPath const& from) {
    Parameter result;
    result.name = from["name"].text();
    result.shape = read_shape(from["shape"]);
    if (!from["trained"].value().is_boolean()) from["trained"].fail("true or false");
    const std::size_t size = size_of(result.shape);
    if (from.has("value_generator")) {
        auto const generator = from["value_generator"];
        if (generator["generator"].text() != "splitmix64")
            generator["generator"].fail("\"splitmix64\"");
        result.value = generated(read_seed(generator["seed"]), generator["scale"].number(), size);
    } else {
        result.value = from["value"].numbers(size);
    }
    if (from.has("grad_summary")) {
        auto const summary = from["grad_summary"];
        auto index = summary["index"].ids(static_cast<std::int64_t>(size));
        auto sample = summary["value"].numbers(index.size());
        result.summary = {
            summary["sum"].number(), summary["sum_sq"].number(),
            summary["dot"].number(), generated(read_seed(summary["dot_seed"]), 1, size),
            std::move(index),        std::move(sample)};
    } else if (from["grad"].value().is_null()) {
        result.gradient.assign(size, 0);
        result.takes_part = false;
    } else {
        result.gradient = from["grad"].numbers(size);
    }
    return result;
}

struct Case {
    Dataset data;
    std::vector<std::int32_t> users, positives, negatives;
    Settings hyper_parameters;
    std::vector<std::pair<std::string, JsonPath>> graphs;
    std::map<std::string, std::vector<double>> fixed;  // random objects, as Noise takes them
    std::uint64_t batch_number = 0;
    std::vector<Parameter> parameters;
    std::map<std::string, double> terms;
    double loss;
    std::vector<double> scores;
};

// A list with its shape.
std::vector<double> read_tensor(JsonPath const& from) {
    return from["data"].numbers(size_of(read_shape(from["shape"])));
}

std::optional<FeatureMatrix> read_features(JsonPath const& data, std::string const& name) {
    if (!data.has(name)) return {};
    auto const shape = read_shape(data[name]["shape"]);
    if (shape.size() != 2) data[name]["shape"].fail("two sizes");
    FeatureMatrix result{shape[0], shape[1], {}, read_tensor(data[name])};
    for (const double value : result.exact) result.values.push_back(static_cast<float>(value));
    return result;
}

struct Sparse {
    std::size_t rows, cols;
    std::vector<std::int32_t> row, col;
    std::vector<double> value;
};

Sparse read_sparse(JsonPath const& from) {
    auto const shape = read_shape(from["shape"]);
    if (shape.size() != 2) from["shape"].fail("two sizes");
    Sparse result{shape[0], shape[1], from["row"].ids(static_cast<std::int64_t>(shape[0])), {}, {}};
    result.col = from["col"].ids(static_cast<std::int64_t>(shape[1]), result.row.size());
    result.value = from["val"].numbers(result.row.size());
    return result;
}

// Row-major, with zeros.
std::vector<double> dense(Sparse const& sparse) {
    std::vector<double> result(sparse.rows * sparse.cols);
    for (std::size_t k = 0; k < sparse.row.size(); ++k)
        result[static_cast<std::size_t>(sparse.row[k]) * sparse.cols +
               static_cast<std::size_t>(sparse.col[k])] = sparse.value[k];
    return result;
}

// The random objects of a step. A sparse matrix is given as a dense one.
std::map<std::string, std::vector<double>> read_stochastic(JsonPath const& from) {
    std::map<std::string, std::vector<double>> result;
    for (auto const& [name, object] : from.members()) {
        if (object.value().is_boolean()) {
            result[name] = {object.value().get<bool>() ? 1.0 : 0.0};
            continue;
        }
        const std::string kind = object["kind"].text();
        if (object.has("rate")) result[name + ".rate"] = {object["rate"].number()};
        if (kind == "dropout_mask") {
            result[name] = read_tensor(object["keep"]);
        } else if (kind == "gumbel_noise" || kind == "uniform_noise") {
            result[name] = read_tensor(object["noise"]);
        } else if (kind == "delta") {
            result[name] = read_tensor(object["value"]);
        } else if (kind == "index_list") {
            auto const index = object["index"].ids(largest_size);
            result[name].assign(index.begin(), index.end());
        } else if (kind == "user_graph") {
            result[name + ".index"] = read_tensor(object["index"]);
            result[name + ".weight"] = read_tensor(object["weight"]);
        } else if (kind == "sparse") {
            result[name] = dense(read_sparse(object));
        } else {
            object["kind"].fail("a kind of random object of this schema");
        }
    }
    return result;
}

Case read_case(JsonPath const& from) {
    Case result;
    auto const data = from["data"];
    result.data.n_users = static_cast<std::int32_t>(data["n_users"].integer(1, largest_size));
    result.data.n_items = static_cast<std::int32_t>(data["n_items"].integer(1, largest_size));
    auto const train_users = data["train_user"].ids(result.data.n_users);
    auto const train_items = data["train_item"].ids(result.data.n_items, train_users.size());
    for (std::size_t row = 0; row < train_users.size(); ++row)
        result.data.train.push_back({train_users[row], train_items[row]});

    if (auto features = read_features(data, "image")) result.data.visual = std::move(*features);
    if (auto features = read_features(data, "text")) result.data.textual = std::move(*features);

    result.users = from["batch"]["user"].ids(result.data.n_users);
    result.positives = from["batch"]["pos"].ids(result.data.n_items, result.users.size());
    result.negatives = from["batch"]["neg"].ids(result.data.n_items, result.users.size());

    for (auto const& [name, value] : from["hyper_parameters"].members())
        result.hyper_parameters.emplace_back(
            name, value.value().is_string() ? value.text() : value.value().dump());
    result.graphs = from["graphs"].members();
    result.fixed = read_stochastic(from["stochastic"]);
    if (from.has("extra") && from["extra"].has("build_item_graph") &&
        from["extra"]["build_item_graph"].value() == false) {
        // Not the first batch of its epoch, which has built this graph from other parameters.
        result.batch_number = 2;
        result.fixed["item_adj_used"] = dense(read_sparse(from["graphs"]["item_adj_used"]));
    }
    for (auto const& parameter : from["parameters"].list())
        result.parameters.push_back(read_parameter(parameter));

    for (auto const& [name, value] : from["loss"]["terms"].members())
        if (name != "formula") result.terms[name] = value.number();
    result.loss = from["loss"]["total"].number();

    const Shape expected = {static_cast<std::size_t>(result.data.n_users),
                            static_cast<std::size_t>(result.data.n_items)};
    if (read_shape(from["scores"]["shape"]) != expected)
        from["scores"]["shape"].fail(fmt::format("[{}, {}]", expected[0], expected[1]));
    result.scores = from["scores"]["data"].numbers(size_of(expected));
    return result;
}

template <class T>
void compare_sparse(std::string const& name, Csr<T> const& found, Sparse const& expected,
                    Tolerance tolerance) {
    if (expected.rows != found.rows || expected.cols != found.cols)
        throw std::runtime_error(fmt::format("graph {} is {} x {}, expected {} x {}", name,
                                             found.rows, found.cols, expected.rows, expected.cols));
    if (expected.value.size() != found.values.size())
        throw std::runtime_error(fmt::format("graph {} has {} entries, expected {}", name,
                                             found.values.size(), expected.value.size()));
    for (std::size_t row = 0; row < found.rows; ++row) {
        for (std::size_t k = found.offsets[row]; k < found.offsets[row + 1]; ++k) {
            if (static_cast<std::size_t>(expected.row[k]) != row ||
                expected.col[k] != found.columns[k])
                throw std::runtime_error(
                    fmt::format("graph {}: entry {} is at ({}, {}), expected ({}, {})", name, k,
                                row, found.columns[k], expected.row[k], expected.col[k]));
        }
    }
    compare("graph " + name, {found.values.begin(), found.values.end()}, expected.value, tolerance);
}

// The train pairs as edges from user to item, then perhaps the same the other way round.
void check_edges(JsonPath const& graph, Dataset const& data) {
    auto const n_nodes = data.n_users + data.n_items;
    auto const source = graph["source"].ids(n_nodes);
    auto const target = graph["target"].ids(n_nodes, source.size());
    if (source.size() != data.train.size() && source.size() != 2 * data.train.size())
        graph["source"].fail(fmt::format("{} or twice as many edges", data.train.size()));
    for (std::size_t k = 0; k < source.size(); ++k) {
        auto const& pair = data.train[k % data.train.size()];
        const std::int32_t user = pair.user, item = data.n_users + pair.item;
        const bool forward = k < data.train.size();
        if (source[k] != (forward ? user : item) || target[k] != (forward ? item : user))
            graph["source"].fail("the train pairs in their order");
    }
}

// How many items users have in common with their neighbours, most first; ties are in any order.
void check_neighbours(JsonPath const& graph, Dataset const& data) {
    auto const found = common_items(UserItems::distinct(data.train, data.n_users), data.n_items,
                                    std::numeric_limits<std::size_t>::max(), 1);
    auto const counts = graph["common_items"].list();
    if (counts.size() != found.size())
        graph["common_items"].fail(fmt::format("{} lists", found.size()));
    for (std::size_t user = 0; user < found.size(); ++user) {
        const std::size_t size = counts[user].list().size();
        if (size == 0) continue;  // emptied on purpose, to show what then happens
        std::vector<double> here;
        for (auto const& neighbour : found[user]) here.push_back(neighbour.count);
        compare(fmt::format("common items of user {}", user), here, counts[user].numbers(size),
                in_double);
    }
}

template <class T>
void check_graphs(Case const& expected, Reference const& reference, AnyModel<T>& model,
                  Tolerance tolerance) {
    for (auto const& [name, graph] : expected.graphs) {
        const std::string kind = graph["kind"].text();
        if (kind == "edge_list") {
            check_edges(graph, expected.data);
        } else if (kind == "neighbour_lists") {
            check_neighbours(graph, expected.data);
        } else if (kind == "sparse") {
            auto const find = [all = model.graphs()](std::string_view wanted) -> Csr<T> const* {
                for (auto const& each : all)
                    if (each.name == wanted) return each.graph;
                return nullptr;
            };
            if (auto const* found = find(name))
                compare_sparse(name, *found, read_sparse(graph), tolerance);
            else if (auto const* half = find("interactions"); half && name == "norm_adj")
                compare_sparse(name, bipartite_adjacency(*half), read_sparse(graph), tolerance);
            else
                throw std::runtime_error("'graphs." + name + "' is not a graph of this model");
        } else if (kind == "values") {
            auto const values = reference.values.find(name);
            if (values == reference.values.end())
                throw std::runtime_error("'graphs." + name + "' is not known of this model");
            auto const found = values->second(expected.data);
            compare("graph " + name, found, graph["val"].numbers(found.size()), tolerance);
        } else {
            graph["kind"].fail("a kind of graph of this schema");
        }
    }
}

Shape without_ones(Shape shape) {
    std::erase(shape, 1U);
    return shape;
}

template <class T>
void set_parameters(std::vector<Parameter> const& from, Reference const& reference,
                    ParameterArena<T>& arena) {
    std::set<std::string> missing;
    for (auto const& entry : arena.entries()) missing.insert(entry.name);
    for (auto const& parameter : from) {
        const std::string here = reference.name_of(parameter.name);
        if (here.empty() || !arena.contains(here)) {
            if (parameter.takes_part)
                throw std::runtime_error("'parameters' has '" + parameter.name +
                                         "' with a gradient, which is unknown");
            continue;
        }
        if (missing.erase(here) == 0)
            throw std::runtime_error("'parameters' has '" + parameter.name +
                                     "', which is a repetition");
        auto const matrix = arena[here];
        if (without_ones(parameter.shape) != without_ones({matrix.rows, matrix.cols}))
            throw std::runtime_error(fmt::format("the shape of '{}' is {}, expected {} x {}",
                                                 parameter.name, fmt::join(parameter.shape, " x "),
                                                 matrix.rows, matrix.cols));
        std::transform(parameter.value.begin(), parameter.value.end(), matrix.data,
                       [](double value) { return static_cast<T>(value); });
    }
    if (!missing.empty())
        throw std::runtime_error("'parameters' has no '" + *missing.begin() + "'");
}

void compare_gradient(Parameter const& expected, std::vector<double> const& found,
                      Tolerance tolerance) {
    const std::string what = "gradient of " + expected.name;
    if (!expected.summary) return compare(what, found, expected.gradient, tolerance);

    const Summary& summary = *expected.summary;
    std::vector<double> sample;
    for (const std::int32_t k : summary.index) sample.push_back(found[static_cast<std::size_t>(k)]);
    compare(what + " at index", sample, summary.sample, tolerance);
    double sum = 0, squares = 0, dot = 0, magnitude = 0;
    for (std::size_t k = 0; k < found.size(); ++k) {
        sum += found[k];
        squares += found[k] * found[k];
        dot += found[k] * summary.direction[k];
        magnitude += std::abs(found[k]);
    }
    // Terms of a sum may cancel: it is as exact as the sum of their magnitudes.
    compare(what + ": sum", sum, summary.sum, tolerance, magnitude);
    compare(what + ": sum of squares", squares, summary.sum_of_squares, tolerance);
    compare(what + ": inner product", dot, summary.dot, tolerance, magnitude);
}

template <class T>
std::vector<double> scores_of(Representations<T> const& of) {
    std::vector<double> result;
    for (std::size_t user = 0; user < of.users.rows; ++user) {
        for (std::size_t item = 0; item < of.items.rows; ++item) {
            double score = 0;
            for (std::size_t j = 0; j < of.users.cols; ++j)
                score +=
                    static_cast<double>(of.users(user, j)) * static_cast<double>(of.items(item, j));
            result.push_back(score);
        }
    }
    return result;
}

template <class T>
void check_case(Case const& expected, Reference const& reference, Tolerance tolerance,
                std::string_view device) {
    Settings settings = reference.settings;
    for (auto const& [name, text] : expected.hyper_parameters) {
        auto const here = reference.hyper_parameters.find(name);
        if (here == reference.hyper_parameters.end())
            settings.emplace_back(name, text);
        else if (!here->second.empty())
            settings.emplace_back(here->second, text);
    }
    for (auto const& known : find_model(reference.registry).hyper_parameters())
        if (!reference.own.contains(known.name) &&
            std::none_of(settings.begin(), settings.end(),
                         [&](auto const& setting) { return setting.first == known.name; }))
            throw std::runtime_error("missing key 'hyper_parameters." + known.name + "'");
    auto const model = make_model_on<T>(device, reference.registry, expected.data, settings);
    for (auto const& [name, values] : expected.fixed) model->noise().fix(name, values);
    model->begin_epoch(0, 0);

    ParameterArena<T> parameters;
    model->declare(parameters);
    set_parameters(expected.parameters, reference, parameters);
    auto gradient = parameters;
    std::fill(gradient.begin(), gradient.end(), std::numeric_limits<T>::quiet_NaN());
    const double loss = model->loss(
        parameters, {expected.users, expected.positives, expected.negatives, expected.batch_number},
        {}, gradient);
    check_graphs(expected, reference, *model, tolerance);

    for (auto const& [name, value] : expected.terms) {
        auto const terms = model->terms();
        auto const term =
            std::find_if(terms.begin(), terms.end(),
                         [&name = name](LossTerm const& known) { return known.name == name; });
        if (term == terms.end())
            throw std::runtime_error("'loss.terms." + name + "' is not a term of this model");
        compare("loss term " + name, term->value, value, tolerance);
    }
    compare("loss", loss, expected.loss, tolerance);
    for (auto const& parameter : expected.parameters) {
        const std::string here = reference.name_of(parameter.name);
        if (here.empty() || !gradient.contains(here)) continue;
        auto const matrix = std::as_const(gradient)[here];
        compare_gradient(parameter, {matrix.data, matrix.data + matrix.size()}, tolerance);
    }
    auto scores = scores_of(model->representations(parameters));
    if (reference.sigmoid_scores)
        for (double& score : scores) score = 1 / (1 + std::exp(-score));
    compare("scores", scores, expected.scores, tolerance);
}

class Tally {
public:
    void passed(std::string const& name) {
        ++passed_;
        fmt::print("ok    {}\n", name);
    }
    void skipped(std::string const& name, std::string const& why) {
        ++skipped_;
        fmt::print("skip  {}: {}\n", name, why);
    }
    void failed(std::string const& name, std::string const& why) {
        ++failed_;
        fmt::print("FAIL  {}: {}\n", name, why);
    }

    int finish() const {
        fmt::print("{} skipped\n{} passed, {} failed\n", skipped_, passed_, failed_);
        return failed_ == 0 ? 0 : 1;
    }

private:
    int passed_ = 0;
    int skipped_ = 0;
    int failed_ = 0;
};

void check_file(fs::path const& path, bool single_precision, std::string_view device,
                Tally& tally) {
    std::ifstream stream(path);
    if (!stream) throw std::runtime_error("cannot be read");
    const nlohmann::json document = nlohmann::json::parse(stream);
    const JsonPath top(document);
    if (top["schema"].text() != "golden-model-1") top["schema"].fail("\"golden-model-1\"");
    if (top["precision"].text() != "float64") top["precision"].fail("\"float64\"");

    const std::string model = top["model"].text();
    auto const references = golden::references();
    auto const reference =
        std::find_if(references.begin(), references.end(),
                     [&](Reference const& known) { return known.model == model; });
    if (reference == references.end()) top["model"].fail("the name of a model of the suite");
    auto const built = models();
    const bool is_built = std::any_of(built.begin(), built.end(), [&](ModelEntry const& entry) {
        return entry.name == reference->registry;
    });

    auto const cases = top["cases"].list();
    if (cases.empty()) top["cases"].fail("at least one case");
    std::set<std::string> seen;
    for (auto const& item : cases) {
        const std::string short_name = item["case"].text();
        if (!seen.insert(short_name).second) item["case"].fail("a name that is unique in the file");
        const std::string name = path.filename().string() + " " + short_name;
        try {
            const Case expected = read_case(item);
            if (!is_built) {
                tally.skipped(name, "model " + model + " is not built yet");
                continue;
            }
            if (single_precision)
                check_case<float>(expected, *reference, in_float, device);
            else
                check_case<double>(expected, *reference, in_double, device);
            tally.passed(name);
        } catch (std::exception const& error) {
            tally.failed(name, error.what());
        }
    }
}

int run(fs::path const& directory, bool single_precision, std::string_view device) {
    std::vector<fs::path> files;
    for (auto const& entry : fs::directory_iterator(directory))
        if (entry.is_regular_file() && entry.path().extension() == ".json")
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    if (files.empty()) {
        fmt::print(stderr, "golden_models: no .json file in '{}'\n", directory.string());
        return 2;
    }
    Tally tally;
    for (auto const& path : files) {
        try {
            check_file(path, single_precision, device, tally);
        } catch (std::exception const& error) {
            tally.failed(path.filename().string(), error.what());
        }
    }
    return tally.finish();
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Compares the models of the recommender suite with reference implementations: graphs,\n"
        "loss, loss terms, gradients and scores. Prints a line per case and ends with\n"
        "'N passed, M failed'. Exit code: 0 when none failed, 1 when a case failed or a file does\n"
        "not fit the schema, 2 for wrong arguments, 77 where --device cuda finds no GPU."};
    fs::path directory;
    bool single_precision = false;
    app.add_option("--dir", directory, "Folder with files of the schema golden-model-1")
        ->required();
    app.add_flag("--float32", single_precision,
                 "Compute in single precision and compare at 1e-4 instead of 1e-9");
    std::string device = "cpu";
    app.add_option("--device", device,
                   "Where losses, gradients and scores are computed; thrust-cpp is the code of "
                   "cuda on this processor")
        ->check(CLI::IsMember({"cpu", "cuda", "thrust-cpp"}))
        ->capture_default_str();
    try {
        app.parse(argc, argv);
        check_device(device);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (device == "cuda" && !golden::has_gpu()) {
        fmt::print(
            "SKIPPED: golden_models --device cuda: this machine has no GPU that CUDA can use\n");
        return 77;
    }
    if (!fs::is_directory(directory)) {
        fmt::print(stderr, "golden_models: --dir '{}': expected a folder\n", directory.string());
        return 2;
    }
    try {
        return run(directory, single_precision, device);
    } catch (std::exception const& error) {
        fmt::print(stderr, "golden_models: {}\n", error.what());
        return 1;
    }
}
