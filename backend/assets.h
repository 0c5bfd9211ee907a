/* assets.h: what people know about addresses: the names they gave to them, where they are (geo.h), and the searches
 * that they keep. Kinds "asset" (by address) and "search" (by owner). The routes are assets_routes (api.h). */
#ifndef BACKEND_ASSETS_H
#define BACKEND_ASSETS_H

#include "common/config.h"
#include "common/err.h"

#include <stdbool.h>

enum { ASSETS_MAX = 10000, SEARCHES_MAX = 100 /* of one person */, NAMES_AT_ONCE = 200, GEO_FILES = 4 };

struct assets;
/* files: databases for geo.h, at most GEO_FILES; one may know countries and another networks. reverse_names: host
 * names, too (reverse.h). */
struct assets *assets_create(const struct config_list *files, bool reverse_names, struct err *err);
void assets_free(struct assets *assets); /* NULL is fine */

#endif
