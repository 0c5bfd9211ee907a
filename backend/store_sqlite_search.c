/* store_sqlite_search.c: leaves and trees of a search as SQL. Nothing a user wrote becomes part of the text. */
#include "backend/store_sqlite_search.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The eras of all threats, the newest first. */
static const char eras[] = "(WITH RECURSIVE era (n) AS (SELECT " SQL_ERA_OF(
    "max(seq)") " FROM threat UNION ALL SELECT n - 1 FROM era"
                " WHERE n > (SELECT " SQL_ERA_OF("min(seq)") " FROM threat)) SELECT n FROM era) AS era";

/* Where each field lives. either: the second column of "either end". */
struct column {
    const char *name, *index, *either, *either_index; /* index NULL: found by its words */
    const char *partial; /* the index's own condition, said again so that it may be used */
    bool by_era;         /* the index begins with the era */
};

static const struct column columns[] = {
    [FIELD_TYPE] = {"type", NULL, NULL, NULL, ""},
    [FIELD_SEVERITY] = {"severity", NULL, NULL, NULL, ""},
    [FIELD_STATUS] = {"status", "threat_status", NULL, NULL, ""},
    [FIELD_VERDICT] = {"verdict", "threat_verdict", NULL, NULL, " AND verdict <> ''"},
    [FIELD_SOURCE] = {"source", "threat_source", NULL, NULL, "", true},
    [FIELD_DESTINATION] = {"destination", "threat_destination", NULL, NULL, "", true},
    [FIELD_ADDRESS] = {"source", "threat_source", "destination", "threat_destination", "", true},
    [FIELD_PORT] = {"source_port", "threat_source_port", "destination_port", "threat_destination_port", "", true},
    [FIELD_SOURCE_PORT] = {"source_port", "threat_source_port", NULL, NULL, "", true},
    [FIELD_DESTINATION_PORT] = {"destination_port", "threat_destination_port", NULL, NULL, "", true},
    [FIELD_PROTOCOL] = {"protocol", NULL, NULL, NULL, ""},
    [FIELD_SENSOR] = {"sensor", NULL, NULL, NULL, ""},
    [FIELD_ASSIGNEE] = {"assignee", "threat_assignee", NULL, NULL, " AND assignee <> ''"},
    [FIELD_CONFIDENCE] = {"confidence", "threat_confidence", NULL, NULL, "", true},
    [FIELD_ID] = {"threat_id", "threat_id", NULL, NULL, ""},
    [FIELD_TIME] = {"timestamp_us", "threat_timestamp", NULL, NULL, ""},
    [FIELD_SUPPRESSED] = {"suppressed_by", "threat_suppressed", NULL, NULL, ""},
    [FIELD_SIMULATED] = {"simulated", "threat_simulated", NULL, NULL, ""},
    [FIELD_COMMENTED] = {"commented", "threat_commented", NULL, NULL, ""},
    [FIELD_JOB] = {"job", "threat_job", NULL, NULL, ""},
};

void sql_add(struct sql *sql, const char *text)
{
    text_add(&sql->text, text, strlen(text));
}

static struct sql_value *add_value(struct sql *sql)
{
    static struct sql_value nowhere;

    sql_add(sql, "?");
    if (sql->count == SQL_VALUES) {
        sql->failed = true;
        return &nowhere;
    }
    return &sql->values[sql->count++];
}

void sql_integer(struct sql *sql, int64_t value)
{
    struct sql_value *v = add_value(sql);

    if (!sql->failed)
        *v = (struct sql_value){.kind = SQL_INTEGER, .integer = value};
}

static void sql_real(struct sql *sql, double value)
{
    struct sql_value *v = add_value(sql);

    if (!sql->failed)
        *v = (struct sql_value){.kind = SQL_REAL, .real = value};
}

static void sql_blob(struct sql *sql, const uint8_t *value)
{
    struct sql_value *v = add_value(sql);

    if (!sql->failed)
        *v = (struct sql_value){.kind = SQL_BLOB16, .blob = value};
}

