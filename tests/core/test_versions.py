"""A version of a study is a study: the changed training set, trained from the unchanged optimum, by a name of its own."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from influence_core import studies
from influence_core.__main__ import main
from influence_core.errors import DataError
from influence_core.retraining import linear
from influence_core.retraining.edits import Edit
from influence_core.store import Store
from influence_core.studies import StudySpec, find, open_study
from influence_core.studies.changes import Change, apply, parse, settled
from tests import references
from tests.benchmarks import versions

SMALL = StudySpec("small", "Small", "digits", "softmax", 0.05, (3, 5, 8), n_train=90, n_test=30)


@pytest.fixture(scope="module")
def base():
    return open_study(SMALL)


@pytest.fixture(scope="module")
def changes(base):
    """Three labels, two removals, one weight, one more example."""
    ids, y, test = base.data.train.ids.tolist(), base.data.train.y.tolist(), base.data.test
    made = [Change("relabel", ids[i], label=(y[i] + 1) % 3) for i in (4, 8, 15)]
    made += [Change("remove", ids[i]) for i in (16, 23)]
    made += [Change("reweight", ids[42], weight=2.5), Change("add", int(test.ids[7]), label=int(test.y[7]))]
    return tuple(made)


def expected(base, changes):
    """Inputs, labels, ids and weights of a version, example by example."""
    rows = {}
    for x, y, name in zip(*map(np.asarray, vars(base.data.train).values()), strict=True):
        rows[int(name)] = [x, int(y), 1 / base.objective.n]
    for one in changes:
        if one.kind == "remove":
            del rows[one.example]
        elif one.kind == "relabel":
            rows[one.example][1] = one.label
        elif one.kind == "reweight":
            rows[one.example][2] *= one.weight
        elif one.kind == "add":
            at = base.data.test.position(one.example)
            rows[one.example] = [base.data.test.x[at].numpy(), one.label, 1 / base.objective.n]
    x, y, w = (np.array(column) for column in zip(*rows.values(), strict=True))
    return list(rows), x, y, w


# ------------------------------------------------------------------------------------------------ training


def test_a_version_is_the_changed_risk_s_optimum(base, changes):
    version = open_study(replace(SMALL, changes=changes))
    ids, x, y, w = expected(base, changes)
    assert version.data.train.ids.tolist() == ids
    assert_array_equal(version.data.train.y.numpy(), y)
    assert_allclose(version.objective.weights.numpy(), w, rtol=1e-15)
    assert (
        references.gradient_norm(version.theta.numpy(), x, y, w, SMALL.l2, "softmax") <= SMALL.gradient_norm
    )
    cold = references.cold_fit(x, y, w, SMALL.l2, "softmax", gradient=1e-11)
    assert_allclose(version.theta.numpy(), cold, atol=1e-8 * np.abs(cold).max())
    assert np.abs(version.theta.numpy() - base.theta.numpy()).max() > 1e-4 * np.abs(cold).max()


def test_an_added_example_leaves_the_test_set(base, changes):
    version = open_study(replace(SMALL, changes=changes))
    moved = changes[-1].example
    assert moved in version.data.train.ids.tolist() and moved not in version.data.test.ids.tolist()
    assert len(version.data.test) == len(base.data.test) - 1


def test_a_test_label_set_right_judges_and_teaches_nothing(base):
    at = int(base.data.test.ids[3])
    old = int(base.data.test.y[3])
    (change,) = parse(f"t{at}={(old + 1) % 3}")
    version = open_study(replace(SMALL, changes=(change,)))
    assert version.spec.address == f"small@t{at}={(old + 1) % 3}"
    assert (version.data.given, base.data.given) == ({at: old}, {})
    assert_array_equal(version.theta, base.theta)
    assert_array_equal(version.data.train.y, base.data.train.y)
    moved = np.flatnonzero((version.data.test.y != base.data.test.y).numpy())
    assert moved.tolist() == [3] and int(version.data.test.y[3]) == (old + 1) % 3
    right = [
        (one.predictions.probabilities.argmax(1) == one.predictions.labels).mean() for one in (base, version)
    ]
    said = int(base.predictions.probabilities[3].argmax())
    assert right[1] - right[0] == pytest.approx(((said == (old + 1) % 3) - (said == old)) / 30)
    for text, words in (("t99999999=1", "no example with id"), (f"t{at}=7", "no label number 7")):
        with pytest.raises(DataError, match=words):
            open_study(replace(SMALL, changes=parse(text)))


def test_a_version_says_what_training_again_says(base):
    at = [3, 50, 77]
    version = open_study(
        replace(SMALL, changes=tuple(Change("remove", int(base.data.train.ids[i])) for i in at))
    )
    again = linear.retrain(base.objective, base.theta, [Edit.removal(at)])
    assert_allclose(version.theta.numpy(), again.theta[0].numpy(), atol=1e-8)


def test_leaving_one_more_out_of_a_version_uses_its_own_weights(base, changes):
    version = open_study(replace(SMALL, changes=changes))
    ids, x, y, w = expected(base, changes)
    at = ids.index(changes[5].example)  # the one that weighs more
    found = linear.retrain(version.objective, version.theta, [Edit(torch.tensor([at]), weight=2.0)])
    w[at] = 2 / base.objective.n
    assert references.gradient_norm(found.theta[0].numpy(), x, y, w, SMALL.l2, "softmax") <= 1e-10


@pytest.mark.slow
def test_a_network_goes_on_from_where_it_was():
    spec = replace(studies.CATALOGUE["digits-network"], n_train=20, gradient_norm=0.1)
    spec = replace(spec, schedule=replace(spec.schedule, steps=20, batch=10))
    before = open_study(spec)
    version = open_study(replace(spec, changes=(Change("remove", int(before.data.train.ids[0])),)))
    assert version.objective.n == 19
    assert version.gradient_norm <= spec.gradient_norm
    assert float((version.theta - before.theta).norm()) < 0.5 * float(before.theta.norm())


# ------------------------------------------------------------------------------------------------- the name


def test_the_same_changes_are_the_same_version(base, changes, tmp_path):
    store = Store(tmp_path)
    first = open_study(replace(SMALL, changes=changes), store)
    signed = tuple(
        replace(one, who="Ada", when="2026-11-30T12:00:00", why="seen") for one in reversed(changes)
    )
    again = open_study(replace(SMALL, changes=signed), store)
    assert again.from_store and again.key == first.key
    assert replace(SMALL, changes=signed).address == replace(SMALL, changes=changes).address
    other = open_study(replace(SMALL, changes=changes[:-1]), store)
    assert other.key != first.key


def test_no_change_that_counts_is_the_study_itself(base):
    name = int(base.data.train.ids[0])
    back = replace(SMALL, changes=(Change("remove", name), Change("keep", name)))
    assert open_study(back).key == base.key
    assert back.address == SMALL.address == "small"
    assert replace(SMALL, changes=(Change("remove", name),)).unchanged == SMALL


def test_a_version_is_found_by_its_address_and_explained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path))
    plain = find("one-or-seven")
    train = open_study(plain).data.train
    address = f"one-or-seven@r{train.ids[0]},l{train.ids[1]}={1 - int(train.y[1])}"
    assert find(address).unchanged == plain
    assert main(["explain", "--study", address, "--test", "misclassified", "--top", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["study"] == address
    assert int(train.ids[0]) not in [row["training_id"] for row in told["for"] + told["against"]]


# -------------------------------------------------------------------------------------------------- in words


def test_changes_are_written_and_read(changes):
    again = parse(",".join(map(str, changes)))
    assert again == changes
    assert parse("") == parse(" , ") == ()


@pytest.mark.parametrize(
    "text", ["x7", "r", "r7=1", "l7", "l7=1.5", "a7=0.5", "w7", "w7=-1", "r-1", "r7;l8=1", "l7=x"]
)
def test_what_is_no_change_is_refused(text):
    with pytest.raises(DataError, match="is no change"):
        parse(text)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "burn"},
        {"kind": "remove", "label": 1},
        {"kind": "relabel"},
        {"kind": "relabel", "label": -1},
        {"kind": "reweight"},
        {"kind": "reweight", "weight": float("nan")},
        {"kind": "reweight", "weight": 10.5},
        {"kind": "add"},
    ],
    ids=str,
)
def test_a_change_checks_itself(change):
    with pytest.raises(DataError):
        Change(example=7, **change)


def test_a_weight_has_as_many_digits_as_its_address():
    for weight in (1e-5, 0.00012345678912, 1 / 3, 10.0, 0.0):
        made = Change("reweight", 5, weight=weight)
        assert parse(str(made)) == (made,)
    with pytest.raises(DataError, match="counted from 0"):
        Change("remove", -3)


def test_every_class_must_keep_an_example_that_weighs_something(base):
    names, y = base.data.train.ids.tolist(), base.data.train.y.tolist()
    of_class = [name for name, label in zip(names, y, strict=True) if label == 1]
    emptied = [Change("remove", one) for one in of_class]
    with pytest.raises(DataError, match="A class would be left"):
        apply(base.data, [*emptied[1:], Change("relabel", of_class[0], label=2)])
    with pytest.raises(DataError, match="A class would be left"):
        apply(base.data, [*emptied[1:], Change("reweight", of_class[0], weight=0.0)])
    added = Change("add", int(base.data.test.ids[0]), label=1)
    data, weights = apply(base.data, [*emptied, added])
    assert int((data.train.y == 1).sum()) == 1 and len(weights) == len(names) - len(of_class) + 1


def test_the_last_change_of_an_example_counts():
    made = parse("r5,l3=1,r3,k5,w9=0.5,l3=2")
    assert settled(made) == parse("l3=2,w9=0.5")


def test_changes_that_cannot_be_made_are_refused(base):
    data = base.data
    with pytest.raises(DataError, match="no example with id 999999"):
        apply(data, parse("r999999"))
    with pytest.raises(DataError, match="no label number 3; they are 0 to 2"):
        apply(data, [Change("relabel", int(data.train.ids[0]), label=3)])
    of_class = data.train.ids[data.train.y == 1].tolist()
    with pytest.raises(DataError, match="A class would be left"):
        apply(data, [Change("remove", one) for one in of_class])
    with pytest.raises(DataError, match="A class would be left"):
        apply(data, [Change("remove", one) for one in data.train.ids.tolist()])
    with pytest.raises(DataError, match="No test example would be left"):
        apply(data, [Change("add", one, label=0) for one in data.test.ids.tolist()])


@pytest.mark.slow
@pytest.mark.parametrize("name", versions.STUDIES)
def test_a_mixed_version_of_a_packaged_study_is_a_cold_fit_by_one_name(name):
    """Relabel 3, remove 2, add 1; how long that takes is for the benchmark to judge, on a machine of its own."""
    found = {one.name: one for one in versions.measure(name)}
    assert not found["difference to a cold fit"].short
    assert not found["gradient norm"].short
    assert found["digests"].value == 1
