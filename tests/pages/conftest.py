"""What the tests of several pages need."""

import pytest
import streamlit as st


@pytest.fixture(scope="module")
def one_server():
    """One server for the module."""
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()
