"""`Layers` puts what the user set over a recipe file and remembers where each value came from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eactf.only import Anew, Only
from eactf.recipe.keys import sections_at
from eactf.recipe.method_settings import method_name
from eactf.recipe.schema import PRESETS
from eactf.recipe.sections import Section
from eactf.recipe.strict_yaml import KeyPath

__all__ = ["Layers", "Setting"]


@dataclass(frozen=True)
class Setting:
    """A value with where it came from; `override` is False for what the recipe file says."""

    value: Any
    where: str
    override: bool


@dataclass
class Layers:
    """Settings by path, later ones over earlier ones.

    `places` tells where a section or a refused key stands; `dropped` lists the keys of the file
    that a choice made over it has left without a meaning; `replaced` is what the file had where
    something was set over it.
    """

    settings: dict[KeyPath, Setting] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)
    dropped: list[KeyPath] = field(default_factory=list)
    replaced: dict[KeyPath, Any] = field(default_factory=dict)

    def put(self, path: KeyPath, value: Any, where: str, *, override: bool) -> None:
        """Set a value; a mapping sets each of its keys and leaves their neighbours alone."""
        self.places[path] = where
        if isinstance(value, Mapping) and value:
            for key, inner in value.items():
                self.put((*path, str(key)), inner, where, override=override)
            return
        if override:
            if path in self.settings:
                self.replaced.setdefault(path, self.settings[path].value)
            self._clear(path)
        plain = os.fspath(value) if isinstance(value, os.PathLike) else value
        self.settings[path] = Setting(plain, where, override)

    def where(self, path: KeyPath) -> str:
        """The place of a key, or of the nearest section around it that has one."""
        below = [setting for other, setting in self.settings.items() if other[: len(path)] == path]
        if below and all(setting.override for setting in below):
            return below[0].where
        for length in range(len(path), 0, -1):
            if path[:length] in self.settings:
                return self.settings[path[:length]].where
            if path[:length] in self.places:
                return self.places[path[:length]]
        return "default"

    def tree(self) -> dict[str, Any]:
        """The settings as nested mappings, ready to be validated."""
        root: dict[str, Any] = {}
        for path, setting in self.settings.items():
            section = root
            for part in path[:-1]:
                section = section.setdefault(part, {})
            section[path[-1]] = setting.value
        return root

    def settle(self) -> None:
        """Draw the consequences of the choices made over the file.

        A path of data means packed data, unless the same layer says otherwise or the file names
        images, which a packed file may stand in for. A choice
        (`method.name`, `noise.kind`, `noise.preset`, `optimizer.name`, ...) that was set over the
        file drops those keys of the file that have a meaning only for the choice it replaces.
        """
        self._data_path_means_packed()
        self._drop_keys_of_another_method()
        self._drop_keys_against_preset()
        for path, setting in list(self.settings.items()):
            if not setting.override and not self._still_serves(path):
                self._drop(path)

    def _data_path_means_packed(self) -> None:
        path = self.settings.get(("data", "path"))
        source = self.settings.get(("data", "source"))
        if source and (source.override or source.value == "images"):
            return
        if path and path.override and path.value is not None:
            self.put(("data", "source"), "packed", path.where, override=True)

    def _drop_keys_of_another_method(self) -> None:
        if not self._overridden(("method", "name")):
            return
        models = sections_at(("method",))
        name = method_name(self.tree().get("method", {}))
        chosen = [model for model in models if model.model_fields["name"].default == name]
        if not chosen:
            return
        before = self.replaced.get(("method", "name"), method_name({}))
        # Where either of the two marks a key, they do not mean the same by it.
        pair = [model for model in models if model.model_fields["name"].default in (before, name)]
        for path in self._of_file(("method",)):
            known = any(path[1] in model.model_fields for model in models)
            fields = [model.model_fields.get(path[1]) for model in pair]
            begins_anew = len(pair) > 1 and any(f and Anew.among(f.metadata) for f in fields)
            if known and (path[1] not in chosen[0].model_fields or begins_anew):
                self._drop(path)

    def _drop_keys_against_preset(self) -> None:
        """The later of a preset and a key it settles wins over the earlier."""
        preset = self.settings.get(("noise", "preset"))
        settled = PRESETS.get(str(preset.value), {}) if preset else {}
        for key, value in settled.items():
            setting = self.settings.get(("noise", key))
            if not preset or not setting or setting.value == value:
                continue
            if preset.override and not setting.override:
                self._drop(("noise", key))
            elif setting.override and not preset.override:
                self._drop(("noise", "preset"))
                self._keep_preset(settled, preset)
                return

    def _keep_preset(self, settled: Mapping[str, object], preset: Setting) -> None:
        # The file meant the rest of its preset; only what was set over it changes.
        for key, value in settled.items():
            if ("noise", key) not in self.settings:
                self.put(("noise", key), value, preset.where, override=False)

    def _still_serves(self, path: KeyPath) -> bool:
        """False for a key of the file whose deciding sibling was set over the file to another."""
        for depth in range(1, len(path)):
            for model in self._sections_at(path[:depth]):
                field_info = model.model_fields.get(path[depth])
                only = Only.among(field_info.metadata) if field_info else None
                if only is None:
                    continue
                section = path[:depth]
                # Another method has defaults of its own for what decides.
                keys = (only.key, "preset", *(["name"] if section == ("method",) else []))
                decided = any(self._overridden((*section, key)) for key in keys)
                if decided and not only.serves(self._chosen(section, only.key, model)):
                    return False
        return True

    def _sections_at(self, path: KeyPath) -> list[type[Section]]:
        """The classes at a path; of those of methods the chosen one alone, where it is known."""
        found = sections_at(path)
        if path != ("method",):
            return found
        name = method_name(self.tree().get("method", {}))
        return [one for one in found if one.model_fields["name"].default == name] or found

    def _chosen(self, section: KeyPath, key: str, model: type[Section]) -> object:
        """What a deciding key holds: as set, as its preset settles it, or by default."""
        preset = self.settings.get((*section, "preset"))
        settled = PRESETS.get(str(preset.value), {}) if preset else {}
        setting = self.settings.get((*section, key))
        return setting.value if setting else settled.get(key, model.model_fields[key].default)

    def _overridden(self, path: KeyPath) -> bool:
        setting = self.settings.get(path)
        return setting is not None and setting.override

    def _clear(self, path: KeyPath) -> None:
        """Forget what stands at a path, under it, or in place of a section that it needs."""
        for other in list(self.settings):
            if other[: len(path)] == path or path[: len(other)] == other:
                del self.settings[other]

    def _of_file(self, section: KeyPath) -> Iterator[KeyPath]:
        for path, setting in list(self.settings.items()):
            inside = path[: len(section)] == section and len(path) > len(section)
            if inside and not setting.override:
                yield path

    def _drop(self, path: KeyPath) -> None:
        del self.settings[path]
        self.dropped.append(path)
