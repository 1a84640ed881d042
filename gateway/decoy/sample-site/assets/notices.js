// The notice board: what the workshop has to say, and what visitors say just now.

/* global io */
const board = document.querySelector('[data-board]')
const talk = document.querySelector('[data-talk]')
const here = document.querySelector('[data-here]')
const form = document.querySelector('[data-say]')
const socket = io()

function line(text, list) {
  const item = document.createElement('li')
  item.textContent = text
  list.append(item)
}

socket.on('notices', (texts) => {
  board.replaceChildren()
  talk.replaceChildren()
  for (const text of texts) line(text, board)
})
socket.on('said', ({ at, text }) => {
  line(`${new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })} ${text}`, talk)
})
socket.on('here', (count) => {
  here.textContent = count === 1 ? 'You are alone here.' : `${count} people are here.`
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  const { value } = form.elements.text
  socket.emit('say', value, ({ ok }) => {
    if (ok) form.reset()
  })
})
