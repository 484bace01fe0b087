"""Changes the relative links of the repository's Markdown files so that they work on the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..course.home import Home

_PICTURE = re.compile(r"!\[([^\[\]]*)\]\(([^()\s]+)\)")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#|//")
_PICTURES = "pictures"


@dataclass
class Relinker:
    """Changes the links of files whose pages are on the site. A link to a file with a page leads to that page, one to
    another file of the repository to GitHub, and pictures come along.

    Args:
        root: the repository's root.
        home: where the repository is on GitHub.
        pages: the pages of files, both as paths from their roots.
        pictures: the copies of pictures that the changed texts show, by their paths in the site's source.
    """

    root: Path
    home: Home
    pages: Mapping[str, str]
    pictures: dict[str, Path] = field(default_factory=dict[str, Path])

    def changed(self, text: str, path: str) -> str:
        """Return the text of the file `path`, a path from the repository's root, as its page has it."""
        folder, page_folder = posixpath.dirname(path), posixpath.dirname(self.pages[path]) or "."
        shown: list[str] = []

        def picture(match: re.Match[str]) -> str:
            alternative, target = match.groups()
            found = posixpath.normpath(posixpath.join(folder, target))
            if not _ELSEWHERE.match(target) and (self.root / found).is_file():
                copy = f"{_PICTURES}/{found.replace('/', '-')}"
                self.pictures[copy] = self.root / found
                target = posixpath.relpath(copy, page_folder)
            shown.append(f"![{alternative}]({target})")
            return f"\0{len(shown) - 1}\0"

        def link(match: re.Match[str]) -> str:
            target = match[1]
            if _ELSEWHERE.match(target):
                return match[0]
            file, hash_, anchor = target.partition("#")
            found = posixpath.normpath(posixpath.join(folder, file))
            if found in self.pages:
                target = posixpath.relpath(self.pages[found], page_folder)
            else:
                kind = "tree" if (self.root / found).is_dir() else "blob"
                target = f"https://github.com/{self.home.repository}/{kind}/{self.home.tag}/{found}"
            return f"]({target}{hash_}{anchor})"

        # A badge is a picture within a link: pictures are taken out while links are changed.
        text = _LINK.sub(link, _PICTURE.sub(picture, text))
        return re.sub("\0(\\d+)\0", lambda match: shown[int(match[1])], text)
