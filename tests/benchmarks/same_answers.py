"""Whether every page, every figure of the paper and every command answers as before.

``record FOLDER`` visits a fixed list of addresses, runs a fixed list of commands on the checkout in the current
directory, and keeps all that they say as JSON: numbers of charts and tables, metrics, cards, sentences, controls.
``compare FOLDER`` does the same again (or takes ``--with OTHER``, a folder recorded before) and tells what differs:
numbers by more than 1e-12 of the largest in their array, sentences after durations are masked.

    python -m tests.benchmarks.same_answers record before
    python -m tests.benchmarks.same_answers compare before [--with after] [--only WORD] [--slow]

Each address has a process of its own, in one of two lanes; what is trained is kept in one fresh store. A study belongs
to one lane, whose order is fixed, because what is kept of one answer is read by the next: training again takes other
steps to the same optimum where the solver was prepared in the same process (1e-7 apart). So hold what was recorded
with ``--only`` against what was recorded with the same ``--only``.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

TOLERANCE = 1e-12
PATIENCE = 3600.0  # seconds for one address or command
COMMAND = "$ "

# What was worded anew on purpose, keys of charts and tables too: what was there, and what is there now.
RENAMED: dict[str, str] = {
    "The app asks nothing of the internet.": "The app makes no network requests.",
    "Put all back": "Clear selection",
    "Begin, or go on": "Start or resume",
    "Mend ": "Fix ",
    "Worst error": "Worst miss",
}

# What no two runs have in common, by the words around it.
MASKED = {
    r"\d[\d,.]* (ms|s|min|hours?)\b": "#time",  # durations
    r"(; )?(read from the store|computed since the app was started|computed just now)": "",  # who came first
    r"needs no preparation, (which one .* back|unlike the dense factor)": "needs no preparation",  # as above
    r" \(\)": "",  # what is left of "(read from the store)"
    r"soonest is \*\*.*?\*\*": "soonest is #",  # the fastest solver, by the clock
    r".*(Preparing the exact solver|Exact solver: prepared).*": "",  # work beside the page: done by now, or not
}
# Columns, fields and checks that hold a duration, or who came first.
TIMED = re.compile(r"seconds|^(prepare|solve|time|from_store)$")

LANES = (
    """
    explain?
    explain?test=3
    explain?study=one-or-seven
    explain?study=one-or-seven&show=unsure
    explain?study=one-or-seven&show=all&of=1&page=2
    explain?study=one-or-seven&test=5040&open=4199&out=4199,2613&ask=true&retrain=1
    explain?study=one-or-seven&test=5040&open=3173&out=3173&chart=anatomy&ask=0
    explain?study=one-or-seven&test=5022
    explain?study=one-or-seven&test=5040&spot=1
    explain?study=one-or-seven&test=5040&solver=cg&damping=0.25&curvature=hessian&device=cpu&of=1&page=3&k=100&t=0.1
    explain?study=one-or-seven&test=5040&solver=lissa&damping=0.5
    explain?study=one-or-seven&test=5040&solver=ekfac&curvature=gauss-newton
    explain?study=digits&test=8612&ask=true&open=3144&chart=anatomy
    explain?study=digits&test=8612&out=3144,3809&retrain=1
    explain?study=one-or-seven&chart=pie&show=foo&of=99&page=0&out=,&utm_source=mail
    explain?study=nonsense
    explain?study=mnist-one-or-seven
    explain?study=one-or-seven&test=999999
    explain?study=one-or-seven&open=5040
    explain?study=one-or-seven&damping=-1
    explain?study=one-or-seven&ask=xyz
    explain?study=one-or-seven&solver=foo
    explain?study=one-or-seven&retrain=yes
    explain?study=one-or-seven&picture=0000000000000000000000000000000000000000000000000000000000000000
    what_if?study=one-or-seven&test=5040
    what_if?study=one-or-seven&test=5040&panel=against&k=4&edit=relabel&to=1&retrain=1
    what_if?study=one-or-seven&test=5040&panel=class&group=1&edit=reweight&weight=0.5&retrain=1
    what_if?study=one-or-seven&test=5040&panel=random&k=30&edit=relabel
    what_if?study=one-or-seven&test=5040&panel=hand&out=4199,3173&ask=true&retrain=1
    what_if?study=one-or-seven&test=5040&k=4&retrain=groups&spot=1
    what_if?study=one-or-seven&panel=xyz
    what_if?study=one-or-seven&weight=11&edit=reweight
    leave_one_out?study=one-or-seven&k=20
    leave_one_out?study=one-or-seven&k=20&retrain=1&open=4199
    leave_one_out?study=one-or-seven&test=5040&k=20&retrain=1&panel=newton
    leave_one_out?study=one-or-seven&test=5040&k=10&retrain=1&panel=lissa
    leave_one_out?study=one-or-seven&test=5040&retrain=all&open=3573
    leave_one_out?study=one-or-seven&k=abc
    leave_one_out?study=one-or-seven&panel=xyz
    smooth_hinge?
    smooth_hinge?study=one-or-seven&t=0.1&test=5001
    smooth_hinge?study=one-or-seven&t=warm
    smooth_hinge?study=diabetes
    solver_comparison?study=one-or-seven
    solver_comparison?study=one-or-seven&with=cg,nystrom
    solver_comparison?study=one-or-seven&with=gauss
    review?study=one-or-seven&review=impatient&panel=practise
    two_models?study=one-or-seven&beside=dog-or-frog:2397
    poison?study=one-or-seven
    guide?study=one-or-seven
    build?study=one-or-seven
    $ explain --study one-or-seven --test 5040 --top 5 --csv {out}/ranking.csv --json
    $ explain --study one-or-seven --test misclassified --top 3
    $ explain --study digits --test misclassified --top 5 --json
    $ explain --study one-or-seven --label 7 --solver cg --damping 0.5 --curvature gauss-newton --json
    $ explain --study nothing
    $ explain --study one-or-seven --damping -1
    $ precompute one-or-seven --into {out} --json
    $ reproduce fig1 --check --out {out} --json
    $ reproduce fig1
    $ reproduce fig2 --check --out {out} --json
    $ reproduce fig3 --check --out {out} --json
    $ reproduce fig99
    """,
    """
    $ studies --json
    $ studies
    domain_mismatch?study=diabetes-thinned
    domain_mismatch?study=diabetes-thinned&group=age group=[20-30)&test=220&open=426&retrain=1
    domain_mismatch?study=diabetes-thinned&group=bmi
    domain_mismatch?study=diabetes-thinned&group=nonsense
    domain_mismatch?study=one-or-seven
    domain_mismatch?study=hospital-thinned
    explain?study=diabetes&open=377&out=377,386&retrain=1
    explain?study=diabetes-thinned&chart=anatomy
    what_if?study=diabetes&panel=class&group=0&edit=reweight&weight=2&k=5&retrain=1
    what_if?study=diabetes&panel=class&group=0&edit=relabel&to=1&retrain=1
    leave_one_out?study=diabetes&k=50&retrain=1&panel=newton
    wrong_labels?study=diabetes
    wrong_labels?study=diabetes&retrain=1&panel=deviation&flip=20&repeats=5
    wrong_labels?study=diabetes&panel=xyz
    wrong_labels?study=digits-network
    review?study=diabetes
    review?study=diabetes&review=mine&panel=practise
    review?study=diabetes&review=plain&score=loss
    review?study=diabetes&score=age
    explain?study=mails
    explain?study=mails&test=4419&open=1400
    explain?study=mails&test=4419&open=1400&word=family=&panel=word
    explain?study=mails&open=609&word=free=
    review?study=mails&review=mine
    two_models?study=dog-or-frog
    two_models?study=dog-or-frog&test=2397&open=617&beside=one-or-seven:5040
    two_models?study=dog-or-frog&beside=nothing:3
    explain?study=dog-or-frog&test=2397&open=617&out=617,175&retrain=1
    poison?study=dog-or-frog
    poison?study=dog-or-frog&test=2183&retrain=1&box=4&poisons=2
    poison?study=dog-or-frog&test=2183&out=1767,308
    poison?study=dog-or-frog&panel=together
    poison?study=dog-or-frog&panel=share
    poison?study=dog-or-frog&panel=guard
    poison?study=dog-or-frog&box=wide
    explain?study=digits-network&test=9734&open=43
    leave_one_out?study=digits-network&k=5
    leave_one_out?study=digits-network&k=2&retrain=1&test=9734
    what_if?study=digits-network&test=9734&k=2
    guide?
    build?
    $ explain --study digits-network --test 9734 --json
    $ explain --study diabetes --top 3 --json
    $ explain --study mails --top 3 --json
    $ explain --study dog-or-frog --top 3 --json
    $ reproduce fig4 --check --out {out} --json
    $ reproduce readmission --check --out {out} --json
    $ reproduce labels --check --out {out} --json
    """,
)
# What takes many minutes each, recorded and compared with --slow.
SLOW = (
    """
    $ reproduce fig2-network --check --out {out} --json
    solver_comparison?study=digits-network&with=ekfac
    """,
    """
    poison?study=dog-or-frog&panel=together&retrain=1&box=4
    poison?study=dog-or-frog&panel=share&retrain=1&k=5&box=4
    $ reproduce fig5 --check --out {out} --json
    """,
)
FOLDED = ("table_folded", "own_words", "choose_another")
"""Keys of what a page shows once it is unfolded."""


# -------------------------------------------------------------------------------------------------- one visit


def visit(line: str) -> dict[str, Any]:
    """All that a page says at an address, once its long work has ended."""
    import torch
    from streamlit.testing.v1 import AppTest

    torch.set_num_threads(1)
    torch.set_num_threads = lambda _: None  # the app takes half the cores, and sums differ with their number
    sys.path.insert(0, os.getcwd())
    page, _, query = line.partition("?")
    at = AppTest.from_file(str(Path("app.py").resolve()), default_timeout=60)
    if page != "explain":  # the start page
        at.switch_page(f"pages/{page}.py")
    for name, value in parse_qsl(query, keep_blank_values=True):
        at.query_params[name] = value
    for key in FOLDED:
        at.session_state[key] = True
    end = time.monotonic() + PATIENCE
    while "job_cancel" in {button.key for button in at.run().button}:
        if time.monotonic() > end:
            raise TimeoutError("the work did not end")
        time.sleep(0.1)
    return told(at)


def told(at: Any) -> dict[str, Any]:
    """What a page says, sorted by kind and otherwise in the order of the page."""
    said: dict[str, Any] = {name: [] for name in ("texts", "controls", "metrics")}
    said |= {name: {} for name in ("tables", "charts", "cards")}
    said["address"] = dict(at.query_params.items())
    for node in [*at.main, *at.sidebar, *at.toast]:
        if node.type == "plotly_chart":
            said["charts"][node.key] = unpacked(json.loads(node.proto.spec))
        elif node.type in ("arrow_data_frame", "dataframe", "table"):
            said["tables"][node.key or len(said["tables"])] = columns(node.value)
        elif node.type == "metric":
            said["metrics"].append([node.label, node.value, node.delta])
        elif node.type == "bidi_component":
            said["cards"][node.key] = json.loads(node.proto.json)
        elif getattr(node, "label", ""):
            said["controls"].append(control(node))
        elif words := text_of(node):
            said["texts"].append(f"{node.type}: {words}")
    return said


def control(node: Any) -> str:
    """A widget, an expander or a tab: its words, what it offers, and what is chosen."""
    options = list(getattr(node, "options", None) or [])
    value = getattr(node, "value", None)
    told = [node.type, node.label, options or "", "" if value in (None, False) else value]
    return " ".join(str(one) for one in told if one != "")


def text_of(node: Any) -> str:
    """The words of an element that has some, whatever its kind."""
    if node.type == "imgs":
        return " ".join(f"{one.url} {one.caption}" for one in node.proto.imgs)
    for name in ("body", "spec", "text"):
        if isinstance(words := getattr(node.proto, name, None), str) and words:
            return words
    value = getattr(node, "value", None)
    return value if isinstance(value, str) else ""


def columns(frame: Any) -> dict[str, list]:
    """A table by column."""
    return {str(name): frame[name].tolist() for name in frame}


def unpacked(value: Any) -> Any:
    """A chart whose arrays, as Plotly packs them, are lists."""
    if isinstance(value, dict) and "bdata" in value:
        flat = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"])
        shape = value.get("shape")
        return flat.reshape([int(one) for one in str(shape).split(",")] if shape else -1).tolist()
    if isinstance(value, dict):
        return {name: "the usual" if name == "template" else unpacked(one) for name, one in value.items()}
    return [unpacked(one) for one in value] if isinstance(value, list) else value


# ------------------------------------------------------------------------------------------------ one command


def command(line: str) -> dict[str, Any]:
    """What a command prints and writes; {out} is a folder for its files."""
    with tempfile.TemporaryDirectory() as out:
        asked = [part.replace("{out}", out) for part in shlex.split(line)]
        program = [sys.executable, "-m", "influence_core", *asked]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
        said = {"code": done.returncode, "out": parsed(done.stdout), "errors": parsed(done.stderr)}
        return {**said, "files": {path.name: content(path) for path in sorted(Path(out).iterdir())}}


def parsed(text: str) -> Any:
    """JSON, or lines without the widths of their columns."""
    try:
        return json.loads(text)
    except ValueError:
        return [" ".join(line.split()) for line in text.splitlines()]


def content(path: Path) -> Any:
    """A file's numbers: a JSON, a CSV by column, or the figure in an HTML page."""
    text = path.read_text(encoding="utf-8") if path.suffix != ".npz" else ""
    if path.suffix == ".csv":
        return [[parsed(cell) for cell in row] for row in zip(*csv.reader(text.splitlines()), strict=True)]
    if path.suffix != ".html":
        return parsed(text)
    start = list(re.finditer(r'Plotly\.newPlot\(\s*"[0-9a-f-]{36}",\s*', text))[-1].end()
    data, end = json.JSONDecoder().raw_decode(text, start)
    layout, _ = json.JSONDecoder().raw_decode(text, re.compile(r"\s*,\s*").match(text, end).end())
    return unpacked({"data": data, "layout": layout})


