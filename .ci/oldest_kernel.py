"""Run the demo with the oldest ipykernel that pyproject.toml takes, all else as it is: `.venv/bin/python` runs this.

The environment is laid over `.venv`: only ipykernel itself is installed into it.
"""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
OVER = ROOT / ".venv-oldest-kernel"


def main() -> int:
    """Make the environment and return what the demo ends with."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = map(Requirement, project["optional-dependencies"]["grading"])
    [oldest] = [bound.version for one in asked if one.name == "ipykernel" for bound in one.specifier]
    venv.create(OVER, clear=True, symlinks=True)
    [packages] = OVER.glob("lib/python*/site-packages")
    (packages / "below.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packages]
    subprocess.run([*pip, f"ipykernel=={oldest}"], check=True)
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # nbgrader looks for alembic
    demo = [OVER / "bin" / "python", "-m", "autograder", "demo", ROOT / "demo-class"]
    return subprocess.run(demo, cwd=ROOT, env={**os.environ, "PATH": programs}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
