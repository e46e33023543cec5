"""A recipe for data of one's own without a question: what the wizard chooses by default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eactf import console
from eactf.data.opened import data_settings
from eactf.intake.advice import hints_lead_to_packing
from eactf.intake.checks import check
from eactf.intake.fingerprint import Fingerprint
from eactf.intake.sources import SourceOptions
from eactf.intake.verdict import refuse_errors
from eactf.recipe import ResolvedRecipe, load_recipe
from eactf.suggestions import command_line
from eactf.wizard import showing
from eactf.wizard.choices import Origin
from eactf.wizard.label_rules import GIVEN, wrong_labels
from eactf.wizard.looking import look_at, refuse_hopeless
from eactf.wizard.machine import look_at_machine
from eactf.wizard.plan import Answers, Plan, make_plan, usual_minutes
from eactf.wizard.time_rules import Pace

__all__ = ["OWN_DATA", "plan_for_own_data"]

OWN_DATA = "own-data"
"""The shipped recipe that the plan stands over."""

_LABELS = "some"
"""How far labels are trusted that nobody has been asked about."""


def plan_for_own_data(path: Path, overrides: Sequence[str] = ()) -> ResolvedRecipe:
    """Look at the data at `path`, show what it is and what is planned, and resolve the recipe.

    Nothing is measured or asked: labels count as partly wrong, times are estimates. `overrides`
    (`key=value`) win over the plan. Raises `UsageError`, `DataError` where the data cannot be
    trained on, `RecipeError`.
    """
    with hints_lead_to_packing(path):
        data = look_at(path, SourceOptions())
        console.emit("fingerprint", **data.fingerprint.as_dict())
        showing.show_fingerprint(data.fingerprint)
        findings = check(data.listing, data.scan, data.duplicates)
        showing.show_findings(findings, data.check_command)
        refuse_hopeless(data, Answers.max_bad)
        if not data.packed:
            refuse_errors(findings, path, options=data.options)
    plan = _plan(data.fingerprint, path, packed=data.packed)
    showing.show_plan(plan, {}, {})
    console.say(
        f"\nto be asked, and to keep this as a recipe: eactf wizard {command_line(path)}\n",
        markup=False,
    )
    planned = {
        key: (choice.value, f"planned, {choice.because}")
        for key, choice in plan.choices.items()
        if key not in ("data.path", "data.source")
    }
    resolved = load_recipe(OWN_DATA, overrides, data_settings(path), planned)
    return replace(resolved, looked_through=True)


def _plan(fingerprint: Fingerprint, path: Path, *, packed: bool) -> Plan:
    pace = Pace(look_at_machine())
    answers = Answers(
        labels=GIVEN,
        minutes=usual_minutes(fingerprint, pace).value,
        data=str(path),
        packed=packed,
        minutes_origin=Origin.DEFAULT,
        data_origin=Origin.DEFAULT,
    )
    wrong = wrong_labels(fingerprint, GIVEN, _LABELS, None, Origin.DEFAULT)
    return make_plan(fingerprint, answers, wrong, pace)
