"""A small web application behind nginx: a log-in form, a search, an API and an upload; for the lab alone."""
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/app/search"):
            time.sleep(0.01)
            self.answer(200, f"<html><p>{len(query)} results</p>" + "<li>row</li>" * (len(query) % 40) + "</html>")
        elif path.startswith("/app/login"):
            self.answer(200, "<form method=post action=/app/login><input name=user><input name=password type=password></form>")
        elif path.startswith("/app/api"):
            self.answer(200, '{"items":[' + ",".join(str(n) for n in range(hash(path) % 200)) + "]}")
        else:
            self.answer(404, "not found")

    def do_POST(self):
        left = int(self.headers.get("Content-Length", 0))
        body = b""
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                break
            left -= len(piece)
            body = (body + piece)[-4096:]
        if self.path.startswith("/app/login"):
            good = b"password=correct-horse" in body
            self.answer(302 if good else 401, "welcome" if good else "Login failed")
        else:
            self.answer(200, "stored")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
