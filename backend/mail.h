/* mail.h: one plain-text e-mail by SMTP (libcurl). TLS is used where the server offers it, and demanded for smtps://
 * and where there is a password. */
#ifndef BACKEND_MAIL_H
#define BACKEND_MAIL_H

#include "common/err.h"

#include <stdbool.h>

enum { MAIL_RECIPIENTS = 10, MAIL_TIMEOUT_MS = 15000 };

struct mail {
    const char *url;                 /* smtp://HOST:PORT or smtps://HOST:PORT */
    const char *from, *to;           /* addresses; to: comma-separated, at most MAIL_RECIPIENTS */
    const char *username, *password; /* "": none */
    const char *id;                  /* for Message-ID */
    const char *subject, *body;      /* control bytes are taken out of the subject */
    bool all_addresses;              /* also servers whose address is not public */
};

bool mail_address_is_fine(const char *address); /* one "name@host" without anything that could end a header */
bool mail_send(const struct mail *mail, struct err *err);

#endif
