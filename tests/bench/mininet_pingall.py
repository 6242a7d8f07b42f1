"""Mininet's `pingAll` on one switch, a Linux bridge: `COUNT=HOSTS mn --custom mininet_pingall.py`."""

import json
import os
import sys
import time

from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo

net = Mininet(SingleSwitchTopo(int(os.environ["COUNT"])), switch=LinuxBridge, controller=None)
net.start()
began = time.perf_counter()
lost = net.pingAll()
seconds = {"pingall": time.perf_counter() - began}
if lost:
    sys.exit(f"{lost} % of the pings were lost")
print(json.dumps({"seconds": seconds}), flush=True)
sys.stdin.read()
net.stop()
sys.exit(0)
