// A state that is saved and loaded, by a program that knows the library from its package alone.
#include <vector>

#include <polder/polder.hpp>
#include <polder/state/state.hpp>

int main() {
    std::vector<float> x{1, 2}, y(2);
    polder::SAM optimizer{polder::Adam{}}, loaded{polder::Adam{}};
    polder::save_checkpoint("consumer.safetensors", optimizer, x);
    polder::load_checkpoint("consumer.safetensors", loaded, y);
    return x == y ? 0 : 1;
}
