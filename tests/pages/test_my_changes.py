"""My changes: from a card's verdict to the model with it, on every page, for one browser alone."""

import io
from dataclasses import replace
from urllib.parse import parse_qsl

import numpy as np
import pytest

from influence_core.data.brought import picture_uploads, recipes
from influence_core.errors import StoreError
from influence_core.sessions import Remark, Sessions, packed
from influence_core.store import Store
from influence_core.studies import find, open_study
from influence_core.studies.changes import parse
from influence_core.studies.origins import origin_of
from pages._common import test_label
from pages._parts.build import lists
from pages._shell import change_list, my_changes, results
from tests.data.test_archives import packed as zipped
from tests.data.test_archives import pets
from tests.data.test_own import FIELDS
from tests.visits import address, cards, charts, keys, owner, press, said, settle, visit, visit_page

ADA, BOB = "a" * 32, "b" * 32
STUDY, TEST = "one-or-seven", "5040"


@pytest.fixture(scope="module")
def train():
    return open_study(find(STUDY)).data.train


@pytest.fixture
def nobody():
    """No list of either visitor, before and after."""
    for browser in (ADA, BOB):
        for session in Sessions(Store()).of(owner(browser)):
            session.delete()


def listed(at):
    """What the sidebar says."""
    return "\n".join(str(one.value) for one in (*at.sidebar.markdown, *at.sidebar.caption))


@pytest.mark.slow
def test_two_verdicts_the_switch_undo_and_nobody_else_s(train, nobody):
    first, second = train.ids[:2].tolist()
    other = 1 - int(train.y[0])
    at = visit(STUDY, test=TEST, open=str(first), browser=ADA)
    assert "My changes" not in listed(at)
    press(at, "judge_relabel")
    name = ("7", "1")[other]
    assert f"{first} → {name}" in listed(at) and f"In my changes: {first} → {name}" in said(at)
    assert address(at)["study"] == STUDY, "the page stays where it is"
    at.query_params["open"] = str(second)
    press(at.run(), "judge_remove")
    at.sidebar.radio(key="changes_switch").set_value(f"{STUDY}@l{first}={other},r{second}")
    at.run()
    changed = {"study": f"{STUDY}@l{first}={other},r{second}", "test": TEST}
    assert address(at) == changed, "the same question; the removed example is closed"
    assert "With 2 changes" in said(at) and "1,091 training images" in said(at)
    stranger = visit(STUDY, test=TEST, browser=BOB)
    assert "My changes" not in listed(stranger)
    press(at, "changes_undo")
    assert address(at)["study"] == f"{STUDY}@l{first}={other}", "the page goes along"
    press(at, "changes_redo")
    press(at, "to_original")
    assert address(at) == {"study": STUDY, "test": TEST}
    press(at, "changes_delete")
    assert "My changes" not in listed(at) and Sessions(Store()).of(owner(ADA)) == []


@pytest.mark.slow
def test_a_wrong_test_label_is_said_where_it_is_seen_and_counted_so_everywhere(train, nobody, monkeypatch):
    tests = open_study(find(STUDY)).predictions
    at = int(np.flatnonzero(tests.probabilities.argmax(1) != tests.labels)[0])
    example, said_of_it = int(tests.ids[at]), int(tests.probabilities[at].argmax())
    shown = visit(STUDY, test=str(example), browser=ADA)
    press(shown, f"retest_{said_of_it}")
    name = ("7", "1")[said_of_it]
    assert f"test {example} is {name}" in listed(shown) and f"In my changes: it is {name}" in said(shown)
    version = f"{STUDY}@t{example}={said_of_it}"
    other = str(tests.ids[at + 1])
    judged = visit_page("what_if", version, test=other, browser=ADA)
    assert "With 1 change] 1 test label set right by hand, by which the answers are judged" in said(judged)
    assert "1 test label was set right by hand, for both models alike" in said(judged)
    asked = visit(version, test=str(example), browser=ADA)
    right = f"labelled **{'71'[1 - said_of_it]}** in the data; now **{name}**"
    assert f"; {right}." in said(asked) and f"It is {right}." in said(asked)
    assert f"the corrected label: {name}" in " ".join(asked.button_group(key="ask").options)
    again = visit_page("what_if", version, test=str(example), browser=ADA)
    with_mine = open_study(find(version))
    assert test_label.set_right(with_mine, example) == right and not test_label.set_right(
        with_mine, int(other)
    )
    bears, plain = test_label.bears, open_study(find(STUDY))
    assert bears(with_mine, example, said_of_it) == f"is {name}"
    monkeypatch.setattr(test_label, "is_brought", lambda _: True)
    assert {bears(one, example, said_of_it) for one in (plain, with_mine)} == {f"is {name}"}
    assert bears(plain, example, 1 - said_of_it) == f"filed as {'71'[1 - said_of_it]}"
    brought = right.replace("the data; now", "your files; now")
    assert test_label.set_right(with_mine, example) == brought
    press(again, "retest_back")
    assert f"{example} kept" in listed(again)


