"""scanners.py INTERFACE COUNT: COUNT short scans by as many sources as raw frames, one every 50 ms, inside a namespace."""
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from crafted import ethernet, scan  # noqa: E402

interface, count = sys.argv[1], int(sys.argv[2])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((interface, 0))
for n in range(count):
    began = time.monotonic()
    for _, packet in scan(source=f"10.50.{n // 200}.{n % 200 + 1}", target=f"10.51.0.{n % 100 + 1}", ports=range(1, 61)):
        wire.send(ethernet(packet))
    time.sleep(max(0, 0.05 - (time.monotonic() - began)))
