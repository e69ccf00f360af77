"""Is the verdict true? ``python -m tests.benchmarks.verdicts --check [--study NAME] [--questions 400]``.

Test examples of each packaged linear study, evenly spaced: of four questions three about the model's own answer and one about
the runner-up, or fewer where there are too few test examples. Each answer is judged in three states: as it comes before
anything was retrained; with the table of all models without one example; and without that table, but with the study's
hardest and the answer's strongest examples retrained. The truth is the table, of loss and probability, for all ``n``. An
answer that is called proven or green is *wrong* where any example is off by more than ``CLOSE`` of the largest true change,
and by more than rounding. (A proven number is the table's own: what it is worth shows where ``leave_one_out --all`` holds
the table against cold fits, and in ``tests/experiments/test_traps.py``.)

*Small* is what an answer says where no single example moves its loss by more than ``SMALL`` of it. The examples that are
strongest by any of the three numbers are then taken out one by one and the model is trained again, by another way than the
table's; the claim is contradicted where one of them moves the loss by more. Also on 480 photographs in a folder, as
somebody's own, with as many to ask about.

A network has no table: its answers may never be proven or green.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image

from influence_core.context import Context
from influence_core.data.brought import own
from influence_core.engines import Engines
from influence_core.experiments import all_left_out, at_hand, explain, hardest, questions, spot_check, verdict
from influence_core.experiments.effects import Effects
from influence_core.experiments.explanation import SMALL, Explanation
from influence_core.experiments.questions import Question
from influence_core.retraining.edits import Edit
from influence_core.store import NO_STORE, Store
from influence_core.studies import Study, StudySpec, find, open_study
from influence_core.training import minimise
from influence_core.trust import CLOSE, NOTHING, Verdict
from tests.benchmarks.scores import Figure

LINEAR, NETWORKS = ("one-or-seven", "diabetes", "dog-or-frog", "mails", "digits"), ("digits-network",)
PHOTOS = "photo-folder"
LEVELS = ("proven", "green", "amber", "red")
BELIEVED = ("proven", "green")
FRESH, TABLE, CHECKED = "nothing retrained", "with the table", "checked, no table"
QUESTIONS, NETWORK_QUESTIONS, PHOTOGRAPHS = 400, 4, 480
WRONG, UNBELIEVED = 0.01, 0.1
"""At most this share of what is proven or green may be wrong, and with the table at most this share neither."""
CLAIMED = ("one-or-seven", "dog-or-frog", PHOTOS)
"""Studies on which claims that effects are small are held against retraining."""


@dataclass(frozen=True)
class Judged:
    """One answer in one state."""

    state: str
    explanation: Explanation
    verdict: Verdict


def in_every_state(study: Study, asked: Sequence[Question], context: Context) -> Iterator[Judged]:
    """Every answer in each state; ``context`` has an empty store."""
    answers = [explain.run(study, one, context=context) for one in asked]

    def judged(state: str, known: Callable[[Explanation], Explanation]) -> Iterator[Judged]:
        for one in answers:
            improved = known(one)
            yield Judged(state, improved, verdict.run(study, improved, context=context))

    def checked(answer: Explanation) -> Explanation:
        improved = at_hand.improve(study, answer, context=context)
        spot_check.run(study, improved, context=context)
        return improved

    yield from judged(FRESH, lambda one: at_hand.improve(study, one, context=context))
    if all_left_out.supports(study.spec) is None:
        table = all_left_out.run(study, context=context)
        yield from judged(TABLE, lambda one: at_hand.improve(study, one, table, context=context))
        hardest.run(study, context=context)
    yield from judged(CHECKED, checked)


def is_wrong(shown: Effects, truth: Effects) -> bool:
    """Whether loss or probability of any example is off by more than ``CLOSE`` of the largest, and not by rounding only."""
    for one, other in ((shown.loss, truth.loss), (shown.probability, truth.probability)):
        allowed = max(CLOSE * float(np.abs(other).max()), NOTHING)
        if not float(np.abs(one - other).max()) <= allowed:
            return True
    return False


def choose(study: Study, count: int) -> list[Question]:
    """So many questions about evenly spaced test examples: three quarters about the own answer, the others the runner-up."""
    known, own_answers = study.predictions, count - count // 4
    second = known.probabilities.argsort(1)[:, -2]
    found = [questions.ask(study, int(known.ids[at])) for at in _spaced(len(known.ids), own_answers)]
    others = _spaced(len(known.ids), count - own_answers)
    return found + [questions.ask(study, int(known.ids[at]), int(second[at])) for at in others]


def _spaced(n: int, count: int) -> np.ndarray:
    return np.linspace(0, n - 1, min(count, n)).round().astype(int)


def measure(study: Study, count: int) -> Iterator[Figure]:
    """The figures of one linear study."""
    name, asked = study.spec.name, choose(study, count)
    with TemporaryDirectory() as folder:
        context = Context(store=Store(Path(folder)), engines=Engines(2))
        context.engines.prepare(study, explain.AUTOMATIC)
        found = list(in_every_state(study, asked, context))
        table = all_left_out.run(study, context=context)
        truths = [all_left_out.effects(study, table, one) for one in asked]
    yield Figure(name, "answers", len(asked))
    for state in (TABLE, CHECKED, FRESH):
        here = [one for one in found if one.state == state]
        levels = Counter(one.verdict.level for one in here)
        for level in LEVELS:
            yield Figure(name, f"{state}: {level}", levels[level] / len(here))
        believed = [
            (one, truth) for one, truth in zip(here, truths, strict=True) if one.verdict.level in BELIEVED
        ]
        if state == TABLE:
            yield Figure(
                name, f"{state}: neither proven nor green", 1 - len(believed) / len(here), UNBELIEVED
            )
        wrong = sum(is_wrong(one.explanation.effects, truth) for one, truth in believed)
        yield Figure(name, f"{state}: wrong of those", wrong / max(1, len(believed)), WRONG)
    if name in CLAIMED:
        yield from claims(study, [one.explanation for one in found if one.state == TABLE])


def claims(study: Study, answers: Sequence[Explanation]) -> Iterator[Figure]:
    """How often an answer says that all effects are small, and how often retraining contradicts that."""
    name, claimed = study.spec.name, [one for one in answers if one.small]
    yield Figure(name, "answers that say: small", len(claimed) / len(answers))
    yield Figure(
        name, "of them contradicted by retraining", sum(contradicted(study, claimed, _Refits(study))), 0.0
    )


def contradicted(
    study: Study, claimed: Sequence[Explanation], without: Callable[[int], torch.Tensor]
) -> list[bool]:
    """For each claim whether any of its strongest examples moves the loss by more than ``SMALL`` of it.

    Args:
        study: The trained model.
        claimed: Answers that say that all effects are small.
        without: The parameters ``(p,)`` without the training example at a position.
    """
    found, o = [], study.objective
    for one in claimed:
        x, label = one.asked(study)
        at = {int(np.abs(number.loss).argmax()) for number in one.numbers.values()}
        before = float(o.losses(study.theta, x, label))
        moved = [abs(float(o.losses(without(i), x, label)) - before) for i in at]
        found.append(max(moved) > SMALL * before)
    return found


class _Refits(dict[int, torch.Tensor]):
    """The models without one example each, trained one by one when they are asked for."""

    def __init__(self, study: Study) -> None:
        super().__init__()
        self.study = study

    def __call__(self, position: int) -> torch.Tensor:
        if position not in self:
            risk = Edit.removal([position]).apply(self.study.objective)
            self[position] = minimise(risk, self.study.theta).theta
        return self[position]


def measure_network(study: Study, count: int) -> Iterator[Figure]:
    """The figures of one network, whose verdict only a retraining of all could make green."""
    with TemporaryDirectory() as folder:
        context = Context(store=Store(Path(folder)), engines=Engines(2))
        found = list(in_every_state(study, choose(study, count), context))
    for state in (CHECKED, FRESH):
        levels = Counter(one.verdict.level for one in found if one.state == state)
        yield Figure(study.spec.name, f"{state}: proven or green", sum(levels[one] for one in BELIEVED), 0.0)
        for level in ("amber", "red"):
            yield Figure(study.spec.name, f"{state}: {level}", levels[level] / sum(levels.values()))


def photo_folder(folder: Path, store: Store) -> Study:
    """A study of somebody's own on packaged photographs, written into a folder as files: ``PHOTOGRAPHS`` to train on."""
    pictures = find("dog-or-frog")
    data = open_study(pictures, store, None, "cpu").data
    for part, examples in (("train", data.train), ("test", data.test)):
        for id, label in list(zip(examples.ids.tolist(), examples.y.tolist(), strict=True))[:PHOTOGRAPHS]:
            path = folder / part / data.class_names[label] / f"{id:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(data.pictures.read(id, 32)).save(path)  # type: ignore[union-attr]
    spec = StudySpec(
        PHOTOS,
        "A folder of photographs",
        own.PHOTOS,
        "logistic",
        pictures.l2,
        source=own.IN_FOLDER + str(folder),
        backbone=pictures.backbone,
    )
    return open_study(spec, store, str(folder), "cpu")


def figures_of(name: str, count: int) -> Iterator[Figure]:
    """The figures of one study by its name."""
    if name == PHOTOS:
        with TemporaryDirectory() as folder:
            yield from measure(photo_folder(Path(folder) / "photos", Store(Path(folder) / "store")), count)
    elif name in NETWORKS:
        yield from measure_network(open_study(find(name), NO_STORE, None, "cpu"), NETWORK_QUESTIONS)
    else:
        yield from measure(open_study(find(name), NO_STORE, None, "cpu"), count)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and judge where asked to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = (*LINEAR, PHOTOS, *NETWORKS)
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    parser.add_argument("--study", choices=names, help="this one alone")
    parser.add_argument("--questions", type=int, default=QUESTIONS, metavar="N", help="a linear study (400)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    short = False
    for name in [options.study] if options.study else names:
        for one in figures_of(name, options.questions):
            aim = "" if one.limit is None else f"at most {one.limit:g}"
            judged = "falls short" if one.short else "ok" if aim else ""
            print(f"{one.case:15} {one.name:45} {one.value:8.4g}  {aim:14} {judged}".rstrip(), flush=True)
            short |= one.short
    return 1 if options.check and short else 0


if __name__ == "__main__":
    sys.exit(main())
