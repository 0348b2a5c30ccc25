// Several models behind one: when one fails before the first piece of its answer, the next is
// tried.
#pragma once

#include <string>
#include <vector>

#include "model.hpp"

namespace tenancy::server::llm {

struct Candidate {
    std::string name; // as it is priced
    std::unique_ptr<Model> model;
};

class FallbackModel : public Model {
public:
    /// The candidates are tried in their order without a pause. When all have failed, the whole
    /// list is tried again, `retries` times at most, after a pause that grows and is jittered, and
    /// at least what a candidate said in Retry-After; one that says more than five seconds ends the
    /// turn. Nothing is begun that could not start before the request's deadline.
    FallbackModel(std::vector<Candidate> candidates, long retries)
        : candidates_(std::move(candidates)), retries_(retries) {}
    std::unique_ptr<ModelCall> start(const ModelRequest &request) override;

private:
    std::vector<Candidate> candidates_;
    long retries_;
};

} // namespace tenancy::server::llm
