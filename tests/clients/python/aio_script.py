"""The calls of aioipfs that tests/clients compares: python aio_script.py PORT DIRECTORY"""

import asyncio
import pathlib
import sys

import aioipfs
from steps import ABSENT, async_step as step

PORT, DIRECTORY = int(sys.argv[1]), pathlib.Path(sys.argv[2])


async def gather(source):
    """All that an async generator gives."""
    return [item async for item in source]


async def last(source):
    """The last line of a stream: how often progress is told depends on the clock."""
    return (await gather(source))[-1]


async def adding(ipfs):
    tree = DIRECTORY / "aio"
    (tree / "sub").mkdir(parents=True, exist_ok=True)
    (tree / "a").write_text("aio a\n")
    (tree / "sub" / "b").write_text("aio b\n")
    await step("add", "bytes", lambda: ipfs.add_bytes(b"aio bytes"))
    await step("add", "text with a name", lambda: ipfs.add_str("aio text", name="named"))
    await step("add", "JSON", lambda: ipfs.add_json({"from": "aio"}))
    await step("add", "a file", lambda: gather(ipfs.add(str(tree / "a"))))
    await step("add", "a directory", lambda: gather(ipfs.add(str(tree), recursive=True)))
    await step("add", "several files", lambda: gather(ipfs.add(str(tree / "a"), str(tree / "sub" / "b"))))
    await step("add", "wrapped", lambda: gather(ipfs.add(str(tree / "a"), wrap_with_directory=True)))
    await step("add", "only_hash", lambda: ipfs.add_bytes(b"aio hash", only_hash=True))
    await step("add", "CIDv1", lambda: ipfs.add_bytes(b"aio v1", cid_version=1))
    await step("add", "inline", lambda: ipfs.add_bytes(b"aio in", inline=True, cid_version=1))
    await step("add", "not pinned", lambda: ipfs.add_bytes(b"aio loose", pin=False))
    await step("add", "an unknown hash", lambda: ipfs.add_bytes(b"x", hash="sha9"))


async def pinning(ipfs):
    one = (await ipfs.add_bytes(b"aio one"))["Hash"]
    two = (await ipfs.add_bytes(b"aio two"))["Hash"]
    loose = (await ipfs.add_bytes(b"aio later", pin=False))["Hash"]
    await step("pin/ls", "one", lambda: ipfs.pin.ls(one))
    await step("pin/ls", "recursive", lambda: ipfs.pin.ls(pintype="recursive"))
    await step("pin/ls", "everything", lambda: ipfs.pin.ls())
    await step("pin/ls", "not pinned", lambda: ipfs.pin.ls(loose))
    await step("pin/add", "with progress and name", lambda: last(ipfs.pin.add(loose, name="aio")))
    await step("pin/ls", "names", lambda: ipfs.pin.ls(loose, names=True))
    await step("pin/rm", "one", lambda: ipfs.pin.rm(loose))
    await step("pin/rm", "not pinned", lambda: ipfs.pin.rm(loose))
    await step("pin/add", "direct", lambda: last(ipfs.pin.add(loose, recursive=False)))
    await step("pin/ls", "direct", lambda: ipfs.pin.ls(pintype="direct"))
    await step("pin/add", "not a CID", lambda: gather(ipfs.pin.add("nonsense")))
    await step("pin/add", "no link of that name", lambda: gather(ipfs.pin.add(f"/ipfs/{one}/nope")))
    await step("pin/update", "two to one", lambda: ipfs.pin.update(two, one))
    await step("pin/update", "two to later", lambda: ipfs.pin.update(two, loose, unpin=False))
    await step("pin/ls", "of an absent CID", lambda: ipfs.pin.ls(ABSENT))


async def blocks_and_dags(ipfs):
    content = DIRECTORY / "content"
    content.write_bytes(b"aio block")
    await step("block/put", "pinned", lambda: ipfs.block.put(str(content)))
    loose = await step("block/put", "not pinned", lambda: ipfs.block.put(str(content), cid_codec="dag-pb", pin=False))
    await step("block/stat", "size", lambda: ipfs.block.stat(loose["Key"]))
    content.write_text('{"aio": [1, 2]}')
    node = await step("dag/put", "pinned", lambda: ipfs.dag.put(str(content), pin=True))
    cid = node["Cid"]["/"]
    await step("dag/get", "value", lambda: ipfs.dag.get(cid))
    car = await step("dag/export", "a CAR file", lambda: ipfs.dag.car_export(cid))
    await step("pin/rm", "of a node", lambda: ipfs.pin.rm(cid))
    await step("dag/import", "pins its root", lambda: ipfs.dag.car_import(bytes(car)))
    await step("pin/ls", "of an imported root", lambda: ipfs.pin.ls(cid))


async def repository(ipfs):
    async def stat():
        answer = await ipfs.repo.stat()
        return {"NumObjects": answer["NumObjects"], "keys": sorted(answer), "Version": answer["Version"]}

    async def gc():
        return sorted(line["Key"]["/"] for line in await gather(ipfs.repo.gc()))

    await step("repo/stat", "objects and form", stat)
    await step("stats/repo", "has a size", lambda: has_size(ipfs))
    await step("repo/gc", "what goes", gc)
    await step("repo/stat", "after the collection", stat)


async def has_size(ipfs):
    return (await ipfs.stats.repo())["RepoSize"] > 0


async def passed_through(ipfs):
    cid = (await ipfs.add_bytes(b"aio reads, " * 20_000))["Hash"]
    await step("cat", "a part", lambda: ipfs.cat(cid, offset=5, length=5))
    await step("ls", "links", lambda: ipfs.ls(cid))
    await step("files/mkdir", "directory", lambda: ipfs.files.mkdir("/aio"))
    await step("files/ls", "root", lambda: ipfs.files.ls("/"))
    await step("files/rm", "directory", lambda: ipfs.files.rm("/aio", recursive=True))
    await step("refs", "links", lambda: ipfs.refs.refs(cid))
    await step("id", "identity", lambda: keys(ipfs.id()))
    await step("version", "version", lambda: ipfs.version())
    await step("swarm/peers", "nobody", lambda: ipfs.swarm.peers())
    await step("commands", "a name", lambda: name(ipfs.commands()))


async def keys(answer):
    return sorted(await answer)


async def name(answer):
    return (await answer)["Name"]


async def main():
    client = aioipfs.AsyncIPFS(host="127.0.0.1", port=PORT)
    try:
        await adding(client)
        await pinning(client)
        await blocks_and_dags(client)
        await repository(client)
        await passed_through(client)
    finally:
        await client.close()


asyncio.run(main())
