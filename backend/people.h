/* people.h: puts the rooms about people and their rules together: opened after store, bus and hub, closed before
 * them.
 *
 * people_open fills api->watch, api->auth, api->suppressions, api->blocklist, api->notify and what else its
 * modules have; people_close empties them. The routes are people_routes and the others in api.h. */
#ifndef BACKEND_PEOPLE_H
#define BACKEND_PEOPLE_H

#include "backend/api.h"
#include "common/err.h"

#include <stdbool.h>

bool people_open(struct api *api, struct err *err);
bool people_start(struct api *api, struct err *err); /* its threads */
void people_close(struct api *api);                  /* stops and frees; also what people_open left half done */

#endif
