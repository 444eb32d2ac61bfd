"""The list of nodes."""

from datetime import datetime, timedelta

from tests.api.test_wait import FAR, SECOND, report
from tests.api.world import Json, World


async def listed(world: World) -> dict[str, Json]:
    answer = await world.made("GET", "nodes")
    assert answer["next_cursor"] is None
    return {FAR if it["name"] == FAR else "own": it for it in answer["items"]}


async def test_the_node_that_answers_is_level_and_seen_now(world: World):
    made = await world.organization()
    nodes = await listed(world)
    assert nodes.keys() == {"own"}
    own, context = nodes["own"], world.instance.context
    assert (own["id"], own["name"]) == (context.node_id, context.node_name)
    assert (own["applied_epoch"], own["lag"], own["this_node"]) == (made["epoch"], 0, True)
    assert datetime.fromisoformat(own["seen_at"]) == context.clock()


async def test_others_are_as_they_reported(world: World):
    made = await world.organization()
    await report(world, made["epoch"] - 2, unseen_for=60 * SECOND)
    first = (await listed(world))[FAR]
    assert (first["applied_epoch"], first["lag"], first["this_node"]) == (made["epoch"] - 2, 2, False)
    await report(world, made["epoch"])
    then = (await listed(world))[FAR]
    assert (then["applied_epoch"], then["lag"]) == (made["epoch"], 0)
    seen = [datetime.fromisoformat(it["seen_at"]) for it in (first, then)]
    assert seen[1] - seen[0] >= timedelta(seconds=60)


async def test_a_node_long_unseen_is_listed(world: World):
    await report(world, 1, unseen_for=timedelta(days=30))
    assert FAR in await listed(world)


async def test_nodes_are_listed_by_name(world: World):
    await report(world, 1)
    names = [it["name"] for it in (await world.made("GET", "nodes"))["items"]]
    assert names == sorted(names)


async def test_only_who_may_read_nodes_sees_them(sqlite_world: World):
    reader = await sqlite_world.root_key("nodes:read")
    await sqlite_world.made("GET", "nodes", token=reader["token"])
    other = await sqlite_world.root_key("metrics:read")
    await sqlite_world.refused(403, "forbidden", "GET", "nodes", token=other["token"])


async def test_there_is_nothing_to_filter_by(sqlite_world: World):
    await sqlite_world.refused(422, "invalid-input", "GET", "nodes?limit=1")
