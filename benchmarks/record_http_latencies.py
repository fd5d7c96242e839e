"""Record latencies of real calls to a real HTTP server on loopback: the measured law of `scenarios/quickstart.yaml`.

    python benchmarks/record_http_latencies.py [--out FILE] [--calls N]

A child process serves POST requests on 127.0.0.1, a thread a connection. It does what a login does: it stretches the
body with PBKDF2 (SHA-256) and commits a row to an SQLite file, through a connection per thread, so that calls wait for
cores and for the lock of the file as they do in production. Client
threads call it over kept-alive connections in a closed loop, each sending as soon as it has its answer, at four
concurrencies one after the other. A latency is what the caller sees, from before the request is sent until the body of
the answer is read; opening the connection and one call to warm it up are not recorded.

The CSV has a row a call, `concurrency,latency_us`, in order of completion. Another run gives other numbers, as
measurements do.
"""

import argparse
import csv
import hashlib
import http.client
import multiprocessing
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path

LOOPBACK = "127.0.0.1"
CONCURRENCIES = (1, 4, 16, 64)
CALLS_EACH = 5000
BODY = b"correct horse battery staple"
ROUNDS = 5000
"""Of PBKDF2: some milliseconds of work, during which the interpreter's lock is free for other threads."""
CALL_LIMIT_S = 20
"""A call that takes longer fails the recording."""
LOCK_LIMIT_S = 15
"""The longest wait for the lock of the SQLite file, many times what was ever seen."""
WHOLE_LIMIT_S = 300
"""After this long the recording fails, and the server ends even when nobody tells it to."""
QUANTILES = (0.5, 0.9, 0.99, 0.999)
OUT = Path(__file__).parent.parent / "scenarios" / "data" / "http-loopback.csv"


class Handler(BaseHTTPRequestHandler):
    """Answers a POST with a stretched hash of its body, once that is committed."""

    protocol_version = "HTTP/1.1"
    # Without these two an answer leaves in several small packets, and Nagle's algorithm adds 40 ms to each call.
    disable_nagle_algorithm = True
    wbufsize = -1
    database = ""

    def setup(self) -> None:
        """Open the store for this connection."""
        super().setup()
        self.store = sqlite3.connect(self.database, timeout=LOCK_LIMIT_S, isolation_level=None)

    def finish(self) -> None:
        """Close the store with the connection."""
        self.store.close()
        super().finish()

    def do_POST(self) -> None:
        """Stretch, commit, answer."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.pbkdf2_hmac("sha256", body, b"salt", ROUNDS).hex()
        self.store.execute("INSERT INTO calls (digest) VALUES (?)", (digest,))
        answer = digest.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the name is http.server's
        """Stay silent: twenty thousand lines help nobody."""


class Server(ThreadingHTTPServer):
    """A thread a connection, and room for all connections to be opened at once."""

    request_queue_size = max(CONCURRENCIES) * 2
    daemon_threads = True


def serve(database: str, pipe: Connection) -> None:
    """Serve until told to stop, until the parent is gone, or until the time is up; first send the port."""
    with sqlite3.connect(database) as store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("CREATE TABLE calls (id INTEGER PRIMARY KEY, digest TEXT NOT NULL)")
    store.close()
    Handler.database = database
    with Server((LOOPBACK, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pipe.send(server.server_address[1])
        pipe.poll(WHOLE_LIMIT_S)  # a closed pipe counts as an answer
        server.shutdown()


@contextmanager
def running_server() -> Iterator[int]:
    """Run the server in a child process and yield its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        child = context.Process(target=serve, args=(str(Path(folder) / "calls.sqlite"), theirs), daemon=True)
        child.start()
        theirs.close()
        try:
            if not ours.poll(CALL_LIMIT_S):
                raise TimeoutError("the server did not start")
            yield ours.recv()
        finally:
            ours.close()
            child.join(CALL_LIMIT_S)
            child.kill()
            child.join()


def call(connection: http.client.HTTPConnection) -> None:
    """Make one call and read its answer to the end."""
    connection.request("POST", "/", body=BODY)
    answer = connection.getresponse()
    answer.read()
    if answer.status != HTTPStatus.OK:
        raise http.client.HTTPException(f"the server answered {answer.status}")


def record(port: int, concurrency: int, calls: int, end_s: float) -> list[int]:
    """Make `calls` calls from `concurrency` threads; return the latencies in microseconds, in order of completion.

    Raises TimeoutError when `time.monotonic()` passes `end_s`.
    """
    latencies_us: list[int] = []
    turns = iter(range(calls))  # shared, so that all threads are busy until the last call
    together = threading.Barrier(concurrency, timeout=CALL_LIMIT_S)

    def client() -> None:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=CALL_LIMIT_S)
        try:
            call(connection)
            together.wait()
            for _ in turns:
                if time.monotonic() > end_s:
                    raise TimeoutError(f"not done after {WHOLE_LIMIT_S} s")
                start_ns = time.perf_counter_ns()
                call(connection)
                latencies_us.append((time.perf_counter_ns() - start_ns) // 1000)
        finally:
            connection.close()

    with ThreadPoolExecutor(concurrency) as pool:
        for future in [pool.submit(client) for _ in range(concurrency)]:
            future.result()
    return latencies_us


def print_quantiles(recorded: dict[int, list[int]]) -> None:
    """Print a row a concurrency, and one for all calls together: the law that a scenario reads."""
    rows: list[tuple[str, Sequence[int]]] = [(str(concurrency), part) for concurrency, part in recorded.items()]
    rows.append(("all", [latency_us for part in recorded.values() for latency_us in part]))
    head = ["concurrency", "calls", *(f"p{quantile * 100:g}" for quantile in QUANTILES), "max"]
    print(" ".join(f"{text:>11}" for text in head), " (ms)")
    for name, latencies_us in rows:
        ordered = sorted(latencies_us)
        ranks = [int(quantile * len(ordered)) for quantile in QUANTILES] + [-1]
        cells = [name, str(len(ordered)), *(f"{ordered[rank] / 1000:.3f}" for rank in ranks)]
        print(" ".join(f"{text:>11}" for text in cells))


def main() -> None:
    """Record, write the CSV, print the table."""
    parser = argparse.ArgumentParser(description="Record latencies of HTTP calls on loopback.")
    parser.add_argument("--out", type=Path, default=OUT, help="the CSV to write (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=CALLS_EACH, help="calls a concurrency (default: %(default)s)")
    options = parser.parse_args()
    end_s = time.monotonic() + WHOLE_LIMIT_S
    with running_server() as port:
        recorded = {concurrency: record(port, concurrency, options.calls, end_s) for concurrency in CONCURRENCIES}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["concurrency", "latency_us"])
        writer.writerows((concurrency, latency_us) for concurrency, part in recorded.items() for latency_us in part)
    print_quantiles(recorded)


if __name__ == "__main__":
    main()
