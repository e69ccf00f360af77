"""Which of your own examples matter?"""

import streamlit as st

from pages._parts.build import bring, lists, studies
from pages._shell.catalogue import BUILD
from pages._shell.page import open_page

with open_page(BUILD, any_study=True) as (view, _):
    st.title("Which of your own examples matter?")
    st.markdown(
        "Bring photos, texts or a table. A model is trained on them here, and the other pages explain what it says: "
        "which examples made it, which misled it, what happens without them."
    )
    studies.show_built(view)
    form = st.container()
    studies.show_list(view)  # first, so that it stands there whatever comes of what is brought
    with form:
        if not studies.train(view):
            bring.show(view)
    lists.offer(view)
    bring.offer_networks()
