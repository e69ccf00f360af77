"""What visitors bring: uploaded tables and zips, folders, and the studies built on them."""
