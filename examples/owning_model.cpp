// A model that owns its parameters, as most code bases have them: it cannot be called on others. The
// in-place form of a step writes x + eps into it, and puts x back.
//
// This one learns which letter comes next. Letter i has a row E_i of numbers, and after it letter j has
// the probability softmax_j(E_i O). The loss is the mean of -log2 p over a text: bits per letter.
// The text is only two lines long. The base optimizer alone soon knows it by heart, and is then too sure of itself in another
// text. SAM looks for weights around which the loss stays low, and so stays less sure.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <numbers>
#include <random>
#include <string_view>
#include <tuple>

#include <polder/polder.hpp>

#include "five_seeds.hpp"

constexpr std::size_t letters = 27, width = 12;  // a to z, and what is between words

struct Weights {
    float embedding[letters][width];  // E
    float output[width][letters];     // O
};

template <>
struct polder::Members<Weights> {
    static auto of(Weights& weights) { return std::tie(weights.embedding, weights.output); }
};

class LetterModel {
public:
    explicit LetterModel(unsigned seed) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal(0, 0.3f);
        polder::for_each_block(weights_, [&](float* values, std::size_t count) {
            std::generate_n(values, count, [&] { return normal(random); });
        });
    }

    Weights& weights() { return weights_; }
    Weights& gradient() { return gradient_; }

    // Bits per letter, and the gradient of that at the weights.
    double evaluate(std::string_view text) {
        gradient_ = {};
        double bits = 0;
        auto const count = static_cast<float>(text.size() - 1);
        for (std::size_t n = 0; n + 1 < text.size(); ++n) {
            const std::size_t i = index(text[n]), next = index(text[n + 1]);
            std::array<float, letters> p{};
            float total = 0;
            for (std::size_t j = 0; j < letters; ++j) {
                for (std::size_t d = 0; d < width; ++d) {
                    p[j] += weights_.embedding[i][d] * weights_.output[d][j];
                }
                total += p[j] = std::exp(p[j]);
            }
            bits -= std::log2(p[next] / total);
            for (std::size_t j = 0; j < letters; ++j) {
                const float shown = j == next ? 1 : 0;
                const float error = (p[j] / total - shown) / (count * std::numbers::ln2_v<float>);
                for (std::size_t d = 0; d < width; ++d) {
                    gradient_.embedding[i][d] += error * weights_.output[d][j];
                    gradient_.output[d][j] += error * weights_.embedding[i][d];
                }
            }
        }
        return bits / count;
    }

private:
    static std::size_t index(char letter) {
        return letter < 'a' ? letters - 1 : static_cast<std::size_t>(letter - 'a');
    }

    Weights weights_{}, gradient_{};
};

constexpr std::string_view seen = R"(
a polder is a piece of low land that people have taken from the water they build a dike around it
and dig a ring of canals and then the mills pump the water out over the dike and into the canals)";
constexpr std::string_view unseen = R"(
the land that comes to light is flat and wide and lies lower than the sea that is held behind the
dikes when the pumps stop the water comes back so the people of the polder have to work together
rich or poor friend or foe the water does not care and whoever lives behind the dike has to help to
keep it where the ground is flat a small mistake does little harm but on a steep slope the same
step leads far down so those who look for a place to stay do well to look for low and level land
in the morning the mist lies over the meadows and the cows stand in it to their knees later the
wind from the sea clears the air and one can see the tower of the next town over the flat land)";

// Learns from one pair of letters after the other, and returns the bits per letter of the unseen text.
template <class Optimizer>
double train(Optimizer optimizer, unsigned seed) {
    LetterModel model(seed);
    std::mt19937 random(seed);
    for (int step = 0; step < 6000; ++step) {
        const std::string_view pair = seen.substr(random() % (seen.size() - 1), 2);
        optimizer.step_in_place(model.weights(), model.gradient(),
                                [&] { return model.evaluate(pair); });
    }
    return model.evaluate(unseen);
}

int main() {
    // Learning rates and radius were chosen on the seeds 101 to 105.
    std::puts("bits per letter of an unseen text, mean of five seeds (guessing blindly: 4.75)");
    const double plain = over_five_seeds("SGD", [](unsigned seed) {
        return train(polder::Plain{polder::SGD{.learning_rate = 0.007}}, seed);
    });
    const double sam = over_five_seeds("SAM over SGD", [](unsigned seed) {
        return train(polder::SAM{polder::SGD{.learning_rate = 0.01}, {.rho = 0.3}}, seed);
    });
    return sam < plain ? 0 : 1;
}
