"""This package writes a stored classifier as a file of another runtime, and tries that file out."""