# -------------------------------------------------------------------------------------------------- recording


def lanes_of(options: argparse.Namespace) -> list[list[str]]:
    """The addresses and commands that are asked for."""
    lanes = SLOW if options.slow else LANES
    every = [[line.strip() for line in lane.strip().splitlines()] for lane in lanes]
    return [[line for line in lane if options.only in line] for lane in every]


def file_of(folder: Path, line: str) -> Path:
    """Where an answer is kept."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", line).strip("-")[:70]
    return folder / f"{words}-{hashlib.sha256(line.encode()).hexdigest()[:6]}.json"


def record(folder: Path, lanes: list[list[str]]) -> int:
    """Ask everything, a lane beside the other; how many addresses could not be asked."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="same-answers-") as work, ThreadPoolExecutor(len(lanes)) as pool:
        asked = [pool.submit(_record_lane, folder, lane, Path(work)) for lane in lanes]
        return sum(lane.result() for lane in asked)


def _record_lane(folder: Path, lines: list[str], work: Path) -> int:
    failed = 0
    for line in lines:
        started = time.monotonic()
        answer = parsed(_ask_beside(line, work))
        well = isinstance(answer, dict)
        failed += not well
        kept = {"asked": line, "seconds": time.monotonic() - started, "answer": answer}
        text = json.dumps(kept, indent=1, ensure_ascii=False)
        file_of(folder, line).write_text(text + "\n", encoding="utf-8")
        print(f"{kept['seconds']:6.1f} s  {line}{'' if well else '  FAILED'}", flush=True)
    return failed


