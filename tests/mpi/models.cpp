// Models of the recommender suite on several ranks: what one process makes of the whole batches, to rounding. Every case runs on
// all of them at once.
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <polder/mpi.hpp>
#include <polder/polder.hpp>

#include "recsys/evaluation/full_sort.hpp"
#include "recsys/evaluation/metrics.hpp"
#include "recsys/models/micro_batches.hpp"
#include "recsys/models/parts.hpp"
#include "recsys/models/registry.hpp"
#include "recsys/part_settings.hpp"
#include "recsys/random_data.hpp"
#include "recsys/ranks.hpp"

namespace {

using namespace polder::recsys;
using namespace polder::recsys::test;
using Arena = polder::ParameterArena<double>;
using Model = std::unique_ptr<AnyModel<double>>;

Ranks all_ranks() { return polder::Mpi(MPI_COMM_WORLD, {.reduction = polder::Reduction::sum}); }

Dataset data_of_all() {
    auto data = random_dataset(14, 12, 60);
    for (std::int32_t user = 0; user < 13; ++user) {
        if (user % 3 != 0) data.valid.push_back({user, (5 * user) % 12});
        if (user % 4 != 0) data.test.push_back({user, (7 * user + 2) % 12});
    }
    return data;
}

Model part_of(Model model, bool is_sum, Ranks const& ranks) {
    if (!ranks) return model;
    BatchPart const part{static_cast<std::size_t>(ranks->rank),
                         static_cast<std::size_t>(ranks->size), is_sum};
    return std::make_unique<PartModel<double>>(std::move(model), part);
}

// What training leaves: parameters, losses, and the metrics of both splits. The batches have `rows` rows.
std::vector<double> trained(AnyModel<double>& model, Dataset const& data, std::size_t rows,
                            Ranks const& ranks) {
    auto x = somewhere(model, 3);
    polder::BSAMPlus optimizer{polder::SGD{.learning_rate = 0.1, .momentum = 0.9}, {.rho = 0.05}};
    if (auto const frozen = model.frozen(); !frozen.empty())
        optimizer.set_groups({{.name = "frozen", .blocks = frozen, .frozen = true}});
    optimizer.set_ranks(ranks);
    std::vector<double> all;
    for (int epoch = 0; epoch < 2; ++epoch) {
        model.begin_epoch(7, epoch);
        for (std::uint64_t step = 0; step < 3; ++step) {
            auto const report =
                optimizer.step(x, [&](Arena const& at, Arena& gradient, polder::Pass pass) {
                    auto const number = 2 * step + (pass.batch == polder::Batch::first ? 0 : 1);
                    auto batch =
                        random_batch(data, rows, 10 * static_cast<std::uint64_t>(epoch) + number);
                    batch.number = number;
                    return model.loss(at, batch, pass, gradient);
                });
            for (double const loss : {report.loss, report.perturbed_loss, report.second_loss})
                all.push_back(loss);
        }
    }
    auto const metrics = FullSort(data)(model.representations(x), 1, ranks);
    for (auto const* of : {&metrics.valid, &metrics.test}) {
        all.push_back(static_cast<double>(of->n_users));
        Metrics::visit(*of, [&](auto const&, double value) { all.push_back(value); });
    }
    all.insert(all.end(), x.begin(), x.end());
    return all;
}

double distance(std::vector<double> const& a, std::vector<double> const& b) {
    if (a.size() != b.size()) return INFINITY;
    double largest = 0;
    for (std::size_t k = 0; k < a.size(); ++k)
        if (double const d = std::abs(a[k] - b[k]); !(d <= largest)) largest = d;
    return largest;
}

bool same_on_all(std::vector<double> const& values) {
    auto first = values;
    MPI_Bcast(first.data(), static_cast<int>(first.size()), MPI_DOUBLE, 0, MPI_COMM_WORLD);
    int same = first == values ? 1 : 0;
    MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
    return same == 1;
}

}  // namespace

TEST_CASE("models train on several ranks as on one process", "[mpi]") {
    auto const data = data_of_all();
    auto const ranks = all_ranks();
    int n_models = 0;
    for (auto const& entry : models()) {
        for (auto const& way : ways_to_cut()) {
            auto const settings = small_settings(entry, way);
            auto const in_parts = entry.in_parts(settings);
            if (!in_parts.obstacle.empty()) continue;
            INFO(entry.name << " on rank " << ranks->rank);
            auto const make = [&] { return make_model<double>(entry.name, data, settings, 1); };
            auto const whole = trained(*make(), data, 11, {});
            auto const model = part_of(make(), in_parts.is_sum, ranks);
            auto const together = trained(*model, data, 11, ranks);
            CHECK(distance(together, whole) < 1e-10);
            CHECK(same_on_all(together));
            ++n_models;
            break;
        }
    }
    CHECK(n_models == static_cast<int>(models().size()));
}

TEST_CASE("a rank may have no rows, and micro-batches of its own", "[mpi]") {
    auto const data = data_of_all();
    auto const ranks = all_ranks();
    Settings const settings{{"embedding_size", "4"}};
    auto const make = [&] { return make_model<double>("freedom", data, settings, 1); };
    for (std::size_t const rows : {1u, 2u, 5u}) {
        auto const whole = trained(*make(), data, rows, {});
        CHECK(distance(trained(*part_of(make(), false, ranks), data, rows, ranks), whole) < 1e-10);
        auto cut = std::make_unique<MicroBatchedModel<double>>(make(), 2, false);
        auto const model = part_of(std::move(cut), false, ranks);
        CHECK(distance(trained(*model, data, rows, ranks), whole) < 1e-10);
    }
}

TEST_CASE("ranks share the users of an evaluation", "[mpi]") {
    auto const data = data_of_all();
    auto const ranks = all_ranks();
    auto const model = make_model<double>("bpr", data, {{"embedding_size", "4"}}, 1);
    auto const x = somewhere(*model, 5);
    for (std::size_t const users : {1u, 4u, 0u}) {
        FullSort const full_sort(data, {.users = users, .seed = 3});
        auto const alone = full_sort(model->representations(x), 1);
        auto const together = full_sort(model->representations(x), 1, ranks);
        CHECK(together.valid.n_users == alone.valid.n_users);
        CHECK(together.test.n_users == alone.test.n_users);
        for (auto const& name : Metrics::names()) {
            if (alone.valid.n_users > 0)
                CHECK(std::abs(together.valid[name] - alone.valid[name]) < 1e-14);
            if (alone.test.n_users > 0)
                CHECK(std::abs(together.test[name] - alone.test[name]) < 1e-14);
        }
    }
}
