"""This package judges trained classifiers and opens stored ones safely."""
