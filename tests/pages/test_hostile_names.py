"""Names that people brought, full of markup, maths, HTML and marks that turn text around, are shown as they are."""

import re

import pytest
from google.protobuf.json_format import MessageToDict

from influence_core.data.brought import own, recipes, uploads
from influence_core.data.brought.tables import Choices
from influence_core.models import backbones
from influence_core.studies import of_table, open_study
from influence_core.words import plain_title
from pages._parts.build import bring, model
from pages._shell import catalogue, downloads, results
from tests import toy_mails
from tests.data.test_image_folder import fill
from tests.data.test_tables import as_csv, rows
from tests.visits import charts, settle, visit_page

SIGNS = (
    "\n# head <b>$x$%{y} **b** [l](http://evil.example) ![i](//evil.example/p.png) :red[r] `c` \u202edrawkcab"
)
MARK = "Zq"
"""Nothing else on a page has it."""
PLAIN_TEXT = {
    "selectbox",
    "multiselect",
    "text_input",
    "text",
    "arrow_data_frame",
    "bidi_component",
    "plotly_chart",
}
"""What shows options or contents without markdown; labels are checked all the same."""
ALIVE = re.compile(r"(?<!\\)(\*\*b|\$x|\]\(http|<b>|!\[i|:red\[|`c)|\u202e|\n# head")
ALIVE_IN_HTML = re.compile(r"<b>|<img (?!src=\"data:)|<a ")
"""In a block of HTML markdown is no markup, and a mail's own marks turn nothing around outside it."""
ALIVE_IN_CHARTS = re.compile(r"<b>\$|<b>&#|\$x|%\{y\} |\u202e")
QUERIES = {
    "explain": {"open": "{train}", "out": "{train}", "retrain": "1"},
    "leave_one_out": {"k": "5", "retrain": "1"},
    "leave_one_out#all": {"retrain": "all", "open": "{train}"},
    "what_if": {"for": "class", "edit": "relabel", "retrain": "1", "out": "{train}"},
    "domain_mismatch": {"retrain": "1"},
    "wrong_labels": {"retrain": "1"},
    "review": {"review": "mine"},
}
"""Opened so that as much as can be is shown; the other pages as they come."""
EVERY_PAGE = [*QUERIES, *(row.name for row in catalogue.PAGES if row.name not in QUERIES)]


SILENT = ("paper", "two_models", "smooth_hinge", "solver_comparison", "poison", "build", "guide")
"""They name nothing of a table."""


