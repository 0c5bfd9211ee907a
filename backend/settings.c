/* settings.c: see settings.h. */
#include "backend/settings.h"

#include "backend/auth.h"
#include "backend/detector_client.h"
#include "backend/geo.h"
#include "backend/network.h"
#include "backend/seal.h"
#include "backend/store.h"
#include "backend/webhook.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty setting is none. */
static const char *given(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

void settings_sqlite(const struct settings *settings, char out[SETTINGS_STORE])
{
    snprintf(out, SETTINGS_STORE, "%s/threatline.db", settings->data_dir);
}

bool settings_mongo_uri(const struct settings *settings, char out[SETTINGS_URI], struct err *err)
{
    const char *file = given(settings->mongodb_uri_file), *uri = given(settings->mongodb_uri);

    out[0] = '\0';
    if (file != NULL)
        return config_read_secret(file, out, SETTINGS_URI, err) || err_prefix(err, "mongodb-uri-file");
    if (uri != NULL && snprintf(out, SETTINGS_URI, "%s", uri) >= SETTINGS_URI)
        return err_set(err, ERR_INVALID, "mongodb-uri: expected at most %d bytes", SETTINGS_URI - 1);
    return true;
}

static bool store_fits(const struct settings *settings, struct err *err)
{
    char *uri = malloc(SETTINGS_URI);
    bool ok = uri != NULL && (folder_fits(settings->data_dir, err) || err_prefix(err, "data-dir")) &&
              settings_mongo_uri(settings, uri, err) && (uri[0] == '\0' || store_check_mongo(uri, err));

    free(uri);
    return ok;
}

static bool listens_fit(const struct settings *settings, struct err *err)
{
    struct in_addr address;
    struct stat info;
    const char *pages = given(settings->static_dir);

    if (inet_pton(AF_INET, settings->bind, &address) != 1)
        return err_set(err, ERR_INVALID, "bind: expected an IPv4 address, got \"%s\"", settings->bind);
    if (settings->port != 0 && settings->port == settings->dashboard_port)
        return err_set(err, ERR_INVALID, "dashboard-port: %ld is the port of the API", settings->port);
    if (settings->dashboard_port >= 0 && pages != NULL && (stat(pages, &info) != 0 || !S_ISDIR(info.st_mode)))
        return err_set(err, ERR_INVALID, "static-dir: %s is no directory", pages);
    return true;
}

/* Compared as a text with what a browser sends: with a path or a slash at its end it would fit none. */
static bool origins_fit(const struct config_list *origins, struct err *err)
{
    for (size_t i = 0; i < origins->count; i++) {
        const char *origin = origins->items[i], *host = strstr(origin, "://");

        if (host == NULL || host == origin || host[3] == '\0' || strpbrk(host + 3, "/?#* ") != NULL)
            return err_set(err, ERR_INVALID, "allowed-origins: %s: expected https://HOST[:PORT] or http://, no path",
                           origin);
    }
    return true;
}

static bool networks_fit(const struct config_list *list, const char *name, struct err *err)
{
    struct networks *networks = calloc(1, sizeof *networks);
    bool ok = networks != NULL && networks_read(networks, list, err);

    free(networks);
    return ok || err_prefix(err, "%s", name);
}

static bool webhook_fits(const struct settings *settings, struct err *err)
{
    const char *file = given(settings->webhook_secret_file);
    struct webhook *webhook = file != NULL ? webhook_open(file, err) : NULL;

    webhook_close(webhook);
    return file == NULL || webhook != NULL || err_prefix(err, "webhook-secret-file");
}

static bool detectors_fit(const struct settings *settings, struct err *err)
{
    struct detectors *detectors = detectors_open(&settings->detectors, given(settings->detector_key_file), err);

    detectors_close(detectors);
    return detectors != NULL;
}

static bool keys_fit(const struct settings *settings, struct err *err)
{
    const char *sealing = given(settings->secret_key_file), *tokens = given(settings->jwt_key_file);
    struct auth_key key;
    struct seal *seal = NULL;
    bool ok = tokens == NULL || auth_key_read(&key, tokens, err);

    explicit_bzero(&key, sizeof key);
    if (ok && sealing != NULL && access(sealing, F_OK) == 0) /* none yet: it is made at the start */
        ok = (seal = seal_open(sealing, err)) != NULL || err_prefix(err, "secret-key-file");
    seal_close(seal);
    return ok;
}

/* It is only read where there is no user yet: with a store it may be gone. */
static bool admin_fits(const struct settings *settings, struct err *err)
{
    const char *file = given(settings->admin_password_file);
    char path[SETTINGS_STORE], password[1024];
    bool ok;

    settings_sqlite(settings, path);
    if (file == NULL || given(settings->mongodb_uri) != NULL || given(settings->mongodb_uri_file) != NULL ||
        access(path, F_OK) == 0)
        return true;
    ok = config_read_secret(file, password, sizeof password, err) || err_prefix(err, "admin-password-file");
    explicit_bzero(password, sizeof password);
    return ok;
}

static bool places_fit(const struct config_list *files, struct err *err)
{
    for (size_t i = 0; i < files->count; i++) {
        struct geo *geo = geo_open(files->items[i], err);

        geo_close(geo);
        if (geo == NULL)
            return false;
    }
    return true;
}

bool settings_check(const struct settings *settings, struct err *err)
{
    return listens_fit(settings, err) && origins_fit(&settings->allowed_origins, err) &&
           networks_fit(&settings->trusted_networks, "trusted-networks", err) &&
           networks_fit(&settings->trusted_proxies, "trusted-proxies", err) && store_fits(settings, err) &&
           keys_fit(settings, err) && webhook_fits(settings, err) && detectors_fit(settings, err) &&
           admin_fits(settings, err) && places_fit(&settings->geo_files, err);
}
