/* threat.c: one pass over the members sorts them into known and extra ones; each known one has a reader (see
 * threat.h). */
#include "common/threat.h"
#include "common/clock.h"
#include "common/json.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXTRA_MAX = 64,                 /* unknown members */
    OWN_TEXT_MAX = 2 * 1024,        /* everything but details and extra, written out */
    LEVELS_MAX = JSON_DEPTH_MAX - 4 /* so that a record still reads inside an array, an event, a stored document */
};

enum member {
    M_ID,
    M_REVISION,
    M_TYPE,
    M_SEVERITY,
    M_SOURCE_IP,
    M_DESTINATION_IP,
    M_SOURCE_PORT,
    M_DESTINATION_PORT,
    M_PROTOCOL,
    M_CONFIDENCE,
    M_TIMESTAMP,
    M_SENSOR,
    M_COMMUNITY_ID,
    M_DETAILS,
    M_COUNT
};

static const struct {
    const char *key;
    bool required;
    const char *expected;
} members[M_COUNT] = {
    [M_ID] = {"threat_id", true, "1 to 128 of A-Z a-z 0-9 . _ : -"},
    [M_REVISION] = {"revision", false, "a whole number from 1 to 4294967295"},
    [M_TYPE] = {"threat_type", true, "1 to 64 of a-z 0-9 _"},
    [M_SEVERITY] = {"severity", true, "low, medium, high or critical"},
    [M_SOURCE_IP] = {"source_ip", true, "an IPv4 or IPv6 address"},
    [M_DESTINATION_IP] = {"destination_ip", true, "an IPv4 or IPv6 address"},
    [M_SOURCE_PORT] = {"source_port", false, "a whole number from 0 to 65535"},
    [M_DESTINATION_PORT] = {"destination_port", false, "a whole number from 0 to 65535"},
    [M_PROTOCOL] = {"protocol", true, "1 to 32 visible ASCII characters"},
    [M_CONFIDENCE] = {"confidence", true, "a number from 0 to 1"},
    [M_TIMESTAMP] = {"timestamp", true, "an ISO 8601 date and time"},
    [M_SENSOR] = {"sensor", false, "at most 64 of A-Z a-z 0-9 . _ : -"},
    [M_COMMUNITY_ID] = {"community_id", false, "at most 64 visible ASCII characters"},
    [M_DETAILS] = {"details", false, "an object"},
};

static const char *const severity_names[] = {"low", "medium", "high", "critical"};

static const char digits_and_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
static const char lower_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

void threat_clear(struct threat *threat)
{
    if (threat == NULL)
        return;
    free(threat->details);
    free(threat->extra);
    memset(threat, 0, sizeof *threat);
}

enum severity severity_of_confidence(double confidence)
{
    if (confidence >= 0.9)
        return SEVERITY_CRITICAL;
    if (confidence >= 0.7)
        return SEVERITY_HIGH;
    return confidence >= 0.4 ? SEVERITY_MEDIUM : SEVERITY_LOW;
}

const char *severity_text(enum severity severity)
{
    return severity_names[severity];
}

bool severity_from_text(const char *text, enum severity *severity)
{
    for (size_t i = 0; i < sizeof severity_names / sizeof *severity_names; i++) {
        if (strcmp(text, severity_names[i]) == 0) {
            *severity = (enum severity)i;
            return true;
        }
    }
    return false;
}

/* --- reading --- */

struct faults {
    struct threat_fault *list; /* NULL: not wanted */
    size_t count;
    struct err *err;
};

static void add_fault(struct faults *faults, const char *field, const char *expected)
{
    if (faults->count == 0)
        err_set(faults->err, ERR_INVALID, "%s: expected %s", field, expected);
    if (faults->count == THREAT_FAULTS)
        return;
    if (faults->list != NULL) {
        snprintf(faults->list[faults->count].field, sizeof faults->list->field, "%s", field);
        snprintf(faults->list[faults->count].expected, sizeof faults->list->expected, "%s", expected);
    }
    faults->count++;
}

static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < 0x21 || *text > 0x7e)
            return false;
    return true;
}

/* letters NULL: any visible ASCII. */
static bool read_word(const cJSON *json, size_t least, const char *letters, char *out, size_t size)
{
    size_t length;

    if (!cJSON_IsString(json))
        return false;
    length = strlen(json->valuestring);
    if (length < least || length >= size)
        return false;
    if (letters != NULL ? strspn(json->valuestring, letters) != length : !is_visible(json->valuestring))
        return false;
    memcpy(out, json->valuestring, length + 1);
    return true;
}

