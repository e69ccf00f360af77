"""What every test shares: one torch thread, fixed seeds, its own cache, and the shared data where it is."""

import importlib.util
import os
import random
import re
import tempfile
from collections.abc import Generator
from pathlib import Path

# Read when the libraries load: with more than one thread, small products are slower and tests disturb others.
for _pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_pool] = "1"

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)

# Set before anything imports the library, so that no test reads or fills the folders of the person who runs it.
_CACHE = tempfile.TemporaryDirectory(prefix="influence-explorer-tests-", ignore_cleanup_errors=True)
os.environ["INFLUENCE_EXPLORER_CACHE"] = f"{_CACHE.name}/cache"
os.environ["INFLUENCE_EXPLORER_HOME"] = f"{_CACHE.name}/home"
os.environ["INFLUENCE_EXPLORER_PROVE_SECONDS"] = "0"  # a test that wants the background work turns it on

# Tests of the screen need Plotly and Streamlit; those of the mathematics must pass without them.
_DRAWING = {
    "plotly": re.compile(r"^\s*(from|import) (plotly|pages|app|influence_core\.figures)\b", re.MULTILINE),
    "streamlit": re.compile(r"^\s*(from|import) (streamlit|pages|app)\b", re.MULTILINE),
}
_ABSENT = [package for package in _DRAWING if importlib.util.find_spec(package) is None]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    if _ABSENT and collection_path.suffix == ".py" and collection_path.name.startswith("test_"):
        source = collection_path.read_text(encoding="utf-8")
        if any(_DRAWING[package].search(source) for package in _ABSENT):
            return True
    return None


def pytest_report_header() -> list[str]:
    absent = [f"{package} is not installed: the tests that draw are left out" for package in _ABSENT]
    return [*absent, f"shared data: {_shared_folder() or 'none (SHARED_DATA is unset)'}"]


LONGEST = (
    "experiments/test_leave",
    "experiments/test_network",
    "test_proving_journey",
    "test_poison",
    "tests/experiments/",
    "tests/browser/",
)
"""What a parallel run begins with: files with a test of minutes, and folders of such files."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests get as long as a machine of a tenth of the speed may need; a default one the 300 s of all."""
    for item in items:
        long = item.get_closest_marker("slow") or item.get_closest_marker("browser")
        if long and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(1_800))
    items.sort(key=_when)


def _when(item: pytest.Item) -> int:
    """The place of its file."""
    file = item.nodeid.partition("::")[0]
    return next((at for at, one in enumerate(LONGEST) if one in file), len(LONGEST))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("shared_data") is not None:
        _require_shared_data()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing may be missing, in CI, a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_ALL") == "1":
        report.outcome, report.longrepr = "failed", f"skipped, where REQUIRE_ALL is set: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file."""
    report = yield
    if report.outcome == "skipped" and os.environ.get("REQUIRE_ALL") == "1":
        report.outcome, report.longrepr = "failed", f"skipped, where REQUIRE_ALL is set: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)  # noqa: TID251 (a library must not, a test session may)


@pytest.fixture
def shared_data() -> Path:
    """The folder with the large public data sets; without it the test is skipped, or fails in CI."""
    return _require_shared_data()


@pytest.fixture(scope="session")
def one_or_seven():
    """The fast study, trained once: 1,092 digits, logistic regression, label 0 = "7" and label 1 = "1"."""
    from influence_core.studies import find, open_study

    return open_study(find("one-or-seven"))


def _shared_folder() -> Path | None:
    named = os.environ.get("SHARED_DATA")
    return Path(named) if named and Path(named).is_dir() else None


def _require_shared_data() -> Path:
    folder = _shared_folder()
    if folder is None:
        reason = f"needs the shared data sets; SHARED_DATA is {os.environ.get('SHARED_DATA') or 'unset'}"
        if os.environ.get("REQUIRE_SHARED_DATA") == "1":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return folder
