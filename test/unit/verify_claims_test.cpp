// Claims other than times: audience, parties, subject, ids and the tenant.
#include "world.hpp"

#include <string>
#include <utility>

namespace tenancy::test {
namespace {

class TokenClaims : public World {
protected:
    void take_tenant_from(std::string_view path) {
        auto other = policy();
        const auto parsed = core::ClaimPath::parse(path);
        ASSERT_TRUE(parsed) << path;
        other.tenant_claim = *parsed;
        apply(std::move(other));
    }
    // The tenant found, or the name of the refusal.
    std::string tenant_in(std::string_view name, std::string_view json_value) const {
        Json rest = claims();
        rest.erase("tenant");
        std::string text = rest.dump();
        text.pop_back();
        text += ',' + Json(name).dump() + ':' + std::string(json_value) + '}';
        const auto verified = verify(raw_token(header().dump(), text));
        return verified ? verified->tenant_claim : core::code_name(verified.error());
    }
};

TEST_F(TokenClaims, accepts_any_exact_match_of_the_audience) {
    for (const char *aud :
         {R"("agent")", R"("other")", R"(["agent"])", R"(["x","agent"])", R"(["agent","agent"])"})
        EXPECT_EQ(verdict_with("aud", aud), Code::ok) << aud;
}

TEST_F(TokenClaims, refuses_other_audiences) {
    for (const char *aud : {R"("x")", R"(["x","y"])", R"("Agent")", R"("agen")", R"("agents")",
                            R"(" agent")", R"("")", R"("agent,other")", R"([""])"})
        EXPECT_EQ(verdict_with("aud", aud), Code::audience_not_accepted) << aud;
}

TEST_F(TokenClaims, refuses_malformed_audiences) {
    for (const char *aud :
         {"null", "1", "true", "{}", "[]", R"(["agent",1])", R"(["agent",null])",
          R"(["agent",["agent"]])", R"([["agent"]])", R"({"0":"agent"})", R"([{"a":"agent"}])"})
        EXPECT_EQ(verdict_with("aud", aud), Code::audience_malformed) << aud;
}

TEST_F(TokenClaims, refuses_a_missing_audience) {
    Json none = claims();
    none.erase("aud");
    EXPECT_EQ(verdict_on_claims(none), Code::audience_missing);
}

TEST_F(TokenClaims, refuses_enormous_audience_lists) {
    Json many = claims();
    many["aud"] = std::vector<std::string>(100'000, "x");
    EXPECT_EQ(verdict_on_claims(many), Code::token_too_large);
}

TEST_F(TokenClaims, never_matches_an_empty_list_of_audiences) {
    auto nobody = policy();
    nobody.audiences.clear();
    apply(std::move(nobody));
    EXPECT_EQ(verdict_on_claims(claims()), Code::audience_not_accepted);
}

// RFC 7519 section 4.1.3: an audience that is there must be ours.
TEST_F(TokenClaims, allows_absence_of_the_audience_but_no_other_one) {
    auto lax = policy();
    lax.require_audience = false;
    apply(lax);
    Json none = claims();
    none.erase("aud");
    EXPECT_EQ(verdict_on_claims(none), Code::ok);
    EXPECT_EQ(verdict_with("aud", R"("x")"), Code::audience_not_accepted);
    EXPECT_EQ(verdict_with("aud", "[]"), Code::audience_malformed);
    lax.audiences.clear();
    apply(std::move(lax));
    EXPECT_EQ(verdict_on_claims(none), Code::ok);
    EXPECT_EQ(verdict_with("aud", R"("agent")"), Code::audience_not_accepted);
}

TEST_F(TokenClaims, checks_authorized_parties) {
    EXPECT_EQ(verdict_with("azp", R"("anyone")"), Code::ok);
    auto listed = policy();
    listed.authorized_parties = {"web", "cli"};
    apply(std::move(listed));
    EXPECT_EQ(verdict_with("azp", R"("web")"), Code::ok);
    EXPECT_EQ(verdict_with("azp", R"("cli")"), Code::ok);
    EXPECT_EQ(verdict_with("azp", R"("Web")"), Code::authorized_party_not_accepted);
    EXPECT_EQ(verdict_with("azp", R"("")"), Code::authorized_party_not_accepted);
    EXPECT_EQ(verdict_on_claims(claims()), Code::authorized_party_missing);
    EXPECT_EQ(verdict_with("aud", R"(["agent","x"])"), Code::authorized_party_missing);
    for (const char *azp : {"null", "1", R"(["web"])", "{}"})
        EXPECT_EQ(verdict_with("azp", azp), Code::authorized_party_malformed) << azp;
}

TEST_F(TokenClaims, demands_a_subject_by_policy) {
    Json none = claims();
    none.erase("sub");
    EXPECT_EQ(verdict_on_claims(none), Code::subject_missing);
    auto lax = policy();
    lax.require_subject = false;
    apply(std::move(lax));
    EXPECT_EQ(verdict_on_claims(none), Code::ok);
    for (const char *sub : {"null", "1", "[]", R"({"a":1})", R"("")", R"("a\nb")"})
        EXPECT_EQ(verdict_with("sub", sub), Code::subject_malformed) << sub;
    EXPECT_EQ(verdict_with("sub", '"' + std::string(255, 's') + '"'), Code::ok);
    EXPECT_EQ(verdict_with("sub", '"' + std::string(256, 's') + '"'), Code::subject_malformed);
}

TEST_F(TokenClaims, refuses_malformed_token_ids) {
    for (const char *jti : {"null", "1", "[]", R"("")", R"("a\u0001")"})
        EXPECT_EQ(verdict_with("jti", jti), Code::token_id_malformed) << jti;
    Json none = claims();
    none.erase("jti");
    EXPECT_EQ(verdict_on_claims(none), Code::ok);
}

TEST_F(TokenClaims, demands_a_tenant) {
    Json none = claims();
    none.erase("tenant");
    EXPECT_EQ(verdict_on_claims(none), Code::tenant_claim_missing);
}

TEST_F(TokenClaims, takes_the_tenant_strictly_as_a_string) {
    for (const char *tenant : {"null", "1", "1.5", "true", "[]", R"(["acme"])", "{}",
                               R"({"id":"acme"})", R"("")", R"(" acme")", R"("acme ")",
                               R"("ac\nme")", R"("ac\u202eme")", R"("\u00a0acme")", R"("\u007f")"})
        EXPECT_EQ(verdict_with("tenant", tenant), Code::tenant_claim_malformed) << tenant;
    EXPECT_EQ(verdict_with("tenant", '"' + std::string(256, 't') + '"'),
              Code::tenant_claim_malformed);
    EXPECT_EQ(verdict_with("tenant", '"' + std::string(255, 't') + '"'), Code::ok);
}

// A uuid is one string of bytes: the map of tenants decides whether a spelling is known.
TEST_F(TokenClaims, hands_the_tenant_out_as_the_bytes_received) {
    for (const char *tenant : {"{6F9619FF-8B86-D011-B42D-00CF4FC964FF}", "a b", "Acme", "ACME"})
        EXPECT_EQ(tenant_in("tenant", '"' + std::string(tenant) + '"'), tenant);
    EXPECT_EQ(tenant_in("tenant", "\"caf\\u00e9\""), "caf\xC3\xA9");
    EXPECT_EQ(tenant_in("tenant", "\"cafe\\u0301\""), "cafe\xCC\x81");
}

TEST_F(TokenClaims, finds_nested_tenants) {
    take_tenant_from("org.id");
    EXPECT_EQ(tenant_in("org", R"({"id":"acme","x":1})"), "acme");
    EXPECT_EQ(tenant_in("org.id", R"("acme")"), "tenant_claim_missing");
    EXPECT_EQ(tenant_in("org", R"("acme")"), "tenant_claim_missing");
    EXPECT_EQ(tenant_in("org", R"({"ID":"acme"})"), "tenant_claim_missing");
    EXPECT_EQ(tenant_in("org", R"([{"id":"acme"}])"), "tenant_claim_missing");
    EXPECT_EQ(tenant_in("org", R"({"id":{"id":"acme"}})"), "tenant_claim_malformed");
    EXPECT_EQ(tenant_in("deep", R"({"org":{"id":"acme"}})"), "tenant_claim_missing");
}

TEST_F(TokenClaims, finds_tenants_by_pointer) {
    take_tenant_from("/a~1b/m~0n");
    EXPECT_EQ(tenant_in("a/b", R"({"m~n":"acme"})"), "acme");
    EXPECT_EQ(tenant_in("a~1b", R"({"m~0n":"acme"})"), "tenant_claim_missing");
}

TEST_F(TokenClaims, finds_tenants_under_claim_names_that_are_urls) {
    take_tenant_from("https://x.example/tenant");
    EXPECT_EQ(tenant_in("https://x.example/tenant", R"("acme")"), "acme");
    EXPECT_EQ(tenant_in("https://x", R"({"example/tenant":"acme"})"), "tenant_claim_missing");
}

TEST_F(TokenClaims, never_takes_another_element_of_an_array) {
    take_tenant_from("/orgs/1");
    EXPECT_EQ(tenant_in("orgs", R"(["x","acme","y"])"), "acme");
    EXPECT_EQ(tenant_in("orgs", R"(["x"])"), "tenant_claim_missing");
    EXPECT_EQ(tenant_in("orgs", R"([])"), "tenant_claim_missing");
    EXPECT_EQ(tenant_in("orgs", R"(["x",null])"), "tenant_claim_malformed");
    EXPECT_EQ(tenant_in("orgs", R"({"1":"acme"})"), "acme");
    EXPECT_EQ(tenant_in("orgs", R"([["x","y"],["z"]])"), "tenant_claim_malformed");
    take_tenant_from("orgs.1");
    EXPECT_EQ(tenant_in("orgs", R"(["x","acme"])"), "tenant_claim_missing");
}

TEST_F(TokenClaims, demands_a_jti_of_tokens_that_count_once) {
    core::IssuerPolicy once = policy();
    once.one_time = true;
    Json nameless = claims();
    nameless.erase("jti");
    EXPECT_EQ(verdict_on_claims(nameless), Code::ok);
    apply(once);
    EXPECT_EQ(verdict_on_claims(nameless), Code::token_id_missing);
    EXPECT_EQ(verdict_on_claims(claims()), Code::ok);
    EXPECT_EQ(verify(token(claims()))->token_expires_us, (kNow + 60) * kSecond);
}

} // namespace
} // namespace tenancy::test
