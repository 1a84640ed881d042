/** Words and marks that several commands print. */
import type { MessageStatus } from '#client/chat/events.ts'
import type { TunnelStatus } from '#client/tunnel.ts'
import { sanitize } from './sanitize.ts'

/** Of our own messages: here, in the contact's mailbox, with the contact, seen. */
export const marks: Readonly<Record<MessageStatus, string>> = {
  pending: '…',
  sent: '✓',
  delivered: '✓✓',
  read: '✓✓ read',
}

export function timeOf(time: number): string {
  const date = new Date(time)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(date.getHours())}:${two(date.getMinutes())}`
}

/** One line on how a gateway is reached. */
export function describePath({ endpoint, state, template, socket, rttMs }: TunnelStatus): string {
  const name = sanitize(endpoint.name)
  if (state.kind === 'ready')
    return `connected to ${name} (${endpoint.host}), looking like ${template}${socket ? ' over a WebSocket' : ''}, ${Math.round(rttMs)} ms`
  if (state.kind === 'failing') return `not connected to ${name}: ${state.reason} (${state.code}); Sotto goes on trying`
  return `connecting to ${name} (${endpoint.host}) ...`
}
