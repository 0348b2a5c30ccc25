#include "llm/sse_reader.hpp"

#include <gtest/gtest.h>

namespace tenancy::server::llm {

namespace {

using Events = std::vector<std::string>;

Events read_in_pieces(std::string_view text, std::size_t size) {
    SseReader reader;
    Events events;
    for (std::size_t at = 0; at < text.size(); at += size)
        EXPECT_TRUE(reader.feed(text.substr(at, size), events));
    return events;
}

constexpr std::string_view kStream = "\xEF\xBB\xBF"
                                     "data: one\n\n"
                                     ": a comment\r\n"
                                     "event: x\r\nid: 7\r\ndata: two\r\n\r\n"
                                     "data:three\rdata: lines\r\r"
                                     "data\n\n"
                                     "retry: 5\n\n"
                                     "data: crlf\r\ndata: lines\r\n\r\n"
                                     "data:  spaced : colon\n\n"
                                     "data: [DONE]\n\n";

const Events kExpected = {"one",   "two", "three\nlines", "", "crlf\nlines", " spaced : colon",
                          "[DONE]"};

} // namespace

TEST(SseReader, gives_the_same_events_however_the_bytes_are_cut) {
    for (std::size_t size = 1; size <= kStream.size(); ++size)
        EXPECT_EQ(read_in_pieces(kStream, size), kExpected) << "pieces of " << size;
}

TEST(SseReader, gives_the_same_events_split_at_every_byte) {
    for (std::size_t at = 0; at <= kStream.size(); ++at) {
        SseReader reader;
        Events events;
        EXPECT_TRUE(reader.feed(kStream.substr(0, at), events));
        EXPECT_TRUE(reader.feed(kStream.substr(at), events));
        EXPECT_EQ(events, kExpected) << "split at " << at;
    }
}

TEST(SseReader, an_event_without_its_blank_line_is_not_given_out) {
    EXPECT_TRUE(read_in_pieces("data: half\n", 3).empty());
}

TEST(SseReader, refuses_an_event_larger_than_the_limit) {
    SseReader reader(100);
    Events events;
    EXPECT_FALSE(reader.feed("data: " + std::string(200, 'x'), events));
}

TEST(SseReader, counts_the_lines_of_one_event_together) {
    SseReader reader(100);
    Events events;
    EXPECT_TRUE(reader.feed("data: " + std::string(60, 'x') + "\n", events));
    EXPECT_FALSE(reader.feed("data: " + std::string(60, 'x') + "\n", events));
}

TEST(SseReader, the_limit_is_per_event) {
    SseReader reader(100);
    Events events;
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(reader.feed("data: " + std::string(60, 'x') + "\n\n", events));
    EXPECT_EQ(events.size(), 5U);
}

} // namespace tenancy::server::llm
