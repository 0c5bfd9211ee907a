/* Tests of tokens and of what they open. Long because each forgery stands in a test of its own. */
#include "tests/unit/check.h"

#include "backend/auth.h"
#include "backend/hub.h"
#include "backend/login.h"
#include "backend/password.h"
#include "backend/people.h"
#include "backend/users.h"
#include "backend/watch.h"
#include "common/token.h"
#include "tests/unit/backend/fake_http.h"
#include "tests/unit/backend/fake_store.h"

#include <pthread.h>
#include <unistd.h>

/* --- what the modules call and the tests look at --- */

static char ended_session[64], ended_user[80];

void hub_end_session(struct hub *hub, const char *session)
{
    (void)hub;
    snprintf(ended_session, sizeof ended_session, "%s", session);
}

void hub_end_user(struct hub *hub, const char *user)
{
    (void)hub;
    snprintf(ended_user, sizeof ended_user, "%s", user);
}

bool config_read_secret(const char *path, char *out, size_t max, struct err *err)
{
    if (strcmp(path, "short") == 0)
        snprintf(out, max, "only-31-bytes-of-key-0123456789");
    else if (strcmp(path, "admin") == 0)
        snprintf(out, max, "correct horse");
    else
        return err_set(err, ERR_SYSTEM, "%s: no such file", path);
    return true;
}

/* --- tokens --- */

static const struct auth_key key = {.bytes = "0123456789abcdef0123456789abcdef", .length = 32};
static const struct auth_claims claims = {
    .user = "user_1", .session = "session_1", .use = AUTH_ACCESS, .issued_s = 1000, .expires_s = 1900};

static const char *made(void)
{
    static char token[AUTH_TOKEN];

    assert_true(auth_token_make(&key, &claims, token, NULL));
    return token;
}

static void a_token_reads_back(void **state)
{
    struct auth_claims out;
    struct err err = {0};

    (void)state;
    assert_true(auth_token_read(&key, made(), 1000, &out, &err));
    assert_string_equal(out.user, "user_1");
    assert_string_equal(out.session, "session_1");
    assert_int_equal(out.use, AUTH_ACCESS);
    assert_int_equal(out.expires_s, 1900);
}

static void a_token_ends_and_does_not_begin_early(void **state)
{
    struct auth_claims out;

    (void)state;
    assert_true(auth_token_read(&key, made(), 1899, &out, NULL));
    assert_false(auth_token_read(&key, made(), 1900, &out, NULL));
    assert_true(auth_token_read(&key, made(), 1000 - AUTH_LEEWAY_S, &out, NULL));
    assert_false(auth_token_read(&key, made(), 1000 - AUTH_LEEWAY_S - 1, &out, NULL));
}

static void a_changed_token_is_refused_at_every_place(void **state)
{
    char token[AUTH_TOKEN];
    struct auth_claims out;
    size_t length = strlen(made());

    (void)state;
    for (size_t i = 0; i + 1 < length; i++) { /* the last digit has bits that say nothing */
        snprintf(token, sizeof token, "%s", made());
        token[i] = token[i] == 'A' ? 'B' : 'A';
        assert_false(auth_token_read(&key, token, 1500, &out, NULL));
    }
    for (size_t i = 0; i < length; i++) {
        snprintf(token, sizeof token, "%s", made());
        token[i] = '\0';
        assert_false(auth_token_read(&key, token, 1500, &out, NULL));
    }
}

static void another_key_opens_nothing(void **state)
{
    struct auth_key other = {.bytes = "0123456789abcdef0123456789abcdeg", .length = 32};
    struct auth_claims out;

    (void)state;
    assert_false(auth_token_read(&other, made(), 1500, &out, NULL));
}

