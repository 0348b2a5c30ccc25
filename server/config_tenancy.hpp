// The blocks of the configuration that an administrator's command writes to the database: checked
// strictly here, applied by nobody in `serve`.
#pragma once

#include <map>
#include <string>

#include "config.hpp"
#include "config_reader.hpp"

namespace tenancy::server {

/// server.tenancy: admin_url, issuers, tenants, rate_limit, budget, file_quota, overrides.
void read_tenancy(Section section, TenancyConfig &tenancy);

/// pricing: {default: {...}, models: {<name>: {...}}}; the default goes under "".
void read_pricing(Section section, std::map<std::string, PriceConfig> &prices);

/// The top-level budget block of the agent.yaml layout.
void read_agent_budget(Section section, AgentBudgetConfig &budget);

} // namespace tenancy::server
