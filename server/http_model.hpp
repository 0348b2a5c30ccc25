// A model behind an OpenAI-compatible HTTP API. The only client use of the HTTP library is in
// http_model.cpp.
#pragma once

#include "config.hpp"
#include "llm/model.hpp"

namespace tenancy::server::llm {

class HttpModel : public Model {
public:
    /// Keeps a copy of what it needs of the configuration, the API key among it.
    explicit HttpModel(const ModelConfig &config);
    ~HttpModel() override; // must outlive its calls
    HttpModel(const HttpModel &) = delete;
    HttpModel &operator=(const HttpModel &) = delete;
    HttpModel(HttpModel &&) = delete;
    HttpModel &operator=(HttpModel &&) = delete;

    /// Starts a thread that posts the request to <endpoint>/chat/completions and reads the stream.
    /// TLS certificates and host names are always verified. Connections are kept and used again;
    /// one that the provider has closed meanwhile is replaced once.
    std::unique_ptr<ModelCall> start(const ModelRequest &request) override;

    class Pool;

private:
    ModelConfig config_;
    std::unique_ptr<Pool> pool_;
    std::string origin_; // scheme://host[:port]
    std::string path_;   // of the base URL + /chat/completions
};

} // namespace tenancy::server::llm
