"""Lets teachers sign in to the board with their account on the class's JupyterHub, by OAuth.

On a hub the board is one of its services, which starts it with the addresses and the key that `HubOAuth` reads.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlencode


class HubSignIn:
    """The hub that has started this service."""

    def __init__(self) -> None:
        from jupyterhub.services.auth import HubOAuth  # slow import, and only there with the extra [hub]

        self._hub: Any = HubOAuth()

    def address(self, state: str) -> str:
        """Return where a browser signs in; the hub then sends it to this service's `oauth_callback`.

        Args:
            state: comes back with it, so that nobody can be signed in by another site.
        """
        return f"{self._hub.login_url}&{urlencode({'state': state})}"

    async def may_teach(self, code: str) -> bool:
        """Return whether the account for which the hub gave `code` may use this service."""
        try:
            token = await self._hub.token_for_code(code, sync=False)
            user = await self._hub.user_for_token(token, use_cache=False, sync=False)
        except Exception as error:
            if getattr(error, "status_code", None) is None:
                raise
            return False  # the hub does not know the code
        return user is not None and bool(self._hub.check_scopes(self._hub.access_scopes, user))


def hub_sign_in() -> HubSignIn | None:
    """Return the hub that has started this process as a service, None if none has."""
    return HubSignIn() if os.environ.get("JUPYTERHUB_CLIENT_ID") else None
