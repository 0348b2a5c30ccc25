// `tenancyd doctor`: asks the database for every way around the wall, prints what it finds, for
// people or for programs. Decides nothing itself: the rules are tenancy.check_isolation()'s.
#pragma once

#include <string_view>
#include <vector>

namespace tenancy::server {

/// Runs the command with the words after "doctor". Returns the process's exit status: 0 when there
/// is no finding at or above the level asked for, 1 when there is one, 2 when the question could
/// not be asked (usage, connection, privileges). Prints no part of a connection string.
int doctor(const std::vector<std::string_view> &words);

} // namespace tenancy::server
