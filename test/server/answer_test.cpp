#include "llm/answer.hpp"

#include <gtest/gtest.h>

namespace tenancy::server::llm {

namespace {

using std::chrono::milliseconds;

const Answer::Time kStart{};

Chunk chunk(const char *text) {
    return *parse_chunk(text);
}

Chunk content(const std::string &text) {
    Chunk made;
    made.delta = {{"content", text}};
    return made;
}

} // namespace

TEST(Answer, puts_text_together_and_measures_it) {
    Answer answer(kStart);
    answer.add(content("one "), kStart + milliseconds(100));
    answer.add(content("two"), kStart + milliseconds(250));
    EXPECT_EQ(answer.message().dump(), R"({"role":"assistant","content":"one two"})");
    const ordered_json metrics = answer.metrics(kStart + milliseconds(300));
    EXPECT_TRUE(metrics["time_to_first_reasoning"].is_null());
    EXPECT_EQ(metrics["time_to_first_content"], 0.1);
    EXPECT_EQ(metrics["inter_token_latencies"].dump(), "[0.15]");
    EXPECT_EQ(metrics["total_time"], 0.3);
    EXPECT_EQ(metrics["model_calls"], 1);
    EXPECT_EQ(metrics["tool_calls"], 0);
}

TEST(Answer, puts_tool_calls_together_by_index) {
    Answer answer(kStart);
    answer.add(
        chunk(
            R"({"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}}]})"),
        kStart);
    answer.add(
        chunk(
            R"({"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}}]})"),
        kStart);
    answer.add(
        chunk(
            R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]}}]})"),
        kStart);
    const ordered_json calls = answer.message()["tool_calls"];
    EXPECT_EQ(calls[0].dump(),
              R"({"id":"a","type":"function","function":{"name":"f","arguments":"{}"}})");
    EXPECT_EQ(calls[1]["id"], "b");
}

TEST(Answer, an_absurd_tool_call_index_is_ignored) {
    Answer answer(kStart);
    answer.add(chunk(R"({"choices":[{"delta":{"tool_calls":[{"index":4000000000,"id":"b"},7]}}]})"),
               kStart);
    EXPECT_TRUE(answer.is_empty());
}

TEST(Answer, usage_is_the_providers_in_whole_numbers) {
    Answer answer(kStart);
    EXPECT_TRUE(answer.usage().is_null());
    answer.add(
        chunk(
            R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":99,)"
            R"("prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}}})"),
        kStart);
    EXPECT_EQ(
        answer.usage().dump(),
        R"({"prompt_tokens":7,"completion_tokens":5,"total_tokens":12,"cached_tokens":2,"reasoning_tokens":1})");
    EXPECT_EQ(answer.client_usage().dump(),
              R"({"prompt_tokens":7,"completion_tokens":5,"total_tokens":12})");
}

TEST(Answer, a_lying_usage_counts_as_zero) {
    Answer answer(kStart);
    answer.add(
        chunk(
            R"({"choices":[],"usage":{"prompt_tokens":-5,"completion_tokens":18446744073709551615}})"),
        kStart);
    EXPECT_EQ(answer.client_usage().dump(),
              R"({"prompt_tokens":0,"completion_tokens":0,"total_tokens":0})");
}

TEST(Answer, the_estimate_is_a_quarter_of_the_bytes_rounded_up) {
    Answer answer(kStart);
    answer.add(content("12345"), kStart);
    EXPECT_EQ(answer.estimated_usage(9).dump(),
              R"({"prompt_tokens":3,"completion_tokens":2,"total_tokens":5})");
}

TEST(Answer, the_list_of_latencies_is_bounded) {
    Answer answer(kStart);
    for (int i = 0; i < 2000; ++i)
        answer.add(content("x"), kStart + milliseconds(i));
    EXPECT_LE(answer.metrics(kStart)["inter_token_latencies"].dump().size(), 10000U);
}

} // namespace tenancy::server::llm
