"""The Influence Explorer: `streamlit run app.py`."""

import streamlit as st
import torch  # noqa: F401  (imported before any worker thread starts)

explain = st.Page("pages/explain.py", title="Explain a prediction", default=True)
guide = st.Page("pages/guide.py", title="How to read it")

st.set_page_config(page_title="Influence Explorer", page_icon="🔍", layout="wide")
st.navigation([explain, guide]).run()
