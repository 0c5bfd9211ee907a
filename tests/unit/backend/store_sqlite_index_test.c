/* Indexes of the SQLite store: which one a search takes, and that it gives the newest first, from era to era. */
#include "tests/unit/backend/sqlite_file.h"

#include "backend/store_sqlite_search.h"

#include <string.h>

static void explain(struct store *store, const char *query, const char *index, bool sorted)
{
    struct search *search = search_parse(query, NULL, NULL);
    struct err err = {0};
    char *plan =
        sqlite_find_plan(store, &(struct store_query){.search = search, .limit = 50, .before_seq = 90000}, &err);

    if (plan == NULL)
        fail_msg("%s: %s", query, err.text);
    if (strstr(plan, index) == NULL)
        fail_msg("%s: does not use %s:\n%s", query, index, plan);
    if (strstr(plan, "SCAN threat") != NULL || strstr(plan, "SCAN body") != NULL ||
        strstr(plan, "SCAN posting") != NULL)
        fail_msg("%s: reads everything:\n%s", query, plan);
    if (!sorted && strstr(plan, "SEARCH zone USING PRIMARY KEY (zone>? AND zone<?)") == NULL)
        fail_msg("%s: asks no zones:\n%s", query, plan);
    if (!sorted && strstr(plan, "TEMP B-TREE FOR ORDER BY") != NULL)
        fail_msg("%s: sorts:\n%s", query, plan);
    free(plan);
    search_free(search);
}

/* Enough rows that the common values count as many: then the newest are walked to, not all collected. */
static void fill_index(struct sqlite_store *s)
{
    static const char rows[] =
        "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) INSERT INTO threat "
        "SELECT i, i, 't' || i, 1, 0, 'port_scan', 2, 'new', 'true_positive', 'ana', "
        "x'00000000000000000000ffff0a000001', "
        "x'00000000000000000000ffff0a000002', 22, 80, 'TCP', 'edge', 0.8, i, i, NULL, 1, 1, 'j', 1 FROM n;"
        "INSERT INTO body (seq, json) SELECT seq, '{\"threat_id\":\"' || threat_id || '\"}' FROM threat;"
        "INSERT INTO posting SELECT 'common', min(seq), word_list(seq) FROM threat GROUP BY seq / 90; "
        "INSERT INTO posting SELECT 'port_scan', min(seq), word_list(seq) FROM threat GROUP BY seq / 90; "
        "REPLACE INTO meta (key, value) SELECT 'last_seq', max(seq) FROM threat; COMMIT";

    assert_true(sqlite_text(&s->writer, rows, NULL));
}

static void every_search_uses_an_index(void **state)
{
    explain(*state, "type:port_scan", "SCAN hits VIRTUAL TABLE INDEX 1:word=?", true);
    explain(*state, "source:10.0.0.0/8", "threat_source", true);
    explain(*state, "\"two words\"", "SCAN hits VIRTUAL TABLE INDEX 1:word=?", true);
    fill_index(SQLITE_STORE(*state));
    explain(*state, "", "SEARCH threat USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", false);
    explain(*state, "type:port_scan", "SCAN hits VIRTUAL TABLE INDEX 13:word=? AND seq<? AND seq>?", false);
    explain(*state, "common", "SCAN hits VIRTUAL TABLE INDEX 13:word=? AND seq<? AND seq>?", false);
    explain(*state, "status:new", "threat_status (status=? AND rowid>? AND rowid<?)", false);
    explain(*state, "verdict:true_positive", "threat_verdict (verdict=? AND rowid>? AND rowid<?)", false);
    explain(*state, "assignee:ana", "threat_assignee (assignee=? AND rowid>? AND rowid<?)", false);
    explain(*state, "source:10.0.0.1", "threat_source (<expr>=? AND source=? AND rowid>? AND rowid<?)", false);
    explain(*state, "destination:10.0.0.2", "threat_destination (<expr>=? AND destination=? AND rowid>? AND rowid<?)",
            false);
    explain(*state, "address:10.0.0.1", "threat_destination", false);
    explain(*state, "source_port:22", "threat_source_port (<expr>=? AND source_port=? AND rowid>? AND rowid<?)",
            false);
    explain(*state, "destination_port:80",
            "threat_destination_port (<expr>=? AND destination_port=? AND rowid>? AND rowid<?)", false);
    explain(*state, "port:80", "threat_source_port", false);
    explain(*state, "is:simulated", "threat_simulated (simulated=? AND rowid>? AND rowid<?)", false);
    explain(*state, "is:commented", "threat_commented (commented=? AND rowid>? AND rowid<?)", false);
    explain(*state, "job:j", "threat_job (job=? AND rowid>? AND rowid<?)", false);
    explain(*state, "id:t77", "threat_id", true);
    explain(*state, "source:10.9.0.0/16", "threat_source", true);
    explain(*state, "confidence:>0.9", "threat_confidence", true);
    explain(*state, "time:>2026-11-23", "threat_timestamp", true);
    explain(*state, "is:suppressed", "threat_suppressed", true);
    explain(*state, "type:port_scan source:10.9.0.0/16", "threat_source", true);
    explain(*state, "confidence:>0.1", "SEARCH threat USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            false); /* nearly all fit */
}

static bool add_seq(void *context, int64_t seq, const char *json)
{
    char *seqs = context;

    (void)json;
    snprintf(seqs + strlen(seqs), 80 - strlen(seqs), " %lld", (long long)seq);
    return true;
}

static void gives(struct store *store, const char *text, struct store_query query, const char *seqs)
{
    struct search *search = search_parse(text, NULL, NULL);
    char found[80] = "";

    query.search = search;
    assert_true(store_find(store, &query, add_seq, found, NULL, NULL));
    if (strcmp(found, seqs) != 0)
        fail_msg("%s:%s", text, found);
    search_free(search);
}

static void common_values_are_given_newest_first(void **state)
{
    static const char *const texts[] = {"common",          "type:port_scan",    "address:10.0.0.1",
                                        "port:80",         "common OR port:22", "status:new",
                                        "confidence:>0.1", "source:10.0.0.0/8"};

    fill_index(SQLITE_STORE(*state));
    for (size_t q = 0; q < sizeof texts / sizeof *texts; q++) {
        gives(*state, texts[q], (struct store_query){.limit = 3, .before_seq = 20001}, " 20000 19999 19998");
        gives(*state, texts[q], (struct store_query){.limit = 2, .before_seq = 100, .oldest_first = true},
              " 101 102");
        gives(*state, texts[q], (struct store_query){.limit = 4, .before_seq = 2 * ERA + 2},
              " 65537 65536 65535 65534");
        gives(*state, texts[q], (struct store_query){.limit = 3, .before_seq = ERA - 2, .oldest_first = true},
              " 32767 32768 32769");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_search_uses_an_index, open_store_file, drop_store_file),
        cmocka_unit_test_setup_teardown(common_values_are_given_newest_first, open_store_file, drop_store_file),
    };

    return RUN_WITH_A_FILE(tests);
}
