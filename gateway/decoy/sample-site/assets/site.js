// The menu on small screens, the desk in the corner, and a count of pages read.

const top_ = document.querySelector('.top')
const menu = document.querySelector('.menu')
menu?.addEventListener('click', () => {
  const open = top_.classList.toggle('open')
  menu.setAttribute('aria-expanded', String(open))
})

const desk = document.querySelector('[data-desk]')

function element(tag, text) {
  const made = document.createElement(tag)
  made.textContent = text
  return made
}

async function deskStatus() {
  const answer = await fetch('/api/support/v1/status', { headers: { accept: 'application/json' } })
  if (!answer.ok) throw new Error(String(answer.status))
  return await answer.json()
}

async function showDesk() {
  const panel = document.createElement('section')
  panel.append(element('h2', 'The desk'), element('p', 'One moment ...'))
  desk.prepend(panel)
  try {
    const { message, next } = await deskStatus()
    panel.replaceChildren(element('h2', 'The desk'), element('p', message), element('p', `Next at the desk: ${next}.`))
  } catch {
    panel.replaceChildren(element('h2', 'The desk'), element('p', 'The desk cannot be reached. Come by, or try later.'))
  }
}

function toggleDesk() {
  const panel = desk.querySelector('section')
  if (panel) panel.remove()
  else void showDesk()
}

if (desk) {
  const button = element('button', 'Ask the desk')
  button.type = 'button'
  button.addEventListener('click', toggleDesk)
  desk.append(button)
  desk.hidden = false
  document.querySelector('[data-desk-open]')?.addEventListener('click', toggleDesk)
}

addEventListener('pagehide', () => {
  navigator.sendBeacon?.('/collect', JSON.stringify({ page: location.pathname, ms: Math.round(performance.now()) }))
})
