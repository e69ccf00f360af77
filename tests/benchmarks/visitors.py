"""Many visitors at once: ``python -m tests.benchmarks.visitors [--check] [--seconds 300] [--visitors 20]``.

The real app is started with an empty store, every address of the mix is opened until nothing of it is being computed, and
then so many visitors, each a session and a browser cookie of their own, open one address of the mix after another and read
it for some seconds. After that, once more for half the time, while one of them trains the packaged network and another
proves all retrainings of the 5,000 digits.

The visitors speak Streamlit's own protocol (its protobuf messages over a websocket): twenty browsers on two cores would
measure browsers. **Measured** is what the server does for a click, from the request until the last word of the page has
arrived and nothing of it is being computed any more, parts that run by themselves included; what is shown again is sent
again, since these visitors keep nothing. **Not measured**: the first files of a page, pictures that are fetched beside it,
and the time that a browser takes to draw. The visitors run on the same cores as the server, whose load is printed.

Resident memory is the server's, after a fifth of the first time and at its end (minutes 1 and 5 of five).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from influence_core.store import FOLDER_VARIABLE
from pages._shell.browser import COOKIE
from tests.browser.conftest import ROOT, started

MEDIAN, MOST, BESIDE_WORK, GROWTH = 2.0, 6.0, 3.0, 1.1
"""Seconds that half of the answers, 95 in 100, and any answer beside somebody's long work may take; growth of memory."""
READING = (5.0, 15.0)
"""Seconds that a visitor looks at a page."""
PATIENCE, VISITING = 600.0, 120.0
"""Seconds after which an answer is given up, where everything is computed for the first time and later."""
CORES = 2
STUDIES = ("digits", "one-or-seven", "diabetes", "mails", "dog-or-frog")
PANELS = ("distance", "groups", "map", "table", "foils", "anatomy")
PAGES = ("what_if", "leave_one_out", "data_health", "review", "ask")
OTHERS = (
    ("guide", ""),
    ("build", ""),
    ("domain_mismatch", "diabetes"),
    ("solver_comparison", "one-or-seven"),
)
TRAINING = ("", {"study": "digits-network@r0"})  # the shipped network ships trained
PROVING = ("leave_one_out", {"study": "digits", "retrain": "all"})

HEAD = "| | visitors | answers | errors | median, s | 95 %, s | longest, s |\n" + "|---" * 7 + "|"

Address = tuple[str, dict[str, str]]


def mix() -> list[Address]:
    """What the visitors open: pages, "" for *Explain*, and their parameters."""
    explained: list[Address] = [("", {"study": one, "chart": chart}) for one in STUDIES for chart in PANELS]
    others: list[Address] = [(page, {"study": one}) for one in STUDIES for page in PAGES]
    single: list[Address] = [(page, {"study": one} if one else {}) for page, one in OTHERS]
    return [*explained, *others, *single]


