"""Small servers that no package here brings: `endpoints.py KIND:PORT...`; each speaks just enough of its protocol.

Kinds: login (telnet-like, refuses every password), mail (SMTP), pop (a mailbox of anna), quiet (UDP, never answers), database (a binary log-in that may succeed), ntp, ssdp (answers larger
than the question), dnsbig (the same for DNS), echo (UDP), sink (TCP, reads all), beacon (TCP, short answers), stream (TCP, sends video-like).
"""
import os
import socketserver
import struct
import sys
import threading
import time


class Login(socketserver.StreamRequestHandler):
    def line(self):
        """Up to a line's end as telnet sends it: CR LF, CR NUL or CR alone."""
        text = b""
        while (byte := self.rfile.read(1)) and byte not in b"\r\n":
            text += byte
        return byte and text + byte

    def handle(self):
        for _ in range(3):
            self.wfile.write(b"\r\nlogin: ")
            if not self.line():
                return
            self.wfile.write(b"Password: ")
            if not self.line():
                return
            time.sleep(0.05)
            self.wfile.write(b"\r\nLogin incorrect\r\n")


class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 lab ESMTP\r\n")
        data = False
        while line := self.rfile.readline(4096):
            if data:
                if line.strip() == b".":
                    data = False
                    self.wfile.write(b"250 queued\r\n")
                continue
            word = line[:4].upper()
            if word == b"DATA":
                data = True
                self.wfile.write(b"354 go on\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


class Pop(socketserver.StreamRequestHandler):
    ANSWERS = {b"USER": b"+OK", b"CAPA": b"+OK\r\nUSER\r\n.", b"STAT": b"+OK 2 900", b"LIST": b"+OK\r\n1 450\r\n2 450\r\n."}

    def handle(self):
        self.wfile.write(b"+OK lab\r\n")
        while line := self.rfile.readline(512):
            word = line[:4].upper()
            if word == b"PASS" and b"correct-horse" not in line:
                time.sleep(0.1)
                self.wfile.write(b"-ERR no\r\n")
                return
            self.wfile.write(self.ANSWERS.get(word, b"+OK") + b"\r\n")
            if word == b"QUIT":
                return


class Database(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"\x4a\x00\x00\x00\x0a8.0.lab" + os.urandom(60))
        if not self.request.recv(512):
            return
        self.request.sendall(b"\x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00")
        while question := self.request.recv(4096):
            self.request.sendall(os.urandom(80 + len(question) * 7 % 900))


class Sink(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(65536):
            pass


class Beacon(socketserver.BaseRequestHandler):
    def handle(self):
        if self.request.recv(4096):
            self.request.sendall(os.urandom(48))


class Stream(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1024)
        for _ in range(200):
            self.request.sendall(os.urandom(12000))
            time.sleep(0.05)


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        if answer := self.server.reply(data):
            sock.sendto(answer, self.client_address)


def ntp(_):
    return struct.pack("!BBBb11I", 0x24, 2, 6, -20, *([int(time.time()) & 0xFFFFFFFF] * 11))


REPLIES = {"ntp": ntp, "ssdp": lambda _: b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n" + b"X" * 1200,
           "dnsbig": lambda q: q[:2] + b"\x81\x80" + q[4:] + os.urandom(1100), "echo": lambda q: q, "quiet": lambda q: b""}
STREAMS = {"login": Login, "mail": Mail, "pop": Pop, "database": Database, "sink": Sink, "beacon": Beacon, "stream": Stream}


class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 128


class Udp(socketserver.ThreadingUDPServer):
    allow_reuse_address = True


for argument in sys.argv[1:]:
    kind, port = argument.split(":")
    if kind in REPLIES:
        server = Udp(("0.0.0.0", int(port)), Datagram)
        server.reply = REPLIES[kind]
    else:
        server = Tcp(("0.0.0.0", int(port)), STREAMS[kind])
    threading.Thread(target=server.serve_forever, daemon=True).start()
threading.Event().wait()
