"""Rows and e-mails on cards and in full: what somebody else wrote stays text, whatever it looks like."""

import re
from dataclasses import replace

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from influence_core import data
from influence_core.data import DataSet, Examples
from influence_core.exports import as_csv, as_csv_file
from influence_core.studies import CATALOGUE, find
from pages._common.cards import SNIPPET_LETTERS, card_face, snippet
from pages._shell.escape import escape_markdown
from tests.problems import normal
from tests.visits import cards, metrics, said, visit_page

PICTURE = "![x](https://evil.example/x.png)"
HOSTILE = [
    PICTURE,
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "[win](https://evil.example) **bold** `code` $x^2$ :red[loud] :material/home:",
    "# Title | a | b | ~~gone~~ & more",
    "",
    "9" * 1_000_000,
]
NAMES = (f"{PICTURE} ham", "<b>spam</b> **now** :red[loud]")


class Originals:
    """Records that hold hostile texts."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def read(self, id: int) -> dict[str, str]:
        if self.kind == "e-mail":
            return {"subject": HOSTILE[id % 6], "text": HOSTILE[(id + 1) % 6], "more": HOSTILE[(id + 2) % 6]}
        named = {f"a column with a long name, {place}": text for place, text in enumerate(HOSTILE)}
        return {"<i>first</i>": HOSTILE[id % 6]} | named


def toy(kind: str) -> DataSet:
    """Two labels that overlap, 60 rows to train and 20 to test, and not one picture."""
    x, y = normal(80, 4), torch.arange(80) % 2
    x[:, 0] += y - 0.5
    train = Examples(x[:60], y[:60], torch.arange(60))
    test = Examples(x[60:], y[60:], torch.arange(60, 80))
    names = tuple(f"feature {one}" for one in range(4))
    return DataSet(
        kind, "Toy", train, test, NAMES, None, kind=kind, feature_names=names, records=Originals(kind)
    )


@pytest.fixture(params=["row", "e-mail"])
def kind(request, monkeypatch):
    """A server whose default study is the toy of this kind."""
    shown = toy(request.param)
    monkeypatch.setitem(data.CATALOGUE, "digits", data.DataRow("digits", lambda folder, progress: shown, ""))
    monkeypatch.setitem(CATALOGUE, "digits", replace(find("digits"), model="logistic", l2=0.1))
    st.cache_resource.clear()
    yield request.param
    st.cache_resource.clear()


def comes_alive(text: str) -> bool:
    """Whether Markdown would make a picture, HTML, a colour or bold text out of one of the labels."""
    return re.search(r"(?<!\\)(!\[x|<b>|:red\[|\*\*now)", text) is not None


def markdown(at: AppTest) -> list[str]:
    """Everything of the page that Streamlit reads as Markdown."""
    kinds = ("button", "radio", "toggle", "metric", "selectbox", "slider", "expander")
    labels = [one.label for name in kinds for one in at.get(name)]
    options = [option for one in at.radio for option in one.options]
    choices = [one.content for group in at.get("button_group") for one in group.proto.options]
    return [said(at), *labels, *options, *choices]


@pytest.mark.parametrize("page", ["explain", "what_if"])
def test_labels_and_cards_stay_text_on_every_page_of_a_question(kind, page):
    whole = {"k": "4", "edit": "relabel", "retrain": "groups"} if page == "what_if" else {}
    at = visit_page(page, "digits", open="3", out="3,4", **({"retrain": "1"} | whole))
    shown = [card for grid in cards(at).values() for card in grid]
    assert len(shown) >= 4
    for card in shown:
        assert card["src"] == ""
        assert 0 < len(card["snippet"]) <= SNIPPET_LETTERS
    assert metrics(at)
    alive = [text for text in markdown(at) if comes_alive(text)]
    assert alive == []


@pytest.mark.parametrize(
    "text",
    ["https://evil.example", "HTTP://evil.example", "www.evil.example", "a@evil.example", "WWW.x.y, a.@b.c"],
)
def test_a_bare_address_is_broken_by_a_sign_that_nobody_sees(text):
    """Markdown makes links of them by itself, whatever is escaped."""
    assert re.search(r"(?i)\w://|www\.|[-.\w+]@", escape_markdown(text)) is None
    assert escape_markdown(text).replace("\u2060", "").replace("\\", "") == text


def _page():
    import streamlit as st

    from pages._common.cards import show_record
    from tests.pages.test_cards import Originals

    show_record(Originals(st.query_params["kind"]).read(int(st.query_params["id"])), st.query_params["kind"])


@pytest.mark.parametrize("example", range(6))
def test_an_e_mail_in_full_is_text_below_its_subject(example):
    at = opened("e-mail", example)
    subject, *texts = Originals("e-mail").read(example).values()
    assert [one.value for one in at.text] == texts
    (heading,) = (one.value for one in at.markdown)
    assert heading == (f"**{escape_markdown(subject)}**" if subject else "**no subject**")
    assert not comes_alive(heading)


def test_a_row_in_full_is_a_table_of_text():
    (table,) = opened("row", 3).dataframe
    record = Originals("row").read(3)
    assert list(table.value["column"]) == list(record)
    assert list(table.value["value"]) == list(record.values())


def opened(kind: str, example: int) -> AppTest:
    at = AppTest.from_function(_page, default_timeout=30)
    at.query_params["kind"], at.query_params["id"] = kind, str(example)
    at.run()
    assert not at.exception
    return at


@pytest.mark.parametrize("kind", ["row", "e-mail"])
@pytest.mark.parametrize("example", range(6))
def test_a_snippet_is_short_and_begins_as_its_original(kind, example, one_or_seven):
    study = replace(one_or_seven, data=toy(kind))
    words, record = snippet(study, example), Originals(kind).read(example)
    assert 0 < len(words) <= SNIPPET_LETTERS
    if kind == "row":
        lines = [f"{name} {text[:40]}" for name, text in record.items()]
        assert words == "\n".join(lines[:6])[:SNIPPET_LETTERS]
    else:
        assert words == " · ".join(text for text in record.values() if text)[:SNIPPET_LETTERS]
    assert card_face(study, study.data.train, example) == {"src": "", "snippet": words, "crisp": False}


def test_a_downloaded_file_says_that_it_is_utf8():
    content = as_csv_file({"label": np.array(["肯定", "öde", "скучно"])})
    assert content.startswith(b"\xef\xbb\xbf") and content.decode("utf-8-sig").splitlines()[1:] == [
        "肯定",
        "öde",
        "скучно",
    ]


def test_a_downloaded_text_is_no_formula_of_a_spreadsheet():
    columns = {
        "label": np.array(["=CMD()", "+1", "-x", "@a", "plain"]),
        "value": np.array([-1.5, 2.0, 0.0, 1.0, 1.0]),
    }
    lines = as_csv(columns).splitlines()
    assert lines == ["label,value", "'=CMD(),-1.5", "'+1,2.0", "'-x,0.0", "'@a,1.0", "plain,1.0"]
