/* hosts_ahead.c: what an event will need is asked of memory before it comes; see hosts.h. */
#include "detector/hosts_state.h"

#include <string.h>

static uint64_t word_of(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return word;
}

static bool same_address(const uint8_t *a, const uint8_t *b)
{
    return ((word_of(a) ^ word_of(b)) | (word_of(a + 8) ^ word_of(b + 8))) == 0;
}

void mark_setup(struct mark *mark, struct hosts *hosts, int64_t now_ns, const uint8_t *source, const uint8_t *target)
{
    uint64_t sum = (word_of(source + 8) * 3 ^ word_of(target + 8)) * 0x9e3779b97f4a7c15U;
    struct ends *ends = &hosts->ends[sum >> 58];

    _Static_assert(ENDS == 1 << (64 - 58), "six bits");
    if (ends->source_hash == 0 || !same_address(ends->source, source) || !same_address(ends->target, target)) {
        memcpy(ends->source, source, 16);
        memcpy(ends->target, target, 16);
        ends->source_hash = window_hash(1, source, 16);
        ends->target_hash = window_hash(2, target, 16);
    }
    mark->hosts = hosts;
    mark->now_ns = now_ns;
    mark->source = source;
    mark->target = target;
    mark->source_hash = ends->source_hash;
    mark->target_hash = ends->target_hash;
}

/* Where an event of the kind looks: as on_new and hosts_context do. */
struct look {
    const struct windows *windows;
    uint64_t key;
};
enum { LOOKS_NEW = 5, LOOKS = 8 };

static size_t looks_of(struct hosts *hosts, const struct hosts_sight *sight, struct look out[LOOKS])
{
    struct mark mark = {0};
    enum counter failed;

    mark_setup(&mark, hosts, sight->now_ns, sight->source, sight->target);
    mark.target_port = sight->target_port;
    mark.protocol = sight->protocol;
    failed = mark_hosts_counter(&mark);
    out[0] = (struct look){hosts->attempts,
                           mark_key(&mark, COUNT_PORTS_FAILED_SLOW, LIMIT_PAIR, mark_attempt_extra(&mark))};
    out[1] = (struct look){hosts->scope[LIMIT_SOURCE], mark_key(&mark, failed, LIMIT_SOURCE, mark_flow_extra(&mark))};
    out[2] = (struct look){hosts->scope[LIMIT_SOURCE], mark_key(&mark, CONTEXT_SOURCE, LIMIT_SOURCE, 0)};
    out[3] = (struct look){hosts->scope[LIMIT_PAIR], mark_key(&mark, CONTEXT_PAIR, LIMIT_PAIR, 0)};
    out[4] = (struct look){hosts->scope[LIMIT_TARGET], mark_key(&mark, COUNT_SOURCES_UNANSWERED, LIMIT_TARGET, 0)};
    if (sight->begins)
        return LOOKS_NEW;
    out[5] = (struct look){hosts->scope[LIMIT_PAIR], mark_key(&mark, CONTEXT_SERVICE, LIMIT_PAIR, mark.target_port)};
    out[6] =
        (struct look){hosts->scope[LIMIT_PAIR], mark_key(&mark, COUNT_REQUEST_SIZES, LIMIT_PAIR, mark.target_port)};
    out[7] = (struct look){hosts->scope[LIMIT_SOURCE], mark_key(&mark, COUNT_NAMES_MISSING, LIMIT_SOURCE, 0)};
    return LOOKS;
}

void hosts_prefetch(struct hosts *hosts, const struct hosts_sight *sights, size_t count)
{
    struct look look[HOSTS_SIGHTS][LOOKS];
    size_t looks[HOSTS_SIGHTS];

    for (size_t i = 0; i < count && i < HOSTS_SIGHTS; i++) {
        looks[i] = looks_of(hosts, &sights[i], look[i]);
        for (size_t k = 0; k < looks[i]; k++)
            windows_prefetch(look[i][k].windows, look[i][k].key);
    }
    for (size_t i = 0; i < count && i < HOSTS_SIGHTS; i++)
        for (size_t k = 0; k < looks[i]; k++)
            windows_prefetch_row(look[i][k].windows, look[i][k].key, sights[i].now_ns, sights[i].begins);
}
