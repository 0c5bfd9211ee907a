/* auth.c: see auth.h. */
#include "backend/auth.h"

#include "backend/keys.h"
#include "backend/limiter.h"
#include "backend/password.h"
#include "backend/store.h"
#include "backend/users.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/json.h"
#include "common/token.h"

#include <errno.h>
#include <jwt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOKEN_PART_MIN = 8,
    LIMITER_ROWS = 4096,
    TRIES_BY_NAME = 5,
    TRIES_BY_ADDRESS = 50,
    LIMITER_WINDOW_MS = 15 * 60 * 1000
};
static const char issuer[] = "threatline";
static const char *const uses[] = {"access", "session"};

/* --- tokens --- */

bool auth_token_make(const struct auth_key *key, const struct auth_claims *claims, char out[AUTH_TOKEN],
                     struct err *err)
{
    jwt_t *jwt = NULL;
    char *text = NULL;
    bool ok = false;

    if (key->length < AUTH_KEY_MIN)
        return err_set(err, ERR_DENIED, "token key: shorter than %d bytes", AUTH_KEY_MIN);
    if (jwt_new(&jwt) == 0 && jwt_set_alg(jwt, JWT_ALG_HS256, key->bytes, (int)key->length) == 0 &&
        jwt_add_grant(jwt, "iss", issuer) == 0 && jwt_add_grant(jwt, "sub", claims->user) == 0 &&
        jwt_add_grant(jwt, "sid", claims->session) == 0 && jwt_add_grant(jwt, "use", uses[claims->use]) == 0 &&
        jwt_add_grant_int(jwt, "iat", (long)claims->issued_s) == 0 &&
        jwt_add_grant_int(jwt, "nbf", (long)claims->issued_s) == 0 &&
        jwt_add_grant_int(jwt, "exp", (long)claims->expires_s) == 0)
        text = jwt_encode_str(jwt);
    if (text != NULL && strlen(text) < AUTH_TOKEN) {
        memcpy(out, text, strlen(text) + 1);
        ok = true;
    } else {
        err_set(err, ERR_MEMORY, "token: cannot be made");
    }
    free(text);
    jwt_free(jwt);
    return ok;
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = c == '\0' ? NULL : strchr(digits, c);

    return at == NULL ? -1 : (int)(at - digits);
}

/* The library writes past the end of a part that is too short to hold a byte. Ours have three parts, none of them
 * short. */
static bool token_has_three_parts(const char *text)
{
    for (int part = 0; part < 3; part++) {
        size_t length = strcspn(text, ".");

        if (length < TOKEN_PART_MIN || length % 4 == 1 || (text[length] == '.') != (part < 2))
            return false;
        text += length + (part < 2);
    }
    return true;
}

/* The library parses a token's JSON, by recursion, before it checks the signature; a worker's stack is small. Ours
 * are flat: two objects, no list. So what is deeper never gets there. */
static bool token_is_flat(const char *text)
{
    int dots = 0, opened = 0, bits = 0;
    unsigned held = 0;

    for (; *text != '\0'; text++) {
        int value;
        if (*text == '.') {
            dots++;
            held = 0;
            bits = 0;
            continue;
        }
        value = base64_value(*text);
        if (value < 0)
            return false;
        if (dots > 1)
            continue;
        held = (held << 6 | (unsigned)value) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            unsigned byte = held >> (bits - 8) & 0xff;
            bits -= 8;
            opened += byte == '{';
            if (byte == '[' || byte == '\0' || opened > 2)
                return false;
        }
    }
    return dots == 2;
}

static bool claim_text(jwt_t *jwt, const char *name, char *out, size_t size)
{
    const char *value = jwt_get_grant(jwt, name);

    return value != NULL && *value != '\0' && (size_t)snprintf(out, size, "%s", value) < size;
}

/* The library gives 0 for a text and -1 for nothing. */
static bool claim_time(jwt_t *jwt, const char *name, int64_t *out)
{
    long value = jwt_get_grant_int(jwt, name);

    *out = value;
    return value > 0;
}

