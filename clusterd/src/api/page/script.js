// Renews the page while somebody looks: the server writes it anew, and the parts that have changed are put in.
'use strict'

const EVERY_MS = 5000
const ANSWER_MAX_MS = 15000

let timer = 0
let lostAt = null

function put (fresh) {
  const old = document.querySelector(`[data-part="${fresh.dataset.part}"]`)
  if (old && !old.isEqualNode(fresh)) old.replaceWith(document.adoptNode(fresh))
}

function say (words) {
  const lost = document.getElementById('lost')
  // Read aloud when it changes, so it is left alone while it does not.
  if (lost.textContent !== words) lost.textContent = words
  document.documentElement.classList.toggle('stale', words !== '')
}

async function renew () {
  const answer = await fetch('/status', {
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
    signal: AbortSignal.timeout(ANSWER_MAX_MS)
  })
  if (!answer.ok) throw new Error(`status ${answer.status}`)
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
  if (page.documentElement.dataset.version !== document.documentElement.dataset.version) {
    location.reload()
    return
  }
  page.querySelectorAll('[data-part]').forEach(put)
}

async function tick () {
  clearTimeout(timer)
  if (document.hidden) return
  try {
    await renew()
    lostAt = null
    say('')
  } catch {
    lostAt ??= new Date()
    say(`clusterd cannot be reached since ${lostAt.toLocaleTimeString()}; trying again.`)
  }
  clearTimeout(timer)
  if (!document.hidden) timer = setTimeout(tick, EVERY_MS)
}

document.addEventListener('visibilitychange', tick)
timer = setTimeout(tick, EVERY_MS)
