/* search.c: reads the query language into a tree.
 *
 *   query  = all { "OR" all }
 *   all    = item { [ "AND" ] item }
 *   item   = ( "-" | "NOT" ) item | "(" query ")" | [ field ":" ] value
 *   value  = '"' text '"' | text without blanks and parentheses, "*" at its end for "begins with"
 */
#include "backend/search.h"

#include "backend/search_value.h"
#include "common/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct search *search_node(enum search_kind kind)
{
    struct search *s = calloc(1, sizeof *s);

    if (s != NULL) {
        s->kind = kind;
        s->low = -INFINITY;
        s->high = INFINITY;
    }
    return s;
}

void search_free(struct search *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        search_free(s->children[i]);
    free(s->children);
    free(s->text);
    free(s);
}

struct search *search_all(void)
{
    return search_node(SEARCH_ALL);
}

/* Takes child, also when it fails. */
static bool add_child(struct search *parent, struct search *child)
{
    struct search **children;

    if (child == NULL)
        return false;
    children = realloc(parent->children, (parent->count + 1) * sizeof *children);
    if (children == NULL) {
        search_free(child);
        return false;
    }
    parent->children = children;
    children[parent->count++] = child;
    return true;
}

static struct search *join(enum search_kind kind, struct search *a, struct search *b)
{
    struct search *s = a != NULL && b != NULL ? search_node(kind) : NULL;

    if (s == NULL) {
        search_free(a);
        search_free(b);
        return NULL;
    }
    if (!add_child(s, a)) {
        search_free(b);
        search_free(s);
        return NULL;
    }
    if (!add_child(s, b)) {
        search_free(s);
        return NULL;
    }
    return s;
}

/* The same, but what is such a list already grows: trees stay as flat as the query. */
struct search *search_extend(enum search_kind kind, struct search *a, struct search *b)
{
    if (a == NULL || b == NULL || a->kind != kind)
        return join(kind, a, b);
    if (add_child(a, b))
        return a;
    search_free(a);
    return NULL;
}

struct search *search_and(struct search *a, struct search *b)
{
    if (a != NULL && b != NULL && a->kind == SEARCH_ALL) {
        search_free(a);
        return b;
    }
    if (a != NULL && b != NULL && b->kind == SEARCH_ALL) {
        search_free(b);
        return a;
    }
    return search_extend(SEARCH_AND, a, b);
}

struct search *search_no_memory(struct parser *p)
{
    err_set(p->err, ERR_MEMORY, "out of memory");
    return NULL;
}

struct search *search_expected(struct parser *p, const char *name, const char *what)
{
    p->at = p->mark;
    err_set(p->err, ERR_INVALID, "%s: expected %s", name, what);
    return NULL;
}

static void skip_blanks(struct parser *p)
{
    while (p->text[p->at] == ' ' || p->text[p->at] == '\t')
        p->at++;
}

static bool at_keyword(const struct parser *p, const char *word)
{
    size_t n = strlen(word);

    return strncmp(p->text + p->at, word, n) == 0 && strchr(" \t(", p->text[p->at + n]) != NULL;
}

static bool ends_value(char c)
{
    return c == '\0' || strchr(" \t()\"", c) != NULL;
}

/* Reads a value into out (as long as the query may be); a backslash keeps the next byte of a quoted one. */
static bool read_value(struct parser *p, char *out, bool *starred, bool *quoted)
{
    size_t n = 0;

    *starred = false;
    *quoted = p->text[p->at] == '"';
    if (*quoted) {
        for (p->at++; p->text[p->at] != '"'; p->at++) {
            if (p->text[p->at] == '\\' && p->text[p->at + 1] != '\0')
                p->at++;
            if (p->text[p->at] == '\0')
                return false;
            out[n++] = p->text[p->at];
        }
        p->at++;
    } else {
        while (!ends_value(p->text[p->at]))
            out[n++] = p->text[p->at++];
    }
    if (p->text[p->at] == '*' && *quoted) {
        p->at++;
        *starred = true;
    } else if (!*quoted && n > 0 && out[n - 1] == '*') {
        n--;
        *starred = true;
    }
    out[n] = '\0';
    return true;
}

