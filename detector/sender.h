/* sender.h: carries what the spool holds to the webhook, on its own thread.
 *
 * A row is settled only by an answer: 2xx delivered; 400, 409, 413, 415 and 422 refused (a dead letter); 401, 403,
 * 404 and 405 kept and tried again every minute; 207 item by item; anything else, also silence, is tried again after
 * growing, jittered pauses (Retry-After is honoured). The packets of threats that were delivered follow by PUT. One
 * threat goes as an object, a backlog as arrays. Every attempt is signed anew (Standard Webhooks) when there is a
 * secret. Beside that it sends a heartbeat with the figures it is given. */
#ifndef DETECTOR_SENDER_H
#define DETECTOR_SENDER_H

#include "common/err.h"
#include "detector/spool.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

enum { SENDER_BATCH = 1000, SENDER_BODY_MAX = 8 * 1024 * 1024 };

struct sender_settings { /* texts are borrowed and outlive the sender */
    const char *url;
    const char *secret_file; /* NULL: unsigned */
    const char *sensor;      /* picks the line of the secret file; names the heartbeat */
    struct spool *spool;
    cJSON *(*figures)(void *context); /* what a heartbeat says; called on the sender's thread; NULL: no heartbeats */
    void *context;
    /* 0: the default */
    long timeout_ms;   /* of one call: 10 s */
    long pause_min_ms; /* 200 */
    long pause_max_ms; /* 60 s */
    long kept_ms;      /* 60 s */
    long heartbeat_ms; /* 10 s */
};

struct sender;
bool sender_check(const struct sender_settings *settings, struct err *err); /* is there a secret for the sensor */
struct sender *sender_start(const struct sender_settings *settings, struct err *err);
void sender_wake(struct sender *sender); /* the spool has something new */
/* Whether the receiver has a place for packets (a URL that ends as Threatline's webhook does). */
bool sender_wants_evidence(const struct sender *sender);
void sender_reload(struct sender *sender); /* reads the secret file again; a bad one changes nothing */
/* Waits at most ms for the moment when nothing waits any more (kept and refused rows do not count, nor packets that
 * were tried already); true: reached. */
bool sender_drain(struct sender *sender, int64_t ms);
/* Ends after the call in flight; what was not sent stays in the spool. NULL is fine. */
void sender_stop(struct sender *sender);

struct sender_counters {
    uint64_t delivered, refused, kept;   /* rows; kept counts each time */
    uint64_t attempts, failures;         /* calls; failures got no usable answer */
    uint64_t evidence, evidence_refused; /* captures handed over; given up */
    int last_status;                     /* 0: silence or nothing sent yet */
    int64_t last_delivered_ms;           /* 0: never */
    char trouble[200];                   /* why nothing goes through just now; "" when all is well */
};
void sender_counters(struct sender *sender, struct sender_counters *out);

#endif