@dataclass
class Seen:
    """What the visitors met with.

    Attributes:
        seconds: Of each answer.
        asked: Its address.
        errors: What went wrong, in words.
    """

    seconds: list[float] = field(default_factory=list)
    asked: list[Address] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Visitor:
    """One session of the app, which does what a browser does: runs parts again that run by themselves.

    Args:
        socket: To the server.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.address = socket, ("", {})
        self._again: dict[str, tuple[float, float]] = {}
        self._errors: list[str] = []
        self._working, self._page = False, ""
        self._pages: dict[str, str] = {}

    async def ask(self, address: Address, patience: float = PATIENCE) -> tuple[float, list[str]]:
        """Open an address; seconds until it is there whole, and what went wrong."""
        self.address, self._again, self._errors, self._working = address, {}, [], False
        begun = time.perf_counter()
        await self._run()
        while not await self._is_there(begun + patience - time.perf_counter()):
            pass
        return time.perf_counter() - begun, self._errors

    async def read(self, seconds: float) -> None:
        """Look at the page; it may run again meanwhile."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            await self._is_there(left, once=True)

    async def rest(self, seconds: float) -> None:
        """Look at the page until nothing is being made beside it, at most so long."""
        end = time.perf_counter() + seconds
        await self.read(0.5)
        while self._again and time.perf_counter() < end:
            await self.read(0.5)

    async def _run(self, fragment: str = "") -> None:
        message, (page, query) = BackMsg(), self.address
        run = message.rerun_script
        run.query_string = urlencode(query)
        if fragment:
            run.fragment_id, run.page_script_hash, run.is_auto_rerun = fragment, self._page, True
        elif self._pages:
            run.page_script_hash = self._pages[page]
        else:
            run.page_name = page  # as a browser does that comes by an address
        run.context_info.timezone, run.context_info.locale = "UTC", "en"
        await self.socket.send(message.SerializeToString())

    async def _is_there(self, left: float, once: bool = False) -> bool:
        """Hear one message, or run a part again that is due; whether the page is there with it."""
        if left <= 0 and not once:
            self._errors.append(f"{self.address}: not there in time")
            return True
        now = time.perf_counter()
        due = [(when, one) for one, (when, _) in self._again.items()]
        wait = max(0.0, min([left, *(when - now for when, _ in due)]))
        try:
            heard = await asyncio.wait_for(self.socket.recv(decode=False), wait) if wait else None
        except TimeoutError:
            heard = None
        if heard is not None:
            return self._hear(ForwardMsg.FromString(heard))
        for when, one in due:
            if when <= time.perf_counter():
                self._again[one] = (time.perf_counter() + self._again[one][1], self._again[one][1])
                await self._run(one)
        return False

    def _hear(self, message: ForwardMsg) -> bool:
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self._again, self._working, self._page = {}, False, message.new_session.page_script_hash
        elif kind == "navigation":
            self._page, pages = message.navigation.page_script_hash, message.navigation.app_pages
            self._pages = {"" if one.is_default else one.url_pathname: one.page_script_hash for one in pages}
        elif kind == "stop_auto_rerun":
            self._again = {
                one: when
                for one, when in self._again.items()
                if one not in message.stop_auto_rerun.fragment_ids
            }
        elif kind == "auto_rerun":
            every = message.auto_rerun.interval
            self._again[message.auto_rerun.fragment_id] = (time.perf_counter() + every, every)
        elif kind == "delta":
            self._look(message)
        elif kind == "script_finished":
            whole = message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
            return whole and not self._working and self._page == self._pages[self.address[0]]
        return False

    def _look(self, message: ForwardMsg) -> None:
        delta = message.delta
        if delta.WhichOneof("type") == "add_block" and "job_progress" in delta.add_block.id:
            self._working = True
        if delta.WhichOneof("type") == "new_element":
            element = delta.new_element
            if element.WhichOneof("type") == "exception":
                self._errors.append(f"{self.address}: {element.exception.type} {element.exception.message}")
            if element.WhichOneof("type") == "alert" and element.alert.format == element.alert.ERROR:
                self._errors.append(f"{self.address}: {element.alert.body[:200]}")


async def visit(url: str) -> Visitor:
    """A visitor with a cookie of its own."""
    cookie = {"Cookie": f"{COOKIE}={secrets.token_hex(16)}"}
    address = f"{url.replace('http', 'ws', 1)}/_stcore/stream"
    return Visitor(
        await connect(address, subprotocols=["streamlit"], max_size=None, additional_headers=cookie)
    )


async def go_about(url: str, seen: Seen, seconds: float, seed: int, but: str = "") -> None:
    """One address after another, until the time is over; none of the study ``but``."""
    chance, end = Random(seed), time.perf_counter() + seconds
    visitor = await visit(url)
    try:
        await visitor.read(chance.uniform(0.0, READING[1]))  # they do not all come at once
        while time.perf_counter() < end:
            address = chance.choice([one for one in mix() if not but or one[1].get("study") != but])
            took, errors = await visitor.ask(address, VISITING)
            seen.seconds.append(took)
            seen.asked.append(address)
            seen.errors += errors
            await visitor.read(chance.uniform(*READING))
    except Exception as error:  # a lost connection is what a visitor would see
        seen.errors.append(f"{type(error).__name__}: {error}")
    finally:
        await visitor.socket.close()


async def warm(url: str) -> list[str]:
    """Open everything twice, each until nothing is being made beside it; what went wrong."""
    visitor, wrong = await visit(url), []
    for address in [*mix(), *mix()]:
        took, errors = await visitor.ask(address)
        wrong += errors
        print(f"{took:6.1f} s {address}", file=sys.stderr, flush=True)
        await visitor.rest(VISITING)
    await visitor.socket.close()
    return wrong


