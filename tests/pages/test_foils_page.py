"""Other rankings, on the Explain page."""

from influence_core.experiments import explain, foils, questions
from tests.visits import cards, charts, said, settle, visit


def test_a_ranking_is_shown_beside_how_often_each_names_the_same(one_or_seven):
    at = visit("one-or-seven", test="5040", chart="foils", foil="cosine")
    found = foils.run(one_or_seven, explain.run(one_or_seven, questions.ask(one_or_seven, 5040)))
    ids = one_or_seven.data.train.ids.numpy()[found.top("cosine", 6)]
    assert [int(one["id"]) for one in cards(at)["foil_cards"]] == ids.tolist()
    assert all(" pp" in one["lines"][0] for one in cards(at)["foil_cards"])
    at.toggle(key="unit").set_value(True)
    assert all(" nats" in one["lines"][0] for one in cards(settle(at))["foil_cards"])
    assert f"**{found.shared('cosine')}** are also among the first 10" in said(at)
    assert len(charts(at)["often_on_top"]["data"]) == 6
    assert "a fixed sample of 200 of" in said(at)


def test_nothing_is_ranked_while_it_is_folded():
    assert "often_on_top" not in charts(visit("one-or-seven", test="5040"))
