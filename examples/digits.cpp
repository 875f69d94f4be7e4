// A network reads hand-written digits, and a fifth of the digits that it learns from have a wrong label.
//
// Left to itself, the network learns the mistakes by heart. A sharpness-aware method looks for parameters around
// which the loss stays low; a mistake cannot be learnt there, since it takes a steep dent in the loss. This program
// trains the same network with and without such methods, over SGD with momentum and over Adam, and shows how many
// digits it then reads that it has never seen:
//
//     digits                      on digits that the program draws
//     digits FILE                 on real ones; digits --help says how to get them
//     digits --out FOLDER         and writes the course of all runs, and a picture
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include <CLI/CLI.hpp>
#include <Eigen/Dense>

#include <polder/any_optimizer.hpp>
#include <polder/polder.hpp>

#include "digits_images.hpp"
#include "results.hpp"

using Eigen::MatrixXf;
using Eigen::VectorXf;

// The network: 64 pixels, two hidden layers of 128 units, 10 scores; 26,122 parameters.

struct Layer {
    MatrixXf weights;  // (outputs, inputs)
    VectorXf bias;     // (outputs)
};
using Network = std::vector<Layer>;

// This is all that polder has to know about the network.
template <>
struct polder::Members<Layer> {
    static auto of(Layer& layer) { return std::tie(layer.weights, layer.bias); }
};

Network random_network(std::mt19937& random) {
    Network net;
    int inputs = side * side;
    for (int const outputs : {128, 128, classes}) {
        // With this deviation the values neither grow nor fade from layer to layer (He et al. 2015).
        std::normal_distribution<float> normal(0, std::sqrt(2.0f / static_cast<float>(inputs)));
        net.push_back({MatrixXf(outputs, inputs), VectorXf::Zero(outputs)});
        for (float& weight : net.back().weights.reshaped()) weight = normal(random);
        inputs = outputs;
    }
    return net;
}

// The values of every layer, one image per column: a_0 is the pixels, a_k = max(0, W_k a_{k-1} + b_k), and the last
// is the scores, without the max.
std::vector<MatrixXf> values_of(Network const& net, MatrixXf const& pixels) {
    std::vector<MatrixXf> values{pixels};
    for (Layer const& layer : net) {
        MatrixXf next = layer.weights * values.back();
        next.colwise() += layer.bias;
        if (&layer != &net.back()) next = next.cwiseMax(0);
        values.push_back(std::move(next));
    }
    return values;
}

// The loss is the mean of -log p(label) with p = softmax(scores). Also computes its gradient, from the last layer to
// the first: the derivative by the scores is (p - 1 at the label) / count.
double loss(Network const& net, Images const& images, Network& gradient) {
    std::vector<MatrixXf> const values = values_of(net, images.pixels);
    MatrixXf p = values.back();
    p.rowwise() -= p.colwise().maxCoeff().eval();  // so that no exp is too large
    p = p.array().exp();
    p.array().rowwise() /= p.colwise().sum().array().eval();

    double total = 0;
    for (Eigen::Index image = 0; image < images.count(); ++image) {
        float& of_label = p(images.labels[static_cast<std::size_t>(image)], image);
        total -= std::log(std::max(of_label, 1e-30f));
        of_label -= 1;
    }
    MatrixXf derivative = p / static_cast<float>(images.count());
    for (std::size_t k = net.size(); k-- > 0;) {
        gradient[k].weights.noalias() = derivative * values[k].transpose();
        gradient[k].bias = derivative.rowwise().sum();
        if (k > 0) {
            derivative = (net[k].weights.transpose() * derivative).eval();
            derivative.array() *= (values[k].array() > 0).cast<float>();  // of the max
        }
    }
    return total / static_cast<double>(images.count());
}

// The share of images whose label has the highest score, in per cent.
double accuracy(Network const& net, Images const& images) {
    MatrixXf const scores = values_of(net, images.pixels).back();
    int right = 0;
    for (Eigen::Index image = 0; image < images.count(); ++image) {
        Eigen::Index best = 0;
        scores.col(image).maxCoeff(&best);
        right += best == images.labels[static_cast<std::size_t>(image)];
    }
    return 100.0 * right / static_cast<double>(images.count());
}

// The methods and their hyper-parameters.

struct Setting {
    std::string_view base, method;
    double learning_rate;
    double rho;  // the radius within which the loss should stay low
};

