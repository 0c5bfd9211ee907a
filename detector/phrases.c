/* phrases.c: see phrases.h. */
#include "detector/phrases.h"

#include <assert.h>
#include <stdbool.h>

void phrases_order(struct phrases *set, const struct phrase *list, size_t count)
{
    assert(count <= PHRASES_MAX);
    set->list = list;
    set->count = count;
    for (size_t i = count; i > 0; i--) {
        unsigned start = 0;

        assert(list[i - 1].length >= PHRASE_MIN && list[i - 1].kind > 0);
        for (size_t k = 0; k < PHRASE_MIN; k++)
            start = phrases_start(start, (uint8_t)list[i - 1].text[k]);
        set->next[i] = set->first[start];
        set->first[start] = (uint16_t)i;
    }
}

static uint8_t small(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool is_here(const struct phrase *phrase, const uint8_t *at, size_t left)
{
    if (phrase->length > left)
        return false;
    for (size_t i = 0; i < phrase->length; i++) {
        if (small(at[i]) != small((uint8_t)phrase->text[i]))
            return false;
    }
    return true;
}

/* The best place in the list, below the one given, of a phrase that begins here. */
static size_t best_here(const struct phrases *set, const uint8_t *at, size_t left, unsigned start, size_t best)
{
    for (size_t i = set->first[start]; i != 0 && i < best; i = set->next[i]) {
        if (is_here(&set->list[i - 1], at, left))
            return i;
    }
    return best;
}

int phrases_find(const struct phrases *set, const void *text, size_t length)
{
    const uint8_t *bytes = text;
    size_t best = set->count + 1;
    unsigned start = 0;

    for (size_t i = 0; i < length; i++) {
        start = phrases_start(start, bytes[i]);
        if (set->first[start] != 0 && i + 1 >= PHRASE_MIN)
            best = best_here(set, bytes + i + 1 - PHRASE_MIN, length - i - 1 + PHRASE_MIN, start, best);
    }
    return best <= set->count ? set->list[best - 1].kind : 0;
}

int phrases_here(const struct phrases *set, const uint8_t *text, size_t length, unsigned start)
{
    size_t best = best_here(set, text, length, start, set->count + 1);

    return best <= set->count ? set->list[best - 1].kind : 0;
}