def _ask_beside(line: str, work: Path) -> str:
    """An answer as JSON, from a process group of its own; the end of what it printed, where it failed."""
    program = [sys.executable, str(Path(__file__).resolve()), "ask", line]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(program, env=_environment(work), start_new_session=True, **pipes) as process:
        try:
            out, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, errors = "", f"not done after {PATIENCE:g} s"
    for place, name in ((str(work), "<work>"), (os.getcwd(), "<checkout>")):
        out = out.replace(place, name)
    return out if process.returncode == 0 else errors[-2_000:]


def _environment(work: Path) -> dict[str, str]:
    """One thread, the same sums whatever the alignment of memory, and nothing of the person's own."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("INFLUENCE_EXPLORER_")}
    threads = {f"{pool}_NUM_THREADS": "1" for pool in ("OMP", "OPENBLAS", "MKL")}
    (work / "data").mkdir(exist_ok=True)
    folders = {"CACHE": str(work / "store"), "DATA": str(work / "data")}
    own = {f"INFLUENCE_EXPLORER_{name}": value for name, value in folders.items()}
    return {**mine, **threads, **own, "MKL_CBWR": "AUTO,STRICT", "PYTHONPATH": os.getcwd()}


def ask(line: str) -> None:
    """Print one answer as JSON, pictures by their digest."""
    said = sys.stdout
    sys.stdout = sys.stderr  # whatever else is printed
    answer = command(line.removeprefix(COMMAND)) if line.startswith(COMMAND) else visit(line)
    text = re.sub(
        r"data:image/[^;]*;base64,[A-Za-z0-9+/=]*",
        lambda found: "picture " + hashlib.sha256(found[0].encode()).hexdigest()[:16],
        json.dumps(answer, default=str),
    )
    print(text, file=said, flush=True)
    os._exit(0)  # work beside the page would go on


# -------------------------------------------------------------------------------------------------- comparing


def compare(before: Path, after: Path, lanes: list[list[str]]) -> int:
    """Print a line an address, and what differs; how many differ."""
    differ = 0
    for line in (line for lane in lanes for line in lane):
        old, new = _kept(file_of(before, line), RENAMED), _kept(file_of(after, line), {})
        found = list(differences(old, new, ""))
        differ += bool(found)
        print(f"{'DIFFERS' if found else 'equal':8} {line}")
        for one in found[:12]:
            print(f"           {one}")
        if len(found) > 12:
            print(f"           and {len(found) - 12} more")
    print(f"{differ} differ" if differ else "All are equal.")
    return differ


def _kept(path: Path, renamed: dict[str, str]) -> Any:
    if not path.exists():
        return f"not recorded in {path.parent}"
    text = path.read_text(encoding="utf-8")
    for words, now in renamed.items():
        text = text.replace(*(json.dumps(one, ensure_ascii=False)[1:-1] for one in (words, now)))
    return json.loads(text)["answer"]


def differences(old: Any, new: Any, where: str) -> Iterator[str]:
    """Where two answers differ, in words."""
    old_numbers, new_numbers = numbers(old), numbers(new)
    if old_numbers is not None and new_numbers is not None:
        yield from _numbers_differ(old_numbers, new_numbers, where)
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if TIMED.search(name) or (name == "value" and TIMED.search(str(old.get("name", "")))):
                continue
            if name in old and name in new:
                yield from differences(old[name], new[name], f"{where}/{name}")
            else:
                yield f"{where}/{name}: only {'before' if name in old else 'now'}"
    elif all_words(old) and all_words(new):
        yield from _words_differ(masked(old), masked(new), where)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, pair in enumerate(zip(old, new, strict=True)):
            yield from differences(*pair, f"{where}/{at}")
    elif isinstance(old, str) and isinstance(new, str):
        yield from differences([old], [new], where)
    elif type(old) is not type(new) or old != new:
        yield f"{where}: {short(old)} → {short(new)}"


def numbers(value: Any) -> np.ndarray | None:
    """A number, or a regular array of them, in which None is a gap; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return np.array(float(value))
    if not isinstance(value, list) or not value:
        return None
    parts = [np.array(np.nan) if one is None else numbers(one) for one in value]
    if any(one is None for one in parts) or len({one.shape for one in parts if one is not None}) > 1:
        return None
    return np.array(parts)