def test_a_list_that_was_taken_along_is_opened_by_another_browser(train, nobody, monkeypatch):
    mine = Sessions(Store()).create(owner(ADA), STUDY, "Ones and sevens", ["7", "1"], who="Ada")
    mine.record(*parse(f"r{train.ids[0]},l{train.ids[1]}=1"))
    mine.save_version("half", f"{STUDY}@r{train.ids[0]}")
    held = {"file": io.BytesIO(packed(mine))}

    def opened_form():
        at = visit_page("build", STUDY, browser=BOB)
        at.session_state["list_0"] = True
        return settle(at)

    monkeypatch.setattr(
        lists.st, "file_uploader", lambda label, **_: held["file"] if "List" in label else None
    )
    at = opened_form()
    held["file"] = None
    settle(at)
    assert "**Ones and sevens** is opened: 2 changes and notes, 1 saved version." in [
        one.value for one in at.success
    ]
    (opened,) = Sessions(Store()).of(owner(BOB))
    assert opened.state().changes == mine.state().changes and opened.versions() == mine.versions()
    assert f"{train.ids[0]} removed" in listed(visit(STUDY, test=TEST, browser=BOB))

    for content, words in ((b"<html>", "no list of changes"), (packed(mine), "There is a list of changes")):
        held["file"] = io.BytesIO(content)
        assert words in opened_form().error[0].value
    unknown = Sessions(Store()).create(owner(ADA), "own-study", "Pets")
    held["file"] = io.BytesIO(packed(unknown))
    assert "“Pets”, and that study is not on this machine" in opened_form().error[0].value


def test_a_list_of_a_study_of_somebody_s_own_asks_for_its_file_and_makes_the_study_again(nobody, monkeypatch):
    store, ada, bob = Store(), owner(ADA), owner(BOB)
    sent = picture_uploads.keep(store, zipped(pets(40)), "pets.zip", owner=ada)
    name = recipes.keep(store, FIELDS | {"source": recipes.IN_ZIP + sent.key}, ada)
    mine = Sessions(store).create(ada, name, "Pets", ["cats", "dogs"], who="Ada")
    mine.record(*parse("r3,l5=1"))
    content = packed(mine, origin_of(store, name))
    recipes.remove(store, name, ada)
    held = {"List of changes": io.BytesIO(content), "Its data": None}

    def opened_form():
        at = visit_page("build", STUDY, browser=BOB)
        at.session_state["list_0"] = True
        return settle(at)

    def bobs():
        return [one for one in recipes.recipes(store, bob) if one.owner == bob]

    def file(content):
        one = io.BytesIO(content)
        one.file_id = str(hash(content))
        return one

    monkeypatch.setattr(lists.st, "file_uploader", lambda label, **_: held.get(label))
    assert "send the file of which it was made, **pets.zip**" in said(opened_form())
    held["Its data"] = file(zipped(pets(41)).getvalue())
    assert "These are other data than those in “pets.zip”" in opened_form().error[0].value
    assert not bobs() and not picture_uploads.uploads(store, bob)
    held["Its data"] = file(zipped(pets(40)).getvalue())
    at = opened_form()
    held.clear()
    settle(at)
    assert "**Pets** is opened: 2 changes and notes." in [one.value for one in at.success]
    (made,) = bobs()
    (opened,) = Sessions(store).of(bob)
    assert opened.study == made.name != name and opened.state().changes == mine.state().changes
    assert "Cats and dogs" in said(visit_page("explain", made.name, browser=BOB))


