"""A group the model fails on: counts, errors and scores, recounted by hand; the paper's numbers; the pictures."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from influence_core import data
from influence_core.context import Context
from influence_core.data.brought import uploads
from influence_core.data.brought.tables import Choices
from influence_core.data.readers.tables import TableRecords
from influence_core.errors import Cancelled, DataError, UnsupportedError
from influence_core.experiments import domain_mismatch, explain, groups, questions
from influence_core.experiments.groups import Errors, Group
from influence_core.figures import domain_mismatch as drawn
from influence_core.figures.palette import GREY, HARMFUL, HELPFUL
from influence_core.reproduce import FIGURES
from influence_core.store import Store
from influence_core.studies import find, open_study
from tests import references
from tests.data.test_tables import as_csv, rows

TWENTIES = Group("age group", "[20-30)")


@pytest.fixture(scope="module")
def whole():
    return open_study(find("diabetes"))


@pytest.fixture(scope="module")
def study():
    return open_study(find("diabetes-thinned"))


@pytest.fixture(scope="module")
def answer(study):
    return explain.run(study, questions.ask(study, 4, label=0))


@pytest.fixture(scope="module")
def story(study, answer, whole):
    return domain_mismatch.run(study, TWENTIES, answer, whole)


@pytest.fixture(scope="module")
def uploaded(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("store"))
    table = [{**one, "bought": ["no", "yes", "later"][at * at // 7 % 3]} for at, one in enumerate(rows(120))]
    kept = uploads.keep(store, as_csv(table), Choices("bought", group="city"), "three.csv")
    return open_study(find(f"table-{kept.key}", store), store)


def by_scikit_learn(study):
    """What a model fitted by scikit-learn says about every test row."""
    train, test = study.data.train, study.data.test
    model = LogisticRegression(
        C=1 / (study.spec.l2 * len(train)), fit_intercept=False, tol=1e-8, max_iter=10_000
    )
    return model.fit(train.x.numpy(), train.y.numpy()).predict(test.x.numpy()) == test.y.numpy()


# -------------------------------------------------------------------------------------------------- the story


def test_thinning_the_group_out_makes_the_model_fail_on_it(story, study, whole):
    """The embedded stand-in for the paper's story: right on all eleven before, wrong on three after."""
    assert story.whole.train.tolist() == [26, 4] and story.counts.train.tolist() == [1, 4]
    assert story.whole.test.tolist() == story.counts.test.tolist() == [11, 0]
    assert (story.whole.errors, story.counts.errors) == (Errors(11, 0), Errors(11, 3))
    assert (story.whole.elsewhere, story.counts.elsewhere) == (Errors(99, 16), Errors(99, 16))
    for one, counts in ((whole, story.whole), (study, story.counts)):
        right = by_scikit_learn(one)
        member = np.array([one.data.record(int(id))["age group"] == "[20-30)" for id in one.data.test.ids])
        assert (~right[member]).sum() == counts.errors.wrong
        assert (~right[~member]).sum() == counts.elsewhere.wrong
    assert story.counts.errors.rate == pytest.approx(3 / 11)
    assert Errors(0, 0).rate == 0


def test_rows_of_the_group_lead_the_ranking(story, study):
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    scores = references.removal_scores(
        x, y, study.theta.numpy(), study.spec.l2, "logistic", story.explanation.x, story.explanation.label
    )
    assert_allclose(story.explanation.scores, scores, rtol=0, atol=1e-10)
    member = np.array([study.data.record(int(id))["age group"] == "[20-30)" for id in study.data.train.ids])
    assert_array_equal(story.in_group, member)
    ranked = np.argsort(-np.abs(scores))
    assert member[ranked[:3]].all() and not member[ranked[3]]
    assert story.leading == 3
    assert_array_equal(story.top(5), ranked[:5])
    assert story.largest_elsewhere == pytest.approx(abs(scores[ranked[3]]))
    assert story.times_next(int(ranked[0])) == pytest.approx(abs(scores[ranked[0]] / scores[ranked[3]]))
    assert story.times_next(int(ranked[0])) > 2.5
    top = [(int(story.explanation.labels[at]), bool(scores[at] < 0)) for at in ranked[:3]]
    assert top == [(1, True), (1, True), (0, False)], "the fast ones harm, the one slow one helps"


