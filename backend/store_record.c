/* store_record.c: words, digest and envelope of a threat. */
#include "backend/store_record.h"

#include "common/clock.h"
#include "common/json.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Members that the store writes itself: a sender that sets them must not be believed. */
static const char *const reserved[] = {"seq", "receivedAt", "suppressedBy", "triage"};
/* Members whose text nobody searches for: figures, hashes and times, different in every threat, or the same in all.
 */
static const char *const unsearched[] = {"features", "evidence",  "first_seen", "last_seen",
                                         "model",    "extractor", "source"};

enum {
    RESERVED = sizeof reserved / sizeof reserved[0],
    UNSEARCHED = sizeof unsearched / sizeof unsearched[0],
    WALK_SILENT = 1000,
    GIVEN_ROOM = 256 /* what most envelopes need */
};

static void take_word(void *context, const char *word)
{
    struct store_record *record = context;
    size_t size = strlen(word) + 1;

    if (record->word_count == RECORD_WORDS || record->word_used + size > RECORD_WORD_BYTES)
        return;
    for (size_t i = 0; i < record->word_count; i++)
        if (strcmp(record->words[i], word) == 0)
            return;
    memcpy(record->word_bytes + record->word_used, word, size);
    record->words[record->word_count++] = record->word_bytes + record->word_used;
    record->word_used += size;
}

void store_record_add_words(struct store_record *record, const char *text)
{
    search_split(text, true, take_word, record);
}

static bool is_unsearched(const char *name)
{
    for (size_t i = 0; name != NULL && i < UNSEARCHED; i++)
        if (strcmp(name, unsearched[i]) == 0)
            return true;
    return false;
}

/* --- the texts of a JSON object, without building its tree --- */

/* The text was written by text_add_tree, so it is well formed; nothing here runs past its end if it is not. */
struct walk {
    char *at; /* in a copy that is decoded in place */
    struct store_record *record;
    bool is_details;
};

static void skip_blanks(struct walk *walk)
{
    walk->at += strspn(walk->at, " \t\r\n");
}

static unsigned hex_value(const char *digits)
{
    unsigned value = 0;

    for (int i = 0; i < 4 && isxdigit((unsigned char)digits[i]); i++)
        value =
            value * 16 + (unsigned)(isdigit((unsigned char)digits[i]) ? digits[i] - '0'
                                                                      : tolower((unsigned char)digits[i]) - 'a' + 10);
    return value;
}

/* The writer escapes quotes, backslashes and control characters alone; all but the first two part words. */
static char unescaped(struct walk *walk)
{
    char c = *walk->at != '\0' ? *walk->at++ : '\0';

    if (c == 'u') {
        unsigned code = hex_value(walk->at);

        walk->at += strspn(walk->at, "0123456789abcdefABCDEF") < 4 ? 0 : 4;
        return code >= 0x20 && code < 0x7f ? (char)code : ' ';
    }
    return strchr("bfnrt", c) != NULL ? ' ' : c;
}

/* Behind the opening quote; leaves walk behind the closing one. */
static const char *take_text(struct walk *walk)
{
    char *text = walk->at, *end = text;

    while (*walk->at != '\0' && *walk->at != '"') {
        char c = *walk->at++;

        *end++ = c == '\\' ? unescaped(walk) : c;
    }
    if (*walk->at == '"')
        walk->at++;
    *end = '\0';
    return text;
}

/* A member of details itself stands on level 1. */
static void take_member(struct walk *walk, const char *key, int level, const char *text)
{
    struct store_record *record = walk->record;
    bool own = walk->is_details && level == 1 && key != NULL;
    int64_t us;

    if (own && strcmp(key, "source") == 0)
        record->simulated = strcmp(text, "simulator") == 0;
    if (own && strcmp(key, "job") == 0 && strlen(text) < sizeof record->job)
        memcpy(record->job, text, strlen(text) + 1);
    if (level < WALK_SILENT && !is_unsearched(key) && !clock_parse_us(text, &us))
        store_record_add_words(record, text);
}

/* Below an unsearched member levels are counted from WALK_SILENT. */
static void walk_value(struct walk *walk, const char *key, int level)
{
    skip_blanks(walk);
    char open = *walk->at;

    if (open == '"') {
        walk->at++;
        take_member(walk, key, level, take_text(walk));
        return;
    }
    if (open != '{' && open != '[') {
        walk->at += strcspn(walk->at, ",]}");
        return;
    }
    if (level % WALK_SILENT > JSON_DEPTH_MAX)
        return;
    if (level < WALK_SILENT && is_unsearched(key))
        level += WALK_SILENT;
    do {
        const char *name = NULL;

        walk->at++;
        skip_blanks(walk);
        if (*walk->at == ']' || *walk->at == '}')
            break;
        if (open == '{' && *walk->at == '"') {
            walk->at++;
            name = take_text(walk);
            skip_blanks(walk);
            walk->at += *walk->at == ':';
        }
        walk_value(walk, name, level + 1);
        skip_blanks(walk);
    } while (*walk->at == ',');
    walk->at += *walk->at != '\0';
}

