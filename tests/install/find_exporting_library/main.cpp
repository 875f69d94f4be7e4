#include <vector>

#include <trainer.hpp>

int main() {
    std::vector<double> x{1, 2};
    Trainer trainer{polder::SGD{.learning_rate = 0.1}};
    double const first = train(trainer, x);
    return train(trainer, x) < first ? 0 : 1;
}