static void a_short_key_neither_makes_nor_reads(void **state)
{
    struct auth_key brief = {.bytes = "0123456789abcdef0123456789abcde", .length = 31}, empty = {.length = 0};
    char token[AUTH_TOKEN];
    struct auth_claims out;

    (void)state;
    assert_false(auth_token_make(&brief, &claims, token, NULL));
    assert_false(auth_token_read(&brief, made(), 1500, &out, NULL));
    assert_false(auth_token_read(&empty, made(), 1500, &out, NULL));
}

/* Made with the key above by another program. */
static void other_algorithms_and_claims_are_refused(void **state)
{
    static const char *const tokens[] = {
        /* alg none, unsigned */
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.",
        /* alg none, signed */
        "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.YIpegh9kYW8IOBBJdUD23wcvzSqpRJeouaiv2bcUT68",
        /* HS256, unsigned */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.",
        /* HS384 with the same key */
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.IfyimuHPXtdPVJrEyaPnYPXvK30L7922WG5j6AyfOso6jJDNhaQI27X4so62_n5H",
        /* HS512 with the same key */
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.A2WiBus7_BDkS35ohep7dKFmJHpv3ORP9zFwdISIyEdBzs-"
        "ZBLHqBl2CUcavne89u1vWjlhNgcDPfSYXJ5Dc4g",
        /* another issuer */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJvdGhlciIsInN1YiI6InVzZXJfMSIsInNpZCI6InNlc3Npb25fMSIsInVzZSI6ImFjY2VzcyIsImlhdCI6MTAwMCwibmJmIjox"
        "MDAwLCJleHAiOjE5MDB9.K3_NRXdht0972ClAWPX981BwHwseoXe6FrRIgFGKmE0",
        /* no issuer */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJzdWIiOiJ1c2VyXzEiLCJzaWQiOiJzZXNzaW9uXzEiLCJ1c2UiOiJhY2Nlc3MiLCJpYXQiOjEwMDAsIm5iZiI6MTAwMCwiZXhwIjoxOTAw"
        "fQ.ADXq9xoswyiv7iXwpo4Lp7M6Zi55z9J3DkmETvkowgQ",
        /* no end */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDB9.Rwlqd0cje4uzaXXxkp9pN75iHjGCmzH4Hn8Mg5rb-q0",
        /* the end is a text */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6IjE5MDAifQ.NScrNUqn2CsWChojQC4cMgqTDeVXqV9wQ45507PYVi4",
        /* no begin */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJl"
        "eHAiOjE5MDB9.dJhx20lVbgHe3VzpXTU9IuS5p4SvqpayWdNlEQXigsw",
        /* an unknown use */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoicmVzZXQiLCJpYXQiOjEwMDAsIm5i"
        "ZiI6MTAwMCwiZXhwIjoxOTAwfQ.ej5wcATMEsRT3nUVbNrlSjjfvdEUQ2NB6SlheppyuyA",
        /* no use */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwiaWF0IjoxMDAwLCJuYmYiOjEwMDAsImV4cCI6"
        "MTkwMH0.pahvoM59xZ6pm8IfSvlM96B6ZUt7AWZNi0EyNTDAnw0",
        /* no session */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJuYmYiOjEwMDAsImV4cCI6MTkw"
        "MH0.zFfE7skSXSpEJhCKItSsTJjh_J7maqgemgp-lqoyMMg",
        /* a session too long */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3NzIiwidXNl"
        "IjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJuYmYiOjEwMDAsImV4cCI6MTkwMH0.M5LS_JwAdgYbfPas3cRDkxvNFf7kFAs074oPYYtozTg",
        /* no user */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoiIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJuYmYiOjEw"
        "MDAsImV4cCI6MTkwMH0.sXOlyENhoAz7jDfpZr3zZT3csooj3WjfYbuPsJXrPew",
        /* a list inside */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMCwiYXVkIjpbInRocmVhdGxpbmUiXX0.T-OH-k0YWNvXYeE-F9_c_Wu5KDrZZOUT3l4Jq33BeqA",
        /* an object inside */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMCwieCI6e319.8xuBXlHKuLderayg-RrQVwXnU0d8uzJ6t1hEVV3-hgw",
        /* four parts */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.SRGn1iW-DI7zzq8Xesze1PZKeFPfZfgNUUK5QwcsTp4.x",
        /* padding */
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.SRGn1iW-DI7zzq8Xesze1PZKeFPfZfgNUUK5QwcsTp4=",
        /* a blank in front */
        " eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
        "eyJpc3MiOiJ0aHJlYXRsaW5lIiwic3ViIjoidXNlcl8xIiwic2lkIjoic2Vzc2lvbl8xIiwidXNlIjoiYWNjZXNzIiwiaWF0IjoxMDAwLCJu"
        "YmYiOjEwMDAsImV4cCI6MTkwMH0.SRGn1iW-DI7zzq8Xesze1PZKeFPfZfgNUUK5QwcsTp4",
        "",
        ".",
        "..",
        "...",
        "a.b.c",
    };
    struct auth_claims out;

    (void)state;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        if (auth_token_read(&key, tokens[i], 1500, &out, NULL))
            fail_msg("token %zu was accepted: %s", i, tokens[i]);
}

