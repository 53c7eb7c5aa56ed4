"""Simplification: graphs in normal form, rewritten by a table of laws."""
