/* login.c: see login.h. */
#include "backend/login.h"

#include "backend/audit.h"
#include "backend/auth.h"
#include "backend/form.h"
#include "backend/limiter.h"
#include "backend/password.h"
#include "backend/users.h"
#include "common/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static cJSON *user_to_json(const struct user *user)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", user->id);
    cJSON_AddStringToObject(o, "username", user->name);
    cJSON_AddStringToObject(o, "email", user->email);
    cJSON_AddStringToObject(o, "role", role_text(user->role));
    return o;
}

/* --- the limit on guesses --- */

struct guess {
    char by_name[128], by_address[64];
};

/* False: answered with 429. */
static bool guess_begin(struct http_request *request, struct api *api, const char *name, struct guess *guess)
{
    int64_t now = clock_monotonic_ms(), wait, other;
    char seconds[24];

    api_client(request, api, guess->by_address);
    snprintf(guess->by_name, sizeof guess->by_name, "%s %s", guess->by_address, name);
    for (char *c = guess->by_name; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    wait = limiter_take(api->auth->by_name, guess->by_name, now);
    other = wait > 0 ? 0 : limiter_take(api->auth->by_address, guess->by_address, now);
    if (wait == 0 && other == 0)
        return true;
    snprintf(seconds, sizeof seconds, "%lld", (long long)(((wait > other ? wait : other) + 999) / 1000));
    http_add_header(request, "Retry-After", seconds);
    http_fail(request, 429, "too_many", "too many failed logins; try again in %s s", seconds);
    return false;
}

static void guess_was_right(struct api *api, const struct guess *guess)
{
    limiter_forget(api->auth->by_name, guess->by_name);
    limiter_give_back(api->auth->by_address, guess->by_address);
}

static void guess_untried(struct api *api, const struct guess *guess)
{
    limiter_give_back(api->auth->by_name, guess->by_name);
    limiter_give_back(api->auth->by_address, guess->by_address);
}

/* --- login --- */

/* An unknown name, a disabled user and a wrong password cost the same and look the same. False: err is set when the
 * question could not be answered, and is ERR_DENIED when the answer is no. */
static bool user_check(struct auth *auth, const char *name, const char *password, struct user *user, struct err *err)
{
    struct err lookup = {0};
    bool known = users_by_name(auth->users, name, user, &lookup), fits = false;

    if (!known && lookup.code != ERR_NOT_FOUND)
        return err_set(err, lookup.code, "%s", lookup.text);
    if (!passwords_fit(auth->passwords, known ? user->hash : NULL, password, &fits, err))
        return false;
    if (!fits || user->disabled)
        return err_set(err, ERR_DENIED, "Invalid credentials");
    return true;
}

static bool access_token(struct auth *auth, const struct session *session, int64_t now_ms, char token[AUTH_TOKEN],
                         char expires[CLOCK_TEXT], struct err *err)
{
    struct auth_claims claims = {.use = AUTH_ACCESS, .issued_s = now_ms / 1000};

    claims.expires_s = claims.issued_s + AUTH_ACCESS_S;
    snprintf(claims.user, sizeof claims.user, "%s", session->user);
    snprintf(claims.session, sizeof claims.session, "%s", session->id);
    clock_text_ms(claims.expires_s * 1000, expires);
    return auth_token_make(&auth->key, &claims, token, err);
}

static bool add_cookie(struct http_request *request, struct api *api, const struct session *session, struct err *err)
{
    struct auth_claims claims = {.use = AUTH_SESSION, .issued_s = session->created_ms / 1000};
    char token[AUTH_TOKEN], cookie[AUTH_TOKEN + 128];

    claims.expires_s = claims.issued_s + SESSION_LIFE_MS / 1000;
    snprintf(claims.user, sizeof claims.user, "%s", session->user);
    snprintf(claims.session, sizeof claims.session, "%s", session->id);
    if (!auth_token_make(&api->auth->key, &claims, token, err))
        return false;
    snprintf(cookie, sizeof cookie, AUTH_COOKIE "=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s", token,
             (long long)(SESSION_LIFE_MS / 1000), api->settings->secure_cookies ? "; Secure" : "");
    http_add_header(request, "Set-Cookie", cookie);
    return true;
}

static void answer_token(struct http_request *request, const char *message, const char *token, const char *expires,
                         const struct user *user)
{
    cJSON *answer = cJSON_CreateObject();

    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddStringToObject(answer, "message", message);
    cJSON_AddStringToObject(answer, "token", token);
    cJSON_AddStringToObject(answer, "expiresAt", expires);
    cJSON_AddItemToObject(answer, "user", user_to_json(user));
    http_add_header(request, "Cache-Control", "no-store");
    http_answer_json(request, 200, answer);
}

static void login_user(struct http_request *request, struct api *api, const struct user *user)
{
    int64_t now = clock_now_ms();
    char token[AUTH_TOKEN], expires[CLOCK_TEXT], address[46];
    struct session session;
    struct err err = {0};

    api_client(request, api, address);
    if (!sessions_begin(api->auth->sessions, user->id, address, now, &session, &err) ||
        !access_token(api->auth, &session, now, token, expires, &err) || !add_cookie(request, api, &session, &err)) {
        api_fail(request, &err);
        return;
    }
    audit_write(api, request, user->name, "login", "success", NULL);
    answer_token(request, "Login successful", token, expires, user);
}

void login_post(struct http_request *request, void *context)
{
    struct api *api = context;
    char name[129] = "", password[PASSWORD_MAX + 1] = "";
    struct guess guess;
    struct user user;
    struct form form;
    struct err err = {0};

    /* A foreign page must not log its visitor in as somebody else. */
    if (!auth_origin_fits(request, api, false) || !form_begin(&form, request))
        return;
    form_text(&form, "username", FORM_NEEDED, 1, 128, name, sizeof name);
    form_text(&form, "password", FORM_NEEDED, 1, PASSWORD_MAX, password, sizeof password);
    if (!form_end(&form))
        return;
    form_free(&form);
    if (!guess_begin(request, api, name, &guess))
        return;
    if (user_check(api->auth, name, password, &user, &err)) {
        guess_was_right(api, &guess);
        login_user(request, api, &user);
    } else if (err.code == ERR_DENIED) {
        audit_write(api, request, name, "login", "failed", NULL);
        http_add_header(request, "WWW-Authenticate", "Bearer realm=\"threatline\"");
        http_fail(request, 401, "invalid_credentials", "Invalid credentials");
    } else {
        guess_untried(api, &guess);
        api_fail(request, &err);
    }
    explicit_bzero(password, sizeof password);
}

/* --- with a session --- */

/* False: answered; a key has no session and no user. */
static bool own_user(struct http_request *request, struct api *api, struct user *user)
{
    const struct api_user *caller = api_caller(request);
    struct err err = {0};

    if (caller->session[0] == '\0') {
        http_fail(request, 403, "role", "this is for people, not for keys");
        return false;
    }
    if (users_fetch(api->auth->users, caller->id, user, &err))
        return true;
    api_fail(request, &err);
    return false;
}

void logout_post(struct http_request *request, void *context)
{
    struct api *api = context;
    const struct api_user *caller = api_caller(request);
    struct err err = {0};

    if (caller->session[0] != '\0' && !sessions_end(api->auth->sessions, caller->session, &err)) {
        api_fail(request, &err);
        return;
    }
    audit_write(api, request, NULL, "logout", "success", NULL);
    auth_clear_cookie(request, api);
    http_answer_text(request, 200, "{\"success\":true,\"message\":\"Logout successful\"}");
}

void refresh_post(struct http_request *request, void *context)
{
    struct api *api = context;
    int64_t now = clock_now_ms();
    char token[AUTH_TOKEN], expires[CLOCK_TEXT];
    struct session session;
    struct user user;
    struct err err = {0};

    if (!own_user(request, api, &user))
        return;
    if (!sessions_use(api->auth->sessions, api_caller(request)->session, now, &session, &err) ||
        !access_token(api->auth, &session, now, token, expires, &err)) {
        api_fail(request, &err);
        return;
    }
    answer_token(request, "Token refreshed", token, expires, &user);
}

void me_get(struct http_request *request, void *context)
{
    struct api *api = context;
    struct session session;
    struct user user;
    char time[CLOCK_TEXT];
    cJSON *answer, *part;

    if (!own_user(request, api, &user))
        return;
    answer = cJSON_CreateObject();
    cJSON_AddTrueToObject(answer, "success");
    cJSON_AddItemToObject(answer, "user", user_to_json(&user));
    if (sessions_use(api->auth->sessions, api_caller(request)->session, clock_now_ms(), &session, NULL)) {
        part = cJSON_AddObjectToObject(answer, "session");
        clock_text_ms(session.created_ms, time);
        cJSON_AddStringToObject(part, "createdAt", time);
        clock_text_ms(session.expires_ms, time);
        cJSON_AddStringToObject(part, "expiresAt", time);
        cJSON_AddStringToObject(part, "address", session.address);
    }
    http_add_header(request, "Cache-Control", "no-store");
    http_answer_json(request, 200, answer);
}

/* Changes it when current fits; all other sessions of the user end. */
static bool change_password(struct api *api, struct user *user, const char *current, const char *new_password,
                            const char *session, struct err *err)
{
    bool fits = false;

    if (!passwords_fit(api->auth->passwords, user->hash, current, &fits, err))
        return false;
    if (!fits)
        return err_set(err, ERR_DENIED, "the current password is wrong");
    return passwords_hash(api->auth->passwords, new_password, user->hash, err) &&
           users_change(api->auth->users, user, err) &&
           sessions_end_user(api->auth->sessions, user->id, session, err);
}

void password_put(struct http_request *request, void *context)
{
    struct api *api = context;
    char current[PASSWORD_MAX + 1] = "", new_password[PASSWORD_MAX + 1] = "";
    struct guess guess;
    struct user user;
    struct form form;
    struct err err = {0};

    if (!own_user(request, api, &user) || !form_begin(&form, request))
        return;
    form_text(&form, "currentPassword", FORM_NEEDED, 1, PASSWORD_MAX, current, sizeof current);
    form_text(&form, "newPassword", FORM_NEEDED, PASSWORD_MIN, PASSWORD_MAX, new_password, sizeof new_password);
    if (!form_end(&form))
        return;
    form_free(&form);
    if (!guess_begin(request, api, user.name, &guess))
        return;
    if (change_password(api, &user, current, new_password, api_caller(request)->session, &err)) {
        guess_was_right(api, &guess);
        audit_write(api, request, NULL, "password_changed", "success", NULL);
        http_answer_text(request, 200, "{\"success\":true,\"message\":\"Password changed\"}");
    } else if (err.code == ERR_DENIED) {
        audit_write(api, request, NULL, "password_changed", "failed", NULL);
        http_fail(request, 403, "invalid_credentials", "%s", err.text);
    } else {
        guess_untried(api, &guess);
        api_fail(request, &err);
    }
    explicit_bzero(current, sizeof current);
    explicit_bzero(new_password, sizeof new_password);
}
