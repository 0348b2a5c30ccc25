// POST /v1/files: the form is taken apart here, everything is decided in the database.
#include <nlohmann/json.hpp>

#include "handlers.hpp"
#include "multipart.hpp"
#include "problem.hpp"

namespace tenancy::server {

namespace {

const FormPart *last_part(const std::vector<FormPart> &parts, std::string_view name, bool is_file) {
    const FormPart *found = nullptr;
    for (const FormPart &part : parts)
        if (part.name == name && part.filename.has_value() == is_file)
            found = &part;
    return found;
}

// The body of the route: what the form says about the file, and this server's own limits.
std::string upload_facts(const FilesConfig &files, const FormPart &file, const FormPart *session) {
    nlohmann::json limits = {{"max_file_size_bytes", files.max_file_size_bytes}};
    if (!files.allowed_mime_types.empty())
        limits["allowed_mime_types"] = files.allowed_mime_types;
    nlohmann::json facts = {
        {"filename", *file.filename}, {"mime_type", std::string(file.type)}, {"limits", limits}};
    if (session != nullptr)
        facts["session_id"] = std::string(session->content);
    return facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

Response answer_upload(Services &services, RequestContext &context, const Request &request) {
    const FilesConfig &files = context.settings->config.files;
    if (!files.enabled)
        return problem(Code::not_found, "File uploads are not enabled");
    const std::string_view type = request.headers.find("Content-Type").value_or("");
    std::vector<FormPart> parts;
    if (is_form_type(type)) {
        auto parsed = parse_multipart(request.body, type);
        if (!parsed)
            return problem(Code::malformed_request, "the multipart/form-data body cannot be read");
        parts = std::move(*parsed);
    }
    const FormPart *file = last_part(parts, "file", true);
    if (file == nullptr)
        return invalid_member_problem("file", "missing", "Field required");
    if (file->filename->find('\0') != std::string::npos)
        return invalid_member_problem("filename", "string_pattern_mismatch",
                                      "The name of a file has no control characters");
    const Called called = call_route(
        services, context, "create_file",
        upload_facts(files, *file, last_part(parts, "session_id", false)), file->content);
    if (const auto *error = std::get_if<db::Error>(&called.outcome))
        return refuse_for(context, *error);
    return pass_through(context, std::get<db::Answer>(called.outcome));
}

} // namespace tenancy::server
