"""The dashboard of one process's Keystead."""

import os
from pathlib import Path

from litestar import Litestar

from keystead.dashboard.app import make_dashboard
from keystead.dashboard.door import Entrance
from keystead.dashboard.house import House
from keystead.dashboard.texts import LOCALES
from keystead.services.throttle import Throttle
from keystead.settings.in_effect import in_effect
from keystead.wiring.instance import Instance


def pages_of(instance: Instance, *, pieces: bool = False, locales: Path = LOCALES) -> Litestar:
    """The pages of an instance; for `pieces` and `locales`, which tests give, see `make_dashboard`.

    Raises FileNotFoundError where `make setup` did not build their files.
    """
    settings = instance.settings
    house = House(
        product_name=settings.product_name,
        support_url=settings.support_url,
        docs_url=settings.docs_url,
        public_url=settings.address,
    )
    entrance = Entrance(
        context=instance.context,
        throttle=Throttle(instance.management_rate),
        trusted_proxies=settings.trusted_proxies,
        database="SQLite" if settings.database_url is None else "PostgreSQL",
        in_effect=in_effect(settings, os.environ),
    )
    return make_dashboard(house, entrance=entrance, pieces=pieces, locales=locales)
