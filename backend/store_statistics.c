/* store_statistics.c: the statistics of the contract as sums over rollup rows. */
#include "backend/store_rollup.h"
#include "common/clock.h"
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

enum { TOPS = 10, TIMELINE_MAX = 1000, TIMELINE_AIM = 100 };

static const int64_t MINUTE_US = 60000000LL, HOUR_US = 3600000000LL, DAY_US = 86400000000LL;
static const int64_t buckets_us[] = {60000000LL,    300000000LL,    900000000LL,     3600000000LL,    21600000000LL,
                                     86400000000LL, 604800000000LL, 2592000000000LL, 31536000000000LL};

struct plan {
    enum rollup_span span; /* of everything but the tops */
    enum rollup_span tops_span;
    int64_t from_us, to_us; /* rounded outward to the span; INT64_MIN and INT64_MAX: open */
};

struct sums {
    struct rollup *counts[2];   /* by simulated: dimension and value, bucket 0 */
    struct rollup *timeline[2]; /* severity by bucket */
    int64_t first_us, last_us;  /* of the rows seen for the timeline */
    int64_t width_us;           /* of the rows seen for the timeline */
    bool failed;
};

static void add_count(void *context, const struct rollup_row *row)
{
    struct sums *sums = context;
    struct rollup_row key = *row;

    key.bucket = 0;
    key.simulated = false;
    sums->failed |= !rollup_add_row(sums->counts[row->simulated], &key);
}

static void add_time(void *context, const struct rollup_row *row)
{
    struct sums *sums = context;
    struct rollup_row key = *row;

    if (row->count == 0)
        return;
    key.simulated = false;
    sums->failed |= !rollup_add_row(sums->timeline[row->simulated], &key);
    if (row->bucket * sums->width_us < sums->first_us)
        sums->first_us = row->bucket * sums->width_us;
    if ((row->bucket + 1) * sums->width_us > sums->last_us)
        sums->last_us = (row->bucket + 1) * sums->width_us;
}

/* Few rows whatever the length: minutes up to 6 h while they are kept, hours up to 14 days, days beyond. */
static struct plan plan_for(const struct store_span *span, int64_t now_us)
{
    int64_t to = span->to_us != 0 ? span->to_us : now_us;
    int64_t length = span->from_us != 0 ? to - span->from_us : INT64_MAX;
    struct plan plan = {.from_us = INT64_MIN, .to_us = INT64_MAX};
    int64_t width;

    if (span->from_us == 0 && span->to_us == 0)
        plan.span = plan.tops_span = ROLLUP_EVER;
    else if (length <= 6 * HOUR_US && span->from_us > now_us - (int64_t)ROLLUP_MINUTES_KEPT * MINUTE_US)
        plan.span = ROLLUP_MINUTE;
    else
        plan.span = length <= 14 * DAY_US ? ROLLUP_HOUR : ROLLUP_DAY;
    if (plan.span != ROLLUP_EVER)
        plan.tops_span = length <= 2 * DAY_US ? ROLLUP_HOUR : ROLLUP_DAY;
    width = rollup_width_us(plan.span);
    if (span->from_us != 0)
        plan.from_us = rollup_bucket(plan.span, span->from_us) * width;
    if (span->to_us != 0)
        plan.to_us = (rollup_bucket(plan.span, span->to_us - 1) + 1) * width;
    return plan;
}

static bool read_range(rollup_read *read, void *store, enum rollup_span span, enum rollup_dimension dimension,
                       const struct plan *plan, rollup_visit *visit, struct sums *sums, struct err *err)
{
    int64_t from = plan->from_us == INT64_MIN ? INT64_MIN : rollup_bucket(span, plan->from_us);
    int64_t to = plan->to_us == INT64_MAX ? INT64_MAX : rollup_bucket(span, plan->to_us - 1) + 1;

    return read(store, span, dimension, from, to, visit, sums, err);
}

