"""The training images that speak for and against, and all of them as a chart and a table."""

from __future__ import annotations

import csv
import io

import numpy as np
import streamlit as st

from influence_core.experiments import anatomy
from influence_core.experiments.explain import NOTICEABLE, Explanation, table
from influence_core.figures.explain import influence_against_distance
from influence_core.studies import Study
from influence_core.words import SIGN_RULE, nats, percent, points
from pages._shared.picture_grid import Picture, picture_grid
from pages._shared.pictures import training_url
from pages._shared.view import View, go_to, toggle_chosen

TOP = 8
ROWS = 200


def show(study: Study, view: View, explanation: Explanation) -> None:
    """For and against side by side, then the chart, then the table."""
    if explanation.matters or st.toggle("Show the ranking all the same", key="show_noise"):
        _side_by_side(study, view, explanation)
    else:
        st.info(
            f"**Nothing matters much here.** Taking out any one of the {len(explanation.ids):,} training images would "
            f"change the probability of {explanation.label_name} by less than {100 * NOTICEABLE:g} percentage points "
            f"(at most {points(explanation.largest_change)}): many images together hold this answer up. A ranking "
            "would only order noise."
        )
    _charts(study, view, explanation)
    _table(study, explanation)


def _side_by_side(study: Study, view: View, explanation: Explanation) -> None:
    sides = (
        ("helpful", f"Speak for {explanation.label_name}", explanation.speak_for(TOP), "blue"),
        ("harmful", f"Speak against {explanation.label_name}", explanation.speak_against(TOP), "orange"),
    )
    for column, (tone, title, at, colour) in zip(st.columns(2, gap="large"), sides, strict=True):
        with column:
            st.subheader(f":{colour}[{title}]")
            if not len(at):
                st.caption("No training image is on this side.")
            picture_grid(
                [_card(study, explanation, int(one), tone, rank) for rank, one in enumerate(at, 1)],
                key=f"side_{tone}",
                chosen=[view.open],
                selected=[str(one) for one in view.chosen],
                on_click=lambda train_id: go_to(open=train_id),
                on_select=toggle_chosen,
                columns_min_px=100,
            )
    st.caption(SIGN_RULE + " Click a picture to open it; tick it to choose it for retraining.")


def _card(study: Study, explanation: Explanation, at: int, tone: str, rank: int) -> Picture:
    name, train_id = study.data.class_names[explanation.labels[at]], explanation.ids[at]
    change = nats(float(explanation.scores[at]))
    return Picture(
        id=str(train_id),
        src=training_url(study, at),
        alt=f"training image {train_id}, labelled {name}, {change}",
        title=f"{rank}. labelled {name}",
        lines=(
            change,
            f"{points(float(explanation.probability_change[at]))} for {explanation.label_name}",
            f"model: {percent(float(explanation.own_probability[at]))} {name}",
            f"distance {explanation.distance[at]:.1f}",
        ),
        tone=tone,
    )


def _charts(study: Study, view: View, explanation: Explanation) -> None:
    titles = {"distance": "Influence against distance", "anatomy": "Anatomy of the score"}
    st.session_state["chart"] = view.chart if view.chart in titles else "distance"
    st.segmented_control(
        "All training images",
        list(titles),
        key="chart",
        required=True,
        format_func=titles.__getitem__,
        on_change=lambda: go_to(chart=st.session_state["chart"]),
    )
    if st.session_state["chart"] == "anatomy":
        _anatomy(study, explanation)
    else:
        _distance(study, view, explanation)


def _distance(study: Study, view: View, explanation: Explanation) -> None:
    figure = influence_against_distance(explanation, study.data.class_names, view.opened, view.chosen)
    st.plotly_chart(figure, key="scatter", on_select=_on_points, alt="predicted loss change against distance")
    st.caption(
        f"Each point is a training image. :blue[Blue, above the line]: speaks for {explanation.label_name}. "
        f":orange[Orange, below]: speaks against. Filled: labelled {explanation.label_name}; open: another label. Grey: how "
        "all of them lie. Click a point to open it; lasso or box select (top right of the chart) to choose several "
        "for retraining."
    )


def _on_points() -> None:
    """A click opens one example; a lasso or a box chooses all that it holds."""
    selection = st.session_state["scatter"].selection
    ids = [str(point["customdata"][0]) for point in selection.points if point.get("customdata")]
    if selection.box or selection.lasso:
        go_to(out=",".join(dict.fromkeys(ids)))
    elif ids:
        go_to(open=ids[0])


def _anatomy(study: Study, explanation: Explanation) -> None:
    from influence_core.figures import anatomy as anatomy_figure

    st.plotly_chart(anatomy_figure.anatomy(anatomy.run(study, explanation)), key="anatomy")
    st.caption(
        "The score of every training image (upward) against what is left of it when a factor is dropped. **Without the "
        "training loss**, images that the model already fits well would seem to matter. **Without the curvature**, every "
        "image of the same label would help and every other one harm. **Without both** only the likeness of the pictures "
        "is left. Filled: the label asked about."
    )


def _table(study: Study, explanation: Explanation) -> None:
    with st.expander(f"Table of the {ROWS} most influential training images, and downloads"):
        ranking = table(explanation)
        rows = {name: values[:ROWS] for name, values in ranking.items()}
        position = {train_id: at for at, train_id in enumerate(explanation.ids.tolist())}
        pictures = [training_url(study, position[one]) for one in rows["training_id"].tolist()]
        event = st.dataframe(
            {"picture": pictures} | rows,
            key="ranking",
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            column_config=_columns(explanation),
        )
        _open_row(event.selection.rows, rows["training_id"])
        st.download_button(
            "Ranking of all training images (CSV)",
            lambda: as_csv(ranking),
            file_name=f"influence-{study.spec.name}-{explanation.test_id}-{explanation.label_name}.csv",
            mime="text/csv",
            key="download_csv",
            on_click="ignore",
        )
        st.download_button(
            "The chart (HTML)",
            lambda: influence_against_distance(explanation, study.data.class_names).to_html(include_plotlyjs=True),
            file_name=f"influence-{study.spec.name}-{explanation.test_id}-{explanation.label_name}.html",
            mime="text/html",
            key="download_chart",
            on_click="ignore",
        )


def _open_row(rows: list[int], ids: np.ndarray) -> None:
    """A newly selected row opens its example; the same selection does so once."""
    picked = str(ids[rows[0]]) if rows else ""
    if picked and st.session_state.get("row_opened") != picked:
        st.session_state["row_opened"] = picked
        go_to(open=picked)
        st.rerun()
    if not picked:
        st.session_state["row_opened"] = ""


def _columns(explanation: Explanation) -> dict[str, object]:
    number = st.column_config.NumberColumn
    return {
        "picture": st.column_config.ImageColumn("picture", width="small"),
        "training_id": number("training id", format="%d"),
        "label": number("label", format="%d"),
        "predicted_loss_change_nats": number("predicted loss change, nats", format="%+.3e"),
        "predicted_probability_change": number(f"change of p({explanation.label_name})", format="%+.5f"),
        "distance": number("distance", format="%.2f"),
        "own_label_probability": number("p(own label)", format="percent"),
    }


def as_csv(ranking: dict[str, np.ndarray]) -> str:
    """The ranking as comma-separated text with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(ranking)
    writer.writerows(zip(*(values.tolist() for values in ranking.values()), strict=True))
    return out.getvalue()
