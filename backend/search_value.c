/* search_value.c: the values that each field of the query language takes, as conditions. */
#include "backend/search_value.h"

#include "common/clock.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct field fields[] = {
    {"type", FIELD_TYPE, VALUE_TEXT, NULL},
    {"severity", FIELD_SEVERITY, VALUE_SEVERITY, "low medium high critical"},
    {"status", FIELD_STATUS, VALUE_CHOICE, "new acknowledged escalated closed"},
    {"verdict", FIELD_VERDICT, VALUE_CHOICE, "true_positive false_positive none"},
    {"source", FIELD_SOURCE, VALUE_ADDRESS, NULL},
    {"destination", FIELD_DESTINATION, VALUE_ADDRESS, NULL},
    {"address", FIELD_ADDRESS, VALUE_ADDRESS, NULL},
    {"ip", FIELD_ADDRESS, VALUE_ADDRESS, NULL},
    {"port", FIELD_PORT, VALUE_PORT, NULL},
    {"source_port", FIELD_SOURCE_PORT, VALUE_PORT, NULL},
    {"destination_port", FIELD_DESTINATION_PORT, VALUE_PORT, NULL},
    {"protocol", FIELD_PROTOCOL, VALUE_TEXT, NULL},
    {"sensor", FIELD_SENSOR, VALUE_TEXT, NULL},
    {"assignee", FIELD_ASSIGNEE, VALUE_TEXT, NULL},
    {"confidence", FIELD_CONFIDENCE, VALUE_REAL, NULL},
    {"id", FIELD_ID, VALUE_TEXT, NULL},
    {"time", FIELD_TIME, VALUE_TIME, NULL},
    {"job", FIELD_JOB, VALUE_TEXT, NULL},
    {"is", FIELD_NONE, VALUE_FLAG, "suppressed simulated commented"},
};

const struct field *search_field(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].name) == size && memcmp(fields[i].name, name, size) == 0)
            return &fields[i];
    return NULL;
}

static struct search *text_node(struct parser *p, enum search_kind kind, enum search_field field, const char *text)
{
    struct search *s = search_node(kind);

    if (s == NULL || (s->text = strdup(text)) == NULL) {
        search_free(s);
        return search_no_memory(p);
    }
    s->field = field;
    return s;
}

static bool is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; n > 0 && (p = strstr(p, word)) != NULL; p++)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static struct search *choice_value(struct parser *p, const struct field *field, const char *value)
{
    char expects[128];

    if (!is_listed(field->expected, value)) {
        snprintf(expects, sizeof expects, "one of %s", field->expected);
        return search_expected(p, field->name, expects);
    }
    return text_node(p, SEARCH_TEXT, field->field, strcmp(value, "none") == 0 ? "" : value);
}

/* "severity:>=high" is any of the severities from there on. */
static struct search *severity_value(struct parser *p, const struct field *field, const char *value)
{
    static const char *const order[] = {"low", "medium", "high", "critical"};
    size_t signs = strspn(value, "<>=");
    const char *name = value + signs;
    struct search *any = NULL;
    size_t at = 0;

    if (signs == 0)
        return choice_value(p, field, value);
    if (signs > 2 || !is_listed(field->expected, name))
        return search_expected(p, field->name, "one of low medium high critical, or a comparison such as >=high");
    while (strcmp(order[at], name) != 0)
        at++;
    for (size_t i = 0; i < 4; i++) {
        bool fits =
            (value[0] == '>' && i > at) || (value[0] == '<' && i < at) || (value[signs - 1] == '=' && i == at);
        struct search *one = fits ? text_node(p, SEARCH_TEXT, FIELD_SEVERITY, order[i]) : NULL;

        if (fits && one == NULL) {
            search_free(any);
            return NULL;
        }
        if (fits && (any = any != NULL ? search_extend(SEARCH_OR, any, one) : one) == NULL)
            return search_no_memory(p);
    }
    return any != NULL ? any : search_expected(p, field->name, "a comparison that something can fit");
}

static bool read_real(const char *text, double *out)
{
    char *end = NULL;

    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out) && strpbrk(text, "xXpPnN") == NULL;
}

bool search_time(const char *text, double *out)
{
    int64_t us;
    char day[40];

    if (clock_parse_us(text, &us)) {
        *out = (double)us;
        return true;
    }
    if (strlen(text) != 10)
        return false;
    snprintf(day, sizeof day, "%sT00:00:00Z", text);
    if (!clock_parse_us(day, &us))
        return false;
    *out = (double)us;
    return true;
}

