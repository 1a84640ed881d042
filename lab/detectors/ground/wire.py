"""The network between members and the site: two tunnel devices, packets passed between them late, and kept.

    wire.py CLIENT_DEVICE SERVER_DEVICE DELAY_MS JITTER_MS

Each direction is a line: a packet leaves DELAY_MS after it came, and an exponential JITTER_MS (mean) later, never before
the one in front of it. Standard input names a file: from then on packets are kept there (pcap, link type 101: bare IP),
with the time at the client's end. Every file name is answered by a line, once the file before is closed. Ends with its input.
"""

import collections
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
PCAP_HEAD = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)
LARGEST = 65535


def open_tunnel(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


class Line:
    """One direction. `at_entry`: packets are kept when they come, otherwise when they leave."""

    def __init__(self, source, target, at_entry):
        self.source, self.target, self.at_entry = source, target, at_entry
        self.waiting = collections.deque()
        self.free = 0.0

    def take(self, now, delay, jitter, keep):
        while True:
            try:
                packet = os.read(self.source, LARGEST)
            except (BlockingIOError, OSError):
                return
            late = random.expovariate(1 / jitter) if jitter > 0 else 0.0
            self.free = max(self.free, now + delay + late)
            self.waiting.append((self.free, packet))
            if self.at_entry:
                keep(packet)

    def give(self, now, keep):
        while self.waiting and self.waiting[0][0] <= now:
            _, packet = self.waiting.popleft()
            try:
                os.write(self.target, packet)
            except OSError:
                continue  # The device is not up yet, or not any more.
            if not self.at_entry:
                keep(packet)


class Tape:
    def __init__(self):
        self.file = None

    def begin(self, name):
        if self.file is not None:
            self.file.close()
        self.file = open(name, "wb") if name else None
        if self.file is not None:
            self.file.write(PCAP_HEAD)

    def keep(self, packet):
        if self.file is None:
            return
        now = time.time_ns()
        self.file.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(packet), len(packet)) + packet)


def main():
    client_name, server_name, delay_ms, jitter_ms = sys.argv[1:]
    delay, jitter = float(delay_ms) / 1000, float(jitter_ms) / 1000
    client, server = open_tunnel(client_name), open_tunnel(server_name)
    up, down = Line(client, server, True), Line(server, client, False)
    tape = Tape()
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        due = [line.waiting[0][0] for line in (up, down) if line.waiting]
        patience = max(0.0, min(due) - now) if due else None
        readable, _, _ = select.select([client, server, sys.stdin], [], [], patience)
        now = time.monotonic()
        for line in (up, down):
            if line.source in readable:
                line.take(now, delay, jitter, tape.keep)
            line.give(now, tape.keep)
        if sys.stdin in readable:
            name = sys.stdin.readline()
            if name == "":
                return
            tape.begin(name.strip())
            print("kept", flush=True)


main()
