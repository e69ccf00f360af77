"""The Influence Explorer: `streamlit run app.py`."""

import os

import streamlit as st

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads leave the core to others; read by torch
import torch  # noqa: E402  (imported before any worker thread starts)

from pages._shell import restart
from pages._shell.page import load_own_studies, menu

# Half the cores for one computation: two at a time must not fight over all of them, which slows both a hundredfold.
torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))

st.set_page_config(page_title="Influence Explorer", page_icon="🔍", layout="wide")
restart.put_aside()
st.session_state["entered"] = True
load_own_studies()
page = st.navigation(menu(), position="hidden")
st.session_state["page_now"] = page.url_path
st.session_state["waiting"] = False
try:
    page.run()
finally:
    restart.make_up()
