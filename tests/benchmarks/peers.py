"""Ours beside other people's libraries: ``python -m tests.benchmarks.peers --check [--threads 2]``.

One process, one run, the same work for all: the scores of all 4,500 training digits for one test example and for 50 together,
softmax regression, p = 7,840, l2 = 0.01, which is the damping of those that know no penalty. What iterates, ours too, gets the
loosest setting that is exact to 1e-5: ``||D - exact|| / ||exact||`` of all that is asked together, against float64 answers
whose residual is 1e-12. (Of each test example apart nobody is, in float32: where the label has 99.9 %, ``1 - p`` has lost
three digits.) Who is not installed (``tests/benchmarks/peers.txt`` says how) is named below the table.

- *prepared*: with the dense factor and the inverse, whose preparation stands beside it, and from how many questions it pays,
  asked one by one or 50 together, against the quickest exact peer; *as in the app*: with the factor alone;
- *unprepared*: conjugate gradient from nothing;
- *bare*: one ``p x p`` matrix times the right-hand sides, and the features times the solved block.

Then pyinfluence, which knows binary models only, on the ones and sevens.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from influence_core.influence import InfluenceEngine
from influence_core.objective import LinearObjective
from influence_core.operators import Hessian
from influence_core.solvers import Cholesky, ConjugateGradient, Solver
from influence_core.store import NO_STORE
from influence_core.studies import find, open_study
from tests.benchmarks import peer_libraries, scores
from tests.benchmarks.peer_libraries import PEERS, Peer, Scores
from tests.benchmarks.scores import Figure, Problem, exact_scores, race

MANY = 50
EXACT = 1e-5
ROUNDS = 3
TOLERANCES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
TYPES = {"float64": torch.float64, "float32": torch.float32}
ONE_TIMES, MANY_TIMES, BARE = 50, 60, 1.5
PREPARED, UNPREPARED, BARE_WORK = "ours, prepared", "ours, unprepared", "bare work"
FACTOR = "ours, prepared as in the app"
HEAD = (
    "| who | numbers | one question, s | error | each of 50, s | error | preparation, s | pays from, one by one | 50 together |\n"
    + "|---" * 9
    + "|"
)


@dataclass(frozen=True)
class Row:
    """One way to the scores: seconds of one question and of each of 50, and their errors; NaN where not measured."""

    who: str
    numbers: str
    one: float
    one_error: float
    each: float
    each_error: float
    preparation: float = 0.0
    peer: bool = False

    def is_exact(self, many: bool) -> bool:
        return (self.each_error if many else self.one_error) <= EXACT

    def seconds(self, many: bool) -> float:
        return self.each if many else self.one


# ------------------------------------------------------------------------------------------------- the ways


@dataclass(frozen=True)
class Answer:
    """Scores at hand, at one setting of their accuracy, and their error."""

    scores: Scores
    error: float
    setting: int = 0


@dataclass(frozen=True)
class Way:
    """Answers to one question and to many, and what preparing them took."""

    who: str
    one: Answer
    many: Answer | None
    preparation: float = 0.0
    peer: bool = False


def ours(given: Problem, exact: Tensor) -> tuple[InfluenceEngine, list[Way]]:
    """Prepared, and unprepared, where every call builds its operator and solver anew."""
    started = time.perf_counter()
    engine = _engine(given, Cholesky(inverse=True))
    inverted = time.perf_counter()
    plain = _engine(given, Cholesky())
    factored = time.perf_counter()

    def prepared(k: int) -> Tensor:
        return engine.score(given.x[:k], given.y[:k]).values

    def by_factor(k: int) -> Tensor:
        return plain.score(given.x[:k], given.y[:k]).values

    def unprepared(rtol: float) -> Scores:
        return lambda k: _engine(given, ConjugateGradient(rtol)).score(given.x[:k], given.y[:k]).values

    return engine, [
        _way(PREPARED, [prepared], exact, preparation=inverted - started),
        _way(FACTOR, [by_factor], exact, preparation=factored - inverted),
        _way(UNPREPARED, [unprepared(rtol) for rtol in TOLERANCES], exact),
    ]


def of_peer(peer: Peer, given: Problem, exact: Tensor) -> Way:
    """A peer at the loosest of its settings that will do, for one and for many."""
    started = time.perf_counter()
    ladder = [peer.prepare(given, setting) for setting in peer.settings]
    preparation = (time.perf_counter() - started) / len(ladder)
    return _way(peer.name, ladder, exact, peer.many, preparation, True)


def _way(
    who: str,
    ladder: Sequence[Scores],
    exact: Tensor,
    many: bool = True,
    preparation: float = 0.0,
    peer: bool = False,
) -> Way:
    one = loosest(ladder, 1, exact)
    together = loosest(ladder, len(exact), exact, one.setting) if many else None
    settings = [answer.setting for answer in (one, together) if answer]
    print(f"{who}: setting {settings} of {len(ladder)}", file=sys.stderr, flush=True)
    return Way(who, one, together, preparation, peer)


def loosest(ladder: Sequence[Scores], k: int, exact: Tensor, first: int = 0) -> Answer:
    """From a setting on, the first that is exact; the last, where none is."""
    for setting in range(first, len(ladder)):
        off = error(ladder[setting](k), exact)
        if off <= EXACT:
            break
    return Answer(ladder[setting], off, setting)


def _engine(given: Problem, solver: Solver) -> InfluenceEngine:
    operator = Hessian(given.objective, given.theta)
    return InfluenceEngine(given.objective, given.theta, operator, solver.prepare(operator))


def truth(given: Problem) -> Tensor:
    """The exact scores of all test examples, ``(t, n)``."""
    inverse = _engine(given, Cholesky()).inverse
    found = exact_scores(given, lambda rhs: inverse.solve(torch.from_numpy(rhs)).value.numpy())
    return torch.from_numpy(np.stack(found))


def in_type(given: Problem, dtype: torch.dtype) -> Problem:
    """The same problem in another floating-point type."""
    o = given.objective.to(given.theta.device, dtype)
    return replace(given, objective=o, theta=given.theta.to(dtype), x=given.x.to(dtype))


def error(found: Tensor, exact: Tensor) -> float:
    """``||D - exact|| / ||exact||`` of all test examples together."""
    expected = exact[: len(found)]
    return float((found.double() - expected).norm() / expected.norm())


# ---------------------------------------------------------------------------------------------- measurement


def measure(
    given: Problem, peers: Sequence[Peer], numbers: Sequence[str] = tuple(TYPES), rounds: int = ROUNDS
) -> list[Row]:
    """All rows, of each floating-point type; the problem is float64."""
    exact = truth(given)
    return [
        row for name in numbers for row in _measure(in_type(given, TYPES[name]), exact, name, peers, rounds)
    ]


def _measure(
    given: Problem, exact: Tensor, numbers: str, peers: Sequence[Peer], rounds: int
) -> Iterator[Row]:
    engine, ways = ours(given, exact)
    many = len(given.x)
    ways += [of_peer(peer, given, exact) for peer in peers]
    bare = scores.variants(given, engine)
    runs: dict[str, Callable[[], object]] = {name: bare[name] for name in ("bare one", "bare many")}
    for way in ways:
        runs[f"one {way.who}"] = lambda ask=way.one.scores: ask(1)
        if way.many is not None:
            runs[f"many {way.who}"] = lambda ask=way.many.scores: ask(many)
    best = race(runs, rounds)
    yield Row(BARE_WORK, numbers, best["bare one"], math.nan, best["bare many"] / many, math.nan)
    for way in ways:
        one, each = best[f"one {way.who}"], best.get(f"many {way.who}", math.nan) / many
        each_error = math.nan if way.many is None else way.many.error
        yield Row(way.who, numbers, one, way.one.error, each, each_error, way.preparation, way.peer)


def fastest(rows: Sequence[Row], many: bool, who: str | None = None) -> float:
    """Seconds a question of the quickest that is exact: a peer's, or ``who``'s; NaN where there is none."""
    chosen = [row for row in rows if (row.peer if who is None else row.who == who) and row.is_exact(many)]
    return min((row.seconds(many) for row in chosen if row.seconds(many) > 0), default=math.nan)


def figures_of(rows: Sequence[Row]) -> Iterator[Figure]:
    """What is judged."""
    for many, words, times in ((False, "one question", ONE_TIMES), (True, f"each of {MANY}", MANY_TIMES)):
        peer, prepared, unprepared = (fastest(rows, many, who) for who in (None, PREPARED, UNPREPARED))
        yield Figure("peers", f"{words}: quickest exact peer / ours prepared", peer / prepared)
        yield Figure("peers", f"{words}: ours prepared / quickest exact peer", prepared / peer, 1 / times)
        yield Figure("peers", f"{words}: ours unprepared / quickest exact peer", unprepared / peer, 1.0)
        for numbers in dict.fromkeys(row.numbers for row in rows):
            seconds = {row.who: row.seconds(many) for row in rows if row.numbers == numbers}
            ratio = seconds[PREPARED] / seconds[BARE_WORK]
            yield Figure("peers", f"{words}, {numbers}: ours prepared / bare work", ratio, BARE)


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    peer = {many: fastest(rows, many) for many in (False, True)}
    return "\n".join([HEAD, *(_line(row, peer) for row in rows)])


def _line(row: Row, peer: dict[bool, float]) -> str:
    numbers = (row.one, row.one_error, row.each, row.each_error)
    cells = [row.who, row.numbers, *("–" if math.isnan(one) else f"{one:.2g}" for one in numbers)]
    cells.append(f"{row.preparation:.2g}" if row.preparation else "–")
    for many in (False, True):
        gain = peer[many] - row.seconds(many)
        pays = row.who in (PREPARED, FACTOR) and gain > 0
        cells.append(f"{math.ceil(row.preparation / gain):,}" if pays else "–")
    return f"| {' | '.join(cells)} |"


# ------------------------------------------------------------------------------------------------ pyinfluence


def binary(objective: LinearObjective, theta: Tensor, x: Tensor, y: Tensor) -> str:
    """A table of pyinfluence beside ours on a binary model: float64, both prepared, one question and all of them."""
    given = Problem("binary", objective, theta, x, y)
    started = time.perf_counter()
    engine = _engine(given, Cholesky())
    prepared = time.perf_counter()
    explain = peer_libraries.pyinfluence(objective, theta)
    preparation = {"ours": prepared - started, "theirs": time.perf_counter() - prepared}
    many = len(x)
    ways = {
        "ours": lambda k: engine.score(x[:k], y[:k]).values,
        "theirs": lambda k: torch.from_numpy(explain(x[:k].numpy(), y[:k].numpy())),
    }
    best = race({f"{who} {k}": lambda ask=ask, k=k: ask(k) for who, ask in ways.items() for k in (1, many)})
    apart = float((ways["ours"](many) - ways["theirs"](many)).norm() / ways["ours"](many).norm())
    lines = [f"| who | preparation, s | one question, s | each of {many}, s |\n|---|---|---|---|"]
    for who, words in (("ours", PREPARED), ("theirs", "pyinfluence")):
        cells = preparation[who], best[f"{who} 1"], best[f"{who} {many}"] / many
        lines.append(f"| {words} | {' | '.join(f'{one:.2g}' for one in cells)} |")
    return "\n".join([*lines, "", f"Their scores and ours differ by {apart:.1g} of ours."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--numbers", choices=TYPES, help="these alone")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns that count; the best does")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    peer_libraries.quiet()
    given = scores.problem("a", None, 1e-8)
    print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}; {given.words}, p = {given.objective.dim:,}\n"
    )
    numbers = [options.numbers] if options.numbers else list(TYPES)
    rows = measure(given, [peer for peer in PEERS if peer.installed], numbers, options.rounds)
    print(table(rows), flush=True)
    missing = dict.fromkeys(peer.distribution for peer in PEERS if not peer.installed)
    for name in missing:
        print(f"\n{name} is not installed: not compared.")
    figures = list(figures_of(rows))
    print()
    for one in figures:
        aim = "" if one.limit is None else f"at most {one.limit:.3g}"
        verdict = "falls short" if one.short else "ok" if aim else ""
        print(f"{one.name:62} {one.value:8.3g}  {aim:15} {verdict}".rstrip(), flush=True)
    if peer_libraries.has_pyinfluence():
        study = open_study(find("one-or-seven"), NO_STORE, None, "cpu")
        test = study.data.test
        print(f"\nones and sevens, n = {study.objective.n:,}, p = {study.objective.dim}\n")
        print(binary(study.objective, study.theta, test.x[:MANY], test.y[:MANY]))
    else:
        print("\npyinfluence is not installed: not compared.")
    return 1 if options.check and any(one.short for one in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
