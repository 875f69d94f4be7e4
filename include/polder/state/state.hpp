/// Optimizers and parameters as files: save, load, go on bit for bit.
///
///     polder::save_checkpoint("run.safetensors", optimizer, x);
///     ...
///     polder::load_checkpoint("run.safetensors", optimizer, x);
///
/// A file holds, as safetensors:
///
///     <block>                  parameters of a block by its name, of its shape; a column-major matrix as
///                              its transpose                                      (save_checkpoint)
///     optimizer.<name>         an array of the state, one value per coordinate through all blocks
///     optimizer.<name>         a counter: a single U64
///     optimizer.base_steps     the steps of the base optimizer: a U64 for each block
///     metadata polder.state    version of this layout
///              polder.method   the composed type, as optimizer.method() writes it
///              polder.scalar   F32 or F64
///              polder.blocks   JSON: name, rows, columns and order of every block
///              polder.checksum of all arrays
///
/// Hyper-parameters and settings (groups, schedules, intervals, clipping, threads, non-finite values) are not
/// in it: they are those of the optimizer that is loaded into.
///
/// Opt-in: not in polder.hpp, since it needs nlohmann-json 3.
#pragma once

#if __cplusplus <= 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG <= 201703L)
#error "polder: C++20 is needed; compile with -std=c++20"
#else

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <polder/blocks/block_shape.hpp>
#include <polder/blocks/container.hpp>
#include <polder/blocks/memory_space.hpp>
#include <polder/groups/group.hpp>
#include <polder/state/old_names.hpp>
#include <polder/state/safetensors.hpp>

namespace polder {

namespace detail {

inline constexpr char const* state_version = "3";
inline constexpr char const* old_version = "1";  // still read, as "2" is: see old_names.hpp
inline constexpr std::string_view state_prefix = "optimizer.";
inline constexpr std::string_view reserved_keys = "polder.";

// One block of a parameter container, where it lies: in the host's memory or in a device's.
struct NamedBlock {
    std::string name;
    BlockShape shape;
    std::size_t size;
    void* memory;
    std::size_t bytes;

    // Of the array in a file: row-major, one-dimensional for a vector.
    ArrayShape file_shape() const {
        if (shape.cols == 1) return {shape.rows};
        return shape.row_major ? ArrayShape{shape.rows, shape.cols}
                               : ArrayShape{shape.cols, shape.rows};
    }
};

template <class C>
std::vector<NamedBlock> named_blocks(C& x) {
    std::vector<NamedBlock> blocks;
    for_each_named_block(
        x, [&](std::string const& name, scalar_t<C>* data, std::size_t size, BlockShape shape) {
            blocks.push_back({name, shape, size, data, size * sizeof *data});
        });
    return blocks;
}

// One array or counter of an optimizer's state, where it lies.
struct NamedState {
    std::string name;
    std::string_view dtype;
    ArrayShape shape;
    std::span<std::byte> bytes;
};

// Takes what visit_state tells of any optimizer, so that it is compiled once.
struct StateList {
    std::vector<NamedState> state;

