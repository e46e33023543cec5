"""This package reads a manifest: its table, its columns, the files it names and its labels."""
