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
from influence_core.models import backbones
from influence_core.sessions import Sessions, database, reviews
from influence_core.sessions import verdicts as said_in
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies import StudySpec, find, of_table, open_study
from tests.data.test_archives import packed, pets
from tests.data.test_home import TABLE
from tests.data.test_image_folder import picture
from tests.data.test_own import FIELDS

KILLS = int(os.environ.get("KILLS", "20"))
LONGEST_SECONDS = 1.5


def keep_one(store, study, name):
    """The label on show is right; its id once that is kept."""
    now = reviews.recall(store, study, name, "anna")
    train_id = int(now.ids[now.current])
    reviews.judge(store, study, now, [said_in.say(now, "keep", train_id)])
    return train_id


def work(folder, turn, say):
    """Store, judge, unpack, build, upload and remove for ever, and say what was done each time."""
    home._home.cache_clear()  # as a new process begins
    database._READY.clear()
    store = Store(folder, limit_bytes=10_000_000)
    study = open_study(find("diabetes"), store)
    reviews.resume(study, "mine", "loss", owner="anna", listed="anna", context=Context(store))
    say("ready", "now")
    for at in count():
        store.put(f"{at % 100:032x}", {"x": np.random.default_rng(at).random(20_000)}, {})
        say("verdict", keep_one(store, study, "mine"))
        files = pets(10) | {"cats/page.png": f"{turn} {at}".encode()}
        sent = picture_uploads.keep(store, packed(files), "a.zip", owner="anna")
        name = recipes.keep(store, FIELDS | {"source": own.IN_ZIP + sent.key}, "anna")
        say("study", name)
        row = f"{turn},{at % 2}\n".encode() * (at + 2)
        say("table", uploads.keep(store, TABLE + row, Choices("bought"), "a.csv", "anna").key)
        if at % 2:
            say("remove", name)
            recipes.remove(store, name, "anna")


def run_and_kill(folder, turn, seconds, work=work):
    """What a process said until it was killed, so many seconds after it was ready, or so many times a round of its work."""
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(folder, turn, lambda *words: os.write(told, f"{words[0]} {words[1]}\n".encode()))
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(heard) as lines:
        ready, round_ = lines.readline().split()
        assert ready == "ready"
        time.sleep(seconds * (1.0 if round_ == "now" else float(round_)))
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
        given = [one.train_id for one in reviews.recall(store, study, "mine", "anna").verdicts]
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
            Sessions(store).of("anna")[0].delete()
            verdicts = []


# ------------------------------------------------------------------------------------------------- kind by kind


def train(folder, turn, say):
    """One study after another, each trained afresh."""
    store, start = Store(folder), time.monotonic()
    open_study(to_train(store, turn, -1), store)
    say("ready", time.monotonic() - start)
    for at in count():
        study = open_study(to_train(store, turn, at), store)
        assert not study.from_store
        say("trained", f"{at}:{numbers(study)}")


def to_train(store, turn, at):
    (table,) = uploads.tables(store, "anna")
    return replace(of_table(table), l2=0.001 * (2 + at + 100 * turn))


def check_training(folder, turn, said):
    """What was trained is there, and what was not comes out the same as if nobody had been killed."""
    store = Store(folder)
    for _, words in said:
        at, kept = words.split(":")
        again = open_study(to_train(store, turn, int(at)), store)
        assert again.from_store and numbers(again) == kept
    after = to_train(store, turn, len(said))
    assert numbers(open_study(after, store)) == numbers(open_study(after, Store(folder.with_name("calm"))))


def extract(folder, turn, say):
    """Pictures of one zip after another are read, and seen by the network."""
    store, start = Store(folder), time.monotonic()
    open_study(of_photos(send(store, turn, -1).key), store)
    say("ready", time.monotonic() - start)
    for at in count():
        study = open_study(of_photos(send(store, turn, at).key), store)
        say("seen", f"{at}:{numbers(study)}")


def send(store, turn, at):
    files = pets(5) | {"cats/page.png": f"{turn} {at}".encode(), "dogs/more.png": picture(7 * turn + at + 1)}
    return picture_uploads.keep(store, packed(files), "a.zip", owner="anna")