/* An IPv4-mapped IPv6 address is the IPv4 address. */
static bool read_address(const cJSON *json, char out[THREAT_ADDRESS])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    unsigned char bytes[16];

    if (!cJSON_IsString(json))
        return false;
    if (inet_pton(AF_INET, json->valuestring, bytes) == 1)
        return inet_ntop(AF_INET, bytes, out, THREAT_ADDRESS) != NULL;
    if (inet_pton(AF_INET6, json->valuestring, bytes) != 1)
        return false;
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return inet_ntop(AF_INET, bytes + 12, out, THREAT_ADDRESS) != NULL;
    return inet_ntop(AF_INET6, bytes, out, THREAT_ADDRESS) != NULL;
}

static bool read_whole(const cJSON *json, double min, double max, double *out)
{
    if (!cJSON_IsNumber(json) || !(json->valuedouble >= min && json->valuedouble <= max) ||
        json->valuedouble != (double)(int64_t)json->valuedouble)
        return false;
    *out = json->valuedouble;
    return true;
}

static bool read_port(const cJSON *json, int32_t *out)
{
    double value;

    if (!read_whole(json, 0, 65535, &value))
        return false;
    *out = (int32_t)value;
    return true;
}

static bool read_revision(const cJSON *json, uint32_t *out)
{
    double value;

    if (!read_whole(json, 1, UINT32_MAX, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

static bool read_member(struct threat *t, enum member member, const cJSON *json)
{
    switch (member) {
    case M_ID:
        return read_word(json, 1, digits_and_letters, t->id, sizeof t->id);
    case M_REVISION:
        return read_revision(json, &t->revision);
    case M_TYPE:
        return read_word(json, 1, lower_letters, t->type, sizeof t->type);
    case M_SEVERITY:
        return cJSON_IsString(json) && severity_from_text(json->valuestring, &t->severity);
    case M_SOURCE_IP:
        return read_address(json, t->source_ip);
    case M_DESTINATION_IP:
        return read_address(json, t->destination_ip);
    case M_SOURCE_PORT:
        return read_port(json, &t->source_port);
    case M_DESTINATION_PORT:
        return read_port(json, &t->destination_port);
    case M_PROTOCOL:
        return read_word(json, 1, NULL, t->protocol, sizeof t->protocol);
    case M_CONFIDENCE:
        if (!cJSON_IsNumber(json) || !(json->valuedouble >= 0 && json->valuedouble <= 1))
            return false;
        t->confidence = json->valuedouble + 0.0; /* -0 becomes 0 */
        return true;
    case M_TIMESTAMP:
        return cJSON_IsString(json) && clock_parse_us(json->valuestring, &t->timestamp_us);
    case M_SENSOR:
        return read_word(json, 0, digits_and_letters, t->sensor, sizeof t->sensor);
    case M_COMMUNITY_ID:
        return read_word(json, 0, NULL, t->community_id, sizeof t->community_id);
    case M_DETAILS:
        return cJSON_IsObject(json);
    case M_COUNT:
        break;
    }
    return false;
}

static enum member member_of(const char *key)
{
    for (size_t i = 0; i < M_COUNT; i++)
        if (strcmp(key, members[i].key) == 0)
            return (enum member)i;
    return M_COUNT;
}

/* Recursion is bounded: what the parser let through has at most JSON_DEPTH_MAX levels. */
static int levels_of(const cJSON *json)
{
    const cJSON *child;
    int deepest = 0;

    if (!cJSON_IsObject(json) && !cJSON_IsArray(json))
        return 0;
    cJSON_ArrayForEach(child, json)
    {
        int levels = levels_of(child);
        deepest = levels > deepest ? levels : deepest;
    }
    return deepest + 1;
}

static void add_extra(struct text *extra, const cJSON *json)
{
    text_add(extra, extra->length == 0 ? "{" : ",", 1);
    text_add_json(extra, json->string);
    text_add(extra, ":", 1);
    text_add_tree(extra, json);
}

/* Sorts the members: known ones into found, the others as text into extra. */
static void sort_members(const cJSON *object, const cJSON *found[M_COUNT], struct text *extra, struct faults *faults)
{
    const cJSON *child;
    size_t unknown = 0;

    cJSON_ArrayForEach(child, object)
    {
        enum member member = member_of(child->string);

        if (member != M_COUNT && !cJSON_IsNull(child))
            found[member] = child;
        else if (member == M_COUNT && unknown++ < EXTRA_MAX)
            add_extra(extra, child);
    }
    if (extra->length > 0)
        text_add(extra, "}", 1);
    if (unknown > EXTRA_MAX)
        add_fault(faults, "", "at most 64 members beside the known ones");
}

static void read_members(struct threat *t, const cJSON *const found[M_COUNT], struct faults *faults)
{
    for (size_t i = 0; i < M_COUNT; i++) {
        bool good = found[i] == NULL ? !members[i].required : read_member(t, (enum member)i, found[i]);
        if (!good)
            add_fault(faults, members[i].key, members[i].expected);
    }
}

bool threat_from_json(struct threat *out, const cJSON *object, struct threat_fault *faults, size_t *count,
                      struct err *err)
{
    struct threat t = {.revision = 1, .source_port = -1, .destination_port = -1};
    struct text details = {.max = THREAT_JSON_MAX - OWN_TEXT_MAX}, extra = details;
    const cJSON *found[M_COUNT] = {NULL};
    struct faults list = {faults, 0, err};
    bool ok = false;

    if (!cJSON_IsObject(object)) {
        add_fault(&list, "", "an object");
        goto done;
    }
    if (levels_of(object) > LEVELS_MAX) {
        add_fault(&list, "", "at most 28 levels");
        goto done;
    }
    sort_members(object, found, &extra, &list);
    read_members(&t, found, &list);
    if (list.count > 0)
        goto done;
    if (found[M_DETAILS] != NULL)
        text_add_tree(&details, found[M_DETAILS]);
    if (details.failed || extra.failed || details.length + extra.length > details.max) {
        add_fault(&list, "", "at most 256 KiB");
        goto done;
    }
    t.details = details.bytes;
    t.extra = extra.bytes;
    *out = t;
    ok = true;
done:
    if (!ok) {
        free(details.bytes);
        free(extra.bytes);
    }
    if (count != NULL)
        *count = list.count;
    return ok;
}

/* --- writing --- */

static void add_key(struct text *text, const char *key)
{
    text_add(text, text->length == 0 ? "{\"" : ",\"", 2);
    text_add(text, key, strlen(key));
    text_add(text, "\":", 2);
}

static void add_word(struct text *text, enum member member, const char *value)
{
    add_key(text, members[member].key);
    text_add_json(text, value);
}

static void add_integer(struct text *text, enum member member, int64_t value)
{
    add_key(text, members[member].key);
    text_add_integer(text, value);
}

char *threat_to_json(const struct threat *threat)
{
    struct text text = {0};
    char time[CLOCK_TEXT];

    clock_text_us(threat->timestamp_us, time);
    add_word(&text, M_ID, threat->id);
    add_integer(&text, M_REVISION, threat->revision);
    add_word(&text, M_TYPE, threat->type);
    add_word(&text, M_SEVERITY, severity_text(threat->severity));
    add_word(&text, M_SOURCE_IP, threat->source_ip);
    add_word(&text, M_DESTINATION_IP, threat->destination_ip);
    if (threat->source_port >= 0)
        add_integer(&text, M_SOURCE_PORT, threat->source_port);
    if (threat->destination_port >= 0)
        add_integer(&text, M_DESTINATION_PORT, threat->destination_port);
    add_word(&text, M_PROTOCOL, threat->protocol);
    add_key(&text, members[M_CONFIDENCE].key);
    text_add_number(&text, threat->confidence);
    add_word(&text, M_TIMESTAMP, time);
    if (threat->sensor[0] != '\0')
        add_word(&text, M_SENSOR, threat->sensor);
    if (threat->community_id[0] != '\0')
        add_word(&text, M_COMMUNITY_ID, threat->community_id);
    if (threat->details != NULL) {
        add_key(&text, members[M_DETAILS].key);
        text_add(&text, threat->details, strlen(threat->details));
    }
    if (threat->extra != NULL && strlen(threat->extra) > 2) { /* "{}" has nothing to add */
        text_add(&text, ",", 1);
        text_add(&text, threat->extra + 1, strlen(threat->extra) - 2);
    }
    text_add(&text, "}", 1);
    if (text.failed) {
        free(text.bytes);
        return NULL;
    }
    return text.bytes;
}
