"""The parts of the page about poisoned training pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from influence_core import studies
from influence_core.errors import DataError
from influence_core.experiments import poison, poison_many
from influence_core.experiments.poison import (
    ANSWERS,
    BOX,
    BOXES,
    LOSS,
    MOST_POISONED,
    Attack,
    Candidates,
    Poisoned,
    Saved,
)
from influence_core.experiments.poison_many import Shares
from influence_core.experiments.questions import Question
from influence_core.figures.poison import TITLES, flips, steps, triptych_pictures
from influence_core.studies import Study
from influence_core.words import nats, percent, seconds, three_digits
from pages._common.cards import card_face
from pages._common.picture_grid import Picture, data_url, picture_grid
from pages._common.question import Asked
from pages._common.table import as_csv
from pages._shell import results
from pages._shell.address import View, go_to, toggle_chosen
from pages._shell.escape import escape_markdown

WHY = (
    "This page changes photographs by less than anybody can see, through the frozen network that turns them into "
    "features, and so needs a study on photographs."
)
PANELS = {
    "one": "This test image",
    "together": "Many like it at once",
    "share": "How often it works",
    "guard": "Images to guard",
}
HOW_MANY = (1, 2, 3, 5, 10)
TESTS = (5, 10, 25, 50, 100)
SIZES = (1, 2, 10)
TOGETHER = 30
TOGETHER_STEPS, TOGETHER_STRIDE = 60, 0.05
"""Many answers turn one after the other; in larger steps, of a share of the box, they turn back and forth."""
SHOWN = 12


def fits(name: str) -> bool:
    """Whether a study has a frozen backbone and a linear model on top."""
    spec = studies.find(name)
    return bool(spec.backbone) and spec.model in ("logistic", "softmax")


def box(view: View) -> float:
    """How far a brightness may move.

    Raises:
        DataError: The address names no size above 0 and up to 64.
    """
    try:
        asked = float(view.box)
    except ValueError:
        asked = 0.0
    if not 0 < asked <= 64:
        raise DataError(f"The box must be a number above 0 and up to 64, but is “{view.box[:40]}”.")
    return asked


def how_many(view: View) -> int:
    """How many pictures are changed.

    Raises:
        DataError: The address names no number from 1 to ten.
    """
    if view.poisons not in map(str, range(1, MOST_POISONED + 1)):
        raise DataError(
            f"The number of poisoned pictures must be 1 to {MOST_POISONED}, but is “{view.poisons[:40]}”."
        )
    return int(view.poisons)


def check(view: View) -> None:
    """Raise `DataError` where the address asks for what there cannot be."""
    box(view), how_many(view)
    if view.panel and view.panel not in PANELS:
        raise DataError(f"There is no part “{view.panel[:40]}”; choose one of {', '.join(PANELS)}.")
    if len(view.chosen) > MOST_POISONED:
        raise DataError(f"At most {MOST_POISONED} pictures are changed at once, not {len(view.chosen)}.")


def choose_panel(view: View) -> str:
    """Which part of the page is open."""
    st.session_state["poison_panel"] = view.panel or "one"
    st.segmented_control(
        "What to look at",
        list(PANELS),
        key="poison_panel",
        required=True,
        format_func=PANELS.__getitem__,
        on_change=lambda: go_to(panel=st.session_state["poison_panel"], out="", retrain=""),
    )
    return str(st.session_state["poison_panel"])


def choose_box(view: View) -> None:
    """The size of the change."""
    offered = sorted({*BOXES, box(view)})
    st.session_state["poison_box"] = box(view)
    st.segmented_control(
        "How far each brightness may move (of 255 steps)",
        offered,
        key="poison_box",
        required=True,
        format_func=lambda one: "½ (the paper's: rounds away)" if one == BOX else f"± {one:g}",
        on_change=lambda: go_to(box=f"{st.session_state['poison_box']:g}", retrain=""),
    )


def _questions(asked: Asked, panel: str) -> list[Question]:
    answer, study = asked.explanation, asked.study
    if panel != "together":
        x = study.data.test.x.new_tensor(answer.x)
        return [Question(x, answer.label, answer.test_id, answer.true_label)]
    if answer.test_id is None:
        raise DataError(
            "“Many like it” needs a test image of the study: choose one, or another part of the page."
        )
    return poison.similar_tests(study, answer.test_id, TOGETHER)


def _goal(panel: str) -> str:
    return ANSWERS if panel == "together" else LOSS


def _attack(size: float, panel: str) -> Attack:
    if panel != "together":
        return Attack(box=size)
    return Attack(box=size, alpha=TOGETHER_STRIDE * size, steps=TOGETHER_STEPS, goal=_goal(panel))


def load_candidates(view: View, asked: Asked, panel: str) -> Candidates:
    """The training pictures through which the answer is moved most easily."""
    study, questions, store = asked.study, _questions(asked, panel), results.get_store()
    parts = [*(one.x for one in questions), asked.explanation.label, _goal(panel)]
    return results.ask(
        study,
        "poison candidates",
        parts,
        "Asking training images for their pixels",
        lambda told: poison.shortlist(study, questions, store=store, progress=told, goal=_goal(panel)),
    )


def choose_pictures(view: View, asked: Asked, panel: str, known: Candidates) -> list[int]:
    """The pictures to change: the most dangerous ones, or those that were ticked."""
    names, study = [escape_markdown(one) for one in asked.study.data.class_names], asked.study
    st.subheader("Through which training images?")
    st.caption(
        f"The training images whose smallest change moves {_moved(asked, panel)} most: the "
        f"{len(known.ids)} of largest gradient in feature space, ranked by that of their pixels, ‖I_pert‖. They are changed from "
        "the first on; tick some to choose yourself. Labels are never changed."
    )
    picture_grid(
        [_card(study, names, known, at) for at in range(min(SHOWN, len(known.ids)))],
        key="candidates",
        on_click=lambda train_id: toggle_chosen(train_id),
        on_select=toggle_chosen,
        selected=[str(one) for one in view.chosen],
        select_label="choose for poisoning",
        columns_min_px=92,
    )
    st.session_state["poison_count"] = how_many(view)
    st.segmented_control(
        "How many of them, all at once",
        sorted({*HOW_MANY, how_many(view)}),
        key="poison_count",
        required=True,
        disabled=bool(view.chosen),
        on_change=lambda: go_to(poisons=str(st.session_state["poison_count"]), retrain=""),
    )
    return list(view.chosen) or known.ids[: how_many(view)].tolist()


def _moved(asked: Asked, panel: str) -> str:
    names, questions = asked.study.data.class_names, _questions(asked, panel)
    name = escape_markdown(names[questions[0].label])
    if panel == "together":
        return f"the mean probability of “{name}” for {len(questions)} test images that are {name}"
    return f"the loss of “{name}”"


def _card(study: Study, names: list[str], known: Candidates, at: int) -> Picture:
    train_id, name = int(known.ids[at]), names[known.labels[at]]
    return Picture(
        id=str(train_id),
        **card_face(study, study.data.train, study.data.train.position(train_id)),
        alt=f"training image {train_id}, labelled {name}",
        title=f"{train_id}: {name}",
        lines=(
            f"‖I_pert‖ {three_digits(float(known.pixel_norms[at]))}",
            f"p {percent(float(known.own_probability[at]))}",
        ),
    )


def show_run(view: View, asked: Asked, panel: str, chosen: list[int], answer: Any) -> None:
    """The button, and what came of it."""
    those = f"training image {chosen[0]}" if len(chosen) == 1 else f"these {len(chosen)} training images"
    st.button(
        f"Poison {those} and train again",
        key="poison_run",
        type="primary",
        on_click=lambda: go_to(retrain="1"),
    )
    if not view.retrain:
        return
    study, questions, store = asked.study, _questions(asked, panel), results.get_store()
    attack = _attack(box(view), panel)

    def work(told: Any) -> tuple[Poisoned, Saved]:
        result = poison.run(study, questions, chosen, attack, store, told)
        return result, poison.vanishes(study, questions, result)

    parts = [*(one.x for one in questions), asked.explanation.label, chosen, str(attack)]
    result, saved = results.ask(
        study, "poison", parts, "Changing pixels and training again, step by step", work
    )
    with answer:
        _headline(asked, result)
    _numbers(result, saved)
    _pictures(asked.study, result)
    st.plotly_chart(steps(result, study.data.class_names), key="poison_steps")
    _origin(study, result, saved)


def _headline(asked: Asked, result: Poisoned) -> None:
    name = escape_markdown(asked.study.data.class_names[int(result.asked[0])])
    what = "one training image" if len(result.ids) == 1 else f"{len(result.ids)} training images"
    size = f"at most {result.largest_change:.3g} of 255 brightness steps"
    if len(result.turned) > 1:
        st.markdown(
            f"**{int(result.turned.sum())} of {len(result.turned)} test images turned** away from {name} when {what} changed by "
            f"{size} (the paper: 16 of 30, with one)."
        )
    elif result.turned[0]:
        st.markdown(f"**Yes: the answer is no longer {name}** once {what} changed by {size}.")
    else:
        st.markdown(
            f"**Not here: the answer is still {name}**, though {what} changed by {size}. Try more images or a larger change."
        )


def _numbers(result: Poisoned, saved: Saved) -> None:
    before, after, control, eight = st.columns(4)
    before.metric("Probability before", percent(float(result.before.mean())))
    after.metric(
        "After real retraining",
        percent(float(result.after.mean())),
        nats(result.loss_change),
        delta_color="off",
        delta_arrow="off",
        help="The mean over the test images, and the change of their mean loss.",
    )
    control.metric(
        "With random signs instead",
        percent(float(result.control.mean())),
        nats(result.control_change),
        delta_color="off",
        delta_arrow="off",
        help="The control: the same images, every brightness moved to a side of the box at random.",
    )
    eight.metric(
        "Saved as PNG",
        percent(float(saved.probabilities.mean())),
        "vanishes" if saved.gone else "stays",
        delta_color="off",
        delta_arrow="off",
        help="Saved, read again and trained on. A PNG has 8 bits: each brightness is rounded to a whole step.",
    )


def _pictures(study: Study, result: Poisoned) -> None:
    names = [escape_markdown(one) for one in study.data.class_names]
    at = 0
    if len(result.ids) > 1:
        at = st.selectbox(
            "Training image shown",
            range(len(result.ids)),
            key="poison_shown",
            format_func=lambda i: f"{result.ids[i]}: {names[result.labels[i]]}",
        )
    _triptych(result, at)
    save, columns = st.columns(2)
    save.download_button(
        "The poisoned image, unrounded (.npy, float32)",
        lambda: poison.as_float_file(result.poisoned[at]),
        file_name=f"poisoned-{study.spec.name}-{result.ids[at]}.npy",
        mime="application/octet-stream",
        key="download_picture",
        on_click="ignore",
        width="stretch",
    )
    columns.download_button(
        "Probability by step (CSV)",
        lambda: as_csv(poison.table(result)),
        file_name=f"poison-{study.spec.name}-{result.test_ids[0]}.csv",
        mime="text/csv",
        key="download_csv",
        on_click="ignore",
        width="stretch",
    )


def _triptych(result: Poisoned, at: int) -> None:
    shown = zip(TITLES, triptych_pictures(result, at), strict=True)
    figures = [
        f'<figure style="flex:1;margin:0;text-align:center"><img src="{data_url(picture)}" alt="{title}" '
        f'style="width:100%;border-radius:6px"><figcaption>{title}</figcaption></figure>'
        for title, picture in shown
    ]
    st.html(f'<div style="display:flex;gap:1rem;max-width:900px">{"".join(figures)}</div>')
    st.caption("The difference is drawn around grey; the whole box fills the whole scale.")


def _origin(study: Study, result: Poisoned, saved: Saved) -> None:
    if not result.proved:
        st.warning("Not every model on the way was trained to its optimum: do not rely on the truth above.")
    rounding = (
        "The poison lives below 8-bit rounding: as PNG the images are the originals, byte for byte, and the answer is the old "
        "one. Whoever trains on 8-bit files is safe from this one."
        if saved.same_pictures
        else "The change is larger than 8-bit rounding: it outlives saving as PNG."
    )
    taken = "1 step" if result.steps == 1 else f"{result.steps} steps"
    moved, usual = float(result.feature_change.mean()), float(study.data.train.x.norm(dim=1).mean())
    st.caption(
        f"{rounding}  \n**Sign.** A loss change with plus: the loss of the asked label rises, the answer gets less likely. "
        f"Unit: nats.  \n**Attack.** {taken} of {result.attack.stride:.3g} along {_way(result)}, in the box of "
        f"± {result.attack.box:g}; after each the model was trained again, to a gradient norm of at most "
        f"{result.gradient_norms.max():.1e}. First step: {_first_step(result)}. In "
        f"feature space the images moved by {three_digits(moved)} (mean length of a training image's features: "
        f"{three_digits(usual)}).  \n**Time.** {seconds(result.seconds)} on {study.theta.device.type}."
    )


def _way(result: Poisoned) -> str:
    if result.attack.goal == LOSS:
        return "sign(I_pert,loss)"
    return (
        "the sign of I_pert, here of minus the mean probability: of the mean loss, which the paper takes, one test image "
        "that has already turned may take everything"
    )


def _first_step(result: Poisoned) -> str:
    if result.attack.goal == LOSS:
        return f"forecast {nats(result.predicted)}, truth {nats(result.actual)}"
    return f"the probability was to fall by {percent(result.predicted)}, and fell by {percent(result.actual)}"


def show_share(view: View, asked: Asked) -> None:
    """The attack on many test images one by one."""
    st.subheader("How often does it work?")
    st.caption(
        "Each test image with a right answer is attacked alone: through the best training image, then the second, then the best "
        "two and ten, until its answer turns. Outcomes are kept: a run that was stopped goes on where it was."
    )
    st.session_state["poison_tests"] = next((one for one in TESTS if one >= view.how_many), TESTS[-1])
    st.segmented_control(
        "Test images, drawn at random",
        TESTS,
        key="poison_tests",
        required=True,
        on_change=lambda: go_to(k=str(st.session_state["poison_tests"]), retrain=""),
    )
    st.button(
        "Attack them one by one",
        key="poison_share_run",
        type="primary",
        help="About a minute for each on one processor.",
        on_click=lambda: go_to(retrain="1"),
    )
    if view.retrain:
        study, store, attack = asked.study, results.get_store(), Attack(box=box(view))
        ids = poison_many.answered_rightly(study)[: st.session_state["poison_tests"]]
        shares = results.ask(
            study,
            "poison share",
            [ids, str(attack), SIZES],
            f"Attacking {len(ids)} test images",
            lambda told: poison_many.run(study, ids, attack, SIZES, store, progress=told),
        )
        _show_shares(asked.study, shares)


def _show_shares(study: Study, shares: Shares) -> None:
    st.plotly_chart(flips({f"here, box ± {shares.attack.box:g}": shares}), key="poison_flips")
    worst = max(one.gradient_norm for one in shares.tries)
    st.caption(
        f"{len(shares.outcomes)} test images. One picture is the best alone or the second alone, as in the authors' code; "
        f"by the best alone it is {percent(shares.flipped_by_first)}. Every answer counts after real retraining, to a gradient "
        f"norm of at most {worst:.1e}. The paper's bars are Inception v3 on dogs and fish; this model is another."
    )
    st.download_button(
        "Every try (CSV)",
        lambda: as_csv(poison_many.table(shares)),
        file_name=f"poison-{study.spec.name}.csv",
        mime="text/csv",
        key="download_csv",
        on_click="ignore",
    )


def show_guard(asked: Asked) -> None:
    """Which training images to watch, over all test images."""
    study = asked.study
    result = results.ask(
        study,
        "poison guard",
        (),
        "Asking every training image",
        lambda told: poison.guard(study, progress=told),
    )
    names = [escape_markdown(one) for one in study.data.class_names]
    st.subheader("Images to guard")
    st.caption(
        f"Training images by ‖I_pert‖ in feature space, the mean over {result.tests:,} test images, nats per unit of feature. "
        "Small changes of the first ones move answers most: keep their originals under lock, check them first, and give the "
        "model more examples like them. They are often those of which the model itself is least sure."
    )
    picture_grid(
        [
            Picture(
                id=str(train_id),
                **card_face(study, study.data.train, study.data.train.position(train_id)),
                alt=f"training image {train_id}, labelled {names[label]}",
                title=f"{train_id}: {names[label]}",
                lines=(f"‖I_pert‖ {three_digits(norm)}", f"p {percent(p)}"),
            )
            for train_id, label, norm, p in zip(
                *(
                    values[:SHOWN].tolist()
                    for values in (result.ids, result.labels, result.norms, result.own_probability)
                ),
                strict=True,
            )
        ],
        key="guard",
        on_click=lambda train_id: go_to(panel="one", out=train_id),
        columns_min_px=92,
    )
    share = (
        float(np.cumsum(result.norms)[SHOWN - 1] / result.norms.sum()) if len(result.norms) >= SHOWN else 1.0
    )
    st.caption(
        f"These {SHOWN} of {len(result.ids):,} training images hold {percent(share)} of the sum of all norms."
    )
    st.download_button(
        "All training images by their danger (CSV)",
        lambda: as_csv(
            {
                "training_id": result.ids,
                "label": np.array(study.data.class_names)[result.labels],
                "mean_norm": result.norms,
                "own_label_probability": result.own_probability,
            }
        ),
        file_name=f"guard-{study.spec.name}.csv",
        mime="text/csv",
        key="download_csv",
        on_click="ignore",
    )


def show_purpose(answer: Any, view: View) -> None:
    """What the page is for."""
    with answer:
        if not view.retrain or view.panel in ("share", "guard"):
            st.markdown(
                "A training image can be changed by less than a screen shows and still turn the answer about another "
                "image. Choose how far and how many, and see it proved by real retraining."
            )
    st.info(
        "What this is for: to know a risk, and to defend against it. Keep training images as 8-bit files with checksums, "
        "look first at the “images to guard”, and train on more examples: the attack lives where the model has few. "
        "(Koh & Liang 2017, section 5.2.)"
    )
