"""The Influence Explorer: `streamlit run app.py`."""

import streamlit as st
import torch  # noqa: F401  (imported before any worker thread starts)

from pages._shared.front import pages

st.set_page_config(page_title="Influence Explorer", page_icon="🔍", layout="wide")
st.session_state["entered"] = True
st.navigation(pages()).run()
