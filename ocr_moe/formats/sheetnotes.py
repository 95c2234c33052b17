"""Cell notes of workbooks: what xlsxwriter makes of the same notes, sooner.

xlsxwriter writes a note by some thirty calls, each for one element, of which only the place and the text
differ from note to note; a large workbook has a hundred thousand. Here each is one piece of text. A test
holds both ways against each other, byte by byte.
"""

from __future__ import annotations

from xlsxwriter import Workbook
from xlsxwriter.comments import Comments, CommentType
from xlsxwriter.packager import Packager
from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.vml import Vml

from ocr_moe.formats.sheetrows import text_element


class NotedWorkbook(Workbook):  # type: ignore[misc]
    """A workbook without buttons, and without pictures in its headers and footers."""

    def _get_packager(self) -> Packager:
        return _Packager()


class _Packager(Packager):  # type: ignore[misc]
    def _write_vml_files(self) -> None:
        noted = [sheet for sheet in self.workbook.worksheets() if sheet.has_vml]
        for number, sheet in enumerate(noted, 1):
            shapes = _Shapes()
            shapes._set_xml_writer(self._filename(f"xl/drawings/vmlDrawing{number}.vml"))
            shapes._assemble_xml_file(sheet.vml_data_id, sheet.vml_shape_id, sheet.comments_list)

    def _write_comment_files(self) -> None:
        noted = [sheet for sheet in self.workbook.worksheets() if sheet.has_comments]
        for number, sheet in enumerate(noted, 1):
            notes = _Notes()
            notes._set_xml_writer(self._filename(f"xl/comments{number}.xml"))
            notes._assemble_xml_file(sheet.comments_list)


class _Shapes(Vml):  # type: ignore[misc]
    """The boxes in which notes are shown."""

    def _write_comment_shape(self, shape_id: int, z_index: int, comment: CommentType) -> None:
        left, top, width, height = self._pixels_to_points(comment.vertices)
        column, row, x0, y0, last_column, last_row, x1, y1 = comment.vertices[:8]
        colour = comment.color._vml_rgb_hex_value()
        self.fh.write(
            f'<v:shape id="_x0000_s{shape_id}" type="#_x0000_t202" style="position:absolute;'
            f"margin-left:{left:.15g}pt;margin-top:{top:.15g}pt;"
            f"width:{width:.15g}pt;height:{height:.15g}pt;z-index:{z_index};"
            f'visibility:{"visible" if comment.is_visible else "hidden"}" '
            f'fillcolor="{colour}" o:insetmode="auto">'
            '<v:fill color2="#ffffe1"/><v:shadow on="t" color="black" obscured="t"/>'
            '<v:path o:connecttype="none"/><v:textbox style="mso-direction-alt:auto">'
            '<div style="text-align:left"></div></v:textbox><x:ClientData ObjectType="Note">'
            "<x:MoveWithCells/><x:SizeWithCells/>"
            f"<x:Anchor>{column}, {x0}, {row}, {y0}, {last_column}, {x1}, {last_row}, {y1}</x:Anchor>"
            f"<x:AutoFill>False</x:AutoFill><x:Row>{comment.row}</x:Row>"
            f"<x:Column>{comment.col}</x:Column>"
            f"{'<x:Visible/>' if comment.is_visible else ''}</x:ClientData></v:shape>"
        )


class _Notes(Comments):  # type: ignore[misc]
    """What they say."""

    def _write_comment(self, comment: CommentType, author_id: int) -> None:
        author = f' authorId="{author_id}"' if author_id != -1 else ""
        self.fh.write(
            f'<comment ref="{xl_rowcol_to_cell(comment.row, comment.col)}"{author}><text><r><rPr>'
            f'<sz val="{comment.font_size}"/><color indexed="81"/>'
            f'<rFont val="{comment.font_name}"/><family val="{comment.font_family}"/></rPr>'
            f"{text_element(comment.text, of_note=True)}</r></text></comment>"
        )