static bool read_texts(struct store_record *record, const char *object, bool is_details)
{
    char *copy = object != NULL ? strdup(object) : NULL;
    struct walk walk = {copy, record, is_details};

    if (copy != NULL)
        walk_value(&walk, NULL, 0);
    free(copy);
    return object == NULL || copy != NULL;
}

static bool mentions_reserved(const char *extra)
{
    char quoted[32];

    for (size_t i = 0; i < RESERVED; i++) {
        size_t n = strlen(reserved[i]);

        quoted[0] = '"';
        memcpy(quoted + 1, reserved[i], n);
        memcpy(quoted + 1 + n, "\"", 2);
        if (strstr(extra, quoted) != NULL)
            return true;
    }
    return strchr(extra, '\\') != NULL; /* an escape may spell one of them */
}

/* Extra members with a name of the store's own are dropped. */
static char *without_reserved(const char *object)
{
    cJSON *extra = cJSON_Parse(object);
    char *cleaned;

    for (size_t i = 0; i < RESERVED; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(extra, reserved[i]);
    cleaned = extra != NULL ? json_print(extra) : NULL;
    cJSON_Delete(extra);
    return cleaned;
}

/* FNV-1a: it only has to tell apart what one sender sends twice, no attack is to be stopped by it. */
static uint64_t digest_of(const char *text)
{
    uint64_t hash = 14695981039346656037u;

    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

bool store_record_address(const char *text, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memcpy(out, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, out + 12) == 1;
}

bool store_record_make(struct store_record *record, const struct threat *threat, struct err *err)
{
    struct threat copy = *threat;
    char *cleaned = NULL;
    bool ok = false;

    memset(record, 0, offsetof(struct store_record, word_bytes));
    record->word_used = 0;
    if (threat->extra != NULL && mentions_reserved(threat->extra))
        copy.extra = cleaned = without_reserved(threat->extra);
    if ((threat->extra != NULL && copy.extra == NULL) || (record->json = threat_to_json(&copy)) == NULL) {
        err_set(err, ERR_MEMORY, "threat %s: out of memory", threat->id);
        goto done;
    }
    if (!store_record_address(threat->source_ip, record->source) ||
        !store_record_address(threat->destination_ip, record->destination)) {
        err_set(err, ERR_INVALID, "threat %s: expected IP addresses", threat->id);
        goto done;
    }
    record->digest = digest_of(record->json);
    store_record_add_words(record, threat->type);
    store_record_add_words(record, severity_text(threat->severity));
    store_record_add_words(record, threat->protocol);
    store_record_add_words(record, threat->sensor);
    search_split(threat->community_id, false, take_word, record);
    ok = (read_texts(record, threat->details, true) && read_texts(record, copy.extra, false)) ||
         err_set(err, ERR_MEMORY, "threat %s: out of memory", threat->id);
done:
    free(cleaned);
    if (!ok)
        store_record_clear(record);
    return ok;
}

const char *store_record_sensor(const struct store_item *item)
{
    if (item->threat->sensor[0] != '\0')
        return item->threat->sensor;
    return item->source != NULL ? item->source : "webhook";
}

bool store_record_of(struct store_record *record, const struct store_item *item, struct err *err)
{
    if (!store_record_make(record, item->threat, err))
        return false;
    store_record_add_words(record, store_record_sensor(item));
    return true;
}

void store_record_clear(struct store_record *record)
{
    free(record->json);
    record->json = NULL;
}

static void add_text_or_null(struct text *text, const char *name, const char *value)
{
    text_addf(text, ",\"%s\":", name);
    if (value[0] == '\0')
        text_add(text, "null", 4);
    else
        text_add_json(text, value);
}

char *store_record_given(const char *json, const struct store_envelope *envelope)
{
    struct text text = {.max = THREAT_JSON_MAX + RECORD_HISTORY_MAX + 4096};
    size_t length = strlen(json);
    char received[CLOCK_TEXT];

    text.bytes = malloc(length + GIVEN_ROOM); /* in most cases enough; else it grows */
    text.room = text.bytes != NULL ? length + GIVEN_ROOM : 0;
    clock_text_ms(envelope->received_ms, received);
    text_add(&text, json, length - 1);
    text_addf(&text, ",\"seq\":%lld,\"receivedAt\":\"%s\"", (long long)envelope->seq, received);
    if (envelope->suppressed_by != NULL) {
        text_add(&text, ",\"suppressedBy\":", 16);
        text_add_json(&text, envelope->suppressed_by);
    }
    text_addf(&text, ",\"triage\":{\"status\":\"%s\"", envelope->triage.status);
    add_text_or_null(&text, "verdict", envelope->triage.verdict);
    add_text_or_null(&text, "assignee", envelope->triage.assignee);
    text_addf(&text, ",\"version\":%lld,\"history\":", (long long)envelope->triage.version);
    if (envelope->history != NULL)
        text_add(&text, envelope->history, strlen(envelope->history));
    else
        text_add(&text, "[]", 2);
    text_add(&text, "}}", 2);
    if (text.failed) {
        free(text.bytes);
        return NULL;
    }
    return text.bytes;
}

static bool copy_text(char **out, const char *text)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL;
}

bool store_record_merge(struct threat *merged, const char *stored_json, const struct threat *newer, struct err *err)
{
    cJSON *object = json_parse(stored_json, strlen(stored_json), err);
    bool ok = object != NULL && threat_from_json(merged, object, NULL, NULL, err);

    cJSON_Delete(object);
    if (!ok)
        return err_prefix(err, "stored threat %s", newer->id);
    merged->revision = newer->revision;
    if (newer->severity > merged->severity)
        merged->severity = newer->severity;
    if (newer->confidence > merged->confidence)
        merged->confidence = newer->confidence;
    free(merged->details);
    free(merged->extra);
    merged->details = merged->extra = NULL;
    if (!copy_text(&merged->details, newer->details) || !copy_text(&merged->extra, newer->extra)) {
        threat_clear(merged);
        return err_set(err, ERR_MEMORY, "threat %s: out of memory", newer->id);
    }
    return true;
}

static void add_change(struct text *text, const char *name, const char *before, const char *after)
{
    if (after == NULL || strcmp(before, after) == 0)
        return;
    text_addf(text, ",\"%s\":{\"from\":", name);
    if (before[0] != '\0')
        text_add_json(text, before);
    else
        text_add(text, "null", 4);
    text_add(text, ",\"to\":", 6);
    if (after[0] != '\0')
        text_add_json(text, after);
    else
        text_add(text, "null", 4);
    text_add(text, "}", 1);
}

static bool fits(const char *text, size_t size, const char *name, struct err *err)
{
    if (text == NULL || strlen(text) < size)
        return true;
    return err_set(err, ERR_INVALID, "%s: expected at most %zu bytes", name, size - 1);
}

static void put(char *out, const char *text)
{
    if (text != NULL)
        memcpy(out, text, strlen(text) + 1);
}

bool store_record_change(struct triage *triage, const char *history, const struct store_change *change, char **added,
                         struct err *err)
{
    struct text text = {.max = RECORD_HISTORY_MAX};
    size_t length = history != NULL ? strlen(history) : 0;
    char at[CLOCK_TEXT];

    if (change->version >= 0 && change->version != triage->version)
        return err_set(err, ERR_CONFLICT, "somebody else changed it first: expected version %lld, it is %lld",
                       (long long)change->version, (long long)triage->version);
    if (!fits(change->status, sizeof triage->status, "status", err) ||
        !fits(change->verdict, sizeof triage->verdict, "verdict", err) ||
        !fits(change->assignee, sizeof triage->assignee, "assignee", err))
        return false;
    clock_text_ms(change->now_ms, at);
    if (length > 2) {
        text_add(&text, history, length - 1);
        text_add(&text, ",", 1);
    } else {
        text_add(&text, "[", 1);
    }
    text_addf(&text, "{\"at\":\"%s\",\"by\":", at);
    text_add_json(&text, change->actor != NULL ? change->actor : "");
    add_change(&text, "status", triage->status, change->status);
    add_change(&text, "verdict", triage->verdict, change->verdict);
    add_change(&text, "assignee", triage->assignee, change->assignee);
    if (change->comment != NULL) {
        text_add(&text, ",\"comment\":", 11);
        text_add_json(&text, change->comment);
    }
    text_add(&text, "}]", 2);
    if (text.failed) {
        free(text.bytes);
        return err_set(err, ERR_INVALID, "the history of this threat is full (%d bytes)", RECORD_HISTORY_MAX);
    }
    put(triage->status, change->status);
    put(triage->verdict, change->verdict);
    put(triage->assignee, change->assignee);
    triage->version++;
    *added = text.bytes;
    return true;
}
