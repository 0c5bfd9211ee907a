/* store_conformance.h: what every store must do, run by store_sqlite_test.c and store_mongo_test.c on their own.
 *
 * The including file says how a fresh, empty store is opened (conformance_open), how the same one is opened
 * again after a close (conformance_reopen) and how it is thrown away (conformance_drop). Long because every
 * behaviour of store.h stands here once, in its order. */
#ifndef TESTS_UNIT_BACKEND_STORE_CONFORMANCE_H
#define TESTS_UNIT_BACKEND_STORE_CONFORMANCE_H

#include "backend/store.h"
#include "common/clock.h"
#include "common/json.h"
#include "tests/unit/check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct store *conformance_open(void);
static struct store *conformance_reopen(struct store *store);
static void conformance_drop(struct store *store);

static int setup_store(void **state)
{
    *state = conformance_open();
    return *state == NULL;
}

static int drop_store(void **state)
{
    conformance_drop(*state);
    return 0;
}

/* 2026-11-23T00:00:00Z, and a moment that all test threats arrive around */
static const int64_t T0_US = 1795392000000000LL;

static struct threat make_threat(const char *id)
{
    struct threat t = {.revision = 1,
                       .severity = SEVERITY_HIGH,
                       .source_port = 50000,
                       .destination_port = 80,
                       .confidence = 0.75,
                       .timestamp_us = T0_US};

    snprintf(t.id, sizeof t.id, "%s", id);
    strcpy(t.type, "port_scan");
    strcpy(t.source_ip, "10.0.0.5");
    strcpy(t.destination_ip, "192.168.1.4");
    strcpy(t.protocol, "TCP");
    strcpy(t.sensor, "edge-1");
    return t;
}

static struct store_item item_of(const struct threat *threat)
{
    return (struct store_item){.threat = threat,
                               .address = "127.0.0.1",
                               .user_agent = "test/1",
                               .source = "webhook",
                               .received_ms = T0_US / 1000};
}

static struct store_item put_threat(struct store *store, const struct threat *threat)
{
    struct store_item item = item_of(threat);
    struct err err = {0};

    if (!store_insert(store, &item, 1, &err))
        fail_msg("insert: %s", err.text);
    return item;
}

static void put_many(struct store *store, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[32];
        struct threat t;
        struct store_item item;

        snprintf(id, sizeof id, "t%05zu", i);
        t = make_threat(id);
        item = put_threat(store, &t);
        assert_int_equal(item.result, STORE_STORED);
        free(item.json);
    }
}

struct found {
    size_t count, stop_after;
    int64_t seqs[256];
    enum store_event events[256];
    char ids[4096]; /* "a b c" */
    cJSON *last;
};

static bool collect_json(struct found *found, int64_t seq, const char *json)
{
    cJSON *record = cJSON_Parse(json);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(record, "threat_id");

    assert_non_null(record);
    found->seqs[found->count++ % 256] = seq;
    if (cJSON_IsString(id) && strlen(found->ids) + strlen(id->valuestring) + 2 < sizeof found->ids) {
        strcat(found->ids, found->ids[0] != '\0' ? " " : "");
        strcat(found->ids, id->valuestring);
    }
    cJSON_Delete(found->last);
    found->last = record;
    return found->count != found->stop_after;
}

static bool collect(void *context, int64_t seq, const char *json)
{
    return collect_json(context, seq, json);
}

static bool collect_event(void *context, int64_t seq, enum store_event event, const char *json)
{
    struct found *found = context;

    found->events[found->count % 256] = event;
    return collect_json(found, seq, json);
}

static struct found find(struct store *store, struct store_query query)
{
    struct found found = {0};
    struct err err = {0};

    if (query.limit == 0)
        query.limit = 100;
    if (!store_find(store, &query, collect, &found, NULL, &err))
        fail_msg("find: %s", err.text);
    cJSON_Delete(found.last);
    found.last = NULL;
    return found;
}

static struct found events_after(struct store *store, int64_t seq, size_t limit)
{
    struct found found = {0};
    struct err err = {0};

    if (!store_events(store, seq, limit, collect_event, &found, &err))
        fail_msg("events: %s", err.text);
    cJSON_Delete(found.last);
    found.last = NULL;
    return found;
}

static cJSON *threat_now(struct store *store, const char *id)
{
    struct triage triage;
    struct err err = {0};
    char *json = NULL;
    int64_t seq = 0;
    cJSON *record;

    if (!store_threat(store, id, &json, &seq, &triage, &err))
        fail_msg("threat: %s", err.text);
    record = cJSON_Parse(json);
    assert_non_null(record);
    free(json);
    return record;
}

static cJSON *statistics_of(struct store *store, struct store_span span)
{
    struct err err = {0};
    char *json = NULL;
    cJSON *statistics;

    if (!store_statistics(store, &span, &json, &err))
        fail_msg("statistics: %s", err.text);
    statistics = cJSON_Parse(json);
    assert_non_null(statistics);
    free(json);
    return statistics;
}

static double number_at(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(member))
        fail_msg("%s: no number", name);
    return member->valuedouble;
}

static const char *text_at(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsString(member))
        fail_msg("%s: no text", name);
    return member->valuestring;
}

/* --- threats --- */

static void an_empty_store_gives_nothing(void **state)
{
    int64_t seq = -1, total = -1;
    struct found found = {0};
    cJSON *statistics = statistics_of(*state, (struct store_span){0});

    assert_true(store_last_seq(*state, &seq, NULL));
    assert_int_equal(seq, 0);
    assert_true(store_first_seq(*state, &seq, NULL));
    assert_int_equal(seq, 1);
    assert_true(store_find(*state, &(struct store_query){.limit = 10}, collect, &found, &total, NULL));
    assert_int_equal(found.count, 0);
    assert_int_equal(total, 0);
    assert_int_equal(events_after(*state, 0, 10).count, 0);
    assert_int_equal(number_at(statistics, "total"), 0);
    assert_true(store_ping(*state, NULL));
    cJSON_Delete(statistics);
}

