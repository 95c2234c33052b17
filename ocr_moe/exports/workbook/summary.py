"""The first sheet: what is in the workbook, what is left to do, and how to work with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ocr_moe.exports.workbook.cells import STYLES
from ocr_moe.exports.workbook.pictures import Pictures
from ocr_moe.exports.workbook.survey import Survey
from ocr_moe.formats.phrases import Language
from ocr_moe.formats.recordbook import heading, said
from ocr_moe.formats.xlsx import Cell, Column, Content, Sheet
from ocr_moe.schema import Schema
from ocr_moe.types import DOUBTFUL, Status

COLUMNS = (Column("", 64), Column("", 22), *(Column("", 14, "0") for _ in range(5)))


class Summary:
    """Writes the sheet; `sheets` are the names of the others by key, `titles` those of schemas."""

    def __init__(
        self,
        sheet: Sheet,
        language: Language,
        sheets: Mapping[str, str],
        titles: Mapping[str, str],
    ) -> None:
        self._sheet = sheet
        self._language = language
        self._sheets = sheets
        self._titles = titles

    def write(self, found: Survey, schemas: Sequence[Schema], pictures: Pictures) -> None:
        self._sheet.append([Cell(self._said("title", strategy=found.strategy or "–"), "title")])
        self._sheet.append([])
        self._counts(found, schemas, pictures)
        self._sheet.append([])
        self._fields(found, schemas)
        self._sheet.append([])
        self._how(any(schema.tables for schema in schemas))
        self._sheet.append([])
        self._colours()

    def _said(self, key: str, **values: object) -> str:
        return said(key, self._language, **values)

    def _counts(self, found: Survey, schemas: Sequence[Schema], pictures: Pictures) -> None:
        self._head("count_what", "count_n")
        self._count("count_documents", found.all_documents)
        if len(schemas) > 1:
            for schema in schemas:
                title = self._titles[schema.name]
                self._count("count_of_schema", found.documents[schema.name], schema=title)
        self._count("count_to_check", found.count(*DOUBTFUL), "to_check")
        self._count("count_to_check_documents", found.doubtful)
        last = found.last_verified
        key = "count_verified_last" if last else "count_verified"
        self._count(key, found.count(Status.VERIFIED), at=last)
        self._count("count_contradicting", found.contradicting, "to_clear_up")
        self._count("count_failed", found.failed, "failures")
        self._count("count_blank", found.blank)
        if found.set_aside:
            self._count("count_set_aside", found.set_aside)
        if "other_pages" in self._sheets:
            self._count("count_other", found.documents[""] - found.failed, "other_pages")
        for schema in schemas:
            for table in schema.tables:
                key = f"table {schema.name} {table.name}"
                rows = found.rows[schema.name, table.name]
                self._count("count_rows", rows, key, table=table.name)
        self._count("count_subjects", len(found.subjects), "subjects")
        if pictures.wanted:
            self._count("count_pictures", pictures.shown, "to_check")
            self._count("count_pictures_left_out", pictures.left_out)

    def _count(self, key: str, n: int, sheet: str = "", **values: object) -> None:
        """A line of the counts; one about another sheet is linked to it."""
        name = self._sheets.get(sheet, "")
        text = self._said(key, sheet=name, **values)
        link = f"internal:'{name}'!A1" if name else ""
        self._sheet.append([Cell(text, "link" if link else "plain", link=link), n])

    def _fields(self, found: Survey, schemas: Sequence[Schema]) -> None:
        self._head(
            *("field_schema", "field_name", "field_cells", "field_to_check"),
            *("field_failed_cells", "field_absent", "field_verified"),
        )
        for schema in schemas:
            for name in schema.names:
                counts = {status: found.cells[schema.name, name, status] for status in Status}
                row: list[Content] = [self._titles[schema.name], name, sum(counts.values())]
                doubtful = sum(counts[status] for status in DOUBTFUL)
                row.append(Cell(doubtful, "unsure" if doubtful else "plain"))
                row += [counts[s] for s in (Status.FAILED, Status.ABSENT, Status.VERIFIED)]
                self._sheet.append(row)

    def _how(self, tables: bool) -> None:
        self._sheet.append([Cell(self._said("how_title"), "strong")])
        named = {**self._sheets, **{k: self._named(k) for k in ("checked", "document", "row")}}
        keys = ["correct", "row", "green", "absent", "untouched", "where", "free", "back"]
        if tables:
            keys.insert(keys.index("free"), "tables")
        for key in keys:
            self._sheet.append([self._said(f"how_{key}", **named)])

    def _named(self, key: str) -> str:
        return heading(key, self._language)

    def _colours(self) -> None:
        self._sheet.append([Cell(self._said("colours_title"), "strong")])
        looks = (*STYLES.values(), "checked")
        for look in looks:
            text = self._said(f"colour_{look}")
            self._sheet.append([Cell(text, look)])

    def _head(self, *keys: str) -> None:
        self._sheet.append([Cell(self._said(key), "head") for key in keys])
