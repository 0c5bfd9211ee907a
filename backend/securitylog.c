/* securitylog.c: the mapping of threats to documents. */
#include "backend/securitylog.h"

#include "common/clock.h"
#include "common/json.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double WHOLE_MAX = 9007199254740992.0;

static bool append_children(bson_t *document, const cJSON *parent, bool array)
{
    char digits[16];
    uint32_t n = 0;
    bool ok = true;

    for (const cJSON *child = parent->child; ok && child != NULL; child = child->next) {
        const char *key = child->string;

        if (array)
            bson_uint32_to_string(n++, &key, digits, sizeof digits);
        ok = securitylog_append_json(document, key, child);
    }
    return ok;
}

bool securitylog_append_json(bson_t *document, const char *key, const cJSON *value)
{
    bson_t child;
    bool ok;

    if (cJSON_IsString(value))
        return BSON_APPEND_UTF8(document, key, value->valuestring);
    if (cJSON_IsBool(value))
        return BSON_APPEND_BOOL(document, key, cJSON_IsTrue(value));
    if (cJSON_IsNumber(value) && fabs(value->valuedouble) <= WHOLE_MAX &&
        floor(value->valuedouble) == value->valuedouble)
        return BSON_APPEND_INT64(document, key, (int64_t)value->valuedouble);
    if (cJSON_IsNumber(value))
        return BSON_APPEND_DOUBLE(document, key, value->valuedouble);
    if (cJSON_IsObject(value)) {
        ok = BSON_APPEND_DOCUMENT_BEGIN(document, key, &child) && append_children(&child, value, false);
        return bson_append_document_end(document, &child) && ok;
    }
    if (cJSON_IsArray(value)) {
        ok = BSON_APPEND_ARRAY_BEGIN(document, key, &child) && append_children(&child, value, true);
        return bson_append_array_end(document, &child) && ok;
    }
    return BSON_APPEND_NULL(document, key);
}

static void add_value(struct text *text, const bson_iter_t *value);

static void add_children(struct text *text, const bson_iter_t *parent, bool array)
{
    const char *comma = "";
    bson_iter_t child;

    text_add(text, array ? "[" : "{", 1);
    if (bson_iter_recurse(parent, &child))
        while (bson_iter_next(&child)) {
            text_add(text, comma, strlen(comma));
            if (!array) {
                text_add_json(text, bson_iter_key(&child));
                text_add(text, ":", 1);
            }
            add_value(text, &child);
            comma = ",";
        }
    text_add(text, array ? "]" : "}", 1);
}

static void add_value(struct text *text, const bson_iter_t *value)
{
    char at[CLOCK_TEXT];

    switch (bson_iter_type(value)) {
    case BSON_TYPE_UTF8:
        text_add_json(text, bson_iter_utf8(value, NULL));
        break;
    case BSON_TYPE_BOOL:
        text_addf(text, "%s", bson_iter_bool(value) ? "true" : "false");
        break;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        text_addf(text, "%lld", (long long)bson_iter_as_int64(value));
        break;
    case BSON_TYPE_DOUBLE:
        text_add_number(text, bson_iter_double(value));
        break;
    case BSON_TYPE_DATE_TIME:
        clock_text_ms(bson_iter_date_time(value), at);
        text_add_json(text, at);
        break;
    case BSON_TYPE_DOCUMENT:
        add_children(text, value, false);
        break;
    case BSON_TYPE_ARRAY:
        add_children(text, value, true);
        break;
    default:
        text_add(text, "null", 4);
    }
}

char *securitylog_json(const bson_iter_t *value)
{
    struct text text = {.max = THREAT_JSON_MAX + RECORD_HISTORY_MAX};

    add_value(&text, value);
    if (!text.failed)
        return text.bytes;
    free(text.bytes);
    return NULL;
}

bool securitylog_append_words(bson_t *document, const char *key, const struct store_record *record,
                              const struct store_record *more)
{
    const struct store_record *both[2] = {record, more};
    const char *name;
    char digits[16];
    bson_t words;
    uint32_t n = 0;

    if (!BSON_APPEND_ARRAY_BEGIN(document, key, &words))
        return false;
    for (int b = 0; b < 2; b++)
        for (size_t i = 0; both[b] != NULL && i < both[b]->word_count; i++) {
            bson_uint32_to_string(n++, &name, digits, sizeof digits);
            if (!BSON_APPEND_UTF8(&words, name, both[b]->words[i]))
                return false;
        }
    return bson_append_array_end(document, &words);
}

