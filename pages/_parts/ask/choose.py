"""Which test examples are asked about, and which number is made of what the model says of them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from influence_core.data.readers.tables import TableRecords
from influence_core.errors import DataError
from influence_core.experiments import groups, test_sets
from influence_core.experiments.test_sets import label_text
from influence_core.studies import Study
from pages._common import test_label
from pages._shell.address import go_to
from pages._shell.own_params import AskParams
from pages._shell.widgets import bound

SETS = {"errors": "All mistakes", "cell": "One kind of mistake", "class": "A class", "all": "All"}
QUANTITIES = {
    "loss": "Mean loss",
    "margin": "This rather than that",
    "probability": "Probability of a label",
    "recall": "Recall of a class",
    "gap": "Gap to another set",
}


def show(study: Study, params: AskParams) -> None:
    """A set and a quantity, each with what it needs."""
    with st.container(border=True, key="choose"):
        _set(study, params)
        _quantity(study, params)


def _set(study: Study, params: AskParams) -> None:
    kind, _, rest = params.over.partition("=")
    titles = dict(SETS) | {"ids": "By number"}
    if _columns(study):
        titles["group"] = "A group of rows"
    if not study.predictions.wrong.any():
        titles = {name: title for name, title in titles.items() if name not in ("errors", "cell")}
    _kind(
        "over_kind", kind, f"Which test {study.data.kind}s", titles, lambda chosen: _first_set(study, chosen)
    )
    also = {"quantity": "loss"} if params.quantity.startswith(("recall", "gap")) else {}
    names = study.data.class_names
    if kind == "class":
        _pick("over", params.over, f"Its {test_label.given(study)}", _labelled(study, "class"), also)
    elif kind == "cell":
        cells = {
            f"cell={label_text(names, true)},{label_text(names, said)}": f"{names[true]} taken for {names[said]} ({count})"
            for true, said, count in test_sets.cells(study)
        }
        _pick("over", params.over, "Which kind", cells, also)
    elif kind == "ids":
        label = "Their numbers, with commas between them"
        bound(st.text_input, "over", rest, label, key="over_ids", write=lambda text: f"ids={text}", also=also)
    elif kind == "group" and "group" in titles:
        _group(study, params, rest, also)


def _group(study: Study, params: AskParams, rest: str, also: dict[str, str]) -> None:
    column = groups.named_in_address(rest, _columns(study)).column
    columns = {f"group={groups.suggest(study, one).name_in_address}": one for one in groups.columns(study)}
    now = next((text for text, one in columns.items() if one == column), params.over)
    _pick("over", now, "Column", columns, also, key="over_column")
    if column not in columns.values():
        return
    values = {f"group={one.group.name_in_address}": one.group.name for one in groups.counts(study, column)}
    _pick("over", params.over, "Its value", values, also)


def _quantity(study: Study, params: AskParams) -> None:
    kind, _, rest = params.quantity.partition("=")
    _kind("quantity_kind", kind, "Which number", QUANTITIES, lambda chosen: _first_quantity(study, chosen))
    if kind in ("probability", "recall"):
        _pick("quantity", params.quantity, "Of", _labelled(study, kind))
    elif kind == "margin":
        one, other = _two_labels(study, rest)
        first, second = st.columns(2)
        with first:
            _pick(
                "quantity", params.quantity, "This", _margins(study, lambda label: (label, other)), key="this"
            )
        with second:
            _pick(
                "quantity", params.quantity, "rather than that", _margins(study, lambda label: (one, label))
            )
    elif kind == "gap":
        others = {"gap=all": "all", "gap=errors": "all mistakes"} | {
            f"gap={text}": name for text, name in _labelled(study, "class").items()
        }
        group = params.over.removeprefix("group=") if params.over.startswith("group=") else ""
        column = groups.named_in_address(group, _columns(study)).column
        if column in _columns(study):
            others |= {
                f"gap=group={one.group.name_in_address}": one.group.name
                for one in groups.counts(study, column)
            }
        _pick("quantity", params.quantity, "Less the mean loss of", others)


def _two_labels(study: Study, text: str) -> tuple[int, ...]:
    """The two that an address names; the first two where it names none that there are."""
    try:
        return test_sets.labels_of(study.data.class_names, text, 2)
    except DataError:
        return 0, 1


def _columns(study: Study) -> tuple[str, ...]:
    """Those that tell groups of rows apart; none where examples are no rows."""
    return groups.columns(study) if isinstance(study.data.records, TableRecords) else ()


def _kind(
    key: str, value: str, label: str, titles: dict[str, str], first: Callable[[str], dict[str, str]]
) -> None:
    """One of some kinds; a change goes to the first address of that kind."""
    st.session_state[key] = value if value in titles else None
    st.segmented_control(
        label,
        list(titles),
        key=key,
        format_func=titles.__getitem__,
        on_change=lambda: go_to(**first(st.session_state[key] or value)),
    )


def _pick(
    field: str,
    value: str,
    label: str,
    options: dict[str, str],
    also: dict[str, str] | None = None,
    key: str = "",
) -> None:
    """One of some texts of the address, each under its title; another text that the address has is among them."""
    known = options if value in options else {value: value.partition("=")[2]} | options
    key = key or f"{field}_which"
    bound(
        st.selectbox,
        field,
        value,
        label,
        list(known),
        key=key,
        format_func=known.__getitem__,
        also=also or {},
    )


def _labelled(study: Study, kind: str) -> dict[str, str]:
    names = study.data.class_names
    return {f"{kind}={label_text(names, label)}": name for label, name in enumerate(names)}


def _margins(study: Study, labels: Callable[[int], tuple[int, int]]) -> dict[str, str]:
    """The margins with one label left open, each under that label's name."""
    names, found = study.data.class_names, {}
    for label, name in enumerate(names):
        one, other = labels(label)
        if one != other:
            found[f"margin={label_text(names, one)},{label_text(names, other)}"] = name
    return found


def _first_set(study: Study, kind: str) -> dict[str, str]:
    """The address of the first set of a kind; what a quantity needs of the set before falls back."""
    names = study.data.class_names
    if kind == "cell":
        true, said, _ = test_sets.cells(study)[0]
        return {"over": f"cell={label_text(names, true)},{label_text(names, said)}", "quantity": "loss"}
    if kind == "ids":
        known = study.predictions
        return {"over": f"ids={known.ids[known.least_confident()[0]]}", "quantity": "loss"}
    if kind == "group":
        return {"over": f"group={groups.suggest(study).name_in_address}", "quantity": "loss"}
    return {"over": f"class={label_text(names, 0)}" if kind == "class" else kind, "quantity": "loss"}


def _first_quantity(study: Study, kind: str) -> dict[str, str]:
    """The address of the first quantity of a kind: of the two labels that are confused most often."""
    names = study.data.class_names
    pairs = test_sets.cells(study) or [(0, 1, 0)]
    true, said = (label_text(names, label) for label in pairs[0][:2])
    if kind == "recall":
        return {"over": "all", "quantity": f"recall={true}"}
    texts = {
        "loss": "loss",
        "probability": f"probability={true}",
        "margin": f"margin={true},{said}",
        "gap": "gap=all",
    }
    return {"quantity": texts[kind]}
