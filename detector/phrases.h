/* phrases.h: many fixed texts looked for at once.
 *
 * A set is ordered by how its phrases begin, so that a text is passed once and stops only where three bytes begin a
 * phrase: the number of phrases hardly matters. Letters are compared without case. The sets of this room are ordered
 * before main begins and never change: any thread may ask. */
#ifndef DETECTOR_PHRASES_H
#define DETECTOR_PHRASES_H

#include <stddef.h>
#include <stdint.h>

struct phrase {
    const char *text;
    uint16_t length; /* at least PHRASE_MIN; texts may hold zeroes */
    uint16_t kind;   /* the owner's, above 0 */
};
/* A row of a list: text, kind. */
#define PHRASE(text, kind)                                                                                           \
    {                                                                                                                \
        text, sizeof(text) - 1, kind                                                                                 \
    }

enum { PHRASE_MIN = 3, PHRASES_MAX = 384, PHRASES_STARTS = 4096 };
struct phrases {
    const struct phrase *list;
    size_t count;
    uint16_t first[PHRASES_STARTS], next[PHRASES_MAX + 1]; /* places in the list, from 1; 0: none */
};

void phrases_order(struct phrases *set, const struct phrase *list, size_t count);
#define PHRASES_ORDER(set, list) phrases_order(set, list, sizeof(list) / sizeof(list)[0])
/* The kind of the first phrase of the list that stands anywhere in the text; 0: none does. */
int phrases_find(const struct phrases *set, const void *text, size_t length);

/* One byte more of a start, of which only the last three count. Bit 5 is all that tells a capital from a small
 * letter; what else is mixed up the comparison tells apart. */
static inline unsigned phrases_start(unsigned start, uint8_t byte)
{
    return (start << 4 ^ (byte | 0x20)) % PHRASES_STARTS;
}

int phrases_here(const struct phrases *set, const uint8_t *text, size_t length, unsigned start);
/* The kind of the first phrase of the list with which the text begins; 0: it begins with none. */
static inline int phrases_at(const struct phrases *set, const void *text, size_t length)
{
    const uint8_t *bytes = text;
    unsigned start;

    if (length < PHRASE_MIN)
        return 0;
    start = phrases_start(phrases_start(phrases_start(0, bytes[0]), bytes[1]), bytes[2]);
    return set->first[start] == 0 ? 0 : phrases_here(set, bytes, length, start);
}

#endif
