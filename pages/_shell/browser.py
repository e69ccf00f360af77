"""Which browser this is: a cookie that nobody else knows, and what was made here belongs to it.

Streamlit reads cookies and sets none, so a script in the page does. Streamlit sees them as they were when the page was
opened: a second page that was opened before the first one's cookie was set opens itself once more.
"""

from __future__ import annotations

import re
import secrets

import streamlit as st

from influence_core.store.digest import digest

COOKIE = "influence_explorer_browser"
PRIVATE = (
    "It stays on the machine that runs this app until you remove it, and it belongs to this browser: nobody else is shown "
    "it, but whoever has the link of a study can open that study."
)
"""Said before anything is sent."""
_TOKEN = re.compile("[0-9a-f]{32}")
_SCRIPT = """<script>
(() => {
  const found = document.cookie.match(/(?:^|; )NAME=([0-9a-f]{32})(?:;|$)/);
  const secure = location.protocol === "https:" ? "; Secure" : "";
  if (!found) document.cookie = "NAME=TOKEN; Max-Age=34560000; Path=/; SameSite=Strict" + secure;
  else if (found[1] !== "TOKEN" && !sessionStorage.getItem("NAME")) {
    sessionStorage.setItem("NAME", "opened again");
    location.reload();
  }
})();
</script>"""


def owner() -> str:
    """The name under which the work of this browser is kept; the cookie itself is written nowhere."""
    return digest("owner", _token())[:32]


def remember() -> None:
    """Give the browser its cookie, where it came without."""
    if st.context.cookies.get(COOKIE) != _token():
        script = _SCRIPT.replace("NAME", COOKIE).replace("TOKEN", _token())
        st.html(script, unsafe_allow_javascript=True)


def _token() -> str:
    if "browser" not in st.session_state:
        sent = str(st.context.cookies.get(COOKIE, ""))
        st.session_state["browser"] = sent if _TOKEN.fullmatch(sent) else secrets.token_hex(16)
    token: str = st.session_state["browser"]
    return token