/* A JSON parser that recurses would need more stack for this than a worker has. */
static void *read_deep_token(void *context)
{
    char token[AUTH_TOKEN];
    struct auth_claims out;
    bool *refused = context;

    memset(token, 'W', sizeof token); /* "[[[[" is W1tbWw in base 64 */
    for (size_t i = 0; i + 4 < sizeof token; i += 4)
        memcpy(token + i, "W1tb", 4);
    memcpy(token, "eyJhbGciOiJIUzI1NiJ9.", 21);
    memcpy(token + sizeof token - 4, ".AA", 4);
    *refused = !auth_token_read(&key, token, 1500, &out, NULL);
    return NULL;
}

static void a_deep_token_is_refused_on_a_small_stack(void **state)
{
    pthread_attr_t attributes;
    pthread_t thread;
    bool refused = false;

    (void)state;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 100 * 1024);
    assert_int_equal(pthread_create(&thread, &attributes, read_deep_token, &refused), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_true(refused);
}

/* --- a whole room of people --- */

struct room {
    struct api api;
    struct settings settings;
    struct http_request *request;
    char token[AUTH_TOKEN], cookie[AUTH_TOKEN];
};

static void post_login(struct room *room, const char *body)
{
    struct http_request *request = room->request;

    fake_again(request);
    request->method = "POST";
    request->body = body;
    login_post(request, &room->api);
}

static void log_in(struct room *room)
{
    cJSON *answer;
    const char *cookie;

    post_login(room, "{\"username\":\"admin\",\"password\":\"correct horse\"}");
    assert_int_equal(room->request->status, 200);
    answer = fake_json(room->request);
    snprintf(room->token, sizeof room->token, "%s", json_member(answer, "token")->valuestring);
    cJSON_Delete(answer);
    cookie = fake_pair_get(room->request->answered, "Set-Cookie");
    assert_non_null(cookie);
    snprintf(room->cookie, sizeof room->cookie, "%.*s", (int)strcspn(cookie + strlen(AUTH_COOKIE "="), ";"),
             cookie + strlen(AUTH_COOKIE "="));
    fake_again(room->request);
}

static int room_begin(void **state)
{
    struct room *room = calloc(1, sizeof *room);
    struct err err = {0};

    token_setup();
    room->settings.admin_password_file = "admin";
    room->settings.session_hours = 12;
    room->api.settings = &room->settings;
    room->api.store = fake_store();
    room->request = fake_request("GET", "/", NULL);
    if (!people_open(&room->api, &err))
        fail_msg("%s", err.text);
    *state = room;
    return 0;
}

static int room_end(void **state)
{
    struct room *room = *state;

    people_close(&room->api);
    fake_request_free(room->request);
    fake_store_free(room->api.store);
    free(room);
    return 0;
}

