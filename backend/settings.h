/* settings.h: what the operator can set, and whether it can be meant so; the table that fills it stands in main.c. */
#ifndef BACKEND_SETTINGS_H
#define BACKEND_SETTINGS_H

#include "common/config.h"
#include "common/err.h"
#include "common/folder.h"

#include <stdbool.h>

enum { SETTINGS_URI = 4096 };

struct settings {
    const char *bind;
    long port, dashboard_port; /* dashboard_port 0: none */
    long threads;
    const char *data_dir;
    const char *mongodb_uri, *mongodb_uri_file; /* neither: SQLite in data_dir */
    const char *admin_password_file;
    const char *webhook_secret_file;
    const char *jwt_key_file;
    const char *secret_key_file; /* closes the secrets of notices in the store; NULL: made in data_dir */
    const char *static_dir;
    struct config_list trusted_networks; /* may use the webhook without a credential */
    struct config_list trusted_proxies;  /* may say X-Forwarded-For */
    struct config_list allowed_origins;  /* CORS, and writes by cookie */
    struct config_list detectors;        /* NAME=URL */
    const char *detector_key_file;
    bool secure_cookies; /* the cookie gets "Secure" (behind TLS) */
    long session_hours;
    long max_streams, streams_per_user;
    long retention_days, retention_threats, retention_disk; /* 0: no limit; the last in percent */
    bool allow_private_targets;   /* notices may go to loopback, private and link-local addresses */
    bool reverse_names;           /* ask the name service for host names, see reverse.h */
    struct config_list geo_files; /* databases of places, see geo.h */
    const char *log_level;
    char installed_static_dir[FOLDER_PATH]; /* what static_dir points to where the working directory has none */
    bool log_json;
};

enum { SETTINGS_STORE = FOLDER_PATH + 16 };
void settings_sqlite(const struct settings *settings, char out[SETTINGS_STORE]); /* the file in data_dir */
/* "" when SQLite in data_dir is meant. */
bool settings_mongo_uri(const struct settings *settings, char out[SETTINGS_URI], struct err *err);

/* Everything that can be looked at without starting a server: addresses, files, keys. Makes nothing. */
bool settings_check(const struct settings *settings, struct err *err);

#endif