def test_putting_the_rows_back_turns_the_answer(story):
    assert story.explanation.predicted_label == 1 and story.explanation.true_label == 0
    assert story.whole_probabilities.argmax() == 0
    assert_allclose([story.whole_probabilities[0], story.explanation.probability], [0.749, 0.202], atol=1e-3)


def test_mistakes_that_thinning_made_come_first(study, whole):
    found = groups.mistakes(study, TWENTIES, whole)
    assert found.tolist() == [4, 356, 220]
    everyone = Group("sex", "1")
    wrong = groups.mistakes(study, everyone, whole)
    test = study.data.test
    at = [test.position(int(one)) for one in wrong]
    right_before = by_scikit_learn(whole)[at]
    assert not by_scikit_learn(study)[at].any()
    assert right_before.tolist() == sorted(right_before, reverse=True) and len(set(right_before)) == 2
    sure = study.probabilities(test.x[at]).max(1)
    for part in (right_before, ~right_before):
        assert (np.diff(sure[part]) <= 0).all()
    assert len(groups.mistakes(whole, TWENTIES)) == 0


def test_the_coefficients_are_the_models(story, study):
    assert_array_equal(story.coefficients, study.theta.numpy())
    assert story.coefficient_label == "fast"
    named = [story.feature_names[at] for at in story.largest_coefficients(3)]
    assert named == [f"age group = [{one}-{one + 10})" for one in (70, 40, 30)]
    assert [story.feature_names[at] for at in story.group_features] == ["age group = [20-30)"]


def test_a_group_without_a_feature_of_its_own_is_told_by_its_column(study, answer):
    sex = domain_mismatch.run(study, Group("sex", "1"), answer)
    assert [sex.feature_names[at] for at in sex.group_features] == ["sex = 2"]
    lean = domain_mismatch.run(study, groups.counts(study, "bmi")[0].group, answer)
    assert [lean.feature_names[at] for at in lean.group_features] == ["bmi"]


def test_a_group_is_suggested(study, whole, uploaded):
    assert groups.suggest(study) == TWENTIES
    found = groups.counts(study, "bmi")
    worst = max(found, key=lambda one: one.errors.wrong / one.errors.rows)
    assert groups.suggest(study, "bmi") == worst.group
    assert groups.suggest(uploaded).column == "city"
    assert "age" in groups.columns(study) and "city" in groups.columns(uploaded)


def test_the_least_sure_rows_of_a_group_come_first(whole):
    found = groups.least_sure(whole, TWENTIES)
    assert len(found) == 11
    at = [whole.data.test.position(int(one)) for one in found]
    assert (np.diff(whole.probabilities(whole.data.test.x[at]).max(1)) >= 0).all()


def test_real_removals_are_proved_one_by_one(study, answer):
    ids = [103, 426]
    found = domain_mismatch.remove_each(study, answer, ids)
    x, y = study.data.train.x.numpy(), study.data.train.y.numpy()
    before = references.losses(study.theta.numpy(), answer.x[None], [0], "logistic")[0]
    for one, id in zip(found, ids, strict=True):
        weights = references.uniform(len(x))
        weights[study.data.train.position(id)] = 0
        theta = references.cold_fit(x, y, weights, study.spec.l2, "logistic", gradient=1e-11)
        after = references.losses(theta, answer.x[None], [0], "logistic")[0]
        assert one.train_ids == (id,)
        assert one.actual == pytest.approx(after - before, abs=1e-6)
        assert 0.7 < one.forecast.alone / one.actual < 1, (
            "the forecast is too small for rows with so much leverage"
        )

    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        domain_mismatch.remove_each(study, answer, ids, context=Context(progress=stop))


# ------------------------------------------------------------------------------------------------------ groups


def test_every_value_of_a_column_is_a_group(study):
    found = groups.counts(study, "age group")
    assert [one.group.value for one in found] == [f"[{one}-{one + 10})" for one in range(10, 80, 10)]
    assert sum(one.train for one in found).tolist() == study.data.train.y.bincount().tolist()
    assert sum(one.test for one in found).tolist() == study.data.test.y.bincount().tolist()
    wrong = (~by_scikit_learn(study)).sum()
    assert all(one.errors.wrong + one.elsewhere.wrong == wrong for one in found)
    assert all(one.errors.rows + one.elsewhere.rows == 110 for one in found)
    assert groups.columns(study) == tuple(study.data.record(1))