static const struct http_route read_route = {"GET", "/api/network/threats", ROLE_VIEWER, NULL, HTTP_NO_BODY, 0};
static const struct http_route write_route = {"POST", "/api/network/stop-monitoring", ROLE_ADMIN, NULL, HTTP_NO_BODY,
                                              0};
static const struct http_route stream_route = {"GET", "/api/network/stream", ROLE_VIEWER, NULL, HTTP_NO_BODY, 0};

/* 200 stands for: let through. */
static int authorize(struct room *room, const struct http_route *route)
{
    bool passed;

    fake_again(room->request);
    room->request->method = route->method;
    passed = auth_authorize(room->request, route, &room->api);
    assert_int_equal(passed, room->request->status == 0);
    return passed ? 200 : room->request->status;
}

static void send_bearer(struct room *room, const char *token)
{
    char header[AUTH_TOKEN + 16];

    snprintf(header, sizeof header, "Bearer %s", token);
    fake_pair_set(room->request->headers, "Authorization", header);
}

static void without_a_credential_it_is_401_with_a_hint(void **state)
{
    struct room *room = *state;

    assert_int_equal(authorize(room, &read_route), 401);
    assert_string_equal(fake_pair_get(room->request->answered, "WWW-Authenticate"), "Bearer realm=\"threatline\"");
}

static void a_login_answers_as_the_contract_says(void **state)
{
    struct room *room = *state;
    cJSON *answer;
    const char *cookie;

    post_login(room, "{\"username\":\"admin\",\"password\":\"correct horse\"}");
    assert_int_equal(room->request->status, 200);
    answer = fake_json(room->request);
    assert_true(cJSON_IsTrue(json_member(answer, "success")));
    assert_string_equal(json_member(answer, "message")->valuestring, "Login successful");
    assert_true(cJSON_IsString(json_member(answer, "token")));
    assert_true(cJSON_IsString(json_member(answer, "expiresAt")));
    assert_string_equal(json_member(json_member(answer, "user"), "username")->valuestring, "admin");
    assert_string_equal(json_member(json_member(answer, "user"), "role")->valuestring, "admin");
    assert_null(json_member(json_member(answer, "user"), "password"));
    cookie = fake_pair_get(room->request->answered, "Set-Cookie");
    assert_non_null(strstr(cookie, "; HttpOnly"));
    assert_non_null(strstr(cookie, "; SameSite=Strict"));
    cJSON_Delete(answer);
}

static void the_access_token_goes_by_header_and_on_the_stream_by_query(void **state)
{
    struct room *room = *state;

    log_in(room);
    fake_pair_set(room->request->queries, "token", room->token);
    assert_int_equal(authorize(room, &stream_route), 200);
    assert_int_equal(authorize(room, &read_route), 401);
    send_bearer(room, room->token);
    assert_int_equal(authorize(room, &read_route), 200);
    assert_string_equal(api_caller(room->request)->name, "admin");
    assert_false(api_caller(room->request)->by_cookie);
}

static void the_two_tokens_do_not_stand_for_each_other(void **state)
{
    struct room *room = *state;

    log_in(room);
    send_bearer(room, room->cookie);
    assert_int_equal(authorize(room, &read_route), 401);
    memset(room->request->headers, 0, sizeof room->request->headers);
    fake_pair_set(room->request->cookies, AUTH_COOKIE, room->token);
    assert_int_equal(authorize(room, &read_route), 401);
    fake_pair_set(room->request->cookies, AUTH_COOKIE, room->cookie);
    assert_int_equal(authorize(room, &read_route), 200);
}

static void a_wrong_header_is_not_made_good_by_a_cookie(void **state)
{
    struct room *room = *state;

    log_in(room);
    fake_pair_set(room->request->cookies, AUTH_COOKIE, room->cookie);
    send_bearer(room, "x.y.z");
    assert_int_equal(authorize(room, &read_route), 401);
    assert_non_null(strstr(fake_pair_get(room->request->answered, "WWW-Authenticate"), "invalid_token"));
    fake_pair_set(room->request->headers, "Authorization", "Basic YWRtaW46eA==");
    assert_int_equal(authorize(room, &read_route), 401);
}

