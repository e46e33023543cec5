"""`run_wizard` leads from the first look at the data to the next command, in that order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from eactf import console, files
from eactf.errors import Interrupted, UsageError
from eactf.intake.checks import check
from eactf.intake.packing import PackReport
from eactf.intake.sources import SourceOptions
from eactf.intake.sources.clean_flags import CleanOrFlagError
from eactf.intake.verdict import refuse_errors
from eactf.progress import waiting
from eactf.recipe.strict_yaml import write_scalar
from eactf.wizard import questions, showing
from eactf.wizard.answering import Answerer
from eactf.wizard.choices import Origin
from eactf.wizard.label_rules import GIVEN, NoiseEstimate, known_share, wrong_labels
from eactf.wizard.looking import (
    UserData,
    join_spellings,
    keep_as_classes,
    look_at,
    missing_labels,
    refuse_hopeless,
    spellings,
)
from eactf.wizard.machine import Machine
from eactf.wizard.making import (
    Wishes,
    asides,
    make,
    planned_files,
    run_command,
)
from eactf.wizard.measuring import Measuring, MeasuringError
from eactf.wizard.plan import Plan, make_plan, packed_bytes, usual_minutes
from eactf.wizard.time_rules import Pace
from eactf.wording import counted

__all__ = ["Settings", "run_wizard"]

_MOST_MEASUREMENTS = 3


@dataclass(frozen=True)
class Settings:
    """What the command line says beside the answers."""

    options: SourceOptions
    measuring: Measuring
    machine: Machine
    max_bad: float = 0.01
    overwrite: bool = False
    save_answers: Path | None = None


def run_wizard(path: Path | None, answerer: Answerer, settings: Settings) -> None:
    """Look at the data, ask, plan, confirm, pack the images and write the recipe.

    Raises `UsageError` with every answer that is missing or wrong, `DataError` where the data
    cannot be trained on, `Interrupted` on Ctrl-C: nothing is written then.
    """
    if settings.save_answers is not None:
        _check_saved(settings.save_answers, overwrite=settings.overwrite)
    try:
        made = _run(path, answerer, settings)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was written") from None
    if made is not None:
        _save_answers(answerer, settings)
        _tell(made, answerer)


@dataclass(frozen=True)
class _Made:
    """What was written: the recipe of a plan, and the report of the packing if there was one."""

    wishes: Wishes
    plan: Plan
    report: PackReport | None


def _run(path: Path | None, answerer: Answerer, settings: Settings) -> _Made | None:
    """Everything up to the last file; None where the person said no to it."""
    if path is None:
        path = answerer.ask(questions.ask_data())
        answerer.finish()
        console.say()
    data = _show(_look_at(Path(path or ""), answerer, settings), settings)
    data, wishes = _ask(data, answerer, settings)
    planned = planned_files(wishes, packed_bytes(data.fingerprint, settings.machine))
    last = questions.ask_write(list(planned))
    saved = settings.save_answers
    if saved is not None and saved.absolute() in {path.absolute() for path in planned}:
        hint = "give the answers a name of their own"
        raise UsageError(f"--save-answers {saved} would replace what is written", hint=hint)
    answerer.require(last)
    answerer.finish()
    unused = answerer.unused(last.key)
    if unused:
        console.say(f"\nnot asked here: {', '.join(unused)}", markup=False)
    plan = _plan(data, wishes, _estimate_noise(data, wishes, settings), settings)
    showing.show_plan(plan, asides(data, wishes), planned)
    console.forget_typed()  # a line typed while measuring was not meant for this
    if not answerer.ask(last):
        console.say("\nnothing was written")
        return None
    report = make(data, wishes, plan, max_bad=settings.max_bad, overwrite=settings.overwrite)
    return _Made(wishes, plan, report)


def _look_at(path: Path, answerer: Answerer, settings: Settings) -> UserData:
    """The data; where it cannot be read without a word of the person, that is asked for first."""
    try:
        return look_at(path, settings.options)
    except CleanOrFlagError as doubt:
        answer = answerer.ask(questions.ask_clean(doubt))
        if answerer.origins.get("clean") is Origin.DEFAULT:
            console.say(f"{doubt.name} is taken as {answer}; else: --clean NAME", markup=False)
        clean = "" if answer == questions.FLAGS else doubt.name
        return look_at(path, replace(settings.options, clean=clean))


def _show(data: UserData, settings: Settings) -> UserData:
    console.emit("fingerprint", **data.fingerprint.as_dict())
    showing.show_fingerprint(data.fingerprint)
    findings = check(data.listing, data.scan, data.duplicates, max_bad=settings.max_bad)
    showing.show_findings(findings, data.check_command)
    refuse_hopeless(data, settings.max_bad)
    if not data.packed:
        apart = {found.code for found in spellings(data)}  # these are asked about
        refuse_errors(findings, data.path, options=data.options, accept=apart)
    return data


def _ask(data: UserData, answerer: Answerer, settings: Settings) -> tuple[UserData, Wishes]:
    """Every question but the first and the last; the data as it is to be read by the answers."""
    merge = questions.ask_merge(spellings(data))
    if merge is not None and answerer.ask(merge):
        data = join_spellings(data)
    missing = questions.ask_missing(missing_labels(data), len(data.listing))
    if missing is not None and not answerer.ask(missing):
        data = keep_as_classes(data)
    fingerprint = data.fingerprint
    which = questions.ask_labels(fingerprint)
    labels = GIVEN if which is None else answerer.ask(which)
    quality = ""
    if known_share(fingerprint, labels) is None:
        can_measure = settings.measuring.possible
        quality = answerer.ask(questions.ask_quality(fingerprint, can_measure=can_measure))
    usual = usual_minutes(fingerprint, Pace(settings.machine))
    minutes = answerer.ask(questions.ask_minutes(usual, settings.machine.described))
    recipe = answerer.ask(questions.ask_recipe(Path(), overwrite=settings.overwrite))
    return data, Wishes(
        labels=labels,
        quality=quality,
        minutes=minutes,
        recipe=recipe,
        pack=None if data.packed else _ask_pack(data, recipe, answerer, settings),
        quality_origin=answerer.origins.get("quality", Origin.DEFAULT),
        minutes_origin=answerer.origins.get("minutes", Origin.DEFAULT),
        pack_origin=answerer.origins.get("pack", Origin.YOU),
    )


def _ask_pack(
    data: UserData, recipe: Path | None, answerer: Answerer, settings: Settings
) -> Path | None:
    if recipe is None:
        return None  # its name was wrong, which is about to be told
    size = showing.size_text(packed_bytes(data.fingerprint, settings.machine))
    question = questions.ask_pack(
        recipe,
        size,
        source=data.path,
        needed=_why_packed(data),
        overwrite=settings.overwrite,
    )
    found: Path | None = answerer.ask(question)
    return found


def _why_packed(data: UserData) -> str:
    """Why a recipe cannot do with the images as they are; empty where it can."""
    if data.options != SourceOptions():
        return "a recipe cannot say how the data is to be read, a packed file need not"
    if spellings(data):
        return "a run would stop at a class in two spellings; packed they stay two classes"
    return ""


def _estimate_noise(data: UserData, wishes: Wishes, settings: Settings) -> NoiseEstimate | None:
    if wishes.quality != "measure":
        return None
    try:
        with waiting("measuring how many labels are wrong") as add:
            estimate = settings.measuring.noise(
                data.path, data.options, lambda seconds: add(f"{showing.about(seconds)} in all")
            )
    except MeasuringError as failure:
        console.warn(f"the labels could not be measured: {failure.message}; taken as partly wrong")
        return None
    console.say()
    showing.show_noise(estimate)
    return estimate


def _plan(
    data: UserData, wishes: Wishes, estimate: NoiseEstimate | None, settings: Settings
) -> Plan:
    """The plan, made anew after every step measured, until its own network's step is measured."""
    fingerprint, answers = data.fingerprint, wishes.answers(data, settings.max_bad)
    wrong = wrong_labels(
        fingerprint, wishes.labels, wishes.quality, estimate, wishes.quality_origin
    )
    pace = Pace(settings.machine)
    plan = make_plan(fingerprint, answers, wrong, pace)
    for _ in range(_MOST_MEASUREMENTS if settings.measuring.possible else 0):
        if plan.step.measured:
            break
        try:
            pace = _measured(plan, pace, settings.measuring)
        except MeasuringError as failure:
            console.warn(f"no step could be timed: {failure.message}; the times are estimates")
            break
        plan = make_plan(fingerprint, answers, wrong, pace)
    return plan


