import sys

import asyncpg
import httpx
import pytest

from tests.servers import free_port, run_nginx, running


async def test_each_postgres_database_is_new_and_empty(postgres):
    for _ in range(2):
        connection = await asyncpg.connect(postgres.new_database())
        try:
            assert (
                await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
            )
            await connection.execute("CREATE TABLE seen (id int)")
        finally:
            await connection.close()


def test_nginx_answers_by_the_given_configuration_and_is_gone_afterwards():
    port = free_port()
    with run_nginx(f"server {{ listen 127.0.0.1:{port}; return 200 'hello'; }}", port=port) as process:
        assert httpx.get(f"http://127.0.0.1:{port}/").text == "hello"
    assert process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/")


def test_a_server_that_ends_before_it_answers_is_reported_with_what_it_printed(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit('no luck')"]
    with (
        pytest.raises(RuntimeError, match="ended with 1") as caught,
        running(command, port=free_port(), log=tmp_path / "log"),
    ):
        pass
    assert "no luck" in caught.value.__notes__[0]
