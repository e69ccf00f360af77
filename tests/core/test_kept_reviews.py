"""Reviews that are kept: each verdict a transaction of the list of changes, and nothing acknowledged ever lost."""

import errno
import os
import random
import shutil
import signal
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import count
from threading import Thread

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from influence_core.context import Context
from influence_core.data.brought.home import home_of
from influence_core.errors import DataError, StoreError
from influence_core.experiments import review
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.sessions import Sessions, database, reviews, two_reviewers
from influence_core.sessions.verdicts import changes_of, named_in, say
from influence_core.store import Store
from influence_core.store.digest import digest
from influence_core.studies.changes import Change, settled
from tests import toy_mails
from tests.core.test_sessions import KILLS, WRITERS, fresh, kill_all

FLIPS = FlipSettings(0.1, seed=5)
NOON = datetime(2024, 5, 6, 12, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def study():
    return toy_mails.study()


@pytest.fixture(scope="module")
def begun(study):
    return review.start(study, "mine")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.fixture
def mine(store, study):
    """Ada's review, whose verdicts stand in her list."""
    return reviews.resume(study, "mine", owner="secret", listed="ada", context=Context(store))


def judge(store, study, shown, kind="keep", label=None):
    """A verdict on the suspect on show; the review after it."""
    train_id = int(shown.ids[shown.current])
    reviews.judge(store, study, shown, [say(shown, kind, train_id, label)])
    return reviews.recall(store, study, shown.session, shown.owner)


def listed(store, owner="ada"):
    (session,) = Sessions(store).of(owner, "toy-mails")
    return session


def texts(store, owner="ada"):
    return [str(one.said) for one in listed(store, owner).state().entries]


def same(one, other):
    for name in ("session", "study", "method", "flips", "verdicts", "trainings", "class_names"):
        assert getattr(one, name) == getattr(other, name), name
    for name in ("ids", "given", "true", "scores", "theta"):
        assert_array_equal(getattr(one, name), getattr(other, name))


# ------------------------------------------------------------------------------------------- one list


def test_a_verdict_of_a_review_is_one_of_the_list_and_undone_with_it(store, study, mine):
    first, second, third = (int(one) for one in mine.ids[mine.queue[:3]])
    other = 1 - int(mine.given[mine.queue[1]])
    state = judge(store, study, judge(store, study, mine), "relabel", other)
    state = judge(store, study, state, "remove")
    assert texts(store) == [f"k{first}", f"l{second}={other}", f"r{third}"]
    assert [(one.kind, one.train_id, one.new) for one in state.verdicts][1:] == [
        ("relabel", second, other),
        ("remove", third, int(mine.given[mine.queue[2]])),
    ]
    assert {named_in(one.said) for one in listed(store).state().entries} == {"mine"}
    for way, known in ((-1, 2), (-1, 1), (1, 2), (1, 3), (1, 3)):
        reviews.move(store, state, way)
        assert len(reviews.recall(store, study, "mine", "secret").verdicts) == known
    listed(store).undo()
    assert len(reviews.recall(store, study, "mine", "secret").verdicts) == 2, "undone elsewhere"
    assert [str(one) for one in settled(listed(store).state().changes)] == [f"l{second}={other}"]


def test_what_is_said_elsewhere_counts_in_a_review_but_not_what_another_review_says(store, study, mine):
    first, second, third = (int(one) for one in mine.ids[mine.queue[:3]])
    other = reviews.resume(study, "Bert", "loss", owner="bert's", listed="ada", context=Context(store))
    listed_ = reviews.begin_list(store, study, "ada")
    listed_.record(Change("remove", first))
    listed_.note(second, "half of it is missing")
    reviews.judge(store, study, other, [say(other, "unsure", third)])
    state = reviews.recall(store, study, "mine", "secret")
    assert [(one.kind, one.train_id) for one in state.verdicts] == [("remove", first)]
    assert state.current == mine.queue[1]
    assert reviews.state(store, state).notes == {second: "half of it is missing"}
    kept = reviews.recall(store, study, "Bert", "bert's").verdicts
    assert [(one.kind, one.train_id) for one in kept] == [("remove", first), ("unsure", third)]
    table = review.table(state, study.data.record, {first: "why", second: "half"})
    assert (table["verdict"].tolist(), table["note"].tolist()) == (["remove"], ["why"])


def test_one_may_change_ones_mind_but_a_second_press_changes_nothing(store, study, mine):
    state = judge(store, study, mine)
    (verdict,) = state.verdicts
    reviews.judge(store, study, mine, [say(mine, "remove", verdict.train_id)])  # it was not judged on show
    assert len(texts(store)) == 1
    reviews.judge(store, study, state, [say(state, "remove", verdict.train_id)])
    now = reviews.recall(store, study, "mine", "secret")
    assert [(one.kind, one.train_id) for one in now.verdicts] == [("remove", verdict.train_id)]
    on = judge(store, study, now)
    reviews.judge(store, study, on, [say(on, "keep", verdict.train_id)])
    again = reviews.recall(store, study, "mine", "secret")
    assert again.looked_at == tuple(one.train_id for one in on.verdicts)
    assert [one.train_id for one in again.verdicts] == list(reversed(again.looked_at))


def test_a_verdict_says_who_gave_it_in_the_review_and_in_its_table(store, study, mine):
    first, second = (int(one) for one in mine.ids[mine.queue[:2]])
    said = [
        replace(say(mine, "remove", first), who="Bert"),
        replace(say(mine, "unsure", second), who="a guest"),
    ]
    reviews.judge(store, study, mine, said)
    state = reviews.recall(store, study, "mine", "secret")
    assert [one.who for one in state.verdicts] == ["Bert", "a guest"]
    assert [one.who for one in changes_of(state)] == ["Bert", "a guest"]
    assert review.table(state)["who"].tolist() == ["Bert", "a guest"]
    assert reviews.signed_by(store, state) == ""
    listed(store).sign("Ada")
    assert reviews.signed_by(store, state) == "Ada"
    assert reviews.signed_by(store, replace(state, listed="nobody")) == ""


def test_practice_has_a_list_of_its_own(store, study):
    practised = reviews.resume(study, "mine", flips=FLIPS, owner="own", listed="own", context=Context(store))
    judge(store, study, practised)
    assert Sessions(store).of("ada") == [] and len(texts(store, "own")) == 1


def test_a_list_that_was_deleted_takes_the_verdicts_along(store, study, mine):
    judge(store, study, mine)
    listed(store).delete()
    state = reviews.recall(store, study, "mine", "secret")
    assert state.verdicts == () and not reviews.state(store, state).can_undo
    reviews.move(store, state, -1)
    assert len(judge(store, study, state).verdicts) == 1


# --------------------------------------------------------------------------------------- two reviewers


def test_two_reviews_of_a_list_are_compared_and_settled(store, study, mine):
    other = reviews.resume(study, "Bert", owner="bert's", listed="ada", context=Context(store))
    ids = [int(one) for one in mine.ids[mine.queue[:9]]]
    given = [int(one) for one in mine.given[mine.queue[:9]]]
    said = {
        "mine": ["keep", "keep", "relabel", "relabel", "remove", "keep", "unsure", "keep"],
        "Bert": ["keep", "keep", "relabel", "keep", "keep", "keep", "keep", "unsure"],
    }
    for state in (mine, other):
        for at, kind in enumerate(said[state.session]):
            label = 1 - given[at] if kind == "relabel" else None
            reviews.judge(store, study, state, [say(state, kind, ids[at], label)])
    reviews.judge(store, study, other, [say(other, "remove", ids[8])])
    now = reviews.state(store, mine)
    stands = {one: str(said) for one, said in now.verdicts.items()}
    first = [f"l{ids[2]}={1 - given[2]}", f"l{ids[3]}={1 - given[3]}", f"r{ids[4]}"]
    assert [stands[one] for one in ids[2:5]] == first, "a second opinion changes nothing"
    assert sorted(map(str, settled(now.changes))) == sorted([*first, f"r{ids[8]}"])
    assert now.second_opinions == 4, "unsure against keep is one"
    assert two_reviewers.others(mine, now) == ("Bert",) and two_reviewers.others(other, now) == ("mine",)
    found = two_reviewers.compare(mine, now, "Bert")
    assert [one.train_id for one in found.first] == ids[:6], "whoever is unsure has no verdict"
    assert (found.alike, found.settled, found.unsure) == (4, frozenset(), 2)
    by_chance = (3 * 5 + 2 * 1) / 36
    if given[2] != given[3]:  # the two new labels are two verdicts
        by_chance = (3 * 5 + 1 * 1) / 36
    assert found.kappa == pytest.approx((4 / 6 - by_chance) / (1 - by_chance))
    assert [one.train_id for one, _ in found.open] == ids[3:5]
    last = two_reviewers.settle(found.open[1][0], found.names)
    assert str(last) == f"r{ids[4]}"
    for_bert = two_reviewers.settle(found.open[0][1], found.names)
    reviews.judge(store, study, reviews.recall(store, study, "mine", "secret"), [last])
    after = two_reviewers.compare(mine, reviews.state(store, mine), "Bert")
    assert after.settled == {ids[4]} and [one.train_id for one, _ in after.open] == ids[3:4]
    assert (after.alike, after.kappa) == (found.alike, found.kappa), "what each said stays"
    assert reviews.state(store, mine).second_opinions == 3
    reviews.judge(store, study, reviews.recall(store, study, "mine", "secret"), [for_bert])
    assert str(reviews.state(store, mine).verdicts[ids[3]]) == f"k{ids[3]}", (
        "the last word replaces the first"
    )
    for name, owner in (("mine", "secret"), ("Bert", "bert's")):
        state = reviews.recall(store, study, name, owner)
        assert state.verdict_on(ids[4]).kind == "remove", "the last word counts in both"


def test_who_always_says_the_same_has_no_kappa(store, study, mine):
    other = reviews.resume(study, "Bert", owner="bert's", listed="ada", context=Context(store))
    assert two_reviewers.others(mine, reviews.state(store, mine)) == ()
    for state in (mine, other):
        judge(store, study, judge(store, study, state))
    found = two_reviewers.compare(mine, reviews.state(store, mine), "Bert")
    assert found.alike == 2 and np.isnan(found.kappa) and found.open == ()


def test_the_reviews_of_a_study_that_is_gone_go_with_it(store, study, mine):
    practised = reviews.resume(study, "p", flips=FLIPS, owner="own", listed="own", context=Context(store))
    judge(store, study, practised)
    judge(store, study, mine)
    other = replace(study, spec=replace(study.spec, name="other"), key="1" * 64)
    kept = reviews.resume(other, "mine", owner="secret", listed="ada", context=Context(store))
    home_of(store).put("2" * 64, {"x": np.zeros(1)}, {"verdicts": []})
    (home_of(store).folder / f"{'3' * 64}.npz").write_bytes(b"damaged")
    reviews.forget(store, "toy-mails")
    assert Sessions(store).of("own") == [] and reviews.recall(store, study, "mine", "secret") is None
    assert reviews.recall(store, other, "mine", "secret").scores.shape == kept.scores.shape
    assert len(list(home_of(store).folder.glob("*.npz"))) == 3, "the other study's, and what is no review"
    assert len(texts(store)) == 1, "lists are their owners' to delete"


# ---------------------------------------------------------------------------------------------- the file


def test_what_is_kept_comes_back_whole(study, begun, store):
    assert reviews.recall(store, study, "mine") is None
    reviews.save(store, study, begun)
    same(reviews.recall(store, study, "mine"), begun)
    plain = reviews.save(store, study, review.start(study, "other", "loss"))
    same(reviews.recall(store, study, "other"), plain)
    assert reviews.recall(store, toy_mails.study(seed=1), "mine") is None
    for name in ("", " ", " mine", "a" * 41, "two\nlines", "nul\0"):
        with pytest.raises(DataError, match="needs a name of 1 to 40"):
            reviews.recall(store, study, name)


def test_a_review_is_resumed_where_it_stopped(study, store):
    context = Context(store)
    first = reviews.resume(study, "mine", flips=FLIPS, context=context)
    same(first, review.start(study, "mine", flips=FLIPS, context=context))
    judge(store, study, first)
    again = reviews.resume(study, "mine", "loss", context=context)
    assert (again.method, again.flips) == ("exact", FLIPS), "settings of the beginning no longer matter"
    assert [one.train_id for one in again.verdicts] == [int(first.ids[first.current])]


def test_what_was_learnt_is_kept_where_it_still_fits(study, store, mine):
    other = 1 - int(mine.given[mine.current])
    state = judge(store, study, mine, "relabel", other)
    done = review.train(study, state)
    judge(store, study, state)
    kept = reviews.learn(store, study, "mine", done, "secret")
    assert kept.trainings == done.trainings and len(kept.verdicts) == 2
    same(reviews.recall(store, study, "mine", "secret"), kept)
    assert kept.up_to_date
    for _ in range(2):
        reviews.move(store, kept, -1)
    back = reviews.recall(store, study, "mine", "secret")
    assert len(back.trainings) == 1 and not back.up_to_date
    judge(store, study, back, "remove")
    taken = reviews.learn(store, study, "mine", done, "secret")
    assert len(taken.trainings) == 1, "a verdict of as many, but another one"
    with pytest.raises(DataError, match="no review “nobody's”"):
        reviews.learn(store, study, "nobody's", done)


def test_a_name_is_another_review_for_everybody(study, begun, store):
    reviews.save(store, study, replace(begun, owner="anna", listed="anna"))
    judge(store, study, reviews.recall(store, study, "mine", "anna"))
    for owner in ("", "bert"):
        assert reviews.recall(store, study, "mine", owner) is None
    context = Context(store)
    assert reviews.resume(study, "mine", owner="bert", listed="bert", context=context).verdicts == ()
    assert len(reviews.recall(store, study, "mine", "anna").verdicts) == 1


# -------------------------------------------------------------------------------- reviews of earlier versions


def before_lists(store, study, state, owner=""):
    """The file as an earlier version kept it."""
    arrays = {"given": state.given, "scores": state.scores, "theta": state.theta}
    trainings = [
        {name: value for name, value in asdict(one).items() if name not in ("labels", "unseen_accuracy")}
        for one in state.trainings
    ]
    meta = {
        "method": state.method,
        "flips": None if state.flips is None else asdict(state.flips),
        "verdicts": [
            {"train_id": one.train_id, "old": one.old, "new": one.new, "time": one.time, "score": 0.5}
            for one in state.verdicts
        ],
        "trainings": trainings,
    }
    key = digest("review", 1, study.key, state.session, *((owner,) if owner else ()))
    home_of(store).put(key, arrays, meta)
    return home_of(store).path(key)


@pytest.fixture
def old(study, begun):
    """The first label kept, the second changed."""
    first, second = (int(one) for one in begun.ids[begun.queue[:2]])
    return review.relabel(review.keep(begun, first, NOON), second, 1 - int(begun.given[begun.queue[1]]), NOON)


def test_a_review_of_an_earlier_version_comes_into_the_list_once(store, study, old):
    before_lists(store, study, old, "secret")
    found = reviews.recall(store, study, "mine", "secret")
    assert found.listed is None and found.verdicts == old.verdicts and not found.up_to_date
    assert found.unseen_accuracy is None, "which an earlier version did not know"
    with pytest.raises(AssertionError):
        reviews.save(store, study, found)
    for _ in range(2):  # killed before the file was written, it is done again
        reviews.take_in(store, study, found, "secret", "ada")
        assert texts(store) == [str(one) for one in changes_of(old)]
    now = reviews.recall(store, study, "mine", "secret")
    assert now.listed == "ada" and now.verdicts == old.verdicts
    assert {one.said.when for one in listed(store).state().entries} == {NOON.isoformat()}


def test_one_that_was_everybodys_is_its_new_owners_alone(store, study, old):
    path = before_lists(store, study, old)
    reviews.take_in(store, study, reviews.recall(store, study, "mine"), "secret", "ada")
    assert not path.exists() and reviews.recall(store, study, "mine") is None
    assert len(reviews.recall(store, study, "mine", "secret").verdicts) == 2


def test_a_list_that_begins_first_takes_it_over_and_leaves_the_file(store, study, old):
    path = before_lists(store, study, old, "secret")
    content = path.read_bytes()
    assert reviews.recalled(store, study, "mine", "secret") == changes_of(old)
    assert reviews.recalled(store, study, "mine", "bob") == () and path.read_bytes() == content
    practised = review.keep(review.start(study, "mine", flips=FLIPS), int(old.ids[0]))
    before_lists(store, study, practised, "practice")
    assert reviews.recalled(store, study, "mine", "practice") == ()
    reviews.take_in(store, study, reviews.recall(store, study, "mine", "secret"), "secret", "ada")
    assert reviews.recalled(store, study, "mine", "secret") == (), "what stands in a list is not said again"


# ------------------------------------------------------------------------------------------- nothing is lost


def test_visitors_of_one_review_go_on_from_what_is_kept(study, store, mine):
    def work(rounds):
        for _ in range(rounds):
            judge(store, study, reviews.recall(store, study, "mine", "secret"))

    visitors = [Thread(target=work, args=(8,)) for _ in range(3)]
    for one in visitors:
        one.start()
    for one in visitors:
        one.join()
    kept = reviews.recall(store, study, "mine", "secret")
    said = Counter(texts(store))
    assert set(said.values()) == {1}, "nothing is said twice"
    assert [one.train_id for one in kept.verdicts] == mine.ids[mine.queue[: len(said)]].tolist()
    assert 8 <= len(said) <= 24


def test_a_full_disk_is_said_and_nothing_of_the_past_is_lost(study, store, mine, monkeypatch):
    state = judge(store, study, mine)

    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("influence_core.sessions.database.sqlite3.connect", refuse)
        with pytest.raises((StoreError, OSError)):
            judge(store, study, state)
    assert len(reviews.recall(store, study, "mine", "secret").verdicts) == 1


def test_a_home_that_vanished_is_filled_again_with_what_was_on_show(study, store, mine):
    state = judge(store, study, judge(store, study, mine))
    shutil.rmtree(home_of(store).folder)
    database._READY.clear()
    first, second, third = (int(one) for one in mine.ids[mine.queue[:3]])
    reviews.judge(store, study, state, [say(state, "remove", third)])
    assert texts(store) == [f"k{first}", f"k{second}", f"r{third}"]
    assert len(reviews.recall(store, study, "mine", "secret").verdicts) == 3


def test_the_store_that_forgets_has_no_part_in_it(study, tmp_path):
    """The store at its limit, the clock set back, the cache folder gone: the verdicts stay."""
    store = Store(tmp_path, limit_bytes=20_000)
    state = reviews.resume(study, "mine", context=Context(store))
    judge(store, study, state)
    for path in tmp_path.rglob("*.npz"):
        os.utime(path, (0, 0))
    for number in range(5):
        store.put(f"{number:032x}", {"x": np.zeros(1500)}, {})
    store.clear()
    assert len(reviews.recall(store, study, "mine").verdicts) == 1


def test_what_cannot_be_read_is_said_and_not_begun_again(study, begun, store):
    reviews.save(store, study, begun)
    path = home_of(store).path(digest("review", 1, study.key, "mine"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"cannot be read .it is damaged.*left as it is"):
        reviews.resume(study, "mine", context=Context(store))
    assert path.stat().st_size == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process that can be killed")
def test_a_killed_process_loses_nothing(study, store, mine):
    child = os.fork()
    if child == 0:
        state = mine
        for _ in range(3):
            state = judge(store, study, state, "unsure")
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    kept = reviews.recall(Store(store.folder), study, "mine", "secret")
    assert [one.kind for one in kept.verdicts] == ["unsure"] * 3
    assert_allclose(kept.scores, mine.scores)


def review_for_ever(folder, writer, turn, said):
    """Verdicts of one review by several processes at once; each acknowledged one is said on ``said``."""
    database._READY.clear()
    store, study = Store(folder), toy_mails.study()
    os.write(said, b"ready\n")
    draw = random.Random(f"{turn} {writer}")
    for at in count():
        state = reviews.recall(store, study, "mine", "secret")
        train_id = int(draw.choice(state.ids))
        kind = draw.choice(("keep", "remove", "unsure"))
        reviews.judge(store, study, state, [say(state, kind, train_id)])
        os.write(said, f"{train_id}\n".encode())
        if at % 5 == 4:
            reviews.move(store, state, -1)
            reviews.move(store, state, 1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be killed")
def test_four_reviewers_of_one_review_killed_at_any_moment_lose_nothing(tmp_path, study, store, mine):
    moments, heard = random.Random(0), 0
    for turn in range(KILLS):
        new = kill_all(tmp_path, turn, moments.uniform(0, 0.5), review_for_ever)
        heard += sum(map(len, new))
        fresh(store)
        assert store.notices() == []
        there = Counter(one.said.example for one in listed(store).history())
        assert set().union(*map(set, new)) <= set(there)
        assert heard <= sum(there.values()) <= heard + WRITERS * (turn + 1), (
            "what was said, and one more each"
        )
        known = {one.train_id for one in reviews.recall(store, study, "mine", "secret").verdicts}
        assert known == {one.said.example for one in listed(store).state().entries}
    assert heard > KILLS * WRITERS
