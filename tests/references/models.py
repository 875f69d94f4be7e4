"""Recommender models on a small data set: the loss from its equations, its gradient by PyTorch's automatic
differentiation.

E stacks the embeddings of users and items, A is the normalised graph of users and items, and a batch has rows
(u, p, n): a user, an item of its train pairs, and another item.
"""

import numpy as np
import torch
from torch.nn.functional import cosine_similarity, logsigmoid

torch.set_default_dtype(torch.float64)
USERS, ITEMS, PAIRS, BATCH, DIM = 8, 6, 20, 6, 3
FEATURES = {"image": 4, "text": 3}

# Data and batch.

random = np.random.RandomState(21)  # numpy promises that this generator never changes


def normal(*shape, scale=0.5):
    return random.normal(scale=scale, size=shape).round(3)


chosen = random.choice(USERS * ITEMS, PAIRS, replace=False)
pairs = np.stack([chosen // ITEMS, chosen % ITEMS])
features = {name: normal(ITEMS, width, scale=1) for name, width in FEATURES.items()}
rows = random.choice(PAIRS, BATCH, replace=False)
u, p = pairs[:, rows]
n = [random.choice([i for i in range(ITEMS) if (user, i) not in set(zip(*pairs))]) for user in u]


# Graphs.


def normalised(edges):
    """A, symmetric: 1 / sqrt((deg u + 1e-7) (deg i + 1e-7)) for each edge of a user u and an item i."""
    a = torch.zeros(USERS + ITEMS, USERS + ITEMS)
    a[edges[0], USERS + edges[1]] = a[USERS + edges[1], edges[0]] = 1
    scale = (a.sum(1) + 1e-7) ** -0.5
    return scale[:, None] * a * scale


def similar_items(x, k):
    """1 / (k + 1e-7) for the k items whose features x have the largest cosines, the item itself among them."""
    x = torch.tensor(x)
    nearest = cosine_similarity(x[:, None], x[None], dim=2).topk(k).indices
    return torch.zeros(ITEMS, ITEMS).scatter(1, nearest, 1 / (k + 1e-7))


A = normalised(pairs)


def mean_of_layers(e, a, layers):
    """The mean of E, A E, ..., A^layers E, split into users and items."""
    total = e
    for _ in range(layers):
        e = a @ e
        total = total + e
    return (total / (layers + 1)).split([USERS, ITEMS])


# Losses.


def norms(*matrices):
    """The Frobenius norms over the number of rows of the last matrix."""
    return sum(m.norm() for m in matrices) / len(matrices[-1])


def ranking(users, items):
    """mean of -log(1e-10 + sigma(x)),   x = U_u . I_p - U_u . I_n."""
    x = (users[u] * (items[p] - items[n])).sum(1)
    return -torch.log(1e-10 + torch.sigmoid(x)).mean()


def regularised(terms, o):
    return terms["mf_loss"] + o["reg_weight"] * terms["reg_loss"]


# Models: (loss, its terms, users and items whose inner products are the scores) for parameters w and options o.


def bpr(w, o, given):
    """Rendle et al. 2009: scores P_u . Q_i."""
    users, items = w["user_embedding.weight"], w["item_embedding.weight"]
    terms = {"mf_loss": ranking(users, items), "reg_loss": norms(users[u], items[p], items[n])}
    return regularised(terms, o), terms, users, items


def vbpr(w, o, given):
    """He and McAuley 2016: scores P_u . [Q_i, W f_i + b], f_i the features of both kinds, text first."""
    f = torch.tensor(np.hstack([features["text"], features["image"]]))
    users = w["u_embedding"]
    items = torch.hstack([w["i_embedding"], f @ w["item_linear.weight"].T + w["item_linear.bias"]])
    terms = {"mf_loss": ranking(users, items), "reg_loss": norms(users[u], items[p], items[n])}
    return regularised(terms, o), terms, users, items


def lightgcn(w, o, given):
    """He et al. 2020: BPR on the mean of the layers A^l E; the norms are those of layer 0."""
    p0, q0 = w["embedding_dict.user_emb"], w["embedding_dict.item_emb"]
    users, items = mean_of_layers(torch.vstack([p0, q0]), A, o["n_layers"])
    terms = {"mf_loss": ranking(users, items), "reg_loss": norms(p0[u], q0[p], q0[n])}
    return regularised(terms, o), terms, users, items


def layergcn(w, o, given):
    """Zhou et al. 2023: X_{l+1} = cos(A X_l, X_0) A X_l row by row, E = sum of X_1, ..., X_L; sums over the batch."""
    p0, q0 = w["user_embeddings"], w["item_embeddings"]

    def sum_of_layers(a):
        x0 = x = torch.vstack([p0, q0])
        total = torch.zeros_like(x)
        for _ in range(o["n_layers"]):
            x = a @ x
            x = cosine_similarity(x, x0, dim=1)[:, None] * x
            total = total + x
        return total.split([USERS, ITEMS])

    users, items = sum_of_layers(normalised(pairs[:, given["kept_edges"]]))
    x = (users[u] * (items[p] - items[n])).sum(1)
    terms = {
        "mf_loss": -logsigmoid(x).sum(),
        "reg_loss": (p0[u].square().sum() + q0[p].square().sum() + q0[n].square().sum()) / 2,
    }
    return regularised(terms, o), terms, *sum_of_layers(A)


def frozen_graph(o):
    image, text = (similar_items(features[name], o["knn_k"]) for name in FEATURES)
    return o["mm_image_weight"] * image + (1 - o["mm_image_weight"]) * text


def freedom(w, o, given):
    """Zhou and Shen 2023: items are those of LightGCN on the kept edges, plus M^n Q on a graph M of similar items. The
    features, projected, are ranked too. Scores use all edges."""
    p0, q0 = w["user_embedding.weight"], w["item_id_embedding.weight"]
    similar = q0
    for _ in range(o["n_mm_layers"]):
        similar = frozen_graph(o) @ similar

    def sides(a):
        users, items = mean_of_layers(torch.vstack([p0, q0]), a, o["n_ui_layers"])
        return users, items + similar

    def mean_rank(users, items):
        return -logsigmoid((users[u] * (items[p] - items[n])).sum(1)).mean()

    users, items = sides(normalised(pairs[:, given["kept_edges"]]))
    terms = {"batch_mf_loss": mean_rank(users, items)}
    for name, term in (("image", "mf_v_loss"), ("text", "mf_t_loss")):
        projected = w[f"{name}_embedding.weight"] @ w[f"{name}_trs.weight"].T + w[f"{name}_trs.bias"]
        terms[term] = mean_rank(users, projected)
    loss = terms["batch_mf_loss"] + o["reg_weight"] * (terms["mf_v_loss"] + terms["mf_t_loss"])
    return loss, terms, *sides(A)


def bm3(w, o, given):
    """Zhou et al. 2023: no negatives. Each view of a row, after a predictor h, is to point where another view points,
    which is a constant with some of its numbers dropped."""
    p0, q0 = w["user_embedding.weight"], w["item_id_embedding.weight"]
    users, items = mean_of_layers(torch.vstack([p0, q0]), A, o["n_layers"])
    items = items + q0
    view = {
        name: w[f"{name}_embedding.weight"] @ w[f"{name}_trs.weight"].T + w[f"{name}_trs.bias"]
        for name in FEATURES
    }

    def h(x):
        return x @ w["predictor.weight"].T + w["predictor.bias"]

    def target(name, x):
        return x.detach() * torch.tensor(given[f"target_dropout_{name}"]) / (1 - o["dropout"])

    def apart(x, target):
        return 1 - cosine_similarity(h(x), target, dim=1).mean()

    of_item = target("item", items)[p]
    terms = {
        "reg_loss": norms(users, items),
        "loss_ui": apart(users[u], of_item),
        "loss_iu": apart(items[p], target("user", users)[u]),
        "loss_t": apart(view["text"][p], of_item),
        "loss_v": apart(view["image"][p], of_item),
        "loss_tv": apart(view["text"][p], target("text", view["text"])[p]),
        "loss_vt": apart(view["image"][p], target("image", view["image"])[p]),
    }
    of_features = terms["loss_t"] + terms["loss_v"] + terms["loss_tv"] + terms["loss_vt"]
    loss = (
        terms["loss_ui"] + terms["loss_iu"]
        + o["reg_weight"] * terms["reg_loss"] + o["cl_weight"] * of_features
    )
    return loss, terms, h(users), h(items)


# Files.


def linear(name, inputs):
    return {f"{name}.weight": normal(DIM, inputs), f"{name}.bias": normal(DIM)}


def trained_features():
    return {
        key: value
        for name, width in FEATURES.items()
        for key, value in {
            f"{name}_embedding.weight": features[name] + normal(ITEMS, width, scale=0.1),
            **linear(f"{name}_trs", width),
        }.items()
    }


def dropped(rows):
    return random.randint(0, 2, size=(rows, DIM))


def kept_edges(rate):
    return random.choice(PAIRS, int(PAIRS * (1 - rate)), replace=False)


def sparse(matrix):
    row, col = matrix.nonzero(as_tuple=True)
    return {"kind": "sparse", "shape": matrix.shape, "row": row, "col": col, "val": matrix[row, col]}


def document(name, model, options, parameters, given, graphs):
    w = {key: torch.tensor(value, requires_grad=True) for key, value in parameters.items()}
    loss, terms, users, items = model(w, options, given)
    loss.backward()
    stochastic = {
        key: {"kind": "index_list", "index": value}
        if key == "kept_edges"
        else {"kind": "dropout_mask", "rate": options["dropout"],
              "keep": {"shape": value.shape, "data": value.ravel()}}
        for key, value in given.items()
    }
    return {
        "model": name,
        "schema": "golden-model-1",
        "precision": "float64",
        "cases": [{
            "case": "small",
            "hyper_parameters": {"embedding_size": DIM, **options},
            "data": {
                "n_users": USERS, "n_items": ITEMS, "train_user": pairs[0], "train_item": pairs[1],
                **{key: {"shape": x.shape, "data": x.ravel()} for key, x in features.items()},
            },
            "batch": {"user": u, "pos": p, "neg": n},
            "graphs": {key: sparse(graph) for key, graph in graphs.items()},
            "stochastic": stochastic,
            "parameters": [
                {"name": key, "shape": x.shape, "trained": True, "value": x.detach().ravel(),
                 "grad": x.grad.ravel()}
                for key, x in w.items()
            ],
            "loss": {"total": loss.detach(), "terms": {key: x.detach() for key, x in terms.items()}},
            "scores": {"shape": (USERS, ITEMS), "data": (users @ items.T).detach().ravel()},
        }],
    }


def documents():
    """The content of the file of each model."""

    def tables(user, item, width=DIM):
        return {user: normal(USERS, width), item: normal(ITEMS, DIM)}

    freedom_options = dict(
        feat_embed_dim=DIM, n_mm_layers=2, n_ui_layers=2, knn_k=3, mm_image_weight=0.3, dropout=0.3,
        reg_weight=0.2,
    )
    models = [
        ("BPR", bpr, dict(reg_weight=0.2), tables("user_embedding.weight", "item_embedding.weight"), {}, {}),
        (
            "VBPR", vbpr, dict(reg_weight=0.2),
            {**tables("u_embedding", "i_embedding", 2 * DIM), **linear("item_linear", sum(FEATURES.values()))},
            {}, {},
        ),
        (
            "LightGCN", lightgcn, dict(n_layers=2, reg_weight=0.2),
            tables("embedding_dict.user_emb", "embedding_dict.item_emb"), {}, {"norm_adj": A},
        ),
        (
            "LayerGCN", layergcn, dict(n_layers=2, dropout=0.2, reg_weight=0.2),
            tables("user_embeddings", "item_embeddings"), {"kept_edges": kept_edges(0.2)}, {"norm_adj": A},
        ),
        (
            "FREEDOM", freedom, freedom_options,
            {**tables("user_embedding.weight", "item_id_embedding.weight"), **trained_features()},
            {"kept_edges": kept_edges(freedom_options["dropout"])},
            {"norm_adj": A, "mm_adj": frozen_graph(freedom_options)},
        ),
        (
            "BM3", bm3, dict(n_layers=1, dropout=0.4, reg_weight=0.2, cl_weight=1.5),
            {
                **tables("user_embedding.weight", "item_id_embedding.weight"),
                **linear("predictor", DIM), **trained_features(),
            },
            {f"target_dropout_{key}": dropped(rows)
             for key, rows in (("user", USERS), ("item", ITEMS), ("text", ITEMS), ("image", ITEMS))},
            {"norm_adj": A},
        ),
    ]
    return {model[0]: document(*model) for model in models}
