"""Readers of the files that people have: pictures, tables, texts, archives."""