static bool append_text(bson_t *document, const char *key, const char *text)
{
    return text != NULL ? BSON_APPEND_UTF8(document, key, text) : BSON_APPEND_NULL(document, key);
}

static const char *sensor_of(const struct store_item *item)
{
    if (item->threat->sensor[0] != '\0')
        return item->threat->sensor;
    return item->source != NULL ? item->source : "webhook";
}

static bool append_details(bson_t *document, const struct store_item *item, const struct store_record *record)
{
    const struct threat *t = item->threat;
    cJSON *data = cJSON_Parse(record->json);
    bson_t details;
    bool ok = data != NULL && BSON_APPEND_DOCUMENT_BEGIN(document, "details", &details);

    ok = ok && securitylog_append_json(&details, "threatData", data) &&
         BSON_APPEND_UTF8(&details, "threatId", t->id) && BSON_APPEND_UTF8(&details, "threatType", t->type) &&
         BSON_APPEND_UTF8(&details, "severity", severity_text(t->severity)) &&
         BSON_APPEND_UTF8(&details, "sourceIP", t->source_ip) &&
         BSON_APPEND_UTF8(&details, "destinationIP", t->destination_ip) &&
         BSON_APPEND_DOUBLE(&details, "confidence", t->confidence) &&
         BSON_APPEND_UTF8(&details, "username", "system") && BSON_APPEND_UTF8(&details, "source", sensor_of(item)) &&
         BSON_APPEND_UTF8(&details, "detectedBy", "ml_models") && bson_append_document_end(document, &details);
    cJSON_Delete(data);
    return ok;
}

static bool append_triage(bson_t *document)
{
    bson_t triage, history;

    return BSON_APPEND_DOCUMENT_BEGIN(document, "triage", &triage) && BSON_APPEND_UTF8(&triage, "status", "new") &&
           BSON_APPEND_UTF8(&triage, "verdict", "") && BSON_APPEND_UTF8(&triage, "assignee", "") &&
           BSON_APPEND_INT64(&triage, "version", 1) && BSON_APPEND_ARRAY_BEGIN(&triage, "history", &history) &&
           bson_append_array_end(&triage, &history) && bson_append_document_end(document, &triage);
}

static bool append_index(bson_t *document, const struct store_item *item, const struct store_record *record,
                         int64_t seq)
{
    const struct threat *t = item->threat;
    char protocol[THREAT_PROTOCOL];
    bson_t index;
    size_t n = 0;
    bool ok;

    for (; t->protocol[n] != '\0'; n++)
        protocol[n] = (char)toupper((unsigned char)t->protocol[n]);
    protocol[n] = '\0';
    ok = BSON_APPEND_DOCUMENT_BEGIN(document, "index", &index) && BSON_APPEND_INT64(&index, "eventSeq", seq) &&
         BSON_APPEND_INT64(&index, "revision", t->revision) &&
         BSON_APPEND_INT64(&index, "digest", (int64_t)record->digest) &&
         BSON_APPEND_INT32(&index, "severity", (int32_t)t->severity) &&
         BSON_APPEND_BINARY(&index, "source", BSON_SUBTYPE_BINARY, record->source, 16) &&
         BSON_APPEND_BINARY(&index, "destination", BSON_SUBTYPE_BINARY, record->destination, 16) &&
         BSON_APPEND_UTF8(&index, "protocol", protocol) && BSON_APPEND_UTF8(&index, "sensor", sensor_of(item)) &&
         BSON_APPEND_INT64(&index, "timestampUs", t->timestamp_us) &&
         BSON_APPEND_BOOL(&index, "simulated", record->simulated) && BSON_APPEND_BOOL(&index, "commented", false);
    if (ok && t->source_port >= 0)
        ok = BSON_APPEND_INT32(&index, "sourcePort", t->source_port);
    if (ok && t->destination_port >= 0)
        ok = BSON_APPEND_INT32(&index, "destinationPort", t->destination_port);
    if (ok && record->job[0] != '\0')
        ok = BSON_APPEND_UTF8(&index, "job", record->job);
    return ok && securitylog_append_words(&index, "words", record, NULL) &&
           bson_append_document_end(document, &index);
}

