"""What made it so, for many test examples, or another quantity than one answer?"""

from pages._parts.ask import answer, choose, taken_out
from pages._shell.catalogue import ASK
from pages._shell.page import open_page

with open_page(ASK) as (view, params):
    asked = answer.load(view, params)
    answer.headline(asked)
    choose.show(asked.study, params)
    answer.examples(asked, view)
    answer.ranking(asked, view)
    answer.opened(asked, view)
    taken_out.show(asked, view, params)
    answer.reasons(asked, params)
    answer.origin(asked)