static bool read_all(const struct plan *plan, rollup_read *read, void *store, struct sums *sums, struct err *err)
{
    enum rollup_span time_span = plan->span;

    for (int d = 0; d < ROLLUP_DIMENSIONS; d++)
        if (!read_range(read, store, d >= ROLLUP_SOURCE ? plan->tops_span : plan->span, (enum rollup_dimension)d,
                        plan, add_count, sums, err))
            return false;
    if (time_span == ROLLUP_EVER) { /* days tell how far it reaches; hours are finer when that is not far */
        sums->width_us = DAY_US;
        if (!read_range(read, store, ROLLUP_DAY, ROLLUP_SEVERITY, plan, add_time, sums, err))
            return false;
        if (sums->first_us == INT64_MAX || sums->last_us - sums->first_us > 14 * DAY_US)
            return true;
        rollup_reset(sums->timeline[0]);
        rollup_reset(sums->timeline[1]);
        sums->first_us = INT64_MAX;
        sums->last_us = INT64_MIN;
        time_span = ROLLUP_HOUR;
    }
    sums->width_us = rollup_width_us(time_span);
    return read_range(read, store, time_span, ROLLUP_SEVERITY, plan, add_time, sums, err);
}

static int64_t count_of(const struct rollup *counts, enum rollup_dimension dimension, const char *value)
{
    int64_t sum = 0;

    for (size_t i = 0; i < rollup_count(counts); i++) {
        struct rollup_row row = rollup_row(counts, i);

        if (row.dimension == dimension && (value == NULL || strcmp(row.value, value) == 0))
            sum += row.count;
    }
    return sum;
}

static void write_map(struct text *out, const char *name, const struct rollup *counts,
                      enum rollup_dimension dimension)
{
    const char *comma = "";

    text_addf(out, ",\"%s\":{", name);
    for (size_t i = 0; i < rollup_count(counts); i++) {
        struct rollup_row row = rollup_row(counts, i);

        if (row.dimension != dimension || row.count <= 0)
            continue;
        text_add(out, comma, strlen(comma));
        text_add_json(out, row.value[0] != '\0' ? row.value : "other");
        text_addf(out, ":%lld", (long long)row.count);
        comma = ",";
    }
    text_add(out, "}", 1);
}

static bool is_above(const struct rollup_row *a, const struct rollup_row *b)
{
    return a->count != b->count ? a->count > b->count : strcmp(a->value, b->value) < 0;
}

static void write_tops(struct text *out, const char *name, const struct rollup *counts,
                       enum rollup_dimension dimension, bool *approximate)
{
    struct rollup_row top[TOPS];
    size_t n = 0;

    for (size_t i = 0; i < rollup_count(counts); i++) {
        struct rollup_row row = rollup_row(counts, i);
        size_t at = n;

        if (row.dimension != dimension || row.count <= 0)
            continue;
        if (row.value[0] == '\0') {
            *approximate = true;
            continue;
        }
        while (at > 0 && is_above(&row, &top[at - 1]))
            at--;
        if (at == TOPS)
            continue;
        if (n < TOPS)
            n++;
        memmove(top + at + 1, top + at, (n - at - 1) * sizeof *top);
        top[at] = row;
    }
    text_addf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        text_add(out, i > 0 ? ",{\"address\":" : "{\"address\":", i > 0 ? 12 : 11);
        text_add_json(out, top[i].value);
        text_addf(out, ",\"count\":%lld}", (long long)top[i].count);
    }
    text_add(out, "]", 1);
}

static int64_t bucket_for(int64_t wanted_us, int64_t row_us, int64_t length_us)
{
    int64_t bucket = wanted_us;

    for (size_t i = 0; wanted_us == 0 && i < sizeof buckets_us / sizeof *buckets_us; i++) {
        bucket = buckets_us[i];
        if (bucket >= row_us && length_us / bucket < TIMELINE_AIM)
            break;
    }
    bucket = (bucket + row_us - 1) / row_us * row_us;
    if (length_us / bucket >= TIMELINE_MAX)
        bucket = (length_us / TIMELINE_MAX / row_us + 1) * row_us;
    return bucket;
}

