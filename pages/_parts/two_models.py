"""The parts of the page that puts two models' reasons, or any two explanations, side by side."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from influence_core.experiments import two_models
from influence_core.experiments.two_models import NEAREST, SHARED, Reasons, TwoModels, kernel_spec, table
from influence_core.figures.two_models import PIXEL_DISTANCE, reach, scatter
from influence_core.studies import CATALOGUE, Study, find
from influence_core.trust import judge
from influence_core.words import UNIT, percent, ratio, seconds, sign_rule, signed
from pages._common import badge, question
from pages._common.cards import card_face, name_of, show_large
from pages._common.picture_grid import Picture, picture_grid
from pages._common.question import Asked
from pages._common.table import as_csv
from pages._shell import results
from pages._shell.address import View, go_to
from pages._shell.escape import escape_markdown

TOP = 4
ROWS = 200


def fits(name: str) -> bool:
    """Whether both models can be asked about a study's pictures."""
    return two_models.fits(find(name))


def offer(view: View) -> None:
    """What the page needs, and that any two explanations can be put side by side all the same."""
    st.info(
        "Two models of the same pictures need a study on photos of two classes. Below, the explanation of this study "
        "can be put beside any other."
    )
    for name, spec in CATALOGUE.items():
        if two_models.fits(spec):
            st.button(
                f"Use “{spec.title}”",
                key=f"use_{name}",
                on_click=lambda name=name: go_to(study=name, test=""),
            )
    view.check()


def choose_test(view: View) -> tuple[View, Study]:
    """The kernel machine, and the view with a test picture: the one most like the paper's where none is named."""
    view.check()
    deep, kernel = results.load_study(view), results.load_spec(kernel_spec(view.spec), view.device)
    return view if view.test or view.picture else replace(
        view, test=str(two_models.default_test(deep, kernel))
    ), kernel


def load(asked: Asked, kernel: Study) -> TwoModels:
    """Both models' reasons."""
    store = results.get_store()
    return results.ask(
        kernel,
        "two models",
        (asked.study.key, asked.explanation.x, asked.explanation.label, asked.explanation.scores),
        "Asking the kernel machine",
        lambda told: two_models.run(asked.study, kernel, asked.explanation, store, told),
    )


def show_answer(result: TwoModels) -> None:
    """The page's question, answered in a few sentences."""
    deep, kernel = result.deep, result.kernel
    if kernel.flat:
        st.markdown(
            f"The kernel machine is certain of **{escape_markdown(kernel.label_name)}** beyond its margin "
            f"({signed(kernel.certainty)}): its loss is flat there, so no single training {kernel.kind} matters to it. "
            "Choose a test image with a margin below 1 to compare reasons."
        )
        st.button("Take the one most like the paper's", key="use_default", on_click=lambda: go_to(test=""))
        return
    agree = deep.answer == kernel.answer
    names = [escape_markdown(one) for one in deep.class_names]
    said = (
        f"Both say **{names[deep.answer]}**"
        if agree
        else f"Deep features say **{names[deep.answer]}**, the kernel on pixels says **{names[kernel.answer]}**"
    )
    reasons = "for different reasons" if result.shared <= SHARED / 2 else "largely for the same reasons"
    more = abs(kernel.rank_correlation) > abs(deep.rank_correlation)
    first = (
        f"Number {deep.first_other} of the {deep.kind}s most helpful to deep features is of the other class"
        if deep.first_other
        else f"No {deep.kind} of the other class helps deep features"
    )
    st.markdown(
        f"{said}{', but' if agree else ','} {reasons}: of their {SHARED} most helpful training {deep.kind}s they share "
        f"**{result.shared}**. Near pixels count {'more' if more else 'no more'} for the kernel: strength and pixel distance "
        f"have a rank correlation of **{ratio(kernel.rank_correlation)}** (deep features: {ratio(deep.rank_correlation)}), "
        f"and of the nearest {100 * NEAREST:g} % **{percent(kernel.near_agreement)}** help or harm as their label says "
        f"({percent(deep.near_agreement)}). {first}."
    )


