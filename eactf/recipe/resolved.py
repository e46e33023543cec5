"""A resolved recipe holds every value that a run will use, with the place it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from eactf.recipe.schema import PRESETS, Recipe
from eactf.recipe.sections import Section
from eactf.recipe.shipped import HEADER_KEYS
from eactf.recipe.strict_yaml import KeyPath, dotted, write_scalar

__all__ = ["ResolvedRecipe", "leaf_values"]

DEFAULT = "default"

_COMMENT_COLUMN = 44


@dataclass(frozen=True)
class ResolvedRecipe:
    """A valid recipe with its provenance.

    `path` is the file as messages name it. `sources` has one entry for every key: a file and its
    line, a flag (`--set, 2nd`), `noise.preset`, or `default`. `header` is what the file says about
    itself (about, run, takes, expect, cite). `dropped` names keys of the file that a choice made
    over it, such as `--set method.name=cross_entropy`, has left without a meaning. `shipped` says
    that the file is one of eactf's own, `looked_through` that it was planned by looking at all
    images of the data, which a run need not do again.
    """

    name: str
    path: str
    recipe: Recipe
    sources: Mapping[str, str]
    header: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    shipped: bool = False
    looked_through: bool = False

    @property
    def missed(self) -> tuple[str, ...]:
        """Those of `dropped` that the user wrote; what a shipped recipe says the user never set."""
        return () if self.shipped else self.dropped

    def dump_yaml(self) -> str:
        """The whole recipe as YAML, every value with its origin; it loads back to an equal one."""
        lines = [f"# {_one_line(self.name)}, resolved: every value and where it came from", "#"]
        for topic in HEADER_KEYS:
            if self.header.get(topic):
                lines.append(f"# {topic}: {_one_line(self.header[topic])}")
        return "\n".join([*lines, "", *self._body(self.recipe, ())]) + "\n"

    def _body(self, section: Section, path: KeyPath) -> Iterator[str]:
        indent = "  " * len(path)
        for name in type(section).model_fields:
            value = getattr(section, name)
            if isinstance(value, Section):
                yield f"{indent}{name}:"
                yield from self._body(value, (*path, name))
                continue
            line = f"{indent}{name}: {write_scalar(value)}"
            source = self.sources.get(dotted((*path, name)), DEFAULT)
            yield f"{line:<{_COMMENT_COLUMN}}  # {_one_line(source)}"


def leaf_values(section: Section, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every key of a recipe with its value; lists are values, sections are not."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from leaf_values(value, (*path, name))
        else:
            yield (*path, name), value


def settled_by_preset(recipe: Recipe) -> set[KeyPath]:
    """The keys that the recipe's noise preset settles."""
    preset = recipe.noise.preset
    return {("noise", key) for key in PRESETS[preset]} if preset else set()


def _one_line(text: str) -> str:
    """Text that stays inside a comment: even the name of a file may hold a line break."""
    return "".join(char if char.isprintable() else "?" for char in text)