    template <class T>
    void operator()(std::string_view name, std::span<T> values) {
        add(name, values, {values.size()});
    }
    void operator()(std::string_view name, std::uint64_t& count) {
        add(name, std::span(&count, 1), {});
    }

private:
    template <class T>
    void add(std::string_view name, std::span<T> values, ArrayShape shape) {
        state.push_back({std::string(state_prefix) + std::string(name), dtype_of<T>(),
                         std::move(shape), std::as_writable_bytes(values)});
    }
};

template <class Optimizer>
std::vector<NamedState> named_state(Optimizer& optimizer) {
    StateList list;
    optimizer.visit_state(list);
    return std::move(list.state);
}

// What the state in a file belongs to.
struct Fingerprint {
    std::string method;
    std::string_view scalar;
    std::vector<NamedBlock> blocks;
};

template <class Optimizer, class C>
Fingerprint fingerprint_of(Optimizer const& optimizer, C& x) {
    return {optimizer.method(), dtype_of<scalar_t<C>>(), named_blocks(x)};
}

inline std::string to_text(BlockShape const& shape) {
    return std::to_string(shape.rows) + " x " + std::to_string(shape.cols) +
           (shape.row_major ? "" : " column-major");
}

inline std::string blocks_to_json(std::vector<NamedBlock> const& blocks) {
    nlohmann::json json = nlohmann::json::array();
    for (auto const& block : blocks)
        json.push_back({{"name", block.name},
                        {"rows", block.shape.rows},
                        {"columns", block.shape.cols},
                        {"row_major", block.shape.row_major}});
    return json.dump();
}

inline std::vector<NamedBlock> blocks_of_json(SafetensorsFile const& file) {
    std::vector<NamedBlock> blocks;
    try {
        for (auto const& entry : nlohmann::json::parse(file.metadata("polder.blocks"))) {
            BlockShape const shape{entry.at("rows").get<std::size_t>(),
                                   entry.at("columns").get<std::size_t>(),
                                   entry.at("row_major").get<bool>()};
            blocks.push_back(
                {entry.at("name").get<std::string>(), shape, shape.rows * shape.cols, nullptr, 0});
        }
    } catch (nlohmann::json::exception const&) {
        file.fail("'polder.blocks' in the metadata is damaged");
    }
    return blocks;
}

// Throws where the file's blocks are not the expected ones.
inline void require_blocks(SafetensorsFile const& file, std::vector<NamedBlock> const& expected) {
    auto const found = blocks_of_json(file);
    for (std::size_t k = 0; k < found.size() && k < expected.size(); ++k) {
        auto const &is = found[k], &wanted = expected[k];
        auto const fail = [&](std::string const& what) {
            file.fail("block " + std::to_string(k) + " " + in_quotes(is.name) + " " + what);
        };
        if (is.size != wanted.size)
            fail("has " + std::to_string(is.size) + " coordinates, expected " +
                 std::to_string(wanted.size));
        if (to_text(is.shape) != to_text(wanted.shape))
            fail("is " + to_text(is.shape) + ", expected " + to_text(wanted.shape));
        if (is.name != wanted.name) fail("has another name, expected " + in_quotes(wanted.name));
    }
    if (found.size() != expected.size())
        file.fail("has " + std::to_string(found.size()) + " blocks, expected " +
                  std::to_string(expected.size()));
}

// Throws where the state in the file is not that of such an optimizer for such parameters.
inline void require_fingerprint(SafetensorsFile const& file, Fingerprint const& expected) {
    auto const found = file.metadata().find("polder.state");
    if (found == file.metadata().end()) file.fail("holds no state of an optimizer");
    bool const old = found->second == old_version;
    if (!old && found->second != version_of_groups && found->second != state_version)
        file.fail("holds state of version " + in_quotes(found->second) + ", expected '" +
                  state_version + "'");
    auto const& saved = file.metadata("polder.method");
    if (auto const method = old ? with_new_names(saved) : saved; method != expected.method)
        file.fail("holds the state of " + in_quotes(method) + ", expected " +
                  in_quotes(expected.method));
    if (auto const& scalar = file.metadata("polder.scalar"); scalar != expected.scalar)
        file.fail("holds state of scalars " + in_quotes(scalar) + ", expected " +
                  in_quotes(expected.scalar));
    require_blocks(file, expected.blocks);
}

inline void add_state(SafetensorsWriter& writer, Fingerprint const& fingerprint,
                      std::vector<NamedState> const& state) {
    for (auto const& each : state) writer.add_bytes(each.name, each.dtype, each.shape, each.bytes);
    writer.add_metadata("polder.state", state_version);
    writer.add_metadata("polder.method", fingerprint.method);
    writer.add_metadata("polder.scalar", std::string(fingerprint.scalar));
    writer.add_metadata("polder.blocks", blocks_to_json(fingerprint.blocks));
}

template <class Optimizer>
std::vector<Group> const& groups_of(Optimizer const& optimizer) {
    if constexpr (requires { optimizer.groups(); }) {
        return optimizer.groups();
    } else if constexpr (requires { optimizer.settings(); }) {
        return optimizer.settings().groups();
    } else {
        return groups_of(optimizer.optimizer());
    }
}

// Counts of steps for each block, from a file of a version that has them for each group.
inline void read_base_steps_of_groups(SafetensorsFile& file, std::vector<Group> const& groups,
                                      std::vector<NamedBlock> const& blocks,
                                      std::span<std::byte> counts) {
    std::vector<std::string> names;
    for (auto const& block : blocks) names.push_back(block.name);
    auto const assigned = assign_groups(groups, names);
    for (std::size_t block = 0; block < blocks.size(); ++block) {
        std::uint32_t const k = assigned[block];
        file.read_bytes(k == 0 ? base_steps : base_steps + "." + groups[k - 1].name, "U64", {},
                        counts.subspan(block * sizeof(std::uint64_t), sizeof(std::uint64_t)));
    }
}

inline void read_state(SafetensorsFile& file, std::vector<NamedState> const& state,
                       std::vector<Group> const& groups, std::vector<NamedBlock> const& blocks) {
    auto const& version = file.metadata("polder.state");
    bool const of_groups = version != state_version;
    for (auto const& entry : file.arrays()) {
        auto const& name = entry.first;
        auto const is_it = [&](NamedState const& each) { return each.name == name; };
        auto const is_count = [&](Group const& g) { return name == base_steps + "." + g.name; };
        if (name == old_counter && version == old_version) continue;
        if (of_groups && std::any_of(groups.begin(), groups.end(), is_count)) continue;
        if (name.starts_with(state_prefix) && std::none_of(state.begin(), state.end(), is_it))
            file.fail("holds the array " + in_quotes(name) +
                      ", which is no state of this optimizer; are its options others?");
    }
    for (auto const& each : state) {
        if (of_groups && each.name == base_steps) {
            read_base_steps_of_groups(file, groups, blocks, each.bytes);
        } else {
            file.read_bytes(each.name, each.dtype, each.shape, each.bytes);
        }
    }
}

inline void add_metadata(SafetensorsWriter& writer, Metadata const& metadata) {
    for (auto const& [key, text] : metadata) {
        if (key.starts_with(reserved_keys))
            throw std::invalid_argument("polder: metadata key '" + key +
                                        "': names that begin with 'polder.' are taken");
        writer.add_metadata(key, text);
    }
}

}  // namespace detail

/// Adds the state of an optimizer to a file under way. `x`: parameters of the shape that the optimizer
/// steps; a fresh optimizer is bound to them. The optimizer must stay as it is until writer.write().
/// Throws std::invalid_argument where the optimizer is bound to another shape.
template <class Optimizer, parameter_container C>
void add_state(SafetensorsWriter& writer, Optimizer& optimizer, C& x) {
    optimizer.bind(x);
    detail::add_state(writer, detail::fingerprint_of(optimizer, x), detail::named_state(optimizer));
}

/// Adds every block of `x` to a file under way, as an array named prefix + name of the block. x must stay
/// as it is until writer.write(). Throws std::invalid_argument for a name that is taken.
template <parameter_container C>
void add_parameters(SafetensorsWriter& writer, C& x, std::string const& prefix = {}) {
    for (auto const& block : detail::named_blocks(x)) {
        auto const name = prefix + block.name;
        if (name.starts_with(detail::state_prefix))
            throw std::invalid_argument("polder: block '" + name + "': names that begin with '" +
                                        std::string(detail::state_prefix) + "' are taken");
        auto const add = [&](auto... bytes) {
            writer.add_bytes(name, detail::dtype_of<scalar_t<C>>(), block.file_shape(),
                             std::move(bytes)...);
        };
        if constexpr (std::is_same_v<memory_space_t<C>, HostMemory>) {
            add(std::span(static_cast<std::byte const*>(block.memory), block.bytes));
        } else {
            std::vector<std::byte> copy(block.bytes);
            Access<memory_space_t<C>>::read(copy.data(), block.memory, block.bytes);
            add(std::move(copy));
        }
    }
}

/// A copy of `optimizer` that has the state in the file, for parameters of the shape of `x`, which may be
/// of any values. Throws FileError where the file is damaged or holds the state of another method, scalar,
/// shape or set of options; std::invalid_argument where `optimizer` is bound to another shape than x's.
template <class Optimizer, parameter_container C>
Optimizer read_state(SafetensorsFile& file, Optimizer const& optimizer, C& x) {
    static_assert(std::is_nothrow_move_assignable_v<Optimizer>,
                  "polder: to be loaded as a whole or not at all, an optimizer must be assignable "
                  "without exceptions; is a policy of yours not?");
    detail::require_fingerprint(file, detail::fingerprint_of(optimizer, x));
    file.verify();
    Optimizer result = optimizer;
    result.bind(x);
    detail::read_state(file, detail::named_state(result), detail::groups_of(result),
                       detail::named_blocks(x));
    return result;
}

/// Reads what add_parameters wrote. Throws FileError where the file is damaged, or an array is missing or of another type or
/// shape; then x is as it was.
template <parameter_container C>
void read_parameters(SafetensorsFile& file, C& x, std::string const& prefix = {}) {
    file.verify();
    auto const blocks = detail::named_blocks(x);
    std::vector<std::vector<std::byte>> values;
    for (auto const& block : blocks) {
        auto& bytes = values.emplace_back(block.bytes);
        file.read_bytes(prefix + block.name, detail::dtype_of<scalar_t<C>>(), block.file_shape(),
                        bytes);
    }
    for (std::size_t k = 0; k < blocks.size(); ++k)
        Access<memory_space_t<C>>::write(blocks[k].memory, values[k].data(), blocks[k].bytes);
}

/// Writes the state of an optimizer, without parameters. `x` as in add_state; `metadata`: further text,
/// keys that begin with "polder." are taken. The file is replaced as a whole or not at all.
/// Throws FileError; std::invalid_argument as add_state.
template <class Optimizer, parameter_container C>
void save_state(std::filesystem::path const& file, Optimizer& optimizer, C& x,
                Metadata const& metadata = {}) {
    SafetensorsWriter writer;
    detail::add_metadata(writer, metadata);
    add_state(writer, optimizer, x);
    writer.write(file);
}

/// As above, of a copy of the optimizer, which needs the memory for its state once more.
template <class Optimizer, parameter_container C>
void save_state(std::filesystem::path const& file, Optimizer const& optimizer, C& x,
                Metadata const& metadata = {}) {
    Optimizer copy = optimizer;
    save_state(file, copy, x, metadata);
}

/// Gives `optimizer` the state in the file, so that it goes on from parameters x as the saved one did. It
/// must be of the same type and options, hyper-parameters are its own. Spans of an earlier visit_state are
/// invalid afterwards. Returns the metadata. Throws as read_state; then `optimizer` is as it was.
template <class Optimizer, parameter_container C>
Metadata load_state(std::filesystem::path const& file, Optimizer& optimizer, C& x) {
    SafetensorsFile opened(file);
    auto loaded = read_state(opened, optimizer, x);
    optimizer = std::move(loaded);
    return opened.metadata();
}

/// As save_state, with the parameters.
template <class Optimizer, parameter_container C>
void save_checkpoint(std::filesystem::path const& file, Optimizer& optimizer, C& x,
                     Metadata const& metadata = {}) {
    SafetensorsWriter writer;
    detail::add_metadata(writer, metadata);
    add_parameters(writer, x);
    add_state(writer, optimizer, x);
    writer.write(file);
}

template <class Optimizer, parameter_container C>
void save_checkpoint(std::filesystem::path const& file, Optimizer const& optimizer, C& x,
                     Metadata const& metadata = {}) {
    Optimizer copy = optimizer;
    save_checkpoint(file, copy, x, metadata);
}

/// As load_state, and writes the parameters in the file to x, whose blocks must have the same names and
/// shapes. Throws as read_state and read_parameters; then `optimizer` and x are as they were.
template <class Optimizer, parameter_container C>
Metadata load_checkpoint(std::filesystem::path const& file, Optimizer& optimizer, C& x) {
    SafetensorsFile opened(file);
    auto loaded = read_state(opened, optimizer, x);
    read_parameters(opened, x);
    optimizer = std::move(loaded);
    return opened.metadata();
}

}  // namespace polder

#endif
