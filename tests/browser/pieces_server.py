"""The pieces alone, served for the browser: `python -m tests.browser.pieces_server PORT [LOCALES]`."""

import sys
import time
from pathlib import Path

import uvicorn

from keystead.dashboard.app import make_dashboard
from keystead.dashboard.house import House
from keystead.dashboard.texts import LOCALES
from tests.entrance import bare_entrance

port, *folders = sys.argv[1:]
app = make_dashboard(
    House(
        support_url="https://support.example",
        docs_url="https://docs.example",
        public_url=f"http://127.0.0.1:{port}",
    ),
    entrance=bare_entrance(lambda: time.time_ns() // 1_000_000),
    pieces=True,
    locales=Path(folders[0]) if folders else LOCALES,
)
uvicorn.run(app, port=int(port), log_level="warning")
