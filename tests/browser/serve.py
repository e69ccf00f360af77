"""Runs a Streamlit app as a visitor would, and writes down every attempt to reach beyond this machine.

Usage: CALLS_OUT=calls.txt python tests/browser/serve.py app.py 8501
"""

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

WATCHED = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0, "socket.gethostbyname": 0}


def is_loopback(host: Any) -> bool:
    """Whether a host name or address stays on this machine."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(name).split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def watch_connections(record: Path) -> None:
    """Appends one line to `record` for each connection or look-up that leaves this machine."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WATCHED:
            return
        target = arguments[WATCHED[event]]
        if event in ("socket.connect", "socket.sendto"):
            if not isinstance(target, tuple):  # a Unix socket
                return
            target = target[0]
        if not is_loopback(target):
            with record.open("a", encoding="utf-8") as lines:
                lines.write(f"{event} {target}\n")

    sys.addaudithook(hook)


def main() -> None:
    script, port = sys.argv[1:3]
    watch_connections(Path(os.environ["CALLS_OUT"]))
    from streamlit.web import cli

    options = {
        "server.headless": "true",
        "server.address": "127.0.0.1",
        "server.port": port,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    sys.argv = ["streamlit", "run", script, *flags]
    cli.main()


if __name__ == "__main__":
    main()