/* The field that stands at p->at with its colon, or NULL; an unknown one before a colon is a word: IPv6 has colons
 * too. */
static const struct field *read_field(struct parser *p)
{
    size_t n = strspn(p->text + p->at, "abcdefghijklmnopqrstuvwxyz_");
    const struct field *field = p->text[p->at + n] == ':' ? search_field(p->text + p->at, n) : NULL;

    if (field != NULL)
        p->at += n + 1;
    return field;
}

static bool names_unknown_field(const char *value)
{
    size_t n = strspn(value, "abcdefghijklmnopqrstuvwxyz_");

    /* "fe80::1" and "abcd:1" may be addresses; a name with other letters can only be meant as a field. */
    return n > 0 && value[n] == ':' && strcspn(value, "ghijklmnopqrstuvwxyz_") < n;
}

static struct search *read_term(struct parser *p)
{
    const struct field *field;
    struct search *s = NULL;
    char *value = malloc(strlen(p->text + p->at) + 1);
    bool starred, quoted;

    if (value == NULL)
        return search_no_memory(p);
    p->mark = p->at;
    field = read_field(p);
    if (++p->terms > SEARCH_TERMS) {
        search_expected(p, "query", "at most 64 terms");
        goto done;
    }
    if (field != NULL)
        p->mark = p->at;
    if (!read_value(p, value, &starred, &quoted))
        search_expected(p, "query", "a closing quote");
    else if (field != NULL)
        s = search_field_value(p, field, value, starred);
    else if (!quoted && names_unknown_field(value))
        search_expected(p, "query", "a known field before the colon (put the text in quotes to search for it)");
    else
        s = search_word_value(p, value, starred, quoted);
done:
    free(value);
    return s;
}

static struct search *read_any(struct parser *p);

static struct search *read_not(struct parser *p)
{
    struct search *child, *s;

    p->at += p->text[p->at] == '-' ? 1 : 3;
    skip_blanks(p);
    p->mark = p->at;
    if (p->text[p->at] == '\0' || p->text[p->at] == ')')
        return search_expected(p, "query", "something to leave out");
    child = read_any(p);
    s = child != NULL ? search_node(SEARCH_NOT) : NULL;
    if (s == NULL) {
        search_free(child);
        return child != NULL ? search_no_memory(p) : NULL;
    }
    if (add_child(s, child))
        return s;
    search_free(s);
    return search_no_memory(p);
}

static struct search *read_or(struct parser *p);

static struct search *read_group(struct parser *p)
{
    size_t open = p->at++;
    struct search *s = read_or(p);

    if (s == NULL)
        return NULL;
    skip_blanks(p);
    if (p->text[p->at] == ')') {
        p->at++;
        return s;
    }
    search_free(s);
    p->mark = open;
    return search_expected(p, "query", "a closing parenthesis for this one");
}

/* One item, whatever it is; the depth of groups and of "not" is bounded, for the stack's sake. */
static struct search *read_any(struct parser *p)
{
    struct search *s;

    p->mark = p->at;
    if (p->depth == SEARCH_DEPTH)
        return search_expected(p, "query", "at most 16 levels");
    p->depth++;
    if (p->text[p->at] == '(')
        s = read_group(p);
    else if (p->text[p->at] == '-' || at_keyword(p, "NOT"))
        s = read_not(p);
    else
        s = read_term(p);
    p->depth--;
    return s;
}

static struct search *read_and(struct parser *p)
{
    struct search *s = NULL, *one;

    for (;;) {
        skip_blanks(p);
        p->mark = p->at;
        if (s != NULL && at_keyword(p, "AND")) {
            p->at += 3;
            skip_blanks(p);
            p->mark = p->at;
        } else if (s != NULL && (p->text[p->at] == '\0' || p->text[p->at] == ')' || at_keyword(p, "OR"))) {
            return s;
        }
        if (p->text[p->at] == '\0' || p->text[p->at] == ')' || at_keyword(p, "OR") || at_keyword(p, "AND")) {
            search_free(s);
            return search_expected(p, "query", "a word or field:value");
        }
        one = read_any(p);
        if (one == NULL) {
            search_free(s);
            return NULL;
        }
        if (s == NULL)
            s = one;
        else if ((s = search_extend(SEARCH_AND, s, one)) == NULL)
            return search_no_memory(p);
    }
}

