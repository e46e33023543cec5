"""This package makes the page of a report: what finished runs show, in one HTML file."""
