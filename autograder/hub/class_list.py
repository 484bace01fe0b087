"""Decides who may log in: the names on the class list. A learner's first password is theirs from then on.

`jupyterhub_config.py` names the class; JupyterHub calls its methods. It combines JupyterHub's own authenticator for
accounts of the machine, which makes missing accounts, with FirstUseAuthenticator, which stores passwords as hashes.
"""

from __future__ import annotations

from typing import Any

from firstuseauthenticator import FirstUseAuthenticator
from jupyterhub.auth import LocalAuthenticator
from traitlets import default

from .accounts import ADD_USER


class ClassList(LocalAuthenticator, FirstUseAuthenticator):  # type: ignore[misc]  # both derive from Authenticator
    """Lets in who is on the list (`Authenticator.allowed_users` and `admin_users`), and nobody else."""

    @default("create_system_users")
    def _create_system_users(self) -> bool:
        return True

    @default("create_users")
    def _create_users(self) -> bool:
        return False

    @default("add_user_cmd")
    def _add_user_cmd(self) -> list[str]:
        return list(ADD_USER)

    @default("allow_all")
    def _allow_all(self) -> bool:
        return False

    def delete_user(self, user: Any) -> None:
        """Forget a deleted user's password: when they are added again, they choose a new one. Their files stay."""
        FirstUseAuthenticator.delete_user(self, user)