static struct search *read_or(struct parser *p)
{
    struct search *s = read_and(p), *next;

    while (s != NULL) {
        skip_blanks(p);
        if (!at_keyword(p, "OR"))
            return s;
        p->at += 2;
        next = read_and(p);
        if (next == NULL) {
            search_free(s);
            return NULL;
        }
        s = search_extend(SEARCH_OR, s, next);
        if (s == NULL)
            return search_no_memory(p);
    }
    return NULL;
}

static bool is_clean(struct parser *p)
{
    size_t length = strnlen(p->text, SEARCH_BYTES + 1);

    if (length > SEARCH_BYTES) {
        search_expected(p, "query", "at most 2048 bytes");
        return false;
    }
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)p->text[i] < 0x20 && p->text[i] != '\t') || p->text[i] == 0x7f) {
            p->mark = i;
            search_expected(p, "query", "no control characters");
            return false;
        }
    if (!utf8_valid(p->text, length)) {
        search_expected(p, "query", "UTF-8 text");
        return false;
    }
    return true;
}

struct search *search_parse(const char *query, size_t *at, struct err *err)
{
    struct parser p = {.text = query, .err = err};
    struct search *s = NULL;

    if (is_clean(&p)) {
        skip_blanks(&p);
        s = query[p.at] == '\0' ? search_all() : read_or(&p);
    }
    if (s != NULL && query[p.at] != '\0') { /* only a parenthesis too many stops a query early */
        search_free(s);
        s = NULL;
        p.mark = p.at;
        search_expected(&p, "query", "no parenthesis here");
    }
    if (at != NULL)
        *at = s == NULL ? p.at : 0;
    return s;
}

static struct search *bound_term(struct parser *p, const char *name, const char *value)
{
    struct search *s = search_node(SEARCH_NUMBER);
    bool from = name[0] == 'f';

    if (s == NULL)
        return search_no_memory(p);
    s->field = FIELD_TIME;
    s->high_open = !from;
    if (search_time(value, from ? &s->low : &s->high))
        return s;
    search_free(s);
    return search_expected(p, name, "a day or time such as 2026-11-23T10:00:00Z");
}

static struct search *list_term(struct parser *p, const struct field *field, char *list)
{
    struct search *any = NULL, *one;
    char *rest = list;

    for (char *value = strsep(&rest, ","); value != NULL; value = strsep(&rest, ",")) {
        size_t n = strlen(value);
        bool starred = n > 0 && value[n - 1] == '*';

        if (starred)
            value[n - 1] = '\0';
        one = ++p->terms > SEARCH_TERMS ? search_expected(p, field->name, "at most 64 values")
                                        : search_field_value(p, field, value, starred);
        if (one == NULL) {
            search_free(any);
            return NULL;
        }
        any = any != NULL ? search_extend(SEARCH_OR, any, one) : one;
        if (any == NULL)
            return search_no_memory(p);
    }
    return any;
}

struct search *search_term(const char *name, const char *value, struct err *err)
{
    struct parser p = {.text = value, .err = err};
    const struct field *field;
    struct search *s;
    char *copy;

    if (!is_clean(&p)) {
        err_prefix(err, "%s", name);
        return NULL;
    }
    if (strcmp(name, "from") == 0 || strcmp(name, "to") == 0)
        return bound_term(&p, name, value);
    field = search_field(name, strlen(name));
    if (field == NULL) {
        err_set(err, ERR_INVALID, "%s: no such field", name);
        return NULL;
    }
    copy = strdup(value);
    s = copy != NULL ? list_term(&p, field, copy) : search_no_memory(&p);
    free(copy);
    return s;
}
