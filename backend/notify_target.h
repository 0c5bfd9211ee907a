/* notify_target.h: where notices go: a webhook (signed as Standard Webhooks say), a syslog server or mailboxes. */
#ifndef BACKEND_NOTIFY_TARGET_H
#define BACKEND_NOTIFY_TARGET_H

#include "backend/doc.h"
#include "backend/form.h"
#include "backend/seal.h"
#include "common/err.h"
#include "common/signature.h"
#include "common/threat.h"

#include <stdbool.h>
#include <stdint.h>

#define TARGET_KIND "target" /* of a target's document in the store */

enum target_type { TARGET_WEBHOOK, TARGET_SYSLOG, TARGET_EMAIL };

struct target {
    char id[DOC_ID], name[65], author[65];
    enum target_type type;
    char url[513];
    char secret[SIGNATURE_SECRET];                          /* webhook: signs what is sent */
    char from[255], to[1025], username[129], password[257]; /* e-mail */
    char filter[2049];                                      /* query; "": everything */
    bool enabled;
    bool locked; /* its secrets were sealed with another key: they must be given again */
    int64_t created_ms, version;
};

/* A notice to deliver: id is the same in every try. */
struct notice {
    const char *id;
    const char *type;   /* "threat_detected" or "test" */
    const char *threat; /* JSON text of the threat */
};

struct store;
/* Seals what an older program left open in the store; done once at start, harmless when several do it. */
bool targets_seal(struct store *store, const struct seal *seal, struct err *err);

const char *target_type_text(enum target_type type);
/* A document of the store; its secrets are sealed. *plain (may be NULL) is set when an older program left one open.
 */
bool target_read(struct target *out, const struct seal *seal, const char *id, int64_t version, const char *json,
                 bool *plain);
cJSON *target_to_doc(const struct target *target, const struct seal *seal);
cJSON *target_to_json(const struct target *target); /* for answers: without secrets */
/* POST (need FORM_NEEDED) and PATCH: notes what is wrong in the form. */
void target_from_form(struct form *form, enum form_need need, struct target *target);

/* Tries once; waits at most some 15 s; needs a stack of normal size. all: also addresses that are not public. */
struct http_client;
bool target_deliver(const struct target *target, const struct notice *notice, struct http_client *client, bool all,
                    struct err *err);

#endif
