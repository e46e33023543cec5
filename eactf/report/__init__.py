"""This package compares runs: it says which are needed, makes them and tabulates the results."""
