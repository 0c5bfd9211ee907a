/* network.c: addresses as 16 bytes. */
#include "backend/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool network_address(const char *text, uint8_t out[16])
{
    uint8_t four[4];

    if (inet_pton(AF_INET, text, four) == 1) {
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + 12, four, 4);
        return true;
    }
    return inet_pton(AF_INET6, text, out) == 1;
}

bool network_parse(const char *text, struct network *out, struct err *err)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
    long bits = 128, most;
    char *end = NULL;

    if (length >= sizeof address)
        return err_set(err, ERR_INVALID, "%.80s: expected an address or a network", text);
    memcpy(address, text, length);
    address[length] = '\0';
    if (!network_address(address, out->low))
        return err_set(err, ERR_INVALID, "%.80s: expected an address or a network", text);
    if (slash != NULL) {
        most = strchr(address, ':') == NULL ? 32 : 128;
        if (slash[1] < '0' || slash[1] > '9')
            return err_set(err, ERR_INVALID, "%.80s: expected a prefix length from 0 to %ld", text, most);
        bits = strtol(slash + 1, &end, 10);
        if (*end != '\0' || bits > most)
            return err_set(err, ERR_INVALID, "%.80s: expected a prefix length from 0 to %ld", text, most);
        bits += 128 - most;
    }
    for (int i = 0; i < 16; i++) {
        long kept = bits - i * 8;
        uint8_t mask = kept >= 8 ? 0xff : kept <= 0 ? 0 : (uint8_t)(0xff << (8 - kept));

        out->low[i] &= mask;
        out->high[i] = (uint8_t)(out->low[i] | (uint8_t)~mask);
    }
    return true;
}

bool network_has(const struct network *network, const uint8_t address[16])
{
    return memcmp(network->low, address, 16) <= 0 && memcmp(address, network->high, 16) <= 0;
}

bool networks_read(struct networks *out, const struct config_list *texts, struct err *err)
{
    out->count = 0;
    for (size_t i = 0; i < texts->count; i++) {
        if (!network_parse(texts->items[i], &out->items[out->count], err))
            return false;
        out->count++;
    }
    return true;
}

bool networks_have(const struct networks *networks, const char *address)
{
    uint8_t bytes[16];

    if (!network_address(address, bytes))
        return false;
    for (size_t i = 0; i < networks->count; i++)
        if (network_has(&networks->items[i], bytes))
            return true;
    return false;
}
