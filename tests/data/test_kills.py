"""A process killed at any moment loses nothing that it acknowledged, and the next start finds nothing half done."""

import os
import random
import signal
import time
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from influence_core.context import Context
from influence_core.data.brought import home, own, picture_uploads, recipes, uploads
from influence_core.data.brought.tables import Choices
from influence_core.experiments import review
from influence_core.store import Store
from influence_core.studies import find, open_study
from tests.data.test_archives import packed, pets
from tests.data.test_home import TABLE
from tests.data.test_own import FIELDS

KILLS = int(os.environ.get("KILLS", "20"))
LONGEST_SECONDS = 1.5


def work(folder, turn, say):
    """Store, judge, unpack, build, upload and remove for ever, and say what was done each time."""
    home._home.cache_clear()  # as a new process begins
    store = Store(folder, limit_bytes=10_000_000)
    study = open_study(find("diabetes"), store)
    review.resume(study, "mine", "loss", owner="anna", context=Context(store))
    say("ready", "now")
    for at in count():
        store.put(f"{at % 100:032x}", {"x": np.random.default_rng(at).random(20_000)}, {})
        now = review.amend(
            store, study, "mine", lambda now: review.keep(now, int(now.ids[now.current])), "anna"
        )
        say("verdict", now.verdicts[-1].train_id)
        files = pets(10) | {"cats/page.png": f"{turn} {at}".encode()}
        sent = picture_uploads.keep(store, packed(files), "a.zip", owner="anna")
        name = recipes.keep(store, FIELDS | {"source": own.IN_ZIP + sent.key}, "anna")
        say("study", name)
        row = f"{turn},{at % 2}\n".encode() * (at + 2)
        say("table", uploads.keep(store, TABLE + row, Choices("bought"), "a.csv", "anna").key)
        if at % 2:
            say("remove", name)
            recipes.remove(store, name, "anna")


def run_and_kill(folder, turn, seconds):
    """What a process said until it was killed, so many seconds after it was ready."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(folder, turn, lambda *words: os.write(told, f"{words[0]} {words[1]}\n".encode()))
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(heard) as lines:
        assert lines.readline() == "ready now\n"
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it went on until it was killed"
        return [tuple(line.split()) for line in lines]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be killed")
def test_nothing_acknowledged_is_lost_and_nothing_half_done_is_left(tmp_path):
    moments, verdicts, kept, removed = random.Random(0), [], {"study": set(), "table": set()}, set()
    study = open_study(find("diabetes"))
    for turn in range(KILLS):
        for kind, name in run_and_kill(tmp_path, turn, moments.uniform(0, LONGEST_SECONDS)):
            if kind == "verdict":
                verdicts.append(int(name))
            elif kind == "remove":
                removed.add(name)
            else:
                kept[kind].add(name)
        home._home.cache_clear()
        store = Store(tmp_path, limit_bytes=10_000_000)
        listed = {one.name: one for one in recipes.recipes(store, "anna")}
        assert list(tmp_path.rglob("*.tmp")) == []
        given = [one.train_id for one in review.recall(store, study, "mine", "anna").verdicts]
        assert [one for one in given if one in verdicts] == verdicts
        assert len(given) <= len(verdicts) + 1, "one may be kept and not yet said"
        verdicts = given
        assert kept["study"] - removed <= set(listed)
        for one in listed.values():
            picture_uploads.recall(store, one.fields["source"].removeprefix(own.IN_ZIP))
        assert kept["table"] <= {one.key for one in uploads.tables(store, "anna")}
        assert store.notices() == []
        _make_room(store)
        kept["study"].clear(), kept["table"].clear()
        if len(given) > len(study.data.train) // 2:
            review.amend(store, study, "mine", lambda now: replace(now, verdicts=()), "anna")
            verdicts = []


def _make_room(store):
    """Remove all that was sent, which leaves no file."""
    for one in recipes.recipes(store, "anna"):
        recipes.remove(store, one.name, "anna")
    for one in uploads.tables(store, "anna"):
        uploads.remove(store, one.key, "anna")
    for one in picture_uploads.uploads(store, "anna"):
        picture_uploads.remove(store, one.key, "anna")
    folder = home.home_of(store).folder
    assert [path for kind in folder.iterdir() if kind.is_dir() for path in kind.rglob("*")] == []