/* Takes text. */
static void sql_text(struct sql *sql, char *text)
{
    struct sql_value *v = add_value(sql);

    if (text == NULL || sql->failed) {
        free(text);
        sql->failed = true;
        return;
    }
    *v = (struct sql_value){.kind = SQL_TEXT, .text = text};
}

void sql_bounds(struct sql *sql, const char *name)
{
    static const int kinds[] = {SQL_ABOVE, SQL_BELOW};

    for (size_t i = 0; i < 2; i++) {
        struct sql_value *v;

        sql_add(sql, " AND ");
        sql_add(sql, name);
        sql_add(sql, i == 0 ? " > " : " < ");
        v = add_value(sql);
        if (!sql->failed)
            *v = (struct sql_value){.kind = kinds[i]};
    }
}

static void sql_era(struct sql *sql)
{
    struct sql_value *v = add_value(sql);

    sql->by_era = true;
    if (!sql->failed)
        *v = (struct sql_value){.kind = SQL_ERA};
}

void sql_bind_bounds(const struct sql *sql, sqlite3_stmt *statement, int64_t above, int64_t below)
{
    sqlite3_reset(statement);
    for (size_t i = 0; i < sql->count; i++) {
        int at = (int)i + 1;

        if (sql->values[i].kind == SQL_ABOVE)
            sqlite3_bind_int64(statement, at, above);
        else if (sql->values[i].kind == SQL_BELOW)
            sqlite3_bind_int64(statement, at, below);
        else if (sql->values[i].kind == SQL_ERA)
            sqlite3_bind_int64(statement, at, (below - 1) / ERA);
    }
}

void sql_clear(struct sql *sql)
{
    for (size_t i = 0; i < sql->count; i++)
        if (sql->values[i].kind == SQL_TEXT)
            free(sql->values[i].text);
    free(sql->text.bytes);
    memset(sql, 0, sizeof *sql);
}

sqlite3_stmt *sql_prepare(struct sql *sql, struct sqlite_connection *connection, struct err *err)
{
    sqlite3_stmt *statement = NULL;

    if (sql->failed || sql->text.failed) {
        err_set(err, ERR_INVALID, "the search is too long");
        return NULL;
    }
    if (sqlite3_prepare_v2(connection->db, sql->text.bytes, -1, &statement, NULL) != SQLITE_OK) {
        sqlite_failed(connection, "search", err);
        return NULL;
    }
    for (size_t i = 0; i < sql->count; i++) {
        const struct sql_value *v = &sql->values[i];

        switch (v->kind) {
        case SQL_INTEGER:
            sqlite3_bind_int64(statement, (int)i + 1, v->integer);
            break;
        case SQL_REAL:
            sqlite3_bind_double(statement, (int)i + 1, v->real);
            break;
        case SQL_TEXT:
            sqlite3_bind_text(statement, (int)i + 1, v->text, -1, SQLITE_TRANSIENT);
            break;
        case SQL_BLOB16:
            sqlite3_bind_blob(statement, (int)i + 1, v->blob, 16, SQLITE_STATIC);
            break;
        case SQL_ABOVE:
        case SQL_BELOW:
        case SQL_ERA:
            break;
        }
    }
    return statement;
}

