"""Mininet building the line of emu.bench.line: `COUNT=ROUTERS mn --custom mininet_line.py`.

Its hosts stand for hosts and routers alike, as is usual with it. Runs in whatever Python `mn` runs in.
"""

import json
import os
import sys
import time

from mininet.net import Mininet

began = time.perf_counter()
count = int(os.environ["COUNT"])
net = Mininet(controller=None)
for number in range(count):
    router = net.addHost(f"R{number}", ip=None)
    first, second = (f"10.0.{4 * number // 256}.{4 * number % 256 + own}" for own in (1, 2))
    host = net.addHost(f"H{number}", ip=f"{first}/30", defaultRoute=f"via {second}")
    if number:
        left, right = (f"10.128.{2 * number // 256}.{2 * number % 256 + own}/31" for own in (0, 1))
        net.addLink(f"R{number - 1}", router, params1={"ip": left}, params2={"ip": right})
    net.addLink(router, host, params1={"ip": f"{second}/30"}, params2={"ip": f"{first}/30"})
net.start()
for number in range(count):
    net[f"R{number}"].cmd("sysctl -w net.ipv4.ip_forward=1")
seconds = time.perf_counter() - began
facts = {"nodes": len(net.hosts), "links": len(net.links), "seconds": {"total": seconds}}
print(json.dumps(facts), flush=True)
sys.stdin.read()
net.stop()
sys.exit(0)