def test_a_version_without_a_list_says_that_it_is_one(train, nobody):
    at = visit_page("paper", f"{STUDY}@r{train.ids[0]}", browser=BOB)
    assert "With 1 change] 1 removed" in said(at) and "to_original" in keys(at)
    assert "My changes" not in listed(at)


def test_the_list_is_its_browser_s_alone(train, nobody):
    first, second = train.ids[:2].tolist()
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=("7", "1"))
    session.record(*parse(f"r{first},l{second}=1"))
    session.note(first, "[it](x) is *odd*")
    session.save_version("first try", f"{STUDY}@r{first}")
    mine, other = (visit_page("paper", STUDY, browser=one) for one in (ADA, BOB))
    assert "My changes" in listed(mine) and f"{second} → 1" in listed(mine)
    assert r"“\[it\]\(x\) is \*odd\*”" in listed(mine), "as it was written"
    assert mine.button(key="version_0").label == "first try (1 change)"
    assert "My changes" not in listed(other) and "version_0" not in keys(other)


def test_numbers_of_an_opened_example_name_their_model(train, nobody):
    first, second = train.ids[:2].tolist()
    Sessions(Store()).create(owner(ADA), STUDY, labels=("7", "1")).record(*parse(f"r{first}"))
    for study, model in ((STUDY, "the original model"), (f"{STUDY}@r{first}", "the model with 1 change")):
        at = visit(study, test=TEST, open=str(second), browser=ADA)
        assert f", in {model}: " in said(at)
        assert f"{model[0].upper()}{model[1:]}, trained on it, gives its label" in said(at)
        assert f"most likely: {model}" in at.button(key="judge_relabel").help


def test_what_is_undone_is_said_with_how_many_it_was(train, nobody):
    first, second = train.ids[:2].tolist()
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=("7", "*one*"))
    session.record(*parse(f"l{first}=1,r{second}"))
    session.note(first, "odd")
    at = visit_page("paper", STUDY, browser=ADA, figure="2")
    press(at, "changes_undo")
    assert [one.value for one in at.toast] == [f"Undone: {first} has a note"]
    press(at, "changes_undo")
    assert [one.value for one in at.toast] == [rf"Undone: {first} → \*one\*, and 1 more"]


def test_undo_redo_and_the_switch_change_the_address_alone(train, nobody):
    first, second = train.ids[:2].tolist()
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=("7", "1"))
    session.record(*parse(f"r{first}"))
    session.record(*parse(f"r{second}"))
    at = visit_page("paper", STUDY, browser=ADA, figure="2")
    at.sidebar.radio(key="changes_switch").set_value(f"{STUDY}@r{first},r{second}")
    at.run()
    assert address(at)["study"] == f"{STUDY}@r{first},r{second}" and "With 2 changes" in said(at)
    assert address(at)["figure"] == "2", "the page stays what it is"
    press(at, "changes_undo")
    assert address(at)["study"] == f"{STUDY}@r{first}"
    assert [one.value for one in at.toast] == [f"Undone: {second} removed"]
    press(at, "changes_redo")
    assert address(at)["study"] == f"{STUDY}@r{first},r{second}"
    assert [one.value for one in at.toast] == [f"Done again: {second} removed"]
    assert not at.run().toast, "said once"
    press(at, "to_original")
    press(at, "changes_undo")
    assert address(at)["study"] == STUDY, "the original stays on show"
    at.text_input(key="version_name").set_value("mine").run()
    assert session.versions() == {"mine": f"{STUDY}@r{first}"}
    press(at, "changes_delete")
    assert "My changes" not in listed(at) and Sessions(Store()).of(owner(ADA)) == []


