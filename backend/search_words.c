/* search_words.c: what counts as a word, for texts that come in and for queries alike. */
#include "backend/search.h"

#include <ctype.h>
#include <string.h>

static bool is_joint(unsigned char c)
{
    return c != '\0' && strchr("_.:/-", c) != NULL;
}

static bool is_word_byte(unsigned char c)
{
    return isalnum(c) || c >= 0x80 || is_joint(c);
}

/* "port_scan" is "port" and "scan"; an address or a number has no parts. */
static void split_parts(const char *word, void (*take)(void *, const char *), void *context)
{
    char part[SEARCH_WORD_MAX];

    if (strpbrk(word, "_.:/-") == NULL || strpbrk(word, "ghijklmnopqrstuvwxyz") == NULL)
        return;
    for (const char *p = word; *p != '\0';) {
        size_t n = strcspn(p, "_.:/-");

        if (n >= 2) {
            memcpy(part, p, n);
            part[n] = '\0';
            take(context, part);
        }
        p += n;
        p += strspn(p, "_.:/-");
    }
}

void search_split(const char *text, bool parts, void (*take)(void *context, const char *word), void *context)
{
    char word[SEARCH_WORD_MAX];
    size_t n, kept;

    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p += n) {
        while (*p != '\0' && (!is_word_byte(*p) || is_joint(*p)))
            p++;
        for (n = 0; is_word_byte(p[n]); n++)
            if (n < sizeof word - 1)
                word[n] = p[n] < 0x80 ? (char)tolower(p[n]) : (char)p[n];
        kept = n;
        while (kept > 0 && is_joint(p[kept - 1]))
            kept--; /* "scan." at the end of a sentence is "scan" */
        if (kept < 2 || kept >= sizeof word)
            continue;
        word[kept] = '\0';
        take(context, word);
        if (parts)
            split_parts(word, take, context);
    }
}
