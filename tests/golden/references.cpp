#include "golden/references.hpp"

#include "recsys/models/graph.hpp"

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
    all.push_back({"FREEDOM", "freedom"});
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
    all.push_back({"VBPR", "vbpr"});
    return all;
}

}  // namespace golden
