#include "llm/echo.hpp"

#include <gtest/gtest.h>

#include "llm/answer.hpp"

namespace tenancy::server::llm {

namespace {

// Plays a call to its end; gives the answer and the number of pieces with content.
std::pair<Answer, int> play(const std::string &body, std::chrono::milliseconds delay = {}) {
    EchoModel model(delay);
    const auto call = model.start({body, "", ""});
    Answer answer(std::chrono::steady_clock::now());
    int pieces = 0;
    for (;;) {
        const Step step = call->next(std::chrono::milliseconds(5));
        if (step.kind == Step::Kind::done)
            return {answer, pieces};
        if (step.kind != Step::Kind::data)
            continue;
        const auto chunk = parse_chunk(step.data);
        pieces += chunk->delta.contains("content") ? 1 : 0;
        answer.add(*chunk, std::chrono::steady_clock::now());
    }
}

} // namespace

TEST(Echo, answers_with_the_last_user_message_in_small_pieces) {
    const auto [answer, pieces] = play(
        R"({"messages":[{"role":"user","content":"first"},{"role":"assistant","content":"no"},)"
        R"({"role":"user","content":"the quick brown fox"}]})");
    EXPECT_EQ(answer.message()["content"], "the quick brown fox");
    EXPECT_EQ(answer.finish_reason(), "stop");
    EXPECT_EQ(pieces, 2);
}

TEST(Echo, counts_four_bytes_a_token) {
    const auto [answer, pieces] = play(
        R"({"messages":[{"role":"system","content":"12345678"},{"role":"user","content":"abcde"}]})");
    EXPECT_EQ(answer.client_usage().dump(),
              R"({"prompt_tokens":4,"completion_tokens":2,"total_tokens":6})");
    EXPECT_EQ(pieces, 1);
}

TEST(Echo, takes_the_text_parts_of_a_list) {
    const auto [answer, pieces] = play(
        R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"},{"type":"text","text":"b"}]}]})");
    EXPECT_EQ(answer.message()["content"], "ab");
    EXPECT_EQ(pieces, 1);
}

TEST(Echo, calls_the_tool_that_a_request_insists_on) {
    const std::string tools =
        R"("tools":[{"type":"function","function":{"name":"first"}},{"type":"function","function":{"name":"second"}}])";
    for (const auto &[choice, name] : std::vector<std::pair<std::string, std::string>>{
             {R"("required")", "first"},
             {R"({"type":"function","function":{"name":"second"}})", "second"}}) {
        std::string body =
            R"({"messages":[{"role":"user","content":"say \"this\", in pieces"}],"tool_choice":)";
        body.append(choice).append(",").append(tools).append("}");
        const auto [answer, pieces] = play(body);
        const auto message = answer.message();
        EXPECT_EQ(answer.finish_reason(), "tool_calls");
        EXPECT_EQ(pieces, 0);
        EXPECT_TRUE(message["content"].is_null());
        const auto &function = message["tool_calls"][0]["function"];
        EXPECT_EQ(function["name"], name);
        EXPECT_EQ(ordered_json::parse(function["arguments"].get<std::string>())["text"],
                  "say \"this\", in pieces");
    }
    for (const char *choice : {R"("auto")", "7", "{}", R"({"function":7})",
                               R"({"function":{"name":7}})", R"("required")"})
        EXPECT_EQ(play(R"({"messages":[{"role":"user","content":"x"}],"tool_choice":)" +
                       std::string(choice) + "}")
                      .first.finish_reason(),
                  "stop")
            << choice;
}

TEST(Echo, reasons_first_when_there_is_an_effort) {
    const auto [answer, pieces] =
        play(R"({"messages":[{"role":"user","content":"abcd"}],"reasoning_effort":"low"})");
    EXPECT_EQ(answer.message()["reasoning_content"], "abcd");
    EXPECT_EQ(answer.message()["content"], "abcd");
    EXPECT_EQ(pieces, 1);
}

TEST(Echo, has_an_empty_answer_to_nothing) {
    EXPECT_EQ(play(R"({"messages":[]})").first.message()["content"], "");
    EXPECT_EQ(play(R"({"messages":[{"role":"user","content":null}]})").second, 0);
}

TEST(Echo, waits_before_each_piece_without_blocking_its_caller) {
    EchoModel model(std::chrono::milliseconds(40));
    const auto call = model.start({R"({"messages":[{"role":"user","content":"x"}]})", "", ""});
    EXPECT_EQ(call->next(std::chrono::milliseconds(1)).kind, Step::Kind::waiting);
    const auto start = std::chrono::steady_clock::now();
    while (call->next(std::chrono::milliseconds(5)).kind == Step::Kind::waiting) {
    }
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(25));
}

TEST(Echo, never_cuts_a_character) {
    const std::string text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z";
    for (std::size_t most = 1; most <= text.size(); ++most) {
        std::string joined;
        for (const std::string_view piece : split_text(text, most)) {
            EXPECT_NE(static_cast<unsigned char>(piece.front()) & 0xC0U, 0x80U);
            EXPECT_LE(piece.size(), std::max<std::size_t>(most, 4));
            joined += piece;
        }
        EXPECT_EQ(joined, text);
    }
}

} // namespace tenancy::server::llm
