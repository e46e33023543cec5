"""Runs side by side: which cells a comparison has, running them, and their table."""
