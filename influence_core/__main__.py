"""The same experiments without a browser: ``python -m influence_core studies | explain | reproduce | precompute``."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from influence_core import devices, engines, solvers, studies
from influence_core.engines import CURVATURES, SolverSettings
from influence_core.errors import DataError, InfluenceError, UnsupportedError
from influence_core.experiments import explain, questions
from influence_core.experiments.explain import NOTICEABLE, Explanation
from influence_core.experiments.questions import Question
from influence_core.progress import Progress
from influence_core.reproduce import FIGURES, Check, Reproduction
from influence_core.store import Store
from influence_core.studies import Study, StudySpec
from influence_core.words import nats, percent, points, seconds, sign_rule, signed, three_digits

MISCLASSIFIED = "misclassified"
ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 where a checked figure falls short, 2 for any error."""
    options = _parser().parse_args(arguments)
    try:
        studies.load_module()
        code: int = options.run(options)
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return 0
    except (InfluenceError, OSError) as error:
        print("error:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m influence_core", description="Which training examples made it so?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("studies", help="list the built-in studies")
    listing.set_defaults(run=_studies)
    _add_common(listing)

    question = commands.add_parser("explain", help="which training images made the model say that?")
    question.set_defaults(run=_explain)
    question.add_argument(
        "--study", default=next(iter(studies.CATALOGUE)), help="a name that `studies` lists"
    )
    question.add_argument(
        "--test", default=MISCLASSIFIED, metavar="ID", help=f"a test image, or {MISCLASSIFIED}"
    )
    question.add_argument("--label", help="ask about this label instead of the model's own answer")
    question.add_argument("--top", type=int, default=5, help="how many images for and against (5)")
    question.add_argument("--solver", default="auto", help=f"auto, {', '.join(solvers.CATALOGUE)}")
    question.add_argument("--damping", type=float, help="added to the curvature; the study's own by default")
    question.add_argument("--curvature", default="auto", help=", ".join(CURVATURES))
    question.add_argument("--csv", metavar="FILE", help="write the ranking of all training images")
    _add_common(question)
    _add_work(question)

    training = commands.add_parser("precompute", help="train a study and keep its parameters in a folder")
    training.set_defaults(run=_precompute)
    training.add_argument("study", help="a name that `studies` lists")
    training.add_argument(
        "--into", metavar="DIR", default=str(studies.PACKAGED), help="assets/studies by default"
    )
    _add_common(training)
    _add_work(training)

    figure = commands.add_parser("reproduce", help="compute a figure of the paper again")
    figure.set_defaults(run=_reproduce)
    figure.add_argument("figure", help=", ".join((*FIGURES, ALL)))
    figure.add_argument("--out", metavar="DIR", help="write the figure (HTML) and its numbers (JSON)")
    figure.add_argument("--check", action="store_true", help="exit with 1 where a figure falls short")
    _add_common(figure)
    _add_work(figure)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="FOLDER", help="folder of data that do not ship, such as MNIST/raw")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help=", ".join(devices.NAMES))
    parser.add_argument("--no-store", action="store_true", help="neither read nor keep results on disk")


# ------------------------------------------------------------------------------------------------ studies


def _studies(options: argparse.Namespace) -> int:
    rows = [_describe(spec, options.data) for spec in studies.CATALOGUE.values()]
    if options.json:
        _print_json(rows)
    else:
        cells = [["-" if one is None else str(one) for one in row.values()] for row in rows]
        _print_table(list(rows[0]), cells, left=3)
    return 0


def _describe(spec: StudySpec, folder: str | None) -> dict[str, Any]:
    """One study as a row; ``n`` and ``p`` are ``None`` where the data are not at hand."""
    try:
        n, p = studies.sizes(spec, folder)
    except DataError:
        n, p = None, None
    return {"name": spec.name, "title": spec.title, "data": spec.data, "n": n, "p": p, "l2": spec.l2}


# ------------------------------------------------------------------------------------------------ explain


