/* eve.c: see eve.h. */
#include "detector/eve.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNATURE_FIRST = 9000000 }; /* of the range that is free for local rules */

/* Suricata's severities count down: 1 is the worst. */
static int eve_severity(enum severity severity)
{
    return severity == SEVERITY_CRITICAL ? 1 : severity == SEVERITY_HIGH ? 1 : severity == SEVERITY_MEDIUM ? 2 : 3;
}

/* The same type has the same number in every run. */
static int signature_id(const char *type)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (const char *p = type; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 16777619u;
    return SIGNATURE_FIRST + (int)(hash % 100000);
}

/* "2026-11-23T01:02:03.456789+0000": the form that EVE's readers expect. */
static void eve_time(int64_t us, char out[CLOCK_TEXT + 8])
{
    char text[CLOCK_TEXT];

    clock_text_us(us, text);
    text[strlen(text) - 1] = '\0';
    snprintf(out, CLOCK_TEXT + 8, "%s+0000", text);
}

/* A number that a reader may join events by; from the id, so that revisions share it. Below 2^53, and in digits:
 * cJSON would write one of this size with an exponent. */
static void flow_id(const char *id, char out[24])
{
    char hash[TOKEN_HASH];

    token_hash(id, strlen(id), hash);
    hash[13] = '\0';
    snprintf(out, 24, "%llu", strtoull(hash, NULL, 16));
}

/* As Suricata writes it. */
static const char *eve_protocol(const char *protocol)
{
    return strcmp(protocol, "ICMPV6") == 0 ? "IPv6-ICMP" : protocol;
}

char *eve_alert(const struct threat *t, const char *file)
{
    cJSON *o = cJSON_CreateObject(), *alert = cJSON_CreateObject();
    char time[CLOCK_TEXT + 8], signature[THREAT_TYPE + 16], id[24], *text;

    eve_time(t->timestamp_us, time);
    snprintf(signature, sizeof signature, "THREATLINE %s", t->type);
    cJSON_AddStringToObject(o, "timestamp", time);
    flow_id(t->id, id);
    cJSON_AddRawToObject(o, "flow_id", id);
    if (t->sensor[0] != '\0')
        cJSON_AddStringToObject(o, "host", t->sensor);
    if (file != NULL)
        cJSON_AddStringToObject(o, "pcap_filename", file);
    cJSON_AddStringToObject(o, "event_type", "alert");
    cJSON_AddStringToObject(o, "src_ip", t->source_ip);
    if (t->source_port >= 0)
        cJSON_AddNumberToObject(o, "src_port", t->source_port);
    cJSON_AddStringToObject(o, "dest_ip", t->destination_ip);
    if (t->destination_port >= 0)
        cJSON_AddNumberToObject(o, "dest_port", t->destination_port);
    cJSON_AddStringToObject(o, "proto", eve_protocol(t->protocol));
    if (t->community_id[0] != '\0')
        cJSON_AddStringToObject(o, "community_id", t->community_id);
    cJSON_AddStringToObject(alert, "action", "allowed");
    cJSON_AddNumberToObject(alert, "gid", 1);
    cJSON_AddNumberToObject(alert, "signature_id", signature_id(t->type));
    cJSON_AddNumberToObject(alert, "rev", t->revision);
    cJSON_AddStringToObject(alert, "signature", signature);
    cJSON_AddStringToObject(alert, "category", t->type);
    cJSON_AddNumberToObject(alert, "severity", eve_severity(t->severity));
    cJSON_AddItemToObject(o, "alert", alert);
    text = threat_to_json(t);
    if (text != NULL)
        cJSON_AddRawToObject(o, "threatline", text);
    free(text);
    text = json_print(o);
    cJSON_Delete(o);
    return text;
}