def show_reasons(study: Study, view: View, result: TwoModels) -> None:
    """Both models beside each other: the answer, the scatter, and the strongest for and against."""
    both = (result.deep, result.kernel)
    across = reach(both)
    for place, one, key, share in zip(
        st.columns(2, gap="large"), both, ("deep", "kernel"), result.accuracies, strict=True
    ):
        with place:
            st.subheader(one.model)
            st.markdown(f"{_says(one)} Test accuracy {percent(share)}.")
            if one.flat:
                st.info(f"Beyond its margin the hinge is 0: no single training {one.kind} matters.")
            else:
                _show_scatter(one, view.opened, key, PIXEL_DISTANCE, across)
                _show_sides(study, one, view, key)
    asked = escape_markdown(result.deep.label_name)
    st.caption(
        f"Each point is a training {result.deep.kind}, the same ones in both charts. **Mind the two upward scales**: "
        f"{result.deep.unit} at the left, {result.kernel.unit} at the right. :blue[Blue: speaks for {asked}]; "
        f":orange[orange: against]. Filled: labelled {asked}; open: the other label. Click a point or a card to ring the "
        f"same {result.deep.kind} in both."
    )


def _says(one: Reasons) -> str:
    sure = percent(one.certainty) if one.unit == UNIT else f"margin {signed(one.certainty)}"
    asked = "" if one.answer == one.label else f"{escape_markdown(one.label_name)}: "
    return f"Says **{escape_markdown(one.class_names[one.answer])}** ({asked}{sure})."


def _show_scatter(
    one: Reasons,
    opened: int | None,
    key: str,
    distance: str,
    across: tuple[float, float] | None = None,
) -> None:
    st.plotly_chart(
        scatter(one, opened, distance, across),
        key=f"scatter_{key}",
        on_select=lambda: _on_point(f"scatter_{key}"),
    )


def _on_point(key: str) -> None:
    points = st.session_state[key].selection.points
    if points and points[0].get("customdata"):
        go_to(open=str(points[0]["customdata"][0]))


def _show_sides(study: Study, one: Reasons, view: View, key: str) -> None:
    asked = escape_markdown(one.label_name)
    for tone, colour, words, at in (
        ("helpful", "blue", "for", one.helpful(TOP)),
        ("harmful", "orange", "against", one.harmful(TOP)),
    ):
        st.markdown(f"**:{colour}[Speak {words} {asked}]**")
        picture_grid(
            [_card(study, one, int(i), tone, rank) for rank, i in enumerate(at, 1)],
            key=f"{key}_{tone}",
            chosen=[view.open],
            on_click=lambda train_id: go_to(open=train_id),
            columns_min_px=92 if study.data.pictured else 170,
        )


def _card(study: Study, one: Reasons, at: int, tone: str, rank: int) -> Picture:
    name, train_id = one.class_names[one.labels[at]], one.ids[at]
    change = f"{signed(float(one.scores[at]))} {one.unit}"
    return Picture(
        id=str(train_id),
        **card_face(study, study.data.train, at),
        alt=f"training {one.kind} {train_id}, labelled {name}, {change}",
        title=f"{rank}. {name}",
        lines=(change, f"distance {one.distance[at]:.4g}"),
        tone=tone,
    )


def show_table(study: Study, result: TwoModels) -> None:
    """Every training image with both forecasts, and the download."""
    folded = st.expander(
        f"Table of the {ROWS} nearest training {study.data.kind}s, and download",
        key="table_folded",
        on_change="rerun",
    )
    if not folded.open:
        return
    columns = table(result)
    number = st.column_config.NumberColumn
    with folded:
        st.dataframe(
            {name: values[:ROWS] for name, values in columns.items()},
            hide_index=True,
            column_config={
                "training_id": number("training id", format="%d"),
                "pixel_distance": number("pixel distance", format="%.1f"),
                "deep_predicted_loss_change_nats": number("deep features, nats", format="%+.3e"),
                "kernel_predicted_loss_change_hinge_units": number("kernel, hinge units", format="%+.3e"),
            },
        )
        st.download_button(
            f"Both forecasts for all training {study.data.kind}s (CSV)",
            lambda: as_csv(columns),
            file_name=f"two-models-{study.spec.name}-{_name(result.deep.test_id)}.csv",
            mime="text/csv",
            key="download_csv",
            on_click="ignore",
        )