@pytest.fixture(scope="module")
def study():
    """A table whose labels, columns and cells are hostile."""
    names = {"yes": f"{MARK}yes {SIGNS}", "no": f"{MARK}no {SIGNS}"}
    made = [
        {
            f"{MARK}age {SIGNS}": one["age"],
            f"{MARK}city {SIGNS}": f"{MARK}{one['city']} {SIGNS}",
            "bought": names[one["bought"]],
        }
        for one in rows(80)
    ]
    choices = Choices("bought", group=" ".join(f"{MARK}city {SIGNS}".split()))
    kept = of_table(uploads.keep(results.get_store(), as_csv(made), choices, "hostile.csv"))
    data = open_study(kept, results.get_store()).data
    return kept.name, str(int(data.train.ids[0]))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos in folders of hostile names."""
    root = tmp_path_factory.mktemp("photos")
    signs = SIGNS.replace("/", "")
    path = fill(root / "pets", {f"{MARK}cat {signs}": 12, f"{MARK}dog {signs}": 12})
    for one in list(path.rglob("*.png")):
        one.rename(one.with_name(f"{MARK}{one.stem} {signs}.png"))
    fields = {
        "title": plain_title(f"{MARK} {SIGNS}", model.LONGEST_TITLE),
        "data": own.PHOTOS,
        "model": "logistic",
        "l2": 0.01,
        "seed": 0,
        "backbone": backbones.PACKAGED,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(downloads.DATA_VARIABLE, str(root))
        yield recipes.keep(results.get_store(), fields | {"source": own.IN_FOLDER + str(path)}), str(path)


def spoken(at):
    """Every text of a page that is read as markdown, with what shows it."""
    for element in at._tree:
        if getattr(element, "proto", None) is None:
            continue  # a box
        kind, found = element.type, MessageToDict(element.proto)
        for name, text in strings(found):
            if MARK in text and (kind not in PLAIN_TEXT or name in ("label", "help")):
                yield kind, name, text


def strings(found, name=""):
    if isinstance(found, str):
        yield name, found
    elif isinstance(found, dict):
        for key, one in found.items():
            yield from strings(one, key)
    elif isinstance(found, list):
        for one in found:
            yield from strings(one, name)


def assert_to_the_letter(at) -> int:
    """How many texts of a page hold a hostile name, once none of them has come alive."""
    found = list(spoken(at))
    for kind, field, text in found:
        assert not (ALIVE_IN_HTML if kind == "html" else ALIVE).search(text), f"{kind}.{field}: {text}"
    drawn = [(key, text) for key, figure in charts(at).items() for _, text in strings(figure) if MARK in text]
    for key, text in drawn:
        assert not ALIVE_IN_CHARTS.search(text), f"{key}: {text}"
    return len(found) + len(drawn)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """E-mails in folders of hostile names, with hostile words and file names."""
    root = tmp_path_factory.mktemp("texts")
    signs = SIGNS.replace("/", "")
    made, labels = toy_mails.texts(60)
    for at, (text, label) in enumerate(zip(made, labels, strict=True)):
        path = root / "mails" / f"{MARK}{'spam' if label else 'ham'} {signs}" / f"{MARK}{at:02d} {signs}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Subject: {MARK} {SIGNS} {text}\n{MARK} {SIGNS}", encoding="utf-8")
    fields = {
        "title": plain_title(f"{MARK} {SIGNS}", model.LONGEST_TITLE),
        "data": own.TEXTS,
        "model": "logistic",
        "l2": 0.01,
        "seed": 0,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(downloads.DATA_VARIABLE, str(root))
        source = own.IN_FOLDER + str(root / "mails")
        yield recipes.keep(results.get_store(), fields | {"source": source}), str(root / "mails")


def query_of(page: str, train: str = "0") -> dict[str, str]:
    return {field: value.replace("{train}", train) for field, value in QUERIES.get(page, {}).items()}


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_names_in_a_table_are_shown_to_the_letter(study, page):
    name, train = study
    at = settle(visit_page(page.split("#")[0], name, **query_of(page, train)))
    assert not at.error, at.error[0].value
    assert assert_to_the_letter(at) or page in ("wrong_labels", "data_health", *SILENT)


OF_FOLDERS = [one if one == "explain" else pytest.param(one, marks=pytest.mark.slow) for one in EVERY_PAGE]
"""Pages of all kinds of studies; by default the one that all begin with."""


@pytest.mark.parametrize("page", OF_FOLDERS)
def test_names_of_folders_are_shown_to_the_letter(photos, page):
    at = opened(page, *photos, bring.FOLDER)
    assert_to_the_letter(at)


@pytest.mark.parametrize("page", OF_FOLDERS)
def test_words_and_files_of_mails_are_shown_to_the_letter(texts, page):
    at = opened(page, *texts, bring.TEXTS)
    assert_to_the_letter(at)


def opened(page: str, name: str, path: str, kind: str):
    """A page; on that of one's own data, a folder is chosen."""
    at = settle(visit_page(page.split("#")[0], name, **query_of(page)))
    if page == "build":
        at.button_group(key="build_kind").set_value(kind)
        settle(at)
        at.selectbox(key="build_folder_0").set_value(path)
        settle(at)
    assert not at.error, at.error[0].value
    return at


def test_what_must_not_come_alive_is_known():
    """What is looked for would be found: the names as they are, unescaped."""
    assert len(ALIVE.findall(SIGNS)) >= 8
    assert ALIVE_IN_CHARTS.search(SIGNS) and ALIVE_IN_HTML.search(SIGNS)


SEPARATORS = {"yes": "star: 1, of 5", "no": "#0", "maybe": "a=b@c+d~e|f;g&h?i"}
"""Class names of the signs that parts of an address are told apart by."""


@pytest.fixture(scope="module")
def separators():
    """A table whose labels, columns and cells are made of such signs."""
    made = [
        {"age": one["age"], "a=b:c": f"{one['city']}=1,2", "bought": SEPARATORS[label]}
        for at, one in enumerate(rows(90))
        for label in [one["bought"] if at % 3 else "maybe"]
    ]
    choices = Choices("bought", group="a=b:c")
    return of_table(uploads.keep(results.get_store(), as_csv(made), choices, "separators.csv")).name


ASKED = [
    *({"over": f"class={one}"} for one in ("#0", "#2")),
    {"over": "class=a=b@c+d~e|f;g&h?i"},
    {"over": "group=a=b:c=Lima=1,2"},
    {"over": "all", "quantity": "recall=#0"},
    {"over": "all", "quantity": "margin=a=b@c+d~e|f;g&h?i,#0"},
    {"over": "group=a=b:c=Lima=1,2", "quantity": "gap=group=a=b:c=Köln=1,2"},
]


@pytest.mark.parametrize("query", ASKED, ids=str)
def test_signs_that_part_an_address_may_stand_in_names(separators, query):
    at = settle(visit_page("ask", separators, **query))
    assert not at.error and not at.exception, at.error or at.exception
    assert {one.value for one in at.selectbox} & {*query.values()}, [one.value for one in at.selectbox]
