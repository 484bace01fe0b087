"""Decides who may log in: the class list and the teachers. A learner's first password is theirs from then on.

`jupyterhub_config.py` names the class; JupyterHub calls its methods. It combines JupyterHub's own authenticator for
accounts of the machine, which makes missing accounts, with FirstUseAuthenticator, which stores passwords as hashes.
"""

from __future__ import annotations

import dbm
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from firstuseauthenticator import FirstUseAuthenticator
from jupyterhub.auth import LocalAuthenticator
from traitlets import Unicode, default

from .accounts import ADD_USER
from .names import is_user_name


def read_names(class_list: Path) -> set[str]:
    """Return the names on a class list: a name on each line, without lines that begin with # or cannot be names."""
    lines = class_list.read_text(encoding="utf-8-sig").splitlines()
    return {name for line in lines if is_user_name(name := line.strip())}


def first_passwords(store: Path, teachers: Iterable[str]) -> dict[str, str]:
    """Make a password for each teacher who has none, and return them by name.

    A learner who logged in first under a teacher's name would otherwise be the hub's administrator.

    Args:
        store: the file of passwords.
    """
    passwords = FirstUseAuthenticator(dbm_path=str(store))
    made = {name: secrets.token_urlsafe(9) for name in sorted(teachers) if not _has_password(store, name)}
    for name, password in made.items():
        passwords.reset_password(name, password)
    return made


class ClassList(LocalAuthenticator, FirstUseAuthenticator):  # both derive from Authenticator
    """Lets in who is on the class list or a teacher (`Authenticator.admin_users`), and nobody else.

    The list is read at each log-in and, of those who are logged in, every few minutes: a change needs no restart.
    """

    class_list = Unicode(help="The file with the class list.").tag(config=True)
    _names: frozenset[str] = frozenset()

    @default("create_system_users")
    def _create_system_users(self) -> bool:
        return True

    @default("create_users")
    def _create_users(self) -> bool:
        return True  # those of the class list: `authenticate` has refused all others

    @default("add_user_cmd")
    def _add_user_cmd(self) -> list[str]:
        return list(ADD_USER)

    @default("allow_all")
    def _allow_all(self) -> bool:
        return False

    @default("auth_refresh_strict")
    def _auth_refresh_strict(self) -> bool:
        return True  # a learner's own server, too, closes to who is no longer on the list

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        """Return whether a name is a teacher's, or on the class list now."""
        try:
            self._names = frozenset(read_names(Path(self.class_list)))
        except OSError as error:  # an editor replaces it at this moment: the names before hold
            self.log.warning("The class list cannot be read: %s", error)
        return username in self.admin_users or username in self._names

    async def authenticate(self, handler: Any, data: dict[str, str]) -> Any:
        """Return the name of who logs in, None if they may not. Nobody else's first password is stored."""
        name = self.normalize_username(data["username"])
        if not self.check_allowed(name):
            return None
        if name in self.admin_users and not _has_password(Path(self.dbm_path), name):
            handler.custom_login_error = "A teacher's first password is made when the hub starts: restart it."
            return None
        return await super().authenticate(handler, data)

    async def refresh_user(self, user: Any, handler: Any = None) -> Any:
        """Log out who is no longer on the list. JupyterHub asks every `Authenticator.auth_refresh_age` seconds."""
        return self.check_allowed(user.name) and await super().refresh_user(user, handler)

    def delete_user(self, user: Any) -> None:
        """Forget a deleted user's password: at the next log-in they choose a new one. Their files stay."""
        FirstUseAuthenticator.delete_user(self, user)


def _has_password(store: Path, name: str) -> bool:
    with dbm.open(str(store), "c", 0o600) as stored:
        return name.encode() in stored