def _measured(plan: Plan, pace: Pace, measuring: Measuring) -> Pace:
    """The pace after a step of the plan's network is timed."""
    name = f"{plan.network.backbone}, width {plan.network.width}"
    with waiting(f"timing a training step of {name}"):
        measured = measuring.step(plan)
    if pace.machine.gpus and "GPU" not in measured.devices:
        console.warn("TensorFlow does not use the GPU here; this is planned for the CPU")
        return Pace(replace(pace.machine, gpus=()))
    return pace.with_measured(plan.network, measured.step, plan.step)


def _check_saved(path: Path, *, overwrite: bool) -> None:
    """Raise `UsageError` where the answers could not, or must not, be written to `path`."""
    if path.is_dir() or not path.parent.is_dir():
        found = "is a folder" if path.is_dir() else "is in a folder that is not there"
        raise UsageError(f"--save-answers {path} {found}", hint="give the name of a file to write")
    if path.exists() and not overwrite:
        hint = "give another name, or --overwrite"
        raise UsageError(f"--save-answers {path} exists and is not overwritten", hint=hint)


def _save_answers(answerer: Answerer, settings: Settings) -> None:
    if settings.save_answers is not None:
        lines = [f"{key}: {write_scalar(text)}\n" for key, text in answerer.given.items()]
        files.write_text(settings.save_answers, "".join(lines))


def _tell(made: _Made, answerer: Answerer) -> None:
    """What was written, and the next command."""
    wishes, plan, report = made.wishes, made.plan, made.report
    command = run_command(wishes)
    console.emit(
        "wizard",
        recipe=str(wishes.recipe),
        packed=None if report is None else report.as_dict(),
        plan={
            key: {"value": choice.value, "origin": str(choice.origin), "reason": choice.reason}
            for key, choice in plan.choices.items()
        },
        answers=answerer.given,
        estimated_seconds=plan.seconds,
        next=command,
    )
    console.say(f"\nwrote {wishes.recipe}", markup=False)
    if report is not None:
        console.say(f"packed {counted(report.images, 'image')} into {report.path}", markup=False)
        if report.bad:
            console.say(f"left out {len(report.bad):,}: see {report.quarantine}", markup=False)
        for remark in report.remarks:
            console.say(f"  {remark}", markup=False)
    console.say("next:")
    console.say(f"  {command}", markup=False)
