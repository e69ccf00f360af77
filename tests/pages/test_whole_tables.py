"""A whole table in the app: offered with what it takes, made beside the page, and used where it is there."""

import pytest

from influence_core.context import Context
from influence_core.experiments import study_table
from influence_core.store import Store
from influence_core.words import distance, percent
from pages._shell import proving, results
from pages._shell.jobs import JobManager
from tests.visits import BROWSER, cards, charts, keys, owner, press, said, until, visit, visit_page

pytestmark = pytest.mark.usefixtures("own_server")


def overview(study):
    return study_table.run(study, context=Context(Store()))


def test_it_is_offered_with_what_it_takes_and_then_made_beside_the_page(one_or_seven):
    at = visit(chart="foils")
    (label,) = [one.label for one in at.button if one.key == "table_foils"]
    assert label.startswith("Ask all 1,105 test images (about ") and label.endswith(" s, 10 MB on disk)")
    assert "Over a fixed sample of 200 of 1,105 test images" in said(at)
    at = until(press(at, "table_foils"), lambda at: "Over all 1,105 test images" in said(at))
    assert not {"table_foils", "table_chooser"} & keys(at)
    assert study_table.is_made(one_or_seven, context=results.context())
    found = overview(one_or_seven).often
    assert f"{percent(found.most('influence'))} of the questions" in said(at)
    assert len(charts(at)["often_on_top"]["data"]) == 2
    assert len(charts(visit(chart="foils", foil="cosine"))["often_on_top"]["data"]) == 6


@pytest.mark.parametrize(
    ("show", "order", "number"),
    [
        ("moved", lambda seen: seen.most_moved(), lambda seen, at: distance(seen.moved[at])),
        ("held", lambda seen: seen.hanging_on_fewest(), lambda seen, at: percent(seen.held[at])),
    ],
)
def test_the_test_set_is_sorted_by_it(one_or_seven, show, order, number):
    at = visit(show=show)
    known = one_or_seven.predictions
    assert "Hanging on fewest" not in str(at.get("button_group"))
    assert cards(at)["tests"][0]["id"] == str(known.ids[known.misclassified()[0]])  # as long as there is none
    seen = overview(one_or_seven)
    first = order(seen)[:5]
    at = visit(show=show, page="1")
    shown = cards(at)["tests"]
    assert [one["id"] for one in shown[:5]] == [str(known.ids[one]) for one in first]
    assert [one["lines"][1] for one in shown[:5]] == [number(seen, one) for one in first]
    assert "By the whole table (influence)" in said(at)
    assert "table_chooser" not in keys(at)


def test_the_better_number_is_taken_where_both_are_there(one_or_seven):
    overview(one_or_seven)
    study_table.run(one_or_seven, "corrected", context=Context(Store()))
    assert "By the whole table (corrected)" in said(visit(show="moved"))


def test_a_reload_finds_its_own_table_in_the_making(one_or_seven):
    line, key = proving.get_line(), study_table.run.key(one_or_seven)
    line.start(key, "Making", lambda progress: [progress(0.5, "half") for _ in iter(int, 1)], owner(BROWSER))
    try:
        at = visit(chart="foils")
        assert "table_foils" not in keys(at) and f"job_stop_{key}" in keys(at)
        assert "table_foils" in keys(visit_page("explain", browser="1" * 32, chart="foils"))
    finally:
        line.start(key, "", lambda _: None).cancel()


def test_who_waits_is_known_by_key_and_name():
    manager = JobManager(workers=1)
    job = manager.start("key", "Making", lambda progress: [progress(0.5, "") for _ in iter(int, 1)], "me")
    assert manager.waits("key", "me") and not manager.waits("key", "you") and not manager.waits("other", "me")
    job.leave("me")
    assert job.wait(10) and not manager.waits("key", "me")


def test_data_health_begins_at_once_where_the_table_has_the_answer(monkeypatch):
    from pages._parts.data_health import model

    monkeypatch.setattr(model, "AT_ONCE", 1e-9)
    assert "unused" in keys(visit_page("data_health", "diabetes"))
    from influence_core.studies import find, open_study

    overview(open_study(find("diabetes"), Store()))
    at = until(
        visit_page("data_health", "diabetes"), lambda at: "answer to the 110 test rows depends" in said(at)
    )
    assert "unused" not in keys(at)
