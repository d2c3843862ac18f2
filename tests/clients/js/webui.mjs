// The calls that the pages of IPFS WebUI make, with a browser's headers: node webui.mjs URL
//
// WebUI is published as a CID and as release archives, not as a package; what it calls was read in
// its sources (src/bundles) and is made here with the client library it is built on.
import { create } from 'kubo-rpc-client'
import { step, all, sorted } from './steps.mjs'

const url = process.argv[2]
const ipfs = create({
  url,
  headers: { Origin: url, Referer: `${url}/webui/`, 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' }
})
const text = (value) => new TextEncoder().encode(value)

async function statusPage () {
  await step('id', 'identity', async () => Object.keys(await ipfs.id()).sort())
  await step('version', 'version', () => ipfs.version())
  await step('config/show', 'the whole configuration', async () => Object.keys(await ipfs.config.getAll()).sort())
  await step('repo/stat', 'objects', async () => (await ipfs.repo.stat()).numObjects)
  await step('stats/bw', 'one sample', async () => Object.keys((await all(ipfs.stats.bw()))[0]).sort())
  await step('swarm/peers', 'nobody', () => ipfs.swarm.peers({ verbose: true, latency: false }))
}

async function filesPage () {
  const added = await step('add', 'files without pin', () => all(ipfs.addAll([
    { path: 'photos/one', content: text('one') }, { path: 'photos/two', content: text('two') }
  ], { pin: false, wrapWithDirectory: false, progress: () => {} })))
  const root = added.at(-1).cid
  await step('files/cp', 'into the files', () => ipfs.files.cp(`/ipfs/${root}`, '/photos'))
  await step('files/stat', 'directory', () => ipfs.files.stat('/photos'))
  await step('ls', 'directory', () => all(ipfs.ls(root)))
  await step('files/mkdir', 'new directory', () => ipfs.files.mkdir('/new', { parents: true }))
  await step('files/mv', 'rename', () => ipfs.files.mv('/new', '/renamed'))
  await step('files/ls', 'root', () => all(ipfs.files.ls('/')))
  await step('files/rm', 'delete', () => ipfs.files.rm('/renamed', { recursive: true }))
  return root
}

async function pinDialog (root) {
  await step('pin/add', 'set pinning', () => ipfs.pin.add(root))
  await step('pin/ls', 'recursive', () => sorted(ipfs.pin.ls({ type: 'recursive' })))
  await step('pin/ls', 'direct', () => sorted(ipfs.pin.ls({ type: 'direct' })))
  await step('pin/rm', 'unset pinning', () => ipfs.pin.rm(root))
  await step('pin/rm', 'unset again', () => ipfs.pin.rm(root))
  await step('pin/remote/service/ls', 'services', () => ipfs.pin.remote.service.ls())
  await step('commands', 'has remote pinning', async () => {
    const pin = (await ipfs.commands()).Subcommands.find(({ Name }) => Name === 'pin')
    return pin.Subcommands.some(({ Name }) => Name === 'remote')
  })
}

async function explorePage (root) {
  await step('dag/get', 'node', async () => (await ipfs.dag.get(root)).value.Links.length)
  await step('dag/export', 'download as CAR', async () => (await all(ipfs.dag.export(root))).length > 0)
  await step('name/resolve', 'not a name', () => all(ipfs.name.resolve('/ipns/nobody', { timeout: 500 })))
}

async function strangerPage () {
  const stranger = create({ url, headers: { Origin: 'http://evil.example' } })
  await step('pin/ls', 'from a page of another site', () => all(stranger.pin.ls()))
  await step('add', 'from a page of another site', () => stranger.add('evil'))
}

await statusPage()
const root = await filesPage()
await pinDialog(root)
await explorePage(root)
await strangerPage()
