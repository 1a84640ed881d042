// A room: what is said goes up in one request each, what is new comes down in a poll that the server holds.
// `supply`: what is sealed already, by kind, and the visitor's habits; a page without it stays quiet.
const { supply } = globalThis
const list = document.querySelector('[data-said]')
const show = (text, ours) => {
  const item = document.createElement('li')
  item.textContent = text
  item.className = ours ? 'ours' : ''
  list.append(item)
}
const ask = async (kind) => {
  const { method, target, headers, body } = supply.sealed[kind].shift()
  const octets = body && Uint8Array.from(atob(body), (each) => each.charCodeAt(0))
  const answer = await fetch(target, { method, headers, body: octets })
  return (await answer.arrayBuffer()).byteLength
}
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const listen = async ({ think, quiet }) => {
  for (;;) {
    await wait(think[0] + Math.random() * (think[1] - think[0]))
    const octets = await ask('poll').catch(() => undefined)
    if (octets === undefined) await wait(500)
    else if (octets > quiet) {
      show('…', false)
      await ask('acknowledge').catch(() => undefined)
    }
  }
}
const enter = async ({ opening }) => {
  for (const kind of opening) await ask(kind)
  void listen(supply)
}
const say = async (kind) => {
  await ask(kind)
  show('…', true)
}
globalThis.room = { say, entered: supply && enter(supply) }
