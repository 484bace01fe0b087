"""A page about a learner's progress in the whole course, to save or to print: `check.summary()` writes it.

It holds what `progress` counts, and says that nobody has verified it. It loads nothing, and nothing is sent anywhere.
"""

from __future__ import annotations

import html
from datetime import date
from pathlib import Path

from . import __version__
from .progress import Progress
from .whole_file import whole_file

FILE = "many-heads-summary.html"
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --line: #767676; --soft: #e8eef3; --bar: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eee; --paper: #161616; --line: #9a9a9a; --soft: #2c343a; --bar: #56b4e9; }
}
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --line: #767676; --soft: #e8eef3; --bar: #0072b2; }
  html { font-size: 10pt; }
  main { border-width: 1pt !important; margin: 0 auto !important; break-inside: avoid; }
}
@page { margin: 15mm; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 50rem; margin: 2rem auto; padding: 2rem; border: 3px double var(--line); border-radius: .5rem; }
h1 { margin: 0; font-size: 1.8rem; }
h2 { margin: 1.6rem 0 0; font-size: 1.3rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
.count { font-size: 1.15rem; font-weight: 600; }
.bar { display: block; height: .6rem; min-width: 5rem; border-radius: .3rem; overflow: hidden; }
.bar span { display: block; height: 100%; background: var(--bar); }
.bar, .bar span { print-color-adjust: exact; }
.bar { background: var(--soft); }
table { width: 100%; border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .35rem .8rem .35rem 0; border-top: 1px solid var(--line); text-align: left; font-weight: normal; }
thead th, thead td { border: 0; font-weight: 600; }
td { white-space: nowrap; }
tfoot th, tfoot td { font-weight: 600; }
.note { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: .6rem; font-size: .9rem; }
@media (max-width: 40rem) {
  main { margin: 0; border: 0; padding: 1rem; }
  table { font-size: .85rem; }
  th, td { padding-right: .4rem; }
  .bars { display: none; }
}
"""


def write(progress: Progress, name: str, folder: Path) -> Path:
    """Write the page into `folder` as a whole, in place of an earlier one, and return its path.

    Raises:
        OSError: if it cannot be written.
    """
    path = folder / FILE
    with whole_file(path) as beside:
        beside.write_text(page(progress, name, date.today()), encoding="utf-8")
    return path


def page(progress: Progress, name: str, today: date) -> str:
    """Return the page.

    Args:
        name: the learner's name, "" for none.
    """
    chapters = progress.chapters
    total = progress.total
    finished = sum(row.done == row.exercises for row in chapters)
    rows = "\n".join(
        f'<tr><th scope="row"><span aria-hidden="true">{row.symbol} </span>{html.escape(row.title)}</th>'
        f'<td class="bars" aria-hidden="true">{_bar(row.earned, row.worth)}</td>'
        f"<td>{row.done} of {row.exercises}</td><td>{row.earned:g} of {row.worth:g}</td>"
        f"<td>{_duration(row.minutes)}</td></tr>"
        for row in chapters
    )
    owner = html.escape(" ".join(name.split()))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Many Heads: a summary{f" for {owner}" if owner else ""}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>Many Heads</h1>
<p>A course of notebooks on multi-head attention in PyTorch</p>
<h2>{owner or "Summary"}</h2>
<p class="count">{total.earned:g} of {total.worth:g} points · {total.done} of {total.exercises} exercises \
· {finished} of {len(chapters)} chapters done</p>
<p>As of {today.day} {today:%B %Y}</p>
<table>
<thead><tr><th scope="col">chapter</th><td class="bars"></td><th scope="col">exercises</th>
<th scope="col">points</th><th scope="col">planned</th></tr></thead>
<tbody>
{rows}
</tbody>
<tfoot><tr><th scope="row">{total.title}</th>\
<td class="bars" aria-hidden="true">{_bar(total.earned, total.worth)}</td>
<td>{total.done} of {total.exercises}</td><td>{total.earned:g} of {total.worth:g}</td>
<td>{_duration(total.minutes)}</td></tr></tfoot>
</table>
<p class="note"><strong>The learner's own count, not a grade.</strong> A notebook wrote this page from what its checks
have said on the learner's machine, on cases that learners can see. Nobody has verified it. A class is graded on other
cases of the same kind. “Planned” is the time that a chapter is meant to take, not the time that it took.</p>
<p class="note">manyheads {__version__}</p>
</main>
</body>
</html>
"""


def _bar(earned: float, worth: float) -> str:
    return f'<span class="bar"><span style="width: {100 * earned / (worth or 1):.0f}%"></span></span>'


def _duration(minutes: int) -> str:
    """Return minutes in hours and minutes; "" for none."""
    hours, rest = divmod(minutes, 60)
    return " ".join([*([f"{hours} h"] if hours else []), *([f"{rest} min"] if rest else [])])