static int64_t floor_to(int64_t us, int64_t width)
{
    return us >= 0 ? us / width * width : -((-us + width - 1) / width) * width;
}

static bool write_buckets(struct text *out, const struct sums *sums, const struct rollup *rows, int64_t first,
                          int64_t last, int64_t bucket)
{
    size_t count = (size_t)((last - first + bucket - 1) / bucket);
    int64_t(*cells)[4] = calloc(count + 1, sizeof *cells);
    char at[CLOCK_TEXT];

    if (cells == NULL)
        return false;
    for (size_t i = 0; i < rollup_count(rows); i++) {
        struct rollup_row row = rollup_row(rows, i);
        int64_t n = (row.bucket * sums->width_us - first) / bucket;
        enum severity severity;

        if (n >= 0 && n < (int64_t)count && severity_from_text(row.value, &severity))
            cells[n][severity] += row.count;
    }
    for (size_t n = 0; n < count; n++) {
        clock_text_ms((first + (int64_t)n * bucket) / 1000, at);
        text_addf(out, "%s{\"t\":\"%s\",\"critical\":%lld,\"high\":%lld,\"medium\":%lld,\"low\":%lld}",
                  n > 0 ? "," : "", at, (long long)cells[n][SEVERITY_CRITICAL], (long long)cells[n][SEVERITY_HIGH],
                  (long long)cells[n][SEVERITY_MEDIUM], (long long)cells[n][SEVERITY_LOW]);
    }
    free(cells);
    return true;
}

static bool write_timeline(struct text *out, const struct store_span *span, const struct plan *plan,
                           const struct sums *sums, const struct rollup *rows, int64_t now_us)
{
    int64_t first = plan->from_us != INT64_MIN ? plan->from_us : sums->first_us;
    int64_t last = plan->to_us != INT64_MAX ? plan->to_us : sums->last_us;
    int64_t bucket;
    bool ok;

    if (plan->to_us == INT64_MAX && now_us > last)
        last = now_us;
    if (first == INT64_MAX || first >= last) { /* nothing stored, or nothing asked for */
        text_add(out, ",\"timeline\":[]", 14);
        return true;
    }
    bucket = bucket_for(span->bucket_us, sums->width_us, last - first);
    text_addf(out, ",\"bucketSeconds\":%lld,\"timeline\":[", (long long)(bucket / 1000000));
    ok = write_buckets(out, sums, rows, floor_to(first, bucket), last, bucket);
    text_add(out, "]", 1);
    return ok;
}

static void write_verdicts(struct text *out, const struct rollup *counts)
{
    static const char yes[] = "true_positive:", no[] = "false_positive:";
    int64_t right = 0, wrong = 0;

    for (size_t i = 0; i < rollup_count(counts); i++) {
        struct rollup_row row = rollup_row(counts, i);

        if (row.dimension != ROLLUP_VERDICT)
            continue;
        right += strncmp(row.value, yes, sizeof yes - 1) == 0 ? row.count : 0;
        wrong += strncmp(row.value, no, sizeof no - 1) == 0 ? row.count : 0;
    }
    text_addf(out, ",\"precision\":{\"truePositive\":%lld,\"falsePositive\":%lld,\"precision\":", (long long)right,
              (long long)wrong);
    if (right + wrong > 0)
        text_add_number(out, (double)right / (double)(right + wrong));
    else
        text_add(out, "null", 4);
    text_add(out, ",\"byType\":{", 11);
    for (size_t i = 0, n = 0; i < rollup_count(counts); i++) {
        struct rollup_row row = rollup_row(counts, i);
        const char *type = strchr(row.value, ':');
        char other[ROLLUP_VALUE];
        bool is_right = strncmp(row.value, yes, sizeof yes - 1) == 0;
        int64_t opposite;

        if (row.dimension != ROLLUP_VERDICT || type == NULL || row.count <= 0)
            continue;
        memcpy(other, is_right ? no : yes, is_right ? sizeof no : sizeof yes);
        strncat(other, type + 1, sizeof other - strlen(other) - 1);
        opposite = count_of(counts, ROLLUP_VERDICT, other);
        if (!is_right && opposite > 0)
            continue; /* told with the right ones */
        text_add(out, ",", n++ > 0 ? 1 : 0);
        text_add_json(out, type + 1);
        text_addf(out, ":{\"truePositive\":%lld,\"falsePositive\":%lld}",
                  (long long)(is_right ? row.count : opposite), (long long)(is_right ? opposite : row.count));
    }
    text_add(out, "}}", 2);
}