// Rate and radius of each are the best that `digits --tune` finds: on the validation images of the drawn digits, with the
// seeds 101 to 103, which are not those of the table. Plain has its own best rate, too;
// plain-5x has five times that, which is the rate of the methods.
constexpr std::array settings{
    Setting{"SGD", "plain", 0.002, 0},    Setting{"SGD", "plain-5x", 0.01, 0},
    Setting{"SGD", "SAM", 0.01, 0.5},     Setting{"SGD", "FSAM", 0.01, 0.5},
    Setting{"SGD", "ASAM", 0.01, 2.5},    Setting{"SGD", "BSAM", 0.01, 0.5},
    Setting{"SGD", "BSAM+", 0.01, 0.5},   Setting{"Adam", "plain", 2e-4, 0},
    Setting{"Adam", "plain-5x", 1e-3, 0}, Setting{"Adam", "SAM", 1e-3, 0.5},
    Setting{"Adam", "FSAM", 1e-3, 1},     Setting{"Adam", "ASAM", 1e-3, 5},
    Setting{"Adam", "BSAM", 1e-3, 0.5},   Setting{"Adam", "BSAM+", 1e-3, 1}};

// AnyOptimizer holds an optimizer of any type, so that the choice can be made while the program runs.
using Optimizer = polder::AnyOptimizer<Network>;

template <class Base>
Optimizer optimizer_over(Base const& base, Setting const& setting) {
    double const rho = setting.rho;
    if (setting.method == "SAM") return polder::SAM{base, {.rho = rho}};
    if (setting.method == "FSAM") return polder::FSAM{base, {.rho = rho}};
    if (setting.method == "ASAM") return polder::ASAM{base, {.rho = rho}};
    if (setting.method == "BSAM") return polder::BSAM{base, {.rho = rho}, polder::Cosine{}};
    if (setting.method == "BSAM+") return polder::BSAMPlus{base, {.rho = rho}, polder::Cosine{}};
    return polder::Plain{base};
}

Optimizer make_optimizer(Setting const& setting) {
    if (setting.base == "Adam")
        return optimizer_over(polder::Adam{.learning_rate = setting.learning_rate}, setting);
    return optimizer_over(polder::SGD{.learning_rate = setting.learning_rate, .momentum = 0.9},
                          setting);
}

// Training.

// One training from a random start, and how it went: after each epoch the mean loss of its steps, and the accuracy.
struct Run {
    Setting setting;
    unsigned seed;
    struct Epoch {
        double loss, accuracy;
    };
    std::vector<Epoch> epochs;
};

constexpr double wrong = 0.2;  // share of labels that are wrong
constexpr std::size_t batch_size = 32;

// Gives a share of the images another label than theirs.
void spoil_labels(Images& images, std::mt19937& random) {
    std::bernoulli_distribution mistake(wrong);
    std::uniform_int_distribution<int> other(1, classes - 1);
    for (int& label : images.labels) {
        if (mistake(random)) label = (label + other(random)) % classes;
    }
}

// Learns from `seen` and counts what it reads of `unseen`.
void train(Run& run, int epochs, Images seen, Images const& unseen) {
    std::mt19937 random(run.seed);
    spoil_labels(seen, random);
    Network net = random_network(random);
    Optimizer optimizer = make_optimizer(run.setting);
    optimizer.set_threads(1);
    optimizer.settings().set_non_finite(
        polder::NonFinite::skip);  // a run that diverges stays there

    std::vector<int> order(seen.labels.size());
    std::iota(order.begin(), order.end(), 0);
    std::size_t const batches = order.size() / batch_size;
    auto const batch = [&](std::size_t number) {
        auto const begin =
            order.begin() + static_cast<std::ptrdiff_t>(number % batches * batch_size);
        return select(seen, {begin, begin + batch_size});
    };
    for (int epoch = 0; epoch < epochs; ++epoch) {
        std::shuffle(order.begin(), order.end(), random);
        double total = 0;
        for (std::size_t step = 0; step < batches; ++step) {
            // BSAM+ asks for the gradient of a second batch as well: the next one.
            std::array const images{batch(step), batch(step + 1)};
            total += optimizer
                         .step(net,
                               [&](Network const& at, Network& gradient, polder::Pass pass) {
                                   bool const second = pass.batch == polder::Batch::second;
                                   return loss(at, images[second], gradient);
                               })
                         .loss;
        }
        run.epochs.push_back({total / static_cast<double>(batches), accuracy(net, unseen)});
    }
}

