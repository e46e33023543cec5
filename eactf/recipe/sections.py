"""`Section` is the base of every section of a recipe, strict about types and needless keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from eactf.only import Only

__all__ = [
    "Conflict",
    "Expected",
    "Names",
    "NamesByName",
    "NumbersByName",
    "Pair",
    "Section",
    "Seed",
    "Table",
    "as_tuple",
    "refuse",
    "whole_number",
]


LARGEST_SEED = 2**31 - 1
"""Seeds fit a signed 32-bit integer, so that they reach any device and any generator unchanged."""


@dataclass(frozen=True)
class Expected:
    """States what a field accepts, where its type and bounds do not say it well enough."""

    text: str


class Conflict(NamedTuple):
    """A key at odds with its siblings: a few words of what kind, and what to do about it.

    `key` may lie deeper, as in `schedule.beta_1`.
    """

    key: str
    kind: str
    advice: str


class Section(BaseModel):
    """A group of settings: frozen, unknown keys refused, no value turned into another type."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=False,
        use_attribute_docstrings=False,
    )

    def conflicts(self) -> Iterator[Conflict]:
        """Keys that contradict each other; looked for once every field is sound by itself."""
        return iter(())

    @model_validator(mode="after")
    def _refuse_conflicts(self) -> Self:
        found = [*self._without_effect(), *self.conflicts()]
        if found:
            details = [_detail(conflict, self) for conflict in found]
            raise ValidationError.from_exception_data(type(self).__name__, details)
        return self

    def _without_effect(self) -> Iterator[Conflict]:
        """Keys set to something that the choices made beside them would silently ignore."""
        for key, field in type(self).model_fields.items():
            only = Only.among(field.metadata)
            if only is None or key not in self.model_fields_set:
                continue
            chosen, value = getattr(self, only.key), getattr(self, key)
            if not only.serves(chosen) and value != field.get_default(call_default_factory=True):
                wanted = " or ".join(only.choices)
                advice = f"{key} serves only {only.key} = {wanted}; here {only.key} = {chosen}"
                yield Conflict(key, "has no effect", advice)


def as_tuple(value: Any) -> Any:
    """Lists, nested ones included, as tuples (a frozen recipe holds nothing that changes)."""
    return tuple(as_tuple(item) for item in value) if isinstance(value, list | tuple) else value


class Table(dict[str, Any]):
    """Values by name in a recipe, which is frozen and can be a key of mappings itself."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Pair = Annotated[tuple[float, float], BeforeValidator(as_tuple)]
Names = Annotated[tuple[str, ...], BeforeValidator(as_tuple), Expected("[name, name, ...]")]
NamesByName = Annotated[
    Mapping[str, Names], AfterValidator(Table), Expected("{name: [name, ...], ...}")
]
NumbersByName = Annotated[
    Mapping[str, float], AfterValidator(Table), Expected("{name: number, ...}")
]


def whole_number(value: Any) -> Any:
    """The value, refused unless it is a whole number; for a choice among numbers."""
    # A choice among numbers is compared by ==, which would let true pass for 1.
    if value is not None and type(value) is not int:
        raise refuse("wrong type", "expected a whole number")
    return value


def refuse(kind: str, advice: str) -> PydanticCustomError:
    """An error for a validator to raise; `advice` reaches the user as it stands."""
    # Not put into the template itself: braces in a value would be taken for place holders.
    return PydanticCustomError(_literal(kind), "{advice}", {"advice": advice})


def _detail(conflict: Conflict, section: Section) -> InitErrorDetails:
    error, path = refuse(conflict.kind, conflict.advice), tuple(conflict.key.split("."))
    value: object = reduce(getattr, path, section)
    return InitErrorDetails(type=error, loc=path, input=value)


def _literal(kind: str) -> Any:
    return kind
