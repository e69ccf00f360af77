"""Which of your own examples matter?"""

import streamlit as st

from pages._parts import build
from pages._shell import sidebar
from pages._shell.address import read_view
from pages._shell.page import enter, errors_shown

enter()
view = read_view()
sidebar.show(view)
with errors_shown():
    st.title("Which of your own examples matter?")
    st.markdown(
        "Bring photos, texts or a table. A model is trained on them here, and the other pages explain what it says: "
        "which examples made it, which misled it, what happens without them."
    )
    build.show_built(view)
    if not build.training(view):
        build.show_form(view)
    build.show_list(view)
    build.offer_networks()
