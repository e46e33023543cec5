"""This package finds what is wrong with a data set; each kind of finding has a function.

::

    images    files that cannot be read, wrong suffixes, one colour, sizes, grey among colour
    copies    pixel-identical and nearly identical images, within and across splits
    labels    classes without images, tiny and unequal classes, samples without a label
    values    continuous targets that are missing, constant or off their scale
"""

from __future__ import annotations

from dataclasses import replace

from eactf.intake.checks import copies, images, labels, values
from eactf.intake.checks.evidence import Evidence
from eactf.intake.duplicates import Duplicates, find_duplicates
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import Listing
from eactf.intake.scan import Scan

__all__ = ["check"]

_USERS_OWN = ("folder", "manifest", "npz", "hdf5", "packed")
"""The kinds of listings that are no published data sets."""

_AS_PUBLISHED = ("class-without-training-images", "duplicates-across-splits")

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


def check(
    listing: Listing,
    scan: Scan,
    duplicates: Duplicates | None = None,
    *,
    max_bad: float = images.MAX_BAD,
) -> tuple[Finding, ...]:
    """Everything found in a listing that was scanned, errors first, then warnings, then notes.

    The listing's own findings are among them; `duplicates` are found where not given. More bad
    images than the share `max_bad` are an error.
    """
    evidence = Evidence(listing, scan, duplicates or find_duplicates(scan), max_bad)
    found = list(listing.findings)
    for finder in (*images.FINDERS, *labels.FINDERS, *values.FINDERS, *copies.FINDERS):
        found += finder(evidence)
    if listing.kind not in _USERS_OWN:
        found = [_of_published(finding) for finding in found]
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.severity)))


def _of_published(finding: Finding) -> Finding:
    """A finding in a published data set: what it is known for is no error of the user's."""
    if finding.severity is Severity.ERROR and finding.code in _AS_PUBLISHED:
        return replace(finding, severity=Severity.WARNING)
    return finding