/* What the library leaves to its callers: algorithm, issuer, begin and end. */
static bool claims_fit(jwt_t *jwt, int64_t now_s, struct auth_claims *out)
{
    char text[16];
    int64_t begins;

    if (jwt_get_alg(jwt) != JWT_ALG_HS256 || !claim_text(jwt, "iss", text, sizeof text) || strcmp(text, issuer) != 0)
        return false;
    if (!claim_text(jwt, "sub", out->user, sizeof out->user) ||
        !claim_text(jwt, "sid", out->session, sizeof out->session) || !claim_text(jwt, "use", text, sizeof text) ||
        !claim_time(jwt, "iat", &out->issued_s) || !claim_time(jwt, "nbf", &begins) ||
        !claim_time(jwt, "exp", &out->expires_s))
        return false;
    if (strcmp(text, uses[AUTH_ACCESS]) != 0 && strcmp(text, uses[AUTH_SESSION]) != 0)
        return false;
    out->use = strcmp(text, uses[AUTH_ACCESS]) == 0 ? AUTH_ACCESS : AUTH_SESSION;
    return begins <= now_s + AUTH_LEEWAY_S && now_s < out->expires_s;
}

bool auth_token_read(const struct auth_key *key, const char *text, int64_t now_s, struct auth_claims *out,
                     struct err *err)
{
    struct auth_claims claims = {0};
    jwt_t *jwt = NULL;
    bool ok;

    if (key->length < AUTH_KEY_MIN)
        return err_set(err, ERR_DENIED, "token key: shorter than %d bytes", AUTH_KEY_MIN);
    if (strnlen(text, AUTH_TOKEN) >= AUTH_TOKEN || !token_has_three_parts(text) || !token_is_flat(text))
        return err_set(err, ERR_DENIED, "token: not one of ours");
    ok = jwt_decode(&jwt, text, key->bytes, (int)key->length) == 0 && claims_fit(jwt, now_s, &claims);
    jwt_free(jwt);
    if (!ok)
        return err_set(err, ERR_DENIED, "token: wrong signature, or expired");
    *out = claims;
    return true;
}

/* --- the key --- */

static bool key_from_text(struct auth_key *key, const char *text, struct err *err)
{
    size_t length = strlen(text);

    if (length < AUTH_KEY_MIN || length > AUTH_KEY_MAX)
        return err_set(err, ERR_INVALID, "token key: expected %d to %d bytes, found %zu", AUTH_KEY_MIN, AUTH_KEY_MAX,
                       length);
    memcpy(key->bytes, text, length);
    key->length = length;
    return true;
}

bool auth_key_read(struct auth_key *out, const char *path, struct err *err)
{
    char text[AUTH_KEY_MAX + 2];
    bool ok = config_read_secret(path, text, sizeof text, err) && key_from_text(out, text, err);

    explicit_bzero(text, sizeof text);
    return ok || err_prefix(err, "jwt-key-file");
}

static bool key_in_store(struct auth_key *key, struct store *store, struct err *err)
{
    char *json = NULL, text[AUTH_KEY_MAX + 1] = "";
    int64_t version;
    bool ok = store_doc_get(store, "meta", "jwt_key", &json, &version, err);

    if (ok) {
        cJSON *o = json_parse(json, strlen(json), err);
        ok = o != NULL && json_text(o, "key", text, sizeof text, err) && key_from_text(key, text, err);
        cJSON_Delete(o);
    }
    free(json);
    return ok;
}

/* Every backend tries to put its own; one wins and all read that one. */
static bool key_load(struct auth_key *key, struct store *store, const char *path, struct err *err)
{
    char text[AUTH_KEY_MAX + 2], json[AUTH_KEY_MAX + 32];
    struct err local = {0};
    int64_t version;

    if (path != NULL && path[0] != '\0')
        return auth_key_read(key, path, err);
    if (key_in_store(key, store, &local))
        return true;
    if (local.code != ERR_NOT_FOUND)
        return err_set(err, local.code, "%s", local.text);
    token_text(text, 65);
    snprintf(json, sizeof json, "{\"key\":\"%s\"}", text);
    if (!store_doc_put(store, "meta", "jwt_key", NULL, json, 0, 0, &version, &local) && local.code != ERR_CONFLICT)
        return err_set(err, local.code, "%s", local.text);
    return key_in_store(key, store, err);
}

/* --- life --- */