static void a_write_by_cookie_needs_an_origin_that_is_ours(void **state)
{
    struct room *room = *state;
    static const struct {
        const char *origin, *host;
        int status;
    } rows[] = {
        {NULL, "127.0.0.1:5000", 403},
        {"http://localhost:3000", "127.0.0.1:5000", 200}, /* allowed by the settings */
        {"http://127.0.0.1:5000", "127.0.0.1:5000", 200}, /* the page came from here */
        {"https://soc.example.org", "soc.example.org", 200},
        {"http://evil.example", "127.0.0.1:5000", 403},
        {"http://127.0.0.1:5000.evil.example", "127.0.0.1:5000", 403},
        {"null", "127.0.0.1:5000", 403},
        {"127.0.0.1:5000", "127.0.0.1:5000", 403},
    };

    log_in(room);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(room->request->headers, 0, sizeof room->request->headers);
        fake_pair_set(room->request->cookies, AUTH_COOKIE, room->cookie);
        fake_pair_set(room->request->headers, "Host", rows[i].host);
        if (rows[i].origin != NULL)
            fake_pair_set(room->request->headers, "Origin", rows[i].origin);
        assert_int_equal(authorize(room, &write_route), rows[i].status);
        assert_int_equal(authorize(room, &read_route), 200);
    }
}

static void a_write_by_header_needs_no_origin(void **state)
{
    struct room *room = *state;

    log_in(room);
    send_bearer(room, room->token);
    assert_int_equal(authorize(room, &write_route), 200);
    fake_pair_set(room->request->headers, "Origin", "http://evil.example");
    assert_int_equal(authorize(room, &write_route), 200);
}

static void a_foreign_page_cannot_log_its_visitor_in(void **state)
{
    struct room *room = *state;

    fake_pair_set(room->request->headers, "Host", "127.0.0.1:5000");
    fake_pair_set(room->request->headers, "Origin", "http://evil.example");
    post_login(room, "{\"username\":\"admin\",\"password\":\"correct horse\"}");
    assert_int_equal(room->request->status, 403);
}

static void a_logout_ends_the_session_its_tokens_and_its_streams(void **state)
{
    struct room *room = *state;
    char session[65];

    room->api.hub = (struct hub *)room; /* only handed on */
    people_close(&room->api);
    assert_true(people_open(&room->api, NULL));
    log_in(room);
    send_bearer(room, room->token);
    assert_int_equal(authorize(room, &write_route), 200);
    snprintf(session, sizeof session, "%s", api_caller(room->request)->session);
    logout_post(room->request, &room->api);
    assert_int_equal(room->request->status, 200);
    assert_string_equal(ended_session, session);
    assert_non_null(strstr(fake_pair_get(room->request->answered, "Set-Cookie"), "Max-Age=0"));
    assert_int_equal(authorize(room, &read_route), 401);
}

static void a_session_ended_by_another_backend_ends_here_within_a_round(void **state)
{
    struct room *room = *state;
    struct sessions *other;
    struct watch *watch = watch_create(room->api.store);
    struct auth_claims read;

    room->api.hub = (struct hub *)room;
    people_close(&room->api);
    assert_true(people_open(&room->api, NULL));
    log_in(room);
    send_bearer(room, room->token);
    assert_int_equal(authorize(room, &read_route), 200);
    other = sessions_create(room->api.store, NULL, watch, 3600000, NULL);
    assert_true(auth_token_read(&room->api.auth->key, room->token, clock_now_ms() / 1000, &read, NULL));
    ended_session[0] = '\0';
    assert_true(sessions_end(other, read.session, NULL));
    watch_round(room->api.watch);
    assert_string_equal(ended_session, read.session);
    assert_int_equal(authorize(room, &read_route), 401);
    sessions_free(other);
    watch_free(watch);
}

