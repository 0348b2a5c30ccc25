// First include of every core header: keeps PostgreSQL out of the core.
// Core code allocates with new, unwinds with destructors and never longjmps; a PostgreSQL header
// in the same file would make it easy to break all three.
#pragma once

#if defined(POSTGRES_H) && !defined(TENANCY_PG_BOUNDARY)
#error "core headers must not be included after postgres.h; see CONTRIBUTING.md, layer rules"
#endif
