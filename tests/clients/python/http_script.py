"""The calls of ipfshttpclient that tests/clients compares: python http_script.py PORT DIRECTORY"""

import io
import pathlib
import sys
import warnings

from steps import ABSENT, step

# The client warns about every Kubo newer than itself; it works all the same.
warnings.simplefilter("ignore")
import ipfshttpclient  # noqa: E402  (after the filter)

PORT, DIRECTORY = sys.argv[1], pathlib.Path(sys.argv[2])


def adding(ipfs):
    tree = DIRECTORY / "tree"
    (tree / "sub").mkdir(parents=True, exist_ok=True)
    (tree / "a").write_text("python a\n")
    (tree / "sub" / "b").write_text("python b\n")
    step("add", "bytes", lambda: ipfs.add_bytes(b"python bytes"))
    step("add", "text", lambda: ipfs.add_str("python text"))
    step("add", "JSON", lambda: ipfs.add_json({"from": "python"}))
    step("add", "a file", lambda: ipfs.add(str(tree / "a")))
    step("add", "a directory", lambda: ipfs.add(str(tree), recursive=True))
    step("add", "wrapped", lambda: ipfs.add(str(tree / "a"), wrap_with_directory=True))
    step("add", "only_hash", lambda: ipfs.add_bytes(b"hashed only", opts={"only-hash": True}))
    step("add", "CIDv1", lambda: ipfs.add(str(tree / "a"), cid_version=1, raw_leaves=True))
    step("add", "not pinned", lambda: ipfs.add(io.BytesIO(b"loose"), pin=False))
    step("add", "trickle, own chunker", lambda: ipfs.add(str(tree / "a"), trickle=True, chunker="size-4"))
    step("add", "an unknown chunker", lambda: ipfs.add(str(tree / "a"), chunker="nonsense"))


def pinning(ipfs):
    one, two = ipfs.add_bytes(b"pin one"), ipfs.add_bytes(b"pin two")
    loose = ipfs.add(io.BytesIO(b"pin me later"), pin=False)["Hash"]
    step("pin/ls", "one", lambda: ipfs.pin.ls(one))
    step("pin/ls", "two", lambda: ipfs.pin.ls(one, two))
    step("pin/ls", "recursive", lambda: ipfs.pin.ls(type="recursive"))
    step("pin/ls", "everything", lambda: ipfs.pin.ls())
    step("pin/ls", "not pinned", lambda: ipfs.pin.ls(loose))
    step("pin/add", "two", lambda: ipfs.pin.add(one, loose))
    step("pin/rm", "two", lambda: ipfs.pin.rm(one, loose))
    step("pin/rm", "not pinned", lambda: ipfs.pin.rm(loose))
    step("pin/add", "direct", lambda: ipfs.pin.add(loose, recursive=False))
    step("pin/ls", "direct", lambda: ipfs.pin.ls(type="direct"))
    step("pin/add", "absent, timeout", lambda: ipfs.pin.add(ABSENT, opts={"timeout": "700ms"}))
    step("pin/update", "two to one", lambda: ipfs.pin.update(two, one))
    step("pin/update", "not pinned", lambda: ipfs.pin.update(two, one))
    step("pin/verify", "all", lambda: len(list(ipfs.pin.verify(one, verbose=True))) > 0)


def blocks_and_dags(ipfs):
    block = step("block/put", "not pinned", lambda: ipfs.block.put(io.BytesIO(b"python block")))
    step("block/put", "pinned", lambda: ipfs.block.put(io.BytesIO(b"pinned block"), opts={"pin": True}))
    step("block/get", "bytes", lambda: ipfs.block.get(block["Key"]))
    step("block/stat", "size", lambda: ipfs.block.stat(block["Key"]))
    node = step("dag/put", "pinned", lambda: ipfs.dag.put(io.BytesIO(b'{"a":1}'), opts={"pin": True}))
    cid = node["Cid"]["/"]
    step("dag/get", "value", lambda: ipfs.dag.get(cid))
    step("dag/resolve", "path", lambda: ipfs.dag.resolve(f"{cid}/a"))
    car = ipfs.dag.export(cid)
    step("dag/export", "a CAR file", lambda: len(car))
    step("dag/import", "pins its root", lambda: ipfs.dag.imprt(io.BytesIO(car)))
    step("pin/ls", "of an imported root", lambda: ipfs.pin.ls(cid))


def repository(ipfs):
    def stat():
        answer = ipfs.repo.stat()
        return {"NumObjects": answer["NumObjects"], "keys": sorted(answer), "Version": answer["Version"]}

    step("repo/stat", "objects and form", stat)
    step("repo/gc", "what goes", lambda: sorted(line["Key"]["/"] for line in ipfs.repo.gc()))
    step("repo/stat", "after the collection", stat)


def passed_through(ipfs):
    cid = ipfs.add_bytes(b"read me, " * 20_000)
    step("cat", "length", lambda: len(ipfs.cat(cid)))
    step("cat", "a part", lambda: ipfs.cat(cid, offset=5, length=2))
    step("cat", "absent, timeout", lambda: ipfs.cat(ABSENT, opts={"timeout": "500ms"}))
    step("ls", "links", lambda: ipfs.ls(cid))
    step("files/mkdir", "directory", lambda: ipfs.files.mkdir("/python"))
    step("files/write", "file", lambda: ipfs.files.write("/python/f", io.BytesIO(b"text"), create=True))
    step("files/ls", "directory", lambda: ipfs.files.ls("/python"))
    step("files/read", "file", lambda: ipfs.files.read("/python/f"))
    step("files/rm", "directory", lambda: ipfs.files.rm("/python", recursive=True))
    step("id", "identity", lambda: sorted(ipfs.id()))
    step("version", "version", lambda: ipfs.version())
    step("key/list", "names", lambda: [key["Name"] for key in ipfs.key.list()["Keys"]])
    step("swarm/peers", "nobody", lambda: ipfs.swarm.peers())
    step("config/get", "a value", lambda: ipfs.config.get()["Routing"])


with ipfshttpclient.connect(f"/ip4/127.0.0.1/tcp/{PORT}/http") as client:
    adding(client)
    pinning(client)
    blocks_and_dags(client)
    repository(client)
    passed_through(client)
