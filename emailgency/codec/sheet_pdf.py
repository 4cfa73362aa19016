"""A sheet of paper: headings, pairs and tables as PDF, with whatever text strangers may have sent in them.

Noto Sans has the letters of Latin, Greek, Cyrillic and some other scripts; a mark stands for every sign it does not
have, and for what cannot be printed. fpdf2 takes 0.3 s of CPU to load, so it is loaded when a sheet is made.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fpdf import FPDF

MARK = "\ufffd"
_FONT = "sheet"
_INK, _SOFT, _LINE, _HEAD = (20, 35, 58), (82, 97, 122), (213, 220, 230), (237, 241, 246)
_LONGEST = 1000  # characters of one heading
_FITTING = 15  # characters of a value for each part of the width: no row is higher than a page, though all be W


class Sheet:
    """For one thread at a time."""

    def __init__(self, title: str, subtitle: str, made_at: float, language: str) -> None:
        """`made_at` in seconds since the epoch."""
        self._pdf = pdf = _paper()
        self._known = _signs(pdf)
        self._marked = False
        pdf.set_title(self._clean(title))
        pdf.set_lang(language)
        pdf.set_creation_date(datetime.fromtimestamp(made_at, UTC))
        pdf.add_page()
        self._text(title, 17, _INK)
        self._text(subtitle, 9, _SOFT)

    def heading(self, text: str) -> None:
        """Of a part; it never stands alone at the foot of a page."""
        pdf = self._pdf
        if pdf.will_page_break(40):
            pdf.add_page()
        pdf.ln(5)
        pdf.set_draw_color(*_LINE)
        pdf.line(pdf.l_margin, pdf.get_y(), pdf.w - pdf.r_margin, pdf.get_y())
        pdf.ln(3)
        self._text(text, 12.5, _INK)

    def small_heading(self, text: str) -> None:
        self._pdf.ln(2)
        self._text(text, 9.5, _SOFT)

    def pairs(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Label and value, a line each; those without a value are left out."""
        self._table([pair for pair in pairs if pair[1]], (26, 74), None, "NONE")

    def table(self, heads: Sequence[str], widths: tuple[int, ...], rows: Sequence[Sequence[str]]) -> None:
        """`widths` in parts of a hundred. The heads are repeated on each page."""
        self._pdf.ln(1)
        self._table(rows, widths, heads, "HORIZONTAL_LINES")

    def octets(self, about_marks: str) -> bytes:
        """The file; `about_marks` is said at its end when there are any."""
        if self._marked:
            self._pdf.ln(4)
            self._text(about_marks, 8, _SOFT)
        return bytes(self._pdf.output())

    def _table(
        self, rows: Sequence[Sequence[str]], widths: tuple[int, ...], heads: Sequence[str] | None, borders: str
    ) -> None:
        if not rows:
            return
        from fpdf.fonts import FontFace

        pdf = self._pdf
        pdf.set_font(_FONT, size=8.5)
        pdf.set_text_color(*_INK)
        pdf.set_draw_color(*_LINE)
        with pdf.table(
            col_widths=widths,
            text_align="LEFT",
            v_align="TOP",
            borders_layout=borders,
            line_height=4.4,
            padding=(0.7, 1),
            first_row_as_headings=heads is not None,
            headings_style=FontFace(emphasis="", color=_SOFT, fill_color=_HEAD),
        ) as table:
            for row in [*([heads] if heads else []), *rows]:
                table.row([self._clean(value, width * _FITTING) for value, width in zip(row, widths, strict=True)])

    def _text(self, text: str, size: float, colour: tuple[int, int, int]) -> None:
        pdf = self._pdf
        pdf.set_font(_FONT, size=size)
        pdf.set_text_color(*colour)
        pdf.multi_cell(0, size * 0.48, self._clean(text), new_x="LMARGIN", new_y="NEXT", align="L")

    def _clean(self, text: str, most: int = _LONGEST) -> str:
        signs = []
        for sign in text[:most]:
            if sign.isprintable() and ord(sign) in self._known:
                signs.append(sign)
            else:
                self._marked = True
                signs.append(MARK)
        return "".join(signs) + ("…" if len(text) > most else "")


def _signs(paper: "FPDF") -> frozenset[int]:
    """Code points that the font can show."""
    font: Any = paper.fonts[_FONT]
    return frozenset(font.cmap)


def _paper() -> "FPDF":
    from fpdf import FPDF

    class Paper(FPDF):
        """With page numbers."""

        def footer(self) -> None:
            self.set_y(-13)
            self.set_font(_FONT, size=8)
            self.set_text_color(*_SOFT)
            self.cell(0, 5, f"Emailgency · {self.page_no()}", align="C")

    paper = Paper(format="A4")
    paper.str_alias_nb_pages = ""  # else a stranger's "{nb}" would become a number
    paper.set_margins(16, 15)
    paper.set_auto_page_break(True, 18)
    font = files("fontpkg_noto_sans") / "files" / "NotoSans[wdth,wght].ttf"
    paper.add_font(_FONT, fname=str(font))
    return paper
