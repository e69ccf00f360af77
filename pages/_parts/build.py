"""Build your own study: bring data, look at them, choose a model, train it; and the list of those that were built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from influence_core.data.brought import own, picture_uploads, recipes
from influence_core.data.brought.photo_folder import MIN_PICTURES, PhotoFolder
from influence_core.data.readers.image_folder import MAX_PICTURES
from influence_core.data.readers.skipped import Skipped
from influence_core.data.readers.text_folder import MIN_FILES
from influence_core.errors import DataError
from influence_core.models import backbones
from influence_core.studies import StudySpec, of_recipe
from influence_core.words import percent
from pages._common import upload
from pages._shell import downloads, results
from pages._shell.address import DEFAULT_STUDY, View, go_to
from pages._shell.escape import escape_markdown
from pages._shell.jobs import await_job, get_jobs

ZIP, FOLDER, TEXTS, TABLE = "zip", "folder", "texts", "table"
KINDS = {
    ZIP: "Photos in a zip",
    FOLDER: "Photos in a folder",
    TEXTS: "Texts in a folder",
    TABLE: "A table",
}
PIXELS = ""
DEFAULT_L2 = {own.PHOTOS: 0.001, own.TEXTS: 1e-4}
LARGEST_L2, LARGEST_SEED = 1e3, 2**31 - 1
LONGEST_TITLE = 60
MOST_SHOWN = 8


@dataclass(frozen=True)
class Seen:
    """What was found in a folder of photos.

    Attributes:
        class_names: The classes.
        to_train: How many pictures of each are trained on.
        to_test: How many of each are for testing.
        faces: One thumbnail of each of the first classes.
        skipped: What was not used, and why.
    """

    class_names: tuple[str, ...]
    to_train: tuple[int, ...]
    to_test: tuple[int, ...]
    faces: tuple[np.ndarray, ...]
    skipped: tuple[Skipped, ...]


# ------------------------------------------------------------------------------------------------- the form


def show_form(view: View) -> None:
    """What is brought, what it holds, and what is trained on it."""
    kind = st.segmented_control(
        "What do you bring?", list(KINDS), format_func=KINDS.__getitem__, key=_kept("build_kind", ZIP)
    )
    if kind == TABLE:
        upload.show(view)
    elif kind == TEXTS:
        path = _choose_folder(f"one sub-folder for each of two classes, {MIN_FILES} texts at least")
        if path is not None:
            _choose_model(own.TEXTS, own.IN_FOLDER + path, path, 2, view.device)
    elif kind is not None:
        source, title, skipped = _choose_zip() if kind == ZIP else _choose_photos()
        if source:
            seen = _look(source)
            _show_seen(seen, skipped)
            _choose_model(own.PHOTOS, source, title, len(seen.class_names), view.device)


def offer_networks() -> None:
    """Where photos are brought, the download of another network's weights."""
    if st.session_state.get("build_kind") in (ZIP, FOLDER) and not st.session_state.get("building"):
        downloads.offer_weights(results.data_folder())


def _choose_zip() -> tuple[str, str, tuple[Skipped, ...]]:
    """Source, title and what was skipped of an uploaded zip; "" where there is none yet."""
    st.caption(
        f"One folder for each class in it, at least {MIN_PICTURES} and at most {MAX_PICTURES:,} pictures of any size "
        f"and format, up to {picture_uploads.MAX_BYTES // 10**6} MB. It is unpacked on the machine that runs this app and "
        "stays there until newer uploads need the room; nothing in it is ever run."
    )
    file = st.file_uploader(
        "Zip file",
        type=["zip"],
        max_upload_size=picture_uploads.MAX_BYTES // 10**6,
        key=f"build_zip_{st.session_state.get('build_forms', 0)}",
        on_change=_forget_zip,
    )
    if file is not None:
        st.session_state["build_upload"] = await_job(
            f"unpack/{_key(file)}", "Unpacking your zip", _unpacking(file)
        )
    kept: picture_uploads.Upload | None = st.session_state.get("build_upload")
    if kept is None:
        return "", "", ()
    if file is None:
        st.caption(f"Sent before: {escape_markdown(kept.title)}")
    return own.IN_ZIP + kept.key, Path(kept.title).stem, kept.skipped


def _forget_zip() -> None:
    st.session_state.pop("build_upload", None)


def _kept(key: str, default: Any) -> str:
    """The key of a widget that keeps its value while it is not shown."""
    st.session_state[key] = st.session_state.get(key, default)
    return key


def _round() -> int:
    """Names a new, empty form after each study."""
    return st.session_state.get("builds", 0)


def _key(file: UploadedFile) -> str:
    """The digest of an uploaded file, made once a visit."""
    known, key = st.session_state.get("build_zip_key", ("", ""))
    if known != file.file_id:
        with st.spinner("Reading the zip"):
            key = picture_uploads.key_of(file)
        st.session_state["build_zip_key"] = file.file_id, key
    return key


def _unpacking(file: UploadedFile) -> Any:
    content, title, store = file.getvalue(), file.name, results.get_store()
    return lambda told: picture_uploads.keep(store, BytesIO(content), title, told)