// All settings with all seeds, several runs at a time. Each is computed by one thread, so that the number of threads
// changes nothing.
std::vector<Run> train_all(std::vector<Setting> const& wanted, std::vector<unsigned> const& seeds,
                           int epochs, unsigned threads, Images const& seen, Images const& unseen) {
    std::vector<Run> runs;
    for (Setting const& setting : wanted) {
        for (unsigned const seed : seeds) runs.push_back({setting, seed, {}});
    }
    std::atomic<std::size_t> next{0}, done{0};
    std::vector<std::jthread> workers;
    for (unsigned thread = 0; thread < threads; ++thread) {
        workers.emplace_back([&] {
            for (std::size_t k = next++; k < runs.size(); k = next++) {
                train(runs[k], epochs, seen, unseen);
                std::fprintf(stderr, "\r%zu of %zu runs ", ++done, runs.size());
            }
        });
    }
    workers.clear();  // waits for all
    std::fprintf(stderr, "\r%30s\r", "");
    return runs;
}

// The table.

struct Spread {
    double mean, deviation;
};
Spread spread(std::vector<double> const& values) {
    auto const count = static_cast<double>(values.size());
    double const mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0;
    for (double const value : values) squares += (value - mean) * (value - mean);
    return {mean, values.size() > 1 ? std::sqrt(squares / (count - 1)) : 0};
}

// Whether the mean of differences is beyond their spread: Student's t of pairs, 95 per cent, two-sided. (From eleven
// seeds on it asks a little more than it had to.)
bool beyond_spread(std::vector<double> const& differences) {
    constexpr std::array quantiles{12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26};
    if (differences.size() < 2) return false;
    auto const [mean, deviation] = spread(differences);
    double const error = deviation / std::sqrt(static_cast<double>(differences.size()));
    return std::abs(mean) >
           quantiles[std::min(differences.size() - 2, quantiles.size() - 1)] * error;
}

// The accuracies at the end of those runs that have this setting, in the order of their seeds.
std::vector<double> at_the_end(std::vector<Run> const& runs, Setting const& setting) {
    std::vector<double> accuracies;
    for (Run const& run : runs) {
        Setting const& its = run.setting;
        if (its.base == setting.base && its.method == setting.method && its.rho == setting.rho &&
            its.learning_rate == setting.learning_rate)
            accuracies.push_back(run.epochs.back().accuracy);
    }
    return accuracies;
}

// Prints accuracies and their differences to plain with the same seed, that is with the same start, the same wrong
// labels and the same batches. Returns by how much SAM over SGD is above plain.
double print_table(std::vector<Run> const& runs) {
    std::puts("base  method    rate    rho    accuracy       above plain");
    double of_sam = 0;
    std::vector<double> plain;
    for (Setting const& setting : settings) {
        std::vector<double> const accuracies = at_the_end(runs, setting);
        auto const [mean, deviation] = spread(accuracies);
        if (setting.method == "plain") {
            plain = accuracies;
            std::printf("%-4s  plain     %6.4f         %5.2f +- %4.2f\n", setting.base.data(),
                        setting.learning_rate, mean, deviation);
            continue;
        }
        std::vector<double> above;
        std::transform(accuracies.begin(), accuracies.end(), plain.begin(),
                       std::back_inserter(above), std::minus<>());
        std::printf("%-4s  %-8s  %6.4f  %5.2f  %5.2f +- %4.2f  %+6.2f +- %4.2f%s\n",
                    setting.base.data(), setting.method.data(), setting.learning_rate, setting.rho,
                    mean, deviation, spread(above).mean, spread(above).deviation,
                    beyond_spread(above) ? " *" : "");
        if (setting.base == "SGD" && setting.method == "SAM") of_sam = spread(above).mean;
    }
    std::puts("Per cent of the unseen digits, mean and standard deviation over the seeds.\n"
              "* beyond the spread: Student's t over pairs with the same seed, 95 per cent.");
    return of_sam;
}

