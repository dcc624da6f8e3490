"""Draw what ``body-guard demo`` prints, for a light and a dark page: ``python docs/pictures.py``.

The pictures hold lines of its output and no others: of the first and the third story the title,
what came of the plain and of the guarded call, and of the third what was found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Final

__all__ = ["THEMES", "demo", "draw"]

FOLDER: Final = Path(__file__).parent / "pictures"

#: Of GitHub's pages: ground, frame, text, and what is dim, bad and good.
THEMES: Final = {
    "light": ("#ffffff", "#d1d9e0", "#1f2328", "#59636e", "#cf222e", "#116329"),
    "dark": ("#0d1117", "#3d444d", "#f0f6fc", "#9198a1", "#ff7b72", "#7ee787"),
}
_COLUMN, _LINE, _MARGIN = 8, 18, 16  # pixels


def demo() -> str:
    """Return what the demo prints, in 80 columns."""
    command = Path(sys.executable).with_name("body-guard")
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        [command, "demo"], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def draw(printed: str, theme: str) -> str:
    """Return a picture, as SVG.

    Args:
        printed: As `demo` returns it.
        theme: One of `THEMES`.
    """
    ground, frame, text, dim, bad, good = THEMES[theme]
    lines: list[str] = []
    for story, parts in ((1, 1), (3, 2)):
        title, *tables = _story(printed, story)
        lines += [_text(title, 0, len(lines), text, "bold"), ""]
        for table in tables[:parts]:
            names, rule, *rows = table.splitlines()
            lines.append(_text(names, 0, len(lines), dim))
            lines.append(_text(rule, 0, len(lines), frame))
            # The guarded side begins where its name does; a table of findings has one side.
            middle = names.find("body_guard.")
            for row in rows:
                left, right = (row[:middle], row[middle:]) if middle > 0 else (row, "")
                colour = text if middle < 0 else bad if _is_bad(left) else dim
                line = len(lines)
                lines.append(_text(left, 0, line, colour) + _text(right, middle, line, good))
            lines.append("")
    width = 80 * _COLUMN + 2 * _MARGIN
    height = len(lines[:-1]) * _LINE + 2 * _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-size="13" xml:space="preserve" '
            'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">',
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6" '
            f'fill="{ground}" stroke="{frame}"/>',
            *filter(None, lines),
            "</svg>\n",
        ]
    )


def _story(printed: str, number: int) -> list[str]:
    """Return the title of a story and its tables."""
    stories = re.split(r"(?m)^(?=\d\. )", printed)
    head, *tables = re.split(r"\n *\n(?=\S* )", stories[number].rstrip())
    return [head.splitlines()[0].partition(" ")[2], *tables]


def _is_bad(text: str) -> bool:
    return bool(re.search(r"Error|serializable|Nothing arrived|_sentry_", text))


def _text(text: str, column: int, line: int, colour: str, weight: str = "normal") -> str:
    """Return the pieces of a line, each as wide as its columns whatever the font."""
    return "".join(
        f'<text x="{_MARGIN + (column + piece.start()) * _COLUMN}" '
        f'y="{_MARGIN + (line + 1) * _LINE - 5}" fill="{colour}" font-weight="{weight}" '
        f'textLength="{len(piece[0]) * _COLUMN}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(piece[0], quote=False)}</text>"
        for piece in re.finditer(r"\S+(?: \S+)*", text)
    )


def main() -> None:
    """Draw both pictures."""
    printed = demo()
    for theme in THEMES:
        path = FOLDER / f"demo-{theme}.svg"
        path.write_text(draw(printed, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
