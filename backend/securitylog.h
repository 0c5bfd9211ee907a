/* securitylog.h: a threat as a document of the collection securitylogs (step 8 of the guide), and back.
 *
 * userId, action, status, ipAddress, userAgent, details and timestamp are as the guide has them; seq, receivedAt,
 * suppressedBy and triage are the store's own. What queries need stands once more under "index", in a form that can
 * be indexed: addresses as 16 bytes, the severity as a number, the words. Everything is built field by field from
 * parsed JSON, so no text of a sender can turn into a date, an object id or an operator. */
#ifndef BACKEND_SECURITYLOG_H
#define BACKEND_SECURITYLOG_H

#include "backend/store_record.h"

#include <cjson/cJSON.h>
#include <mongoc/mongoc.h>

#define SECURITYLOG_THREAT "network_threat_detected"

/* A JSON value under key: integers up to 2^53 become integers, other numbers doubles. */
bool securitylog_append_json(bson_t *document, const char *key, const cJSON *value);
/* A BSON object or array as JSON text; the caller frees. Dates become ISO 8601 texts. */
char *securitylog_json(const bson_iter_t *value);

/* The document of a new threat. False: memory is out. */
bool securitylog_build(bson_t *document, const struct store_item *item, const struct store_record *record,
                       int64_t seq);

/* A document as it was read; strings are borrowed from it, json and history are freed by securitylog_clear. */
struct securitylog {
    struct store_envelope envelope; /* suppressed_by borrowed, history owned */
    char *json, *history;
    int64_t event_seq, timestamp_us;
    uint32_t revision;
    uint64_t digest;
    const char *id, *type, *sensor, *source, *destination, *action;
    enum severity severity;
    bool simulated;
};
bool securitylog_read(struct securitylog *log, const bson_t *document, struct err *err);
void securitylog_clear(struct securitylog *log);

/* The words array for $set. */
bool securitylog_append_words(bson_t *document, const char *key, const struct store_record *record,
                              const struct store_record *more);

#endif
