"""Two network namespaces joined by a veth pair, without a way out: an attacker and a target that watches itself."""
import ctypes
import os
import socket
import subprocess
import threading
import uuid

NET = "10.77.0"
ATTACKER, TARGET = f"{NET}.1", f"{NET}.2"


def ip(*arguments, namespace=None, check=True):
    prefix = ["ip"] + (["-n", namespace] if namespace else [])
    return subprocess.run([*prefix, *arguments], check=check, capture_output=True, text=True)


class Namespaces:
    def __init__(self):
        mark = uuid.uuid4().hex[:6]
        self.attacker, self.target, self.device = f"tla{mark}", f"tlb{mark}", "watched0"

    def up(self):
        for name in (self.attacker, self.target):
            ip("netns", "add", name)
            ip("link", "set", "lo", "up", namespace=name)
        self.join()
        return self

    def join(self, wire="wire0", device=None, net=NET):
        """A wire between the two; the attacker's end has .1, the target's .2."""
        device = device or self.device
        ip("link", "add", wire, "netns", self.attacker, "type", "veth", "peer", "name", device, "netns", self.target)
        for name, end, host in ((self.attacker, wire, 1), (self.target, device, 2)):
            ip("addr", "add", f"{net}.{host}/24", "dev", end, namespace=name)
            ip("link", "set", end, "up", namespace=name)

    def cut(self):
        ip("link", "del", self.device, namespace=self.target)

    def down(self):
        for name in (self.attacker, self.target):
            ip("netns", "del", name, check=False)

    def prefix(self, name):
        return ["ip", "netns", "exec", name]


def inside(namespace, what):
    """what() on a thread of that namespace: its sockets belong there, also afterwards."""
    result = {}

    def run():
        try:
            with open(f"/run/netns/{namespace}") as handle:
                if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), 0x40000000) != 0:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            result["value"] = what()
        except BaseException as error:  # handed on to the caller
            result["error"] = error

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def connect_to(address, ports):
    """A connect scan: opens are closed at once."""
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(1)
            try:
                probe.connect((address, port))
            except OSError:
                pass


def datagrams_to(address, ports, source=0):
    """One datagram to each port, all from one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("", source))
        for port in ports:
            sender.sendto(b"x" * 20, (address, port))


def frames_on(device, kind, pause, enough):
    """Ethernet frames of a kind that is no IP, one after each pause, until it is enough (an Event)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((device, 0))
        while not enough.wait(pause):
            sender.send(b"\xff" * 6 + b"\x02" + bytes(5) + kind.to_bytes(2, "big") + bytes(46))
