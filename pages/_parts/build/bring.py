"""What is brought: a zip, a folder of photos or texts, a table, or a data set of torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from influence_core.data.brought import own, picture_uploads
from influence_core.data.brought.photo_folder import MIN_PICTURES
from influence_core.data.brought.torchvision_sets import SETS
from influence_core.data.readers.classed import PICTURES
from influence_core.data.readers.classed import TEXTS as TEXT_LIMITS
from influence_core.data.readers.skipped import Skipped
from influence_core.data.readers.text_folder import MIN_FILES
from pages._common import upload
from pages._parts.build import look, model, texts, visit, zip_names
from pages._shell import browser, downloads, results
from pages._shell.address import View
from pages._shell.escape import code, escape_markdown
from pages._shell.places import with_place, without_places

ZIP, FOLDER, TEXTS_ZIP, TEXTS, TABLE, SET = "zip", "folder", "texts-zip", "texts", "table", "set"
KINDS = {
    ZIP: "Photos in a zip",
    FOLDER: "Photos in a folder",
    TEXTS_ZIP: "Texts in a zip",
    TEXTS: "Texts in a folder",
    TABLE: "A table",
    SET: "A data set of torchvision",
}
PHOTO_FOLDERS = (
    "one sub-folder for each class; or train and val (by any common name) with those in them; or pictures with a table beside "
    "them that names each file's class; or idx files such as those of Fashion-MNIST"
)
TEXT_FOLDERS = (
    f"one sub-folder for each class, or train and test with those in them; {MIN_FILES} texts at least"
)
PHOTO_ZIP = (
    f"In it {PHOTO_FOLDERS}: at least {MIN_PICTURES} and at most {PICTURES.files:,} pictures (PNG, JPEG, WEBP, AVIF, TIFF, GIF "
    "and more)"
)
TEXT_ZIP = (
    f"One folder for each class in it, at least {MIN_FILES} and at most {TEXT_LIMITS.files:,} texts or e-mails, one a file or in "
    "mailboxes (mbox), in any language"
)


@dataclass(frozen=True)
class Brought:
    """Data of the visitor's own.

    Attributes:
        source: Where they lie, as in a ``StudySpec``.
        title: The name that is proposed for a study of them.
        skipped: What an archive held that was not unpacked.
    """

    source: str
    title: str
    skipped: tuple[Skipped, ...] = ()


def show(view: View) -> None:
    """What is brought, what it holds, and what is trained on it."""
    kind = st.segmented_control(
        "What do you bring?",
        list(KINDS),
        required=True,
        format_func=KINDS.__getitem__,
        key=visit.lasting("build_kind", ZIP),
    )
    if kind == TABLE:
        upload.show(visit.finish)
    elif kind in (TEXTS, TEXTS_ZIP):
        _show_texts(_choose_folder(TEXT_FOLDERS) if kind == TEXTS else _choose_zip(TEXT_ZIP), view)
    elif kind == SET:
        _show_photos(_choose_set(), view, is_set=True)
    elif kind is not None:
        _show_photos(_choose_zip(PHOTO_ZIP) if kind == ZIP else _choose_folder(PHOTO_FOLDERS), view)


def _show_photos(brought: Brought | None, view: View, is_set: bool = False) -> None:
    """What was found in them, and what is trained on it; of a whole data set some may do."""
    if brought is None:
        return
    found, same = look.load(brought.source)
    if found is None:
        return
    look.show(found, brought.skipped)
    there = (sum(found.to_train), sum(found.to_test)) if is_set else None
    read = {} if same is None else {"same_labels": same}
    model.choose(own.PHOTOS, brought.source, brought.title, len(found.class_names), view.device, read, there)


def _show_texts(brought: Brought | None, view: View) -> None:
    """What was found in them, and what is trained on it."""
    if brought is None:
        return
    found, encoding = texts.load(brought.source)
    texts.show(found, brought.source, brought.skipped)
    read = {"encoding": encoding} if encoding else {}
    model.choose(own.TEXTS, brought.source, brought.title, len(found.class_names), view.device, read)


def offer_networks() -> None:
    """Where photos are brought, the download of another network's weights."""
    if st.session_state.get("build_kind") in (ZIP, FOLDER, SET) and visit.building() is None:
        downloads.offer_weights(results.data_folder())


def _choose_zip(what: str) -> Brought | None:
    """An uploaded zip, unpacked."""
    st.caption(
        f"{what}, up to {picture_uploads.MAX_BYTES // 10**6} MB. It is unpacked, and nothing in it is ever run. "
        f"{browser.PRIVATE}"
    )
    file = st.file_uploader(
        "Zip file",
        type=["zip"],
        max_upload_size=picture_uploads.MAX_BYTES // 10**6,
        key=visit.zip_key(),
        on_change=visit.forget_zip,
    )
    if file is not None:
        st.session_state["build_upload"] = zip_names.unpacked(file, _digest(file))
    sent: picture_uploads.Upload | None = st.session_state.get("build_upload")
    if sent is None:
        return None
    if file is None:
        st.caption(f"Sent before: {escape_markdown(sent.title)}")
    zip_names.choose(sent, None if file is None else _digest(file))
    return Brought(own.IN_ZIP + sent.key, Path(sent.title).stem, sent.skipped)


def _digest(file: UploadedFile) -> str:
    """The digest of an uploaded file, made once a visit."""
    known, key = st.session_state.get("build_zip_key", ("", ""))
    if known != file.file_id:
        with st.spinner("Reading the zip"):
            key = picture_uploads.key_of(file)
        st.session_state["build_zip_key"] = file.file_id, key
    return key


def _choose_set() -> Brought | None:
    """A data set of torchvision that lies in the data folder; one that does not is said, and fetched only when asked."""
    folder = results.data_folder()
    st.caption(
        f"Read out of the app's data folder, {code(without_places(folder))}, as torchvision keeps it there. Nothing is "
        "downloaded before you press a button that says what it is."
    )
    name = st.selectbox(
        "Data set",
        list(SETS),
        index=None,
        format_func=lambda name: SETS[name].title + (" (not here yet)" if SETS[name].missing(folder) else ""),
        placeholder="Choose one",
        key=visit.lasting("build_set", None),
    )
    if name is None:
        return None
    source, known = own.IN_TORCHVISION + name, SETS[name].download
    if known.missing(folder):
        downloads.offer_files(source, "It needs", known, folder)
        return None
    return Brought(source, known.name)


def _choose_folder(what: str) -> Brought | None:
    """A folder on this machine that may be read."""
    folder = results.data_folder()
    st.caption(
        f"A folder on the machine that runs this app, with {what}. Only folders inside the app's data folder, "
        f"{code(without_places(folder))}, and those that the person who starts the app names by `{own.FOLDERS_VARIABLE}`, "
        "can be read: everybody who opens this page could read any folder otherwise."
    )
    chosen = st.selectbox(
        "Folder",
        [str(one) for one in own.offered(folder)],
        index=None,
        format_func=without_places,
        placeholder="Choose one, or type its path",
        accept_new_options=True,
        key=visit.lasting(visit.folder_key(), None),
    )
    if not chosen:
        return None
    path = str(own.readable_folder(own.IN_FOLDER + with_place(chosen.strip()), results.get_store(), folder))
    return Brought(own.IN_FOLDER + path, path)
