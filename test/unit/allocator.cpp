#include "allocator.hpp"

#include <cstdlib>
#include <new>

namespace {

constinit std::size_t countdown = 0;
constinit bool has_failed = false;
constinit long live = 0;

void *allocate(std::size_t size) {
    if (countdown != 0 && --countdown == 0) {
        has_failed = true;
        throw std::bad_alloc();
    }
    void *block = std::malloc(size == 0 ? 1 : size);
    if (block == nullptr)
        throw std::bad_alloc();
    ++live;
    return block;
}

void release(void *block) noexcept {
    if (block != nullptr)
        --live;
    std::free(block);
}

} // namespace

namespace tenancy::test {

void fail_allocation(std::size_t n) {
    countdown = n;
    has_failed = false;
}

bool allocation_failed() {
    return has_failed;
}

long live_allocations() {
    return live;
}

} // namespace tenancy::test

void *operator new(std::size_t size) {
    return allocate(size);
}
void *operator new[](std::size_t size) {
    return allocate(size);
}
void operator delete(void *block) noexcept {
    release(block);
}
void operator delete[](void *block) noexcept {
    release(block);
}
void operator delete(void *block, std::size_t) noexcept {
    release(block);
}
void operator delete[](void *block, std::size_t) noexcept {
    release(block);
}
