"""PUT by the provider's own id, whatever visible characters it is made of."""

from urllib.parse import quote

import pytest

from tests.api.world import World


@pytest.mark.parametrize(
    "external_id", ["cus_42", "a/b", "a//b", "/a", "a/", "a?b#c%", "a%2Fb", "~!$&'()*+,;=:@"]
)
@pytest.mark.parametrize(("kind", "body"), [("organizations", {}), ("users", {"email": "ada@example.com"})])
async def test_an_external_id_is_read_from_the_path_exactly_as_it_was_sent(
    sqlite_world: World, kind: str, body: dict[str, str], external_id: str
):
    path = f"{kind}/external/{quote(external_id, safe='')}"
    made = await sqlite_world.call("PUT", path, json={"name": "N", **body})
    assert (made.status_code, made.json()["external_id"]) == (201, external_id)
    again = await sqlite_world.call("PUT", path, json={"name": "N", **body})
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
