"""Hostile notebooks, sorted by what they go for. README.md says what they prove and how to add one."""

from .attack import Attack
from .bombs import ATTACKS as BOMBS
from .files import ATTACKS as FILES
from .forbidden_calls import ATTACKS as FORBIDDEN_CALLS
from .lies import ATTACKS as LIES
from .messages import ATTACKS as MESSAGES
from .pages import ATTACKS as PAGES
from .patches import ATTACKS as PATCHES
from .places import ATTACKS as PLACES
from .processes import ATTACKS as PROCESSES
from .verdicts import ATTACKS as VERDICTS

KINDS = (VERDICTS, PATCHES, MESSAGES, LIES, FORBIDDEN_CALLS, PLACES, BOMBS, PROCESSES, FILES, PAGES)
ATTACKS: tuple[Attack, ...] = tuple(attack for kind in KINDS for attack in kind)
