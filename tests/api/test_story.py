"""The main job, from issue to revoke."""

from tests.api.world import World


async def test_a_key_is_issued_used_rotated_and_revoked(world: World):
    app = await world.app()
    key = await world.key(app, constraints=[{"type": "prefix", "pattern": "jobs/", "methods": ["GET"]}])
    assert (await world.verdict(key["token"], path="/jobs/7"))["valid"]
    assert (await world.verdict(key["token"], path="/admin"))["reason"] == "CONSTRAINT_UNMET"

    rotated = await world.made("POST", f"keys/{key['id']}/rotate", {"grace_s": 3600})
    assert (await world.verdict(key["token"], path="/jobs/7"))["valid"]
    assert (await world.verdict(rotated["token"], path="/jobs/7"))["valid"]
    world.clock.advance(seconds=3600)
    assert (await world.verdict(key["token"], path="/jobs/7"))["reason"] == "RETIRED"

    await world.made("DELETE", f"keys/{key['id']}?reason=compromised")
    assert (await world.verdict(rotated["token"], path="/jobs/7"))["reason"] == "REVOKED"
