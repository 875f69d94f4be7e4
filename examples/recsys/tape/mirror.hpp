/// Copies of a host's objects in the memory of a device.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <polder/blocks/arena.hpp>

namespace polder::recsys {

/// A member of an object that is written on the host and read on a device: holds the copy there, which is
/// made when the object is first read, and again after forget().
///
/// A copy of the object has none; an object that is assigned to needs a new one. Whoever writes to the object
/// itself calls forget().
class DeviceMirror {
public:
    DeviceMirror() = default;
    DeviceMirror(DeviceMirror const&) {}
    DeviceMirror(DeviceMirror&& other) noexcept
        : copy_(std::move(other.copy_)), is_current_(std::exchange(other.is_current_, false)) {}
    DeviceMirror& operator=(DeviceMirror const&) {
        forget();
        return *this;
    }
    DeviceMirror& operator=(DeviceMirror&& other) noexcept {
        copy_ = std::move(other.copy_);
        is_current_ = std::exchange(other.is_current_, false);
        return *this;
    }
    ~DeviceMirror() = default;

    /// The object has changed. Its copy keeps the memory.
    void forget() noexcept { is_current_ = false; }

    /// The copy, of a type of the device. Where there is none, or an old one, refresh(copy) writes it.
    template <class Copy, class Refresh>
    Copy const& get(Refresh const& refresh) const {
        auto* held = dynamic_cast<Held<Copy>*>(copy_.get());
        if (held == nullptr) {
            auto made = std::make_unique<Held<Copy>>();
            held = made.get();
            copy_ = std::move(made);
            is_current_ = false;
        }
        if (!is_current_) refresh(held->copy);
        is_current_ = true;
        return held->copy;
    }

private:
    struct Any {
        Any() = default;
        Any(Any const&) = delete;
        Any& operator=(Any const&) = delete;
        virtual ~Any() = default;
    };
    template <class Copy>
    struct Held final : Any {
        Copy copy;
    };

    mutable std::unique_ptr<Any> copy_;
    mutable bool is_current_ = false;
};

/// A (rows x cols) matrix on the host that enters tapes as a constant.
template <class T>
struct HostMatrix {
    std::size_t rows = 0, cols = 0;
    std::vector<T> values = std::vector<T>(rows * cols);
    DeviceMirror mirror = {};

    MatrixView<T const> view() const { return {values.data(), rows, cols}; }
};

}  // namespace polder::recsys