def test_numbers_are_cut_into_quarters_of_the_rows(study, whole, answer):
    found = groups.counts(study, "bmi")
    train, test = (
        np.array([float(study.data.record(int(one))["bmi"]) for one in part.ids])
        for part in (study.data.train, study.data.test)
    )
    edges = np.quantile(np.concatenate([train, test]), [0, 0.25, 0.5, 0.75, 1])
    assert [one.group.value for one in found] == [
        f"{a:.4g} to {b:.4g}" for a, b in zip(edges, edges[1:], strict=False)
    ]
    for part, name in ((train, "train"), (test, "test")):
        wanted = [
            int(((part >= a) & ((part < b) | (at == 3))).sum())
            for at, (a, b) in enumerate(zip(edges, edges[1:], strict=False))
        ]
        assert [int(getattr(one, name).sum()) for one in found] == wanted
    for one in found:
        story = domain_mismatch.run(study, one.group, answer, whole)
        assert_array_equal(story.whole.test, story.counts.test, err_msg="both models are asked the same rows")
        assert (story.whole.train >= story.counts.train).all()


def test_names_of_ranges_keep_the_edges_apart():
    assert groups._ranges(np.array([1_000_001.0, 1_000_002.0])) == ["1000001 to 1000002"]
    assert groups._ranges(np.array([0.0, 0.5, 123.456])) == ["0 to 0.5", "0.5 to 123.5"]


def test_more_than_two_labels(uploaded):
    found = groups.counts(uploaded, "city")
    assert [one.group.value for one in found] == ["Köln", "Lima", "Ürümqi"]
    group = found[0].group
    id = int(groups.mistakes(uploaded, group)[0])
    question = questions.ask(uploaded, id)
    asked = questions.with_label(uploaded, question, question.true_label)
    story = domain_mismatch.run(uploaded, group, explain.run(uploaded, asked))
    label = question.true_label
    assert_array_equal(story.coefficients, uploaded.theta.numpy().reshape(-1, 3)[:, label])
    assert story.coefficient_label == uploaded.data.class_names[label]
    assert (story.whole, story.whole_probabilities) == (None, None)


def test_what_cannot_be_asked_is_refused_in_words(study, answer, one_or_seven):
    with pytest.raises(UnsupportedError, match="choose a study on a table"):
        groups.counts(one_or_seven, "age")
    with pytest.raises(DataError, match="no column 'weight'.*'bmi'"):
        groups.counts(study, "weight")
    with pytest.raises(DataError, match="No row has age group = 20; choose one of .10-20"):
        domain_mismatch.run(study, Group("age group", "20"), answer)
    teens = Group("age group", "[10-20)")
    for ask in (
        lambda: domain_mismatch.run(study, teens, answer),
        lambda: groups.least_sure(study, teens),
    ):
        with pytest.raises(DataError, match="No test row has age group = .10-20"):
            ask()


@pytest.mark.parametrize("name", ["digits", "diabetes", "diabetes-thinned", "mails"])
def test_the_catalogue_says_which_data_are_tables(name):
    assert data.is_table(name) == isinstance(data.load(name).records, TableRecords)


def test_a_table_is_asked_and_anything_else_is_refused(study, uploaded, one_or_seven):
    for one in (study, uploaded):
        assert domain_mismatch.supports(one.spec) is None
    assert "columns of a table" in domain_mismatch.supports(one_or_seven.spec)


def test_names_are_no_groups(tmp_path):
    store = Store(tmp_path)
    table = [{**one, "name": f"n{at}"} for at, one in enumerate(rows(80))]
    kept = uploads.keep(store, as_csv(table), Choices("bought", ignored=("name",)), "a.csv")
    with pytest.raises(DataError, match="'name' has 80 different texts, too many to be groups"):
        groups.counts(open_study(find(f"table-{kept.key}", store), store), "name")


# ----------------------------------------------------------------------------------------------- the paper's own


