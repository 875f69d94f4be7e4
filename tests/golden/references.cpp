#include "golden/references.hpp"

#include "recsys/models/graph.hpp"
#include "recsys/models/pruning.hpp"

namespace golden {

std::vector<Reference> references() {
    std::vector<Reference> all;
    all.push_back({"AMR", "amr"});
    all.push_back({"BM3", "bm3"});
    all.push_back({"BPR",
                   "bpr",
                   {{"user_embedding.weight", "user_embedding"},
                    {"item_embedding.weight", "item_embedding"}}});
    all.push_back({"DRAGON", "dragon"});
    all.push_back({"DualGNN", "dualgnn"});
    all.push_back({.model = "FREEDOM",
                   .registry = "freedom",
                   .parameters = {{"user_embedding.weight", "user_embedding"},
                                  {"item_id_embedding.weight", "item_embedding"},
                                  {"image_embedding.weight", "image_embedding"},
                                  {"text_embedding.weight", "text_embedding"}},
                   .hyper_parameters = {{"feat_embed_dim", ""}},  // has to be embedding_size
                   .values = {{"edge_weight_for_sampling", [](polder::recsys::Dataset const& data) {
                                   return polder::recsys::EdgePruning(data).weights();
                               }}}});
    all.push_back({"GRCN", "grcn"});
    all.push_back({"LATTICE", "lattice"});
    all.push_back({"LGMRec",
                   "lgmrec",
                   {{"user_embedding.weight", "user_embedding"},
                    {"item_id_embedding.weight", "item_embedding"}},
                   {{"feat_embed_dim", ""}},
                   {"inference_noise"},
                   {},
                   {{"inverse_degree", [](polder::recsys::Dataset const& data) {
                         return inverse_degrees(polder::recsys::binary_interactions<double>(data));
                     }}}});
    all.push_back({"LayerGCN", "layergcn"});
    all.push_back({"LightGCN",
                   "lightgcn",
                   {{"embedding_dict.user_emb", "user_embedding"},
                    {"embedding_dict.item_emb", "item_embedding"}}});
    all.push_back({"MENTOR", "mentor"});
    all.push_back({"MMGCN", "mmgcn"});
    all.push_back({"NGCF", "ngcf"});
    all.push_back({"SLMRec", "slmrec"});
    all.push_back({"SelfCF", "selfcf"});
    all.push_back(
        {"VBPR", "vbpr", {{"u_embedding", "user_embedding"}, {"i_embedding", "item_embedding"}}});
    return all;
}

}  // namespace golden
