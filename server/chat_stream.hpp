// The client's side of a streamed turn: which frame follows which.
#pragma once

#include <memory>

#include "http.hpp"
#include "turn.hpp"

namespace tenancy::server {

/// A 200 event stream that plays the turn to its end. `first` is what the model sent already.
Response stream_response(std::unique_ptr<Turn> turn, Turn::Progress first);

} // namespace tenancy::server
