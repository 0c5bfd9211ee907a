/* ports.h: what a port is commonly used for. Decides which counters a flow belongs to, never how bad it is. */
#ifndef DETECTOR_PORTS_H
#define DETECTOR_PORTS_H

#include <stdbool.h>
#include <stdint.h>

/* Those that several files ask for. */
enum {
    PORT_FTP = 21,
    PORT_TELNET = 23,
    PORT_MAIL = 25,
    PORT_DNS = 53,
    PORT_TFTP = 69,
    PORT_POP = 110,
    PORT_NAMES = 137, /* NetBIOS */
    PORT_IMAP = 143,
    PORT_LOGIN = 513,
    PORT_RDP = 3389,
    PORT_SIP = 5060
};

enum service {
    SERVICE_OTHER,
    SERVICE_LOGIN, /* asks people for a password */
    SERVICE_BOX,   /* mailboxes: a password, too, but web mail and offices open many sessions */
    SERVICE_DATA,  /* databases, directories, brokers: honest programs open many sessions */
    SERVICE_WEB,
    SERVICE_MAIL
};

enum service port_service(uint16_t port);
bool port_is_admin(uint16_t port); /* machines are taken over by it; honest clients seldom fail there at many hosts */
bool port_is_amplifier(uint16_t port); /* answers small questions of anybody with large packets */
bool port_is_server(uint16_t port);    /* above 1023 and yet a server's, not a client's */
bool port_is_peer(uint16_t port);      /* where peers look for peers, most of which are gone */
bool port_is_chat(uint16_t port);      /* IRC's */
bool port_is_collector(uint16_t port); /* takes datagrams, never answers: logs, flow records, traps, tunnels' ends */
bool port_asks_password(uint16_t port);
bool protocol_is_common(uint8_t protocol); /* above IP, on honest networks */

#endif
