// The calls of kubo-rpc-client that tests/clients compares: node script.mjs URL
import { create, CID } from 'kubo-rpc-client'
import { step, all, sorted, bytes } from './steps.mjs'

const ipfs = create({ url: process.argv[2] })
const text = (value) => new TextEncoder().encode(value)
const ABSENT = CID.parse('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')

async function adding () {
  const hello = await step('add', 'bytes with a name', () => ipfs.add({ path: 'hello.txt', content: text('hello from js\n') }))
  await step('add', 'text without a name', () => ipfs.add('nameless'))
  await step('add', 'onlyHash', () => ipfs.add('never stored', { onlyHash: true }))
  await step('add', 'CIDv1 with raw leaves', () => ipfs.add('version one', { cidVersion: 1, rawLeaves: true }))
  await step('add', 'wrapWithDirectory', () => all(ipfs.addAll([{ path: 'inner', content: text('wrapped') }], { wrapWithDirectory: true })))
  const tree = await step('add', 'a directory', () => all(ipfs.addAll([
    { path: 'tree/a', content: text('a') }, { path: 'tree/b/c', content: text('c') }, { path: 'tree/empty' }
  ])))
  const loose = await step('add', 'pin: false', () => ipfs.add('not pinned', { pin: false }))
  await step('pin/ls', 'of content added without pin', () => all(ipfs.pin.ls({ paths: loose.cid })))
  const seen = []
  await step('add', 'progress', () => ipfs.add({ path: 'big', content: new Uint8Array(600_000) }, { progress: (count, name) => seen.push([count, name]) }))
  await step('add', 'progress events', async () => seen)
  await step('add', 'mode and mtime', () => ipfs.add({ path: 'old', content: text('dated'), mode: 0o640, mtime: { secs: 1000, nsecs: 5 } }))
  await step('add', 'another hash', () => ipfs.add('hashed', { hashAlg: 'blake2b-256', cidVersion: 1 }))
  await step('add', 'chunker and trickle', () => ipfs.add(new Uint8Array(5000), { chunker: 'size-1000', trickle: true }))
  await step('add', 'inline', () => ipfs.add('short', { inline: true, cidVersion: 1 }))
  await step('add', 'an unknown chunker', () => ipfs.add('x', { chunker: 'nonsense' }))
  await step('add', 'a pin name', () => ipfs.add('named at once', { pinName: 'from add' }))
  await step('add', 'many files at once', async () => (await all(ipfs.addAll(
    Array.from({ length: 60 }, (_, n) => ({ path: `many/${n}`, content: text(`file ${n}`) }))))).at(-1))
  return { hello: hello.cid, tree: tree.at(-1).cid, loose: loose.cid }
}

async function pinning ({ hello, tree, loose }) {
  await step('pin/ls', 'everything', () => sorted(ipfs.pin.ls()))
  await step('pin/ls', 'recursive', () => sorted(ipfs.pin.ls({ type: 'recursive' })))
  await step('pin/ls', 'two paths', () => all(ipfs.pin.ls({ paths: [hello, tree] })))
  await step('pin/add', 'with a name', () => ipfs.pin.add(loose, { name: 'js name' }))
  await step('pin/ls', 'names', () => all(ipfs.pin.ls({ paths: loose, names: true })))
  await step('pin/ls', 'filter by name', () => sorted(ipfs.pin.ls({ name: 'js n' })))
  await step('pin/rm', 'one', () => ipfs.pin.rm(loose))
  await step('pin/rm', 'not pinned', () => ipfs.pin.rm(loose))
  await step('pin/ls', 'not pinned', () => all(ipfs.pin.ls({ paths: loose })))
  await step('pin/add', 'direct', () => ipfs.pin.add(loose, { recursive: false }))
  await step('pin/ls', 'direct', () => sorted(ipfs.pin.ls({ type: 'direct' })))
  await step('pin/add', 'direct over recursive', () => ipfs.pin.add(tree, { recursive: false }))
  await step('pin/add', 'nobody has it, timeout', () => ipfs.pin.add(ABSENT, { timeout: 700 }))
  await step('pin/ls', 'after a failed pin', () => all(ipfs.pin.ls({ paths: ABSENT })))
  await step('pin/rm', 'withdraw the failed pin', () => ipfs.pin.rm(ABSENT))
  await step('pin/add', 'a path', () => ipfs.pin.add(`/ipfs/${tree}/b/c`))
  await step('pin/add', 'no link of that name', () => ipfs.pin.add(`/ipfs/${tree}/nope`))
  await step('pin/add', 'several', () => all(ipfs.pin.addAll([hello, { path: loose, recursive: true, name: 'again' }])))
  await step('pin/ls', 'indirect', () => sorted(ipfs.pin.ls({ type: 'indirect' })))
  await step('pin/ls', 'an unknown type', () => all(ipfs.pin.ls({ type: 'sideways' })))
  await step('pin/update', 'to new content', async () => {
    const next = await ipfs.add('the next version', { pin: false })
    return ipfs.pin.update(loose, next.cid)
  })
  await step('pin/rm', 'several', () => all(ipfs.pin.rmAll([hello, tree])))
  await step('pin/ls', 'what is left', () => sorted(ipfs.pin.ls({ names: true })))
}

