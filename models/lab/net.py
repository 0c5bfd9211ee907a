"""Two network namespaces joined by one wire, and nothing else: no uplink, no way out.

`Wire` makes them, gives each end its addresses, makes the wire as long as asked (delay, jitter, loss: relay.py) and takes them
away again. Every command runs inside one of the two ends and is ended after its time.
"""
import os
import pathlib
import signal
import subprocess
import sys
import time


def sh(*command, check=True, timeout=30, **kwargs):
    done = subprocess.run(command, check=False, timeout=timeout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **kwargs)
    if check and done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done


class Wire:
    """client_net and server_net are the first three octets of the two /24 that share the wire."""

    def __init__(self, tag, net="10.66.0", shape=None, client_ttl=None):
        self.client, self.server = f"{tag}-client", f"{tag}-server"
        self.middle = f"{tag}-middle"
        self.net, self.shape, self.client_ttl = net, shape, client_ttl
        self.running = []

    def __enter__(self):
        for space in (self.client, self.server):
            sh("ip", "netns", "del", space, check=False)
            sh("ip", "netns", "add", space)
            sh("ip", "-n", space, "link", "set", "lo", "up")
        if self.shape:
            self.lay_relay()
        else:
            sh("ip", "-n", self.client, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self.server)
        for space, last in ((self.client, range(60, 100)), (self.server, range(1, 12))):
            for n in last:
                sh("ip", "-n", space, "address", "add", f"{self.net}.{n}/24", "dev", "wire")
            sh("ip", "-n", space, "address", "add", f"fd66::{60 if space == self.client else 1}/64", "dev", "wire", "nodad")
            sh("ip", "netns", "exec", space, "ethtool", "-K", "wire", "tx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
            sh("ip", "-n", space, "link", "set", "wire", "up")
        if self.client_ttl:
            sh("ip", "netns", "exec", self.client, "sysctl", "-qw", f"net.ipv4.ip_default_ttl={self.client_ttl}")
        for space in (self.client, self.server):  # answers and look-ups that have no way out fail at once
            sh("ip", "-n", space, "route", "add", "default", "via", f"{self.net}.{1 if space == self.client else 60}", check=False)
        return self

    def lay_relay(self):
        """shape: "DELAY JITTER LOSS", milliseconds and a share."""
        sh("ip", "netns", "del", self.middle, check=False)
        sh("ip", "netns", "add", self.middle)
        for space, name in ((self.client, "left"), (self.server, "right")):
            sh("ip", "-n", self.middle, "link", "add", name, "type", "veth", "peer", "name", "wire", "netns", space)
            sh("ip", "netns", "exec", self.middle, "ethtool", "-K", name, "tx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
            sh("ip", "-n", self.middle, "link", "set", name, "up", "promisc", "on")
        self.start(self.middle, sys.executable, str(pathlib.Path(__file__).with_name("relay.py")), "left", "right", *self.shape.split())

    def __exit__(self, *_):
        for process in reversed(self.running):
            self.stop(process)
        for space in (self.client, self.server, self.middle):
            sh("ip", "netns", "del", space, check=False)

    def start(self, space, *command, cwd=None, env=None):
        process = subprocess.Popen(["ip", "netns", "exec", space, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, cwd=cwd, env={**os.environ, **(env or {})}, start_new_session=True)
        self.running.append(process)
        return process

    def stop(self, process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(3)

    def stop_since(self, count):
        """Ends what was started after the first count processes."""
        for process in reversed(self.running[count:]):
            self.stop(process)
        del self.running[count:]

    def run(self, space, command, seconds, cwd=None):
        """A shell line inside one end; ended after its seconds, whatever it says. Its exit status is of no interest."""
        process = self.start(space, "bash", "-c", command, cwd=cwd)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        self.stop(process)

    def on_client(self, command, seconds=20, cwd=None):
        self.run(self.client, command, seconds, cwd)

    def on_server(self, *command, **kwargs):
        return self.start(self.server, *command, **kwargs)

    def wait_port(self, port, host=None, seconds=8):
        end = time.monotonic() + seconds
        host = host or f"{self.net}.1"
        while time.monotonic() < end:
            probe = subprocess.run(["ip", "netns", "exec", self.server, "bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"],
                                   stderr=subprocess.DEVNULL, check=False)
            if probe.returncode == 0:
                return True
            time.sleep(0.1)
        return False