static void a_login_at_one_backend_counts_at_another_at_once(void **state)
{
    struct room *room = *state;
    struct api other = {.settings = &room->settings, .store = room->api.store};

    assert_true(people_open(&other, NULL));
    log_in(room);
    send_bearer(room, room->token);
    fake_again(room->request);
    assert_true(auth_authorize(room->request, &read_route, &other));
    people_close(&other);
}

static void a_disabled_user_is_out_at_once_with_sessions_and_streams(void **state)
{
    struct room *room = *state;
    struct user second = {.name = "second", .role = ROLE_ADMIN}, admin;
    struct err err = {0};

    room->api.hub = (struct hub *)room;
    people_close(&room->api);
    assert_true(people_open(&room->api, NULL));
    log_in(room);
    send_bearer(room, room->token);
    assert_true(users_add(room->api.auth->users, &second, NULL));
    assert_true(users_by_name(room->api.auth->users, "ADMIN", &admin, NULL));
    admin.disabled = true;
    if (!users_change(room->api.auth->users, &admin, &err))
        fail_msg("%s", err.text);
    assert_string_equal(ended_user, admin.id);
    assert_int_equal(authorize(room, &read_route), 401);
    post_login(room, "{\"username\":\"admin\",\"password\":\"correct horse\"}");
    assert_int_equal(room->request->status, 401);
}

