"""This package reads published data sets; each of them has a file."""
