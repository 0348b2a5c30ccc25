// A bound on what runs at the same time.
#pragma once

#include <atomic>
#include <cstddef>

namespace tenancy::server {

/// Counts what runs at the same time, up to a bound.
class Slots {
public:
    explicit Slots(std::size_t most) : most_(most) {}
    bool take() {
        if (taken_.fetch_add(1) < most_)
            return true;
        taken_.fetch_sub(1);
        return false;
    }
    void give_back() { taken_.fetch_sub(1); }
    std::size_t taken() const { return taken_.load(); }
    std::size_t most() const { return most_.load(); }
    /// Those above a lower bound end in their own time.
    void set_most(std::size_t most) { most_ = most; }

private:
    std::atomic<std::size_t> most_;
    std::atomic<std::size_t> taken_{0};
};

/// Holds a place among the slots, if there is one, until its end.
class Place {
public:
    explicit Place(Slots &slots) : slots_(slots), taken_(slots.take()) {}
    ~Place() {
        if (taken_)
            slots_.give_back();
    }
    Place(const Place &) = delete;
    Place &operator=(const Place &) = delete;
    Place(Place &&) = delete;
    Place &operator=(Place &&) = delete;
    bool is_taken() const { return taken_; }

private:
    Slots &slots_;
    const bool taken_;
};

} // namespace tenancy::server
