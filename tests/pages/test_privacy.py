"""What one browser does, another neither sees, opens without its link, removes nor undoes."""

import re
from pathlib import PurePosixPath

import pytest
from streamlit.testing.v1 import AppTest

from influence_core.data.brought import asked, own, picture_uploads, recipes, uploads
from influence_core.data.brought.home import home_of
from influence_core.data.brought.tables import Choices
from influence_core.experiments import review
from influence_core.experiments.wrong_labels import FlipSettings
from influence_core.sessions import Sessions
from influence_core.studies import UPLOADED, find, open_study
from influence_core.studies.changes import Change
from pages._shell import results
from pages._shell.escape import escape_markdown
from tests import visits
from tests.core.test_kept_reviews import before_lists
from tests.data.test_archives import packed, pets
from tests.data.test_home import TABLE
from tests.data.test_own import FIELDS
from tests.visits import APP, BROWSER, PATIENCE, address, keys, owner, press, said, settle, visit_page

OTHER = "1" * 32


pytestmark = pytest.mark.usefixtures("own_server")


@pytest.fixture
def made():
    """A zip with a study on it, a zip without, and a table, all of one browser."""
    store = results.get_store()
    used, unused = (
        picture_uploads.keep(store, packed(pets(count)), f"{count} pets.zip", owner=owner())
        for count in (8, 9)
    )
    fields = FIELDS | {"source": own.IN_ZIP + used.key}
    table = uploads.keep(store, TABLE, Choices("bought"), "secret.csv", owner())
    return recipes.keep(store, fields, owner()), UPLOADED + table.key, unused.key


def offered(at):
    return next(one for one in at.selectbox if one.key == "side_study").options


def test_who_opens_the_app_anew_is_led_back_to_what_they_made(made):
    def ways(browser):
        at = AppTest.from_file(str(APP), default_timeout=PATIENCE)
        at.session_state["browser"] = browser
        found = settle(at).sidebar.get("page_link")
        return [(one.proto.label, one.proto.query_string) for one in found if "Go on" in one.proto.label]

    assert ways(BROWSER) == [("Go on with Cats and dogs", f"study={made[0]}")] and ways(OTHER) == []
    offered_first = offered(visit_page("build"))[0]
    assert "Cats and dogs" in offered_first
    assert not [one for one in visit_page("build").sidebar.get("page_link") if "Go on" in one.proto.label]


def test_only_the_browser_that_made_them_is_shown_them(made):
    study, table, unused = made
    mine, others = visit_page("build"), visit_page("build", browser=OTHER)
    for words in ("Cats and dogs", "secret.csv", "9 pets.zip"):
        assert words in said(mine) and words not in said(others)
    assert "None yet." in said(others)
    assert {f"remove_{one}" for one in made} <= keys(mine)
    assert not [one for one in keys(others) if one.startswith("remove_")]
    titles = {one.rpartition(" · ")[2] for one in offered(mine)}
    assert {"Built here: Cats and dogs", "Your table: secret.csv"} <= titles
    assert not [one for one in offered(others) if "Cats and dogs" in one or "secret" in one]
    for said_before in ("until you remove it", "belongs to this browser", "whoever has the link"):
        assert said_before in said(others)


def test_who_has_the_link_opens_the_study_and_cannot_remove_it(made):
    table = made[1]
    at = visit_page("explain", table, browser=OTHER)
    assert not at.error and "Your table: secret.csv" in offered(at)
    assert "secret" not in said(visit_page("build", table, browser=OTHER))


def test_removing_leaves_no_file_and_the_link_is_dead(made):
    study, table, unused = made
    at = visit_page("build")
    for one in (study, table, unused):
        press(at, f"remove_{one}")
    home = home_of(results.get_store()).folder
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert "not on this machine" in visit_page("explain", study).error[0].value
    assert "not on this machine" in visit_page("explain", table).error[0].value


def test_the_changes_of_a_study_go_with_it(made):
    sessions = Sessions(results.get_store())
    for name in made[:2]:
        sessions.create(owner(), name).record(Change("remove", 1))
    other = sessions.create(owner(), "digits")
    at = visit_page("build")
    for one in made[:2]:
        press(at, f"remove_{one}")
    assert [one.token for one in sessions.of(owner())] == [other.token]


