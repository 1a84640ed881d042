"""The network between members and the site: two tunnel devices, packets passed between them late, and kept.

    wire.py CLIENT_DEVICE SERVER_DEVICE DELAY_MS JITTER_MS AIR_MEDIAN_MS AIR_SIGMA UP_MBIT DOWN_MBIT

Three stages each way, for each connection by itself; no packet leaves one before the packet in front of it:
the air between device and router, where a packet waits for a time drawn from a log-normal distribution (its median, and sigma of the
logarithm); the access line, on which one packet follows another at the rate given; the trunk, where a packet is DELAY_MS late and an
exponential JITTER_MS (mean) more. Standard input names a file: from then on packets are kept twice (pcap, link type 101: bare
IP), in NAME.device as they leave and reach the client's own device, and in NAME.line as somebody sees them who sits between access
line and trunk. Every name is answered by a line, once the files before are closed. Ends with its input.
"""

import collections
import fcntl
import heapq
import itertools
import math
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


def port_of(packet, at):
    """Of TCP's ports, the first or the second; 0 where there is none."""
    head = (packet[0] & 15) * 4
    return int.from_bytes(packet[head + 2 * at : head + 2 * at + 2], "big") if packet[0] >> 4 == 4 else 0


class Access:
    """So many octets a second, for each connection."""

    def __init__(self, mbit):
        self.rate = mbit * 125_000
        self.free = collections.defaultdict(float)

    def due(self, now, port, packet):
        self.free[port] = max(self.free[port], now) + len(packet) / self.rate
        return self.free[port]


class Late:
    """So much later, and never before the packet in front."""

    def __init__(self, draw):
        self.draw = draw
        self.free = collections.defaultdict(float)

    def due(self, now, port, packet):
        self.free[port] = max(self.free[port], now + self.draw())
        return self.free[port]


class Line:
    """One direction: packets pass its stages in turn. `taps`: who keeps what comes to the stage of that number, or leaves the last."""

    def __init__(self, source, target, which_port, stages, taps):
        self.source, self.target, self.which_port = source, target, which_port
        self.stages, self.taps = stages, taps
        self.waiting = []
        self.number = itertools.count()

    def pass_on(self, now, stage, packet):
        if stage in self.taps:
            self.taps[stage].keep(now, packet)
        if stage < len(self.stages):
            due = self.stages[stage].due(now, port_of(packet, self.which_port), packet)
            heapq.heappush(self.waiting, (due, next(self.number), stage + 1, packet))
            return
        try:
            os.write(self.target, packet)
        except OSError:
            pass  # The device is not up yet, or not any more.

    def take(self):
        while True:
            try:
                packet = os.read(self.source, LARGEST)
            except (BlockingIOError, OSError):
                return
            self.pass_on(time.monotonic(), 0, packet)

    def give(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            due, _, stage, packet = heapq.heappop(self.waiting)
            # Not when we come to it: how busy the machine is would be seen on the tape.
            self.pass_on(due, stage, packet)


class Tape:
    def __init__(self, end):
        self.end = end
        self.file = None
        self.offset = time.time_ns() - time.monotonic_ns()

    def begin(self, name):
        if self.file is not None:
            self.file.close()
        self.file = open(name + self.end, "wb") if name else None
        if self.file is not None:
            self.file.write(PCAP_HEAD)

    def keep(self, at, packet):
        if self.file is None:
            return
        now = int(at * 1e9) + self.offset
        self.file.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(packet), len(packet)) + packet)


def main():
    client_name, server_name, *numbers = sys.argv[1:]
    delay, jitter, median, sigma, up_mbit, down_mbit = (float(each) for each in numbers)
    client, server = open_tunnel(client_name), open_tunnel(server_name)

    def air():
        return Late(lambda: median / 1000 * math.exp(random.gauss(0, sigma)) if median > 0 else 0.0)

    def trunk():
        return Late(lambda: (delay + (random.expovariate(1 / jitter) if jitter > 0 else 0.0)) / 1000)

    device, line = Tape(".device"), Tape(".line")
    # What is kept carries the time of the stage that it leaves.
    up = Line(client, server, 0, [air(), Access(up_mbit), trunk()], {0: device, 2: line})
    down = Line(server, client, 1, [trunk(), Access(down_mbit), air()], {1: line, 3: device})
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        due = [each.waiting[0][0] for each in (up, down) if each.waiting]
        patience = max(0.0, min(due) - now) if due else None
        readable, _, _ = select.select([client, server, sys.stdin], [], [], patience)
        for each in (up, down):
            if each.source in readable:
                each.take()
            each.give(time.monotonic())
        if sys.stdin in readable:
            name = sys.stdin.readline()
            if name == "":
                return
            for tape in (device, line):
                tape.begin(name.strip())
            print("kept", flush=True)


main()
