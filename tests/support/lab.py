"""A JupyterLab on loopback and a Chromium, for the tests that look at what a person sees."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.machine import BROWSER, chromium
from tests.support.needs import skip_without

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


@contextmanager
def jupyter_lab(folder: Path, home: Path, config: Path | None = None) -> Generator[str]:
    """Start JupyterLab on `folder`, and yield its address. It ends, with its kernels, when the block is left.

    Args:
        config: a folder of Jupyter's settings that go before all others.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyter",
        "lab",
        "--no-browser",
        "--expose-app-in-browser",  # as window.jupyterapp
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={folder}",
    ]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    settings = {"JUPYTER_CONFIG_PATH": str(config)} if config else {}
    with (home / "lab.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "HOME": str(home), "PATH": path, **settings}, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_up(f"{address}/api/status", server)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


@contextmanager
def browser(width: int = 1400, height: int = 1000) -> Generator[BrowserContext]:
    """Open a headless Chromium. Its pages share a cache: loading JupyterLab takes seconds."""
    from playwright.sync_api import sync_playwright

    skip_without(BROWSER)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        context = launched.new_context(viewport={"width": width, "height": height})
        context.set_default_timeout(60_000)
        try:
            yield context
        finally:
            launched.close()


@contextmanager
def browser_page(width: int = 1400, height: int = 1000) -> Generator[Page]:
    """Open a page in a headless Chromium of its own."""
    with browser(width, height) as context:
        yield context.new_page()


def _wait_until_up(address: str, server: subprocess.Popen[bytes]) -> None:
    import time

    for _ in range(600):
        assert server.poll() is None, "JupyterLab ended before it was up"
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("JupyterLab was not up after a minute")
