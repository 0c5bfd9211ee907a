/* notify_target.c: see notify_target.h. */
#include "backend/notify_target.h"

#include "backend/mail.h"
#include "backend/search.h"
#include "backend/store.h"
#include "backend/syslog.h"
#include "common/clock.h"
#include "common/http_client.h"
#include "common/json.h"

#include "backend/target_guard.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const types[] = {"webhook", "syslog", "email"};
enum { DELIVER_MS = 10000, CONNECT_MS = 5000, ANSWER_MAX = 64 * 1024 };

const char *target_type_text(enum target_type type)
{
    return types[type];
}

static bool type_from_text(const char *text, enum target_type *type)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i], text) == 0) {
            *type = (enum target_type)i;
            return true;
        }
    return false;
}

/* False: the member is not there. A text that another key sealed reads as "" and locks the target. */
static bool open_member(const cJSON *o, const char *name, const struct seal *seal, char *out, size_t size,
                        bool *plain, bool *locked)
{
    const cJSON *member = json_member(o, name);

    if (!cJSON_IsString(member))
        return false;
    *locked = !seal_open_text(seal, member->valuestring, out, size, plain) || *locked;
    return true;
}

bool target_read(struct target *out, const struct seal *seal, const char *id, int64_t version, const char *json,
                 bool *plain)
{
    cJSON *o = json_parse(json, strlen(json), NULL);
    char type[16];
    bool open = false;
    bool ok = o != NULL && strlen(id) < sizeof out->id && json_text(o, "name", out->name, sizeof out->name, NULL) &&
              json_text(o, "author", out->author, sizeof out->author, NULL) &&
              json_text(o, "type", type, sizeof type, NULL) && type_from_text(type, &out->type) &&
              json_text(o, "url", out->url, sizeof out->url, NULL) &&
              open_member(o, "secret", seal, out->secret, sizeof out->secret, &open, &out->locked) &&
              json_text(o, "from", out->from, sizeof out->from, NULL) &&
              json_text(o, "to", out->to, sizeof out->to, NULL) &&
              json_text(o, "username", out->username, sizeof out->username, NULL) &&
              open_member(o, "password", seal, out->password, sizeof out->password, &open, &out->locked) &&
              json_text(o, "filter", out->filter, sizeof out->filter, NULL) &&
              json_flag(o, "enabled", &out->enabled, NULL) &&
              json_integer(o, "created", 0, INT64_MAX / 2, &out->created_ms, NULL);

    if (ok)
        snprintf(out->id, sizeof out->id, "%s", id);
    out->version = version;
    if (plain != NULL)
        *plain = open;
    cJSON_Delete(o);
    return ok;
}

static void add_sealed(cJSON *o, const char *name, const struct seal *seal, const char *text)
{
    char sealed[SEAL_TEXT];

    seal_close_text(seal, text, sealed);
    cJSON_AddStringToObject(o, name, sealed);
}

cJSON *target_to_doc(const struct target *target, const struct seal *seal)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "name", target->name);
    cJSON_AddStringToObject(o, "author", target->author);
    cJSON_AddStringToObject(o, "type", target_type_text(target->type));
    cJSON_AddStringToObject(o, "url", target->url);
    add_sealed(o, "secret", seal, target->secret);
    cJSON_AddStringToObject(o, "from", target->from);
    cJSON_AddStringToObject(o, "to", target->to);
    cJSON_AddStringToObject(o, "username", target->username);
    add_sealed(o, "password", seal, target->password);
    cJSON_AddStringToObject(o, "filter", target->filter);
    cJSON_AddBoolToObject(o, "enabled", target->enabled);
    cJSON_AddNumberToObject(o, "created", (double)target->created_ms);
    return o;
}

