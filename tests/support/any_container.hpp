// Any container behind one type, as polder finds its blocks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>

namespace polder::test {

/// Refers to a container of scalars T; a copy has a container of its own.
template <class T>
class AnyContainer {
public:
    using value_type = T;
    using Visit = std::function<void(std::string const&, T*, std::size_t, BlockShape)>;

    template <parameter_container C>
    static AnyContainer of(C& container) {
        return AnyContainer(std::make_unique<Reference<C>>(container));
    }
    AnyContainer(AnyContainer const& other) : held_(other.held_->clone()) {}

    /// As polder does it.
    template <class F>
    void visit_blocks(F const& f) {
        held_->visit(f);
    }

private:
    struct Held {
        virtual ~Held() = default;
        virtual std::unique_ptr<Held> clone() = 0;
        virtual void visit(Visit const& visit) = 0;
    };
    template <class C>
    struct Copy;
    template <class C>
    struct Reference final : Held {
        C& container;
        explicit Reference(C& c) : container(c) {}
        std::unique_ptr<Held> clone() override { return std::make_unique<Copy<C>>(container); }
        void visit(Visit const& visit) override { for_each_named_block(container, visit); }
    };
    template <class C>
    struct Copy final : Held {
        Twin<C> twin;
        explicit Copy(C const& c) : twin(c) {}
        std::unique_ptr<Held> clone() override { return std::make_unique<Copy>(twin.get()); }
        void visit(Visit const& visit) override { for_each_named_block(twin.get(), visit); }
    };

    explicit AnyContainer(std::unique_ptr<Held> held) : held_(std::move(held)) {}

    std::unique_ptr<Held> held_;
};

/// The blocks of another container in plain memory: the same names and shapes.
template <class T>
class PlainBlocks {
public:
    using value_type = T;

    template <class C>
    explicit PlainBlocks(C& like) {
        for_each_named_block(like,
                             [&](std::string const& name, T*, std::size_t size, BlockShape shape) {
                                 blocks_.push_back({name, std::vector<T>(size), shape});
                             });
    }
    template <class F>
    void visit_blocks(F const& f) {
        for (Block& block : blocks_)
            f(block.name, block.values.data(), block.values.size(), block.shape);
    }

private:
    struct Block {
        std::string name;
        std::vector<T> values;
        BlockShape shape;
    };
    std::vector<Block> blocks_;
};

}  // namespace polder::test