static char *lowered(const char *text)
{
    char *copy = strdup(text);

    for (char *p = copy; p != NULL && *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

/* The first text above every text that begins with text; NULL when there is none. Takes text. */
static char *above(char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;

    while (n > 0 && (unsigned char)text[n - 1] == 0xff)
        n--;
    if (n == 0) {
        free(text);
        return NULL;
    }
    text[n - 1] = (char)((unsigned char)text[n - 1] + 1);
    text[n] = '\0';
    return text;
}

static bool is_exact(const struct search *s)
{
    if (s->kind == SEARCH_NETWORK)
        return memcmp(s->net_low, s->net_high, 16) == 0;
    return s->kind == SEARCH_NUMBER && s->low == s->high && !s->low_open && !s->high_open;
}

static void word_test(struct sql *sql, const struct search *s)
{
    if (!s->prefix) {
        sql_add(sql, "word = ");
        sql_text(sql, lowered(s->text));
        return;
    }
    sql_add(sql, "word >= ");
    sql_text(sql, lowered(s->text));
    sql_add(sql, " AND word < ");
    sql_text(sql, above(lowered(s->text)));
}

static void severity_test(struct sql *sql, const char *text)
{
    enum severity severity;

    sql_integer(sql, severity_from_text(text, &severity) ? (int64_t)severity : -1);
}

static void number_test(struct sql *sql, const char *plus, const char *name, const struct search *s)
{
    if (is_exact(s)) {
        sql_add(sql, plus);
        sql_add(sql, name);
        sql_add(sql, " = ");
        sql_real(sql, s->low);
        return;
    }
    sql_add(sql, plus);
    sql_add(sql, name);
    sql_add(sql, s->low_open ? " > " : " >= ");
    sql_real(sql, isinf(s->low) ? -1e300 : s->low);
    sql_add(sql, " AND ");
    sql_add(sql, plus);
    sql_add(sql, name);
    sql_add(sql, s->high_open ? " < " : " <= ");
    sql_real(sql, isinf(s->high) ? 1e300 : s->high);
}

static void network_test(struct sql *sql, const char *plus, const char *name, const struct search *s)
{
    sql_add(sql, plus);
    sql_add(sql, name);
    if (is_exact(s)) {
        sql_add(sql, " = ");
        sql_blob(sql, s->net_low);
        return;
    }
    sql_add(sql, " BETWEEN ");
    sql_blob(sql, s->net_low);
    sql_add(sql, " AND ");
    sql_blob(sql, s->net_high);
}

static void text_test(struct sql *sql, const char *plus, const char *name, const struct search *s)
{
    sql_add(sql, plus);
    sql_add(sql, name);
    if (s->kind == SEARCH_TEXT) {
        sql_add(sql, " = ");
        if (s->field == FIELD_SEVERITY)
            severity_test(sql, s->text);
        else
            sql_text(sql, strdup(s->text));
        return;
    }
    sql_add(sql, " >= ");
    sql_text(sql, strdup(s->text));
    sql_add(sql, " AND ");
    sql_add(sql, plus);
    sql_add(sql, name);
    sql_add(sql, " < ");
    sql_text(sql, above(strdup(s->text)));
}

static void column_test(struct sql *sql, const char *plus, const char *name, const struct search *s)
{
    switch (s->kind) {
    case SEARCH_TEXT:
    case SEARCH_PREFIX:
        text_test(sql, plus, name, s);
        break;
    case SEARCH_NUMBER:
        number_test(sql, plus, name, s);
        break;
    case SEARCH_NETWORK:
        network_test(sql, plus, name, s);
        break;
    default: /* SEARCH_FLAG */
        sql_add(sql, plus);
        sql_add(sql, name);
        sql_add(sql, s->field == FIELD_SUPPRESSED ? " IS NOT NULL" : " = 1");
    }
}

static void leaf_condition(struct sql *sql, const struct search *s)
{
    const struct column *c = &columns[s->field];

    sql_add(sql, "(");
    column_test(sql, "+threat.", c->name, s);
    if (c->either != NULL) {
        sql_add(sql, " OR ");
        column_test(sql, "+threat.", c->either, s);
    }
    /* A port or a job may be missing: NULL would spoil a NOT around it. */
    sql_add(sql, ") IS TRUE");
}

static void word_condition(struct sql *sql, const struct search *s)
{
    if (s->prefix) {
        sql_add(sql, "word_begins(");
        sql_text(sql, lowered(s->text));
        sql_add(sql, ", ");
        sql_text(sql, above(lowered(s->text)));
        sql_add(sql, ", threat.seq)");
        return;
    }
    sql_add(sql, "word_has(");
    sql_text(sql, lowered(s->text));
    sql_add(sql, ", threat.seq)");
}

void sql_condition(struct sql *sql, const struct search *s)
{
    switch (s->kind) {
    case SEARCH_ALL:
        sql_add(sql, "1");
        break;
    case SEARCH_AND:
    case SEARCH_OR:
        sql_add(sql, "(");
        for (size_t i = 0; i < s->count; i++) {
            if (i > 0)
                sql_add(sql, s->kind == SEARCH_AND ? " AND " : " OR ");
            sql_condition(sql, s->children[i]);
        }
        sql_add(sql, ")");
        break;
    case SEARCH_NOT:
        sql_add(sql, "NOT (");
        sql_condition(sql, s->children[0]);
        sql_add(sql, ")");
        break;
    case SEARCH_WORD:
        word_condition(sql, s);
        break;
    default:
        leaf_condition(sql, s);
    }
}

/* --- zones: a row of zone stands for threats; may one of them fit (or, negated, fail to)? --- */

static void ends_test(struct sql *sql, const char *name, const struct search *s, bool negated)
{
    const bool number = s->kind == SEARCH_NUMBER;

    sql_add(sql, negated ? "low_" : "high_");
    sql_add(sql, name);
    sql_add(sql, negated ? (s->low_open ? " <= " : " < ") : s->low_open ? " > " : " >= ");
    if (number)
        sql_real(sql, isinf(s->low) ? -1e300 : s->low);
    else
        sql_blob(sql, s->net_low);
    sql_add(sql, negated ? " OR high_" : " AND low_");
    sql_add(sql, name);
    sql_add(sql, negated ? (s->high_open ? " >= " : " > ") : s->high_open ? " < " : " <= ");
    if (number)
        sql_real(sql, isinf(s->high) ? 1e300 : s->high);
    else
        sql_blob(sql, s->net_high);
    if (negated && number) { /* a port that is missing is -1 there, and in no range */
        sql_add(sql, " OR low_");
        sql_add(sql, name);
        sql_add(sql, " < 0");
    }
}

static void zone_ends(struct sql *sql, const struct column *c, const struct search *s, bool negated)
{
    sql_add(sql, "((");
    ends_test(sql, c->name, s, negated);
    if (c->either != NULL) {
        sql_add(sql, negated ? ") AND (" : ") OR (");
        ends_test(sql, c->either, s, negated);
    }
    sql_add(sql, "))");
}

static void zone_value(struct sql *sql, const struct search *s, bool negated)
{
    const char *name = columns[s->field].name;

    sql_add(sql, negated ? "(NOT (" : "((");
    if (s->field == FIELD_SUPPRESSED)
        sql_add(sql, "suppressed = 1");
    else
        column_test(sql, "", name, s);
    sql_add(sql, ")");
    if (s->field == FIELD_TYPE || s->field == FIELD_PROTOCOL) { /* '': any */
        sql_add(sql, " OR ");
        sql_add(sql, name);
        sql_add(sql, " = ''");
    }
    sql_add(sql, ")");
}

static void zone_leaf(struct sql *sql, const struct search *s, bool negated)
{
    switch (s->field) {
    case FIELD_TYPE:
    case FIELD_SEVERITY:
    case FIELD_STATUS:
    case FIELD_VERDICT:
    case FIELD_PROTOCOL:
    case FIELD_SUPPRESSED:
    case FIELD_SIMULATED:
    case FIELD_COMMENTED:
        zone_value(sql, s, negated);
        break;
    case FIELD_SOURCE:
    case FIELD_DESTINATION:
    case FIELD_ADDRESS:
    case FIELD_PORT:
    case FIELD_SOURCE_PORT:
    case FIELD_DESTINATION_PORT:
    case FIELD_CONFIDENCE:
    case FIELD_TIME:
        zone_ends(sql, &columns[s->field], s, negated);
        break;
    default: /* words, sensors, people: a zone does not know */
        sql_add(sql, "1");
    }
}

static void zone_tree(struct sql *sql, const struct search *s, bool negated)
{
    switch (s->kind) {
    case SEARCH_ALL:
        sql_add(sql, negated ? "0" : "1");
        break;
    case SEARCH_AND:
    case SEARCH_OR:
        sql_add(sql, "(");
        for (size_t i = 0; i < s->count; i++) {
            if (i > 0)
                sql_add(sql, (s->kind == SEARCH_AND) != negated ? " AND " : " OR ");
            zone_tree(sql, s->children[i], negated);
        }
        sql_add(sql, ")");
        break;
    case SEARCH_NOT:
        zone_tree(sql, s->children[0], !negated);
        break;
    default:
        zone_leaf(sql, s, negated);
    }
}

void sql_zone_condition(struct sql *sql, const struct search *search)
{
    zone_tree(sql, search, false);
}

static void take_first(void *context, const char *word)
{
    char *first = context;

    if (first[0] == '\0')
        memcpy(first, word, strlen(word) + 1);
}

/* The word by which a field without an index of its own is found; empty when it has none. */
static void word_of(const struct search *s, char word[SEARCH_WORD_MAX])
{
    word[0] = '\0';
    search_split(s->text, false, take_first, word);
    if (s->kind == SEARCH_PREFIX && strlen(word) != strlen(s->text))
        word[0] = '\0'; /* the beginning of another word */
}

bool sql_is_indexed(const struct search *s)
{
    char word[SEARCH_WORD_MAX];

    switch (s->kind) {
    case SEARCH_TEXT: /* an empty verdict or assignee is what the partial index leaves out */
    case SEARCH_PREFIX:
        if (columns[s->field].index == NULL)
            return word_of(s, word), word[0] != '\0';
        return s->text[0] != '\0';
    case SEARCH_NUMBER:
    case SEARCH_NETWORK:
    case SEARCH_WORD:
    case SEARCH_FLAG:
        return true;
    default:
        return false;
    }
}

bool sql_is_ordered(const struct search *s)
{
    if (s->kind == SEARCH_NUMBER || s->kind == SEARCH_NETWORK)
        return is_exact(s);
    if (s->kind == SEARCH_FLAG)
        return s->field != FIELD_SUPPRESSED;
    return s->kind == SEARCH_TEXT || (s->kind == SEARCH_WORD && !s->prefix);
}

bool sql_word_of(const struct search *s, char word[SEARCH_WORD_MAX])
{
    word[0] = '\0';
    if (s->kind == SEARCH_WORD && !s->prefix) {
        char *lower = lowered(s->text);

        snprintf(word, SEARCH_WORD_MAX, "%s", lower != NULL && strlen(lower) < SEARCH_WORD_MAX ? lower : "");
        free(lower);
    } else if (s->kind == SEARCH_TEXT && columns[s->field].index == NULL) {
        word_of(s, word);
    }
    return word[0] != '\0';
}

bool sql_has_either(const struct search *s)
{
    return s->kind != SEARCH_WORD && columns[s->field].either != NULL;
}

static void from_words(struct sql *sql, const struct search *s)
{
    char word[SEARCH_WORD_MAX];
    struct search by_word = {.kind = SEARCH_WORD, .text = s->text, .prefix = s->prefix};

    if (s->kind != SEARCH_WORD) {
        word_of(s, word);
        by_word.text = word;
        by_word.prefix = s->kind == SEARCH_PREFIX;
    }
    sql_add(sql, "SELECT seq FROM hits WHERE ");
    word_test(sql, &by_word);
}

void sql_from_index(struct sql *sql, const struct search *s, bool either, bool bounded, const char *also)
{
    const struct column *c = &columns[s->field];

    if (s->kind == SEARCH_WORD || c->index == NULL) {
        from_words(sql, s);
        if (also[0] != '\0') {
            sql_add(sql, " AND also = ");
            sql_text(sql, strdup(also));
        }
    } else {
        sql_add(sql, "SELECT seq FROM ");
        if (c->by_era && !bounded) {
            sql_add(sql, eras);
            sql_add(sql, " CROSS JOIN ");
        }
        sql_add(sql, "threat INDEXED BY ");
        sql_add(sql, either ? c->either_index : c->index);
        sql_add(sql, " WHERE ");
        if (c->by_era) {
            sql_add(sql, SQL_ERA_OF("seq") " = ");
            if (bounded)
                sql_era(sql);
            else
                sql_add(sql, "era.n");
            sql_add(sql, " AND ");
        }
        column_test(sql, "", either ? c->either : c->name, s);
        sql_add(sql, c->partial);
    }
    if (bounded)
        sql_bounds(sql, "seq");
}