def _numbers_differ(old: np.ndarray, new: np.ndarray, where: str) -> Iterator[str]:
    if old.shape != new.shape:
        yield f"{where}: {old.shape} numbers → {new.shape}"
    elif not np.array_equal(old, new, equal_nan=True):
        size = np.abs(old[np.isfinite(old)]).max(initial=0.0)
        off = np.abs(old - new)
        bad = ~((off <= TOLERANCE * size) | (old == new) | (np.isnan(old) & np.isnan(new)))
        if bad.any():
            first = old[bad].item(0), new[bad].item(0)
            yield f"{where}: {bad.sum()} of {bad.size} numbers, such as {first[0]!r} → {first[1]!r}"


def all_words(value: Any) -> bool:
    """Whether it is a list of nothing but sentences."""
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def masked(sentences: Iterable[str]) -> list[str]:
    """The sentences without what no two runs have in common; those of which nothing is left are dropped."""
    kept = []
    for sentence in sentences:
        for pattern, mask in MASKED.items():
            sentence = re.sub(pattern, mask, sentence)
        kept += [sentence] if sentence else []
    return kept


def _words_differ(old: list[str], new: list[str], where: str) -> Iterator[str]:
    """Sentences that are gone, new or changed; of changed ones, whether their numbers are the same."""
    for kind, i, to_i, j, to_j in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "replace" and to_i - i == to_j - j:
            for one, other in zip(old[i:to_i], new[j:to_j], strict=True):
                same = re.findall(r"\d[\d.,]*", one) == re.findall(r"\d[\d.,]*", other)
                yield f"{where}: {'words only' if same else 'NUMBERS'}: {short(one)} → {short(other)}"
        elif kind != "equal":
            yield from (f"{where}: gone: {short(one)}" for one in old[i:to_i])
            yield from (f"{where}: new: {short(one)}" for one in new[j:to_j])


def short(value: Any) -> str:
    """Enough of it for a line."""
    return text if len(text := str(value)) <= 160 else f"{text[:157]}…"


def main(arguments: list[str] | None = None) -> int:
    """Record, compare, or print one answer; returns 1 where something failed or differs."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("what", choices=["record", "compare", "ask"])
    parser.add_argument("folder", help="where the answers are kept; for ask: an address or a command")
    parser.add_argument("--with", dest="after", metavar="OTHER", help="compare with answers recorded before")
    parser.add_argument("--only", default="", metavar="WORD", help="only the addresses that hold this word")
    parser.add_argument("--slow", action="store_true", help="what takes many minutes, instead of the rest")
    options = parser.parse_args(arguments)
    if options.what == "ask":
        ask(options.folder)
    folder, lanes = Path(options.folder), lanes_of(options)
    if options.what == "record":
        return int(record(folder, lanes) > 0)
    with tempfile.TemporaryDirectory() as fresh:
        if options.after is None:
            record(Path(fresh), lanes)
        return int(compare(folder, Path(options.after or fresh), lanes) > 0)


if __name__ == "__main__":
    sys.exit(main())
