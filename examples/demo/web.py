"""A web server that tells which process answers."""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        """One line of text."""
        body = f"Hello from process {os.getpid()}. Kill me: I will be back.\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on the loopback interface."""
    port = int(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", port), Page) as server:
        print(f"serving http://127.0.0.1:{server.server_address[1]}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
