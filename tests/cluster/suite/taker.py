"""Runs inside a pod: writes every line that anyone sends to standard output. Standard library only."""

import contextlib
import signal
import socketserver
import sys
import threading

PORT = 9000
one_at_a_time = threading.Lock()


class Lines(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):  # a function may be killed in the middle of a line
            for line in self.rfile:
                with one_at_a_time:
                    sys.stdout.buffer.write(line)
                    sys.stdout.buffer.flush()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container has to say so itself
    socketserver.ThreadingTCPServer.daemon_threads = True
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("", PORT), Lines) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
