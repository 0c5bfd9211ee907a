/* service.h: the rooms opened in order, and closed in the opposite one.
 *
 * Stop: no new requests and streams, running handlers end (their commits are finished), then the committer, then the
 * streams are told to come back, then the store. */
#ifndef BACKEND_SERVICE_H
#define BACKEND_SERVICE_H

#include "backend/api.h"

struct service;
/* The command "user": see console.h. False: the store cannot be opened. Neither command makes one. */
bool service_users(const struct settings *settings, int argc, char **argv, int *status, struct err *err);

/* The command "backup FILE": a whole copy of the store, while another process may be serving it. */
bool service_backup(const struct settings *settings, const char *file, struct err *err);

struct service *service_open(const struct settings *settings, struct err *err);
void service_close(struct service *service);

int service_port(const struct service *service, size_t index); /* 0: the API, 1: the dashboard */
void service_tick(struct service *service);                    /* a few times a second */
bool service_reload(struct service *service, struct err *err); /* SIGHUP: webhook secrets */

#endif
