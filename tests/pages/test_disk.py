"""A disk that is full, only for reading, gone, or whose clock goes back: a sentence each, and nothing acknowledged lost."""

import errno
import functools
import os
import shutil
import sqlite3

import numpy as np
import pytest
import streamlit as st

from influence_core.data.brought import recipes, uploads
from influence_core.data.brought.tables import Choices
from influence_core.errors import DataError
from influence_core.store import Store
from pages._parts.build import bring, model
from pages._shell import downloads, results
from tests.data.test_home import TABLE
from tests.data.test_image_folder import fill
from tests.visits import keys, owner, press, said, settle, title, visit_page

DISKS = {
    "full": (errno.ENOSPC, "the disk is full", "database or disk is full"),
    "only for reading": (errno.EROFS, "Read-only file system", "attempt to write a readonly database"),
}
"""The error's number, and what the app says of it: of a file, and of the database."""


pytestmark = pytest.mark.usefixtures("own_server")


def refuse(monkeypatch, disk):
    number, _, words = DISKS[disk]

    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    class Refusing(sqlite3.Connection):
        def execute(self, sql, *asked):
            if sql.lstrip().startswith(("INSERT", "UPDATE")):
                raise sqlite3.OperationalError(words)
            return super().execute(sql, *asked)

    monkeypatch.setattr(os, "fsync", refused)
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Refusing))


def keep(at):
    return press(at, next(one for one in keys(at) if one.startswith("keep_")))


@pytest.mark.parametrize("disk", DISKS)
def test_a_disk_that_refuses_is_said_and_the_app_goes_on(monkeypatch, disk):
    _, words, of_database = DISKS[disk]
    at = keep(visit_page("review", "diabetes", review="mine"))
    with monkeypatch.context() as now:
        refuse(now, disk)
        st.cache_resource.clear()
        explained = visit_page("explain", "one-or-seven")
        assert title(explained) and not explained.error
        assert f"could not be kept ({words})" in said(explained).replace("\\", "")
        keep(at)
        assert f"cannot be read or written ({of_database}); nothing was changed" in said(at).replace("\\", "")
        assert "Suspect 2 of 332" in said(at)
        with pytest.raises(DataError, match=words):
            uploads.keep(results.get_store(), TABLE, Choices("bought"), "a.csv")
    keep(at)
    assert not at.error and "Suspect 3 of 332" in said(at)


def test_a_cache_that_vanishes_takes_nothing_along(own_server):
    at = keep(visit_page("review", "diabetes", review="mine"))
    shutil.rmtree(own_server / "cache")
    assert not keep(at).error and "Suspect 3 of 332" in said(at)
    shutil.rmtree(own_server / "cache", ignore_errors=True)
    (own_server / "cache").write_text("in the way")
    explained = visit_page("explain", "one-or-seven")
    assert title(explained) and "could not be" in said(explained)
    assert not keep(at).error and "Suspect 4 of 332" in said(at)


@pytest.mark.parametrize("disk", DISKS)
def test_a_study_that_the_disk_refuses_is_said_and_built_once_it_does_not(own_server, monkeypatch, disk):
    _, words, _ = DISKS[disk]
    monkeypatch.setenv(downloads.DATA_VARIABLE, str(own_server / "data"))
    path = fill(own_server / "data" / "pets", {"cats": 12, "dogs": 12})
    at = visit_page("build")
    at.button_group(key="build_kind").set_value(bring.FOLDER)
    settle(at).selectbox(key="build_folder_0").set_value(str(path))
    settle(at).selectbox(key="build_backbone").set_value(model.PIXELS)
    with monkeypatch.context() as now:
        refuse(now, disk)
        press(at, "build_train")
        assert f"could not be kept on the server's disk: {words}" in said(at).replace("\\", "")
        assert not recipes.recipes(results.get_store(), owner())
    assert "is trained on 20 images" in said(visit_page("build")), "it goes on where it was"
    assert len(recipes.recipes(results.get_store(), owner())) == 1


def test_a_home_that_vanishes_takes_no_verdict_along(own_server):
    at = keep(keep(visit_page("review", "diabetes", review="mine")))
    shutil.rmtree(own_server / "home")
    assert not keep(at).error and "Suspect 4 of 332" in said(at)
    assert "Suspect 4 of 332" in said(visit_page("review", "diabetes", review="mine")), "they are kept again"
    shutil.rmtree(own_server / "home")
    (own_server / "home").write_text("in the way")
    keep(at)
    assert "cannot be read" in said(at) or "could not be kept" in said(at)
    explained = visit_page("explain", "one-or-seven")
    assert title(explained) and not explained.error
    built = visit_page("build")
    assert "None yet." in said(built) and not built.error


def test_a_clock_that_was_set_back_forgets_results_and_nothing_else(own_server, monkeypatch):
    """What is new then looks oldest, and goes first where the store is at its limit."""
    monkeypatch.setattr(results, "get_store", lambda: Store(limit_bytes=100_000))
    at = keep(visit_page("review", "diabetes", review="mine"))
    for path in own_server.rglob("*"):
        os.utime(path, (4e9, 4e9))
    for number in range(3):
        results.get_store().put(f"{number:032x}", {"x": np.zeros(7_500)}, {})
    keep(at)
    assert "Suspect 3 of 332" in said(at)
    assert "Suspect 3 of 332" in said(visit_page("review", "diabetes", review="mine"))