static void write_severities(struct text *out, const struct rollup *counts)
{
    text_addf(out, "\"total\":%lld", (long long)count_of(counts, ROLLUP_SEVERITY, NULL));
    for (int s = SEVERITY_CRITICAL; s >= SEVERITY_LOW; s--)
        text_addf(out, ",\"%s\":%lld", severity_text((enum severity)s),
                  (long long)count_of(counts, ROLLUP_SEVERITY, severity_text((enum severity)s)));
}

static bool write_statistics(struct text *out, const struct store_span *span, const struct plan *plan,
                             const struct sums *sums, bool with_simulated, int64_t now_us)
{
    const struct rollup *counts = sums->counts[with_simulated];
    bool approximate = false, ok;

    text_add(out, "{", 1);
    write_severities(out, counts);
    text_addf(out, ",\"suppressed\":%lld,\"simulated\":%s,\"uncounted\":%lld",
              (long long)count_of(counts, ROLLUP_SUPPRESSED, NULL), with_simulated ? "true" : "false",
              with_simulated ? 0LL : (long long)count_of(sums->counts[true], ROLLUP_SEVERITY, NULL));
    write_map(out, "byType", counts, ROLLUP_TYPE);
    write_map(out, "byStatus", counts, ROLLUP_STATUS);
    write_map(out, "bySensor", counts, ROLLUP_SENSOR);
    write_tops(out, "topSources", counts, ROLLUP_SOURCE, &approximate);
    write_tops(out, "topDestinations", counts, ROLLUP_DESTINATION, &approximate);
    text_addf(out, ",\"approximate\":%s", approximate ? "true" : "false");
    ok = write_timeline(out, span, plan, sums, sums->timeline[with_simulated], now_us);
    write_verdicts(out, counts);
    text_add(out, "}", 1);
    return ok && !out->failed;
}

static void see_live(void *context, const struct rollup_row *row)
{
    *(bool *)context |= !row->simulated && row->count > 0;
}

bool rollup_statistics(const struct store_span *span, int64_t now_us, rollup_read *read, void *store, char **json,
                       struct err *err)
{
    struct plan plan = plan_for(span, now_us);
    struct sums sums = {.first_us = INT64_MAX, .last_us = INT64_MIN};
    struct text out = {.max = 8 * 1024 * 1024};
    bool ok = true, live = false;

    for (int i = 0; i < 2; i++) {
        sums.counts[i] = rollup_create();
        sums.timeline[i] = rollup_create();
        if (sums.counts[i] == NULL || sums.timeline[i] == NULL)
            ok = err_set(err, ERR_MEMORY, "statistics: out of memory");
    }
    /* Made-up threats are shown until a live source has reported. */
    ok = ok && read(store, ROLLUP_EVER, ROLLUP_SEVERITY, INT64_MIN, INT64_MAX, see_live, &live, err) &&
         read(store, ROLLUP_EVER, ROLLUP_SUPPRESSED, INT64_MIN, INT64_MAX, see_live, &live, err) &&
         read_all(&plan, read, store, &sums, err);
    if (ok && (sums.failed || !write_statistics(&out, span, &plan, &sums, !live, now_us)))
        ok = err_set(err, ERR_MEMORY, "statistics: out of memory");
    for (int i = 0; i < 2; i++) {
        rollup_free(sums.counts[i]);
        rollup_free(sums.timeline[i]);
    }
    if (!ok) {
        free(out.bytes);
        return false;
    }
    *json = out.bytes;
    return true;
}