// Prints the validation accuracy of several learning rates and radii, and marks the best of each method.
void tune(int epochs, unsigned threads, Parts const& parts) {
    struct Grid {
        std::string_view base;
        std::array<double, 4> learning_rates;
    };
    std::vector<Setting> tried;
    for (auto const& [base, rates] :
         {Grid{"SGD", {0.001, 0.002, 0.01, 0.05}}, Grid{"Adam", {1e-4, 2e-4, 5e-4, 1e-3}}}) {
        for (double const rate : rates) tried.push_back({base, "plain", rate, 0});
        for (std::string_view const method : {"SAM", "FSAM", "ASAM", "BSAM", "BSAM+"}) {
            double const unit = method == "ASAM" ? 5 : 1;  // its ball scales with the parameters
            for (std::size_t k = 1; k < rates.size(); ++k) {
                for (double const rho : {0.2, 0.5, 1.0, 2.0})
                    tried.push_back({base, method, rates[k], unit * rho});
            }
        }
    }
    std::vector<Run> const runs =
        train_all(tried, {101, 102, 103}, epochs, threads, parts.learnt, parts.validation);
    std::puts("base  method    rate    rho    accuracy in validation");
    auto const mean_of = [&](Setting const& setting) {
        return spread(at_the_end(runs, setting)).mean;
    };
    for (Setting const& setting : tried) {
        bool const best = std::none_of(tried.begin(), tried.end(), [&](Setting const& other) {
            return other.base == setting.base && other.method == setting.method &&
                   mean_of(other) > mean_of(setting);
        });
        std::printf("%-4s  %-8s  %6.4f  %5.2f  %5.2f%s\n", setting.base.data(),
                    setting.method.data(), setting.learning_rate, setting.rho, mean_of(setting),
                    best ? "  best" : "");
    }
}

#if !defined(POLDER_EXAMPLES)
#define POLDER_EXAMPLES "examples"  // the folder of digits.gp
#endif

constexpr char const* curves_header = "base,method,seed,epoch,training_loss,test_accuracy";

// The course of every run.
void write_results(std::string const& folder, std::vector<Run> const& runs) {
    std::string lines;
    for (Run const& run : runs) {
        for (std::size_t epoch = 0; epoch < run.epochs.size(); ++epoch) {
            lines += std::string(run.setting.base) + ',' + std::string(run.setting.method) + ',' +
                     std::to_string(run.seed) + ',' + std::to_string(epoch + 1) + ',' +
                     std::to_string(run.epochs[epoch].loss) + ',' +
                     std::to_string(run.epochs[epoch].accuracy) + '\n';
        }
    }
    write_table(folder, "curves.csv", curves_header, lines);
    draw_picture(folder, POLDER_EXAMPLES, "digits");
}

int main(int argc, char** argv) {
    CLI::App app(
        "Trains a network on digits, a fifth of which have a wrong label, with and without "
        "sharpness-aware methods.");
    std::string file, folder;
    unsigned seeds = 5, threads = std::max(1u, std::thread::hardware_concurrency());
    int epochs = 40;
    double expected = -100;
    bool tuning = false;
    app.add_option(
        "FILE", file,
        "Images, one per line: 64 pixels from 0 to 16 and the digit, with commas between "
        "them. Those of scikit-learn: python3 -c 'import sklearn.datasets as d, numpy as n; "
        "i = d.load_digits(); n.savetxt(\"digits.csv\", n.c_[i.data, i.target], \"%d\", "
        "\",\")'. Without FILE the program draws digits");
    app.add_option("--out", folder,
                   "Folder for curves.csv and, where gnuplot is found, digits.svg");
    app.add_option("--seeds", seeds, "Runs of each method, with the seeds 1, 2, ...")
        ->check(CLI::Range(1, 1000));
    app.add_option("--epochs", epochs, "Times that each run sees all images")
        ->check(CLI::Range(1, 10000));
    app.add_option("--threads", threads, "Runs at the same time; changes no result")
        ->check(CLI::Range(1, 1000));
    app.add_flag("--tune", tuning,
                 "Show the validation accuracy for several learning rates and radii instead");
    app.add_option("--expect", expected,
                   "End with status 1 unless SAM over SGD is so many points above plain");
    CLI11_PARSE(app, argc, argv);

    try {
        // Asked before the training, so that no work is lost.
        if (!folder.empty()) require_own(folder + "/curves.csv", curves_header);
        Parts const parts = split(file.empty() ? draw_digits(2400, 1) : read_digits(file));
        if (tuning) {
            tune(epochs, threads, parts);
            return 0;
        }
        std::vector<unsigned> numbers(seeds);
        std::iota(numbers.begin(), numbers.end(), 1u);
        std::vector<Run> const runs = train_all({settings.begin(), settings.end()}, numbers, epochs,
                                                threads, parts.learnt, parts.test);
        double const above = print_table(runs);
        if (!folder.empty()) write_results(folder, runs);
        return above >= expected ? 0 : 1;
    } catch (std::exception const& error) {
        std::fprintf(stderr, "digits: %s\n", error.what());
        return 2;
    }
}