def _choose_photos() -> tuple[str, str, tuple[Skipped, ...]]:
    """As `_choose_zip`, of a folder on this machine."""
    path = _choose_folder("one sub-folder for each class, or train and val with those in them")
    return ("", "", ()) if path is None else (own.IN_FOLDER + path, path, ())


def _choose_folder(what: str) -> str | None:
    """The path of a folder that may be read; `None` where none is chosen yet."""
    folder = results.data_folder()
    st.caption(
        f"A folder on the machine that runs this app, with {what}. Only folders inside {_code(folder)}, and those that the "
        f"person who starts the app names by `{own.FOLDERS_VARIABLE}`, can be read: everybody who opens this page could "
        "read any folder otherwise."
    )
    offered = [str(one) for one in own.offered(folder)]
    chosen = st.selectbox(
        "Folder",
        offered,
        index=None,
        placeholder="Choose one, or type its path",
        accept_new_options=True,
        key=_kept(f"build_folder_{_round()}", None),
    )
    if not chosen:
        return None
    return str(own.readable_folder(own.IN_FOLDER + chosen.strip(), results.get_store(), folder))


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _look(source: str) -> Seen:
    """Every picture opened once, in a job that can be watched and cancelled."""
    store, folder, key = results.get_store(), results.data_folder(), f"look/{source}"
    if source.startswith(own.IN_FOLDER):
        st.button(
            "Look again", key="build_again", on_click=get_jobs().forget, args=(key,), help="After a change."
        )
    return await_job(
        key,
        "Looking at every picture",
        lambda told: _seen(own.survey(source, store, folder, progress=told)),
    )


def _seen(found: PhotoFolder) -> Seen:
    labels = range(len(found.class_names))
    return Seen(
        found.class_names,
        tuple(int((found.is_train & (found.labels == label)).sum()) for label in labels),
        tuple(int((~found.is_train & (found.labels == label)).sum()) for label in labels),
        tuple(found.thumbs[np.flatnonzero(found.labels == label)[0]].copy() for label in labels[:MOST_SHOWN]),
        found.skipped,
    )


def _show_seen(seen: Seen, before: Sequence[Skipped]) -> None:
    train, test = sum(seen.to_train), sum(seen.to_test)
    st.markdown(
        f"**{len(seen.class_names)} classes**, **{train:,}** pictures to train on and **{test:,}** to test on."
    )
    pictures, counts = st.columns([1, 1.2], gap="large")
    with pictures:
        st.image(
            list(seen.faces),
            caption=[escape_markdown(one[:24]) for one in seen.class_names[:MOST_SHOWN]],
            width=96,
        )
    with counts:
        st.dataframe(
            {"class": seen.class_names, "to train on": seen.to_train, "to test on": seen.to_test},
            hide_index=True,
            width="stretch",
            height=min(38 + 35 * len(seen.class_names), 230),
        )
    _show_skipped([*before, *seen.skipped])


def _show_skipped(skipped: Sequence[Skipped]) -> None:
    if not skipped:
        st.caption("Nothing was skipped.")
        return
    with st.expander(f"{sum(one.count for one in skipped):,} were skipped: which, and why", expanded=True):
        st.dataframe(
            {
                "why": [one.reason for one in skipped],
                "how many": [one.count for one in skipped],
                "for example": [", ".join(one.examples) for one in skipped],
            },
            hide_index=True,
            width="stretch",
        )


def _choose_model(data: str, source: str, title: str, classes: int, device: str) -> None:
    """What is trained, and the button that does it."""
    head = "logistic" if classes == 2 else "softmax"
    if st.session_state.get("build_titled") != source:
        st.session_state["build_titled"] = source
        st.session_state["build_title"] = Path(title).name[:LONGEST_TITLE]
    with st.form("build_model", border=True):
        name, sees = st.columns([1, 1])
        called = name.text_input("Name", max_chars=LONGEST_TITLE, key=_kept("build_title", ""))
        backbone = PIXELS
        if data == own.PHOTOS:
            backbone = sees.selectbox(
                "What the model sees",
                _backbones(),
                format_func=_backbone_title,
                key=_kept("build_backbone", backbones.PACKAGED),
            )
        else:
            sees.text_input("What the model sees", "how often each word occurs", disabled=True)
        first, second = st.columns([1, 1])
        l2 = first.text_input(
            "l2",
            key=_kept(f"build_l2_{data}", f"{DEFAULT_L2[data]:g}"),
            help="The trained penalty: more makes the model smoother.",
        )
        seed = second.text_input(
            "Seed", key=_kept("build_seed", "0"), help="Of the split into training and testing."
        )
        st.caption(
            f"{head.capitalize()} regression{'' if classes == 2 else f' with {classes} classes'}, trained to its optimum. "
            + (
                "EfficientNet-Lite0 learned to see on ImageNet; its view of a picture takes about 0.05 s, once. Other networks "
                "of torchvision are offered once their weights are in "
                f"{_code(str(backbones.weights_path('NAME', results.data_folder()).parent))}."
                if data == own.PHOTOS
                else ""
            )
        )
        if st.form_submit_button("Train", type="primary", key="build_train"):
            fields = {
                "title": _title(called, title),
                "data": data,
                "model": head,
                "l2": _positive(l2),
                "seed": _seed(seed),
                "source": source,
                "backbone": backbone,
            }
            get_jobs().forget(
                results.study_key(recipes.name_of(fields), device)
            )  # the pictures may be others now
            st.session_state["building"] = fields
            st.session_state.pop("built", None)
            st.rerun()


