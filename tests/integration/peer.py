"""Both neighbours of the proxy in a process of their own, so that only the proxy is measured.

Standard library only. Commands on stdin, one line each; answers on stdout. Sizes in bytes.
"""

import socket
import sys
import threading

PIECE = 64 * 1024
STALL = 0.5


def say(*words):
    """One line for the test."""
    print(*words, flush=True)


def read_head(sock):
    """A head's bytes, and what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(PIECE)
        if not piece:
            raise EOFError("closed inside a head")
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def length_of(head):
    """The Content-Length."""
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def echo(sock):
    """Answer with the request's body, each piece as it comes."""
    head, piece = read_head(sock)
    left = length_of(head)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
    while True:
        sock.sendall(piece)
        left -= len(piece)
        if left <= 0:
            return
        piece = sock.recv(PIECE)
        if not piece:
            raise EOFError("closed inside a body")


def pour(sock, total):
    """Send *total* bytes; say when nobody takes them any more, and when the other side is gone."""
    read_head(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
    sock.settimeout(STALL)
    sent, piece, said = 0, b"p" * PIECE, False
    try:
        while sent < total:
            try:
                sent += sock.send(piece)
            except TimeoutError:
                if not said:
                    say("blocked", sent)
                said = True
    except OSError:
        say("gone", sent)
    else:
        say("poured", sent)


def accept(listener, serve, *arguments):
    """Serve one connection at a time, each until it ends."""
    while True:
        sock, _ = listener.accept()
        with sock:
            try:
                serve(sock, *arguments)
            except (OSError, EOFError):
                pass


def listen(serve, *arguments):
    """A server on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener, serve, *arguments), daemon=True).start()
    return listener.getsockname()[1]


def send_body(sock, head, total):
    """The request, its body made up on the way."""
    sock.sendall(head)
    for start in range(0, total, PIECE):
        sock.sendall(b"%08d" % start * (min(PIECE, total - start) // 8))


def both_ways(port, path, target, total):
    """Upload *total* bytes while reading them back; says how many came back as they were sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Target-URL: {target}\r\n"
        f"Content-Type: a/b\r\nContent-Length: {total}\r\nConnection: close\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sender = threading.Thread(target=send_body, args=(sock, head, total), daemon=True)
        sender.start()
        _, data = read_head(sock)
        position = 0
        while True:
            while len(data) >= 8:
                if int(data[:8]) != position // PIECE * PIECE:
                    break
                whole = len(data) // 8 * 8
                run = min(whole, PIECE - position % PIECE)
                if data[:run] != data[:8] * (run // 8):
                    break
                data = data[run:]
                position += run
            piece = sock.recv(PIECE)
            if not piece:
                break
            data += piece
        say("echoed", position)


def stop_reading(port, path, target):
    """Ask, read the head, and then take nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
    sock.connect(("127.0.0.1", port))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Target-URL: {target}\r\n"
        "Content-Type: a/b\r\nContent-Length: 2\r\n\r\n{}"
    )
    sock.sendall(head.encode())
    read_head(sock)
    return sock


def main():
    """Answer commands until stdin ends."""
    kept = []
    say("ports", listen(echo), listen(pour, 200_000_000))
    for line in sys.stdin:
        command, *words = line.split()
        if command == "both":
            both_ways(int(words[0]), words[1], words[2], int(words[3]))
        elif command == "stall":
            kept.append(stop_reading(int(words[0]), words[1], words[2]))
            say("stalled")
        elif command == "leave":
            kept.pop().close()


if __name__ == "__main__":
    main()
