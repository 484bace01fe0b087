"""Builds the site: writes Sphinx's source from the repository's files, then runs Sphinx.

Called by `autograder site`.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from ..course.chapter import Chapter, read_chapters
from ..course.home import Home, read_home
from ..course.notebooks import solved_notebook, to_text
from ..problems import Problem
from ..progress import progress_bar
from .lesson_pages import lesson_page
from .links import Relinker
from .mistakes import mistakes_page
from .outputs import outputs_of

CACHE = ".site-cache"
_TEACH = {
    "autograder/README.md": "teach/grading",
    "docs/hub.md": "teach/hub",
    "docs/board.md": "teach/board",
    "docs/lms.md": "teach/lms",
    "docs/nbgrader.md": "teach/nbgrader",
    "docs/colab.md": "teach/colab",
    "benchmarks/README.md": "teach/measured",
    "SECURITY.md": "teach/security",
}
_WRITE = {"CONTRIBUTING.md": "write/contributing", "docs/architecture.md": "write/architecture"}
_DECISIONS = "docs/decisions"
_API = {
    "api/check": ("Checks", "manyheads.check"),
    "api/widgets": ("Widgets", "manyheads.widgets"),
    "api/declare": ("Declaring exercises", "autograder.course.declare"),
}


def build_site(root: Path, to: Path, *, run: bool = True, progress: bool = False) -> int:
    """Build the site of the repository at `root` into the folder `to`, and return the number of its pages.

    Args:
        run: whether to run the chapters whose outputs are not kept in `.site-cache`.
        progress: whether to show a progress bar.

    Raises:
        Problem: if Sphinx is not installed, a chapter cannot be run, or Sphinx finds a fault such as a broken link.
    """
    if not all(map(importlib.util.find_spec, ("sphinx", "myst_nb", "pydata_sphinx_theme"))):
        raise Problem("Sphinx is not installed; install it with: pip install '.[site]'")
    from sphinx.cmd.build import main as sphinx  # slow import, needed only here

    with TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        pages = write_source(root, source, run=run, progress=progress)
        shutil.rmtree(to, ignore_errors=True)
        with progress_bar(f"Writing {pages} pages", 1, shown=progress) as bar:
            if sphinx(["-q", "-W", "--keep-going", "-j", "auto", "-d", f"{folder}/doctrees", str(source), str(to)]):
                raise Problem("Sphinx found faults, see above")
            bar.update()
    return pages


def write_source(root: Path, source: Path, *, run: bool, progress: bool = False) -> int:
    """Write Sphinx's source of the site into the folder `source`, and return the number of pages.

    Raises:
        Problem: if a chapter cannot be run.
    """
    home, chapters = read_home(root), read_chapters(root / "solutions")
    guides = guides_of(root)
    decisions = [path for path in guides if path.startswith(_DECISIONS)]
    pages = {path: f"{page}.md" for path, page in guides.items()}
    lessons = {f"notebooks/{chapter.name}/{chapter.name}.ipynb": f"{_lesson(chapter)}.ipynb" for chapter in chapters}
    relinker = Relinker(root, home, {**pages, **lessons, "notebooks/README.md": "learn/index.md"})
    written: dict[str, str] = {}
    pictures: dict[str, bytes] = {}

    with progress_bar("Chapters", len(chapters), shown=progress) as bar:
        for chapter in chapters:
            bar.set_description_str(f"Running {chapter.name}" if run else chapter.name)
            solved = solved_notebook(chapter, home.repository, home.tag)
            outputs = outputs_of(chapter.name, solved, root, root / CACHE, run=run)
            written[f"{_lesson(chapter)}.ipynb"] = to_text(lesson_page(chapter, solved, outputs, home, pictures))
            written[f"{_mistakes(chapter)}.md"] = mistakes_page(chapter, f"../{_lesson(chapter)}.ipynb")
            bar.update()
    for path in [*guides, "notebooks/README.md"]:
        if (root / path).is_file():
            text = _without(home.site, (root / path).read_text(encoding="utf-8"))
            written[relinker.pages[path]] = _as_myst(relinker.changed(text, path))
    written["learn/index.md"] += _contents([Path(_lesson(chapter)).name for chapter in chapters])
    written["index.md"] += _contents(
        ["I learn <learn/index>", "mistakes/index", "teach/index", "write/index", "api/index"]
    )
    mistakes = [f"{chapter.title} <{Path(_mistakes(chapter)).name}>" for chapter in chapters]
    written["mistakes/index.md"] = _index("Named mistakes", _MISTAKES, mistakes)
    teach = [Path(page).name for path, page in _TEACH.items() if path in guides]
    written["teach/index.md"] = _index("I teach", "", teach)
    write = [Path(page).name for path, page in _WRITE.items() if path in guides]
    below = [f"decisions/{Path(path).stem.lower()}" for path in decisions if not path.endswith("README.md")]
    write += ["decisions/readme", *below] if decisions else []
    write += ["changelog"] if "CHANGELOG.md" in guides else []
    written["write/index.md"] = _index("I write", "", write)
    for page, (title, module) in _API.items():
        written[f"{page}.md"] = f"# {title}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```\n"
    written["api/index.md"] = _index("API", "", [Path(page).name for page in _API])
    pictures |= {name: picture.read_bytes() for name, picture in relinker.pictures.items()}
    _write(source, {**{name: text.encode() for name, text in written.items()}, **pictures}, home)
    return len(written)


def guides_of(root: Path) -> dict[str, str]:
    """Return the pages of the Markdown files that people wrote, by these files' paths from `root`."""
    guides = {"README.md": "index", **_TEACH, **_WRITE, "CHANGELOG.md": "write/changelog"}
    for path in sorted((root / _DECISIONS).glob("*.md")):
        guides[path.relative_to(root).as_posix()] = f"write/decisions/{path.stem.lower()}"
    return {path: page for path, page in guides.items() if (root / path).is_file()}


