"""A long video becomes several sizes; each takes hours on one machine, and machines die or are taken away.

A script starts again from the first frame then, or leaves half a film that looks whole. Here the film is cut into
chunks that are transcoded some at a time, each tells by heartbeats how far it is so that the next attempt goes on
there, and nothing is published before all chunks of all sizes are there.
"""

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import perdure
from perdure import App, Retry, activity, workflow

app = App("video")

FRAMES, CHUNK = 240, 40
SIZES = {"small": 2, "large": 5}


@dataclass(frozen=True)
class Chunk:
    film: Path
    first: int

    def path(self, size: str) -> Path:
        return self.film.with_name(f"{self.film.stem}-{size}-{self.first:05}")


doomed = {"film-large-00080"}
"""Chunks whose first machine is taken away half-way."""


@app.activity
def split(film: Path) -> list[Chunk]:
    frames = len(film.read_text().splitlines())
    return [Chunk(film, first) for first in range(0, frames, CHUNK)]


@app.activity(start_to_close=timedelta(hours=1), heartbeat=timedelta(seconds=30), retry=Retry(initial=0.05))
def transcode(chunk: Chunk, size: str) -> Path:
    path = chunk.path(size)
    frames = chunk.film.read_text().splitlines()[chunk.first : chunk.first + CHUNK]
    done: int = activity.info().heartbeat_details or 0  # what the attempt before said last
    if done:
        print(f"{path.name} goes on at frame {done}")
    result = path.read_text().splitlines()[:done] if done else []
    for frame in frames[done:]:
        result.append(frame * SIZES[size])
        path.write_text("\n".join(result) + "\n")
        activity.heartbeat(len(result))
        if len(result) == CHUNK // 2 and path.name in doomed:
            doomed.discard(path.name)
            raise ConnectionError("the machine was taken away")
    return path


@app.activity
def join(chunks: list[Path], target: Path) -> int:
    text = "".join(chunk.read_text() for chunk in chunks)
    target.write_text(text)
    return len(text.splitlines())


@app.activity
def clean_up(parts: list[Path]) -> None:
    for part in parts:
        part.unlink(missing_ok=True)  # an attempt before this one may have come as far


@app.workflow
async def publish(film: Path) -> dict[str, int]:
    chunks = await split(film)
    parts: list[Path] = []

    async def one_size(size: str) -> int:
        own: list[Path] = []
        async for part in workflow.map(transcode, chunks, size, concurrency=3):
            own.append(part)
            parts.append(part)
            workflow.progress(len(parts), len(chunks) * len(SIZES), "chunks")
        return await join(own, film.with_name(f"{size}.txt"))

    async with asyncio.TaskGroup() as group:  # the sizes at once; if one fails, the other is cancelled
        sizes = {size: group.create_task(one_size(size)) for size in SIZES}
    await clean_up(parts)
    return {size: frames.result() for size, frames in sizes.items()}


async def main(folder: Path = Path("film")) -> dict[str, int]:
    folder.mkdir(exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    film = folder / "film.txt"
    film.write_text("".join(f"{number % 10}\n" for number in range(FRAMES)))  # a frame is a digit
    async with perdure.open(app, store=f"sqlite:///{folder / 'video.db'}") as client:
        return await client.execute(publish, film)


if __name__ == "__main__":
    print(asyncio.run(main(*map(Path, sys.argv[1:2]))))