def of_photos(key):
    fields = FIELDS | {"source": own.IN_ZIP + key, "backbone": backbones.PACKAGED}
    return StudySpec(name=recipes.name_of(fields, "anna"), **fields)


def check_extraction(folder, turn, said):
    store = Store(folder)
    for _, words in said:
        at, kept = words.split(":")
        assert numbers(open_study(of_photos(send(store, turn, int(at)).key), store)) == kept
    calm = Store(folder.with_name("calm"))
    after, undisturbed = (open_study(of_photos(send(one, turn, len(said)).key), one) for one in (store, calm))
    assert numbers(after) == numbers(undisturbed)


def numbers(study):
    """The trained numbers, all of them, as they are said."""
    return digest("theta", study.theta.numpy())


def fill(folder, turn, say):
    """Results are stored, most of them in the place of another."""
    store = Store(folder)
    say("ready", "now")
    for at in count():
        store.put(f"{at % 7:032x}", {"x": np.full(200_000, turn * 10**6 + at)}, {"at": at})
        say("stored", f"{at % 7} {at}".replace(" ", ":"))


def check_stored(folder, turn, said):
    store, last = Store(folder), dict(words.split(":") for _, words in said)
    for key, at in last.items():
        entry = store.get(f"{int(key):032x}")
        assert entry.meta["at"] >= int(at) and (entry.arrays["x"] == turn * 10**6 + entry.meta["at"]).all()
    assert store.notices() == []


def unpack(folder, turn, say):
    """Zips are sent and removed."""
    store = Store(folder)
    say("ready", "now")
    for at in count():
        sent = send(store, turn, at)
        say("sent", sent.key)
        if at % 2:
            picture_uploads.remove(store, sent.key, "anna")
            say("removed", sent.key)


def check_unpacked(folder, turn, said):
    store = Store(folder)
    there = {one.key: one for one in picture_uploads.uploads(store, "anna")}
    kept = [key for kind, key in said if kind == "sent"]
    gone = [key for kind, key in said if kind == "removed"]
    maybe = [kept[-1]] if len(kept) % 2 == 0 and kept else []  # its removal may not have been said any more
    assert set(kept) - set(gone) - set(maybe) <= set(there) and not set(gone) & set(there)
    for one in there.values():
        assert len(list(one.folder.rglob("*.png"))) == 12, "whole, or not there"


def judge(folder, turn, say):
    """Verdicts are given, one after another."""
    store = Store(folder)
    study = open_study(find("diabetes"), store)
    reviews.resume(study, f"review {turn}", "loss", owner="anna", listed="anna", context=Context(store))
    say("ready", "now")
    while True:
        say("verdict", keep_one(store, study, f"review {turn}"))


def check_judged(folder, turn, said):
    store = Store(folder)
    given = reviews.recall(store, open_study(find("diabetes"), store), f"review {turn}", "anna").verdicts
    said = [int(one) for _, one in said]
    assert [one.train_id for one in given][: len(said)] == said and len(given) <= len(said) + 1


OF_KIND = {
    "training": (train, check_training, 4.0),
    "feature extraction": (extract, check_extraction, 3.0),
    "storing": (fill, check_stored, 0.3),
    "unpacking": (unpack, check_unpacked, 0.3),
    "reviewing": (judge, check_judged, 0.5),
}
"""What is killed, what is looked at afterwards, and within how many seconds, or rounds of the work."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be killed")
@pytest.mark.parametrize("kind", OF_KIND)
def test_a_kill_at_any_moment_of_a_kind_of_work_costs_nothing(tmp_path, kind):
    killed, check, longest = OF_KIND[kind]
    folder, moments, heard = tmp_path / "server", random.Random(kind), 0
    for one in (folder, folder.with_name("calm")):
        uploads.keep(Store(one), TABLE, Choices("bought"), "a.csv", "anna")
    for turn in range(2 * KILLS // len(OF_KIND)):
        said = run_and_kill(folder, turn, moments.uniform(0, longest), killed)
        heard += len(said)
        home._home.cache_clear()
        home.home_of(Store(folder))  # the next start
        assert list(folder.rglob("*.tmp")) == [], "nothing half done is left"
        check(folder, turn, said)
    assert heard, "something was acknowledged between the kills"


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
