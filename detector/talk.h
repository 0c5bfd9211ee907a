/* talk.h: what the first bytes of a TCP segment, or of a datagram of SIP, SNMP and others, say that flow figures
 * cannot: an intruder's remote control (control.h), a break-in (exploit.h), a refused log-in, the filler of an
 * overflow.
 *
 * Reads only what it is given, keeps nothing, and looks at the port first, so that most segments cost a few
 * comparisons. Encrypted traffic says nothing here. */
#ifndef DETECTOR_TALK_H
#define DETECTOR_TALK_H

#include "detector/guess.h"
#include "detector/packet.h"

enum talk {
    TALK_NOTHING,
    TALK_REQUEST, /* of HTTP */
    TALK_BODY,    /* of a request whose head came before: an attack */
    TALK_MISSING, /* HTTP: bad request, forbidden or not found */
    TALK_CHAT,    /* a command of IRC on a port that is not IRC's */
    TALK_CONTROL, /* a remote-control tool's own framing, its loader, or a shell's prompt */
    TALK_BOT,     /* what a bot says or is told outside the web */
    TALK_MINER,   /* work for a mine of coins, or its result */
    TALK_EXPLOIT, /* a message that breaks into a service outside the web */
    TALK_EXPLOIT_DATAGRAM,
    TALK_SPOILS,    /* HTTP: an answer that shows that an attack has worked */
    TALK_DISGUISE,  /* HTTP: a program told to be a picture or a page, or a script that loads one */
    TALK_BANNER,    /* a client greets a service that asks for a password (SSH, VNC), on whatever port */
    TALK_REFUSED,   /* a server tells that name or password are wrong */
    TALK_LET_IN,    /* or that they are right: FTP, WinRM */
    TALK_LOGIN,     /* a name or a password in clear text, which the answer may refuse (talk_login) */
    TALK_LOG,       /* a line of a log on the port that is also rsh's */
    TALK_GUESS,     /* a name and a password outside a request's first segment (talk_guess) */
    TALK_LEASE,     /* a card asks for an address: DHCP (talk_maker) */
    TALK_NAME,      /* somebody says a name is his: LLMNR, NetBIOS (talk_name) */
    TALK_FUNCTION,  /* Modbus: there is no such function, or no such unit (talk_function) */
    TALK_KEYS,      /* TLS: a client wants new keys in a connection that has some */
    TALK_DENIED,    /* HTTP: a password is wanted, or another one */
    TALK_COMMUNITY, /* a question of SNMP, with its community's name in clear text */
    TALK_FILLER,    /* the same few bytes over and over, to a service that asks for a password */
    TALK_KEYED      /* a page that repeats a short key of letters: a program hidden under it */
};

enum talk talk_of(const struct packet *packet);       /* of a TCP or UDP packet */
uint64_t talk_community(const struct packet *packet); /* a hash of the name in a TALK_COMMUNITY */
bool talk_guess(const struct packet *packet, struct guess *out);
bool talk_login(const struct packet *packet, struct guess *out); /* name or password 0: not said here */
uint64_t talk_maker(const struct packet *packet);                /* a hash of who made the card */
uint64_t talk_name(const struct packet *packet);                 /* a hash of the name */
uint64_t talk_function(const struct packet *packet);             /* which, of which unit */

#endif
