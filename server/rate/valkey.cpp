#include "valkey.hpp"

#include <algorithm>
#include <array>

#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <poll.h>

#include "take_script.hpp"

namespace tenancy::server::rate {

namespace {

using Clock = ValkeyConnection::Clock;
constexpr std::size_t kAnswerFields = 5;

struct FreeContext {
    void operator()(redisContext *context) const { redisFree(context); }
};
struct FreeReply {
    void operator()(redisReply *reply) const { freeReplyObject(reply); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
using Reply = std::unique_ptr<redisReply, FreeReply>;

// Of an error only its first word, such as WRONGPASS: the rest may quote what was sent.
std::string first_word(const redisReply &reply) {
    const std::string_view text(reply.str, static_cast<std::size_t>(reply.len));
    return std::string(text.substr(0, std::min<std::size_t>(text.find(' '), 32)));
}

// SHA-1 in hexadecimal: the name that Valkey gives a script.
std::string name_of_script() {
    constexpr std::string_view digits = "0123456789abcdef";
    std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
    std::size_t size = 0;
    const std::string_view script = kTakeScript;
    if (EVP_Q_digest(nullptr, "SHA1", nullptr, script.data(), script.size(), hash.data(), &size) !=
        1)
        return {}; // no script has that name: it is sent each time
    std::string name;
    for (std::size_t i = 0; i < size; ++i) {
        name += digits[hash.at(i) >> 4U];
        name += digits[hash.at(i) & 15U];
    }
    return name;
}

std::vector<std::string> script_command(const char *command, const std::string &script,
                                        const std::vector<FlowCost> &flows) {
    std::vector<std::string> words = {command, script, std::to_string(flows.size())};
    for (const FlowCost &flow : flows)
        words.push_back(flow.key);
    for (const FlowCost &flow : flows)
        for (const long long number : {flow.per_minute, flow.burst, flow.cost})
            words.push_back(std::to_string(number));
    return words;
}

std::optional<FlowAnswer> to_answer(const redisReply &reply) {
    if (reply.type != REDIS_REPLY_ARRAY || reply.elements != kAnswerFields)
        return std::nullopt;
    std::array<long long, kAnswerFields> numbers{};
    for (std::size_t i = 0; i < kAnswerFields; ++i) {
        if (reply.element[i]->type != REDIS_REPLY_INTEGER)
            return std::nullopt;
        numbers.at(i) = reply.element[i]->integer;
    }
    FlowAnswer answer{numbers[0] == 1, numbers[1], numbers[2], numbers[3], numbers[4]};
    if (numbers[3] < 0)
        answer.retry_after_ms = std::nullopt;
    return answer;
}

ValkeyConnection::Outcome to_answers(const redisReply &reply, std::size_t wanted) {
    std::vector<FlowAnswer> answers;
    if (reply.type == REDIS_REPLY_ARRAY)
        for (std::size_t i = 0; i < reply.elements; ++i)
            if (auto answer = to_answer(*reply.element[i]))
                answers.push_back(*answer);
    if (answers.size() != wanted)
        return "unexpected answer";
    return answers;
}

} // namespace

struct ValkeyConnection::Impl {
    const ValkeyAddress &address;
    Context context;
    std::string failure; // of the last command that had no usable reply

    explicit Impl(const ValkeyAddress &where) : address(where) {}

    Reply fail(std::string why) {
        failure = std::move(why);
        context.reset();
        return nullptr;
    }
    bool connect(Clock::time_point deadline);
    bool sign_in(Clock::time_point deadline);
    Reply send(const std::vector<std::string> &words, Clock::time_point deadline);
    bool is_done(const std::vector<std::string> &words, Clock::time_point deadline);
};

namespace {

// What is left, never zero: that would mean "for ever". Nothing when the deadline has passed.
std::optional<timeval> time_left(Clock::time_point deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now()).count();
    if (left <= 0)
        return std::nullopt;
    return timeval{left / 1000000, left % 1000000};
}

} // namespace

bool ValkeyConnection::Impl::connect(Clock::time_point deadline) {
    if (context)
        return true;
    const auto left = time_left(deadline);
    if (!left) {
        fail("timed out");
        return false;
    }
    context.reset(address.socket.empty()
                      ? redisConnectWithTimeout(address.host.c_str(), address.port, *left)
                      : redisConnectUnixWithTimeout(address.socket.c_str(), *left));
    if (!context || context->err != 0) {
        fail(context ? std::string(context->errstr) : "out of memory");
        return false;
    }
    return sign_in(deadline);
}

bool ValkeyConnection::Impl::sign_in(Clock::time_point deadline) {
    std::vector<std::string> auth = {"AUTH"};
    if (!address.user.empty())
        auth.push_back(address.user);
    auth.push_back(address.password.reveal());
    return (address.password.empty() || is_done(auth, deadline)) &&
           (address.database == 0 ||
            is_done({"SELECT", std::to_string(address.database)}, deadline));
}

// The reply, or nothing and `failure` when the connection gave none.
Reply ValkeyConnection::Impl::send(const std::vector<std::string> &words,
                                   Clock::time_point deadline) {
    const auto left = time_left(deadline);
    if (!left || redisSetTimeout(context.get(), *left) != REDIS_OK)
        return fail("timed out");
    std::vector<const char *> texts;
    std::vector<std::size_t> sizes;
    for (const std::string &word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    Reply reply(static_cast<redisReply *>(redisCommandArgv(
        context.get(), static_cast<int>(words.size()), texts.data(), sizes.data())));
    if (!reply)
        return fail(Clock::now() >= deadline ? "timed out" : std::string(context->errstr));
    return reply;
}

bool ValkeyConnection::Impl::is_done(const std::vector<std::string> &words,
                                     Clock::time_point deadline) {
    const Reply reply = send(words, deadline);
    if (reply && reply->type == REDIS_REPLY_ERROR)
        fail(words.front() + ": " + first_word(*reply));
    return context != nullptr;
}

ValkeyConnection::ValkeyConnection(const ValkeyAddress &address)
    : impl_(std::make_unique<Impl>(address)) {}

ValkeyConnection::~ValkeyConnection() = default;

ValkeyConnection::Outcome ValkeyConnection::take(const std::vector<FlowCost> &flows,
                                                 Clock::time_point deadline) {
    static const std::string name = name_of_script();
    if (!impl_->connect(deadline))
        return impl_->failure;
    Reply reply = impl_->send(script_command("EVALSHA", name, flows), deadline);
    if (reply && reply->type == REDIS_REPLY_ERROR && first_word(*reply) == "NOSCRIPT")
        reply = impl_->send(script_command("EVAL", kTakeScript, flows), deadline);
    if (reply && reply->type == REDIS_REPLY_ERROR)
        reply = impl_->fail("script: " + first_word(*reply));
    if (!reply)
        return impl_->failure;
    return to_answers(*reply, flows.size());
}

bool ValkeyConnection::is_usable() {
    if (!impl_->context)
        return true; // it will connect
    // Nothing may arrive on an idle connection but its end.
    pollfd entry{impl_->context->fd, POLLIN, 0};
    return poll(&entry, 1, 0) == 0;
}

bool ValkeyConnection::recycle() {
    return impl_->context != nullptr;
}

} // namespace tenancy::server::rate
