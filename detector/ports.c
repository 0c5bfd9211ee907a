/* ports.c: see ports.h. */
#include "detector/ports.h"

#include <string.h>

#include <stddef.h>

static bool is_one_of(uint16_t port, const uint16_t *ports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ports[i] == port)
            return true;
    }
    return false;
}
#define IS_ONE_OF(port, list) is_one_of(port, list, sizeof(list) / sizeof(list)[0])

enum service port_service(uint16_t port)
{
    static const uint8_t services[UINT16_MAX + 1] = {
        [25] = SERVICE_MAIL,    [465] = SERVICE_MAIL,   [587] = SERVICE_MAIL,   [21] = SERVICE_LOGIN,
        [22] = SERVICE_LOGIN,   [23] = SERVICE_LOGIN,   [110] = SERVICE_BOX,    [143] = SERVICE_BOX,
        [512] = SERVICE_LOGIN,  [513] = SERVICE_LOGIN,  [514] = SERVICE_LOGIN,  [990] = SERVICE_LOGIN,
        [992] = SERVICE_LOGIN,  [993] = SERVICE_BOX,    [995] = SERVICE_BOX,    [2222] = SERVICE_LOGIN,
        [2323] = SERVICE_LOGIN, [3389] = SERVICE_LOGIN, [5900] = SERVICE_LOGIN, [5901] = SERVICE_LOGIN,
        [5985] = SERVICE_LOGIN, [5986] = SERVICE_LOGIN, [88] = SERVICE_DATA,    [135] = SERVICE_DATA,
        [139] = SERVICE_DATA,   [389] = SERVICE_DATA,   [445] = SERVICE_DATA,   [636] = SERVICE_DATA,
        [1433] = SERVICE_DATA,  [1521] = SERVICE_DATA,  [3268] = SERVICE_DATA,  [3306] = SERVICE_DATA,
        [5432] = SERVICE_DATA,  [5984] = SERVICE_DATA,  [6379] = SERVICE_DATA,  [9042] = SERVICE_DATA,
        [9200] = SERVICE_DATA,  [11211] = SERVICE_DATA, [27017] = SERVICE_DATA, [50000] = SERVICE_DATA,
        [80] = SERVICE_WEB,     [81] = SERVICE_WEB,     [443] = SERVICE_WEB,    [591] = SERVICE_WEB,
        [3000] = SERVICE_WEB,   [5000] = SERVICE_WEB,   [8000] = SERVICE_WEB,   [8008] = SERVICE_WEB,
        [8080] = SERVICE_WEB,   [8081] = SERVICE_WEB,   [8088] = SERVICE_WEB,   [8443] = SERVICE_WEB,
        [8888] = SERVICE_WEB,   [9000] = SERVICE_WEB,   [9443] = SERVICE_WEB,   [1883] = SERVICE_DATA,
        [8883] = SERVICE_DATA,  [5672] = SERVICE_DATA,
    };

    return services[port];
}

bool port_is_admin(uint16_t port)
{
    static const uint16_t ports[] = {22, 23, 135, 139, 445, 1433, 2222, 2323, 3389, 5555, 5900, 7547, 37215, 52869};

    return IS_ONE_OF(port, ports);
}

bool port_is_amplifier(uint16_t port)
{
    static const uint16_t ports[] = {17, 19, 53, 111, 123, 137, 161, 389, 520, 1900, 3702, 5353, 5683, 11211};

    return IS_ONE_OF(port, ports);
}

bool port_is_server(uint16_t port)
{
    static const uint16_t ports[] = {1900, 3478, 3702, 5060, 5353, 5683, 11211};

    return IS_ONE_OF(port, ports);
}

/* IPFS, eDonkey, BitTorrent, Bitcoin, Monero, Syncthing, Tendermint, Ethereum. */
bool port_is_peer(uint16_t port)
{
    static const uint16_t ports[] = {4001, 4662, 8333, 8999, 18080, 22000, 26656, 30303, 51413};

    return (port >= 6881 && port <= 6889) || IS_ONE_OF(port, ports);
}

bool port_is_chat(uint16_t port)
{
    return (port >= 6660 && port <= 6669) || port == 194 || port == 994 || port == 6697 || port == 7000 ||
           port == 8000 || port == 8001 || port == 8067;
}

bool port_is_collector(uint16_t port)
{
    static const uint16_t ports[] = {138,  162,  514,  601,  1514,  2003,  2055,  2056, 4739, 4789,
                                     5140, 5514, 6081, 6343, 6514,  6831,  8089,  8094, 8125, 8126,
                                     8472, 9555, 9995, 9996, 10514, 12201, 20514, 25826};

    return IS_ONE_OF(port, ports);
}

bool port_asks_password(uint16_t port)
{
    enum service service = port_service(port);

    return service == SERVICE_LOGIN || service == SERVICE_BOX || (port >= 5631 && port <= 5632); /* pcAnywhere */
}

bool protocol_is_common(uint8_t protocol)
{
    static const uint8_t common[] = {0, 1, 2, 6, 17, 41, 47, 50, 51, 58, 59, 60, 88, 89, 103, 112, 115, 132};

    return memchr(common, protocol, sizeof common) != NULL;
}