static void a_threat_comes_back_as_it_was_sent(void **state)
{
    struct threat t = make_threat("threat_1");
    struct store_item item;
    cJSON *given, *again;

    t.details = strdup("{\"rf_confidence\":0.75,\"flow_count\":3}");
    t.extra = strdup("{\"vendor\":{\"key\":\"kept\"}}");
    item = put_threat(*state, &t);
    assert_int_equal(item.result, STORE_STORED);
    assert_int_equal(item.seq, 1);
    given = cJSON_Parse(item.json);
    again = threat_now(*state, "threat_1");
    assert_true(cJSON_Compare(given, again, true));
    assert_string_equal(text_at(given, "threat_type"), "port_scan");
    assert_string_equal(text_at(given, "receivedAt"), "2026-11-23T00:00:00.000Z");
    assert_int_equal(number_at(given, "seq"), 1);
    assert_string_equal(text_at(cJSON_GetObjectItem(given, "vendor"), "key"), "kept");
    assert_int_equal(number_at(cJSON_GetObjectItem(given, "details"), "flow_count"), 3);
    assert_string_equal(text_at(cJSON_GetObjectItem(given, "triage"), "status"), "new");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetObjectItem(given, "triage"), "verdict")));
    assert_int_equal(number_at(cJSON_GetObjectItem(given, "triage"), "version"), 1);
    cJSON_Delete(given);
    cJSON_Delete(again);
    free(item.json);
    threat_clear(&t);
}

static void a_sender_cannot_set_what_the_store_writes(void **state)
{
    struct threat t = make_threat("threat_1");
    struct store_item item;
    cJSON *given;

    t.extra = strdup("{\"seq\":99,\"triage\":{\"status\":\"closed\"},\"suppressedBy\":\"x\",\"receivedAt\":\"y\"}");
    item = put_threat(*state, &t);
    given = cJSON_Parse(item.json);
    assert_int_equal(number_at(given, "seq"), 1);
    assert_string_equal(text_at(cJSON_GetObjectItem(given, "triage"), "status"), "new");
    assert_null(cJSON_GetObjectItem(given, "suppressedBy"));
    cJSON_Delete(given);
    free(item.json);
    threat_clear(&t);
}

static void the_same_threat_twice_is_a_duplicate_and_no_event(void **state)
{
    struct threat t = make_threat("threat_1");
    struct store_item first = put_threat(*state, &t), second = put_threat(*state, &t), third;

    assert_int_equal(first.result, STORE_STORED);
    assert_int_equal(second.result, STORE_DUPLICATE);
    assert_int_equal(second.seq, 0);
    assert_null(second.json);
    t.confidence = 0.76;
    third = put_threat(*state, &t);
    assert_int_equal(third.result, STORE_DIFFERENT);
    assert_int_equal(events_after(*state, 0, 10).count, 1);
    free(first.json);
}

static void a_batch_has_a_result_for_each_item(void **state)
{
    struct threat a = make_threat("a"), b = make_threat("b"), a2 = make_threat("a");
    struct store_item items[4] = {item_of(&a), item_of(&b), item_of(&a), item_of(&a2)};
    struct err err = {0};
    int64_t last = 0;

    a2.revision = 2;
    a2.severity = SEVERITY_CRITICAL;
    if (!store_insert(*state, items, 4, &err))
        fail_msg("%s", err.text);
    assert_int_equal(items[0].result, STORE_STORED);
    assert_int_equal(items[1].result, STORE_STORED);
    assert_int_equal(items[2].result, STORE_DUPLICATE);
    assert_int_equal(items[3].result, STORE_UPDATED);
    assert_int_equal(items[0].seq, 1);
    assert_int_equal(items[1].seq, 2);
    assert_int_equal(items[3].seq, 3);
    assert_true(store_last_seq(*state, &last, NULL));
    assert_int_equal(last, 3);
    for (int i = 0; i < 4; i++)
        free(items[i].json);
}

static void a_higher_revision_updates_and_never_lowers_the_severity(void **state)
{
    struct threat t = make_threat("threat_1"), newer = make_threat("threat_1");
    struct store_item item = put_threat(*state, &t), update;
    struct found found;
    cJSON *now;

    free(item.json);
    newer.revision = 7;
    newer.severity = SEVERITY_LOW;
    newer.confidence = 0.2;
    newer.timestamp_us += 5000000;
    strcpy(newer.source_ip, "10.9.9.9");
    newer.details = strdup("{\"flow_count\":1000}");
    update = put_threat(*state, &newer);
    assert_int_equal(update.result, STORE_UPDATED);
    assert_int_equal(update.seq, 2);
    free(update.json);
    update = put_threat(*state, &newer);
    assert_int_equal(update.result, STORE_DUPLICATE);
    update = put_threat(*state, &t);
    assert_int_equal(update.result, STORE_DUPLICATE);
    now = threat_now(*state, "threat_1");
    assert_string_equal(text_at(now, "severity"), "high");
    assert_string_equal(text_at(now, "source_ip"), "10.0.0.5");
    assert_string_equal(text_at(now, "timestamp"), "2026-11-23T00:00:00.000000Z");
    assert_int_equal(number_at(now, "revision"), 7);
    assert_int_equal(number_at(now, "seq"), 1);
    assert_int_equal(number_at(cJSON_GetObjectItem(now, "details"), "flow_count"), 1000);
    cJSON_Delete(now);
    found = events_after(*state, 0, 10);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.seqs[0], 2);
    assert_int_equal(found.events[0], EVENT_THREAT_DETECTED);
    found = events_after(*state, 1, 10);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.events[0], EVENT_THREAT_UPDATED);
    threat_clear(&newer);
}

