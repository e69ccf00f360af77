"""What did the paper find, and does it come out here?"""

from influence_core.reproduce import FIGURES
from pages._parts import paper
from pages._shell.catalogue import PAPER
from pages._shell.page import heading, open_page

with open_page(PAPER, any_study=True) as (view, params):
    heading("What did the paper find, and does it come out here?", PAPER)
    kept = paper.kept(params)
    paper.show_answer(kept)
    paper.choose_data(params)
    for figure in FIGURES.values():
        paper.show(view, params, figure, kept.get(figure.name))
    paper.show_pages(view)