def test_a_long_list_is_folded_after_whole_lines_and_leaves_the_menu_where_it_is(train, nobody):
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=("7", "1"))
    ids, folds = train.ids[:7].tolist(), []
    for one in ids:
        session.record(*parse(f"r{one}"))
        at = visit_page("paper", STUDY, browser=ADA)
        shown = next(str(text.value) for text in at.sidebar.caption if f"{one} removed" in str(text.value))
        assert len(shown.splitlines()) == min(ids.index(one) + 1, change_list.SHOWN)
        folds.append([fold.label for fold in at.sidebar.expander if fold.label.startswith("and ")])
    assert folds == [[]] * change_list.SHOWN + [["and 1 more"], ["and 2 more"]]
    assert all(f"{one} removed" in listed(at) for one in ids)


def test_the_study_of_a_list_is_looked_up_as_often_for_many_lines_as_for_one(train, nobody, monkeypatch):
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=("7", "1"))
    looked, opened = [], results.opened
    monkeypatch.setattr(results, "opened", lambda view: looked.append(view) or opened(view))
    counts = []
    for one in train.ids[:4].tolist():
        session.record(*parse(f"r{one}"))
        visit_page("paper", STUDY, browser=ADA)
        counts.append(len(looked))
        looked.clear()
    assert counts[0] > 0 and len(set(counts)) == 1


def before_and_after(at):
    """The studies to which the links to every answer before and after lead."""
    links = [one.proto for one in at.get("page_link") if one.proto.label.startswith("Before and after")]
    assert all(one.page.endswith("what_if") for one in links)
    return [dict(parse_qsl(one.query_string)) for one in links]


def test_every_answer_before_and_after_is_a_link_away_and_compare_offers_the_version(train, nobody):
    first = int(train.ids[0])
    changed = f"{STUDY}@r{first}"
    assert before_and_after(visit_page("what_if", STUDY, browser=ADA)) == []
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=("7", "1"))
    session.record(*parse(f"r{first}"))
    at = visit_page("what_if", STUDY, browser=ADA, test=TEST, k="1")
    assert before_and_after(at) == [{"study": changed, "test": TEST}] * 2, "in the sidebar and on the page"
    at = visit_page("two_models", STUDY, browser=ADA, test=TEST)
    press(at, "beside_changes")
    assert address(at)["beside"] == f"{changed}:{TEST}"
    assert "**Digits 1 and 7, logistic regression, with 1 change**" in said(at)
    assert {"scatter_here", "scatter_pinned"} <= set(charts(at)) and "beside_changes" not in keys(at)
    at.query_params["study"], at.query_params["beside"] = changed, ""
    press(settle(at), "beside_changes")
    assert address(at)["beside"] == f"{STUDY}:{TEST}", "beside the version stands the original"
    session.record(*parse(f"k{first}"))
    assert before_and_after(visit_page("what_if", STUDY, browser=ADA)) == []


def test_what_cannot_be_kept_is_said_and_the_page_goes_on(nobody, monkeypatch):
    def broken(path):
        raise StoreError("The sessions on this machine cannot be read or written (the disk is full).")

    Sessions(Store()).create(owner(BOB), STUDY)
    monkeypatch.setattr("influence_core.sessions.sessions.make_ready", broken)
    at = visit_page("paper", STUDY, browser=ADA)
    assert "the disk is full" in said(at) and at.title


def test_lists_that_nobody_has_changed_for_long_go_if_the_server_says_so(nobody, monkeypatch):
    Sessions(Store()).create(owner(ADA), STUDY).record(*parse("r1"))
    my_changes._expire.clear()
    monkeypatch.setenv(my_changes.DAYS_VARIABLE, "0")
    assert "My changes" not in listed(visit_page("paper", STUDY, browser=ADA))
    assert Sessions(Store()).of(owner(ADA)) == []
    my_changes._expire.clear()


def marked(at, *grids):
    """What the cards of some grids say of what was said, by example."""
    return {int(one["id"]): one["mark"] for grid in grids for one in cards(at)[grid] if one["mark"]}


