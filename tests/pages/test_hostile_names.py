"""Names that people brought, full of markup, maths, HTML and marks that turn text around, are shown as they are."""

import re

import pytest
from google.protobuf.json_format import MessageToDict

from influence_core.data.brought import own, recipes, uploads
from influence_core.data.brought.tables import Choices
from influence_core.studies import of_table, open_study
from pages._parts.build import bring
from pages._shell import downloads, results
from tests.data.test_image_folder import fill
from tests.data.test_tables import as_csv, rows
from tests.visits import charts, settle, visit_page

SIGNS = "<b>$x$%{y} **b** [l](http://evil.example) ![i](//evil.example/p.png) :red[r] `c` \u202edrawkcab"
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
ALIVE = re.compile(r"(?<!\\)(\*\*b|\$x|\]\(http|<b>|!\[i|:red\[|`c)|\u202e")
ALIVE_IN_CHARTS = re.compile(r"<b>\$|<b>&#|\$x|%\{y\} |\u202e")
PAGES = {
    "explain": {"open": "{train}", "out": "{train}", "retrain": "1"},
    "leave_one_out": {"k": "5", "retrain": "1"},
    "leave_one_out#all": {"retrain": "all", "open": "{train}"},
    "what_if": {"for": "class", "edit": "relabel", "retrain": "1", "out": "{train}"},
    "domain_mismatch": {"retrain": "1"},
    "wrong_labels": {"retrain": "1"},
    "review": {"review": "mine"},
    "solver_comparison": {},
}


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
    choices = Choices("bought", group=f"{MARK}city {SIGNS}")
    kept = of_table(uploads.keep(results.get_store(), as_csv(made), choices, "hostile.csv"))
    data = open_study(kept, results.get_store()).data
    return kept.name, str(int(data.train.ids[0]))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Photos in folders of hostile names, seen as pixels."""
    root = tmp_path_factory.mktemp("photos")
    signs = SIGNS.replace("/", "")
    path = fill(root / "pets", {f"{MARK}cat {signs}": 12, f"{MARK}dog {signs}": 12})
    fields = {
        "title": "Hostile",
        "data": own.PHOTOS,
        "model": "logistic",
        "l2": 0.01,
        "seed": 0,
        "backbone": "",
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
        assert not ALIVE.search(text), f"{kind}.{field}: {text}"
    drawn = [(key, text) for key, figure in charts(at).items() for _, text in strings(figure) if MARK in text]
    for key, text in drawn:
        assert not ALIVE_IN_CHARTS.search(text), f"{key}: {text}"
    return len(found) + len(drawn)


@pytest.mark.parametrize("page", PAGES)
def test_names_are_shown_to_the_letter(study, page):
    name, train = study
    query = {field: value.replace("{train}", train) for field, value in PAGES[page].items()}
    at = settle(visit_page(page.split("#")[0], name, **query))
    assert not at.error, at.error[0].value
    assert assert_to_the_letter(at) or page == "wrong_labels"


@pytest.mark.parametrize(
    "page", ["explain", "leave_one_out", "what_if", "review", "two_models", "poison", "build"]
)
def test_names_of_folders_are_shown_to_the_letter(photos, page):
    name, path = photos
    query = {"review": {"review": "mine"}, "leave_one_out": {"k": "5"}}.get(page, {})
    at = visit_page(page, name, **query)
    if page == "build":
        at.button_group(key="build_kind").set_value(bring.FOLDER)
        settle(at)
        at.selectbox(key="build_folder_0").set_value(path)
        settle(at)
    assert not at.error, at.error[0].value
    assert_to_the_letter(at)