cJSON *target_to_json(const struct target *target)
{
    cJSON *o = cJSON_CreateObject();

    cJSON_AddStringToObject(o, "id", target->id);
    cJSON_AddStringToObject(o, "name", target->name);
    cJSON_AddStringToObject(o, "type", target_type_text(target->type));
    cJSON_AddStringToObject(o, "url", target->url);
    if (target->type == TARGET_EMAIL) {
        cJSON_AddStringToObject(o, "from", target->from);
        cJSON_AddStringToObject(o, "to", target->to);
        cJSON_AddStringToObject(o, "username", target->username);
    }
    cJSON_AddStringToObject(o, "filter", target->filter);
    cJSON_AddBoolToObject(o, "enabled", target->enabled);
    cJSON_AddStringToObject(o, "author", target->author);
    doc_add_time(o, "createdAt", target->created_ms);
    cJSON_AddNumberToObject(o, "version", (double)target->version);
    return o;
}

struct open_rows {
    const struct seal *seal;
    cJSON *docs; /* by id */
    cJSON *versions;
};

static bool open_row(void *context, const char *id, int64_t version, const char *json)
{
    struct open_rows *rows = context;
    struct target *target = calloc(1, sizeof *target);
    bool open = false;

    if (target != NULL && target_read(target, rows->seal, id, version, json, &open) && open && !target->locked) {
        cJSON_AddItemToObject(rows->docs, id, target_to_doc(target, rows->seal));
        cJSON_AddNumberToObject(rows->versions, id, (double)version);
    }
    free(target);
    return true;
}

bool targets_seal(struct store *store, const struct seal *seal, struct err *err)
{
    struct open_rows rows = {.seal = seal, .docs = cJSON_CreateObject(), .versions = cJSON_CreateObject()};
    bool ok = store_doc_list(store, TARGET_KIND, NULL, false, INT_MAX, open_row, &rows, err);
    cJSON *doc;

    while (ok && (doc = cJSON_DetachItemFromArray(rows.docs, 0)) != NULL) {
        const cJSON *version = json_member(rows.versions, doc->string);
        char *id = strdup(doc->string);
        struct err local = {0};

        ok =
            id != NULL &&
            (doc_put(store, TARGET_KIND, id, NULL, doc, 0, (int64_t)cJSON_GetNumberValue(version), NULL, &local) ||
             local.code == ERR_CONFLICT || local.code == ERR_NOT_FOUND || err_set(err, local.code, "%s", local.text));
        free(id);
    }
    cJSON_Delete(rows.docs);
    cJSON_Delete(rows.versions);
    return ok;
}

/* --- from a request --- */

static bool recipients_are_fine(const char *to)
{
    char one[256];
    int count = 0;

    while (*to != '\0') {
        size_t n = strcspn(to, ",");
        const char *begin = to + strspn(to, " ");
        size_t length = begin > to + n ? 0 : n - (size_t)(begin - to);
        if (length == 0 || length >= sizeof one || ++count > MAIL_RECIPIENTS)
            return false;
        memcpy(one, begin, length);
        one[length] = '\0';
        if (!mail_address_is_fine(one))
            return false;
        to += n;
        to += *to == ',';
    }
    return count > 0;
}