static void a_session_ends_when_idle_and_use_moves_its_end(void **state)
{
    struct room *room = *state;
    struct sessions *sessions = room->api.auth->sessions;
    struct session session;
    int64_t start = clock_now_ms(), hour = 3600000;
    struct err err = {0};
    int writes;

    assert_true(sessions_begin(sessions, "user_1", "192.0.2.7", start, &session, NULL));
    writes = room->api.store->writes;
    assert_true(sessions_use(sessions, session.id, start + 60000, &session, NULL));
    assert_int_equal(room->api.store->writes, writes); /* not for so little */
    assert_true(sessions_use(sessions, session.id, start + 11 * hour, &session, NULL));
    assert_int_equal(room->api.store->writes, writes + 1);
    assert_true(sessions_use(sessions, session.id, start + 22 * hour, &session, NULL));
    assert_string_equal(session.address, "192.0.2.7");
    assert_false(sessions_use(sessions, session.id, start + 34 * hour, &session, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void no_session_lives_longer_than_its_life(void **state)
{
    struct room *room = *state;
    struct sessions *sessions = room->api.auth->sessions;
    struct session session;
    int64_t start = clock_now_ms(), now = start;

    assert_true(sessions_begin(sessions, "user_1", "", start, &session, NULL));
    for (; now < start + SESSION_LIFE_MS; now += 6 * 3600000LL)
        assert_true(sessions_use(sessions, session.id, now, &session, NULL));
    assert_false(sessions_use(sessions, session.id, now, &session, NULL));
}

static void roles_are_compared_with_the_route(void **state)
{
    struct room *room = *state;
    static const struct http_route routes[] = {{"GET", "/v", ROLE_VIEWER, NULL, HTTP_NO_BODY, 0},
                                               {"GET", "/f", ROLE_KEY_FEED, NULL, HTTP_NO_BODY, 0},
                                               {"GET", "/a", ROLE_ANALYST, NULL, HTTP_NO_BODY, 0},
                                               {"GET", "/x", ROLE_ADMIN, NULL, HTTP_NO_BODY, 0}};
    static const struct {
        enum role role;
        int status[4];
    } rows[] = {{ROLE_VIEWER, {200, 403, 403, 403}},
                {ROLE_ANALYST, {200, 200, 200, 403}},
                {ROLE_ADMIN, {200, 200, 200, 200}}};

    log_in(room);
    send_bearer(room, room->token);
    for (size_t i = 0; i < 3; i++) {
        struct user second = {.role = ROLE_ADMIN}, admin;
        snprintf(second.name, sizeof second.name, "keeper%zu", i);
        assert_true(users_add(room->api.auth->users, &second, NULL));
        assert_true(users_by_name(room->api.auth->users, "admin", &admin, NULL));
        admin.role = rows[i].role;
        assert_true(users_change(room->api.auth->users, &admin, NULL));
        for (size_t j = 0; j < 4; j++)
            assert_int_equal(authorize(room, &routes[j]), rows[i].status[j]);
    }
}

static void a_store_that_is_away_is_503_not_401(void **state)
{
    struct room *room = *state;
    struct api other = {.settings = &room->settings, .store = room->api.store};

    assert_true(people_open(&other, NULL));
    log_in(room);
    send_bearer(room, room->token);
    room->api.store->away = true;
    assert_int_equal(authorize(room, &read_route), 200); /* known here */
    fake_again(room->request);
    assert_false(auth_authorize(room->request, &read_route, &other));
    assert_int_equal(room->request->status, 503);
    room->api.store->away = false;
    people_close(&other);
}

static void all_backends_share_one_key_and_the_first_admin_is_made_once(void **state)
{
    struct room *room = *state;
    struct api other = {.settings = &room->settings, .store = room->api.store};
    struct user admin;

    assert_true(people_open(&other, NULL));
    assert_int_equal(other.auth->key.length, 64);
    assert_memory_equal(other.auth->key.bytes, room->api.auth->key.bytes, 64);
    assert_true(users_by_name(other.auth->users, "admin", &admin, NULL));
    assert_int_equal(admin.role, ROLE_ADMIN);
    people_close(&other);
}

static void a_key_file_that_is_too_short_stops_the_start(void **state)
{
    struct room *room = *state;
    struct settings settings = {.jwt_key_file = "short"};
    struct api other = {.settings = &settings, .store = room->api.store};
    struct err err = {0};

    assert_false(people_open(&other, &err));
    assert_non_null(strstr(err.text, "expected 32"));
    assert_null(other.auth);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_reads_back),
        cmocka_unit_test(a_token_ends_and_does_not_begin_early),
        cmocka_unit_test(a_changed_token_is_refused_at_every_place),
        cmocka_unit_test(another_key_opens_nothing),
        cmocka_unit_test(a_short_key_neither_makes_nor_reads),
        cmocka_unit_test(other_algorithms_and_claims_are_refused),
        cmocka_unit_test(a_deep_token_is_refused_on_a_small_stack),
#define ROOM(test) cmocka_unit_test_setup_teardown(test, room_begin, room_end)
        ROOM(without_a_credential_it_is_401_with_a_hint),
        ROOM(a_login_answers_as_the_contract_says),
        ROOM(the_access_token_goes_by_header_and_on_the_stream_by_query),
        ROOM(the_two_tokens_do_not_stand_for_each_other),
        ROOM(a_wrong_header_is_not_made_good_by_a_cookie),
        ROOM(a_write_by_cookie_needs_an_origin_that_is_ours),
        ROOM(a_write_by_header_needs_no_origin),
        ROOM(a_foreign_page_cannot_log_its_visitor_in),
        ROOM(a_logout_ends_the_session_its_tokens_and_its_streams),
        ROOM(a_session_ended_by_another_backend_ends_here_within_a_round),
        ROOM(a_login_at_one_backend_counts_at_another_at_once),
        ROOM(a_disabled_user_is_out_at_once_with_sessions_and_streams),
        ROOM(a_session_ends_when_idle_and_use_moves_its_end),
        ROOM(no_session_lives_longer_than_its_life),
        ROOM(roles_are_compared_with_the_route),
        ROOM(a_store_that_is_away_is_503_not_401),
        ROOM(all_backends_share_one_key_and_the_first_admin_is_made_once),
        ROOM(a_key_file_that_is_too_short_stops_the_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
