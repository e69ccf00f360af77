"""What visitors bring: uploaded tables and zips, folders, and the studies built on them."""

TABLE = "table"
"""The data set of an uploaded table."""

ABOUT: dict[str, str] = {
    "own-photos": "Photos of somebody's own. They stay on the machine that runs this app.",
    "own-texts": "Texts of somebody's own. They stay on the machine that runs this app.",
    TABLE: "A table that was uploaded. It stays on the machine that runs this app.",
}
"""What each kind of it is, in one sentence for the screen."""