def _explain(options: argparse.Namespace) -> int:
    if options.top < 1:
        raise DataError(f"--top must be at least 1, but is {options.top}.")
    settings = SolverSettings(options.solver, options.damping, options.curvature)
    spec = studies.find(options.study)
    with _work(options) as (store, progress):
        study = studies.open_study(spec, store, options.data, options.device, progress)
        question = _question(study, options.test, options.label)
        explanation = _answer(study, question, settings, store, progress)
    if options.csv:
        _write_csv(Path(options.csv), explain.table(explanation))
    if options.json:
        _print_json(_as_json(study, explanation, options.top))
    else:
        _print_explanation(study, explanation, options.top)
    return 0


def _question(study: Study, test: str, label: str | None) -> Question:
    question = questions.ask(study, _test_id(study, test))
    if label is None:
        return question
    names = study.data.class_names
    if label not in names:
        raise DataError(f"There is no label {label!r}; choose one of {', '.join(names)}.")
    return questions.with_label(study, question, names.index(label))


def _test_id(study: Study, test: str) -> int:
    if test == MISCLASSIFIED:
        known = study.predictions
        if not len(known.misclassified()):
            raise DataError("The model gets every test image right; name one by its id.")
        return int(known.ids[known.misclassified()[0]])
    try:
        return int(test)
    except ValueError:
        raise DataError(
            f"--test takes the id of a test image or {MISCLASSIFIED}, but got {test!r}."
        ) from None


def _answer(
    study: Study, question: Question, settings: SolverSettings, store: Store | None, progress: Progress | None
) -> Explanation:
    """From the store, or computed; one question alone is answered soonest by the solver without preparation."""
    found = explain.stored(study, question, settings, store) if store else None
    if found is not None:
        return found
    prepared = None
    if explain.needs_preparation(study, settings):
        reason = "chosen because it needs no preparation, which one question alone would not pay back"
        prepared = engines.prepare(study, explain.quick(settings), reason=reason)
    return explain.run(study, question, settings, prepared, store, progress)


def _rows(explanation: Explanation, positions: np.ndarray) -> list[dict[str, Any]]:
    ranking = explain.table(explanation)
    at = explanation.ranks()[positions] - 1
    return [{name: values[i].item() for name, values in ranking.items()} for i in at]


def _as_json(study: Study, explanation: Explanation, top: int) -> dict[str, Any]:
    names, true = study.data.class_names, explanation.true_label
    return {
        "study": study.spec.name,
        "data": study.data.title,
        "stand_in": study.data.stand_in,
        "seed": study.spec.seed,
        "test_id": explanation.test_id,
        "label": explanation.label_name,
        "predicted": names[explanation.predicted_label],
        "true": None if true is None else names[true],
        "probabilities": dict(zip(names, explanation.probabilities.tolist(), strict=True)),
        "sign": sign_rule(explanation.kind),
        "matters": explanation.matters,
        "for": _rows(explanation, explanation.helpful(top)),
        "against": _rows(explanation, explanation.harmful(top)),
        "provenance": asdict(explanation.provenance),
        "concerns": explanation.provenance.concerns(),
        "from_store": explanation.from_store,
    }


def _print_explanation(study: Study, explanation: Explanation, top: int) -> None:
    names, asked = study.data.class_names, explanation.label_name
    said = names[explanation.predicted_label]
    if asked == said:
        print(f"Which training {explanation.kind}s made the model say {said}?")
    else:
        print(f"Which training {explanation.kind}s speak for {asked}, when the model says {said}?")
    sure = percent(float(explanation.probabilities.max()))
    line = f"Test {explanation.kind} {explanation.test_id}: the model says {said} ({sure})"
    if explanation.true_label is not None and names[explanation.true_label] != said:
        line += f", but it is {names[explanation.true_label]}"
    print(f"\n{line}.", *([study.data.stand_in] if study.data.stand_in else []), sep="\n")
    if explanation.matters:
        print(f"\n{sign_rule(explanation.kind)}")
        _print_side(study, explanation, f"Speak for {asked}", explanation.helpful(top))
        _print_side(study, explanation, f"Speak against {asked}", explanation.harmful(top))
    else:
        print(
            f"\nNothing matters much here: taking out any one of the {len(explanation.ids):,} training {explanation.kind}s would "
            f"change the probability of {asked} by less than {100 * NOTICEABLE:g} percentage points (at most "
            f"{points(explanation.largest_change)}). A ranking would only order noise."
        )
    _print_provenance(study, explanation)


