/* The query language: what a query means, and where a wrong one is wrong. */
#include "backend/search.h"
#include "tests/unit/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    "none",       "type", "severity",    "status",           "verdict",   "source",    "destination",
    "address",    "port", "source_port", "destination_port", "protocol",  "sensor",    "assignee",
    "confidence", "id",   "time",        "suppressed",       "simulated", "commented", "job"};

static void add(char *out, const char *text)
{
    strncat(out, text, 8191 - strlen(out));
}

static void dump_address(char *out, const uint8_t a[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[40];

    if (memcmp(a, mapped, sizeof mapped) == 0) {
        snprintf(text, sizeof text, "%u.%u.%u.%u", a[12], a[13], a[14], a[15]);
        add(out, text);
        return;
    }
    for (int i = 0; i < 16; i++) {
        snprintf(text, sizeof text, "%02x", a[i]);
        add(out, text);
    }
}

static void dump(char *out, const struct search *s)
{
    char text[600];

    switch (s->kind) {
    case SEARCH_ALL:
        add(out, "all");
        return;
    case SEARCH_AND:
    case SEARCH_OR:
    case SEARCH_NOT:
        add(out, s->kind == SEARCH_AND ? "(and" : s->kind == SEARCH_OR ? "(or" : "(not");
        for (size_t i = 0; i < s->count; i++) {
            add(out, " ");
            dump(out, s->children[i]);
        }
        add(out, ")");
        return;
    case SEARCH_TEXT:
    case SEARCH_PREFIX:
        snprintf(text, sizeof text, "%s%s'%s'", names[s->field], s->kind == SEARCH_TEXT ? "=" : "^", s->text);
        break;
    case SEARCH_NUMBER:
        snprintf(text, sizeof text, "%s%s%.15g,%.15g%s", names[s->field], s->low_open ? "(" : "[", s->low, s->high,
                 s->high_open ? ")" : "]");
        break;
    case SEARCH_NETWORK:
        snprintf(text, sizeof text, "%s:", names[s->field]);
        add(out, text);
        dump_address(out, s->net_low);
        add(out, "-");
        dump_address(out, s->net_high);
        return;
    case SEARCH_WORD:
        snprintf(text, sizeof text, "'%s'%s", s->text, s->prefix ? "*" : "");
        break;
    case SEARCH_FLAG:
        snprintf(text, sizeof text, "is %s", names[s->field]);
        break;
    }
    add(out, text);
}

static void means(const char *query, const char *meaning)
{
    struct err err = {0};
    size_t at = 0;
    struct search *s = search_parse(query, &at, &err);
    char out[8192] = "";

    if (s == NULL)
        fail_msg("%s: at %zu: %s", query, at, err.text);
    dump(out, s);
    assert_string_equal(out, meaning);
    search_free(s);
}

static void is_wrong(const char *query, size_t where)
{
    struct err err = {0};
    size_t at = 999;
    struct search *s = search_parse(query, &at, &err);

    if (s != NULL)
        fail_msg("%s: was understood", query);
    if (at != where)
        fail_msg("%s: at %zu, expected %zu: %s", query, at, where, err.text);
    assert_int_equal(err.code, ERR_INVALID);
    assert_true(strstr(err.text, "expected") != NULL);
}

static void nothing_asked_is_everything(void **state)
{
    (void)state;
    means("", "all");
    means("  \t ", "all");
}

static void fields_take_their_values(void **state)
{
    (void)state;
    means("type:port_scan", "type='port_scan'");
    means("type:port*", "type^'port'");
    means("severity:critical", "severity='critical'");
    means("severity:>=high", "(or severity='high' severity='critical')");
    means("severity:<medium", "severity='low'");
    means("status:closed", "status='closed'");
    means("verdict:none", "verdict=''");
    means("protocol:tcp", "protocol='TCP'");
    means("sensor:\"edge one\"", "sensor='edge one'");
    means("assignee:none", "assignee=''");
    means("port:22", "port[22,22]");
    means("port:1000-2000", "port[1000,2000]");
    means("destination_port:>1023", "destination_port(1023,inf]");
    means("source_port:<=80", "source_port[-inf,80]");
    means("confidence:>0.8", "confidence(0.8,inf]");
    means("confidence:0.5-0.8", "confidence[0.5,0.8]");
    means("is:suppressed", "is suppressed");
    means("is:simulated", "is simulated");
    means("is:commented", "is commented");
    means("time:2026-11-23", "time[1.795392e+15,1.7954784e+15)");
    means("time:>=2026-11-23T00:00:01Z", "time[1.795392001e+15,inf]");
    means("time:2026-11-23..2026-11-24", "time[1.795392e+15,1.7954784e+15]");
}

static void addresses_are_networks(void **state)
{
    (void)state;
    means("source:10.0.0.0/8", "source:10.0.0.0-10.255.255.255");
    means("source:10.1.2.3/8", "source:10.0.0.0-10.255.255.255");
    means("destination:192.168.1.4", "destination:192.168.1.4-192.168.1.4");
    means("address:10.1.*", "address:10.1.0.0-10.1.255.255");
    means("ip:0.0.0.0/0", "address:0.0.0.0-255.255.255.255");
    means("source:2001:db8::/32", "source:20010db8000000000000000000000000-20010db8ffffffffffffffffffffffff");
    means("source:::/0", "source:00000000000000000000000000000000-ffffffffffffffffffffffffffffffff");
}

static void words_stand_anywhere_in_the_record(void **state)
{
    (void)state;
    means("Scan", "(or 'scan' id='Scan')");
    means("scan*", "(or 'scan'* id^'scan')");
    means("80", "(or '80' port[80,80])");
    means("10.0.0.5", "(or '10.0.0.5' address:10.0.0.5-10.0.0.5 id='10.0.0.5')");
    means("10.0.*", "(or '10.0'* address:10.0.0.0-10.0.255.255 id^'10.0.')");
    means("10.0.0.0/8", "(or '10.0.0.0/8' address:10.0.0.0-10.255.255.255)");
    means("\"port scan\"", "(and 'port' 'scan')");
    means("threat_000001", "(or 'threat_000001' id='threat_000001')");
    means("\"type:x1\"", "'type:x1'");
    means("caf\xc3\xa9", "'caf\xc3\xa9'");
}

static void terms_are_joined(void **state)
{
    (void)state;
    means("type:a -status:closed", "(and type='a' (not status='closed'))");
    means("type:a AND status:new", "(and type='a' status='new')");
    means("type:a NOT status:new", "(and type='a' (not status='new'))");
    means("type:a OR type:b type:c", "(or type='a' (and type='b' type='c'))");
    means("(type:a OR type:b) type:c", "(and (or type='a' type='b') type='c')");
    means("-(type:a OR type:b)", "(not (or type='a' type='b'))");
    means("--type:a", "(not (not type='a'))");
    means("type:port_scan source:10.0.0.0/8 -status:closed",
          "(and type='port_scan' source:10.0.0.0-10.255.255.255 (not status='closed'))");
}

static void a_wrong_query_points_at_the_character(void **state)
{
    (void)state;
    is_wrong("type:a severity:urgent", 16);
    is_wrong("port:70000", 5);
    is_wrong("port:20-10", 5);
    is_wrong("port:80x", 5);
    is_wrong("port:0x50", 5);
    is_wrong("source:10.0.0.0/33", 7);
    is_wrong("source:10.0.0", 7);
    is_wrong("source:host", 7);
    is_wrong("confidence:2", 11);
    is_wrong("confidence:nan", 11);
    is_wrong("time:yesterday", 5);
    is_wrong("is:new", 3);
    is_wrong("is:", 3);
    is_wrong("type:", 5);
    is_wrong("status:clo*", 7);
    is_wrong("typ:a", 0);
    is_wrong("a1 (b1", 3);
    is_wrong("a1 b1)", 5);
    is_wrong("()", 1);
    is_wrong("a1 OR", 5);
    is_wrong("OR a1", 0);
    is_wrong("-", 1);
    is_wrong("ab \"open", 3);
    is_wrong("*", 0);
    is_wrong("x", 0);
    is_wrong("ab\x01", 2);
    is_wrong("ab\xff", 0);
}

static void queries_are_bounded(void **state)
{
    char query[4096] = "";
    size_t at;

    (void)state;
    for (int i = 0; i < SEARCH_TERMS; i++)
        strcat(query, "type:a ");
    search_free(search_parse(query, &at, NULL));
    strcat(query, "type:b");
    is_wrong(query, 7 * SEARCH_TERMS);
    memset(query, 'a', SEARCH_BYTES + 1);
    query[SEARCH_BYTES + 1] = '\0';
    is_wrong(query, 0);
    memset(query, '(', 40);
    query[40] = '\0';
    is_wrong(query, SEARCH_DEPTH);
    memset(query, '-', 40);
    is_wrong(query, SEARCH_DEPTH);
}

static void parameters_of_the_list_are_conditions_too(void **state)
{
    struct err err = {0};
    struct search *s =
        search_and(search_term("severity", "high,critical", &err), search_term("from", "2026-11-23", &err));
    char out[8192] = "";

    (void)state;
    assert_non_null(s);
    dump(out, s);
    assert_string_equal(out, "(and (or severity='high' severity='critical') time[1.795392e+15,inf])");
    search_free(s);
    assert_null(search_term("severity", "loud", &err));
    assert_true(strncmp(err.text, "severity: expected", 18) == 0);
    assert_null(search_term("colour", "red", &err));
    assert_null(search_term("to", "soon", &err));
    s = search_and(search_all(), search_term("source", "10.0.0.0/8", &err));
    out[0] = '\0';
    dump(out, s);
    assert_string_equal(out, "source:10.0.0.0-10.255.255.255");
    search_free(s);
}

struct words {
    char all[512];
};

static void append(void *context, const char *word)
{
    struct words *words = context;

    strcat(words->all, word);
    strcat(words->all, "|");
}

static void texts_are_split_into_words(void **state)
{
    struct words words = {""};

    (void)state;
    search_split("Brute-force on SSH (10.0.0.5:22), see port_scan.", true, append, &words);
    assert_string_equal(words.all, "brute-force|brute|force|on|ssh|10.0.0.5:22|see|port_scan|port|scan|");
    words.all[0] = '\0';
    search_split("a b  -- ...", true, append, &words);
    assert_string_equal(words.all, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_is_everything),
        cmocka_unit_test(fields_take_their_values),
        cmocka_unit_test(addresses_are_networks),
        cmocka_unit_test(words_stand_anywhere_in_the_record),
        cmocka_unit_test(terms_are_joined),
        cmocka_unit_test(a_wrong_query_points_at_the_character),
        cmocka_unit_test(queries_are_bounded),
        cmocka_unit_test(parameters_of_the_list_are_conditions_too),
        cmocka_unit_test(texts_are_split_into_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