async def work(url: str, address: Address, seconds: float) -> str:
    """Somebody's long work; in words, what became of it."""
    visitor = await visit(url)
    took, errors = await visitor.ask(address, seconds)
    await visitor.socket.close()
    return f"{address}: {f'not done after {took:.0f} s' if errors else f'{took:.0f} s'}"


def resident(process: int) -> float:
    """Megabytes of a process that are in memory; Linux alone tells it."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("VmRSS")) / 1024


async def at_times(process: int, times: list[float]) -> list[float]:
    """Resident memory after so many seconds each."""
    begun, found = time.perf_counter(), []
    for one in times:
        await asyncio.sleep(max(0.0, begun + one - time.perf_counter()))
        found.append(resident(process))
    return found


async def measure(url: str, process: int, visitors: int, seconds: float) -> tuple[Seen, Seen, list[float]]:
    """What the visitors met with alone, and beside somebody's work, printed as it is known; and the server's memory."""
    alone, beside = Seen(), Seen()
    alone.errors += await warm(url)
    memory, *_ = await asyncio.gather(
        at_times(process, [seconds / 5, seconds]),
        *(go_about(url, alone, seconds, seed) for seed in range(visitors)),
    )
    print(HEAD, flush=True)
    print(row("cached pages", visitors, alone), flush=True)
    worked = [work(url, one, seconds / 2) for one in (TRAINING, PROVING)]
    others = (
        go_about(url, beside, seconds / 2, 1000 + seed, PROVING[1]["study"])
        for seed in range(visitors - len(worked))
    )
    found = await asyncio.gather(*worked, *others)
    print(row("beside training and proving", visitors - len(worked), beside), flush=True)
    grown = memory[1] / memory[0]
    print(
        f"\nResident memory {memory[0]:.0f} MB after a fifth, {memory[1]:.0f} MB at the end ({grown:.2f} x)."
    )
    print("\n".join([*filter(None, found), *dict.fromkeys(alone.errors + beside.errors)]))
    return alone, beside, memory


def row(name: str, visitors: int, seen: Seen) -> str:
    """One row of the table."""
    took = np.array(seen.seconds or [np.nan])
    numbers = (*np.quantile(took, [0.5, 0.95]), took.max())
    cells = (
        name,
        str(visitors),
        str(len(seen.seconds)),
        str(len(seen.errors)),
        *(f"{one:.2f}" for one in numbers),
    )
    return f"| {' | '.join(cells)} |"


def failings(alone: Seen, beside: Seen, memory: list[float]) -> list[str]:
    """What falls short, in words."""
    middle, most = np.quantile(alone.seconds, [0.5, 0.95])
    found = {
        f"{len(alone.errors + beside.errors)} errors": bool(alone.errors or beside.errors),
        f"median {middle:.2f} s > {MEDIAN:g} s": middle > MEDIAN,
        f"95 % {most:.2f} s > {MOST:g} s": most > MOST,
        f"{max(beside.seconds):.2f} s beside somebody's work > {BESIDE_WORK:g} s": max(beside.seconds)
        > BESIDE_WORK,
        f"memory grows {memory[1] / memory[0]:.2f} x > {GROWTH:g} x": memory[1] > GROWTH * memory[0],
    }
    return [words for words, short in found.items() if short]


def main() -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 where something falls short")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument(
        "--store", metavar="FOLDER", help="with results of an earlier run; an empty one by default"
    )
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # the server inherits it
    settings = {"INFLUENCE_EXPLORER_PROVE_SECONDS": "0"}  # what is proven is proven by the visitor who proves
    settings |= {FOLDER_VARIABLE: options.store} if options.store else {}
    with (
        tempfile.TemporaryDirectory() as folder,
        started(ROOT / "app.py", Path(folder), **settings) as (url, server),
    ):
        print(f"{CORES} cores, {options.seconds:.0f} s, load {os.getloadavg()[0]:.1f} before\n", flush=True)
        alone, beside, memory = asyncio.run(measure(url, server.pid, options.visitors, options.seconds))
        print(f"Load at the end {os.getloadavg()[0]:.1f}.")
    for seen in (alone, beside):
        slowest = sorted(zip(seen.seconds, seen.asked, strict=True), key=lambda one: -one[0])[:5]
        print("Longest: " + "; ".join(f"{took:.2f} s {address}" for took, address in slowest))
    short = failings(alone, beside, memory)
    for words in short:
        print(f"falls short: {words}")
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
