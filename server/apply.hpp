// `tenancyd apply`: writes what a configuration says of issuers, tenants, limits and prices to the
// database, as an administrator.
#pragma once

#include <string_view>
#include <vector>

namespace tenancy::server {

/// Runs the command with the words after "apply". Exit status: 0 done (or nothing to do), 1 the
/// file or the database refused, 2 the command line is wrong. Nothing is written unless all of it
/// is.
int apply(const std::vector<std::string_view> &words);

} // namespace tenancy::server
