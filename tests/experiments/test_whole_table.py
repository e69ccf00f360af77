"""The whole table: each row as the single question gives it; killed, damaged and foreign folders."""

import json
import multiprocessing
import os
import signal

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from influence_core.__main__ import main
from influence_core.context import Context
from influence_core.errors import DataError, UnsupportedError
from influence_core.experiments import all_left_out, corrected, effects, explain, questions, whole_table
from influence_core.experiments.whole_table import Form
from influence_core.store.parts import DESCRIPTION, Parts
from tests.problems import linear, linear_study, network_study, ready

TESTS = 24


@pytest.fixture(scope="module", params=["logistic", "softmax"])
def study(request):
    return linear_study(linear(request.param, tests=TESTS))


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(whole_table, "LARGEST_BLOCK", 5)


def of_one(study, number, test_id, label=None):
    asked = questions.ask(study, test_id, label)
    if number == "influence":
        return explain.run(study, asked).scores
    if number == "corrected":
        return corrected.run(study, asked, context=ready(study, corrected.UNDAMPED)).loss
    models = all_left_out.run(study, "float64")
    moves = np.einsum("d,ncd->nc", asked.x, models.changes, dtype=float)
    alone = effects.effects_of(study, asked, moves).loss
    of_page = all_left_out.effects(
        study, models, asked
    ).loss  # the same in float32, for one question at a time
    assert np.abs(of_page - alone).max() <= 1e-6 * np.abs(alone).max()
    return alone


@pytest.mark.parametrize("number", ["influence", "corrected", "proven"])
def test_every_row_is_what_one_question_gives(study, tmp_path, number):
    table = whole_table.run(study, tmp_path, Form(number, top=0))
    assert sorted(one.name for one in tmp_path.glob("*.npy")) == [f"part-0000{at}.npy" for at in range(5)]
    for test_id in study.data.test.ids.tolist():
        alone = of_one(study, number, test_id)
        assert np.abs(table.effects(test_id) - alone).max() <= 1e-10 * np.abs(alone).max()


def test_the_strongest_are_those_of_all_numbers(study, tmp_path):
    full = whole_table.run(study, tmp_path / "full", Form(top=0, asked="true"))
    strongest = whole_table.run(study, tmp_path / "top", Form(top=3, asked="true"))
    for test_id in (int(study.data.test.ids[0]), int(study.data.test.ids[-1])):
        label = int(study.data.test.y[study.data.test.position(test_id)])
        values = full.effects(test_id)
        assert_allclose(values, of_one(study, "influence", test_id, label), rtol=1e-9)
        kept = strongest.strongest(test_id)
        order = np.argsort(-values)
        assert (
            kept.training_id[kept.side == "for"].tolist() == study.data.train.ids.numpy()[order[:3]].tolist()
        )
        assert kept.effect_nats[kept.side == "against"].tolist() == values[order[::-1][:3]].tolist()
        assert kept["rank"].tolist() == [1, 2, 3, 1, 2, 3]
    read = pd.concat([pd.read_parquet(one) for one in sorted((tmp_path / "top").glob("*.parquet"))])
    assert read.groupby("test_id").size().max() == 6
    with pytest.raises(DataError, match="strongest"):
        strongest.effects(int(study.data.test.ids[0]))
    with pytest.raises(DataError, match="effects"):
        full.strongest(int(study.data.test.ids[0]))
    with pytest.raises(DataError, match="no test example 123456"):
        full.effects(123456)


def _killed_after(study, folder, parts):
    def progress(fraction, message):
        if len(list(folder.glob("part-*.npy"))) >= parts:
            os.kill(os.getpid(), signal.SIGKILL)

    whole_table.run(study, folder, Form(top=0), context=Context(progress=progress))


def test_a_killed_table_goes_on_and_is_the_same_to_the_bit(study, tmp_path):
    folder = tmp_path / "killed"
    worker = multiprocessing.get_context("fork").Process(target=_killed_after, args=(study, folder, 2))
    worker.start()
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    there = {one.name: one.stat().st_mtime_ns for one in folder.glob("part-*")}
    assert 2 <= len(there) < 5
    whole_table.run(study, folder, Form(top=0))
    whole = whole_table.run(study, tmp_path / "whole", Form(top=0))
    for at in range(5):
        assert (folder / f"part-0000{at}.npy").read_bytes() == whole.parts.path(at).read_bytes()
    assert {name: (folder / name).stat().st_mtime_ns for name in there} == there, "what was done stays"


