#include "llm/wire.hpp"

#include <gtest/gtest.h>

namespace tenancy::server::llm {

namespace {

ordered_json frame_json(const std::string &frame) {
    EXPECT_EQ(frame.substr(0, 6), "data: ");
    EXPECT_EQ(frame.substr(frame.size() - 2), "\n\n");
    EXPECT_EQ(frame.find('\n'), frame.size() - 2);
    return ordered_json::parse(frame.substr(6));
}

const Head kHead = {"chatcmpl-1", 5, "m"};

} // namespace

TEST(Wire, upstream_gets_the_configured_model_and_a_stream) {
    ModelConfig model;
    model.temperature = 0.5;
    model.max_tokens = 9;
    const ChatOptions options = read_chat_options(
        R"({"model":"cheap","stream":false,"top_p":0.25,"tools":[{"type":"function"}],"user":"u",)"
        R"("session_id":"s","api_base":"http://evil","tool_choice":"auto","seed":null})");
    const auto body = ordered_json::parse(with_model(
        upstream_body(model, ordered_json::parse(R"([{"role":"user","content":"x","id":"m1"}])"),
                      options),
        "real \"one\""));
    EXPECT_EQ(body["model"], "real \"one\"");
    EXPECT_EQ(body["stream"], true);
    EXPECT_EQ(body["stream_options"]["include_usage"], true);
    EXPECT_EQ(body["top_p"], 0.25);
    EXPECT_EQ(body["temperature"], 0.5);
    EXPECT_EQ(body["max_tokens"], 9);
    EXPECT_EQ(body["tools"][0]["type"], "function");
    EXPECT_EQ(body["tool_choice"], "auto");
    EXPECT_EQ(body["messages"].dump(), R"([{"role":"user","content":"x"}])");
    for (const char *name : {"user", "session_id", "api_base", "seed"})
        EXPECT_FALSE(body.contains(name)) << name;
}

TEST(Wire, the_clients_own_limits_win_over_the_configured_ones) {
    ModelConfig model;
    model.temperature = 0.5;
    model.max_tokens = 9;
    const auto body = ordered_json::parse(
        upstream_body(model, ordered_json::array(),
                      read_chat_options(R"({"temperature":1,"max_completion_tokens":3})")));
    EXPECT_EQ(body["temperature"], 1);
    EXPECT_EQ(body["max_completion_tokens"], 3);
    EXPECT_FALSE(body.contains("max_tokens"));
}

TEST(Wire, only_the_boolean_true_asks_for_a_stream) {
    EXPECT_TRUE(read_chat_options(R"({"stream":true})").stream);
    for (const char *text : {R"({"stream":"true"})", R"({"stream":1})", "{}", "[]", "null"})
        EXPECT_FALSE(read_chat_options(text).stream) << text;
}

TEST(Wire, reads_a_chunk) {
    const auto chunk = parse_chunk(
        R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"hi","extra":1},"finish_reason":null}]})");
    ASSERT_TRUE(chunk);
    EXPECT_EQ(chunk->delta.dump(), R"({"content":"hi","extra":1})");
    EXPECT_TRUE(chunk->finish_reason.empty());
    EXPECT_TRUE(chunk->usage.is_null());
}

TEST(Wire, empty_and_null_parts_of_a_delta_are_left_out) {
    const auto chunk = parse_chunk(
        R"({"choices":[{"delta":{"content":"","reasoning_content":null,"tool_calls":[]}}]})");
    ASSERT_TRUE(chunk);
    EXPECT_TRUE(chunk->delta.empty());
    EXPECT_EQ(chunk->raw_delta, "");
}

TEST(Wire, a_delta_stays_as_the_provider_wrote_it) {
    const auto raw = [](const std::string &delta) {
        return parse_chunk(R"({"a":[{"choices":1},"]}"], "choices" : [ {"delta" : )" + delta +
                           R"(, "finish_reason":null}, {"delta":{"content":"2nd"}} ]})")
            ->raw_delta;
    };
    for (const char *same :
         {R"({"content":"\u00e9\/\"}]{[,:"})", R"({"content":null,"n":1.50E+3,"m":[ {"k" :[]} ]})",
          R"({"tool_calls":[{"index":0,"function":{"arguments":"{\"a\": [1"}}]})"})
        EXPECT_EQ(raw(same), same);
    EXPECT_EQ(raw(R"({ "role":"assistant" , "content" : "x" })"), R"({"content" : "x"})");
    EXPECT_EQ(raw(R"({"content":"x","role":"assistant"})"), R"({"content":"x"})");
    EXPECT_EQ(raw("{\"content\":\"x\",\"n\":[1,\r\n2]}"), R"({"content":"x","n":[1,  2]})");
    EXPECT_EQ(raw(R"({"content":1,"content":"last"})"), R"({"content":1,"content":"last"})");
    EXPECT_EQ(raw(R"({"role":"assistant"})"), "");
    EXPECT_EQ(raw("{}"), "");
    EXPECT_EQ(raw("5"), "");
}