struct auth *auth_open(const struct settings *settings, struct store *store, struct hub *hub, struct watch *watch,
                       struct err *err)
{
    struct auth *auth = calloc(1, sizeof *auth);
    int64_t idle_ms = (settings->session_hours > 0 ? settings->session_hours : 12) * 3600LL * 1000;

    if (auth == NULL) {
        err_set(err, ERR_MEMORY, "auth: out of memory");
        return NULL;
    }
    auth->watch = watch;
    auth->passwords = passwords_create();
    auth->by_name = limiter_create(LIMITER_ROWS, TRIES_BY_NAME, LIMITER_WINDOW_MS);
    auth->by_address = limiter_create(LIMITER_ROWS, TRIES_BY_ADDRESS, LIMITER_WINDOW_MS);
    if (auth->passwords == NULL || auth->by_name == NULL || auth->by_address == NULL) {
        err_set(err, ERR_MEMORY, "auth: out of memory");
        goto failed;
    }
    if (!key_load(&auth->key, store, settings->jwt_key_file, err))
        goto failed;
    auth->sessions = sessions_create(store, hub, watch, idle_ms, err);
    auth->users = auth->sessions == NULL ? NULL : users_create(store, hub, auth->sessions, watch, err);
    auth->keys = auth->users == NULL ? NULL : keys_create(store, hub, watch, err);
    if (auth->keys == NULL || !users_first_admin(auth->users, auth->passwords, settings->admin_password_file, err))
        goto failed;
    return auth;
failed:
    auth_close(auth);
    return NULL;
}

void auth_close(struct auth *auth)
{
    if (auth == NULL)
        return;
    keys_free(auth->keys);
    users_free(auth->users);
    sessions_free(auth->sessions);
    limiter_free(auth->by_address);
    limiter_free(auth->by_name);
    passwords_free(auth->passwords);
    explicit_bzero(&auth->key, sizeof auth->key);
    free(auth);
}

/* --- requests --- */

/* The page may also be served by this program itself, or by a proxy that keeps the Host: then Origin ends in Host. */
static bool same_origin(struct http_request *request, const char *origin)
{
    const char *host = http_header(request, "Host");
    const char *rest = strncmp(origin, "https://", 8) == 0  ? origin + 8
                       : strncmp(origin, "http://", 7) == 0 ? origin + 7
                                                            : NULL;

    return host != NULL && rest != NULL && strcasecmp(host, rest) == 0;
}

bool auth_origin_fits(struct http_request *request, struct api *api, bool needed)
{
    const char *origin = http_header(request, "Origin");

    if (origin == NULL ? !needed : same_origin(request, origin) || api_origin_allowed(origin, api))
        return true;
    http_fail(request, 403, "origin", "this page may not do that: its Origin is not among the allowed ones");
    return false;
}

