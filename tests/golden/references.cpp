#include "golden/references.hpp"

#include "recsys/models/graph.hpp"
#include "recsys/models/pruning.hpp"

namespace golden {

std::vector<Reference> references() {
    std::vector<Reference> all;
    all.push_back({"AMR",
                   "amr",
                   {{"emb_P", "user_embedding"}, {"emb_Q", "item_embedding"}},
                   {{"emb_K", "embedding_size"}},
                   {"mode", "reg_weight", "scale_features"},
                   {{"scale_features", "false"}}});
    all.push_back({"BM3",
                   "bm3",
                   {{"user_embedding.weight", "user_embedding"},
                    {"item_id_embedding.weight", "item_embedding"},
                    {"image_embedding.weight", "image_embedding"},
                    {"text_embedding.weight", "text_embedding"}},
                   {},
                   {"stop_gradient"}});
    all.push_back({"BPR",
                   "bpr",
                   {{"user_embedding.weight", "user_embedding"},
                    {"item_embedding.weight", "item_embedding"}}});
    all.push_back({.model = "DRAGON",
                   .registry = "dragon",
                   .parameters = {{"weight_i", ""},
                                  {"MLP_v.weight", ""},
                                  {"MLP_t.weight", ""},
                                  {"image_embedding.weight", ""},
                                  {"image_trs.weight", ""},
                                  {"image_trs.bias", ""},
                                  {"text_embedding.weight", ""},
                                  {"text_trs.weight", ""},
                                  {"text_trs.bias", ""},
                                  {"MLP_user.weight", ""},
                                  {"MLP_user.bias", ""}},
                   .hyper_parameters = {{"embedding_size", ""},
                                        {"feat_embed_dim", ""},
                                        {"dim_latent", "embedding_size"}},
                   .own = {"user_aggr_mode", "item_embedding"}});
    all.push_back({.model = "DualGNN",
                   .registry = "dualgnn",
                   .parameters = {{"MLP_v.weight", ""},
                                  {"MLP_t.weight", ""},
                                  {"MLP_user.weight", ""},
                                  {"MLP_user.bias", ""}},
                   .hyper_parameters = {{"embedding_size", ""}, {"dim_latent", "embedding_size"}},
                   .own = {"user_aggr_mode", "user_modalities"}});
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
    all.push_back({.model = "GRCN",
                   .registry = "grcn",
                   .parameters = {{"id_gcn.id_embedding", "id_embedding"},
                                  {"model_specific_conf", "confidence"}},
                   .own = {"route_to_users", "edge_dropout_at_inference"},
                   .settings = {{"edge_dropout_at_inference", "true"}}});
    all.push_back({"LATTICE",
                   "lattice",
                   {{"user_embedding.weight", "user_embedding"},
                    {"item_id_embedding.weight", "item_embedding"},
                    {"image_embedding.weight", "image_embedding"},
                    {"text_embedding.weight", "text_embedding"}},
                   {},
                   {"mess_dropout"}});
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
    all.push_back({"LayerGCN",
                   "layergcn",
                   {{"user_embeddings", "user_embedding"}, {"item_embeddings", "item_embedding"}}});
    all.push_back({"LightGCN",
                   "lightgcn",
                   {{"embedding_dict.user_emb", "user_embedding"},
                    {"embedding_dict.item_emb", "item_embedding"}}});
    all.push_back({.model = "MENTOR",
                   .registry = "mentor",
                   .parameters = {{"weight_i", ""},
                                  {"image_embedding.weight", ""},
                                  {"image_trs.weight", ""},
                                  {"image_trs.bias", ""},
                                  {"text_embedding.weight", ""},
                                  {"text_trs.weight", ""},
                                  {"text_trs.bias", ""},
                                  {"MLP_user.weight", ""},
                                  {"MLP_user.bias", ""}},
                   .hyper_parameters = {{"feat_embed_dim", ""}, {"dim_latent", ""}},
                   .own = {"mask_gradient", "shared_encoders", "item_embedding"}});
    all.push_back({.model = "MMGCN",
                   .registry = "mmgcn",
                   .hyper_parameters = {{"n_layers", ""}},
                   .own = {"train_embeddings", "concatenate"},
                   .settings = {{"train_embeddings", "true"}}});
    all.push_back({"NGCF",
                   "ngcf",
                   {{"user_embedding.weight", "user_embedding"},
                    {"item_embedding.weight", "item_embedding"}}});
    for (const std::string l : {"0", "1", "2"}) {
        auto& names = all.back().parameters;
        for (const std::string kind : {".weight", ".bias"}) {
            names["GNNlayers." + l + ".linear" + kind] = "layers." + l + ".linear" + kind;
            names["GNNlayers." + l + ".interActTransform" + kind] =
                "layers." + l + ".interaction" + kind;
        }
    }
    Reference slmrec{"SLMRec",
                     "slmrec",
                     {{"embedding_user.weight", "user_embedding"},
                      {"embedding_item.weight", "item_embedding"},
                      {"embedding_user_after_GCN.weight", "user_fusion.weight"},
                      {"embedding_user_after_GCN.bias", "user_fusion.bias"},
                      {"embedding_item_after_GCN.weight", "item_fusion.weight"},
                      {"embedding_item_after_GCN.bias", "item_fusion.bias"},
                      {"g_a_iva.weight", ""},
                      {"g_a_iva.bias", ""}},
                     {{"ssl_task", ""}, {"mm_fusion_mode", ""}, {"init", ""}}};
    slmrec.sigmoid_scores = true;
    all.push_back(slmrec);
    all.push_back({"SLMRec", "slmrec"});
    all.push_back({"SelfCF",
                   "selfcf",
                   {{"online_encoder.embedding_dict.user_emb", "user_embedding"},
                    {"online_encoder.embedding_dict.item_emb", "item_embedding"}},
                   {},
                   {"stop_gradient"}});
    all.push_back(
        {"VBPR", "vbpr", {{"u_embedding", "user_embedding"}, {"i_embedding", "item_embedding"}}});
    return all;
}

}  // namespace golden
