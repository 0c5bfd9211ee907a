/* geo.c: see geo.h. */
#include "backend/geo.h"

#include "backend/network.h"
#include "backend/target_guard.h"

#include <arpa/inet.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct geo {
    MMDB_s file;
};

struct geo *geo_open(const char *path, struct err *err)
{
    struct geo *geo = calloc(1, sizeof *geo);
    int status;

    if (geo == NULL) {
        err_set(err, ERR_MEMORY, "geo: out of memory");
        return NULL;
    }
    status = MMDB_open(path, MMDB_MODE_MMAP, &geo->file);
    if (status == MMDB_SUCCESS)
        return geo;
    err_set(err, ERR_INVALID, "geo file %s: %s", path, MMDB_strerror(status));
    free(geo);
    return NULL;
}

void geo_close(struct geo *geo)
{
    if (geo == NULL)
        return;
    MMDB_close(&geo->file);
    free(geo);
}

static void take_text(MMDB_entry_s *entry, char *out, size_t size, const char *const *path)
{
    MMDB_entry_data_s data;

    out[0] = '\0';
    if (MMDB_aget_value(entry, &data, path) == MMDB_SUCCESS && data.has_data &&
        data.type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size < size) {
        memcpy(out, data.utf8_string, data.data_size);
        out[data.data_size] = '\0';
    }
}

static void take_number(MMDB_entry_s *entry, uint32_t *out, const char *const *path)
{
    MMDB_entry_data_s data;

    if (MMDB_aget_value(entry, &data, path) == MMDB_SUCCESS && data.has_data && data.type == MMDB_DATA_TYPE_UINT32)
        *out = data.uint32;
}

static bool to_socket(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1)
        out->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1)
        out->ss_family = AF_INET6;
    return out->ss_family != 0;
}

bool geo_find(struct geo *geo, const char *address, struct geo_place *out)
{
    static const char *const country[] = {"country", "iso_code", NULL},
                             *const name[] = {"country", "names", "en", NULL},
                             *const city[] = {"city", "names", "en", NULL},
                             *const asn[] = {"autonomous_system_number", NULL},
                             *const network[] = {"autonomous_system_organization", NULL};
    struct sockaddr_storage socket_address;
    MMDB_lookup_result_s found;
    int error = 0;

    if (!to_socket(address, &socket_address) || !target_guard_public((const struct sockaddr *)&socket_address))
        return false;
    found = MMDB_lookup_sockaddr(&geo->file, (const struct sockaddr *)&socket_address, &error);
    if (error != MMDB_SUCCESS || !found.found_entry)
        return false;
    *out = (struct geo_place){0};
    take_text(&found.entry, out->country, sizeof out->country, country);
    take_text(&found.entry, out->name, sizeof out->name, name);
    take_text(&found.entry, out->city, sizeof out->city, city);
    take_text(&found.entry, out->network, sizeof out->network, network);
    take_number(&found.entry, &out->asn, asn);
    return out->country[0] != '\0' || out->city[0] != '\0' || out->asn != 0;
}
