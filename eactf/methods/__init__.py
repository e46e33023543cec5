"""The methods, one file each, on the seam of `base.py`."""
