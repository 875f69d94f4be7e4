#include "recsys/models/registry.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "recsys/models/attacked.hpp"

namespace polder::recsys {

// Each is defined in a file of its own, which CMake writes.
#define POLDER_MODEL(Model, header) ModelEntry entry_of_##Model();
#include "recsys/models/models.def"
#undef POLDER_MODEL

namespace {

template <class T>
std::unique_ptr<AnyModel<T>> make_attacked(ModelEntry const& of, Dataset const& data,
                                           Settings const& settings, int threads) {
    auto const name = of.name + std::string(attacked_ending);
    if (!needs_features(of))
        throw std::invalid_argument(name + ": " + of.name + " has no features to move");
    if (!data.further.empty())
        throw std::invalid_argument(name + ": moves visual and textual features alone, and not '" +
                                    data.further.front().name + "'");
    auto const own = names_of(AttackHyperParameters::table);
    Settings of_model, of_attack;
    for (auto const& each : settings) {
        bool const is_own = std::find(own.begin(), own.end(), each.first) != own.end();
        (is_own ? of_attack : of_model).push_back(each);
    }
    auto values = from_settings<AttackHyperParameters>(name, of_attack);
    return std::make_unique<Attacked<T>>(name, make_model<T>(of.name, data, of_model, threads),
                                         std::move(values));
}

// `of` lasts.
ModelEntry attacked(ModelEntry const& of) {
    auto result = of;
    result.name += attacked_ending;
    result.hyper_parameters = [&of] {
        auto all = of.hyper_parameters();
        for (auto& each : describe<AttackHyperParameters>()) all.push_back(std::move(each));
        return all;
    };
    result.in_parts = [](Settings const&) -> InParts {
        return {.obstacle =
                    "how the features of an item are moved follows from all rows of a batch; let "
                    "one process compute batches whole, or leave out '+a'"};
    };
    result.make_float = [&of](Dataset const& data, Settings const& settings, int threads) {
        return make_attacked<float>(of, data, settings, threads);
    };
    result.make_double = [&of](Dataset const& data, Settings const& settings, int threads) {
        return make_attacked<double>(of, data, settings, threads);
    };
    return result;
}

}  // namespace

std::span<ModelEntry const> models() {
    static const std::array all{
#define POLDER_MODEL(Model, header) entry_of_##Model(),
#include "recsys/models/models.def"
#undef POLDER_MODEL
    };
    return all;
}

ModelEntry const& find_model(std::string_view name) {
    static auto const under_attack = [] {
        std::vector<ModelEntry> all;
        for (auto const& each : models()) all.push_back(attacked(each));
        return all;
    }();
    for (auto const& entry : models())
        if (entry.name == name) return entry;
    for (auto const& entry : under_attack)
        if (entry.name == name) return entry;
    refuse_name("model", name, names_of(models()));
}

bool needs_features(ModelEntry const& model) {
    Dataset probe;
    probe.n_users = probe.n_items = 2;
    probe.train = {{0, 0}, {0, 1}, {1, 1}};
    try {
        static_cast<void>(model.make_float(probe, {}, 1));
        return false;
    } catch (std::invalid_argument const&) {
        return true;
    }
}

}  // namespace polder::recsys
