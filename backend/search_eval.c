/* search_eval.c: see search_eval.h. */
#include "backend/search_eval.h"

#include <string.h>
#include <strings.h>

struct subject {
    const struct threat *threat;
    const struct store_record *record;
};

/* The field as text; NULL: it is none. */
static const char *text_of(enum search_field field, const struct subject *s)
{
    switch (field) {
    case FIELD_TYPE:
        return s->threat->type;
    case FIELD_SEVERITY:
        return severity_text(s->threat->severity);
    case FIELD_STATUS:
        return "new";
    case FIELD_VERDICT:
    case FIELD_ASSIGNEE:
        return "";
    case FIELD_SOURCE:
        return s->threat->source_ip;
    case FIELD_DESTINATION:
        return s->threat->destination_ip;
    case FIELD_PROTOCOL:
        return s->threat->protocol;
    case FIELD_SENSOR:
        return s->threat->sensor;
    case FIELD_ID:
        return s->threat->id;
    case FIELD_JOB:
        return s->record->job;
    default:
        return NULL;
    }
}

static bool text_fits(const struct search *leaf, const struct subject *s, bool prefix)
{
    const char *text = text_of(leaf->field, s);

    if (leaf->field == FIELD_ADDRESS)
        return strcasecmp(s->threat->source_ip, leaf->text) == 0 ||
               strcasecmp(s->threat->destination_ip, leaf->text) == 0;
    if (text == NULL)
        return false;
    return prefix ? strncasecmp(text, leaf->text, strlen(leaf->text)) == 0 : strcasecmp(text, leaf->text) == 0;
}

static bool within(const struct search *leaf, double value)
{
    return (leaf->low_open ? value > leaf->low : value >= leaf->low) &&
           (leaf->high_open ? value < leaf->high : value <= leaf->high);
}

/* A port that was not given is -1 and fits no range. */
static bool port_fits(const struct search *leaf, int32_t port)
{
    return port >= 0 && within(leaf, port);
}

static bool number_fits(const struct search *leaf, const struct subject *s)
{
    switch (leaf->field) {
    case FIELD_PORT:
        return port_fits(leaf, s->threat->source_port) || port_fits(leaf, s->threat->destination_port);
    case FIELD_SOURCE_PORT:
        return port_fits(leaf, s->threat->source_port);
    case FIELD_DESTINATION_PORT:
        return port_fits(leaf, s->threat->destination_port);
    case FIELD_CONFIDENCE:
        return within(leaf, s->threat->confidence);
    case FIELD_SEVERITY:
        return within(leaf, (double)s->threat->severity);
    case FIELD_TIME:
        return within(leaf, (double)s->threat->timestamp_us);
    default:
        return false;
    }
}

static bool network_fits(const struct search *leaf, const struct subject *s)
{
    const uint8_t *ends[2] = {s->record->source, s->record->destination};
    bool asked[2] = {leaf->field != FIELD_DESTINATION, leaf->field != FIELD_SOURCE};

    for (int i = 0; i < 2; i++)
        if (asked[i] && memcmp(leaf->net_low, ends[i], 16) <= 0 && memcmp(ends[i], leaf->net_high, 16) <= 0)
            return true;
    return false;
}

/* The words are in lower case already. */
static bool word_fits(const struct search *leaf, const struct subject *s)
{
    size_t length = strlen(leaf->text);

    for (size_t i = 0; i < s->record->word_count; i++)
        if (leaf->prefix ? strncasecmp(s->record->words[i], leaf->text, length) == 0
                         : strcasecmp(s->record->words[i], leaf->text) == 0)
            return true;
    return false;
}

static bool fits(const struct search *search, const struct subject *s)
{
    bool result = search->kind == SEARCH_AND;

    switch (search->kind) {
    case SEARCH_ALL:
        return true;
    case SEARCH_AND:
    case SEARCH_OR:
        for (size_t i = 0; i < search->count; i++)
            if (fits(search->children[i], s) != result)
                return !result;
        return result;
    case SEARCH_NOT:
        return search->count == 0 || !fits(search->children[0], s);
    case SEARCH_TEXT:
        return text_fits(search, s, false);
    case SEARCH_PREFIX:
        return text_fits(search, s, true);
    case SEARCH_NUMBER:
        return number_fits(search, s);
    case SEARCH_NETWORK:
        return network_fits(search, s);
    case SEARCH_WORD:
        return word_fits(search, s);
    case SEARCH_FLAG:
        return search->field == FIELD_SIMULATED && s->record->simulated;
    }
    return false;
}

bool search_fits(const struct search *search, const struct threat *threat, const struct store_record *record)
{
    struct subject subject = {.threat = threat, .record = record};

    return fits(search, &subject);
}
