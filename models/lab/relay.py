"""The length of the wire: copies frames between two interfaces with a delay, a jitter and a loss; `relay.py A B MS JITTER LOSS`.

A frame never overtakes an earlier one of its direction. Written here because not every kernel has a delaying queue.
"""
import heapq
import random
import select
import socket
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4


def main():
    names, delay, jitter, loss = sys.argv[1:3], float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 1e3, float(sys.argv[5])
    ends = []
    for name in names:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        end.bind((name, 0))
        end.setblocking(False)
        ends.append(end)
    rng = random.Random(7)
    waiting, last, number = [], [0.0, 0.0], 0
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 1.0
        ready, _, _ = select.select(ends, [], [], pause)
        now = time.monotonic()
        for end in ready:
            side = ends.index(end)
            for _ in range(256):
                try:
                    frame, origin = end.recvfrom(65535)
                except BlockingIOError:
                    break
                if origin[2] == PACKET_OUTGOING or (loss and rng.random() < loss):
                    continue
                due = max(last[side], now + max(0.0, rng.gauss(delay, jitter)))
                last[side] = due
                number += 1
                heapq.heappush(waiting, (due, number, 1 - side, frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, side, frame = heapq.heappop(waiting)
            try:
                ends[side].send(frame)
            except OSError:
                pass


main()
