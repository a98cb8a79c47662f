"""A process that sends one message and says so; tests kill it on the way."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from adapters.channel_settings import channel_settings
from adapters.channels import routed_channel
from adapters.database import Database
from tests.adapters.channels.messages import message


async def main(database_url: str, channels: str) -> None:
    database = Database(database_url)
    receipt = await routed_channel(channel_settings(Path(channels)), database, joined={}).send(message())
    await database.close()
    print(receipt.channel)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
