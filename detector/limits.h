/* limits.h: from which count on traffic is an attack. The one table of all limits, with reasons.
 *
 * benign_max is the highest value met on benign captures (docs/limits.md says which); a limit is about twice
 * that, or more where few captures show the behaviour at all. */
#ifndef DETECTOR_LIMITS_H
#define DETECTOR_LIMITS_H

#include <stddef.h>
#include <stdint.h>

enum counter {
    COUNT_PORTS_FAILED,
    COUNT_PORTS_FAILED_SLOW,
    COUNT_PORTS_REFUSED_UDP,
    COUNT_ODD_PROBES,
    COUNT_PROTOCOLS,
    COUNT_HOSTS_FAILED,
    COUNT_HOSTS_FAILED_HIGH,
    COUNT_HOSTS_FAILED_ADMIN,
    COUNT_HOSTS_PINGED,
    COUNT_HOSTS_SILENT,
    COUNT_HOSTS_ASKED,
    COUNT_ICMP_PROBES,
    COUNT_LOGINS,
    COUNT_LOGINS_SLOW,
    COUNT_LOGINS_DATA,
    COUNT_LOGINS_REFUSED,
    COUNT_LOGINS_REFUSED_SLOW,
    COUNT_BANNERS,
    COUNT_COMMUNITIES,
    COUNT_REQUEST_SIZES,
    COUNT_REQUEST_PATTERNS,
    COUNT_SPOILS,
    COUNT_PAGES_MISSING,
    COUNT_SLOW_REQUESTS,
    COUNT_FILLERS,
    COUNT_WEB_SESSIONS,
    COUNT_SOURCES_UNANSWERED,
    COUNT_SOURCES_HALF_OPEN,
    COUNT_FLOWS_HALF_OPEN,
    COUNT_SOURCES_STRAY,
    COUNT_SOURCES_PINGING,
    COUNT_SOURCES_IMPOSSIBLE,
    COUNT_FLOWS_UNANSWERED,
    COUNT_ONE_WAY_RATE,
    COUNT_PING_RATE,
    COUNT_REFLECTORS,
    COUNT_REFLECTED_FLOWS,
    COUNT_REFLECTED_RATE,
    COUNT_AMPLIFIED,
    COUNT_NAMES_MISSING,
    COUNT_SUBNAMES_MISSING,
    COUNT_MAIL_HOSTS,
    COUNT_BOT_REQUESTS,
    COUNT_CONTROL,
    COUNT_CHAT,
    COUNT_KEYED,
    COUNT_DISGUISES,
    COUNT_MINING,
    COUNT_EXPLOITS,
    COUNT_EXPLOIT_DATAGRAMS,
    COUNT_DNS_NAMES,
    COUNT_DNS_SUBNAMES,
    COUNT_DNS_BYTES,
    COUNT_DNS_NAME_LENGTH,
    COUNT_DNS_ENCODED,
    COUNT_DNS_UNANSWERED,
    COUNT_ICMP_UNLIKE,
    COUNT_ICMP_CONTENTS,
    COUNT_IMPOSSIBLE,
    COUNT_LEASES,
    COUNT_ROUTERS,
    COUNT_FORGED,
    COUNT_CLAIMED_NAMES,
    COUNT_FUNCTIONS,
    COUNT_RENEGOTIATIONS,
    COUNTERS
};

/* To whom the counter belongs: what its window's key holds, and so what an incident of it is about. */
enum limit_scope {
    LIMIT_PAIR,   /* a source and a target */
    LIMIT_SOURCE, /* a source, whatever its targets */
    LIMIT_TARGET, /* a target, whatever its sources */
    LIMIT_NETWORK /* all that is seen: neither end says anything */
};

enum limit_kind {
    LIMIT_DISTINCT, /* different items in the window */
    LIMIT_SUM,      /* events in the window */
    LIMIT_DIRECT    /* a value of one flow or packet */
};

struct limit {
    const char *counter; /* its name in a threat's explanation */
    const char *type;    /* of the threat */
    enum limit_scope scope;
    enum limit_kind kind;
    int32_t window_s;
    double limit;      /* at this value it is an attack */
    double benign_max; /* the most that benign traffic showed */
    const char *reason;
    /* For what fails now and then wherever much is done (a proxy's or a resolver's): no attack while more than so
     * many events stand beside each item counted, unless it is far beyond the limit. 0: not looked at. */
    double share;
};

extern const struct limit limits[COUNTERS];

#endif