@pytest.mark.shared_data
@pytest.mark.slow
def test_the_papers_section_5_3(shared_data):
    """Every converged number of the paper's story; `readmission.py` states each with its tolerance."""
    found = FIGURES["readmission"](str(shared_data))
    assert [check.name for check in found.short] == []
    required = [check for check in found.checks if check.requirement]
    assert len(required) >= 50
    values = {check.name: check.value for check in found.checks}
    story = found.result.story
    assert_allclose(
        [values[f"D of row {one}, nats"] for one in (13685, 9366, 11116, 19590, 5825, 13027, 11641)],
        [-0.119219, -0.117579, -0.079242, 0.097553, -0.003236, -0.002749, 0.001553],
        rtol=0,
        atol=1e-5,
    )
    assert_allclose(
        {one.train_ids[0]: one.actual for one in found.result.removals}[19590], 0.111336, rtol=0, atol=1e-4
    )
    assert story.leading == 4
    assert_allclose(
        [story.times_next(story.explanation.position(one)) for one in (13685, 9366, 11116, 19590)],
        [36.8, 36.3, 24.5, 30.1],
        atol=0.06,
    )
    assert (story.whole.errors, story.counts.errors) == (Errors(137, 0), Errors(137, 30))
    assert_allclose(
        [story.whole_probabilities[0], story.explanation.probability], [0.73587, 0.41338], atol=1e-5
    )


def test_the_stand_in_reproduces_the_story_without_the_papers_numbers():
    found = FIGURES["readmission"]()
    assert not found.short
    assert "stand-in" in found.setting["stand_in"]
    assert not any("within" in check.requirement for check in found.checks)


# --------------------------------------------------------------------------------------------------- pictures


def test_the_strongest_rows_are_drawn_by_sign_and_group(story):
    figure = drawn.strongest_rows(story, 4)
    (bars,) = figure.data
    scores = np.sort(story.explanation.scores)
    assert_allclose(bars.x, [*scores[:4], *scores[-4:]])
    assert list(bars.marker.color) == [HARMFUL.both] * 4 + [HELPFUL.both] * 4
    strong = [one == 1 for one in bars.marker.opacity]
    assert strong == [
        bool(story.in_group[np.flatnonzero(story.explanation.scores == one)[0]]) for one in bars.x
    ]
    assert sum(strong) == 3
    assert figure.layout.yaxis.ticktext[0] == "<b>row 103: fast</b>"
    assert "labelled fast" in bars.hovertext[0] and "age group = [20-30)" in bars.hovertext[0]


def test_the_coefficients_are_drawn_by_size(story):
    figure = drawn.coefficients(story, 6)
    (bars,) = figure.data
    assert (np.diff(np.abs(bars.x)) <= 0).all() and len(bars.x) == 6
    assert set(bars.marker.color) == {GREY.both}
    assert "“fast”" in figure.layout.xaxis.title.text


def test_before_and_after_show_both_rates(story):
    group, others = drawn.before_and_after(story).data
    assert_allclose(group.x, [0, 3 / 11])
    assert_allclose(others.x, [16 / 99, 16 / 99])
    assert group.marker.symbol == ("circle-open", "circle")
    assert "0 of 11" in group.hovertext[0] and "3 of 11" in group.hovertext[1]


def test_groups_are_drawn_by_their_share_of_errors(study):
    counts = groups.counts(study, "age group")
    figure = drawn.group_errors(counts, TWENTIES)
    (bars,) = figure.data
    assert_allclose(bars.x, [one.errors.rate for one in counts])
    assert [one == 1 for one in bars.marker.opacity] == [one.group == TWENTIES for one in counts]


def test_removals_join_forecast_and_truth(study, answer):
    found = domain_mismatch.remove_each(study, answer, [103, 426])
    figure = drawn.removals(found)
    for trace, one in zip(figure.data, found, strict=True):
        assert_allclose(trace.x, [one.forecast.alone, one.actual])
        assert trace.marker.color == (HELPFUL.both if one.actual > 0 else HARMFUL.both)
    assert figure.layout.yaxis.ticktext == ("row 103", "row 426")


def test_names_from_a_table_are_shown_to_the_letter(tmp_path):
    store = Store(tmp_path)
    table = [{"<a href='http://x'>c</a>": one["city"], **one} for one in rows(80)]
    kept = uploads.keep(store, as_csv(table), Choices("bought"), "a.csv")
    study = open_study(find(f"table-{kept.key}", store), store)
    counts = groups.counts(study, "<a href='http://x'>c</a>")
    story = domain_mismatch.run(
        study, counts[0].group, explain.run(study, questions.ask(study, int(study.data.test.ids[0])))
    )
    for figure in (
        drawn.group_errors(counts),
        drawn.coefficients(story),
        drawn.strongest_rows(story),
        drawn.before_and_after(story),
    ):
        assert "<a " not in figure.to_json()
