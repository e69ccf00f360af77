"""The rankings of suspect labels side by side: ``python -m tests.benchmarks.wrong_labels [--repeats 5] [--data FOLDER]``.

A tenth of the labels flipped, over some repeats: the flips that each ranking finds and the test accuracy after repair, at
every budget, for the packaged e-mails and for texts. FOLDER holds ``texts/ham`` and ``texts/spam``, such as Enron1's;
without it made-up mails stand in (``made_up``), which have Enron1's numbers of mails and about its number of words. Then
what speaks for the offered form of the leave-one-out ranking: loss or memorisation, proven or forecast, on the same flips.
``--check`` exits with 1 where the leave-one-out loss finds fewer flips than the training loss at some budget.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from influence_core import studies
from influence_core.agreement import rank_agreement
from influence_core.experiments import suspects, wrong_labels
from influence_core.experiments.suspects import METHODS
from influence_core.experiments.without_itself import forecast, prove
from influence_core.experiments.wrong_labels import BUDGETS, FlipSettings, WrongLabels, standard_error
from influence_core.influence import self_influence
from influence_core.store import NO_STORE
from influence_core.studies import Study
from influence_core.training.refit import Fitter

STUDIES = ("mails", "text-folder")
HAM, SPAM = 3_672, 1_500
"""Enron1's."""
WORDS, TOPICS, TOPIC_WORDS = 6_500, 24, 60
ABOUT, LENGTH, SPREAD = 0.2, 4.2, 1.0
"""Share of a mail's words that are about its topic; mean and deviation of the logarithm of its length."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--study", choices=STUDIES, help="this one alone")
    parser.add_argument("--data", metavar="FOLDER", help="folder that holds texts/ham and texts/spam")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 where the loss unseen finds fewer than the loss"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    settings, ahead = FlipSettings(repeats=options.repeats), True
    with tempfile.TemporaryDirectory() as made:
        for name in [options.study] if options.study else STUDIES:
            study = _open(name, options.data, Path(made))
            result = wrong_labels.run(study, settings)
            print(*rows(study, result), *variants(study, settings), sep="\n", flush=True)
            ahead &= is_ahead(result)
    print("the leave-one-out loss finds as many flips as the training loss" if ahead else "falls short")
    return 1 if options.check and not ahead else 0


def _open(name: str, folder: str | None, made: Path) -> Study:
    if name == "text-folder" and folder is None:
        print(f"no folder of texts is named: {HAM + SPAM:,} made-up mails stand in")
        folder = str(made_up(made))
    return studies.open_study(studies.find(name), NO_STORE, folder, "cpu")


def is_ahead(result: WrongLabels) -> bool:
    """Whether the leave-one-out loss finds at least what the training loss finds, at every budget."""
    (unseen,) = {"proven", "corrected"} & set(result.methods)
    return bool((result.mean_fixed(unseen) >= result.mean_fixed("loss")).all())


def rows(study: Study, result: WrongLabels) -> list[str]:
    """What each ranking finds and repairs: mean ± standard error, a line a ranking."""
    head = (
        f"\n{study.spec.name}: n {result.n:,}, p {result.p:,}, {result.flipped} flips, {result.settings.repeats} repeats, "
        f"{result.seconds:.0f} s; accuracy {result.clean_accuracy:.3f} clean, {result.flipped_accuracy.mean():.3f} flipped; "
        f"leave-one-out {result.unseen_accuracy:.3f}"
    )
    lines = [head]
    for title, values in (("flips found", result.fixed), ("accuracy after repair", result.accuracy)):
        lines.append(_line(title, [f"{one:.0%}" for one in BUDGETS]))
        means, errors = values.mean(0), standard_error(values)
        for at, method in enumerate(result.methods):
            lines.append(_line(METHODS[method], map("{:.3f} ±{:.3f}".format, means[at], errors[at])))
    return lines


def variants(study: Study, settings: FlipSettings) -> list[str]:
    """Flips found by loss and memorisation without the example, proven and forecast, and what each takes."""
    found: dict[str, list[list[float]]] = {}
    fitter, true, agreed, seconds = Fitter(suspects.objective_of(study)), study.data.train.y.numpy(), [], []
    gram = fitter.gram()
    for repeat in range(settings.repeats):
        wrong, at = wrong_labels.flip(true, len(study.data.class_names), settings, repeat)
        theta, o = fitter.fit(wrong, study.theta), suspects.relabelled(study, wrong)
        started = time.process_time()
        leverages = self_influence(o, theta, gram=gram).leverages
        nearly = forecast(o, theta, leverages)
        between = time.process_time()
        truth = prove(o, theta, leverages)
        seconds.append((between - started, time.process_time() - between))
        agreed.append(rank_agreement(nearly.losses, truth.losses))
        for words, one in (("proven", truth), ("forecast", nearly)):
            for title, scores in (("loss", one.losses), ("memorisation", one.memorisation)):
                order = np.argsort(-scores, kind="stable")
                shares = [np.isin(at, order[: wrong_labels.count(o.n, share)]).mean() for share in BUDGETS]
                found.setdefault(f"leave-one-out {title}, {words}", []).append(shares)
    means = {name: np.mean(shares, 0) for name, shares in found.items()}
    forecasts, proofs = np.mean(seconds, 0)
    return [
        _line("flips found", [f"{one:.0%}" for one in BUDGETS]),
        *(_line(name, map("{:.3f}".format, one)) for name, one in means.items()),
        f"rank correlation of forecast and proven losses {min(agreed):.5f}; {forecasts:.1f} and {proofs:.1f} CPU seconds",
    ]


def _line(name: str, values: Sequence[str] | map) -> str:
    return f"{name:42}" + "".join(f"{one:>14}" for one in values)


def made_up(root: Path, ham: int = HAM, spam: int = SPAM, seed: int = 0) -> Path:
    """Made-up mails in ``texts/ham`` and ``texts/spam``: Zipf's law, a topic each, lengths as wide apart as those of mails."""
    rng = np.random.default_rng(seed)
    words = np.array([_word(one) for one in range(WORDS)])
    common = 1 / (np.arange(WORDS) + 2.7)
    common /= common.sum()
    topics = [rng.choice(WORDS, TOPIC_WORDS, replace=False) for _ in range(TOPICS)]
    for name, count, own in (
        ("ham", ham, topics[: 2 * TOPICS // 3]),
        ("spam", spam, topics[2 * TOPICS // 3 :]),
    ):
        folder = root / "texts" / name
        folder.mkdir(parents=True)
        for at in range(count):
            length = 3 + int(rng.lognormal(LENGTH, SPREAD))
            about = rng.choice(own[rng.integers(len(own))], rng.binomial(length, ABOUT))
            said = words[np.concatenate([about, rng.choice(WORDS, length - len(about), p=common)])]
            (folder / f"{at:04d}.txt").write_text(" ".join(said), encoding="utf-8")
    return root


def _word(number: int) -> str:
    """A word of consonants and vowels, another for every number; none that English has as a stop word."""
    consonants, vowels, word = "bdfgklmnprstvz", "aeiou", ""
    for _ in range(3):
        number, at = divmod(number, len(consonants) * len(vowels))
        word += consonants[at // len(vowels)] + vowels[at % len(vowels)]
    return word


if __name__ == "__main__":
    sys.exit(main())