def test_a_card_says_what_was_said_of_its_example_and_which_word_is_the_old_one(nobody):
    sides = ("side_helpful", "side_harmful")
    train = open_study(find(STUDY)).data.train
    at = visit(STUDY, test=TEST, browser=ADA)
    relabelled, kept, removed, unsure = (int(one["id"]) for one in cards(at)["side_helpful"][:4])
    assert marked(at, *sides, "tests") == {}
    old = int(train.y[train.position(relabelled)])
    names = open_study(find(STUDY)).data.class_names
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=names)
    session.record(*parse(f"l{relabelled}={1 - old},k{kept},r{removed},t{TEST}=1"), Remark("unsure", unsure))
    at = visit(STUDY, test=TEST, browser=ADA)
    was = f"was {names[old]}, you say {names[1 - old]}"
    said_of = {relabelled: was, kept: "you kept it", removed: "you removed it", unsure: "you are unsure"}
    assert marked(at, *sides) == said_of
    tested = f"was {names[0]}, you say {names[1]}"
    assert marked(visit(STUDY, test=TEST, show="all", page="1", browser=BOB), *sides, "tests") == {}
    assert marked(visit(STUDY, test=TEST, browser=ADA, show="all"), "tests") == {int(TEST): tested}
    changed = f"{STUDY}@l{relabelled}={1 - old},t{TEST}=1"
    mine = marked(visit(changed, test=TEST, browser=ADA, show="all", open=str(relabelled)), *sides, "tests")
    assert mine[int(TEST)] == tested, "the old word is known where the data have the new one"
    theirs = marked(visit(changed, test=TEST, browser=BOB, show="all"), *sides, "tests")
    assert theirs[int(TEST)] == f"was {names[0]}, now {names[1]}"


def test_a_card_says_who_said_it_where_that_was_somebody_else(nobody):
    sides = ("side_helpful", "side_harmful")
    at = visit(STUDY, test=TEST, browser=ADA)
    relabelled, kept, removed, unsure, mine = (int(one["id"]) for one in cards(at)["side_helpful"][:5])
    data = open_study(find(STUDY)).data
    names, old = data.class_names, int(data.train.y[data.train.position(relabelled)])
    session = Sessions(Store()).create(owner(ADA), STUDY, labels=names, who="Ada")
    bert = (*parse(f"l{relabelled}={1 - old},k{kept},r{removed}"), Remark("unsure", unsure))
    session.record(*(replace(one, who="Bert") for one in bert))
    session.record(*parse(f"r{mine}"))
    assert marked(settle(at), *sides) == {
        relabelled: f"was {names[old]}, Bert says {names[1 - old]}",
        kept: "Bert kept it",
        removed: "Bert removed it",
        unsure: "Bert is unsure",
        mine: "you removed it",
    }


def test_a_label_that_the_study_does_not_have_is_its_number(nobody):
    at = visit(STUDY, test=TEST, browser=ADA)
    (first, *_) = (int(one["id"]) for one in cards(at)["side_helpful"])
    session = Sessions(Store()).create(owner(ADA), STUDY)
    session.record(*parse(f"l{first}=9,t{TEST}=8"))
    at = visit(STUDY, test=TEST, browser=ADA)
    assert marked(at, "side_helpful")[first].endswith(", you say 9")
    assert "In my changes: it is 8" in said(at)


def test_the_list_is_read_once_a_run_and_afresh_by_the_next(nobody, monkeypatch):
    at = visit(STUDY, test=TEST, browser=ADA)
    first = int(cards(at)["side_helpful"][0]["id"])
    reads, read = [], my_changes._read
    monkeypatch.setattr(my_changes, "_read", lambda spec: reads.append(spec.name) or read(spec))
    session = Sessions(Store()).create(owner(ADA), STUDY)
    session.record(*parse(f"r{first}"))
    at.run()
    assert reads == [STUDY] and marked(at, "side_helpful") == {first: "you removed it"}
    session.undo()
    at.run()
    assert reads == [STUDY] * 2 and marked(at, "side_helpful") == {}
