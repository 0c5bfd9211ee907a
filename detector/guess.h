/* guess.h: the name and the password that one message tries, where they stand in it: a form (in the address or the
 * body), an object of JSON, WordPress' XML-RPC, RTSP's basic authentication, a registration of SIP; or a name of a
 * mailbox (VRFY of SMTP).
 *
 * Nobody has many passwords: whoever tries another for the same name was refused, whatever the answer looked like.
 * Reads only what it is given, keeps nothing. */
#ifndef DETECTOR_GUESS_H
#define DETECTOR_GUESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guess {
    uint64_t name, password; /* hashes */
};

/* A request of HTTP: its address, and its body where that is there. */
bool guess_in_request(const uint8_t *bytes, size_t length, struct guess *out);
/* A body that came in a segment of its own. */
bool guess_in_body(const uint8_t *bytes, size_t length, struct guess *out);
bool guess_in_stream(const uint8_t *bytes, size_t length, struct guess *out); /* a request of RTSP */
bool guess_in_mail(const uint8_t *bytes, size_t length, struct guess *out);   /* a command of SMTP */
/* What is said before a server lets in or refuses; either may be 0, where it is said by itself. */
bool guess_in_command(const uint8_t *bytes, size_t length, struct guess *out);      /* USER or PASS of FTP, POP3 */
bool guess_in_box(const uint8_t *bytes, size_t length, struct guess *out);          /* LOGIN of IMAP */
bool guess_in_connect(const uint8_t *bytes, size_t length, struct guess *out);      /* MQTT */
bool guess_in_bind(const uint8_t *bytes, size_t length, struct guess *out);         /* LDAP */
bool guess_in_registration(const uint8_t *bytes, size_t length, struct guess *out); /* a REGISTER of SIP */

#endif
