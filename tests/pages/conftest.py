"""What the tests of several pages need."""

import pytest
import streamlit as st


@pytest.fixture
def own_server(tmp_path, monkeypatch):
    """A server, a store and a home of its own for each test: what others have made is not known."""
    monkeypatch.setenv("INFLUENCE_EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("INFLUENCE_EXPLORER_HOME", str(tmp_path / "home"))
    st.cache_resource.clear()
    yield tmp_path
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def one_server():
    """One server for the module."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
