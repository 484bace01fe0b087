"""The settings of web servers that the guides give: the servers read them, where they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from autograder.course.chapter import REPOSITORY_ROOT

GUIDES = ("hub.md", "board.md")


def settings(guide: str, beginning: str) -> str:
    """Return the block of a guide that begins with a line like `beginning`."""
    text = (REPOSITORY_ROOT / "docs" / guide).read_text(encoding="utf-8")
    blocks = [
        textwrap.dedent(block) for block in re.findall(r"^ *```\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
    ]
    [found] = [block for block in blocks if re.match(beginning, block)]
    return found


def read_by(*command: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("guide", GUIDES)
def test_caddy_reads_its_settings(guide: str, tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(settings(guide, r"\w+\.school\.example \{"), encoding="utf-8")
    read_by("caddy", "adapt", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile")


@pytest.mark.parametrize("guide", GUIDES)
def test_nginx_reads_its_settings(guide: str, tmp_path: Path) -> None:
    server = settings(guide, r"(map|server) ").replace("listen 443 ssl;", f"listen unix:{tmp_path}/socket;")
    server = re.sub(r" +ssl_certificate.*\n", "", server)  # there is none here
    folders = "".join(
        f"{kind}_temp_path {tmp_path};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{folders}{server}}}\n",
        encoding="utf-8",
    )
    read_by("nginx", "-t", "-q", "-e", "stderr", "-c", str(tmp_path / "nginx.conf"))
