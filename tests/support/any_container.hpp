// Any container behind one type, as polder finds its blocks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <polder/blocks/container.hpp>
#include <polder/blocks/twin.hpp>
#if defined(POLDER_TEST_ON_THRUST)
#include "support/thrust_of_environment.hpp"
#endif

namespace polder::test {

/// Refers to a container of scalars T; a copy has a container of its own. In programs compiled with
/// POLDER_TEST_ON_THRUST what it refers to is memory of a Thrust device, which the host reaches, too.
template <class T>
class AnyContainer {
public:
    using value_type = T;
#if defined(POLDER_TEST_ON_THRUST)
    using memory_space = MemoryOn<ThrustOfEnvironment>;
#endif
    using Visit = std::function<void(std::string const&, T*, std::size_t, BlockShape)>;

    template <parameter_container C>
    static AnyContainer of(C& container) {
        return AnyContainer(std::make_unique<Reference<C>>(container));
    }
    /// With memory of its own.
    template <parameter_container C>
    static AnyContainer copy_of(C const& container) {
        return AnyContainer(std::make_unique<Copy<C>>(container));
    }
    AnyContainer(AnyContainer const& other) : held_(other.held_->clone()) {}

    /// The container itself. Throws std::bad_cast where it is not of type C.
    template <class C>
    C& as() {
        return dynamic_cast<HeldOf<C>&>(*held_).get();
    }
    template <class C>
    C const& as() const {
        return dynamic_cast<HeldOf<C>&>(*held_).get();
    }

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
    struct HeldOf : Held {
        virtual C& get() = 0;
        std::unique_ptr<Held> clone() final { return std::make_unique<Copy<C>>(get()); }
        void visit(Visit const& visit) final { for_each_named_block(get(), visit); }
    };
    template <class C>
    struct Reference final : HeldOf<C> {
        C& container;
        explicit Reference(C& c) : container(c) {}
        C& get() override { return container; }
    };
    template <class C>
    struct Copy final : HeldOf<C> {
        Twin<C> twin;
        explicit Copy(C const& c) : twin(c) {}
        C& get() override { return twin.get(); }
    };

    explicit AnyContainer(std::unique_ptr<Held> held) : held_(std::move(held)) {}

    std::unique_ptr<Held> held_;
};

/// Blocks of any names and shapes in plain memory.
template <class T>
class PlainBlocks {
public:
    using value_type = T;

    /// Named by their positions.
    static PlainBlocks of(std::vector<BlockShape> const& shapes) {
        PlainBlocks made;
        for (BlockShape const& shape : shapes) made.add(std::to_string(made.blocks_.size()), shape);
        return made;
    }
    /// Those of another container.
    template <class C>
    static PlainBlocks like(C& container) {
        PlainBlocks made;
        for_each_named_block(container, [&](std::string const& name, T*, std::size_t,
                                            BlockShape shape) { made.add(name, shape); });
        return made;
    }

    template <class F>
    void visit_blocks(F const& f) {
        for (Block& block : blocks_)
            f(block.name, block.values.data(), block.values.size(), block.shape);
    }

private:
    PlainBlocks() = default;
    void add(std::string const& name, BlockShape shape) {
        blocks_.push_back({name, std::vector<T>(shape.rows * shape.cols), shape});
    }

    struct Block {
        std::string name;
        std::vector<T> values;
        BlockShape shape;
    };
    std::vector<Block> blocks_;
};

}  // namespace polder::test
