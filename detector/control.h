/* control.h: remote controls and what bots say outside the web: their own framing, their loaders, a shell's prompt in
 * clear text, the certificates that their servers make for themselves, miners at work. */
#ifndef DETECTOR_CONTROL_H
#define DETECTOR_CONTROL_H

#include "detector/packet.h"

enum control {
    CONTROL_NONE,
    CONTROL_FRAME, /* a remote control's framing, loader or shell */
    CONTROL_BOT,   /* a bot's order, report or name */
    CONTROL_CHAT,  /* a command of IRC on a port that is not IRC's */
    CONTROL_MINER  /* work for a mine, or its result */
};

/* Of a TCP segment of at least 4 captured bytes. */
enum control control_of(const struct packet *packet);
bool control_in_datagram(
    const struct packet *packet); /* whether a datagram, of at least 4 captured bytes, is a bot's */

#endif
