// Runs the calls of a script one after the other and writes one JSON line for each.

/** Turns what the client returns into plain JSON: CIDs and big integers as text, bytes as text. */
function plain (value) {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return new TextDecoder().decode(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object') {
    const isPlain = Object.getPrototypeOf(value) === Object.prototype
    if (!isPlain && typeof value.toString === 'function') return value.toString()
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
  }
  return value
}

/** Writes a line for `call`, a use of Kubo's `command`; returns its result, or null if it failed. */
export async function step (command, call, run) {
  let outcome
  let result = null
  try {
    result = await run()
    outcome = { ok: plain(result) }
  } catch (error) {
    outcome = { error: `${error.name}: ${error.message}` }
  }
  process.stdout.write(JSON.stringify({ command, call, ...outcome }) + '\n')
  return result
}

/** All that an async iterable gives. */
export async function all (source) {
  const found = []
  for await (const item of source) found.push(item)
  return found
}

/** As `all`, in an order that does not depend on how a server happens to walk its pins. */
export async function sorted (source) {
  const found = (await all(source)).map(plain)
  return found.sort((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)
}

/** The bytes of an async iterable of pieces. */
export async function bytes (source) {
  return Buffer.concat(await all(source))
}