static bool url_is_plain(const char *url, const char *const *schemes)
{
    for (const char *p = url; *p != '\0'; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
            return false;
    for (; *schemes != NULL; schemes++)
        if (strncmp(url, *schemes, strlen(*schemes)) == 0 && url[strlen(*schemes)] != '\0')
            return true;
    return false;
}

static void check_url(struct form *form, const struct target *target)
{
    static const char *const web[] = {"http://", "https://", NULL}, *const smtp[] = {"smtp://", "smtps://", NULL};

    if (target->type == TARGET_WEBHOOK && !url_is_plain(target->url, web))
        form_wrong(form, "url", "https://HOST/PATH or http://HOST/PATH");
    if (target->type == TARGET_SYSLOG && !syslog_url_is_fine(target->url))
        form_wrong(form, "url", "udp://HOST:PORT or tcp://HOST:PORT");
    if (target->type == TARGET_EMAIL && !url_is_plain(target->url, smtp))
        form_wrong(form, "url", "smtp://HOST:PORT or smtps://HOST:PORT");
}

static void read_email(struct form *form, enum form_need need, struct target *target)
{
    if (form_text(form, "from", need, 3, sizeof target->from - 1, target->from, sizeof target->from) &&
        !mail_address_is_fine(target->from))
        form_wrong(form, "from", "an address like threatline@example.org");
    if (form_text(form, "to", need, 3, sizeof target->to - 1, target->to, sizeof target->to) &&
        !recipients_are_fine(target->to))
        form_wrong(form, "to", "1 to 10 addresses with commas between them");
    form_text(form, "username", FORM_OPTIONAL, 0, sizeof target->username - 1, target->username,
              sizeof target->username);
    form_text(form, "password", FORM_OPTIONAL, 0, sizeof target->password - 1, target->password,
              sizeof target->password);
}

static void check_filter(struct form *form, const struct target *target)
{
    struct search *search;
    struct err err = {0};
    size_t at = 0;
    char expected[400];

    if (target->filter[0] == '\0')
        return;
    search = search_parse(target->filter, &at, &err);
    if (search == NULL) {
        snprintf(expected, sizeof expected, "a query; at character %zu: %s", at + 1, err.text);
        form_wrong(form, "filter", expected);
    }
    search_free(search);
}

void target_from_form(struct form *form, enum form_need need, struct target *target)
{
    char type[16];
    struct signature_key key;

    if (need == FORM_NEEDED && form_text(form, "type", FORM_NEEDED, 1, sizeof type - 1, type, sizeof type) &&
        !type_from_text(type, &target->type))
        form_wrong(form, "type", "webhook, syslog or email");
    form_text(form, "name", need, 1, sizeof target->name - 1, target->name, sizeof target->name);
    form_flag(form, "enabled", FORM_OPTIONAL, &target->enabled);
    if (form_text(form, "url", need, 1, sizeof target->url - 1, target->url, sizeof target->url))
        check_url(form, target);
    if (target->type == TARGET_EMAIL)
        read_email(form, need, target);
    if (target->type == TARGET_WEBHOOK &&
        form_text(form, "secret", FORM_OPTIONAL, 1, sizeof target->secret - 1, target->secret,
                  sizeof target->secret) &&
        !signature_key_from_text(target->secret, &key, NULL))
        form_wrong(form, "secret", "whsec_ and base64 of 24 to 64 bytes");
    if (target->locked) {
        const char *secret = target->type == TARGET_EMAIL ? "password" : "secret";

        if (!form_has(form, secret))
            form_wrong(form, secret, "it again: what is stored was sealed with another key");
        target->locked = false;
    }
    if (form_text(form, "filter", FORM_OPTIONAL, 0, sizeof target->filter - 1, target->filter, sizeof target->filter))
        check_filter(form, target);
}

/* --- delivery --- */

static bool deliver_webhook(const struct target *target, const struct notice *notice, struct http_client *client,
                            bool all, struct err *err)
{
    struct text body = {.max = 2 * 1024 * 1024};
    struct signature_key key;
    struct http_reply reply = {.retry_after_s = -1};
    char signature[SIGNATURE_TEXT], time[CLOCK_TEXT], id[160], stamp[64], signed_by[96];
    const char *headers[] = {"Content-Type: application/json", id, stamp, signed_by, "User-Agent: threatline", NULL};
    int64_t now = clock_now_ms();
    bool ok = false;

    clock_text_ms(now, time);
    text_addf(&body, "{\"type\":\"%s\",\"timestamp\":\"%s\",\"data\":", notice->type, time);
    text_add(&body, notice->threat, strlen(notice->threat));
    text_addf(&body, "}");
    if (body.failed || !signature_key_from_text(target->secret, &key, err)) {
        err_set(err, ERR_MEMORY, "webhook: cannot be signed");
        goto done;
    }
    signature_make(&key, notice->id, now / 1000, body.bytes, body.length, signature);
    snprintf(id, sizeof id, "webhook-id: %s", notice->id);
    snprintf(stamp, sizeof stamp, "webhook-timestamp: %lld", (long long)(now / 1000));
    snprintf(signed_by, sizeof signed_by, "webhook-signature: %s", signature);
    const struct http_call call = {.method = "POST",
                                   .url = target->url,
                                   .headers = headers,
                                   .body = body.bytes,
                                   .length = body.length,
                                   .timeout_ms = DELIVER_MS,
                                   .connect_ms = CONNECT_MS,
                                   .answer_max = ANSWER_MAX,
                                   .may_connect = target_guard_may_connect,
                                   .context = &all};
    ok = http_client_call(client, &call, &reply, err);
    if (ok && (reply.status < 200 || reply.status > 299))
        ok = err_set(err, reply.status == 410 ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%s: answered %d", target->url,
                     reply.status);
    http_reply_clear(&reply);
done:
    free(body.bytes);
    return ok;
}

/* The stored record is a threat with more members. */
static bool read_threat(const char *json, struct threat *threat, struct err *err)
{
    cJSON *o = json_parse(json, strlen(json), err);
    bool ok = o != NULL && threat_from_json(threat, o, NULL, NULL, err);

    cJSON_Delete(o);
    return ok;
}

static bool deliver_syslog(const struct target *target, const struct threat *threat, bool all, struct err *err)
{
    struct text message = {.max = 8192};
    char host[256] = "";
    bool ok;

    gethostname(host, sizeof host - 1);
    syslog_format(&message, threat, clock_now_ms(), host);
    ok = !message.failed || err_set(err, ERR_MEMORY, "syslog: out of memory");
    ok = ok && syslog_send(target->url, all, message.bytes, message.length, err);
    free(message.bytes);
    return ok;
}

static bool deliver_email(const struct target *target, const struct notice *notice, const struct threat *threat,
                          bool all, struct err *err)
{
    struct text body = {.max = 64 * 1024};
    char subject[400], time[CLOCK_TEXT];
    bool ok;

    clock_text_us(threat->timestamp_us, time);
    snprintf(subject, sizeof subject, "[Threatline%s] %s %s from %s to %s",
             strcmp(notice->type, "test") == 0 ? " test" : "", severity_text(threat->severity), threat->type,
             threat->source_ip, threat->destination_ip);
    text_addf(&body, "Type:        %s\nSeverity:    %s (confidence %.2f)\nSource:      %s port %d\n", threat->type,
              severity_text(threat->severity), threat->confidence, threat->source_ip, threat->source_port);
    text_addf(&body, "Destination: %s port %d\nProtocol:    %s\nTime:        %s\nSensor:      %s\nId:          %s\n",
              threat->destination_ip, threat->destination_port, threat->protocol, time,
              threat->sensor[0] != '\0' ? threat->sensor : "-", threat->id);
    ok = !body.failed || err_set(err, ERR_MEMORY, "mail: out of memory");
    const struct mail mail = {.url = target->url,
                              .from = target->from,
                              .to = target->to,
                              .username = target->username,
                              .password = target->password,
                              .id = notice->id,
                              .subject = subject,
                              .body = body.failed ? "" : body.bytes,
                              .all_addresses = all};
    ok = ok && mail_send(&mail, err);
    free(body.bytes);
    return ok;
}

bool target_deliver(const struct target *target, const struct notice *notice, struct http_client *client, bool all,
                    struct err *err)
{
    struct threat threat = {0};
    bool ok;

    if (target->locked)
        return err_set(err, ERR_DENIED, "%s", "its secret was sealed with another key: give it again");
    if (target->type == TARGET_WEBHOOK)
        return deliver_webhook(target, notice, client, all, err);
    if (!read_threat(notice->threat, &threat, err))
        return false;
    ok = target->type == TARGET_SYSLOG ? deliver_syslog(target, &threat, all, err)
                                       : deliver_email(target, notice, &threat, all, err);
    threat_clear(&threat);
    return ok;
}
