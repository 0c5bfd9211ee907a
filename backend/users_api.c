/* users_api.c: see users_api.h. */
#include "backend/users_api.h"

#include "backend/audit.h"
#include "backend/auth.h"
#include "backend/doc.h"
#include "backend/form.h"
#include "backend/password.h"
#include "backend/users.h"
#include "common/clock.h"

#include <stdio.h>
#include <string.h>

static cJSON *user_to_json(const struct user *user)
{
    cJSON *o = cJSON_CreateObject();
    char time[CLOCK_TEXT];

    clock_text_ms(user->created_ms, time);
    cJSON_AddStringToObject(o, "id", user->id);
    cJSON_AddStringToObject(o, "username", user->name);
    cJSON_AddStringToObject(o, "email", user->email);
    cJSON_AddStringToObject(o, "role", role_text(user->role));
    cJSON_AddBoolToObject(o, "disabled", user->disabled);
    cJSON_AddStringToObject(o, "createdAt", time);
    return o;
}

static void add_user(void *context, const struct user *user)
{
    cJSON_AddItemToArray(context, user_to_json(user));
}

void users_get(struct http_request *request, void *context)
{
    cJSON *list = cJSON_CreateArray();

    users_each(((struct api *)context)->auth->users, add_user, list);
    doc_answer_list(request, "users", list);
}

static void add_assignee(void *context, const struct user *user)
{
    if (!user->disabled && user->role >= ROLE_ANALYST)
        cJSON_AddItemToArray(context, cJSON_CreateString(user->name));
}

void assignees_get(struct http_request *request, void *context)
{
    cJSON *list = cJSON_CreateArray();

    users_each(((struct api *)context)->auth->users, add_assignee, list);
    doc_answer_list(request, "assignees", list);
}

/* What POST and PATCH have in common. */
static void read_fields(struct form *form, enum form_need need, struct user *user, char password[PASSWORD_MAX + 1])
{
    char role[16];

    if (form_text(form, "role", need, 1, sizeof role - 1, role, sizeof role) && !role_from_text(role, &user->role))
        form_wrong(form, "role", "viewer, analyst or admin");
    if (form_text(form, "email", FORM_OPTIONAL, 0, USER_EMAIL - 1, user->email, sizeof user->email) &&
        user->email[0] != '\0' && strchr(user->email, '@') == NULL)
        form_wrong(form, "email", "an address like name@example.org");
    form_flag(form, "disabled", FORM_OPTIONAL, &user->disabled);
    form_text(form, "password", need, PASSWORD_MIN, PASSWORD_MAX, password, PASSWORD_MAX + 1);
}

static cJSON *details_of(const struct user *user, bool password)
{
    cJSON *details = user_to_json(user);

    cJSON_AddBoolToObject(details, "passwordChanged", password);
    return details;
}

void users_post(struct http_request *request, void *context)
{
    struct api *api = context;
    struct user user = {0};
    char password[PASSWORD_MAX + 1] = "";
    struct form form;
    struct err err = {0};

    if (!form_begin(&form, request))
        return;
    if (form_text(&form, "username", FORM_NEEDED, 1, USER_NAME - 1, user.name, sizeof user.name) &&
        !user_name_is_fine(user.name))
        form_wrong(&form, "username", "1 to 64 of letters, digits, . _ @ -");
    read_fields(&form, FORM_NEEDED, &user, password);
    if (!form_end(&form))
        return;
    form_free(&form);
    if (passwords_hash(api->auth->passwords, password, user.hash, &err) && users_add(api->auth->users, &user, &err)) {
        audit_write(api, request, NULL, "user_created", "success", details_of(&user, true));
        doc_answer_one(request, 201, "user", user_to_json(&user));
    } else {
        api_fail(request, &err);
    }
    explicit_bzero(password, sizeof password);
}

static bool change(struct api *api, struct user *user, const char *password, struct err *err)
{
    if (password[0] != '\0' && !passwords_hash(api->auth->passwords, password, user->hash, err))
        return false;
    if (!users_change(api->auth->users, user, err))
        return false;
    return password[0] == '\0' || sessions_end_user(api->auth->sessions, user->id, NULL, err);
}

void users_patch(struct http_request *request, void *context)
{
    struct api *api = context;
    struct user user;
    char password[PASSWORD_MAX + 1] = "";
    struct form form;
    struct err err = {0};

    if (!users_fetch(api->auth->users, http_segment(request, "id"), &user, &err)) {
        api_fail(request, &err);
        return;
    }
    if (!form_begin(&form, request))
        return;
    read_fields(&form, FORM_OPTIONAL, &user, password);
    if (!form_end(&form))
        return;
    form_free(&form);
    if (change(api, &user, password, &err)) {
        audit_write(api, request, NULL, "user_changed", "success", details_of(&user, password[0] != '\0'));
        doc_answer_one(request, 200, "user", user_to_json(&user));
    } else {
        api_fail(request, &err);
    }
    explicit_bzero(password, sizeof password);
}

void users_delete(struct http_request *request, void *context)
{
    struct api *api = context;
    struct user user;
    struct err err = {0};

    if (!users_fetch(api->auth->users, http_segment(request, "id"), &user, &err) ||
        !users_remove(api->auth->users, user.id, &err)) {
        api_fail(request, &err);
        return;
    }
    audit_write(api, request, NULL, "user_removed", "success", details_of(&user, false));
    http_answer_text(request, 200, "{\"success\":true,\"message\":\"User removed\"}");
}