struct numbers {
    bool (*read)(const char *text, double *out);
    const char *between; /* what separates the ends of a range */
    double min, max;
    const char *what;
};

static bool read_within(const struct numbers *kind, const char *text, double *out)
{
    return kind->read(text, out) && *out >= kind->min && *out <= kind->max;
}

/* ">5", "<=5", "5-9", "5". */
static bool read_range(const struct numbers *kind, char *value, struct search *s)
{
    char *between = strstr(value, kind->between);

    if (value[0] == '>' || value[0] == '<') {
        bool closed = value[1] == '=';
        double *end = value[0] == '>' ? &s->low : &s->high;

        *(value[0] == '>' ? &s->low_open : &s->high_open) = !closed;
        return read_within(kind, value + 1 + closed, end);
    }
    if (between != NULL && between != value) {
        *between = '\0';
        return read_within(kind, value, &s->low) && read_within(kind, between + strlen(kind->between), &s->high) &&
               s->low <= s->high;
    }
    if (!read_within(kind, value, &s->low))
        return false;
    s->high = s->low;
    if (kind->read == search_time && strlen(value) == 10) { /* a day is all of it */
        s->high += 86400e6;
        s->high_open = true;
    }
    return true;
}

static bool read_port(const char *text, double *out)
{
    return strlen(text) <= 5 && strspn(text, "0123456789") == strlen(text) && read_real(text, out);
}

static const struct numbers ports = {read_port, "-", 0, 65535,
                                     "a port from 0 to 65535, a range such as 1000-2000, or >1023"};
static const struct numbers reals = {read_real, "-", 0, 1, "a number from 0 to 1, a range such as 0.5-0.8, or >0.8"};
static const struct numbers times = {
    search_time, "..", -1e17, 1e18, "a day or time such as 2026-11-23 or >=2026-11-23T10:00:00Z, or a range with .."};

static struct search *number_value(struct parser *p, const struct field *field, const struct numbers *kind,
                                   char *value)
{
    struct search *s = search_node(SEARCH_NUMBER);

    if (s == NULL)
        return search_no_memory(p);
    s->field = field->field;
    if (read_range(kind, value, s))
        return s;
    search_free(s);
    return search_expected(p, field->name, kind->what);
}

static bool read_address(const char *text, uint8_t out[16], int *bits)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    *bits = 128;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memcpy(out, mapped, sizeof mapped);
    *bits = 32;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

