"""This package is for people who look through suspect labels: a page, decisions, mended data."""
