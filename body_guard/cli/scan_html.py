"""The report of a scan as one HTML file, without any outside reference."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Final

import body_guard
from body_guard.cli.scan_reports import summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from body_guard.cli.scanning import Scan

__all__ = ["as_html"]

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>body-guard scan: {title}</title>
<style>
:root {{ color-scheme: light dark; --line: #d0d5dc; --dim: #57606a; --bad: #b3261e; --good: #1a6b32;
  --back: #fff; --text: #1c2128; --soft: #f4f6f8; }}
@media (prefers-color-scheme: dark) {{ :root {{ --line: #3a424c; --dim: #a3adb8; --bad: #ff8a80;
  --good: #7bd88f; --back: #14181d; --text: #e6eaef; --soft: #1d232a; }} }}
body {{ margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 75rem; background: var(--back);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; margin: 0; }} h2 {{ font-size: 1.1rem; margin: 2rem 0 .5rem; }}
.found {{ color: var(--bad); }} .clean {{ color: var(--good); }} .dim {{ color: var(--dim); }}
ul.figures {{ display: flex; flex-wrap: wrap; gap: .75rem; padding: 0; list-style: none; }}
ul.figures li {{ background: var(--soft); border: 1px solid var(--line); border-radius: .4rem;
  padding: .4rem .9rem; }}
ul.figures b {{ display: block; font-size: 1.3rem; font-variant-numeric: tabular-nums; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .6rem;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }}
th {{ color: var(--dim); font-weight: 600; }}
code {{ font: .9em ui-monospace, monospace; }}
@media (max-width: 45rem) {{
  table, tbody, tr, td {{ display: block; }} thead {{ display: none; }}
  tr {{ border: 1px solid var(--line); border-radius: .4rem; margin: 0 0 .75rem;
    padding: .3rem 0; }}
  td {{ border: 0; padding: .15rem .7rem; display: grid; grid-template-columns: 6rem 1fr; }}
  td:empty {{ display: none; }}
  td::before {{ content: attr(data-name); color: var(--dim); }}
}}
</style>
</head>
<body>
<h1 class="{state}">{title}</h1>
<p class="dim">body-guard {version}, scan. Places and names are shown, values never.</p>
<ul class="figures">{figures}</ul>
{sections}
</body>
</html>
"""


def as_html(scan: Scan) -> str:
    """Return the report as HTML: what was found, by rule and one by one, and what was not read."""
    clean = not scan.findings and not scan.unread and scan.bodies
    figures = {
        "findings": len(scan.findings),
        "bodies": scan.bodies,
        "files": scan.files,
        "bytes": scan.size,
        "not read": len(scan.unread),
    }
    rules = Counter((found.rule, found.owner, found.host) for found in scan.findings)
    sections = [
        _table(
            "By rule and host",
            ("rule", "owner", "host", "findings"),
            [(*names, f"{count:,}") for names, count in rules.most_common()],
        ),
        _table(
            "Findings",
            ("file", "line", "host", "path", "rule", "action", "type"),
            [
                (
                    found.file,
                    str(found.line or f"[{found.entry}]"),
                    found.host,
                    found.path or "the whole body",
                    found.rule,
                    found.action,
                    found.type,
                )
                for found in scan.findings
            ],
        ),
        _table("Not read", ("file", "why"), [(each.file, each.why) for each in scan.unread]),
        _table(
            "Not judged",
            ("why", "bodies"),
            [(why, f"{count:,}") for why, count in scan.not_judged.most_common()],
        ),
    ]
    return _PAGE.format(
        title=escape(summary(scan).partition("\n")[0]),
        state="clean" if clean else "found",
        version=escape(body_guard.__version__),
        figures="".join(f"<li><b>{count:,}</b> {name}</li>" for name, count in figures.items()),
        sections="\n".join(filter(None, sections)),
    )


def _table(title: str, names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a heading and a table; ``""`` where there is no row."""
    body = "\n".join(
        "<tr>"
        + "".join(
            f'<td data-name="{name}">{f"<code>{escape(cell)}</code>" if cell else ""}</td>'
            for name, cell in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    heads = "".join(f"<th>{name}</th>" for name in names)
    return (
        f"<h2>{title}</h2>\n<table>\n<thead><tr>{heads}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )
