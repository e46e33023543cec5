"""This package trains a recipe and writes a folder of results."""
