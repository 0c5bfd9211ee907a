"""nfstream_meter.py CAPTURE: NFStream's flow statistics by one meter, nothing dissected; prints what it counted."""
import sys

from nfstream import NFStreamer

flows = packets = 0
for flow in NFStreamer(source=sys.argv[1], statistical_analysis=True, splt_analysis=0, n_meters=1, n_dissections=0, idle_timeout=120,
                       active_timeout=1800):
    flows += 1
    packets += flow.bidirectional_packets
print(f"flows={flows} packets={packets}")
