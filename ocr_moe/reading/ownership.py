"""Whose label it is, where several fields are announced by the same words.

Two parties to a contract have a name each; a schema tells them apart by the section in which the label
stands, by what stands above or below it, or by its number from the top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ocr_moe.folds import fold_label
from ocr_moe.reading.forms import Label
from ocr_moe.reading.sections import Place
from ocr_moe.schema import Field, Schema, forms_of

_GUESSED = 0.8
"""Factor for the quality of a label that is a field's only because no other field can have it."""


class Owners:
    """The fields of a schema, as those to whom labels belong."""

    def __init__(self, schema: Schema, places: Mapping[str, Place]) -> None:
        """`places`: field → where its value stands, for those of which the schema says that."""
        self._fields = {
            each.name: each for each in schema.fields if each.name in places or each.occurrence
        }
        self._places = places
        self.joint = {
            name: tuple(
                heading + form
                for heading in schema.headings.get(field.within, ())
                for form in field.label_forms
            )
            for name, field in self._fields.items()
        }
        """Field → its labels, each with the heading of its section before it: 购买方名称."""
        self._words = {
            name: _folded((*field.label_forms, *field.weak_labels))
            for name, field in self._fields.items()
        }
        self._joint = {name: _folded(labels) for name, labels in self.joint.items()}
        told = set().union(*self._words.values(), *self._joint.values())
        self._others = {
            word: each.name
            for each in (schema.fields if told else ())
            if each.name not in self._fields
            for word in _folded((*each.label_forms, *each.weak_labels)) & told
        }

    @property
    def needed(self) -> bool:
        """Whether the words alone do not tell for every label."""
        return bool(self._fields)

    def is_joint(self, wanted: Field, label: Label) -> bool:
        """Whether the label itself names the section."""
        return label.text in self._joint.get(wanted.name, frozenset())

    def share(self, wanted: Field, label: Label) -> bool:
        """Whether a label is the field's though another has it: they are columns of one row."""
        place = self._places.get(wanted.name)
        return (
            bool(wanted.column_of)
            and place is not None
            and label.text in self._words[wanted.name]
            and place.announces(label.glyphs[0])
        )

    def settled(self, labels: Sequence[Label]) -> list[Label]:
        """Every label with the name of the field that it announces, or with none where no field may
        have it."""
        owner: dict[int, str] = {}
        for name, field in self._fields.items():
            known = name not in self._places or self._places[name].known
            mine = [i for i, each in enumerate(labels) if self._may_have(name, each, known)]
            for index in _chosen(field, mine) if known else mine:
                owner.setdefault(index, name)
        guessed = self._guessed(labels, owner)
        settled = []
        for index, label in enumerate(labels):
            if label.name is None or not self._contested(label):
                settled.append(label)
            elif index in owner:
                settled.append(replace(label, name=owner[index]))
            elif index in guessed:
                quality = label.quality * _GUESSED
                settled.append(replace(label, name=guessed[index], quality=quality))
            else:
                settled.append(replace(label, name=self._others.get(label.text)))
        return settled

    def _contested(self, label: Label) -> bool:
        return any(label.text in words for words in (*self._words.values(), *self._joint.values()))

    def _may_have(self, name: str, label: Label, known: bool) -> bool:
        if label.text in self._joint[name]:
            return True
        if not known or label.text not in self._words[name]:
            return False
        place = self._places.get(name)
        return place is None or place.announces(label.glyphs[0])

    def _guessed(self, labels: Sequence[Label], owner: Mapping[int, str]) -> dict[int, str]:
        """For fields whose section was not found: the labels that nobody has, in the order of the
        fields where there are as many of them."""
        lost = [
            name
            for name in self._fields
            if name in self._places and not self._places[name].known and name not in owner.values()
        ]
        guessed: dict[int, str] = {}
        for name in lost:
            free = [
                i
                for i, label in enumerate(labels)
                if i not in owner and label.text in self._words[name]
            ]
            rivals = [
                other for other in lost if not self._words[other].isdisjoint(self._words[name])
            ]
            if len(free) == len(rivals):
                guessed[free[rivals.index(name)]] = name
            elif len(rivals) == 1:
                guessed.update(dict.fromkeys(_chosen(self._fields[name], free), name))
        return guessed


def _folded(words: Iterable[str]) -> frozenset[str]:
    return frozenset(fold_label(form) for word in words for form in forms_of(word))


def _chosen(field: Field, labels: Sequence[int]) -> Sequence[int]:
    """The one that the field's `occurrence` counts to, of labels in the order of reading."""
    if field.occurrence is None:
        return labels
    index = field.occurrence - 1 if field.occurrence > 0 else field.occurrence
    return [labels[index]] if -len(labels) <= index < len(labels) else []
