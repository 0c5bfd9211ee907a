/* users_api.h: the routes below /api/users, and the names that a threat can be given to. */
#ifndef BACKEND_USERS_API_H
#define BACKEND_USERS_API_H

#include "common/http_server.h"

http_handler users_get, users_post, users_patch, users_delete;
http_handler assignees_get; /* /api/assignees: names of people who may work on threats */

#endif
