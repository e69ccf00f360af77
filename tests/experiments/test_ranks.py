"""Several processes: together they train, multiply and write what one does; one that is lost costs the part it was at."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from influence_core.context import Context
from influence_core.engines import SolverSettings
from influence_core.errors import UnsupportedError
from influence_core.experiments import whole_table
from influence_core.experiments.whole_table import Form
from influence_core.objective import share
from influence_core.operators import Hessian
from influence_core.ranks import Ranks, together
from influence_core.store import Store
from influence_core.training import minimise
from tests.problems import linear, linear_study, network_study

TESTS, BLOCK = 22, 5
LOST = 7
"""What a process ends with that hears of another's end."""


def toy(kind="softmax"):
    return linear_study(linear(kind, n=61, tests=TESTS))


def test_shares_are_in_order_and_nearly_equal():
    for n, world in ((7, 3), (3, 4), (100, 8)):
        rows = [Ranks(rank, world).rows(n) for rank in range(world)]
        assert [at for one in rows for at in range(n)[one]] == list(range(n))
        sizes = [one.stop - one.start for one in rows]
        assert max(sizes) - min(sizes) <= 1


def test_what_several_processes_cannot_share_is_said():
    two = Ranks(1, 2)
    assert "cg" in (whole_table.supports(toy(), Form(), SolverSettings("cg"), two) or "")
    assert whole_table.supports(toy(), Form(), SolverSettings("cg")) is None
    with pytest.raises(UnsupportedError, match="Use one process"):
        share(network_study().objective, two)
    with pytest.raises(UnsupportedError, match="Use fewer"):
        share(toy().objective, Ranks(1, 62))


def _together(rank, world, port, work, folder):
    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), LOCAL_RANK="0"
    )
    torch.set_num_threads(1)
    whole_table.LARGEST_BLOCK = BLOCK
    from influence_core.errors import LostWorkerError

    try:
        with together() as ranks:
            work(ranks, folder)
    except LostWorkerError:
        sys.exit(LOST)


def spawned(world, work, folder):
    """Exit codes of ``work(ranks, folder)`` in ``world`` processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn = multiprocessing.get_context("spawn")
    workers = [
        spawn.Process(target=_together, args=(rank, world, port, work, folder)) for rank in range(world)
    ]
    for one in workers:
        one.start()
    for one in workers:
        one.join(120)
        if one.is_alive():
            one.kill()
    return [one.exitcode for one in workers]


def _sums(ranks, folder):
    for kind in ("softmax", "logistic"):
        study = toy(kind)
        whole, own = study.objective, share(study.objective, ranks)
        theta, v = 1.5 * study.theta, torch.ones(whole.dim, 3, dtype=torch.float64)
        assert own.n < whole.n and own.unit == whole.unit
        assert_close(own.risk(theta), whole.risk(theta), rtol=1e-13, atol=0)
        assert_close(own.risk_gradient(theta), whole.risk_gradient(theta), rtol=1e-12, atol=1e-14)
        assert_close(own.hessian_product(theta)(v), whole.hessian_product(theta)(v), rtol=1e-12, atol=1e-14)
        assert_close(
            Hessian(own, theta, 0.1).dense(), Hessian(whole, theta, 0.1).dense(), rtol=1e-12, atol=1e-14
        )
        assert_close(minimise(own).theta, study.theta, rtol=1e-7, atol=1e-9)
    assert ranks.of_first(ranks.rank) == 0 and ranks.of_all(ranks.rank) == [0, 1, 2]
    assert ranks.any(ranks.rank == 2) and not ranks.any(False)
    assert ranks.sent > 0


@pytest.mark.slow
def test_sums_over_shared_examples_are_those_over_all(tmp_path):
    assert spawned(3, _sums, tmp_path) == [0, 0, 0]


def _tables(ranks, folder):
    for kind in ("softmax", "logistic"):
        context = Context(Store(folder / f"store-{ranks.world}"), ranks=ranks)
        for number in ("influence", "corrected", "proven"):
            for top in (0, 3):
                place = folder / f"{kind}-{number}-{top}-of-{ranks.world}"
                whole_table.run(toy(kind), place, Form(number, top), context=context)


@pytest.mark.slow
def test_tables_of_several_processes_are_those_of_one(tmp_path, monkeypatch):
    assert spawned(3, _tables, tmp_path) == [0, 0, 0]
    monkeypatch.setattr(whole_table, "LARGEST_BLOCK", BLOCK)
    _tables(Ranks(), tmp_path)
    for kind in ("softmax", "logistic"):
        study = toy(kind)
        for number in ("influence", "corrected", "proven"):
            for top in (0, 3):
                one, several = (
                    whole_table.place(
                        study, tmp_path / f"{kind}-{number}-{top}-of-{world}", Form(number, top)
                    )
                    for world in (1, 3)
                )
                assert one.parts.missing() == several.parts.missing() == []
                for test_id in study.data.test.ids.tolist():
                    if top:
                        a, b = one.strongest(test_id), several.strongest(test_id)
                        assert a.training_id.tolist() == b.training_id.tolist()
                        a, b = a.effect_nats.to_numpy(), b.effect_nats.to_numpy()
                    else:
                        a, b = one.effects(test_id), several.effects(test_id)
                    assert np.abs(a - b).max() <= 1e-10 * np.abs(a).max()


def _lost(ranks, folder):
    def progress(fraction, message):
        if ranks.rank == 1 and message.startswith("part 3"):
            os.kill(os.getpid(), signal.SIGKILL)

    whole_table.run(toy(), folder / "table", Form(top=0), context=Context(progress=progress, ranks=ranks))


def _again(ranks, folder):
    whole_table.run(toy(), folder / "table", Form(top=0), context=Context(ranks=ranks))


@pytest.mark.slow
def test_after_a_lost_process_the_same_command_goes_on(tmp_path, monkeypatch):
    lost, killed = spawned(2, _lost, tmp_path)
    assert (lost, killed) == (LOST, -signal.SIGKILL)
    there = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "table").glob("part-*.npy")}
    assert 3 <= len(there) < 5
    assert spawned(2, _again, tmp_path) == [0, 0]
    assert {name: (tmp_path / "table" / name).stat().st_mtime_ns for name in there} == there
    monkeypatch.setattr(whole_table, "LARGEST_BLOCK", BLOCK)
    again = whole_table.place(toy(), tmp_path / "table", Form(top=0))
    whole = whole_table.run(toy(), tmp_path / "whole", Form(top=0))
    assert again.parts.missing() == []
    for test_id in toy().data.test.ids.tolist():
        a, b = whole.effects(test_id), again.effects(test_id)
        assert np.abs(a - b).max() <= 1e-10 * np.abs(a).max()


@pytest.mark.slow
def test_the_command_says_what_each_process_did(tmp_path):
    command = ["table", "--study", "one-or-seven", "--out", str(tmp_path / "table"), "--top", "2", "--json"]
    started = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "influence_core"]
    environment = os.environ | {"INFLUENCE_EXPLORER_CACHE": str(tmp_path / "store"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*started, *command], env=environment, stdout=subprocess.PIPE, text=True, timeout=120
    )
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert [one["process"] for one in told["processes"]] == [0, 1]
    assert [one["training_examples"] for one in told["processes"]] == [546, 546]
    assert all(one["processor_seconds"] > 0 and one["bytes_sent"] > 8 * 784**2 for one in told["processes"])
