// Settings of models whose batches are cut into parts.
#pragma once

#include <vector>

#include "recsys/models/registry.hpp"

namespace polder::recsys::test {

// In small sizes, with masks where a model may have them.
inline Settings small_settings(ModelEntry const& entry, Settings const& more) {
    Settings settings;
    for (auto const& known : entry.hyper_parameters()) {
        for (auto const* name :
             {"embedding_size", "feat_embed_dim", "dim_latent", "recdim", "latent_embedding"})
            if (known.name == name) settings.emplace_back(name, "4");
        if (known.name == "edge_dropout" && entry.name == "grcn")
            settings.emplace_back(known.name, "0.3");
        for (auto const& [name, value] : more)
            if (known.name == name) settings.emplace_back(name, value);
    }
    return settings;
}

// Settings with other kinds of terms in the loss.
inline std::vector<Settings> ways_to_cut() {
    return {{},
            {{"reg_weight", "0"}, {"cl_weight", "0"}, {"dropout", "0"}, {"adv", "false"}},
            {{"mode", "mmrec"}, {"reg_weight", "0"}, {"adv", "false"}},
            {{"mode", "mmrec"}},
            {{"adv_type", "rand"}, {"regs", "[0.1,0.001,0.5]"}, {"node_dropout", "0.3"}},
            {{"reg_weight", "0"}}};
}

}  // namespace polder::recsys::test
