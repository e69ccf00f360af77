"""The whole view as the address bar has it: what is asked, how it is computed, what is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from time import monotonic
from typing import Any

import streamlit as st

from influence_core import devices, studies
from influence_core.errors import DataError
from influence_core.experiments.explain import Explanation, Settings

DEFAULT_STUDY = next(iter(studies.CATALOGUE))
MOST_CHOSEN = 50
LATE_SECONDS = 3.0
KEPT_ON_ANOTHER_PAGE = {
    "study",
    "test",
    "picture",
    "ask",
    "solver",
    "damping",
    "curvature",
    "device",
    "show",
    "of",
    "page",
    "open",
    "out",
    "chart",
    "spot",
    "beside",
}
KEPT_WITH_ANOTHER_STUDY = {"device", "solver", "chart", "k", "t", "flip", "repeats", "score", "beside"}


@dataclass(frozen=True)
class View:
    """One field a query parameter; a field at its default is not in the address.

    Attributes:
        study: Name of the study.
        test: Test id, as text; "" for the first one offered.
        picture: Digest of an uploaded picture that is asked about instead of a test image.
        ask: "model" (the model's answer), "true" (the true label) or a label's number.
        solver: As in `Settings`.
        damping: A number as text; "" for the study's own.
        curvature: As in `Settings`.
        device: As in `devices.NAMES`.
        show: Which test images the chooser offers: "wrong", "unsure" or "all".
        of: Only test images of this true label, as text; "" for every label.
        page: Page of the chooser.
        open: Training id that is open, as text; "" for none.
        out: Training ids chosen for retraining, comma-separated.
        retrain: "1" once training again was asked for; "groups" once it was for other groups of the same size too.
        chart: "distance" or "anatomy".
        k: How many examples are left out, one by one.
        panel: Which panel of a page is open; each page names its own.
        edit: "remove", "relabel" or "reweight".
        to: The new label of a relabelled group, as text.
        weight: The new weight of a reweighted group, as text; 1 is its present one.
        with_: Names of the solvers compared, comma-separated; "" for a choice of the page's.
        t: Temperature of the smooth hinge.
        group: A group of a table, "column=value".
        flip: Per cent of labels flipped on purpose.
        repeats: How often that is repeated, as text.
        score: By which score suspects are ranked.
        review: Name of a review in the store; "" for none.
        word: A word of a text that is edited.
        spot: "1" once a spot check by real retraining was asked for.
        box: How far the brightness of a poisoned picture may move, in steps of an 8-bit picture, as text.
        poisons: How many pictures are poisoned, as text.
        beside: The explanation that is pinned, "study:test"; "" for none.
    """

    study: str = DEFAULT_STUDY
    test: str = ""
    picture: str = ""
    ask: str = "model"
    solver: str = "auto"
    damping: str = ""
    curvature: str = "auto"
    device: str = "auto"
    show: str = "wrong"
    of: str = ""
    page: str = "1"
    open: str = ""
    out: str = ""
    retrain: str = ""
    chart: str = "distance"
    k: str = "50"
    panel: str = ""
    edit: str = "remove"
    to: str = ""
    weight: str = "0"
    with_: str = ""
    t: str = "0.001"
    group: str = ""
    flip: str = "10"
    repeats: str = "5"
    score: str = "self-influence"
    review: str = ""
    word: str = ""
    spot: str = ""
    box: str = "0.499"
    poisons: str = "1"
    beside: str = ""

    @property
    def spec(self) -> studies.StudySpec:
        """What is trained on what."""
        return studies.find(self.study)

    @property
    def settings(self) -> Settings:
        """How the curvature is inverted."""
        return Settings(
            self.solver, None if self.damping == "" else _number(self.damping, "damping"), self.curvature
        )

    @property
    def settings_changed(self) -> bool:
        """Whether anything about the computation is not at its default."""
        return (self.solver, self.damping, self.curvature, self.device) != ("auto", "", "auto", "auto")

    @property
    def test_id(self) -> int | None:
        """The test id, if one is named."""
        return _whole(self.test, "test image") if self.test else None

    @property
    def opened(self) -> int | None:
        """The open training id, if there is one."""
        return _whole(self.open, "training image") if self.open else None

    @property
    def chosen(self) -> tuple[int, ...]:
        """Training ids chosen for retraining."""
        return tuple(dict.fromkeys(_whole(one, "training image") for one in self.out.split(",") if one))[
            :MOST_CHOSEN
        ]

    @property
    def only_label(self) -> int | None:
        """The true label to which the chooser keeps, if any."""
        return _whole(self.of, "label") if self.of else None

    @property
    def how_many(self) -> int:
        """How many examples are left out or edited, from 1."""
        return max(1, _whole(self.k, "number of examples"))

    @property
    def new_weight(self) -> float:
        """The weight of a reweighted group."""
        return _number(self.weight, "weight")

    @property
    def pinned(self) -> tuple[str, int] | None:
        """Study and test id of the explanation that is pinned, if one is."""
        if not self.beside:
            return None
        study, _, test = self.beside.rpartition(":")
        return studies.find(study).name, _whole(test, "test image")

    @property
    def page_number(self) -> int:
        """Page of the chooser, from 1."""
        return max(1, _whole(self.page, "page"))

    def check(self) -> None:
        """Raise `DataError` where the address asks for something that there cannot be."""
        _ = (
            self.spec,
            self.settings,
            self.test_id,
            self.opened,
            self.chosen,
            self.page_number,
            self.how_many,
            self.new_weight,
            self.only_label,
            self.pinned,
        )
        if self.retrain not in ("", "1", "groups"):
            raise DataError(
                f"The address asks for retrain=“{self.retrain[:40]}”, but it is 1, groups or not there."
            )
        if self.spot not in ("", "1"):
            raise DataError(f"The address asks for spot=“{self.spot[:40]}”, but it is 1 or not there.")
        if self.device not in devices.NAMES:
            raise DataError(
                f"There is no device “{self.device[:40]}”; choose one of {', '.join(devices.NAMES)}."
            )
        if self.ask not in ("model", "true"):
            _whole(self.ask, "label")

    def check_ids(self, explanation: Explanation) -> None:
        """Raise `DataError` where the address names a training image that the study does not have."""
        for train_id in self.chosen if self.opened is None else (self.opened, *self.chosen):
            explanation.position(train_id)

    def changed(self, **changes: str) -> View:
        """The view after a change; what no longer makes sense falls back to its default."""
        names = {one.name for one in fields(self)}
        gone: set[str] = set()
        if "study" in changes:
            gone = names - KEPT_WITH_ANOTHER_STUDY
        elif {"test", "picture"} & set(changes):
            gone = {"test", "picture", "ask", "open", "out", "retrain", "word", "spot"}
        elif {"show", "of"} & set(changes):
            gone = {"page"}
        elif {"ask", "solver", "damping", "curvature", "device"} & set(changes):
            gone = {"retrain", "spot"}
        elif {"out", "edit", "to", "weight"} & set(changes):
            gone = {"retrain"}
        forget = {one.name: str(one.default) for one in fields(self) if one.name in gone}
        return replace(self, **(forget | changes))

    def on_another_page(self) -> View:
        """The same question, computation and chosen examples; what a page asks of its own stays behind."""
        return View(**{name: value for name, value in asdict(self).items() if name in KEPT_ON_ANOTHER_PAGE})

    def query(self) -> dict[str, str]:
        """The parameters that differ from their defaults."""
        plain = asdict(View())
        return {name.rstrip("_"): value for name, value in asdict(self).items() if value != plain[name]}


def read_view() -> View:
    """The view of this visit, in step with the address.

    A click can reach the server before the browser has shown the address of the click before: what the address
    said a moment ago is then out of date and the visit's own view holds. Any other address was typed, followed or
    gone back to, and is taken. A page opened from the menu comes without an address: the visit's question goes along.
    """
    asked, (view, past, written) = from_query(st.query_params.to_dict()), _visit()
    if _turned_page() and view is not None:
        view = view.on_another_page() if asked == View() else asked
    elif view is None or (asked != view and not (asked in past and monotonic() - written < LATE_SECONDS)):
        view = asked
    _remember(view)
    return view


def _turned_page() -> bool:
    """Whether this is the first run of another page than that of the run before."""
    now = st.session_state.get("page_now", "")  # "" is the first page
    before = st.session_state.get("page_seen", now)
    st.session_state["page_seen"] = now
    return now != before


def _visit() -> tuple[View | None, tuple[View, ...], float]:
    """The visit's view, those before it, and when it was last changed."""
    return st.session_state.get("view", (None, (), 0.0))


def _remember(view: View) -> None:
    before, past, written = _visit()
    if before is not None and before != view:
        past, written = (*past, before)[-10:], monotonic()
    st.session_state["view"] = (view, past, written)
    if from_query(st.query_params.to_dict()) != view:
        st.query_params.from_dict(view.query())


def from_query(query: Mapping[str, Any]) -> View:
    """The view of some query parameters."""
    names = {one.name.rstrip("_"): one.name for one in fields(View)}
    return View(**{names[name]: str(value) for name, value in query.items() if name in names})


def go_to(**changes: str) -> None:
    """Change the view: widgets call this, the address follows, and the page runs again."""
    _remember(_now().changed(**changes))


def start_over() -> None:
    """The first view."""
    _remember(View())


def toggle_chosen(train_id: str) -> None:
    """Choose a training image for retraining, or no longer."""
    ids = [one for one in _now().out.split(",") if one]
    go_to(out=",".join([one for one in ids if one != train_id] if train_id in ids else [*ids, train_id]))


def choose_also(train_ids: list[str]) -> None:
    """Choose more training images for retraining, as many as fit, in the order given."""
    ids = [one for one in _now().out.split(",") if one]
    go_to(out=",".join(list(dict.fromkeys([*ids, *train_ids]))[:MOST_CHOSEN]))


def _now() -> View:
    return _visit()[0] or read_view()


def _whole(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise DataError(f"The address asks for the {what} “{text[:40]}”, but a {what} is a whole number.")
    return int(text)


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"The {what} must be a number of at least 0, but is “{text[:40]}”.") from None
