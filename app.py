"""The Influence Explorer: `streamlit run app.py`."""

import os

import streamlit as st
import torch  # imported before any worker thread starts

from pages._shared.front import pages

# Half the cores for one computation: two at a time must not fight over all of them, which slows both a hundredfold.
torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))

st.set_page_config(page_title="Influence Explorer", page_icon="🔍", layout="wide")
st.session_state["entered"] = True
st.navigation(pages()).run()
