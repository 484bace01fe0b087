"""The command `autograder`, also as `python -m autograder`."""

from __future__ import annotations

import sys

from . import fork_server


def main() -> None:
    """Run the command line; where it will grade, what takes seconds to get ready begins first."""
    fork_server.begin_for(sys.argv[1:])
    try:
        from .cli import main as run

        run()
    finally:
        fork_server.end()


if __name__ == "__main__":
    main()
