"""What an open page sends after a restart is read by a private way of Streamlit's, and its loss costs that click alone."""

from types import SimpleNamespace

from streamlit.runtime.state.session_state import SessionState

from pages._shell import restart


def test_the_private_way_is_there():
    assert SessionState()._new_widget_state.states == {}, "a new Streamlit: see `restart.py` for another way"


def test_without_it_the_app_goes_on(monkeypatch):
    kept = {}
    monkeypatch.setattr(restart.st, "session_state", kept)
    for state in (SimpleNamespace(), SimpleNamespace(_state=SimpleNamespace())):
        monkeypatch.setattr(
            restart, "get_script_run_ctx", lambda state=state: SimpleNamespace(session_state=state)
        )
        restart.put_aside()
    assert kept == {}


def test_a_run_of_a_page_does_not_search_all_memory_for_garbage():
    """With torch and the studies in memory that takes longer than the page, and holds every other visitor meanwhile."""
    from streamlit import config

    config.get_config_options(force_reparse=True)
    assert config.get_option("runner.postScriptGC") is False
