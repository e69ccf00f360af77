"""The address bar in step with the page: what is asked, how it is computed, what is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from influence_core import devices, studies
from influence_core.engines import SolverSettings
from influence_core.experiments.explain import Explanation
from pages._shell.params import ANSWER, QUESTION, Params, number, one_of, param, whole

DEFAULT_STUDY = next(iter(studies.CATALOGUE))
MAX_CHOSEN = 50
LATE_SECONDS = 3.0
OF_THE_QUESTION = ("study", "test", "picture", "ask", "device")
_OF_ONE_VERSION = ("out", "retrain", "cause", "spot", "page")

_whole_test, _whole_train = whole("test image"), whole("training image")


@dataclass(frozen=True)
class View(Params):
    """What all pages share, as the address has it: texts, because the sidebar shows even what cannot be computed.

    Attributes:
        study: Name of the study.
        test: Test id; "" for the first one offered.
        picture: Digest of an uploaded picture that is asked about instead of a test image.
        ask: "model" (the model's answer), "true" (the true label) or a label's number.
        solver: As in `SolverSettings`.
        damping: A number; "" for the study's own.
        curvature: As in `SolverSettings`.
        device: As in `devices.NAMES`.
        show: Which test images the chooser offers: "wrong", "unsure" or "all"; with a whole table all of them, sorted by it,
            "moved" or "held".
        of: Only test images of this true label; "" for every label.
        said: Only test images of which the model says this label; "" for every answer.
        page: Page of the chooser; "" for the one that has the test example.
        open: Training id that is open; "" for none.
        out: Training ids chosen for retraining, comma-separated.
        chart: Which view of all training examples is open, such as "distance", "table" or "anatomy".
        spot: "1" once a spot check by real retraining was asked for.
        beside: The explanation that is pinned, "study:test"; "" for none.
    """

    study: str = param(DEFAULT_STUDY)
    test: str = param("", after=QUESTION)
    picture: str = param("", after=QUESTION)
    ask: str = param("model", after=QUESTION)
    solver: str = param("auto", after=())
    damping: str = param("")
    curvature: str = param("auto")
    device: str = param("auto", after=())
    show: str = param("wrong")
    of: str = param("")
    said: str = param("")
    page: str = param("", after=("study", "show", "of", "said"))
    open: str = param("", after=QUESTION)
    out: str = param("", after=QUESTION)
    chart: str = param("distance", after=())
    spot: str = param("", after=ANSWER)
    beside: str = param("", after=())

    @property
    def spec(self) -> studies.StudySpec:
        """What is trained on what."""
        return studies.find(self.study)

    @property
    def settings(self) -> SolverSettings:
        """How the curvature is inverted."""
        damping = None if self.damping == "" else number("damping")(self.damping)
        return SolverSettings(self.solver, damping, self.curvature)

    @property
    def settings_changed(self) -> bool:
        """Whether anything about the computation is not at its default."""
        return (self.solver, self.damping, self.curvature, self.device) != ("auto", "", "auto", "auto")

    @property
    def test_id(self) -> int | None:
        """The test id, if one is named."""
        return _whole_test(self.test) if self.test else None

    @property
    def opened(self) -> int | None:
        """The open training id, if there is one."""
        return _whole_train(self.open) if self.open else None

    @property
    def chosen(self) -> tuple[int, ...]:
        """Training ids chosen for retraining."""
        return tuple(dict.fromkeys(_whole_train(one) for one in self.out.split(",") if one))[:MAX_CHOSEN]

    @property
    def only_label(self) -> int | None:
        """The true label to which the chooser keeps, if any."""
        return whole("label")(self.of) if self.of else None

    @property
    def only_said(self) -> int | None:
        """The answer to which the chooser keeps, if any."""
        return whole("label")(self.said) if self.said else None

    @property
    def pinned(self) -> tuple[str, int] | None:
        """Study, or version of one, and test id of the explanation that is pinned, if one is."""
        if not self.beside:
            return None
        study, _, test = self.beside.rpartition(":")
        return studies.find(study).address, _whole_test(test)

    @property
    def page_number(self) -> int | None:
        """Page of the chooser, from 1; ``None`` for the one of the test example."""
        return whole("page", least=1)(self.page) if self.page else None

    def check(self) -> None:
        """Raise `DataError` where the address asks for something that there cannot be."""
        _ = (self.spec, self.settings, self.test_id, self.opened, self.chosen, self.page_number)
        _ = (self.only_label, self.only_said, self.pinned)
        one_of(("", "1"), "The address asks for spot=“{}”, but it is 1 or not there.")(self.spot)
        known = ", ".join(devices.NAMES)
        one_of(devices.NAMES, f"There is no device “{{}}”; choose one of {known}.")(self.device)
        if self.ask not in ("model", "true"):
            whole("label")(self.ask)

    def check_ids(self, explanation: Explanation) -> None:
        """Raise `DataError` where the address names a training image that the study does not have."""
        for train_id in self.chosen if self.opened is None else (self.opened, *self.chosen):
            explanation.position(train_id)

    def query(self, *names: str) -> dict[str, str]:
        """The parameters that differ from their defaults, for a link; only those named, where names are given."""
        found = {name: text for name, text in vars(self).items() if text != self.defaults()[name]}
        return {name: found[name] for name in names if name in found} if names else found


Texts = dict[str, str]


def read_address(own: type[Params]) -> tuple[View, Texts]:
    """The view of this visit and the texts of the page's own fields, in step with the address.

    A click can reach the server before the browser has shown the address of the click before: what the address
    said a moment ago is then out of date and the visit's own holds. Any other address was typed or followed, and is
    taken, and so is any that was gone back to. A page opened from the menu comes without an address: the visit's
    question goes along, and some fields of its own are as they were left.
    """
    asked, (texts, past, written) = _known(st.query_params.to_dict(), own), _visit()
    st.session_state["own_params"] = own
    late = asked in past and monotonic() - written < LATE_SECONDS
    if _went_back():
        _turned_page()
        st.session_state["visit"] = (asked, (), 0.0)
    elif _turned_page() and texts is not None:
        _remember(asked or _returned(_known(texts, Params), own))
    elif texts is None or (asked != texts and not late):
        st.session_state["visit"] = (asked, (), 0.0)  # the browser is ahead: nothing of before can be late
    else:
        _remember(texts)
    left = {name: text for name, text in _now().items() if name in own.RETURNING}
    st.session_state[_left(_now(), own)] = left
    return View.read(_now()), _now()


def _returned(texts: Texts, own: type[Params]) -> Texts:
    """A question with those fields of the page that come back, as they were left when the study was asked last."""
    return texts | st.session_state.get(_left(texts, own), {})


def _left(texts: Texts, own: type[Params]) -> str:
    return f"left_{own.__name__}_{texts.get('study', DEFAULT_STUDY)}"


def _known(query: Mapping[str, Any], own: type[Params]) -> Texts:
    """What differs from its default among the fields of the view and of the page."""
    defaults = View.defaults() | own.defaults()
    return {name: str(text) for name, text in query.items() if defaults.get(name, text) != str(text)}


def _went_back() -> bool:
    """Whether the reader went back or forward in the browser, which tells so."""
    run = get_script_run_ctx()
    return run is not None and run.is_history_navigation


def _turned_page() -> bool:
    """Whether this is the first run of another page than that of the run before."""
    now = st.session_state.get("page_now", "")  # "" is the first page
    before = st.session_state.get("page_seen", now)
    st.session_state["page_seen"] = now
    return now != before


def _visit() -> tuple[Texts | None, tuple[Texts, ...], float]:
    """What the visit asks, what it asked before, and when that was last changed."""
    return st.session_state.get("visit", (None, (), 0.0))


def _remember(texts: Texts) -> None:
    before, past, written = _visit()
    if before is not None and before != texts:
        past, written = (*past, before)[-10:], monotonic()
    st.session_state["visit"] = (texts, past, written)
    if _known(st.query_params.to_dict(), _own()) != texts:
        st.query_params.from_dict(texts)


def changed(texts: Mapping[str, str], own: type[Params], changes: Mapping[str, str]) -> Texts:
    """The address after a change; what depends on what has changed falls back to its default.

    The study on show chosen again, as by a box of studies that was made anew, is no change.
    """
    after = View.after() | own.after()
    unknown = sorted(set(changes) - set(after))
    assert not unknown, f"{own.__name__} has no field {', '.join(unknown)}"
    same = changes.get("study") == texts.get("study", DEFAULT_STUDY)
    moved = set(changes) - ({"study"} if same else set())
    kept = {name: text for name, text in texts.items() if not after[name] & moved}
    return _known(kept | dict(changes), own)


def go_to(**changes: str) -> None:
    """Change the address: widgets call this, and the page runs again."""
    named = {name.rstrip("_"): text for name, text in changes.items()}  # with_ stands for the keyword
    st.session_state.pop("came_along", None)
    _remember(changed(_now(), _own(), named))


def another_version(study: str) -> None:
    """The same question to another version of the study on show; what was chosen there does not go along."""
    texts = st.session_state["came_along"] = _known(_to_version(study), _own())
    _remember(texts)


def came_along() -> bool:
    """Whether all that the address asks came along from another version, and nobody has asked it here."""
    return bool(st.session_state.get("came_along") == _now())


def link_to_version(study: str) -> Texts:
    """The same for a link to a page: the question alone, which is named even where the address took the first one offered."""
    return {field: text for field, text in _to_version(study).items() if field in OF_THE_QUESTION}


def _to_version(study: str) -> Texts:
    now, (name, test) = _now(), st.session_state.get("question_shown", ("", ""))
    kept = {field: text for field, text in now.items() if field not in _OF_ONE_VERSION}
    if name == studies.find(study).name and not {"test", "picture"} & set(kept):
        kept["test"] = test
    versions = studies.find(now.get("study", DEFAULT_STUDY)), studies.find(study)
    moved = {str(one.example) for spec in versions for one in spec.changes if one.kind in ("remove", "add")}
    kept = {field: text for field, text in kept.items() if field not in ("open", "test") or text not in moved}
    return kept | {"study": study}


def start_over() -> None:
    """The first view."""
    _remember({})


def toggle_chosen(train_id: str) -> None:
    """Choose a training image for retraining, or no longer."""
    ids = _chosen()
    go_to(out=",".join([one for one in ids if one != train_id] if train_id in ids else [*ids, train_id]))


def choose_also(train_ids: Iterable[str]) -> None:
    """Choose more training images for retraining, as many as fit, in the order given."""
    go_to(out=",".join(list(dict.fromkeys([*_chosen(), *train_ids]))[:MAX_CHOSEN]))


def _chosen() -> list[str]:
    return [one for one in _now().get("out", "").split(",") if one]


def _own() -> type[Params]:
    """The fields of the page that was run last."""
    return st.session_state.get("own_params", Params)


def _now() -> Texts:
    return _visit()[0] or {}
