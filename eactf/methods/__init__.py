"""The methods, one file each, and what they stand on.

`base.py` is the seam, as the author of a method sees it; `batch.py`, `clock.py` and `replicas.py`
are what it is made of. `views.py` and `erasing.py` make the images that are trained on; `memory.py`
and `ledger.py` keep what is known of single samples.
"""
