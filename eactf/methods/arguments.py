"""A constructor's arguments are held against their own annotations, which recipes read too."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt

from eactf.only import Only

__all__ = ["check_arguments"]


def check_arguments(method: type, values: Mapping[str, Any]) -> None:
    """Refuse `values` that the constructor of `method` does not accept, by its annotations.

    `Annotated[float, Ge(0), Lt(1)]` is a number in [0, 1), `Literal["a", "b"]` one of those, and
    `Only("views", "4")` marks what may differ from its default with `views=4` alone. Raises
    `ValueError` that names the argument, what it accepts and what it received.
    """
    start: Any = method.__init__  # type: ignore[misc]  # asked of the class itself, not an object
    defaults = start.__kwdefaults__ or {}
    for name, kind in get_type_hints(start, include_extras=True).items():
        if name in values:
            _check(name, kind, values[name])
            _check_effect(name, kind, values, defaults.get(name))


def _check(name: str, kind: Any, value: Any) -> None:
    plain, marks = (get_args(kind)[0], kind.__metadata__) if _is_marked(kind) else (kind, ())
    if value is None and NoneType in get_args(plain):
        return
    if get_origin(plain) is Literal:
        choices = get_args(plain)
        if value not in choices:
            raise ValueError(f"{name} must be {_either(choices)}; received {value!r}")
        return
    bounds = [mark for mark in marks if isinstance(mark, Ge | Gt | Le | Lt)]
    whole = int in (plain, *get_args(plain))
    if bounds and not (
        isinstance(value, Integral if whole else Real) and all(_holds(b, value) for b in bounds)
    ):
        number = "a whole number " if whole else ""
        raise ValueError(f"{name} must be {number}{_range(bounds)}; received {value!r}")


def _check_effect(name: str, kind: Any, values: Mapping[str, Any], default: Any) -> None:
    only = Only.among(kind.__metadata__ if _is_marked(kind) else ())
    if only is None or values[name] == default or only.serves(values[only.key]):
        return
    wanted = " or ".join(f"{only.key}={choice}" for choice in only.choices)
    raise ValueError(
        f"{name} has no effect with {only.key}={values[only.key]!r}: leave it out, or set "
        f"{wanted}; received {values[name]!r}"
    )


def _is_marked(kind: Any) -> bool:
    return get_origin(kind) is Annotated


def _holds(bound: Ge | Gt | Le | Lt, value: Any) -> bool:
    match bound:
        case Ge(ge=low):
            return bool(value >= low)
        case Gt(gt=low):
            return bool(value > low)
        case Le(le=high):
            return bool(value <= high)
        case Lt(lt=high):
            return bool(value < high)


def _range(bounds: list[Ge | Gt | Le | Lt]) -> str:
    """One or two bounds, as in mathematics."""
    low = next((bound for bound in bounds if isinstance(bound, Ge | Gt)), None)
    high = next((bound for bound in bounds if isinstance(bound, Le | Lt)), None)
    start = f"[{low.ge}" if isinstance(low, Ge) else f"({low.gt}" if low else ""
    end = f"{high.le}]" if isinstance(high, Le) else f"{high.lt})" if high else ""
    if start and end:
        return f"in {start}, {end}"
    return start.replace("[", ">= ").replace("(", "> ") or f"at most {end.rstrip(')]')}"


def _either(choices: tuple[Any, ...]) -> str:
    return " or ".join([", ".join(map(repr, choices[:-1])), repr(choices[-1])])
