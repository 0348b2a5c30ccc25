#include "middleware/middleware.hpp"

#include <gtest/gtest.h>

namespace tenancy::server {

namespace {

Request with_header(const std::string &name, const std::string &value) {
    Request request;
    request.headers.add(name, value);
    return request;
}

Refusal token_refusal(const Request &request) {
    RequestContext context;
    return extract_token(context, request);
}

} // namespace

TEST(Token, takes_a_compact_jws_in_any_case_of_the_scheme) {
    for (const char *scheme : {"Bearer ", "bearer ", "BEARER   "}) {
        RequestContext context;
        const Request request = with_header("authorization", std::string(scheme) + "aA0-.b_9.Cc");
        EXPECT_EQ(extract_token(context, request), std::nullopt);
        EXPECT_EQ(context.token, "aA0-.b_9.Cc");
    }
}

TEST(Token, absence_or_another_scheme_asks_for_a_bearer_token) {
    EXPECT_EQ(token_refusal({}), Code::no_token);
    for (const char *value : {"Basic abc", "Bearer", "Bearera.b.c", "a.b.c", ""})
        EXPECT_EQ(token_refusal(with_header("Authorization", value)), Code::no_token) << value;
}

TEST(Token, refuses_every_other_shape) {
    for (const char *value :
         {"Bearer  ", "Bearer abc", "Bearer a.b", "Bearer a.b.c.d", "Bearer .b.c", "Bearer a..c",
          "Bearer a.b.", "Bearer a.b.c=", "Bearer a.b.c d", "Bearer a.b.c,", "Bearer a+b.c.d",
          "Bearer a/b.c.d", "Bearer a.b\n.c"})
        EXPECT_EQ(token_refusal(with_header("Authorization", value)), Code::invalid_token) << value;
}

TEST(Token, refuses_two_headers_even_when_equal) {
    Request request = with_header("Authorization", "Bearer a.b.c");
    request.headers.add("AUTHORIZATION", "Bearer a.b.c");
    EXPECT_EQ(token_refusal(request), Code::invalid_token);
}

TEST(Token, the_length_limit_is_16384_bytes) {
    const std::string longest = "a.b." + std::string(16380, 'c');
    EXPECT_EQ(token_refusal(with_header("Authorization", "Bearer " + longest)), std::nullopt);
    EXPECT_EQ(token_refusal(with_header("Authorization", "Bearer " + longest + "c")),
              Code::invalid_token);
}

TEST(RequestId, keeps_a_well_formed_one_and_replaces_others) {
    RequestContext context;
    assign_request_id(context, with_header("X-Request-ID", "Az0._-"));
    EXPECT_EQ(context.request_id, "Az0._-");
    for (const std::string &bad : {std::string("a b"), std::string("a\r\nX: y"),
                                   std::string(129, 'a'), std::string("\xC3\xA4")}) {
        assign_request_id(context, with_header("X-Request-ID", bad));
        EXPECT_EQ(context.request_id.substr(0, 4), "req_");
        EXPECT_EQ(context.request_id.size(), 28U);
    }
}

TEST(RequestId, keeps_only_a_valid_traceparent) {
    const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    RequestContext context;
    assign_request_id(context, with_header("Traceparent", good));
    EXPECT_EQ(context.traceparent, good);
    EXPECT_EQ(context.otel_trace_id, good.substr(3, 32));
    EXPECT_EQ(context.parent_span_id, "00f067aa0ba902b7");
    EXPECT_EQ(context.span_id.size(), 16U);
    EXPECT_NE(context.span_id, context.parent_span_id);
    EXPECT_TRUE(context.is_sampled);
    for (const char *bad : {"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", "x"}) {
        RequestContext other;
        assign_request_id(other, with_header("traceparent", bad));
        EXPECT_TRUE(other.traceparent.empty()) << bad;
        EXPECT_NE(other.otel_trace_id, good.substr(3, 32)) << bad;
        EXPECT_EQ(other.otel_trace_id.size(), 32U);
        EXPECT_TRUE(other.parent_span_id.empty());
    }
}

// W3C Trace Context, section 3.2.4.
TEST(RequestId, of_a_later_version_the_known_parts_are_read) {
    const std::string rest = "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";
    for (const auto &[value, is_valid, is_sampled] :
         std::vector<std::tuple<std::string, bool, bool>>{
             {"cc" + rest + "03", true, true},
             {"cc" + rest + "00-what-the-future-brings", true, false},
             {"cc" + rest + "01.what", false, true},
             {"00" + rest + "01-what", false, true},
             {"00" + rest + "fe", true, false}}) {
        RequestContext context;
        assign_request_id(context, with_header("traceparent", value));
        EXPECT_EQ(context.traceparent.empty(), !is_valid) << value;
        EXPECT_EQ(context.is_sampled, is_sampled) << value;
    }
}

TEST(ClaimedIdentity, equal_claims_pass_and_are_kept) {
    Request request = with_header("X-Tenant", "acme");
    request.headers.add("x-tenant-id", "acme");
    request.headers.add("X-Auth-Subject", "alice");
    RequestContext context;
    EXPECT_EQ(collect_claimed_identity(context, request), std::nullopt);
    EXPECT_EQ(context.x_tenant, "acme");
    EXPECT_EQ(context.x_auth_subject, "alice");
}

TEST(ClaimedIdentity, contradictions_are_refused) {
    for (const char *name : {"X-Tenant", "X-Tenant-ID"}) {
        Request request = with_header("X-Tenant", "acme");
        request.headers.add(name, "globex");
        RequestContext context;
        EXPECT_EQ(collect_claimed_identity(context, request), Code::tenant_mismatch);
    }
    Request request = with_header("X-Auth-Subject", "alice");
    request.headers.add("X-Auth-Subject", "bob");
    RequestContext context;
    EXPECT_EQ(collect_claimed_identity(context, request), Code::tenant_mismatch);
}

TEST(ClaimedIdentity, text_that_is_none_is_refused) {
    RequestContext context;
    EXPECT_EQ(collect_claimed_identity(context, with_header("X-Tenant", "\xFF")),
              Code::tenant_mismatch);
}

TEST(Limits, every_bad_intake_has_its_status) {
    const std::pair<Intake, int> cases[] = {{Intake::malformed, 400},
                                            {Intake::too_large, 413},
                                            {Intake::uri_too_long, 414},
                                            {Intake::unsupported_media, 415},
                                            {Intake::timed_out, 408}};
    for (const auto &[intake, status] : cases) {
        Request request;
        request.intake = intake;
        EXPECT_EQ(code_status(check_limits(request).value()), status);
    }
    EXPECT_EQ(check_limits({}), std::nullopt);
}

} // namespace tenancy::server
