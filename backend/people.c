/* people.c: see people.h. */
#include "backend/people.h"

#include "backend/assets.h"
#include "backend/audit.h"
#include "backend/auth.h"
#include "backend/blocklist.h"
#include "backend/keys.h"
#include "backend/login.h"
#include "backend/notify.h"
#include "backend/suppression.h"
#include "backend/users_api.h"
#include "backend/watch.h"

const struct http_route people_routes[] = {
    {"POST", "/api/auth/login", ROLE_NOBODY, login_post, HTTP_WHOLE_BODY, 8 * 1024},
    {"POST", "/api/auth/logout", ROLE_VIEWER, logout_post, HTTP_NO_BODY, 0},
    {"POST", "/api/auth/refresh", ROLE_VIEWER, refresh_post, HTTP_NO_BODY, 0},
    {"GET", "/api/auth/me", ROLE_VIEWER, me_get, HTTP_NO_BODY, 0},
    {"PUT", "/api/auth/password", ROLE_VIEWER, password_put, HTTP_WHOLE_BODY, 8 * 1024},
    {"GET", "/api/users", ROLE_ADMIN, users_get, HTTP_NO_BODY, 0},
    {"POST", "/api/users", ROLE_ADMIN, users_post, HTTP_WHOLE_BODY, 8 * 1024},
    {"PATCH", "/api/users/{id}", ROLE_ADMIN, users_patch, HTTP_WHOLE_BODY, 8 * 1024},
    {"DELETE", "/api/users/{id}", ROLE_ADMIN, users_delete, HTTP_NO_BODY, 0},
    {"GET", "/api/assignees", ROLE_ANALYST, assignees_get, HTTP_NO_BODY, 0},
    {"GET", "/api/keys", ROLE_ADMIN, keys_get, HTTP_NO_BODY, 0},
    {"POST", "/api/keys", ROLE_ADMIN, keys_post, HTTP_WHOLE_BODY, 8 * 1024},
    {"DELETE", "/api/keys/{id}", ROLE_ADMIN, keys_delete, HTTP_NO_BODY, 0},
    {"GET", "/api/audit", ROLE_ADMIN, audit_get, HTTP_NO_BODY, 0},
};
const size_t people_route_count = sizeof people_routes / sizeof people_routes[0];

bool people_open(struct api *api, struct err *err)
{
    const struct notify_settings notices = {
        .store = api->store, .seal = api->seal, .all_addresses = api->settings->allow_private_targets};

    api->watch = watch_create(api->store);
    if (api->watch == NULL)
        return err_set(err, ERR_MEMORY, "people: out of memory");
    api->auth = auth_open(api->settings, api->store, api->hub, api->watch, err);
    if (api->auth != NULL)
        api->suppressions = suppressions_create(api->store, api->watch, err);
    if (api->suppressions != NULL)
        api->blocklist = blocklist_create(api->store, api->watch, err);
    if (api->blocklist != NULL)
        api->notify = notify_create(&notices, api->watch, err);
    if (api->notify != NULL)
        api->assets = assets_create(&api->settings->geo_files, api->settings->reverse_names, err);
    if (api->assets == NULL) {
        people_close(api);
        return false;
    }
    return true;
}

bool people_start(struct api *api, struct err *err)
{
    return watch_start(api->watch, err) && notify_start(api->notify, err);
}

void people_close(struct api *api)
{
    if (api->watch != NULL)
        watch_stop(api->watch);
    assets_free(api->assets);
    notify_free(api->notify);
    blocklist_free(api->blocklist);
    suppressions_free(api->suppressions);
    auth_close(api->auth);
    watch_free(api->watch);
    api->assets = NULL;
    api->notify = NULL;
    api->blocklist = NULL;
    api->suppressions = NULL;
    api->auth = NULL;
    api->watch = NULL;
}
