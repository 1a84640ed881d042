"""The network between members and the site: two tunnel devices, packets passed between them late, and kept.

    wire.py CLIENT_DEVICE SERVER_DEVICE DELAY_MS JITTER_MS UP_MBIT DOWN_MBIT isp|home

Each connection has an access line of its own, on which one packet follows another at the rate given, and behind it a trunk: a packet
leaves that DELAY_MS after it came, and an exponential JITTER_MS (mean) later, never before the one in front of it. Standard
input names a file: from then on packets are kept there (pcap, link type 101: bare IP) as somebody sees them who sits behind
the access line (isp), or at the client's own device (home). Every file name is answered by a line, once the file before is
closed. Ends with its input.
"""

import collections
import fcntl
import heapq
import itertools
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


class Trunk:
    def __init__(self, delay, jitter):
        self.delay, self.jitter = delay, jitter
        self.free = collections.defaultdict(float)

    def due(self, now, port, packet):
        late = random.expovariate(1 / self.jitter) if self.jitter > 0 else 0.0
        self.free[port] = max(self.free[port], now + self.delay + late)
        return self.free[port]


class Line:
    """One direction: packets pass its stages in turn. `tap`: kept when they come to the stage of that number, or leave the last."""

    def __init__(self, source, target, which_port, stages, tap):
        self.source, self.target, self.which_port = source, target, which_port
        self.stages, self.tap = stages, tap
        self.waiting = []
        self.number = itertools.count()

    def pass_on(self, now, stage, packet, keep):
        if stage == self.tap:
            keep(now, packet)
        if stage < len(self.stages):
            due = self.stages[stage].due(now, port_of(packet, self.which_port), packet)
            heapq.heappush(self.waiting, (due, next(self.number), stage + 1, packet))
            return
        try:
            os.write(self.target, packet)
        except OSError:
            pass  # The device is not up yet, or not any more.

    def take(self, keep):
        while True:
            try:
                packet = os.read(self.source, LARGEST)
            except (BlockingIOError, OSError):
                return
            self.pass_on(time.monotonic(), 0, packet, keep)

    def give(self, now, keep):
        while self.waiting and self.waiting[0][0] <= now:
            due, _, stage, packet = heapq.heappop(self.waiting)
            # Not when we come to it: how busy the machine is would be seen on the tape.
            self.pass_on(due, stage, packet, keep)


class Tape:
    def __init__(self):
        self.file = None
        self.offset = time.time_ns() - time.monotonic_ns()

    def begin(self, name):
        if self.file is not None:
            self.file.close()
        self.file = open(name, "wb") if name else None
        if self.file is not None:
            self.file.write(PCAP_HEAD)

    def keep(self, at, packet):
        if self.file is None:
            return
        now = int(at * 1e9) + self.offset
        self.file.write(struct.pack("<IIII", now // 10**9, now % 10**9, len(packet), len(packet)) + packet)


def main():
    client_name, server_name, *numbers, place = sys.argv[1:]
    delay, jitter, up_mbit, down_mbit = (float(each) for each in numbers)
    client, server = open_tunnel(client_name), open_tunnel(server_name)
    is_home = place == "home"
    # What is kept carries the time of the stage that it leaves.
    up = Line(client, server, 0, [Access(up_mbit), Trunk(delay / 1000, jitter / 1000)], 0 if is_home else 1)
    down = Line(server, client, 1, [Trunk(delay / 1000, jitter / 1000), Access(down_mbit)], 2 if is_home else 1)
    tape = Tape()
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        due = [line.waiting[0][0] for line in (up, down) if line.waiting]
        patience = max(0.0, min(due) - now) if due else None
        readable, _, _ = select.select([client, server, sys.stdin], [], [], patience)
        for line in (up, down):
            if line.source in readable:
                line.take(tape.keep)
            line.give(time.monotonic(), tape.keep)
        if sys.stdin in readable:
            name = sys.stdin.readline()
            if name == "":
                return
            tape.begin(name.strip())
            print("kept", flush=True)


main()
