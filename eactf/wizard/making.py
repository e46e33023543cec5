"""This module writes what the wizard makes, packed images and a recipe: both, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eactf import files
from eactf.intake.packing import PackReport, pack
from eactf.packed.names import plain_set_names
from eactf.progress import counting
from eactf.suggestions import command_line
from eactf.wizard import label_rules, showing
from eactf.wizard.choices import Choice, Origin
from eactf.wizard.holding_out import hold_out
from eactf.wizard.label_rules import GIVEN
from eactf.wizard.looking import UserData
from eactf.wizard.plan import Answers, Plan, validation_share
from eactf.wizard.writing import recipe_text
from eactf.wording import counted

__all__ = ["Wishes", "asides", "make", "planned_files", "run_command"]


@dataclass(frozen=True)
class Wishes:
    """All answers but the last; `quality` is empty where the data itself tells.

    `pack` is where to pack the images, None for not at all. The origins say who answered.
    """

    labels: str
    quality: str
    minutes: int
    recipe: Path
    pack: Path | None
    quality_origin: Origin = Origin.YOU
    minutes_origin: Origin = Origin.YOU
    pack_origin: Origin = Origin.YOU

    def answers(self, data: UserData, max_bad: float) -> Answers:
        """What the plan needs of them."""
        labels = self.labels
        if labels != GIVEN:  # as packing names it, which a run of unpacked images does as well
            labels = plain_set_names(tuple(data.listing.labels))[labels]
        return Answers(
            labels=labels,
            minutes=self.minutes,
            data=str(_lasting(self.pack or data.path)),
            packed=self.pack is not None or data.packed,
            held_out=self.holds_out(data),
            max_bad=max_bad,
            minutes_origin=self.minutes_origin,
            data_origin=self.pack_origin,
        )

    def holds_out(self, data: UserData) -> bool:
        """Whether packing takes the validation split off, rather than each run.

        So it is where near copies would be torn apart; a run keeps equal ones together itself.
        """
        own = data.fingerprint.splits.get("validation")
        return self.pack is not None and not own and data.has_copies


def asides(data: UserData, wishes: Wishes) -> dict[str, Choice[str]]:
    """What belongs to the plan and is no key of a recipe: the vote rule, the validation split."""
    rule = data.listing.notes.get("vote_rule")
    votes = {} if rule is None else {"votes": label_rules.vote_rule(str(rule))}
    return {**votes, "validation": _validation(data, wishes)}


def _validation(data: UserData, wishes: Wishes) -> Choice[str]:
    """What a run is watched on, in words; never the test split."""
    own = data.fingerprint.splits.get("validation")
    if own:
        return Choice(counted(own, "image"), Origin.DATA, "its own split")
    share = validation_share(data.fingerprint.splits["train"])
    reason = share.reason
    if wishes.holds_out(data) and data.has_copies:
        reason += "; copies of an image stay on one side"
    elif data.has_copies:
        reason += "; copies may land on both sides and flatter it: pack to keep them together"
    return Choice(f"{share.value:.0%} of train", share.origin, reason)


def _lasting(path: Path) -> Path:
    """The path as it can be found from any folder; links stay, unless `..` leads through them."""
    return path.resolve() if ".." in path.parts else path.absolute()


def planned_files(wishes: Wishes, packed_bytes: int) -> dict[Path, str]:
    """What `make` is going to write, each with a few words."""
    planned = {wishes.recipe: "the recipe"}
    if wishes.pack is not None:
        planned[wishes.pack] = f"the images, {showing.size_text(packed_bytes)}"
    return planned


def run_command(wishes: Wishes) -> str:
    """The command that trains the recipe."""
    return command_line("eactf", "train", "--recipe", wishes.recipe)


def make(
    data: UserData, wishes: Wishes, plan: Plan, *, max_bad: float, overwrite: bool
) -> PackReport | None:
    """Pack where wished, then write the recipe; where that fails the packed file goes again."""
    text = _recipe(data, wishes, plan)
    if wishes.pack is None:
        files.write_text(wishes.recipe, text)
        return None
    existed = wishes.pack.exists()
    report = _pack(data, wishes, plan, wishes.pack, max_bad=max_bad, overwrite=overwrite)
    try:
        files.write_text(wishes.recipe, text)
    except BaseException:
        for made in (report.path, report.quarantine):
            if made is not None and not existed:
                Path(made).unlink(missing_ok=True)
        raise
    return report


def _pack(
    data: UserData, wishes: Wishes, plan: Plan, out: Path, *, max_bad: float, overwrite: bool
) -> PackReport:
    listing = data.listing
    if wishes.holds_out(data):
        share = validation_share(data.fingerprint.splits["train"]).value
        listing = hold_out(listing, data.scan, data.duplicates.near, share)
    with counting("packing") as progress:
        return pack(
            listing,
            out,
            size=plan.network.size,
            channels=plan.network.channels,
            max_bad=max_bad,
            overwrite=overwrite,
            progress=progress,
        )


def _recipe(data: UserData, wishes: Wishes, plan: Plan) -> str:
    method = showing.method_title(plan.value("method.name"))
    known = "by a step measured here" if plan.step.measured else "by estimate, not measured"
    classes = counted(len(data.fingerprint.class_names), "class", "classes")
    return recipe_text(
        plan.choices,
        about=f"{method} on {data.path.name}, {classes}; made by eactf wizard.",
        run=run_command(wishes),
        takes=f"{showing.about(plan.seconds)} {known}",
    )