def _print_side(study: Study, explanation: Explanation, title: str, positions: np.ndarray) -> None:
    print(f"\n{title}" + ("" if len(positions) else f": no training {explanation.kind}"))
    header = ["id", "label", "loss change", "probability change", "distance", "rank"]
    rows = [
        [
            str(row["training_id"]),
            row["label"],
            nats(row["predicted_loss_change_nats"]),
            points(row["predicted_probability_change"]),
            f"{row['distance']:.2f}",
            str(row["rank"]),
        ]
        for row in _rows(explanation, positions)
    ]
    if rows:
        _print_table(header, rows)


def _print_provenance(study: Study, explanation: Explanation) -> None:
    facts = explanation.provenance
    read = "read from the store" if explanation.from_store else "computed just now"
    print(
        f"\nSolver: {facts.solver}, {facts.reason}; {facts.settings}; {facts.steps} steps, "
        f"true relative residual {three_digits(facts.residual)}; {facts.curvature} curvature, damping {facts.damping:g}."
        f"\nModel: {study.spec.title}; n = {facts.n:,}, p = {facts.p:,}, l2 = {facts.l2}, seed {study.spec.seed}; "
        f"gradient norm {three_digits(facts.gradient_norm)}, convergence check {three_digits(facts.convergence_check)}."
        f"\nTime: {seconds(facts.seconds)} on {facts.device} in {facts.dtype}; {read}."
    )
    for concern in facts.concerns():
        print(f"Mind: {concern}")