static void an_unknown_threat_is_not_found(void **state)
{
    struct store_change change = {.status = "closed", .version = -1};
    struct triage triage;
    struct err err = {0};
    char *json = NULL;
    int64_t seq;

    assert_false(store_threat(*state, "nobody", &json, &seq, &triage, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_null(json);
    assert_false(store_triage(*state, "nobody", &change, &seq, &json, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(store_put_evidence(*state, "nobody", "x", 1, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void everything_is_there_after_a_restart(void **state)
{
    struct store_item item;
    struct threat t = make_threat("later");
    char name[64];
    int64_t seq = 0;

    put_many(*state, 3);
    snprintf(name, sizeof name, "%s", store_name(*state));
    *state = conformance_reopen(*state);
    assert_non_null(*state);
    assert_string_equal(store_name(*state), name);
    assert_true(store_last_seq(*state, &seq, NULL));
    assert_int_equal(seq, 3);
    item = put_threat(*state, &t);
    assert_int_equal(item.seq, 4);
    free(item.json);
    assert_string_equal(find(*state, (struct store_query){0}).ids, "later t00002 t00001 t00000");
}

/* More than one command of a server may take at once; one of them is known. */
static void a_large_array_is_one_batch(void **state)
{
    enum { MANY = 450 };
    struct threat *threats = calloc(MANY, sizeof *threats);
    struct store_item *items = calloc(MANY, sizeof *items);
    struct err err = {0};
    int64_t seq = 0;

    put_many(*state, 1);
    for (size_t i = 0; i < MANY; i++) {
        char id[32];

        snprintf(id, sizeof id, "t%05zu", MANY - 1 - i);
        threats[i] = make_threat(id);
        items[i] = item_of(&threats[i]);
    }
    if (!store_insert(*state, items, MANY, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(items[i].result, i + 1 < MANY ? STORE_STORED : STORE_DUPLICATE);
        assert_int_equal(items[i].seq, i + 1 < MANY ? (int64_t)i + 2 : 0);
        free(items[i].json);
        threat_clear(&threats[i]);
    }
    assert_true(store_last_seq(*state, &seq, NULL));
    assert_int_equal(seq, MANY);
    free(items);
    free(threats);
}

/* --- lists and replay --- */

static void history_is_newest_first_by_arrival(void **state)
{
    struct threat old = make_threat("old_but_last");
    struct store_item item;

    put_many(*state, 2);
    old.timestamp_us -= 3600000000LL;
    item = put_threat(*state, &old);
    free(item.json);
    assert_string_equal(find(*state, (struct store_query){0}).ids, "old_but_last t00001 t00000");
    assert_string_equal(find(*state, (struct store_query){.oldest_first = true}).ids, "t00000 t00001 old_but_last");
}

static void a_cursor_pages_while_threats_arrive(void **state)
{
    struct threat t = make_threat("between");
    struct store_item item;
    struct found page;
    int64_t total = 0;
    struct found counted = {0};

    put_many(*state, 5);
    page = find(*state, (struct store_query){.limit = 2});
    assert_string_equal(page.ids, "t00004 t00003");
    item = put_threat(*state, &t);
    free(item.json);
    page = find(*state, (struct store_query){.limit = 2, .before_seq = page.seqs[1]});
    assert_string_equal(page.ids, "t00002 t00001");
    page = find(*state, (struct store_query){.limit = 2, .before_seq = page.seqs[1]});
    assert_string_equal(page.ids, "t00000");
    assert_string_equal(find(*state, (struct store_query){.limit = 2, .offset = 3}).ids, "t00002 t00001");
    assert_string_equal(find(*state, (struct store_query){.before_seq = 3, .oldest_first = true}).ids,
                        "t00003 t00004 between");
    assert_true(store_find(*state, &(struct store_query){.limit = 1}, collect, &counted, &total, NULL));
    assert_int_equal(total, 6);
    cJSON_Delete(counted.last);
}

static void a_reader_may_stop_early(void **state)
{
    struct found found = {.stop_after = 2};

    put_many(*state, 5);
    assert_true(store_find(*state, &(struct store_query){.limit = 100}, collect, &found, NULL, NULL));
    assert_int_equal(found.count, 2);
    cJSON_Delete(found.last);
    found = (struct found){.stop_after = 2};
    assert_true(store_events(*state, 0, 100, collect_event, &found, NULL));
    assert_int_equal(found.count, 2);
    cJSON_Delete(found.last);
}

static void suppressed_threats_are_kept_apart(void **state)
{
    struct threat a = make_threat("a"), b = make_threat("b");
    struct store_item item = put_threat(*state, &a), hidden = item_of(&b);
    cJSON *now, *statistics;

    free(item.json);
    hidden.suppressed_by = "rule-1";
    assert_true(store_insert(*state, &hidden, 1, NULL));
    assert_int_equal(hidden.result, STORE_STORED);
    free(hidden.json);
    assert_string_equal(find(*state, (struct store_query){0}).ids, "a");
    assert_string_equal(find(*state, (struct store_query){.with_suppressed = true}).ids, "b a");
    assert_string_equal(events_after(*state, 0, 10).ids, "a");
    now = threat_now(*state, "b");
    assert_string_equal(text_at(now, "suppressedBy"), "rule-1");
    cJSON_Delete(now);
    statistics = statistics_of(*state, (struct store_span){0});
    assert_int_equal(number_at(statistics, "total"), 1);
    assert_int_equal(number_at(statistics, "suppressed"), 1);
    cJSON_Delete(statistics);
}

static void replay_gives_threats_and_monitoring_in_one_order(void **state)
{
    struct found found;
    int64_t seq = 0;

    put_many(*state, 2);
    assert_true(store_add_monitoring(*state, "{\"type\":\"network_monitoring_started\"}", &seq, NULL));
    assert_int_equal(seq, 3);
    for (int i = 0; i < 2; i++) {
        struct threat t = make_threat(i == 0 ? "x" : "y");
        struct store_item item = put_threat(*state, &t);

        free(item.json);
    }
    found = events_after(*state, 1, 100);
    assert_int_equal(found.count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(found.seqs[i], i + 2);
    assert_int_equal(found.events[1], EVENT_MONITORING);
    found = events_after(*state, 1, 2);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.seqs[1], 3);
}

/* --- search --- */

static void finds(struct store *store, const char *query, const char *ids)
{
    struct err err = {0};
    struct search *search = search_parse(query, NULL, &err);
    struct found found = {0};
    int64_t total = 0;

    if (search == NULL)
        fail_msg("%s: %s", query, err.text);
    if (!store_find(store, &(struct store_query){.search = search, .limit = 100}, collect, &found, &total, &err))
        fail_msg("%s: %s", query, err.text);
    if (strcmp(found.ids, ids) != 0)
        fail_msg("%s: found \"%s\", expected \"%s\"", query, found.ids, ids);
    if (total != -1 && total != (int64_t)found.count)
        fail_msg("%s: found %zu, told %lld", query, found.count, (long long)total);
    cJSON_Delete(found.last);
    found = (struct found){0};
    assert_true(store_find(store, &(struct store_query){.search = search, .limit = 100, .before_seq = 3}, collect,
                           &found, NULL, &err));
    for (size_t i = 0; i < found.count; i++)
        assert_true(found.seqs[i] < 3);
    cJSON_Delete(found.last);
    search_free(search);
}

/* a: scan of 10.0.0.5 on port 80; b: web attack, critical; c: over IPv6, no ports, by the simulator; d: closed and
 * commented. */
static void put_variety(struct store *store)
{
    struct store_change close = {.status = "closed",
                                 .verdict = "true_positive",
                                 .assignee = "ana",
                                 .actor = "ana",
                                 .comment = "Printer in the lobby",
                                 .version = -1};
    struct threat t[4] = {make_threat("idA1"), make_threat("idB2"), make_threat("idC3"), make_threat("idD4")};
    char *json = NULL;
    int64_t seq = 0;

    strcpy(t[1].type, "web_attack");
    t[1].severity = SEVERITY_CRITICAL;
    t[1].confidence = 0.95;
    strcpy(t[1].source_ip, "10.1.2.3");
    t[1].destination_port = 8080;
    t[1].timestamp_us += 3600000000LL;
    t[1].extra = strdup("{\"note\":\"Payload seen in login form\"}");
    strcpy(t[2].source_ip, "2001:db8::7");
    strcpy(t[2].destination_ip, "2001:db8::8");
    strcpy(t[2].protocol, "ICMP");
    strcpy(t[2].sensor, "edge-2");
    t[2].source_port = t[2].destination_port = -1;
    t[2].details = strdup("{\"source\":\"simulator\",\"job\":\"upload_7\"}");
    strcpy(t[3].source_ip, "192.168.1.4");
    strcpy(t[3].destination_ip, "10.0.0.5");
    t[3].severity = SEVERITY_LOW;
    for (int i = 0; i < 4; i++) {
        struct store_item item = put_threat(store, &t[i]);

        assert_int_equal(item.result, STORE_STORED);
        free(item.json);
        threat_clear(&t[i]);
    }
    assert_true(store_triage(store, "idD4", &close, &seq, &json, NULL));
    free(json);
}

static void every_field_can_be_searched(void **state)
{
    put_variety(*state);
    finds(*state, "", "idD4 idC3 idB2 idA1");
    finds(*state, "type:web_attack", "idB2");
    finds(*state, "type:web*", "idB2");
    finds(*state, "severity:critical", "idB2");
    finds(*state, "severity:>=high", "idC3 idB2 idA1");
    finds(*state, "status:new", "idC3 idB2 idA1");
    finds(*state, "status:closed", "idD4");
    finds(*state, "verdict:true_positive", "idD4");
    finds(*state, "verdict:none", "idC3 idB2 idA1");
    finds(*state, "assignee:ana", "idD4");
    finds(*state, "assignee:none", "idC3 idB2 idA1");
    finds(*state, "source:10.0.0.5", "idA1");
    finds(*state, "source:10.0.0.0/8", "idB2 idA1");
    finds(*state, "source:2001:db8::/32", "idC3");
    finds(*state, "destination:192.168.1.4", "idB2 idA1");
    finds(*state, "address:10.0.0.5", "idD4 idA1");
    finds(*state, "address:10.1.*", "idB2");
    finds(*state, "source:0.0.0.0/0", "idD4 idB2 idA1");
    finds(*state, "port:8080", "idB2");
    finds(*state, "port:50000", "idD4 idB2 idA1");
    finds(*state, "destination_port:1-100", "idD4 idA1");
    finds(*state, "destination_port:>80", "idB2");
    finds(*state, "source_port:<100", "");
    finds(*state, "protocol:icmp", "idC3");
    finds(*state, "sensor:edge-2", "idC3");
    finds(*state, "sensor:edge*", "idD4 idC3 idB2 idA1");
    finds(*state, "confidence:>0.75", "idB2");
    finds(*state, "confidence:0.75-0.95", "idD4 idC3 idB2 idA1");
    finds(*state, "id:idC3", "idC3");
    finds(*state, "id:id*", "idD4 idC3 idB2 idA1");
    finds(*state, "time:>2026-11-23T00:30:00Z", "idB2");
    finds(*state, "time:2026-11-23", "idD4 idC3 idB2 idA1");
    finds(*state, "time:2026-11-22", "");
    finds(*state, "is:simulated", "idC3");
    finds(*state, "is:commented", "idD4");
    finds(*state, "is:suppressed", "");
    finds(*state, "job:upload_7", "idC3");
}

static void words_are_found_wherever_they_stand(void **state)
{
    put_variety(*state);
    finds(*state, "scan", "idD4 idC3 idA1");
    finds(*state, "PORT_SCAN", "idD4 idC3 idA1");
    finds(*state, "payload", "idB2");
    finds(*state, "\"payload seen\"", "idB2");
    finds(*state, "pay*", "idB2");
    finds(*state, "lobby", "idD4");
    finds(*state, "10.0.0.5", "idD4 idA1");
    finds(*state, "8080", "idB2");
    finds(*state, "idA1", "idA1");
    finds(*state, "edge-2", "idC3");
    finds(*state, "nowhere", "");
    finds(*state, "upload_7", "idC3");
}

static void conditions_are_joined(void **state)
{
    put_variety(*state);
    finds(*state, "type:port_scan source:10.0.0.0/8 -status:closed", "idA1");
    finds(*state, "scan -edge-2", "idD4 idA1");
    finds(*state, "-port:80", "idC3 idB2");
    finds(*state, "-is:simulated", "idD4 idB2 idA1");
    finds(*state, "-(type:port_scan OR severity:critical)", "");
    finds(*state, "type:web_attack OR sensor:edge-2", "idC3 idB2");
    finds(*state, "(port:80 OR port:8080) severity:>=high", "idB2 idA1");
    finds(*state, "-source:10.0.0.0/8 -destination:10.0.0.5", "idC3");
    finds(*state, "-job:upload_7 -payload", "idD4 idA1");
}

static void a_search_can_be_removed(void **state)
{
    struct search *search = search_parse("type:port_scan", NULL, NULL);
    int64_t count = 0;

    put_variety(*state);
    assert_true(store_remove(*state, search, 0, true, 100, NULL, NULL, &count, NULL));
    assert_int_equal(count, 2);
    finds(*state, "", "idD4 idB2");
    finds(*state, "scan", "idD4");
    search_free(search);
}

static void a_word_of_an_older_revision_is_gone(void **state)
{
    struct threat t = make_threat("idA1");
    struct store_item item;

    t.extra = strdup("{\"note\":\"first guess\"}");
    item = put_threat(*state, &t);
    free(item.json);
    threat_clear(&t);
    t = make_threat("idA1");
    t.revision = 2;
    t.extra = strdup("{\"note\":\"second guess\"}");
    item = put_threat(*state, &t);
    assert_int_equal(item.result, STORE_UPDATED);
    free(item.json);
    threat_clear(&t);
    finds(*state, "first", "");
    finds(*state, "second guess", "idA1");
}

/* --- triage --- */

static void triage_changes_one_threat_and_makes_an_event(void **state)
{
    struct store_change change = {
        .status = "acknowledged", .assignee = "ana", .actor = "ana", .version = 1, .now_ms = T0_US / 1000};
    struct found found;
    struct err err = {0};
    const cJSON *triage;
    char *json = NULL;
    int64_t seq = 0;
    cJSON *now;

    put_many(*state, 2);
    if (!store_triage(*state, "t00000", &change, &seq, &json, &err))
        fail_msg("%s", err.text);
    assert_int_equal(seq, 3);
    now = cJSON_Parse(json);
    free(json);
    triage = cJSON_GetObjectItem(now, "triage");
    assert_string_equal(text_at(triage, "status"), "acknowledged");
    assert_string_equal(text_at(triage, "assignee"), "ana");
    assert_int_equal(number_at(triage, "version"), 2);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(triage, "history")), 1);
    assert_string_equal(text_at(cJSON_GetArrayItem(cJSON_GetObjectItem(triage, "history"), 0), "by"), "ana");
    cJSON_Delete(now);
    found = events_after(*state, 2, 10);
    assert_string_equal(found.ids, "t00000");
    assert_int_equal(found.events[0], EVENT_THREAT_UPDATED);
    assert_string_equal(find(*state, (struct store_query){0}).ids, "t00001 t00000"); /* its place is its arrival */
}

static void a_lost_race_changes_nothing(void **state)
{
    struct store_change change = {.status = "closed", .actor = "ana", .version = 1};
    struct err err = {0};
    char *json = NULL;
    int64_t seq = 0;
    cJSON *now;

    put_many(*state, 1);
    assert_true(store_triage(*state, "t00000", &change, &seq, &json, &err));
    free(json);
    change.status = "escalated";
    assert_false(store_triage(*state, "t00000", &change, &seq, &json, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_null(json);
    now = threat_now(*state, "t00000");
    assert_string_equal(text_at(cJSON_GetObjectItem(now, "triage"), "status"), "closed");
    cJSON_Delete(now);
    assert_true(store_last_seq(*state, &seq, NULL));
    assert_int_equal(seq, 2);
}

static void comments_and_triage_survive_a_newer_revision(void **state)
{
    struct store_change change = {
        .verdict = "true_positive", .comment = "seen on the firewall", .actor = "ana", .version = -1};
    struct threat newer = make_threat("t00000");
    struct store_item item;
    const cJSON *triage;
    char *json = NULL;
    int64_t seq = 0;
    cJSON *now;

    put_many(*state, 1);
    assert_true(store_triage(*state, "t00000", &change, &seq, &json, NULL));
    free(json);
    newer.revision = 2;
    item = put_threat(*state, &newer);
    assert_int_equal(item.result, STORE_UPDATED);
    free(item.json);
    now = threat_now(*state, "t00000");
    triage = cJSON_GetObjectItem(now, "triage");
    assert_string_equal(text_at(triage, "verdict"), "true_positive");
    assert_string_equal(text_at(cJSON_GetArrayItem(cJSON_GetObjectItem(triage, "history"), 0), "comment"),
                        "seen on the firewall");
    cJSON_Delete(now);
}

/* --- statistics --- */

static void statistics_follow_every_change(void **state)
{
    struct store_change change = {.status = "closed", .verdict = "false_positive", .actor = "ana", .version = -1};
    struct threat t = make_threat("web"), newer;
    struct store_item item;
    cJSON *s;
    char *json = NULL;
    int64_t seq = 0;

    put_many(*state, 3);
    strcpy(t.type, "web_attack");
    t.severity = SEVERITY_LOW;
    strcpy(t.source_ip, "2001:db8::1");
    item = put_threat(*state, &t);
    free(item.json);
    newer = t;
    newer.revision = 2;
    newer.severity = SEVERITY_CRITICAL;
    item = put_threat(*state, &newer);
    free(item.json);
    assert_true(store_triage(*state, "web", &change, &seq, &json, NULL));
    free(json);
    s = statistics_of(*state, (struct store_span){0});
    assert_int_equal(number_at(s, "total"), 4);
    assert_int_equal(number_at(s, "high"), 3);
    assert_int_equal(number_at(s, "critical"), 1);
    assert_int_equal(number_at(s, "low"), 0);
    assert_int_equal(number_at(cJSON_GetObjectItem(s, "byType"), "port_scan"), 3);
    assert_int_equal(number_at(cJSON_GetObjectItem(s, "byType"), "web_attack"), 1);
    assert_int_equal(number_at(cJSON_GetObjectItem(s, "byStatus"), "new"), 3);
    assert_int_equal(number_at(cJSON_GetObjectItem(s, "byStatus"), "closed"), 1);
    assert_int_equal(number_at(cJSON_GetObjectItem(s, "bySensor"), "edge-1"), 4);
    assert_string_equal(text_at(cJSON_GetArrayItem(cJSON_GetObjectItem(s, "topSources"), 0), "address"), "10.0.0.5");
    assert_int_equal(number_at(cJSON_GetArrayItem(cJSON_GetObjectItem(s, "topSources"), 0), "count"), 3);
    assert_int_equal(number_at(cJSON_GetObjectItem(s, "precision"), "falsePositive"), 1);
    cJSON_Delete(s);
}

static void statistics_of_a_span_leave_out_the_rest(void **state)
{
    struct threat t = make_threat("yesterday");
    struct store_item item;
    const cJSON *timeline, *bucket;
    cJSON *s;
    double sum = 0;

    put_many(*state, 3);
    t.timestamp_us -= 86400000000LL;
    item = put_threat(*state, &t);
    free(item.json);
    s = statistics_of(*state, (struct store_span){T0_US - 3600000000LL, T0_US + 3600000000LL, 0});
    assert_int_equal(number_at(s, "total"), 3);
    timeline = cJSON_GetObjectItem(s, "timeline");
    cJSON_ArrayForEach(bucket, timeline)
    {
        sum += number_at(bucket, "high");
    }
    assert_int_equal(sum, 3);
    cJSON_Delete(s);
    s = statistics_of(*state, (struct store_span){T0_US - 2 * 86400000000LL, T0_US + 86400000000LL, 86400000000LL});
    assert_int_equal(number_at(s, "total"), 4);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(s, "timeline")), 3);
    cJSON_Delete(s);
}

static void simulated_threats_count_until_a_live_one_comes(void **state)
{
    struct threat made_up = make_threat("made_up"), live = make_threat("live");
    struct store_item item;
    cJSON *s;

    made_up.details = strdup("{\"source\":\"simulator\"}");
    item = put_threat(*state, &made_up);
    free(item.json);
    s = statistics_of(*state, (struct store_span){0});
    assert_int_equal(number_at(s, "total"), 1);
    assert_int_equal(number_at(s, "uncounted"), 0);
    cJSON_Delete(s);
    live.severity = SEVERITY_LOW;
    item = put_threat(*state, &live);
    free(item.json);
    s = statistics_of(*state, (struct store_span){0});
    assert_int_equal(number_at(s, "total"), 1);
    assert_int_equal(number_at(s, "low"), 1);
    assert_int_equal(number_at(s, "uncounted"), 1);
    cJSON_Delete(s);
    threat_clear(&made_up);
}

/* --- removal, evidence --- */

static void append_id(void *context, const char *id)
{
    strcat(context, id);
    strcat(context, " ");
}

static void removed_threats_leave_nothing_behind(void **state)
{
    char ids[256] = "";
    int64_t count = 0, seq = 0;
    struct err err = {0};
    cJSON *s;

    put_many(*state, 3);
    if (!store_remove(*state, NULL, 0, false, SIZE_MAX, append_id, ids, &count, &err))
        fail_msg("%s", err.text);
    assert_int_equal(count, 3);
    assert_string_equal(ids, "t00000 t00001 t00002 ");
    assert_int_equal(find(*state, (struct store_query){0}).count, 0);
    s = statistics_of(*state, (struct store_span){0});
    assert_int_equal(number_at(s, "total"), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(s, "byType")), 0);
    cJSON_Delete(s);
    assert_true(store_first_seq(*state, &seq, NULL));
    assert_int_equal(seq, 4); /* whoever saw less than 3 cannot be told what is gone */
    put_many(*state, 1);
    assert_true(store_last_seq(*state, &seq, NULL));
    assert_int_equal(seq, 4);
}

static void a_limited_removal_takes_the_oldest_and_leaves_the_counts_right(void **state)
{
    char ids[256] = "";
    int64_t count = 0, seq = 0;
    cJSON *s;

    put_many(*state, 5);
    assert_true(store_remove(*state, NULL, 0, false, 2, append_id, ids, &count, NULL));
    assert_string_equal(ids, "t00000 t00001 ");
    s = statistics_of(*state, (struct store_span){0});
    assert_int_equal(number_at(s, "total"), 3);
    assert_int_equal(number_at(cJSON_GetArrayItem(cJSON_GetObjectItem(s, "topSources"), 0), "count"), 3);
    cJSON_Delete(s);
    assert_true(store_first_seq(*state, &seq, NULL));
    assert_int_equal(seq, 3);
    assert_string_equal(events_after(*state, 2, 10).ids, "t00002 t00003 t00004");
}

static void retention_keeps_what_is_new_or_marked(void **state)
{
    struct store_change escalate = {.status = "escalated", .actor = "ana", .version = -1};
    struct store_change comment = {.comment = "keep", .actor = "ana", .version = -1};
    int64_t count = 0, seq = 0;
    char *json = NULL;

    for (int i = 0; i < 5; i++) {
        char id[16];
        struct threat t;
        struct store_item item;

        snprintf(id, sizeof id, "r%d", i);
        t = make_threat(id);
        item = item_of(&t);
        item.received_ms += i * 1000;
        assert_true(store_insert(*state, &item, 1, NULL));
        free(item.json);
    }
    assert_true(store_triage(*state, "r0", &escalate, &seq, &json, NULL));
    free(json);
    assert_true(store_triage(*state, "r1", &comment, &seq, &json, NULL));
    free(json);
    assert_true(store_remove(*state, NULL, T0_US / 1000 + 4000, true, 1, NULL, NULL, &count, NULL));
    assert_int_equal(count, 1);
    assert_string_equal(find(*state, (struct store_query){0}).ids, "r4 r3 r1 r0");
    assert_true(store_remove(*state, NULL, T0_US / 1000 + 4000, true, 100, NULL, NULL, &count, NULL));
    assert_string_equal(find(*state, (struct store_query){0}).ids, "r4 r1 r0");
}

static void evidence_lives_and_dies_with_its_threat(void **state)
{
    struct err err = {0};
    void *bytes = NULL;
    size_t length = 0;
    int64_t count;

    put_many(*state, 1);
    assert_false(store_get_evidence(*state, "t00000", &bytes, &length, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(store_put_evidence(*state, "t00000", "a\0b", 3, &err));
    assert_true(store_put_evidence(*state, "t00000", "a\0bc", 4, &err));
    assert_true(store_get_evidence(*state, "t00000", &bytes, &length, &err));
    assert_int_equal(length, 4);
    assert_memory_equal(bytes, "a\0bc", 4);
    free(bytes);
    assert_true(store_remove(*state, NULL, 0, false, 10, NULL, NULL, &count, &err));
    assert_false(store_get_evidence(*state, "t00000", &bytes, &length, &err));
}

/* --- documents --- */

static void a_document_has_a_version(void **state)
{
    struct err err = {0};
    char *json = NULL;
    int64_t version = 0;

    assert_false(store_doc_get(*state, "user", "u1", &json, &version, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_true(store_doc_put(*state, "user", "u1", "ana", "{\"a\":1}", 0, 0, &version, &err));
    assert_int_equal(version, 1);
    assert_false(store_doc_put(*state, "user", "u1", "ana", "{\"a\":2}", 0, 0, &version, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_true(store_doc_put(*state, "user", "u1", "ana", "{\"a\":3}", 0, 1, &version, &err));
    assert_int_equal(version, 2);
    assert_false(store_doc_put(*state, "user", "u1", "ana", "{\"a\":4}", 0, 1, &version, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_true(store_doc_put(*state, "user", "u1", "ana", "{\"a\":5}", 0, -1, &version, &err));
    assert_int_equal(version, 3);
    assert_true(store_doc_get(*state, "user", "u1", &json, &version, &err));
    assert_string_equal(json, "{\"a\":5}");
    assert_int_equal(version, 3);
    free(json);
    assert_true(store_doc_remove(*state, "user", "u1", &err));
    assert_false(store_doc_remove(*state, "user", "u1", &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void a_name_is_taken_once_within_a_kind(void **state)
{
    struct err err = {0};
    char *id = NULL, *json = NULL;
    int64_t version = 0;

    assert_true(store_doc_put(*state, "user", "u1", "ana", "{}", 0, 0, NULL, &err));
    assert_false(store_doc_put(*state, "user", "u2", "ana", "{}", 0, 0, NULL, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_true(store_doc_put(*state, "key", "u2", "ana", "{}", 0, 0, NULL, &err));
    assert_true(store_doc_put(*state, "user", "u3", NULL, "{}", 0, 0, NULL, &err));
    assert_true(store_doc_put(*state, "user", "u4", NULL, "{}", 0, 0, NULL, &err));
    assert_true(store_doc_by_name(*state, "user", "ana", &id, &json, &version, &err));
    assert_string_equal(id, "u1");
    assert_int_equal(version, 1);
    free(id);
    free(json);
    assert_false(store_doc_by_name(*state, "user", "eve", &id, &json, &version, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void an_expired_document_is_never_given_out(void **state)
{
    int64_t now = clock_now_ms();
    struct err err = {0};
    char *json = NULL, *id = NULL;

    assert_true(store_doc_put(*state, "session", "old", "n", "{}", now - 1, 0, NULL, &err));
    assert_true(store_doc_put(*state, "session", "young", NULL, "{}", now + 600000, 0, NULL, &err));
    assert_false(store_doc_get(*state, "session", "old", &json, NULL, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    assert_false(store_doc_by_name(*state, "session", "n", &id, &json, NULL, &err));
    assert_true(store_doc_get(*state, "session", "young", &json, NULL, &err));
    free(json);
    assert_true(store_doc_put(*state, "session", "old", "n", "{}", now + 600000, 0, NULL, &err));
}

static bool append_doc(void *context, const char *id, int64_t version, const char *json)
{
    (void)json;
    (void)version;
    append_id(context, id);
    return true;
}

static void documents_are_listed_in_order_of_their_id(void **state)
{
    char ids[128];
    struct err err = {0};

    for (int i = 0; i < 5; i++) {
        char id[16];

        snprintf(id, sizeof id, "d%d", (i * 3) % 5);
        assert_true(store_doc_put(*state, "audit", id, NULL, "{}", 0, 0, NULL, &err));
    }
    assert_true(store_doc_put(*state, "other", "d9", NULL, "{}", 0, 0, NULL, &err));
    ids[0] = '\0';
    assert_true(store_doc_list(*state, "audit", NULL, false, 3, append_doc, ids, &err));
    assert_string_equal(ids, "d0 d1 d2 ");
    ids[0] = '\0';
    assert_true(store_doc_list(*state, "audit", "d2", false, 10, append_doc, ids, &err));
    assert_string_equal(ids, "d3 d4 ");
    ids[0] = '\0';
    assert_true(store_doc_list(*state, "audit", NULL, true, 2, append_doc, ids, &err));
    assert_string_equal(ids, "d4 d3 ");
    ids[0] = '\0';
    assert_true(store_doc_list(*state, "audit", "d3", true, 10, append_doc, ids, &err));
    assert_string_equal(ids, "d2 d1 d0 ");
}

static void every_write_raises_the_generation_of_its_kind(void **state)
{
    int64_t before = -1, after = -1, other = -1;

    assert_true(store_doc_generation(*state, "suppression", &before, NULL));
    assert_true(store_doc_put(*state, "suppression", "s", NULL, "{}", 0, 0, NULL, NULL));
    assert_true(store_doc_generation(*state, "suppression", &after, NULL));
    assert_true(after > before);
    before = after;
    assert_true(store_doc_remove(*state, "suppression", "s", NULL));
    assert_true(store_doc_generation(*state, "suppression", &after, NULL));
    assert_true(after > before);
    assert_true(store_doc_generation(*state, "user", &other, NULL));
    assert_int_equal(other, 0);
}

/* --- the threads of requests --- */

/* civetweb's workers have this much stack, whatever the machine says. */
enum { REQUEST_STACK = 100 * 1024 };

static void *call_everything(void *context)
{
    struct store *store = context;
    struct store_change change = {.status = "closed", .comment = "stack", .actor = "ana", .version = -1};
    struct threat t = make_threat("on_a_small_stack");
    struct store_item item = item_of(&t);
    struct found *found = calloc(1, sizeof *found);
    int64_t seq, count;
    struct triage triage;
    char *json = NULL, *id = NULL;
    bool ok = found != NULL && store_insert(store, &item, 1, NULL);

    free(item.json);
    ok = ok && store_threat(store, t.id, &json, &seq, &triage, NULL);
    free(json);
    ok = ok && store_find(store, &(struct store_query){.limit = 10}, collect, found, &count, NULL) &&
         store_events(store, 0, 10, collect_event, found, NULL) && store_statistics(store, NULL, &json, NULL);
    free(json);
    ok = ok && store_triage(store, t.id, &change, &seq, &json, NULL);
    free(json);
    ok = ok && store_doc_put(store, "k", "i", "n", "{}", 0, -1, NULL, NULL) &&
         store_doc_by_name(store, "k", "n", &id, &json, NULL, NULL);
    free(id);
    free(json);
    ok = ok && store_remove(store, NULL, 0, false, 10, NULL, NULL, &count, NULL) && store_ping(store, NULL);
    if (found != NULL)
        cJSON_Delete(found->last);
    free(found);
    return ok ? store : NULL;
}

static void every_call_fits_the_stack_of_a_request(void **state)
{
    pthread_attr_t small;
    pthread_t thread;
    void *ok = NULL;

    pthread_attr_init(&small);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_int_equal(pthread_attr_setstacksize(&small, REQUEST_STACK), 0);
#endif
    assert_int_equal(pthread_create(&thread, &small, call_everything, *state), 0);
    pthread_join(thread, &ok);
    pthread_attr_destroy(&small);
    assert_ptr_equal(ok, *state);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_store, drop_store)
#define CONFORMANCE_TESTS                                                                                            \
    STORE_TEST(an_empty_store_gives_nothing), STORE_TEST(a_threat_comes_back_as_it_was_sent),                        \
        STORE_TEST(a_sender_cannot_set_what_the_store_writes),                                                       \
        STORE_TEST(the_same_threat_twice_is_a_duplicate_and_no_event),                                               \
        STORE_TEST(a_batch_has_a_result_for_each_item),                                                              \
        STORE_TEST(a_higher_revision_updates_and_never_lowers_the_severity), STORE_TEST(a_large_array_is_one_batch), \
        STORE_TEST(an_unknown_threat_is_not_found), STORE_TEST(everything_is_there_after_a_restart),                 \
        STORE_TEST(history_is_newest_first_by_arrival), STORE_TEST(a_cursor_pages_while_threats_arrive),             \
        STORE_TEST(a_reader_may_stop_early), STORE_TEST(suppressed_threats_are_kept_apart),                          \
        STORE_TEST(replay_gives_threats_and_monitoring_in_one_order), STORE_TEST(every_field_can_be_searched),       \
        STORE_TEST(words_are_found_wherever_they_stand), STORE_TEST(conditions_are_joined),                          \
        STORE_TEST(a_search_can_be_removed), STORE_TEST(a_word_of_an_older_revision_is_gone),                        \
        STORE_TEST(triage_changes_one_threat_and_makes_an_event), STORE_TEST(a_lost_race_changes_nothing),           \
        STORE_TEST(comments_and_triage_survive_a_newer_revision), STORE_TEST(statistics_follow_every_change),        \
        STORE_TEST(statistics_of_a_span_leave_out_the_rest),                                                         \
        STORE_TEST(simulated_threats_count_until_a_live_one_comes),                                                  \
        STORE_TEST(removed_threats_leave_nothing_behind),                                                            \
        STORE_TEST(a_limited_removal_takes_the_oldest_and_leaves_the_counts_right),                                  \
        STORE_TEST(retention_keeps_what_is_new_or_marked), STORE_TEST(evidence_lives_and_dies_with_its_threat),      \
        STORE_TEST(a_document_has_a_version), STORE_TEST(a_name_is_taken_once_within_a_kind),                        \
        STORE_TEST(an_expired_document_is_never_given_out), STORE_TEST(documents_are_listed_in_order_of_their_id),   \
        STORE_TEST(every_write_raises_the_generation_of_its_kind),                                                   \
        STORE_TEST(every_call_fits_the_stack_of_a_request)

#endif