def test_a_damaged_part_is_made_again(study, tmp_path):
    table = whole_table.run(study, tmp_path, Form(top=0))
    before = table.parts.path(3).read_bytes()
    table.parts.path(3).write_bytes(before[:-8] + b"\0" * 8)
    table.parts.path(1).unlink()
    assert whole_table.place(study, tmp_path, Form(top=0)).parts.missing() == [1, 3]
    whole_table.run(study, tmp_path, Form(top=0))
    assert table.parts.path(3).read_bytes() == before


def test_a_folder_of_another_table_is_refused(study, tmp_path):
    whole_table.run(study, tmp_path, Form(top=0))
    with pytest.raises(DataError, match="another table .*asked"):
        whole_table.run(study, tmp_path, Form(top=0, asked="true"))
    (tmp_path / DESCRIPTION).write_text("{")
    with pytest.raises(DataError, match="damaged"):
        whole_table.run(study, tmp_path, Form(top=0))


def test_the_json_says_what_the_numbers_are(study, tmp_path):
    whole_table.run(study, tmp_path, Form(top=2))
    told = json.loads((tmp_path / DESCRIPTION).read_text())
    assert told["axes"] == ["test example", "training example"]
    assert told["shape"] == [TESTS, study.objective.n]
    assert told["unit"] == "nats" and "Plus" in told["sign"] and told["study_digest"] == study.key
    assert sorted(told["done"]) == ["0", "1", "2", "3", "4"]


def test_an_estimate_makes_one_part_and_says_what_the_rest_takes(study, tmp_path):
    told = whole_table.estimate(study, tmp_path, Form(top=0))
    assert whole_table.place(study, tmp_path, Form(top=0)).parts.missing() == [1, 2, 3, 4]
    assert told.seconds > 0 and told.memory > 0
    whole_table.run(study, tmp_path, Form(top=0))
    real = sum(one.stat().st_size for one in tmp_path.glob("part-*"))
    assert real <= told.disk <= 1.3 * real


def test_what_a_study_has_not_and_what_there_is_not_is_said():
    network = network_study()
    assert "linear" in (whole_table.supports(network, Form("proven")) or "")
    assert whole_table.supports(network, Form()) is None
    for wrong in ({"number": "magic"}, {"asked": "me"}, {"top": -1}):
        with pytest.raises(DataError):
            Form(**wrong)


def test_a_network_has_its_influence_but_no_proof(tmp_path):
    network = network_study()
    test_id = int(network.data.test.ids[0])
    table = whole_table.run(network, tmp_path / "one", Form(top=0))
    alone = of_one(network, "influence", test_id)
    assert np.abs(table.effects(test_id) - alone).max() <= 1e-6 * np.abs(alone).max()
    with pytest.raises(UnsupportedError):
        whole_table.run(network, tmp_path / "two", Form("proven"))


def test_parts_of_two_processes_add_up(tmp_path):
    one, other = (Parts(tmp_path, {"unit": "nats"}, ".txt", 3) for _ in range(2))
    one.write(0, lambda file: file.write(b"a"))
    other.write(2, lambda file: file.write(b"c"))
    assert Parts(tmp_path, {"unit": "nats"}, ".txt", 3).missing() == [1]


@pytest.mark.slow
def test_the_command_makes_what_the_library_makes(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(whole_table, "LARGEST_BLOCK", 600)
    folder = tmp_path / "table"
    command = ["table", "--study", "one-or-seven", "--out", str(folder), "--top", "2", "--no-store"]
    assert main([*command, "--estimate"]) == 0
    assert "would take" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["test_examples"] == 1105 and told["training_examples"] == 1092
    assert main([*command, "--ask", "true"]) == 2
    assert "another table" in capsys.readouterr().err
