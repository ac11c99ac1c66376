"""A program that lets a node of a virtual address die at a chosen moment, and notes what follows; one line of JSON.

It runs in the client's namespace: it hears the advertisements and announcements of both nodes, and connects to the address
every 5 ms, and every 1 ms from the death on, each time anew. The node dies a given time after one of its advertisements, so that two contenders
die at the same moments of their intervals. Times are the kernel's where packets are concerned, and in milliseconds.

    death.py '{"address": …, "own": …, "other": …, "after": ms, "groups": [pid…], "signal": 9, "space": netns, "orders": ["link set …"]}'
"""
import errno
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

SO_TIMESTAMPNS = 35
VRRP, ARP = 112, 0x0806
BEFORE, AFTER, PATIENCE, LONGEST = 5.0, 1.0, 400.0, 15000.0


def now():
    return time.time_ns() / 1e6


class Death:
    def __init__(self, wish):
        self.wish = wish
        self.died = self.due = self.first_announcement = None
        # Of the node that dies: since when nobody else was heard, and how many.
        self.adverts = []
        self.adverts_of_the_dead = 0
        self.waiting = {}
        self.poll = select.epoll()
        self.vrrp = socket.socket(socket.AF_INET, socket.SOCK_RAW, VRRP)
        member = socket.inet_aton("224.0.0.18") + struct.pack("=II", 0, socket.if_nametoindex("eth0"))
        self.vrrp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.arp = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP))
        for one in (self.vrrp, self.arp):
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.poll.register(one, select.EPOLLIN)
        self.ip = None
        if wish["orders"]:
            self.ip = subprocess.Popen(["ip", "-n", wish["space"], "-batch", "-"], stdin=subprocess.PIPE)

    # ------------------------------------------------------------ what is heard

    def heard(self, one):
        while True:
            try:
                packet, beside, _, _ = one.recvmsg(2048, 256)
            except BlockingIOError:
                return
            seconds, nanoseconds = struct.unpack("=qq", beside[0][2][:16])
            at = seconds * 1e3 + nanoseconds / 1e6
            self.advert(packet, at) if one is self.vrrp else self.announcement(packet, at)

    def advert(self, packet, at):
        source = socket.inet_ntoa(packet[12:16])
        if source == self.wish["own"]:
            self.adverts.append(at)
            if self.died:
                self.adverts_of_the_dead += at > self.died
            # Steady for as long as others are patient.
            elif self.due is None and len(self.adverts) > 5:
                self.due = at + self.wish["after"]
        elif not self.died:
            self.adverts, self.due = [], None

    def announcement(self, packet, at):
        """Gratuitous: about the address that it comes from."""
        sender, target = packet[28:32], packet[38:42]
        if self.died and at > self.died and sender == target == socket.inet_aton(self.wish["address"]):
            self.first_announcement = self.first_announcement or at

    # ------------------------------------------------------------ the client

    def connect(self):
        one = socket.socket()
        one.setblocking(False)
        failed = one.connect_ex((self.wish["address"], 10000))
        if failed != errno.EINPROGRESS:
            return one.close()
        self.waiting[one.fileno()] = (one, now())
        self.poll.register(one, select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR)

    def answered(self, number):
        """Who, when the session began after the death."""
        one, began = self.waiting[number]
        try:
            who = one.recv(64).decode()
        except BlockingIOError:
            return None
        except OSError:
            who = ""
        self.forget(number)
        return who if self.died and began >= self.died else None

    def forget(self, number):
        self.poll.unregister(number)
        self.waiting.pop(number)[0].close()

    # ------------------------------------------------------------ the course of it

    def die(self):
        while now() < self.due:
            pass
        self.died = now()
        if self.ip:
            self.ip.stdin.write("".join(f"{order}\n" for order in self.wish["orders"]).encode())
            self.ip.stdin.flush()
        for group in self.wish["groups"]:
            os.killpg(group, self.wish["signal"])

    def run(self):
        began, next_at = now(), now()
        while now() < began + LONGEST:
            if not self.died and self.due and now() > self.due - 2:
                self.die()
            if now() >= next_at:
                next_at = max(next_at + (AFTER if self.died else BEFORE), now())
                self.connect()
            for number in [number for number, (_, at) in self.waiting.items() if now() - at > PATIENCE]:
                self.forget(number)
            until = min(next_at, self.due - 2 if self.due and not self.died else next_at)
            for number, _ in self.poll.poll(max(0.0, until - now()) / 1e3):
                if number in (self.vrrp.fileno(), self.arp.fileno()):
                    self.heard(self.vrrp if number == self.vrrp.fileno() else self.arp)
                elif number in self.waiting and self.answered(number) == self.wish["other"]:
                    return self.said(now())
        return {"error": f"nobody else answers; died: {self.died}, adverts before: {len(self.adverts)}, announced: {self.first_announcement}"}

    def said(self, at):
        for one in (self.vrrp, self.arp):
            self.heard(one)
        last = max(one for one in self.adverts if one <= self.died)
        # The moment of the death, and what came later than it should.
        return {"took": at - self.died, "moment": self.died - last, "late": self.adverts_of_the_dead,
                "announced": (self.first_announcement or at) - last}


print(json.dumps(Death(json.loads(sys.argv[1])).run()))