static void spread(struct search *s, int fixed_bits)
{
    memcpy(s->net_high, s->net_low, 16);
    for (int bit = fixed_bits; bit < 128; bit++) {
        s->net_low[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
        s->net_high[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
}

/* "10.1.*": whole numbers between dots, then the star (already cut off). */
static bool read_octets(const char *text, struct search *s)
{
    char whole[40];
    int dots = 0, bits;

    for (const char *c = text; *c != '\0'; c++)
        dots += *c == '.';
    if (dots < 1 || dots > 3 || text[strlen(text) - 1] != '.' || strlen(text) > 12)
        return false;
    snprintf(whole, sizeof whole, "%s%s", text, dots == 3 ? "0" : dots == 2 ? "0.0" : "0.0.0");
    if (!read_address(whole, s->net_low, &bits) || bits != 32)
        return false;
    spread(s, 96 + 8 * dots);
    return true;
}

static bool read_network(char *value, bool starred, struct search *s)
{
    char *slash = strchr(value, '/');
    double prefix = 0;
    int bits;

    if (starred)
        return read_octets(value, s);
    if (slash != NULL)
        *slash = '\0';
    if (!read_address(value, s->net_low, &bits))
        return false;
    if (slash == NULL) {
        memcpy(s->net_high, s->net_low, 16);
        return true;
    }
    if (!read_port(slash + 1, &prefix) || prefix > bits)
        return false;
    spread(s, 128 - bits + (int)prefix);
    return true;
}

static struct search *address_value(struct parser *p, const struct field *field, char *value, bool starred)
{
    struct search *s = search_node(SEARCH_NETWORK);

    if (s == NULL)
        return search_no_memory(p);
    s->field = field->field;
    if (read_network(value, starred, s))
        return s;
    search_free(s);
    return search_expected(p, field->name, "an address, a network such as 10.0.0.0/8, or 10.1.*");
}

static struct search *flag_value(struct parser *p, const struct field *field, const char *value)
{
    struct search *s;

    if (!is_listed(field->expected, value))
        return search_expected(p, field->name, "one of suppressed simulated commented");
    s = search_node(SEARCH_FLAG);
    if (s == NULL)
        return search_no_memory(p);
    s->field = value[1] == 'u' ? FIELD_SUPPRESSED : value[1] == 'i' ? FIELD_SIMULATED : FIELD_COMMENTED;
    return s;
}

static struct search *plain_value(struct parser *p, const struct field *field, char *value, bool starred)
{
    if (field->field == FIELD_TYPE)
        for (char *c = value; *c != '\0'; c++)
            *c = (char)tolower((unsigned char)*c);
    if (field->field == FIELD_PROTOCOL)
        for (char *c = value; *c != '\0'; c++)
            *c = (char)toupper((unsigned char)*c);
    if (field->field == FIELD_ASSIGNEE && strcmp(value, "none") == 0)
        value[0] = '\0';
    else if (value[0] == '\0')
        return search_expected(p, field->name, "a text");
    return text_node(p, starred ? SEARCH_PREFIX : SEARCH_TEXT, field->field, value);
}

struct search *search_field_value(struct parser *p, const struct field *field, char *value, bool starred)
{
    if (starred && field->kind != VALUE_TEXT && field->kind != VALUE_ADDRESS)
        return search_expected(p, field->name, "no * at the end");
    switch (field->kind) {
    case VALUE_CHOICE:
        return choice_value(p, field, value);
    case VALUE_SEVERITY:
        return severity_value(p, field, value);
    case VALUE_PORT:
        return number_value(p, field, &ports, value);
    case VALUE_REAL:
        return number_value(p, field, &reals, value);
    case VALUE_TIME:
        return number_value(p, field, &times, value);
    case VALUE_ADDRESS:
        return address_value(p, field, value, starred);
    case VALUE_FLAG:
        return flag_value(p, field, value);
    case VALUE_TEXT:
        break;
    }
    return plain_value(p, field, value, starred);
}

/* --- words --- */

struct phrase {
    struct parser *parser;
    struct search *all; /* of the words so far */
    bool failed;
};

static void add_word(void *context, const char *word)
{
    struct phrase *phrase = context;
    struct search *one = phrase->failed ? NULL : text_node(phrase->parser, SEARCH_WORD, FIELD_NONE, word);

    if (one == NULL || ++phrase->parser->terms > SEARCH_TERMS) {
        search_free(one);
        phrase->failed = true;
        return;
    }
    phrase->all = phrase->all != NULL ? search_extend(SEARCH_AND, phrase->all, one) : one;
    phrase->failed = phrase->all == NULL;
}

static bool is_id(const char *text)
{
    size_t n = strlen(text);

    return n >= 4 && n <= 128 &&
           strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._:-") == n;
}

/* Takes both; a missing second one is fine. */
static struct search *or_also(struct parser *p, struct search *a, struct search *b)
{
    if (a == NULL || b == NULL)
        return a != NULL ? a : b;
    a = search_extend(SEARCH_OR, a, b);
    return a != NULL ? a : search_no_memory(p);
}

/* A word stands in a text of the record, or is an address, a port or an id of it. */
struct search *search_word_value(struct parser *p, char *value, bool starred, bool quoted)
{
    static const struct field address = {"word", FIELD_ADDRESS, VALUE_ADDRESS, NULL};
    struct phrase phrase = {.parser = p};
    struct search *s, *network;
    char copy[64];
    double port;

    search_split(value, false, add_word, &phrase);
    s = phrase.all;
    if (phrase.failed) {
        search_free(s);
        return p->terms > SEARCH_TERMS ? search_expected(p, "query", "at most 64 terms") : search_no_memory(p);
    }
    if (s != NULL && starred)
        (s->kind == SEARCH_AND ? s->children[s->count - 1] : s)->prefix = true;
    if (!quoted && strlen(value) < sizeof copy && (network = search_node(SEARCH_NETWORK)) != NULL) {
        memcpy(copy, value, strlen(value) + 1);
        network->field = address.field;
        if (read_network(copy, starred, network))
            s = or_also(p, s, network);
        else
            search_free(network);
    }
    if (!quoted && !starred && read_port(value, &port) && port <= 65535 &&
        (network = search_node(SEARCH_NUMBER)) != NULL) {
        network->field = FIELD_PORT;
        network->low = network->high = port;
        s = or_also(p, s, network);
    }
    if (!quoted && is_id(value))
        s = or_also(p, s, text_node(p, starred ? SEARCH_PREFIX : SEARCH_TEXT, FIELD_ID, value));
    return s != NULL ? s : search_expected(p, "query", "a word of 2 to 64 letters or digits");
}
