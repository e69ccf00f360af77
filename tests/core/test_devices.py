"""Where the arithmetic happens, and how precisely, on machines of every kind."""

import pytest
import torch

from influence_core import devices
from influence_core.errors import DataError


@pytest.fixture
def machine(monkeypatch):
    """Makes this machine look as if it had these devices."""

    def look(*names):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)

    return look


CHOICES = [
    # asked, there is, parameters, network -> device, type
    ("auto", (), 784, False, "cpu", torch.float64),
    ("auto", ("mps",), 784, True, "cpu", torch.float64),
    ("auto", ("cuda",), 784, False, "cuda", torch.float64),
    ("cpu", ("cuda",), 7_840, False, "cpu", torch.float64),
    ("cpu", (), devices.FLOAT64_LIMIT, False, "cpu", torch.float64),
    ("cpu", (), devices.FLOAT64_LIMIT + 1, False, "cpu", torch.float32),
    ("cuda", ("cuda",), 10**6, True, "cuda", torch.float32),
    ("mps", ("mps",), 2_616, True, "mps", torch.float32),
]


@pytest.mark.parametrize(("name", "there", "dim", "network", "device", "dtype"), CHOICES)
def test_choice(machine, name, there, dim, network, device, dtype):
    machine(*there)
    assert devices.choose(name, dim, network) == (torch.device(device), dtype)


@pytest.mark.parametrize(
    ("name", "there", "message"),
    [
        ("tpu", ("cuda",), "no device 'tpu'; choose one of auto, cpu, cuda"),
        ("", (), "no device ''; choose one of auto, cpu"),
        ("cuda", (), "no cuda device; choose one of auto, cpu"),
        ("mps", ("cuda",), "no mps device; choose one of auto, cpu, cuda"),
        ("mps", ("mps",), "MPS has no float64.*choose cpu"),
    ],
)
def test_refusal_names_what_there_is(machine, name, there, message):
    machine(*there)
    with pytest.raises(DataError, match=message):
        devices.choose(name, 784, is_network=False)


@pytest.mark.parametrize(
    ("there", "names"),
    [
        ((), ("auto", "cpu")),
        (("cuda",), ("auto", "cpu", "cuda")),
        (("cuda", "mps"), ("auto", "cpu", "cuda", "mps")),
    ],
)
def test_only_what_is_there_is_offered(machine, there, names):
    machine(*there)
    assert devices.available() == names


@pytest.fixture
def shortened():
    """Both switches for shortened products, on for one test (monkeypatch cannot restore them)."""
    switches = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = True
    yield lambda: [switch.allow_tf32 for switch in switches]
    for switch, value in zip(switches, before, strict=True):
        switch.allow_tf32 = value


def test_cuda_computes_without_the_shortened_products(machine, shortened):
    machine("cuda")
    devices.choose("cpu", 784, is_network=False)
    assert shortened() == [True, True]
    devices.choose("auto", 784, is_network=False)
    assert shortened() == [False, False]
