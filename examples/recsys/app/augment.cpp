// polder-recsys augment: a data set whose features know of the other modality, simulated.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <polder/state/file.hpp>

#include "recsys/app/arguments.hpp"
#include "recsys/app/commands.hpp"
#include "recsys/app/exit_code.hpp"
#include "recsys/app/files.hpp"
#include "recsys/data/npy.hpp"
#include "recsys/data/source.hpp"
#include "recsys/robustness/adjustment.hpp"

namespace polder::recsys::app {

namespace {

namespace fs = std::filesystem;

struct AugmentArguments {
    DataSource data{};
    std::string mode = "rewrite", output;
    double weight = 0.5;
    Files files{};
};

// "synthetic:tiny" as "synthetic-tiny-simulated", which is what tables call the data.
std::string simulated_name(std::string name) {
    for (char& c : name)
        if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-')) c = '-';
    return name + "-simulated";
}

void write_interactions(fs::path const& file, Dataset const& data) {
    write_file(file, [&](std::ostream& stream) {
        stream << "userID\titemID\tx_label\n";
        int label = 0;
        for (auto const* split : {&data.train, &data.valid, &data.test}) {
            for (auto const& row : *split)
                stream << row.user << '\t' << row.item << '\t' << label << '\n';
            ++label;
        }
    });
}

int augment(AugmentArguments& a) {
    if (a.output.empty())
        throw std::invalid_argument("augment: expected --output DIR, the folder of the new data");
    auto const data = load_data(a.data, true);
    fs::path const folder(a.output);
    auto const interactions = folder / (simulated_name(data.name) + ".inter"),
               visual = folder / "image_feat.npy", textual = folder / "text_feat.npy",
               note = folder / "augment.json";
    Files::expect_folder(folder);
    FeatureAdjuster adjuster(data);
    auto const result = adjuster.mixed(a.weight, a.mode == "fuse");
    Files::make_folder(folder);
    for (auto const& file : {interactions, visual, textual})
        a.files.expect("--output", file, Mark::none());
    a.files.expect("--output", note, Mark::json("augment"));
    a.files.write(interactions, [&] { write_interactions(interactions, result); });
    auto const write = [&](fs::path const& file, FeatureMatrix const& features) {
        a.files.write(file,
                      [&] { write_npy(file, features.rows, features.columns, features.values); });
    };
    write(visual, result.visual);
    write(textual, result.textual);
    a.files.write_json(note, {{"command", "augment"},
                              {"simulated", true},
                              {"data", a.data.name},
                              {"mode", a.mode},
                              {"weight", a.weight}});
    fmt::print("{}: simulated, {} of {} items mixed with what the other modality predicts, {:g} to "
               "{:g}\n",
               a.output, a.mode == "fuse" ? "texts and images" : "texts", result.n_items,
               1 - a.weight, a.weight);
    return a.files.exit_code(success);
}

}  // namespace

Command add_augment(CLI::App& program) {
    auto const arguments = std::make_shared<AugmentArguments>();
    auto& a = *arguments;
    auto* const command = program.add_subcommand(
        "augment", "Make a data set with features that language models would give, simulated");
    command->footer(
        "The papers rewrite the texts of all items by GPT-4V, or take fused features of BLIP and "
        "BLIP-2, which nobody offers. Here a ridge regression predicts each modality from the "
        "other, and the features of all items are mixed with that. The folder is a data set for "
        "--data, and is called simulated in every table.\n\nExample:\n"
        "  polder-recsys augment --data baby --mode fuse --output baby-blip");
    add_data_options(*command, a.data);
    command
        ->add_option(
            "--mode", a.mode,
            "rewrite: texts know of images, which stay (BSAM's G); fuse: both know of each "
            "other (SGBD's BLIP)")
        ->check(CLI::IsMember({"rewrite", "fuse"}))
        ->capture_default_str();
    command->add_option("--weight", a.weight, "Share of the prediction, 0 to 1")
        ->capture_default_str();
    command
        ->add_option("--output", a.output,
                     "Folder for NAME-simulated.inter, image_feat.npy, text_feat.npy and "
                     "augment.json")
        ->type_name("DIR")
        ->group("Files");
    a.files.add_option(*command);
    return {command, [arguments] { return augment(*arguments); }};
}

}  // namespace polder::recsys::app