def _write_csv(path: Path, ranking: dict[str, Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(ranking)
        writer.writerows(zip(*(values.tolist() for values in ranking.values()), strict=True))


# --------------------------------------------------------------------------------------------- precompute


def _precompute(options: argparse.Namespace) -> int:
    spec = studies.find(options.study)
    with _work(options) as (_, progress):
        store = Store(Path(options.into))
        study = studies.open_study(spec, store, options.data, options.device, progress, afresh=True)
    trained = {
        "study": spec.name,
        "gradient_norm": study.gradient_norm,
        "seconds": study.seconds,
        "key": study.key,
    }
    if options.json:
        _print_json(trained)
    else:
        print(
            f"{spec.name}: gradient norm {study.gradient_norm:.1e} after {seconds(study.seconds)}; kept as {study.key}"
        )
    for notice in store.notices():
        print(notice, file=sys.stderr)
    return 0


# ---------------------------------------------------------------------------------------------- reproduce


def _reproduce(options: argparse.Namespace) -> int:
    if options.figure not in (*FIGURES, ALL):
        raise DataError(f"There is no figure '{options.figure}'; choose one of {', '.join(FIGURES)}, {ALL}.")
    names = list(FIGURES) if options.figure == ALL else [options.figure]
    short, numbers = 0, []
    for name in names:
        with _work(options) as (store, progress):
            found = _reproduced(name, options, store, progress)
        if options.out:
            _write_figures(Path(options.out), found)
        if not options.json:
            _print_reproduction(found)
        numbers.append(_numbers(found))
        short += _report_short(found, options) if options.check else 0
    if options.json:
        _print_json(numbers if options.figure == ALL else numbers[0])
    return 1 if short else 0


def _reproduced(
    name: str, options: argparse.Namespace, store: Store | None, progress: Progress | None
) -> Reproduction:
    """One figure; among all of them, one whose data are not in the folder is made from its stand-in."""
    try:
        return FIGURES[name](options.data, store, options.device, progress)
    except DataError:
        if options.figure != ALL or options.data is None:
            raise
        return FIGURES[name](None, store, options.device, progress)


def _report_short(found: Reproduction, options: argparse.Namespace) -> int:
    for check in found.short:
        print(
            f"falls short: {check.name}: {_shown(check)}, required {check.requirement}",
            file=_last_words(options),
        )
    return len(found.short)


def _last_words(options: argparse.Namespace) -> Any:
    """JSON stays alone on its stream."""
    return sys.stderr if options.json else sys.stdout


def _numbers(found: Reproduction) -> dict[str, Any]:
    return {
        "figure": found.name,
        "title": found.title,
        **found.setting,
        "figures": [asdict(check) for check in found.checks],
        "short": [check.name for check in found.short],
    }


def _print_reproduction(found: Reproduction) -> None:
    print(found.title)
    print(", ".join(f"{name} {value}" for name, value in found.setting.items() if name != "stand_in"))
    print(found.setting["stand_in"] or "Real data, not a stand-in.")
    rows = [
        [check.name, _shown(check), check.requirement, check.paper, _verdict(check)] for check in found.checks
    ]
    _print_table(["", "here", "required", "paper", ""], rows)


def _shown(check: Check) -> str:
    if isinstance(check.value, tuple):
        return " to ".join(map(signed, check.value))
    if isinstance(check.value, int):
        return f"{check.value:,}"
    return (
        f"{check.value:.5f}" if 0.99 < check.value < 1 else three_digits(check.value)
    )  # how far from 1 is what matters


def _verdict(check: Check) -> str:
    if not check.passed:
        return "falls short"
    return "ok" if check.requirement else ""


def _write_figures(folder: Path, found: Reproduction) -> None:
    try:
        pictures = DRAWINGS[found.name](found)
    except ModuleNotFoundError as error:
        raise UnsupportedError(f"--out needs {error.name}: install it, or leave --out away.") from error
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.write_html(folder / f"{name}.html", include_plotlyjs=True)
    (folder / f"{found.name}.json").write_text(json.dumps(_numbers(found), indent=2) + "\n", encoding="utf-8")


def _draw_fig1(found: Reproduction) -> dict[str, Any]:
    from influence_core.figures.anatomy import anatomy  # everything else works without Plotly

    setting = found.setting
    what = f"{setting['data']}, n = {setting['n']:,}; test image {setting['test_id']}, a {setting['label']}."
    title = f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"
    return {found.name: anatomy(found.result, setting["label"], paper=True, title=title)}


def _draw_fig2(found: Reproduction) -> dict[str, Any]:
    from influence_core.figures.leave_one_out import PAPER_LIMIT, Panel, paper_panels

    setting, result = found.setting, found.result
    what = f"{setting['data']}, n = {setting['n']:,}; test image {setting['test_id']}, a {setting['label']}."
    title = f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"
    panels = [
        Panel("Linear (exact)", result.exact, result.exact.predicted),
        Panel("Linear (approx)", result.exact, result.paper.predicted),
        Panel("Linear (approx, our settings)", result.exact, result.ours.predicted),
    ]
    return {found.name: paper_panels(panels, None if setting["stand_in"] else PAPER_LIMIT, title)}


def _draw_fig2_network(found: Reproduction) -> dict[str, Any]:
    from influence_core.experiments.network_retraining import WAYS
    from influence_core.figures.leave_one_out import Panel, paper_panels

    setting, result = found.setting, found.result
    what = f"{setting['data']}, n = {setting['n']:,}; test image {setting['test_id']}, a {setting['label']}."
    title = f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"
    panels = [Panel(WAYS[way], result.left_out(way), result.predicted) for way in result.retrainings]
    return {found.name: paper_panels(panels, None, title)}


def _draw_fig3(found: Reproduction) -> dict[str, Any]:
    from influence_core.figures import smooth_hinge as drawn

    setting, result = found.setting, found.result
    what = f"{setting['data']}, n = {setting['n']:,}; test image {setting['test_id']}, a {setting['label']}."
    title = f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"
    return {
        found.name: drawn.paper_figure(result.loss, result.forecasts, title=title),
        f"{found.name}-agreement": drawn.agreement(result.forecasts, paper=True),
    }


def _draw_fig4(found: Reproduction) -> dict[str, Any]:
    from influence_core.figures.two_models import paper_figure

    setting, result = found.setting, found.result
    what = f"{setting['data']}, n = {setting['n']:,}; test image {setting['test_id']}, a {setting['label']}."
    title = f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"
    return {found.name: paper_figure([result.deep, result.kernel], title=title)}


def _draw_fig5(found: Reproduction) -> dict[str, Any]:
    from influence_core.figures import poison as drawn

    setting, result = found.setting, found.result
    return {
        "fig5-picture": drawn.triptych(result.example, 0),
        "fig5-steps": drawn.steps(result.example, setting["class_names"]),
        "fig5-shares": drawn.flips(result.shares, paper=True),
        **{
            f"fig5-together-{name}": drawn.steps(one, setting["class_names"])
            for name, one in result.together.items()
        },
    }


def _draw_readmission(found: Reproduction) -> dict[str, Any]:
    from influence_core.figures import domain_mismatch as drawn
    from influence_core.figures.features import feature_bars

    story, features, removals = found.result.story, found.result.features, found.result.removals
    return {
        "readmission-errors": drawn.before_and_after(story),
        "readmission-coefficients": drawn.coefficients(story),
        "readmission-rows": drawn.strongest_rows(story),
        f"readmission-features-of-{features.train_id}": feature_bars(features, 10, story.group_features),
        "readmission-removals": drawn.removals(removals),
    }


def _draw_labels(found: Reproduction) -> dict[str, Any]:
    from influence_core.figures.wrong_labels import paper_figure

    setting = found.setting
    what = f"{setting['data']}, n = {setting['n']:,}, p = {setting['p']:,}; {setting['flipped']:.0%} of the labels flipped."
    title = f"{found.title}<br><sup>{what} {setting['stand_in']}</sup>"
    return {found.name: paper_figure(found.result, title=title)}


DRAWINGS: dict[str, Callable[[Reproduction], dict[str, Any]]] = {
    "fig1": _draw_fig1,
    "fig2": _draw_fig2,
    "fig2-network": _draw_fig2_network,
    "fig3": _draw_fig3,
    "fig4": _draw_fig4,
    "fig5": _draw_fig5,
    "readmission": _draw_readmission,
    "labels": _draw_labels,
}
"""The pictures of every reproducible figure, by file name."""


# --------------------------------------------------------------------------------------------------- both


@contextmanager
def _work(options: argparse.Namespace) -> Iterator[tuple[Store | None, Progress | None]]:
    """The store and a line of progress; both are for a person at a terminal, so what they say goes to stderr."""
    store = None if options.no_store else Store()
    watched = sys.stderr.isatty()
    try:
        yield store, _show_progress if watched else None
    finally:
        if watched:
            print("\r\x1b[K", end="", file=sys.stderr)
        for notice in store.notices() if store else ():
            print(notice, file=sys.stderr)


def _show_progress(fraction: float, message: str) -> None:
    print(f"\r\x1b[K{fraction:4.0%} {message}", end="", file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _print_table(header: list[str], rows: Iterable[list[str]], left: int = 1) -> None:
    """Columns side by side, the first ``left`` of them flush left, the others flush right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = zip(line, widths, strict=True)
        print(
            "  ".join(
                f"{one:<{w}}" if at < left else f"{one:>{w}}" for at, (one, w) in enumerate(cells)
            ).rstrip()
        )


if __name__ == "__main__":
    sys.exit(main())