async function blocksAndDags () {
  const block = await step('block/put', 'pinned', () => ipfs.block.put(text('a pinned block'), { pin: true }))
  await step('block/put', 'not pinned, dag-pb', () => ipfs.block.put(new Uint8Array([0x0a, 0x02, 0x08, 0x01]), { format: 'dag-pb', version: 1 }))
  await step('pin/ls', 'of a block', () => all(ipfs.pin.ls({ paths: block })))
  await step('block/get', 'bytes', () => ipfs.block.get(block))
  await step('block/stat', 'size', () => ipfs.block.stat(block))
  await step('block/rm', 'a pinned block', () => all(ipfs.block.rm(block)))
  const node = await step('dag/put', 'pinned', () => ipfs.dag.put({ from: 'js', list: [1, 2] }, { pin: true }))
  await step('dag/put', 'not pinned, dag-json', () => ipfs.dag.put({ loose: true }, { storeCodec: 'dag-json' }))
  await step('dag/get', 'value', () => ipfs.dag.get(node))
  await step('dag/resolve', 'path', () => ipfs.dag.resolve(`/ipfs/${node}/list`))
  await step('pin/ls', 'of a node', () => all(ipfs.pin.ls({ paths: node })))
  const car = await step('dag/export', 'a CAR file', async () => (await bytes(ipfs.dag.export(node))).toString('base64'))
  await step('pin/rm', 'of a node', () => ipfs.pin.rm(node))
  await step('dag/import', 'pins its root', () => all(ipfs.dag.import([Buffer.from(car, 'base64')])))
  await step('pin/ls', 'of an imported root', () => all(ipfs.pin.ls({ paths: node })))
  await step('dag/import', 'pinRoots: false', () => all(ipfs.dag.import([Buffer.from(car, 'base64')], { pinRoots: false })))
  await step('dag/import', 'no CAR file', () => all(ipfs.dag.import([text('nonsense')])))
}

async function repository () {
  await step('repo/stat', 'objects and form', async () => {
    const { numObjects, repoSize, repoPath, version, storageMax } = await ipfs.repo.stat()
    return { numObjects, hasSize: repoSize > 0n, repoPath, version, storageMax }
  })
  await step('repo/gc', 'what goes', () => sorted(ipfs.repo.gc()))
  await step('repo/gc', 'nothing left', () => all(ipfs.repo.gc()))
  await step('repo/stat', 'after the collection', async () => (await ipfs.repo.stat()).numObjects)
}

async function passedThrough () {
  const file = await step('add', 'for reading', () => ipfs.add({ path: 'read me', content: new Uint8Array(300_000).fill(65) }))
  await step('cat', 'length', async () => (await bytes(ipfs.cat(file.cid))).length)
  await step('cat', 'a part', async () => (await bytes(ipfs.cat(file.cid, { offset: 10, length: 5 }))).toString())
  await step('cat', 'absent, timeout', () => bytes(ipfs.cat(ABSENT, { timeout: 500 })))
  await step('get', 'as tar', async () => (await bytes(ipfs.get(file.cid))).length)
  await step('ls', 'links', () => all(ipfs.ls(file.cid)))
  await step('refs', 'links', () => all(ipfs.refs(file.cid)))
  await step('files/write', 'new file', () => ipfs.files.write('/js/file', text('mutable'), { create: true, parents: true }))
  await step('files/ls', 'directory', () => all(ipfs.files.ls('/js', { long: true })))
  await step('files/read', 'file', async () => (await bytes(ipfs.files.read('/js/file'))).toString())
  await step('files/stat', 'file', () => ipfs.files.stat('/js/file'))
  await step('files/cp', 'from a CID', () => ipfs.files.cp(`/ipfs/${file.cid}`, '/js/copy'))
  await step('files/rm', 'directory', () => ipfs.files.rm('/js', { recursive: true }))
  await step('id', 'identity', async () => Object.keys(await ipfs.id()).sort())
  await step('version', 'version', () => ipfs.version())
  await step('swarm/peers', 'nobody', () => ipfs.swarm.peers())
  await step('config/get', 'a value', () => ipfs.config.get('Routing.Type'))
  await step('key/list', 'names', async () => (await ipfs.key.list()).map(({ name }) => name))
  await step('commands', 'a list', async () => (await ipfs.commands()).Name)
}

const added = await adding()
await pinning(added)
await blocksAndDags()
await repository()
await passedThrough()