_MISTAKES = "What the checks recognise: for each exercise the mistakes that they can name, and what they say then."


def _write(source: Path, contents: Mapping[str, bytes], home: Home) -> None:
    """Write the files, Sphinx's settings and the style sheet into the folder `source`."""
    templates = files("autograder.site").joinpath("templates")
    settings = templates.joinpath("conf.py.txt").read_text(encoding="utf-8")
    settings = settings.replace("@REPOSITORY@", home.repository).replace("@TAG@", home.tag)
    style = templates.joinpath("site.css").read_bytes()
    for name, content in {**contents, "conf.py": settings.encode(), "_static/site.css": style}.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _lesson(chapter: Chapter) -> str:
    return f"learn/{chapter.name}"


def _mistakes(chapter: Chapter) -> str:
    return f"mistakes/{chapter.name}"


def _index(title: str, text: str, pages: Sequence[str]) -> str:
    return f"# {title}\n\n{text}\n" + _contents(pages, shown=True)


def _contents(pages: Sequence[str], *, shown: bool = False) -> str:
    """Return Sphinx's list of the pages below a page: in the navigation, and on the page if it is shown.

    Args:
        pages: each as a path, or as "title <path>".
    """
    options = ":maxdepth: 1\n" if shown else ":hidden:\n"
    return "\n\n```{toctree}\n" + options + "\n" + "\n".join(pages) + "\n```\n"


def _without(site: str, text: str) -> str:
    """Leave out the paragraph of a README that sends readers to the site."""
    return "\n\n".join(part for part in text.split("\n\n") if not part.startswith(f"**[Read it as web pages]({site})"))


def _as_myst(text: str) -> str:
    """Change what GitHub's Markdown and MyST write in different ways: diagrams."""
    return re.sub(r"^```mermaid$", "```{code-block} text", text, flags=re.M)