def _backbones() -> list[str]:
    """The packaged one, those of a study module, those whose weights are there, and pixels."""
    folder = results.data_folder()
    there = {path.stem for path in backbones.weights_path("NAME", folder).parent.glob("*.pth")}
    more = [name for name in backbones.names() if name in there] if there else []
    return [backbones.PACKAGED, *backbones.OWN, *more, PIXELS]


def _backbone_title(name: str) -> str:
    if name == backbones.PACKAGED:
        return "EfficientNet-Lite0 (ships with the app)"
    if name in backbones.OWN:
        return f"{name} (a study module's)"
    return f"{name} (torchvision)" if name else "the pixels of a 64 × 64 thumbnail"


def _title(called: str, otherwise: str) -> str:
    kept = "".join(one for one in called if one.isalnum() or one in " .,()-_&'").strip()
    return kept[:LONGEST_TITLE] or Path(otherwise).name[:LONGEST_TITLE] or "A study of your own"


def _positive(text: str) -> float:
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        value = 0.0
    if not 0 < value <= LARGEST_L2:
        raise DataError(f"l2 must be a number above 0 and at most {LARGEST_L2:,.0f}, but is “{text[:40]}”.")
    return value


def _seed(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 11 and int(text) <= LARGEST_SEED):
        raise DataError(f"The seed must be a whole number up to {LARGEST_SEED:,}, but is “{text[:40]}”.")
    return int(text)


# --------------------------------------------------------------------------------------------- training, and after


def training(view: View) -> bool:
    """Whether a study of this visit is being trained; when it is trained, it is kept and opened."""
    fields: dict[str, Any] | None = st.session_state.get("building")
    if fields is None:
        return False
    st.button("Change the settings", key="build_back", on_click=_stop_building)
    spec = StudySpec(name=recipes.name_of(fields), **fields)
    study = results.load_spec(spec, view.device)
    right = (study.probabilities(study.data.test.x).argmax(1) == study.data.test.y.numpy()).mean()
    recipes.keep(results.get_store(), fields)
    _stop_building()
    words = (
        f"**{escape_markdown(spec.title)}** is trained on {len(study.data.train):,} {study.data.kind}s: "
        f"{percent(float(right))} of {len(study.data.test):,} test {study.data.kind}s are right."
    )
    st.session_state["built"], st.session_state["builds"] = (spec.name, words), _round() + 1
    _forget_zip()
    go_to(study=spec.name)
    st.rerun()


def _stop_building() -> None:
    """Back to the form; the browser forgot the file of the old one."""
    st.session_state.pop("building", None)
    st.session_state["build_forms"] = st.session_state.get("build_forms", 0) + 1


def show_built(view: View) -> None:
    """The study that was just built, and the way to its explanation."""
    name, words = st.session_state.get("built", ("", ""))
    if name and name == view.study:
        st.success(words)
        st.page_link("pages/explain.py", label="Explain what it says", icon="➡️", query_params={"study": name})


# ------------------------------------------------------------------------------------------------------- the list


def show_list(view: View) -> None:
    """All own studies of this server."""
    kept = recipes.recipes(results.get_store())
    st.subheader("Studies that were built here")
    if not kept:
        st.caption("None yet.")
        return
    st.caption("Everybody who uses this server sees them, in the list of studies on the left.")
    for one in kept:
        _row(one, view)


def _row(one: recipes.Recipe, view: View) -> None:
    with st.container(border=True, key=f"own_{one.name}"):
        words, opened, removed = st.columns([4, 1, 1], vertical_alignment="center")
        words.markdown(f"**{escape_markdown(one.title)}**  \n{_about(one)}")
        opened.page_link("pages/explain.py", label="Explain", query_params={"study": one.name})
        removed.button(
            "Remove", key=f"remove_{one.name}", on_click=_remove, args=(one.name, view), width="stretch"
        )


def _about(one: recipes.Recipe) -> str:
    """What it is made of, in one line."""
    try:
        spec = of_recipe(one)
    except DataError as error:
        return escape_markdown(str(error))
    place = spec.source.removeprefix(own.IN_FOLDER)
    where = "an uploaded zip" if spec.source.startswith(own.IN_ZIP) else f"the folder {_code(place)}"
    sees = "words" if spec.data == own.TEXTS else spec.backbone or "pixels"
    return f"{sees}, {spec.model} regression, l2 {spec.l2:g}, seed {spec.seed}, from {where}"


def _remove(name: str, view: View) -> None:
    recipes.remove(results.get_store(), name)
    if view.study == name:
        go_to(study=DEFAULT_STUDY)
