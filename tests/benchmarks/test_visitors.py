"""The plumbing of the visitors: what they open is there, when a page counts as there, and what is judged."""

import asyncio

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages._shell.address import View
from pages._shell.catalogue import PAGES
from tests.benchmarks import visitors
from tests.benchmarks.visitors import Seen, Visitor


def test_every_address_of_the_mix_is_one():
    rows = {row.script.removeprefix("pages/").removesuffix(".py"): row for row in PAGES}
    for page, query in [*visitors.mix(), visitors.PROVING, visitors.TRAINING]:
        row = rows[page or "explain"]
        assert row.supports(View.read(query).spec) is None
        row.params.read(query)


def session(*fragments: str) -> ForwardMsg:
    message = ForwardMsg()
    message.new_session.name = "app"
    message.metadata.run.fragment_ids.extend(fragments)
    return message


def pages() -> ForwardMsg:
    message = ForwardMsg()
    message.navigation.page_script_hash = "hash of review"
    message.navigation.app_pages.add(page_script_hash="hash of explain", is_default=True, url_pathname="x")
    message.navigation.app_pages.add(page_script_hash="hash of review", url_pathname="review")
    return message


def progress() -> ForwardMsg:
    message = ForwardMsg()
    message.delta.add_block.id = "$$ID-0123-job_progress"
    return message


def again() -> ForwardMsg:
    message = ForwardMsg()
    message.auto_rerun.fragment_id, message.auto_rerun.interval = "part", 0.01
    return message


def exception() -> ForwardMsg:
    message = ForwardMsg()
    message.delta.new_element.exception.type = "KeyError"
    return message


def finished(status: int = ForwardMsg.FINISHED_SUCCESSFULLY) -> ForwardMsg:
    message = ForwardMsg()
    message.script_finished = status
    return message


class Socket:
    """A server that says what it was told to, and notes what it hears."""

    def __init__(self, *says: ForwardMsg) -> None:
        self.says, self.heard = list(says), []

    async def recv(self, decode: bool) -> bytes:
        if not self.says or self.says[0] is WAITS and not self.parts:
            await asyncio.sleep(60)
        if self.says[0] is WAITS:
            self.says.pop(0)
        return self.says.pop(0).SerializeToString()

    async def send(self, message: bytes) -> None:
        self.heard.append(BackMsg.FromString(message).rerun_script)

    @property
    def parts(self) -> list[str]:
        return [one.fragment_id for one in self.heard if one.fragment_id]


WAITS = ForwardMsg()
"""Until the visitor has run a part again."""


def ask(*says: ForwardMsg, patience: float = 20.0) -> tuple[Socket, list[str]]:
    socket = Socket(*says)
    took, errors = asyncio.run(Visitor(socket).ask(("review", {"study": "mails"}), patience))
    assert 0 < took < 10
    return socket, errors


def test_a_page_is_there_once_it_has_run_to_its_end_and_nothing_is_being_computed():
    early = finished(ForwardMsg.FINISHED_EARLY_FOR_RERUN)
    part = finished(ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
    working = (session(), progress(), again(), finished(), WAITS, session("part"), part)
    socket, errors = ask(session(), early, session(), pages(), *working, session(), pages(), finished())
    assert (socket.heard[0].page_name, socket.heard[0].query_string) == ("review", "study=mails")
    assert socket.parts[0] == "part" and not socket.says and not errors


def test_what_goes_wrong_is_told():
    assert "KeyError" in ask(session(), pages(), exception(), finished())[1][0]
    assert "not there in time" in ask(session(), pages(), progress(), finished(), patience=0.2)[1][0]


def test_figures_are_a_row_and_a_judgement():
    good, slow = Seen([0.1, 0.2, 0.3]), Seen([0.1, 3.5], errors=["broken"])
    assert visitors.row("cached", 20, good) == "| cached | 20 | 3 | 0 | 0.20 | 0.29 | 0.30 |"
    assert visitors.failings(good, good, [100.0, 109.0]) == []
    found = visitors.failings(Seen([2.5, 9.0]), slow, [100.0, 120.0])
    assert [one.partition(" ")[0] for one in found] == ["1", "median", "95", "3.50", "memory"]


def test_memory_is_told_of_a_process():
    import os

    assert visitors.resident(os.getpid()) == pytest.approx(visitors.resident(os.getpid()), rel=0.2)
    assert visitors.resident(os.getpid()) > 10
