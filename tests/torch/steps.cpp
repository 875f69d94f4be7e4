// Steps of base optimizers with the gradients of a file: torch_steps CASES.json RESULTS.json
//
// CASES: a list of {"base", "options": {name: text}, "maximize", "start": [values of a block, ...],
// "gradients": [of a step: [of a block: values, ...], ...]}. RESULTS: for each of them the blocks after the last step.
// Exit code: 0, or 1 with a message.

#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include <polder/polder.hpp>
#include <polder/registry/any_base.hpp>
#include <polder/registry/base_optimizers.hpp>
#include <polder/registry/options.hpp>

namespace {

using nlohmann::json;
using Blocks = std::vector<std::vector<double>>;

polder::AnyBase base_of(json const& item) {
    polder::registry::Options options;
    for (auto const& [name, text] : item.at("options").items())
        options.emplace_back(name, text.get<std::string>());
    polder::registry::OptionReader reader(options);
    std::vector<polder::AnyBase> made;
    polder::registry::for_each_base(
        [&](polder::registry::BaseEntry const& entry, auto const& make) {
            if (entry.name == item.at("base").get<std::string>()) made.emplace_back(make(reader));
        });
    if (made.empty()) throw std::runtime_error("unknown base optimizer " + item.at("base").dump());
    reader.require_all_used(item.at("base").dump());
    std::visit([&](auto& kind) { kind.maximize = item.at("maximize").get<bool>(); }, made[0].kind);
    return made[0];
}

Blocks steps_of(json const& item) {
    polder::Plain optimizer{base_of(item)};
    auto x = item.at("start").get<Blocks>();
    for (json const& step : item.at("gradients")) {
        optimizer.step(x, [&](Blocks const&, Blocks& gradient) {
            gradient = step.get<Blocks>();
            return 1.0;
        });
    }
    return x;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc != 3) throw std::invalid_argument("usage: torch_steps CASES.json RESULTS.json");
        std::ifstream in(argv[1]);
        json results = json::array();
        for (json const& item : json::parse(in)) results.push_back(steps_of(item));
        std::ofstream out(argv[2]);
        out << results;
        if (!out.flush()) throw std::runtime_error(std::string("cannot write ") + argv[2]);
    } catch (std::exception const& error) {
        std::cerr << "torch_steps: " << error.what() << '\n';
        return 1;
    }
}
