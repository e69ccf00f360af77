"""Downloads over a real connection to this machine: progress, checks, cancelling, and failures in words."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from influence_core.data.fetching import PIECE, fetch
from influence_core.errors import Cancelled
from influence_core.store.atomic import whole_file

CONTENT = bytes(range(256)) * 1_000


class Server(BaseHTTPRequestHandler):
    """Gives `CONTENT`, at /cut less than it announces, and elsewhere nothing."""

    def do_GET(self):
        known = self.path in ("/file", "/cut")
        self.send_response(200 if known else 404)
        self.send_header("Content-Length", str(len(CONTENT) if known else 0))
        self.end_headers()
        if known:
            self.wfile.write(CONTENT[: 1_000 if self.path == "/cut" else None])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def get(address, path, most=10**6, progress=None, sha256=""):
    with whole_file(path) as file:
        fetch(address, file, len(CONTENT), most, progress, sha256)


def test_what_lies_there_comes_with_its_progress(address, tmp_path):
    told = []
    get(
        f"{address}/file", tmp_path / "a", progress=lambda fraction, message: told.append((fraction, message))
    )
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert len(told) > len(CONTENT) / PIECE
    assert told == sorted(told) and told[-1] == (0.95, "0.3 MB downloaded")


def test_a_known_hash_is_checked(address, tmp_path):
    start = hashlib.sha256(CONTENT).hexdigest()[:8]
    get(f"{address}/file", tmp_path / "a", sha256=start)
    with pytest.raises(OSError, match=f"begins with {start}.*expected 00000000"):
        get(f"{address}/file", tmp_path / "b", sha256="00000000")
    assert not (tmp_path / "b").exists()


def test_too_much_is_stopped(address, tmp_path):
    with pytest.raises(OSError, match="more than 0 MB came"):
        get(f"{address}/file", tmp_path / "a", most=100_000)


@pytest.mark.parametrize(
    ("path", "words"), [("/cut", "(?i)incomplete"), ("/nothing", "404"), (":1/x", "(?i)refused|port")]
)
def test_what_fails_is_said_without_the_programs_own_names(address, tmp_path, path, words):
    where = "http://127.0.0.1:1/x" if path == ":1/x" else address + path
    with pytest.raises(OSError, match=words) as caught:
        get(where, tmp_path / "a")
    assert " object at 0x" not in str(caught.value) and "Pool" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_cancelling_stops_after_a_piece(address, tmp_path):
    told = []

    def stop(fraction, message):
        told.append(fraction)
        raise Cancelled

    with pytest.raises(Cancelled):
        get(f"{address}/file", tmp_path / "a", progress=stop)
    assert len(told) == 1 and told[0] == pytest.approx(PIECE / len(CONTENT))
    assert list(tmp_path.iterdir()) == []
