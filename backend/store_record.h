/* store_record.h: a threat as both stores keep it, and as they give it out.
 *
 * What a query needs to know of a threat is taken out of it once, when it comes in: its words, whether a simulator
 * made it, the job it belongs to. Nothing here talks to a database. Any thread may call. */
#ifndef BACKEND_STORE_RECORD_H
#define BACKEND_STORE_RECORD_H

#include "backend/store.h"

enum {
    RECORD_WORDS = 64,        /* words of one threat that can be searched for; more are left out */
    RECORD_WORD = 65,         /* bytes of a word with its NUL; longer ones are left out */
    RECORD_WORD_BYTES = 2048, /* room for all words of one threat */
    RECORD_JOB = 65,
    RECORD_HISTORY_MAX = 512 * 1024 /* bytes of one threat's triage history */
};

struct store_record {
    char *json;                          /* canonical text without the members that the store itself writes */
    uint64_t digest;                     /* of json: tells whether a repeated revision is the same */
    uint8_t source[16], destination[16]; /* IPv4 as ::ffff:a.b.c.d */
    bool simulated;
    char job[RECORD_JOB]; /* upload it came from, or "" */
    size_t word_count;
    const char *words[RECORD_WORDS]; /* lower case, each once; into word_bytes */
    char word_bytes[RECORD_WORD_BYTES];
    size_t word_used;
};

/* Everything that a store keeps beside the record itself. */
struct store_envelope {
    int64_t seq, received_ms;
    const char *suppressed_by; /* NULL: not suppressed */
    struct triage triage;
    const char *history; /* JSON array, or NULL for an empty one */
};

bool store_record_make(struct store_record *record, const struct threat *threat, struct err *err);
/* With the words of the sensor that the store keeps for it. Whoever hands an item in may do this on its own thread,
 * so that a commit, where everybody waits, has less to do. */
bool store_record_of(struct store_record *record, const struct store_item *item, struct err *err);
const char *store_record_sensor(const struct store_item *item);
void store_record_clear(struct store_record *record);

/* The words of a text that is no part of the record, such as a comment. */
void store_record_add_words(struct store_record *record, const char *text);

/* What the API gives out; the caller frees. NULL: memory is out. */
char *store_record_given(const char *json, const struct store_envelope *envelope);

/* A known threat as its newer revision leaves it: what identifies it stays, counts and explanation (details and extra
 * members) are the newer ones, severity and confidence never fall. The caller clears *merged. */
bool store_record_merge(struct threat *merged, const char *stored_json, const struct threat *newer, struct err *err);

/* Applies a change to *triage and appends what was done to the history (a JSON array or NULL). *added receives the
 * new array, the caller's to free. ERR_CONFLICT when the version is another, ERR_INVALID when the history is full. */
bool store_record_change(struct triage *triage, const char *history, const struct store_change *change, char **added,
                         struct err *err);

/* False when text is no address. */
bool store_record_address(const char *text, uint8_t out[16]);

#endif