bool securitylog_build(bson_t *document, const struct store_item *item, const struct store_record *record,
                       int64_t seq)
{
    return BSON_APPEND_NULL(document, "userId") && BSON_APPEND_UTF8(document, "action", SECURITYLOG_THREAT) &&
           BSON_APPEND_UTF8(document, "status", "detected") && append_text(document, "ipAddress", item->address) &&
           append_text(document, "userAgent", item->user_agent) && append_details(document, item, record) &&
           BSON_APPEND_DATE_TIME(document, "timestamp", item->threat->timestamp_us / 1000) &&
           BSON_APPEND_INT64(document, "seq", seq) &&
           BSON_APPEND_DATE_TIME(document, "receivedAt", item->received_ms) &&
           append_text(document, "suppressedBy", item->suppressed_by) && append_triage(document) &&
           append_index(document, item, record, seq);
}

static const char *text_of(const bson_t *document, const char *path, const char *missing)
{
    bson_iter_t top, at;

    if (bson_iter_init(&top, document) && bson_iter_find_descendant(&top, path, &at) && BSON_ITER_HOLDS_UTF8(&at))
        return bson_iter_utf8(&at, NULL);
    return missing;
}

static int64_t number_of(const bson_t *document, const char *path)
{
    bson_iter_t top, at;

    if (!bson_iter_init(&top, document) || !bson_iter_find_descendant(&top, path, &at))
        return 0;
    return BSON_ITER_HOLDS_DATE_TIME(&at) ? bson_iter_date_time(&at) : bson_iter_as_int64(&at);
}

static char *json_of(const bson_t *document, const char *path)
{
    bson_iter_t top, at;

    if (!bson_iter_init(&top, document) || !bson_iter_find_descendant(&top, path, &at))
        return NULL;
    return securitylog_json(&at);
}

static void read_triage(struct securitylog *log, const bson_t *document)
{
    struct triage *triage = &log->envelope.triage;

    snprintf(triage->status, sizeof triage->status, "%s", text_of(document, "triage.status", "new"));
    snprintf(triage->verdict, sizeof triage->verdict, "%s", text_of(document, "triage.verdict", ""));
    snprintf(triage->assignee, sizeof triage->assignee, "%s", text_of(document, "triage.assignee", ""));
    triage->version = number_of(document, "triage.version");
}

bool securitylog_read(struct securitylog *log, const bson_t *document, struct err *err)
{
    memset(log, 0, sizeof *log);
    log->action = text_of(document, "action", "");
    log->envelope.seq = number_of(document, "seq");
    log->event_seq = number_of(document, "index.eventSeq");
    if (strcmp(log->action, SECURITYLOG_THREAT) != 0) {
        log->json = json_of(document, "details.event");
        return log->json != NULL || err_set(err, ERR_SYSTEM, "securitylogs: an event without its data");
    }
    log->envelope.received_ms = number_of(document, "receivedAt");
    log->envelope.suppressed_by = text_of(document, "suppressedBy", NULL);
    read_triage(log, document);
    log->json = json_of(document, "details.threatData");
    log->history = json_of(document, "triage.history");
    log->envelope.history = log->history;
    log->timestamp_us = number_of(document, "index.timestampUs");
    log->revision = (uint32_t)number_of(document, "index.revision");
    log->digest = (uint64_t)number_of(document, "index.digest");
    log->severity = (enum severity)number_of(document, "index.severity");
    log->simulated = number_of(document, "index.simulated") != 0;
    log->id = text_of(document, "details.threatId", "");
    log->type = text_of(document, "details.threatType", "");
    log->sensor = text_of(document, "index.sensor", "");
    log->source = text_of(document, "details.sourceIP", "");
    log->destination = text_of(document, "details.destinationIP", "");
    if (log->json != NULL)
        return true;
    securitylog_clear(log);
    return err_set(err, ERR_SYSTEM, "securitylogs: threat %s cannot be read", log->id);
}

void securitylog_clear(struct securitylog *log)
{
    free(log->json);
    free(log->history);
    log->json = log->history = NULL;
}