def test_the_list_names_the_files_that_were_brought(made):
    store = results.get_store()
    spec = find(made[0], store)
    visit_page("explain", made[0])
    data = open_study(spec, store).data
    example = int(data.train.ids[0])
    nowhere = 10**9
    session = Sessions(store).create(owner(), spec.name, spec.title, data.class_names)
    session.record(Change("remove", example), Change("keep", nowhere))
    at = visit_page("explain", made[0])
    lines = "\n".join(str(one.value) for one in at.sidebar.caption)
    file = PurePosixPath(data.file(example)).name
    assert file and escape_markdown(f"{file} ({example}) removed") in lines
    assert f"{nowhere} kept" in lines, "an example that is not there has no file"


def test_a_zip_that_was_sent_is_found_again_after_a_reload(made):
    at = press(visit_page("build"), f"use_{made[2]}")
    assert "Sent before: 9 pets.zip" in said(at)


def test_studies_of_one_title_are_told_apart(made):
    store = results.get_store()
    uploads.keep(store, TABLE + b"50,1\n", Choices("bought"), "secret.csv", owner())
    assert {"Your table: secret.csv", "Your table: secret.csv (2)"} <= set(offered(visit_page("build")))


MINE = {"review": "my review"}


def judge(at):
    (key,) = (one for one in keys(at) if one.startswith("keep_"))
    return press(at, key)


def test_under_one_name_everybody_has_a_review_of_their_own():
    mine = judge(visit_page("review", "diabetes", **MINE))
    others = visit_page("review", "diabetes", browser=OTHER, **MINE)
    assert "Suspect 2 of" in said(mine) and "Suspect 1 of" in said(others)
    assert others.button(key="review_undo").disabled
    judge(others)
    press(others, "review_undo")
    assert "Suspect 2 of" in said(visit_page("review", "diabetes", **MINE))


def test_a_review_is_shared_by_its_link_alone():
    mine = judge(visit_page("review", "diabetes", **MINE))
    (secret,) = re.findall("by=([0-9a-f]{32})", mine.code[0].value)
    assert "by" not in address(mine), "what stands in the address is sent around without a thought"
    others = visit_page("review", "diabetes", browser=OTHER, by=secret, **MINE)
    assert "Suspect 2 of" in said(others)
    press(others, "review_undo")
    assert "Suspect 1 of" in said(visit_page("review", "diabetes", **MINE))
    broken = visit_page("review", "diabetes", browser=OTHER, by=secret[:5], **MINE)
    assert "link of this review is not whole" in broken.error[0].value


def test_a_review_from_before_is_asked_about():
    study = open_study(find("diabetes"))
    begun = review.start(study, "my review", flips=FlipSettings(0.1, repeats=1))
    before_lists(results.get_store(), study, review.keep(begun, int(begun.ids[begun.current])))
    at = visit_page("review", "diabetes", **MINE)
    assert "with 1 verdict was kept on this machine before reviews belonged to a browser" in said(at)
    press(at, "review_take_over")
    assert "Suspect 2 of" in said(at)
    assert "Suspect 1 of" in said(visit_page("review", "diabetes", browser=OTHER, **MINE))


def test_the_cookie_is_written_nowhere(made):
    visits.settle(judge(visit_page("review", "diabetes", **MINE)))
    home = home_of(results.get_store()).folder
    assert not [path for path in home.rglob("*") if path.is_file() and BROWSER.encode() in path.read_bytes()]


def test_a_picture_that_was_asked_about_is_its_browsers_to_remove():
    key = asked.keep(results.get_store(), find_pixels(), owner())
    assert "Your picture" in said(visit_page("explain", picture=key, browser=OTHER)), "by its link"
    mine, others = visit_page("build"), visit_page("build", browser=OTHER)
    assert "1 picture of your own" in said(mine) and "asked about on Explain" in said(mine)
    assert "remove_asked" not in keys(others) and "None yet." in said(others)
    press(mine, "remove_asked")
    assert "None yet." in said(mine)
    assert [path for path in home_of(results.get_store()).folder.rglob("*") if path.is_file()] == []
    assert "not on the server" in visit_page("explain", picture=key).error[0].value


def find_pixels():
    """A seven of the study's own."""
    return open_study(find("one-or-seven")).data.test.x[0].numpy()
