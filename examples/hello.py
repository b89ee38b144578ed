"""A program dies between two steps, and nobody knows which of them were taken.

Started again, it repeats the first or forgets the second. Here each step that is done is recorded in a file, so the run
goes on from there.
"""

import asyncio

import perdure
from perdure import App

app = App("hello")


@app.activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@app.workflow
async def hello(name: str) -> str:
    return await greet(name)


async def main() -> str:
    async with perdure.open(app, store="sqlite:///hello.db") as client:
        return await client.execute(hello, "world")


if __name__ == "__main__":
    print(asyncio.run(main()))
