"""The course's home on GitHub: the setting `[tool.manyheads]` in pyproject.toml, and all URLs that depend on it.

Badges, set-up cells and links in pages are made here, so that a fork sets its name in one place. `autograder build`
keeps them up to date; `autograder configure` changes the setting.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from manyheads import __version__

from ..problems import Problem

SETTINGS = "pyproject.toml"
OPEN_IN_COLAB = "Open in Colab"
BADGE = Path(__file__).parent / "templates" / "open-in-colab.svg"

# GitHub's own rules for the two names.
_REPOSITORY = re.compile(r"[A-Za-z0-9](?:-?[A-Za-z0-9]){0,38}/(?!\.{1,2}$)(?!.*\.git$)[A-Za-z0-9._-]{1,100}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TABLE = re.compile(r"^\[tool\.manyheads\]\n(?:(?!\[).*\n?)*", re.MULTILINE)
_ON_COLAB = re.compile(r"(https://colab\.research\.google\.com/github/)[^/\s]+/[^/\s]+/blob/[^/\s]+(?=/notebooks/)")
_INSTALLED = re.compile(r"(git\+https://github\.com/)[^/\s]+/[^@\s]+@[\w.-]+")


@dataclass(frozen=True)
class Home:
    """A course's home on GitHub.

    Args:
        repository: "owner/name".
        tag: the tag or branch that badges open and set-up cells install.
    """

    repository: str
    tag: str

    @property
    def requirement(self) -> str:
        """The requirement that pip installs on Colab."""
        return f"manyheads @ git+https://github.com/{self.repository}@{self.tag}"

    def on_colab(self, chapter: str) -> str:
        """Return the URL that opens the released notebook of `chapter` on Colab."""
        path = f"notebooks/{chapter}/{chapter}.ipynb"
        return f"https://colab.research.google.com/github/{self.repository}/blob/{self.tag}/{path}"

    @property
    def site(self) -> str:
        """The URL where GitHub publishes the course's site."""
        owner, name = self.repository.split("/")
        return f"https://{owner.lower()}.github.io/{name}/"

    def badge(self, chapter: str, picture: str) -> str:
        """Return the Markdown of a chapter's badge around its `picture`."""
        return f"[{picture}]({self.on_colab(chapter)})"

    def pointed(self, page: str) -> str:
        """Return a page's text with all Colab and install URLs changed to this home."""
        page = _ON_COLAB.sub(rf"\g<1>{self.repository}/blob/{self.tag}", page)
        return _INSTALLED.sub(rf"\g<1>{self.repository}@{self.tag}", page)


def read_home(root: Path) -> Home:
    """Return the home set in `root / "pyproject.toml"`. The default tag is this version's release."""
    with (root / SETTINGS).open("rb") as file:
        table = tomllib.load(file)["tool"]["manyheads"]
    return Home(table["repository"], table.get("tag", f"v{__version__}"))


def pages(root: Path) -> list[Path]:
    """Return the pages, written by people, that may link to the course's home."""
    found = [*(root / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]
    found += [*sorted((root / "docs").rglob("*.md")), *sorted((root / ".github").rglob("*.yml"))]
    return [path for path in found if path.is_file()]


def move(root: Path, repository: str, tag: str | None = None) -> Home:
    """Set the course's home, and change the plain links in its pages. The derived files are stale afterwards.

    Args:
        tag: the new tag; None leaves the setting as it is.

    Raises:
        Problem: if a name is malformed. Nothing is changed then.
    """
    _require(repository, tag)
    old = read_home(root).repository
    settings = root / SETTINGS
    settings.write_text(_with_settings(settings.read_text(encoding="utf-8"), repository, tag), encoding="utf-8")
    plain = re.compile(rf"(https://github\.com/|git@github\.com:){re.escape(old)}(?=(?:\.git)?(?![\w.-]*\w))")
    home = read_home(root)
    for page in pages(root):
        text = plain.sub(rf"\g<1>{repository}", page.read_text(encoding="utf-8"))
        page.write_text(text.replace(Home(old, "").site, home.site), encoding="utf-8")
    return home


def _require(repository: str, tag: str | None) -> None:
    if not _REPOSITORY.fullmatch(repository):
        found = re.search(r"github\.com[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?(?:/|$)", repository)
        meant = f"{found[1]}/{found[2]}" if found else "OWNER/NAME"
        fix = "" if found else ", as in the address https://github.com/OWNER/NAME"
        raise Problem(f"{repository!r} is not a repository's name; write --repo {meant}{fix}")
    if tag is not None and not _TAG.fullmatch(tag):
        raise Problem(f"{tag!r} is not a valid tag; use letters, digits, dots and dashes: --tag v{__version__}")


def _with_settings(text: str, repository: str, tag: str | None) -> str:
    """Return pyproject.toml's text with the two settings changed; comments and order stay."""
    found = _TABLE.search(text)
    if found is None:
        raise Problem(f"{SETTINGS} has no table [tool.manyheads]; add one with the line repository = {repository!r}")
    table = _set(found[0], "repository", repository)
    if tag is not None:
        table = _set(table, "tag", tag)
    return text[: found.start()] + table + text[found.end() :]


def _set(table: str, key: str, value: str) -> str:
    line = re.compile(rf"^{key}\s*=.*$", re.MULTILINE)
    if line.search(table):
        return line.sub(f'{key} = "{value}"', table)
    # after the table's last setting, before the empty lines at its end
    body = table.rstrip("\n")
    return f'{body}\n{key} = "{value}"' + table[len(body) :]