TEST(Wire, log_probabilities_of_a_piece_are_kept) {
    const auto chunk =
        parse_chunk(R"({"choices":[{"delta":{"content":"x"},"logprobs":{"a":-0.10}}]})");
    EXPECT_EQ(chunk->raw_logprobs, R"({"a":-0.10})");
    const auto frame = frame_json(delta_frame(kHead, chunk->raw_delta, chunk->raw_logprobs));
    EXPECT_EQ(frame["choices"][0]["logprobs"]["a"], -0.1);
}

TEST(Wire, reasoning_goes_by_the_references_name) {
    const auto chunk = parse_chunk(R"({"choices":[{"delta":{"reasoning":"hm"}}]})");
    EXPECT_EQ(chunk->delta["reasoning_content"], "hm");
    EXPECT_EQ(chunk->raw_delta, R"({"reasoning":"hm","reasoning_content":"hm"})");
}

TEST(Wire, reads_a_whole_completion_as_one_chunk) {
    const auto chunk = parse_chunk(
        R"({"choices":[{"message":{"role":"assistant","content":"all"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}})");
    EXPECT_EQ(chunk->delta["content"], "all");
    EXPECT_EQ(chunk->finish_reason, "stop");
    EXPECT_EQ(chunk->usage["prompt_tokens"], 1);
}

TEST(Wire, reads_the_usage_chunk) {
    const auto chunk = parse_chunk(R"({"choices":[],"usage":{"completion_tokens":2}})");
    ASSERT_TRUE(chunk);
    EXPECT_EQ(chunk->usage["completion_tokens"], 2);
}

TEST(Wire, an_error_object_is_seen) {
    EXPECT_TRUE(parse_chunk(R"({"error":{"message":"x"}})")->is_error);
    EXPECT_FALSE(parse_chunk(R"({"error":null,"choices":[]})")->is_error);
}

TEST(Wire, other_text_is_no_chunk) {
    EXPECT_FALSE(parse_chunk("not json"));
    EXPECT_FALSE(parse_chunk("[]"));
    EXPECT_FALSE(parse_chunk("{}"));
    EXPECT_FALSE(parse_chunk(R"({"choices":[{"delta":{"tool_calls":)" + std::string(100000, '[') +
                             std::string(100000, ']') + "}}]}"));
}

TEST(Wire, odd_types_do_not_throw) {
    for (const char *text :
         {R"({"choices":{}})", R"({"choices":[1]})", R"({"choices":[{"delta":5}]})",
          R"({"choices":[{"delta":{"content":[1]},"finish_reason":3}],"usage":7})"})
        EXPECT_NO_THROW(parse_chunk(text)) << text;
}

TEST(Wire, frames_are_the_references) {
    EXPECT_EQ(
        delta_frame(kHead, kRoleDelta),
        "data: {\"id\": \"chatcmpl-1\", \"object\": \"chat.completion.chunk\", \"created\": 5, "
        "\"model\": \"m\", \"choices\": [{\"index\": 0, \"delta\": {\"role\": \"assistant\"}, "
        "\"finish_reason\": null}]}\n\n");
    EXPECT_EQ(frame_json(finish_frame(kHead, "stop"))["choices"].dump(),
              R"([{"index":0,"delta":{},"finish_reason":"stop"}])");
    const auto usage = frame_json(usage_frame(kHead, nullptr, {{"total_time", 1}}, "trace_1"));
    EXPECT_EQ(usage["choices"].dump(), "[]");
    EXPECT_TRUE(usage["usage"].is_null());
    EXPECT_EQ(usage["stream_metrics"]["total_time"], 1);
    EXPECT_EQ(usage["trace_id"], "trace_1");
    EXPECT_EQ(frame_json(error_frame(R"({"message":"x"})"))["error"]["message"], "x");
}

TEST(Wire, a_line_end_in_content_cannot_end_the_frame) {
    const auto frame =
        frame_json(delta_frame(kHead, ordered_json({{"content", "a\n\ndata: [DONE]\n\n"}}).dump()));
    EXPECT_EQ(frame["choices"][0]["delta"]["content"], "a\n\ndata: [DONE]\n\n");
}

TEST(Wire, spacing_stays_outside_strings) {
    EXPECT_EQ(spaced(R"({"a":"x:,\"y:","b":[1,2]})"), R"({"a": "x:,\"y:", "b": [1, 2]})");
}

TEST(Wire, ids_have_24_hex_digits) {
    const Head head = new_head("m");
    EXPECT_EQ(head.id.size(), 9U + 24U);
    EXPECT_EQ(head.id.find_first_not_of("0123456789abcdef", 9), std::string::npos);
    EXPECT_NE(head.id, new_head("m").id);
}

TEST(Wire, the_whole_completion_has_the_references_members_in_order) {
    EXPECT_EQ(
        completion_body(kHead, {{"role", "assistant"}, {"content", "x"}}, "stop",
                        {{"prompt_tokens", 1}}, {{"total_time", 1}}),
        R"({"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"m","choices":)"
        R"([{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],)"
        R"("usage":{"prompt_tokens":1},"stream_metrics":{"total_time":1}})");
}

} // namespace tenancy::server::llm
