/* ports.c: see ports.h. */
#include "detector/ports.h"

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
        [22] = SERVICE_LOGIN,   [23] = SERVICE_LOGIN,   [110] = SERVICE_LOGIN,  [143] = SERVICE_LOGIN,
        [512] = SERVICE_LOGIN,  [513] = SERVICE_LOGIN,  [514] = SERVICE_LOGIN,  [990] = SERVICE_LOGIN,
        [992] = SERVICE_LOGIN,  [993] = SERVICE_LOGIN,  [995] = SERVICE_LOGIN,  [2222] = SERVICE_LOGIN,
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
