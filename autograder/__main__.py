"""The command `autograder`, also as `python -m autograder`."""

from __future__ import annotations

import sys

from .sandbox import fork_server
from .sandbox.inside import garbage


def main() -> None:
    """Run the command line. If the command grades, the slowest preparation (the fork server) starts first."""
    grades = fork_server.is_for(sys.argv[1:])
    try:
        with garbage.none_while_importing():
            if grades:
                fork_server.prepare(sandbox="--no-sandbox" not in sys.argv)
            from .cli.app import main as run

            if grades:
                from .run import cluster, grade  # noqa: F401  (imported before the fork, so that workers inherit them)
        garbage.look_rarely()
        if grades:
            fork_server.fork()
        run()
    finally:
        fork_server.end()


if __name__ == "__main__":
    main()
