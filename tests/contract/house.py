"""A house where people sign in: services on a real store, with a clock that tests move and no replica."""

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from keystead.dashboard.words import CatalogWords
from keystead.domain.ids import OrganizationId, UserId
from keystead.domain.powers import Operator
from keystead.domain.secrets import Secret
from keystead.domain.tenants import Member, Organization, Role, User
from keystead.ports.store import Resumed
from keystead.services import people as signing
from keystead.services.context import Actor, Context, People, Seals, Visit
from keystead.services.drafts import NewOrganization
from keystead.services.mutation import mutation
from keystead.services.organizations import make_organization
from keystead.services.people import SignedIn
from keystead.services.users import insert_user, new_user
from keystead.storage.sql.store import SqlStore
from tests.clock import FakeClock
from tests.people import KeptMail, PlainPasswords

PASSWORD = "correct horse battery"
OPERATOR = Actor(principal=Operator())


class LevelReplica:
    """A node that has always applied everything."""

    def instant_ns(self) -> int:
        return 0

    def has_applied(self, epoch: int, since_ns: int) -> bool:
        return True

    async def await_applied(self, epoch: int, within: object, since_ns: int = 0) -> bool:
        return True


@dataclass
class House:
    """Who lives there, and shorthand for what most tests begin with."""

    context: Context
    clock: FakeClock
    passwords: PlainPasswords
    mail: KeptMail = field(default_factory=KeptMail)

    def changed(self, **people: Any) -> "House":
        """The same house with other rules."""
        context = replace(self.context, people=replace(self.context.people, **people))
        return House(context, self.clock, self.passwords, self.mail)

    async def user(self, name: str = "ada", **changes: Any) -> User:
        """A new user, who has the password unless said."""
        async with mutation(self.context, OPERATOR) as work:
            made = new_user(self.context, work, f"{name}@example.com", name.title())
            user = replace(made, **{"password": f"1:{PASSWORD}", **changes})
            return await insert_user(work, user)

    async def organization(self, **members: User) -> Organization:
        """A new organization with members by role."""
        async with mutation(self.context, OPERATOR) as work:
            made = await make_organization(self.context, work, NewOrganization(name="Acme"))
            for role, user in members.items():
                await work.tables.members.insert(
                    Member(organization_id=made.id, user_id=user.id, role=Role(role), created_at=work.now)
                )
        return made

    async def sign_in(self, user: User, *, password: str = PASSWORD, **visit: Any) -> SignedIn:
        """A session of a user's."""
        found = await self.try_in(user.email, password, **visit)
        assert found is not None
        return found

    async def try_in(self, email: str, password: str = PASSWORD, **visit: Any) -> SignedIn | None:
        """What trying to sign in comes to."""
        at = Visit(**{"address": "192.0.2.1", "agent": "Firefox", **visit})
        return await signing.sign_in(self.context, at, email=email, password=password)

    async def resumed(self, secret: Secret) -> Resumed:
        """A session that must be there."""
        found = await signing.resume(self.context, secret.reveal())
        assert found is not None
        return found

    async def actor(self, user: User, organization_id: OrganizationId | None = None) -> Actor:
        """A user who has just signed in, acting in an organization."""
        resumed = await self.resumed((await self.sign_in(user)).secret)
        return Actor(principal=signing.acting(resumed, organization_id))

    async def find(self, user_id: UserId) -> User:
        """A user as they are now."""
        async with self.context.store.read() as tables:
            found = await tables.users.find(user_id)
        assert found is not None
        return found


def house_on(store: SqlStore) -> House:
    """An empty house on a store."""
    clock, passwords, nothing, level = FakeClock(), PlainPasswords(), None, LevelReplica()
    replica: Any = level
    uses: Any = nothing
    context = Context(
        store=store,
        replica=replica,
        uses=uses,
        clock_ms=clock.ms,
        entropy=secrets.token_bytes,
        seals=Seals(b"x" * 32),
        people=People(
            passwords=passwords, words=CatalogWords(), return_urls=("https://app.example.com/account",)
        ),
    )
    return House(context, clock, passwords)