def _name(test_id: int | None) -> str:
    return "own-picture" if test_id is None else str(test_id)


def show_pinned(view: View, asked: Asked) -> None:
    """The explanation that is pinned beside the one that is open, or how to pin one."""
    st.subheader("Any two explanations side by side")
    here = f"{view.study}:{asked.explanation.test_id}"
    kind = asked.study.data.kind
    if asked.explanation.test_id is None and not view.beside:
        st.markdown(f"A test {kind} of the study can be pinned here; a picture of your own cannot.")
        return
    if view.pinned is None or view.beside == here:
        words, button = st.columns([4, 1.3], vertical_alignment="center", gap="medium")
        with words:
            st.markdown(
                f"Test {kind} {asked.explanation.test_id} is pinned. Now **choose another** test {kind} above, or another "
                "study at the left, and both stand here side by side."
                if view.beside
                else f"Pin this test {kind}, then choose another one or another study: both stand here side by side."
            )
        with button:
            _pin_button(view, here, asked.explanation.test_id is not None)
        return
    st.button("Unpin", key="unpin", on_click=lambda: go_to(beside=""))
    name, test_id = view.pinned
    other = View(study=name, test=str(test_id), device=view.device)
    pinned = question.load(other)
    for place, shown, at, key in zip(
        st.columns(2, gap="large"), (asked, pinned), (view, other), ("here", "pinned"), strict=True
    ):
        with place:
            _show_explanation(shown, replace(at, open=view.open if shown.study is asked.study else ""), key)
    st.caption(f"{sign_rule(kind)} Unit: nats. Mind the two scales.")


def _pin_button(view: View, here: str, possible: bool) -> None:
    if view.beside:
        st.button("Unpin", key="unpin", width="stretch", on_click=lambda: go_to(beside=""))
    elif possible:
        st.button("Pin this one", key="pin", width="stretch", on_click=lambda: go_to(beside=here))


def _show_explanation(asked: Asked, view: View, key: str) -> None:
    """One whole explanation in a column: the test example, the answer, the scatter, and the strongest."""
    study, explanation = asked.study, asked.explanation
    one = two_models.of_explanation(explanation, study.spec.title)
    name = name_of(explanation)
    st.markdown(f"**{escape_markdown(one.model)}**, {name}")
    show_large(study, explanation.x, one.test_id, name, 130, explanation.photo)
    st.markdown(_says(one))
    trust = judge(explanation.provenance)
    colour, icon, title = badge.LOOKS[trust.colour]
    st.markdown(f":{colour}-badge[{icon} {title}] {trust.reason}")
    _show_scatter(one, view.opened, key, f"Distance to the test {one.kind} (Euclidean)")
    _show_sides(study, one, view, key)


def show_origin(kernel: Study, result: TwoModels) -> None:
    """How the kernel machine was trained and asked."""
    o = kernel.objective
    jitter = (
        f" {result.jitter:.0e} was added to the kernel's diagonal: two training images are alike."
        if result.jitter
        else ""
    )
    with st.container(border=True, key="kernel_origin"):
        st.markdown("**Where the kernel's numbers come from**")
        st.caption(
            f"**Sign and unit.** {sign_rule(result.kernel.kind)} Unit: hinge units (margins), not nats.  \n"
            f"**Model.** Support vector machine with the Gaussian kernel exp(−γ‖x − x′‖²) on pixels of −1 to 1, γ = 0.05 / "
            f"1,800, distances as at the paper's 299 × 299; features are the rows of the kernel's Cholesky factor.{jitter} "
            f"n = {o.n:,} training images, p = {o.dim:,} parameters, l2 = {kernel.spec.l2:g}; trained with the hinge to a "
            f"subgradient norm of {result.gradient_norm:.1e}. {kernel.data.stand_in}  \n"
            f"**Forecast.** At the hinge's optimum with SmoothHinge({two_models.TEMPERATURE:g}) in gradients and Hessian; "
            f"Cholesky, true relative residual {result.residual:.1e}.  \n"
            f"**Time.** {seconds(result.seconds)} on {kernel.theta.device.type}. Koh & Liang 2017, section 5.1 and Figure 4."
        )
