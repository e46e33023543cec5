"""The libraries that draw a report are an extra; this module asks for them by its name."""

from __future__ import annotations

from importlib.util import find_spec

from eactf.errors import UsageError

__all__ = ["require_extra"]

_MODULES = {"matplotlib": "matplotlib", "sklearn": "scikit-learn", "jinja2": "jinja2"}
"""The modules that the extra `report` brings, and the packages that they are in."""


def require_extra() -> None:
    """Raise `UsageError`, with the command that installs them, where a library is missing."""
    missing = [package for module, package in _MODULES.items() if find_spec(module) is None]
    if missing:
        raise UsageError(
            f"a report is drawn with {', '.join(missing)}, not installed here",
            hint="pip install 'eactf[report]', or in a clone of eactf: pip install -e '.[report]'",
        )
