"""Judging classifiers, and opening stored ones safely."""
