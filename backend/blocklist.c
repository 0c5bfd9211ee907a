/* blocklist.c: see blocklist.h. In memory only what a request is held against: networks in order of their low end,
 * and how far the ones up to there reach, so that one search and a few steps back decide. */
#include "backend/blocklist.h"

#include "backend/store.h"
#include "backend/watch.h"
#include "common/clock.h"
#include "common/json.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "block";

struct entry {
    struct network network;
    uint8_t reach[16]; /* the highest end of this and all before it */
    int64_t expires_ms;
};

struct list {
    struct entry *entries;
    size_t count, room;
    bool failed;
};

struct blocklist {
    struct store *store;
    pthread_rwlock_t lock; /* guards list; held for one search */
    struct list list;
};

static int prefix_length(const struct network *network)
{
    int bits = 0;

    while (bits < 128 && ((network->low[bits / 8] ^ network->high[bits / 8]) & (0x80 >> bits % 8)) == 0)
        bits++;
    return bits;
}

bool block_canonical(const char *text, char out[BLOCK_ADDRESS], struct network *network, struct err *err)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    char address[INET6_ADDRSTRLEN];
    bool four;
    int bits;

    if (!network_parse(text, network, err))
        return false;
    bits = prefix_length(network);
    four = bits >= 96 && memcmp(network->low, mapped, sizeof mapped) == 0;
    if (bits < (four ? 96 + 8 : 16))
        return err_set(err, ERR_INVALID, "%.60s: too wide, it would keep everybody out", text);
    if (four)
        inet_ntop(AF_INET, network->low + 12, address, sizeof address);
    else
        inet_ntop(AF_INET6, network->low, address, sizeof address);
    if (bits == 128)
        snprintf(out, BLOCK_ADDRESS, "%s", address);
    else
        snprintf(out, BLOCK_ADDRESS, "%s/%d", address, four ? bits - 96 : bits);
    return true;
}

static bool entry_row(void *context, const char *id, int64_t version, const char *json)
{
    struct list *list = context;
    cJSON *o = json_parse(json, strlen(json), NULL);
    struct entry entry = {0};
    char address[BLOCK_ADDRESS];

    (void)id;
    (void)version;
    if (o != NULL && json_text(o, "address", address, sizeof address, NULL) &&
        network_parse(address, &entry.network, NULL) &&
        json_integer(o, "expires", 0, INT64_MAX / 2, &entry.expires_ms, NULL)) {
        if (list->count == list->room) {
            size_t room = list->room == 0 ? 64 : list->room * 2;
            struct entry *entries = realloc(list->entries, room * sizeof *entries);
            list->failed = entries == NULL;
            if (entries != NULL) {
                list->entries = entries;
                list->room = room;
            }
        }
        if (!list->failed)
            list->entries[list->count++] = entry;
    }
    cJSON_Delete(o);
    return !list->failed;
}

static int by_low(const void *a, const void *b)
{
    return memcmp(((const struct entry *)a)->network.low, ((const struct entry *)b)->network.low, 16);
}

static bool reload(void *context, struct err *err)
{
    struct blocklist *blocklist = context;
    struct list fresh = {0}, old;
    bool ok = store_doc_list(blocklist->store, kind, NULL, false, BLOCKLIST_MAX, entry_row, &fresh, err);

    if (ok && fresh.failed)
        ok = err_set(err, ERR_MEMORY, "blocklist: out of memory");
    if (!ok) {
        free(fresh.entries);
        return false;
    }
    if (fresh.count > 0)
        qsort(fresh.entries, fresh.count, sizeof fresh.entries[0], by_low);
    for (size_t i = 0; i < fresh.count; i++) {
        const uint8_t *far = fresh.entries[i].network.high;
        if (i > 0 && memcmp(fresh.entries[i - 1].reach, far, 16) > 0)
            far = fresh.entries[i - 1].reach;
        memmove(fresh.entries[i].reach, far, 16);
    }
    pthread_rwlock_wrlock(&blocklist->lock);
    old = blocklist->list;
    blocklist->list = fresh;
    pthread_rwlock_unlock(&blocklist->lock);
    free(old.entries);
    return true;
}

struct blocklist *blocklist_create(struct store *store, struct watch *watch, struct err *err)
{
    struct blocklist *blocklist = calloc(1, sizeof *blocklist);

    if (blocklist == NULL) {
        err_set(err, ERR_MEMORY, "blocklist: out of memory");
        return NULL;
    }
    blocklist->store = store;
    pthread_rwlock_init(&blocklist->lock, NULL);
    if (!watch_add(watch, kind, reload, blocklist, err)) {
        blocklist_free(blocklist);
        return NULL;
    }
    return blocklist;
}

void blocklist_free(struct blocklist *blocklist)
{
    if (blocklist == NULL)
        return;
    pthread_rwlock_destroy(&blocklist->lock);
    free(blocklist->list.entries);
    free(blocklist);
}

static bool list_has(const struct list *list, const uint8_t address[16], int64_t now_ms)
{
    size_t low = 0, high = list->count;

    while (low < high) { /* the first whose low end is above the address */
        size_t middle = low + (high - low) / 2;
        if (memcmp(list->entries[middle].network.low, address, 16) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i-- > 0 && memcmp(list->entries[i].reach, address, 16) >= 0;) {
        const struct entry *entry = &list->entries[i];
        if (network_has(&entry->network, address) && (entry->expires_ms == 0 || entry->expires_ms > now_ms))
            return true;
    }
    return false;
}

bool blocklist_has(struct blocklist *blocklist, const char *client)
{
    uint8_t address[16];
    bool has = false;

    pthread_rwlock_rdlock(&blocklist->lock);
    if (blocklist->list.count > 0 && network_address(client, address))
        has = list_has(&blocklist->list, address, clock_now_ms());
    pthread_rwlock_unlock(&blocklist->lock);
    return has;
}
