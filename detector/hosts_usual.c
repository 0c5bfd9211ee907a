/* hosts_usual.c: what looks like an attack and is the usual work of a busy host; see hosts_state.h. */
#include "detector/hosts_state.h"

#include <string.h>

enum { PROTOCOL_UDP = 17, FAR_BEYOND = 8, MAIL_SERVER = 1000 };
static const int64_t second_ns = 1000000000;

uint32_t mark_pair_flows(const struct mark *mark)
{
    double got[2];

    mark_peek_at(mark, CONTEXT_PAIR, LIMIT_PAIR, 0, 60 * second_ns, got);
    return (uint32_t)got[1];
}

bool mark_is_one_of_many(const struct mark *mark)
{
    enum {
        SPANS = 6,
        HOSTS = 30
    }; /* spans of the source's window in the pair's; hosts that many people want at once */
    double source[2], pair[2];

    mark_peek_at(mark, CONTEXT_SOURCE, LIMIT_SOURCE, 0, 10 * second_ns, source);
    mark_peek_at(mark, CONTEXT_PAIR, LIMIT_PAIR, 0, 60 * second_ns, pair);
    return source[0] >= HOSTS && SPANS * source[1] > 2 * pair[1];
}

uint32_t mark_service_sessions(const struct mark *mark)
{
    double got[2];

    mark_peek_at(mark, CONTEXT_SERVICE, LIMIT_PAIR, mark->target_port, 60 * second_ns, got);
    return (uint32_t)got[1];
}

/* Datagrams to ever other ports are a scan or a flood; within half a second a flood has shown itself as one. */
static bool may_be_flood(const struct mark *mark, enum counter counter, const struct window *window)
{
    return (counter == COUNT_PORTS_FAILED || counter == COUNT_PORTS_FAILED_SLOW) && mark->protocol == PROTOCOL_UDP &&
           !mark->over && window != NULL && mark->now_ns - window->first_ns < second_ns / 2;
}

/* So much else goes on beside it that what fails is the usual share. */
static bool is_usual_share(const struct limit *limit, double value, const struct window *window)
{
    enum { FAR_MORE = 4 };
    double share = value < FAR_BEYOND * limit->limit ? limit->share : FAR_MORE * limit->share;

    return limit->share > 0 && window != NULL && window_sum(window) > share * value;
}

/* Where hundreds log in, some mistype: a mail page, a directory's clients. */
static bool is_slip_of_many(const struct mark *mark, enum counter counter, double value)
{
    enum { FEW = 8, MINUTES = 10 };

    return (counter == COUNT_LOGINS_REFUSED && mark_service_sessions(mark) > FEW * value) ||
           (counter == COUNT_LOGINS_REFUSED_SLOW && mark_service_sessions(mark) * MINUTES > FEW * value);
}

/* Who is asked by others hands on what many people want: a proxy, an application's server. So does an address that
 * many share; whoever looks for something in one server has little else to do. */
static bool is_relayed(const struct mark *mark, enum counter counter, double value)
{
    enum { ASKED = 3 };
    struct mark served = *mark;
    double got[2];

    if ((counter != COUNT_REQUEST_SIZES && counter != COUNT_PAGES_MISSING && counter != COUNT_WEB_SESSIONS &&
         counter != COUNT_LOGINS_DATA && counter != COUNT_FLOWS_UNANSWERED) ||
        value >= FAR_BEYOND * limits[counter].limit)
        return false;
    if (counter != COUNT_FLOWS_UNANSWERED && counter != COUNT_LOGINS_DATA && mark_is_one_of_many(mark))
        return true;
    served.target_hash = window_hash(2, mark->source, 16);
    mark_peek(&served, COUNT_SOURCES_UNANSWERED, 0, got);
    return got[1] - got[0] >= ASKED;
}

bool mark_is_usual(const struct mark *mark, enum counter counter, double value, const struct window *window)
{
    return may_be_flood(mark, counter, window) || is_usual_share(&limits[counter], value, window) ||
           is_relayed(mark, counter, value) || is_slip_of_many(mark, counter, value);
}

static uint64_t mail_server_key(uint64_t host_hash)
{
    return window_mix(MAIL_SERVER, host_hash) | 1;
}

/* A host that took mail in the last ten minutes hands it on: a mail server, no bot. */
void mark_mail(struct mark *mark)
{
    struct window taken;

    if (!windows_peek(mark->hosts->scope[LIMIT_SOURCE], mail_server_key(mark->source_hash), mark->now_ns,
                      600 * second_ns, &taken) ||
        window_sum(&taken) == 0)
        mark_count(mark, COUNT_MAIL_HOSTS, 0, mark->target_hash, 1);
}

void mark_mail_taken(struct mark *mark)
{
    window_add(windows_at(mark->hosts->scope[LIMIT_SOURCE], mail_server_key(window_hash(1, mark->target, 16)),
                          mark->now_ns, 600 * second_ns, true),
               mark->source_hash);
}

/* What was over within that half second is looked at again when its flows end: a flood has been told by then. */
void mark_scan_over(struct mark *mark)
{
    const struct window *row = windows_find(
        mark->hosts->attempts, mark_key(mark, COUNT_PORTS_FAILED_SLOW, LIMIT_PAIR, mark_attempt_extra(mark)));

    if (row != NULL && mark->now_ns - row->first_ns < second_ns / 2)
        mark_check(mark, COUNT_PORTS_FAILED_SLOW, window_distinct(row), row);
}