static bool is_read(const struct http_request *request)
{
    const char *method = http_method(request);

    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

void auth_clear_cookie(struct http_request *request, const struct api *api)
{
    char cookie[128];

    snprintf(cookie, sizeof cookie, AUTH_COOKIE "=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict%s",
             api->settings->secure_cookies ? "; Secure" : "");
    http_add_header(request, "Set-Cookie", cookie);
}

static void refuse(struct http_request *request, const struct api *api, bool tried, bool by_cookie)
{
    if (by_cookie)
        auth_clear_cookie(request, api);
    http_add_header(request, "WWW-Authenticate",
                    tried ? "Bearer realm=\"threatline\", error=\"invalid_token\"" : "Bearer realm=\"threatline\"");
    http_fail(request, 401, "unauthorized", tried ? "the credential is not valid, or not any more" : "please log in");
}

/* Who a token stands for. ERR_DENIED and ERR_NOT_FOUND: nobody. */
static bool user_of_token(struct auth *auth, const char *token, enum auth_use use, struct api_user *out,
                          struct err *err)
{
    int64_t now = clock_now_ms();
    struct auth_claims claims;
    struct session session;
    struct user user;

    if (!auth_token_read(&auth->key, token, now / 1000, &claims, err))
        return false;
    if (claims.use != use)
        return err_set(err, ERR_DENIED, "token: not for this");
    if (!sessions_use(auth->sessions, claims.session, now, &session, err) ||
        !users_find(auth->users, session.user, &user, err))
        return false;
    if (user.disabled || strcmp(session.user, claims.user) != 0)
        return err_set(err, ERR_DENIED, "user %s: disabled", user.name);
    snprintf(out->id, sizeof out->id, "%s", user.id);
    snprintf(out->name, sizeof out->name, "%s", user.name);
    snprintf(out->session, sizeof out->session, "%s", session.id);
    out->role = user.role;
    out->by_cookie = use == AUTH_SESSION;
    return true;
}

enum found { FOUND_USER, FOUND_NOTHING, FOUND_WRONG, FOUND_WRONG_COOKIE, FOUND_TROUBLE };

static enum found found_of(bool ok, enum found wrong, const struct err *err)
{
    if (ok)
        return FOUND_USER;
    return err->code == ERR_DENIED || err->code == ERR_NOT_FOUND || err->code == ERR_INVALID ? wrong : FOUND_TROUBLE;
}

/* The first credential of a request counts; a wrong one is not made good by another. */
static enum found find_user(struct http_request *request, const struct http_route *route, struct auth *auth,
                            struct api_user *out, struct err *err)
{
    const char *header = http_header(request, "Authorization"), *key = http_header(request, "X-API-Key");
    char token[AUTH_TOKEN];

    if (header != NULL && strncasecmp(header, "Bearer ", 7) == 0)
        return found_of(user_of_token(auth, header + 7, AUTH_ACCESS, out, err), FOUND_WRONG, err);
    if (header != NULL)
        return FOUND_WRONG;
    if (key != NULL)
        return found_of(keys_user(auth->keys, key, route, out, err), FOUND_WRONG, err);
    if (strcmp(route->path, "/api/network/stream") == 0 && http_query(request, "token", token, sizeof token))
        return found_of(user_of_token(auth, token, AUTH_ACCESS, out, err), FOUND_WRONG, err);
    if (http_cookie(request, AUTH_COOKIE, token, sizeof token))
        return found_of(user_of_token(auth, token, AUTH_SESSION, out, err), FOUND_WRONG_COOKIE, err);
    return FOUND_NOTHING;
}

/* A feed is for firewalls with a key and for people who may see what it is made of. */
static bool may(const struct api_user *user, const struct http_route *route)
{
    enum role least = route->role == ROLE_KEY_FEED ? ROLE_ANALYST : (enum role)route->role;

    return user->role >= least;
}

bool auth_authorize(struct http_request *request, const struct http_route *route, struct api *api)
{
    struct api_user *user;
    struct err err = {0};
    enum found found;

    if (route->role == ROLE_NOBODY || route->role == ROLE_WEBHOOK)
        return true;
    user = calloc(1, sizeof *user);
    if (user == NULL) {
        http_fail(request, 503, "memory", "out of memory");
        return false;
    }
    http_set_user(request, user, free);
    found = find_user(request, route, api->auth, user, &err);
    if (found == FOUND_TROUBLE) {
        api_fail(request, &err);
        return false;
    }
    if (found != FOUND_USER) {
        refuse(request, api, found != FOUND_NOTHING, found == FOUND_WRONG_COOKIE);
        return false;
    }
    if (user->by_cookie && !is_read(request) && !auth_origin_fits(request, api, true))
        return false;
    if (!may(user, route)) {
        http_fail(request, 403, "role", "this needs the role %s", role_text((enum role)route->role));
        return false;
    }
    return true;
}

struct admin_search {
    struct auth *auth;
    const struct network *network;
    bool found;
};

static bool admin_row(void *context, const struct session *session)
{
    struct admin_search *search = context;
    uint8_t address[16];
    struct user user;

    search->found = network_address(session->address, address) && network_has(search->network, address) &&
                    users_find(search->auth->users, session->user, &user, NULL) && user.role == ROLE_ADMIN &&
                    !user.disabled;
    return !search->found;
}

bool auth_admin_within(struct auth *auth, const struct network *network)
{
    struct admin_search search = {.auth = auth, .network = network};

    sessions_each(auth->sessions, clock_now_ms(), admin_row, &search);
    return search.found;
}

bool auth_admin_at(struct auth *auth, const char *address)
{
    struct network network;

    return network_parse(address, &network, NULL) && auth_admin_within(auth, &network);
}

bool auth_key_allows(struct api *api, const char *key, const char *scope, char who[65], bool *bound, struct err *err)
{
    return keys_allow(api->auth->keys, key, scope, who, bound, err);
}
